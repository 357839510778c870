//! From a next hop to the hosts to try: the questions to DNS that [`super::target`] decides upon.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use tokio::task::JoinSet;
use tokio::time;

use super::settings::{HostName, Settings, Via};
use super::target::{self, Address, Answer, Exchange, Exchanges, Host, NextHop, Place};
use super::verdict::{Status, Trouble};
use crate::mail::Domain;
use crate::sys::dns::{self, DnsError, Name, NetError, RData, RecordType};

/// How long one question may take, with all of its retries and aliases.
const PATIENCE: Duration = Duration::from_secs(30);

/// MX records that are looked at. More fit a message of DNS; whoever writes them does not want mail.
const RECORDS: usize = 1000;

/// Hosts, and the port they are to be reached at.
pub(super) struct Found {
    pub hosts: Vec<Host>,
    pub port: u16,
}

/// Asks DNS, and knows which addresses are our own.
pub(super) struct Lookup {
    /// None where this machine has no resolvers.
    resolver: Option<TokioResolver>,
    listening: Vec<SocketAddr>,
    hostname: String,
    port: u16,
}

impl Lookup {
    pub fn new(settings: &Settings, listening: Vec<SocketAddr>) -> Self {
        let resolver = dns::resolver(&settings.resolvers).ok();
        Self { resolver, listening, hostname: settings.hostname.clone(), port: settings.port }
    }

    /// The hosts for a next hop, in the order to try them.
    pub async fn hosts(&self, hop: &NextHop) -> Result<Found, Trouble> {
        match &hop.place {
            Place::Domain(domain) => Ok(Found { hosts: self.of_domain(domain).await?, port: self.port }),
            Place::Literal(ip) => {
                let address = Address { ip: *ip, is_ours: self.is_ours(*ip, self.port) };
                Ok(Found { hosts: target::host(&hop.to_string(), Answer::Found(vec![address]))?, port: self.port })
            }
            Place::Via(via) | Place::Smarthost(via) => Ok(Found { hosts: self.of_host(via).await?, port: via.port }),
        }
    }

    async fn of_domain(&self, domain: &Domain) -> Result<Vec<Host>, Trouble> {
        match target::exchanges(domain, self.exchanges(domain).await, &self.hostname)? {
            Exchanges::Implicit => target::host(domain.as_str(), self.addresses(domain.as_str(), self.port).await),
            Exchanges::Named(named) => {
                let answers = self.all_addresses(&named).await;
                target::hosts(domain, named.into_iter().zip(answers).collect())
            }
        }
    }

    async fn of_host(&self, via: &Via) -> Result<Vec<Host>, Trouble> {
        match &via.host {
            HostName::Name(name) => target::host(name.as_str(), self.addresses(name.as_str(), via.port).await),
            HostName::Address(ip) => {
                let address = Address { ip: *ip, is_ours: self.is_ours(*ip, via.port) };
                target::host(&ip.to_string(), Answer::Found(vec![address]))
            }
        }
    }

    async fn exchanges(&self, domain: &Domain) -> Answer<Exchange> {
        let read = |data: &RData| match data {
            RData::MX(mx) => {
                let name = mx.exchange.to_ascii().to_ascii_lowercase();
                let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
                Some(Exchange { preference: mx.preference, lot: rand::random(), name })
            }
            _ => None,
        };
        match ask(self.resolver.as_ref(), domain.as_str(), RecordType::MX, read).await {
            Answer::Found(mut records) => {
                records.truncate(RECORDS);
                Answer::Found(records)
            }
            other => other,
        }
    }

    /// The addresses of each, asked for at the same time.
    async fn all_addresses(&self, named: &[Exchange]) -> Vec<Answer<Address>> {
        let mut tasks = JoinSet::new();
        for (place, exchange) in named.iter().enumerate() {
            let (resolver, name) = (self.resolver.clone(), exchange.name.clone());
            tasks.spawn(async move { (place, both(resolver.as_ref(), &name).await) });
        }
        let mut answers = vec![Answer::Unknown("the question was given up".to_owned()); named.len()];
        while let Some(done) = tasks.join_next().await {
            if let Ok((place, answer)) = done
                && let Some(slot) = answers.get_mut(place)
            {
                *slot = answer;
            }
        }
        answers.into_iter().map(|answer| self.marked(answer, self.port)).collect()
    }

    async fn addresses(&self, name: &str, port: u16) -> Answer<Address> {
        self.marked(both(self.resolver.as_ref(), name).await, port)
    }

    /// The addresses with our own marked; without those that nobody can be reached at.
    fn marked(&self, answer: Answer<IpAddr>, port: u16) -> Answer<Address> {
        match answer {
            Answer::Found(found) => {
                let usable = found.into_iter().filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
                let marked: Vec<Address> = usable.map(|ip| Address { ip, is_ours: self.is_ours(ip, port) }).collect();
                if marked.is_empty() { Answer::Nothing } else { Answer::Found(marked) }
            }
            Answer::Nothing => Answer::Nothing,
            Answer::NoSuchName => Answer::NoSuchName,
            Answer::Unknown(why) => Answer::Unknown(why),
        }
    }

    /// Whether a listener of ours has that address and port.
    fn is_ours(&self, ip: IpAddr, port: u16) -> bool {
        // Only an address of this machine can be bound to.
        let is_local = || UdpSocket::bind((ip, 0)).is_ok();
        let leads_here = |listener: &SocketAddr| listener.ip() == ip || (listener.ip().is_unspecified() && is_local());
        self.listening.iter().any(|listener| listener.port() == port && leads_here(listener))
    }
}

/// IPv6 and IPv4 addresses of a name. What one question finds is enough when the other fails.
async fn both(resolver: Option<&TokioResolver>, name: &str) -> Answer<IpAddr> {
    let six = ask(resolver, name, RecordType::AAAA, RData::ip_addr);
    let four = ask(resolver, name, RecordType::A, RData::ip_addr);
    match tokio::join!(six, four) {
        (Answer::Found(six), Answer::Found(four)) => Answer::Found(six.into_iter().chain(four).collect()),
        (Answer::Found(found), _) | (_, Answer::Found(found)) => Answer::Found(found),
        (Answer::Unknown(why), _) | (_, Answer::Unknown(why)) => Answer::Unknown(why),
        (Answer::NoSuchName, Answer::NoSuchName) => Answer::NoSuchName,
        (Answer::Nothing | Answer::NoSuchName, Answer::Nothing | Answer::NoSuchName) => Answer::Nothing,
    }
}

async fn ask<T>(resolver: Option<&TokioResolver>, name: &str, kind: RecordType, read: impl Fn(&RData) -> Option<T>) -> Answer<T> {
    let Some(resolver) = resolver else { return Answer::Unknown("this machine has no resolver configured (dns.servers)".into()) };
    let Ok(name) = Name::from_ascii(format!("{name}.")) else { return Answer::NoSuchName };
    let answer = match time::timeout(PATIENCE, resolver.lookup(name, kind)).await {
        Ok(answer) => answer,
        Err(_) => return Answer::Unknown("no answer in time".into()),
    };
    match answer {
        Ok(lookup) => {
            let found: Vec<T> = lookup.answers().iter().filter_map(|record| read(&record.data)).collect();
            if found.is_empty() { Answer::Nothing } else { Answer::Found(found) }
        }
        Err(error) if error.is_nx_domain() => Answer::NoSuchName,
        Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Answer::Nothing,
        Err(error) => Answer::Unknown(error.to_string()),
    }
}

/// What is wrong with a next hop that has no host at all.
pub(super) fn nowhere(hop: &NextHop) -> Trouble {
    Trouble::ours(Status::new(4, 4, 4), format!("there is no host to try for {hop}"))
}
