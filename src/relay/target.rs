//! Where a recipient's mail goes: from an address to a next hop, and from what DNS says of it to the hosts to try (RFC 5321 §5.1,
//! RFC 7505).
//!
//! Pure: answers and random numbers come in. Bounds: [`HOSTS`] and [`ADDRESSES`], however many there are. That bound comes after
//! the search for ourselves, which would otherwise depend on luck.

use std::fmt;
use std::net::IpAddr;

use super::settings::{HostName, Mode, Settings, Tls, Via};
use super::verdict::{Status, Trouble};
use crate::mail::address::Host as Behind;
use crate::mail::{Domain, Mailbox};

/// Mail servers of one domain that are looked at, in their order. Domains in use have a handful.
pub const HOSTS: usize = 16;

/// Addresses of one mail server that are tried.
pub const ADDRESSES: usize = 6;

/// Where mail is brought, and what is asked of the connection. Recipients with equal next hops can share a connection, and a
/// transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NextHop {
    /// Where.
    pub place: Place,
    /// How.
    pub tls: Tls,
}

/// See [`NextHop`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// The mail servers of a domain.
    Domain(Domain),
    /// An address literal: `user@[192.0.2.1]`.
    Literal(IpAddr),
    /// A host that the operator names.
    Via(Via),
    /// The smarthost, with its login.
    Smarthost(Via),
}

impl NextHop {
    /// The next hop for mail to that address.
    pub fn of(to: &Mailbox, settings: &Settings) -> Result<Self, Trouble> {
        let exception = settings.exception(to);
        let tls = exception.and_then(|exception| exception.tls).unwrap_or(settings.tls);
        let place = match (exception.and_then(|exception| exception.via.clone()), &settings.mode) {
            (Some(via), _) => Place::Via(via),
            (None, Mode::Off) => return Err(Trouble::ours(Status::new(4, 3, 0), "the relay is off (relay.mode)")),
            (None, Mode::Smarthost(smarthost)) => Place::Smarthost(smarthost.via.clone()),
            (None, Mode::Direct) => match to.host() {
                Behind::Domain(domain) => Place::Domain(domain.clone()),
                Behind::Literal(text) => Place::Literal(literal(text).ok_or_else(|| not_an_address(text))?),
            },
        };
        Ok(Self { place, tls })
    }
}

fn not_an_address(text: &str) -> Trouble {
    Trouble::ours(Status::new(5, 1, 2), format!("{text} is not an address"))
}

/// The address between the brackets of RFC 5321 §4.1.3.
fn literal(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    match inner.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:")) {
        Some(_) => inner.get(5..)?.parse().map(IpAddr::V6).ok(),
        None => inner.parse().map(IpAddr::V4).ok(),
    }
}

/// The domain, or the host: what logs, metrics and the panel call a destination.
impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Domain(domain) => domain.fmt(f),
            Place::Literal(address) => write!(f, "[{address}]"),
            Place::Via(via) | Place::Smarthost(via) => via.fmt(f),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostName::Name(name) => write!(f, "{name}:{}", self.port),
            HostName::Address(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            HostName::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

/// What DNS says about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// These records.
    Found(Vec<T>),
    /// The name exists, and has no such record.
    Nothing,
    /// The name does not exist.
    NoSuchName,
    /// It could not be found out; why not.
    Unknown(String),
}

/// An `MX` record, and a random number of its own that settles ties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The lower, the better.
    pub preference: u16,
    /// The lot among those of equal preference.
    pub lot: u32,
    /// The host, in lower case without a trailing dot; empty in a null MX.
    pub name: String,
}

/// An address of a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Whether connecting to it would lead back to us.
    pub is_ours: bool,
}

/// The hosts that a domain names, or the domain itself (RFC 5321 §5.1, "implicit MX").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchanges {
    /// In order of preference, without those behind ourselves.
    Named(Vec<Exchange>),
    /// There is no MX.
    Implicit,
}

/// A host to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its addresses, in the order to try them.
    pub addresses: Vec<IpAddr>,
}

/// Which hosts to look at for mail to `domain`, when our own name is `hostname`.
pub fn exchanges(domain: &Domain, answer: Answer<Exchange>, hostname: &str) -> Result<Exchanges, Trouble> {
    let mut named = match answer {
        Answer::Found(records) => records,
        Answer::Nothing => return Ok(Exchanges::Implicit),
        Answer::NoSuchName => return Err(Trouble::ours(Status::new(5, 1, 2), format!("the domain {domain} does not exist"))),
        Answer::Unknown(why) => return Err(unknown(domain.as_str(), &why)),
    };
    let records = named.len();
    named.retain(|exchange| !exchange.name.is_empty());
    if named.is_empty() && records > 0 {
        return Err(Trouble::ours(Status::new(5, 1, 10), format!("the domain {domain} accepts no mail (null MX)")));
    }
    if named.is_empty() {
        return Ok(Exchanges::Implicit);
    }
    named.sort_by(|a, b| (a.preference, a.lot, &a.name).cmp(&(b.preference, b.lot, &b.name)));
    named.dedup_by(|a, b| a.name == b.name);
    let ours = named.iter().filter(|exchange| exchange.name.eq_ignore_ascii_case(hostname)).map(|exchange| exchange.preference).min();
    // RFC 5321 §5.1: whoever is in the list sends only to better ones, or mail goes round in circles.
    named.retain(|exchange| ours.is_none_or(|ours| exchange.preference < ours));
    named.truncate(HOSTS);
    if named.is_empty() { Err(ourselves(domain)) } else { Ok(Exchanges::Named(named)) }
}

/// The hosts to try, of those in `named` with the answers about their addresses beside them.
pub fn hosts(domain: &Domain, named: Vec<(Exchange, Answer<Address>)>) -> Result<Vec<Host>, Trouble> {
    let is_ours = |answer: &Answer<Address>| matches!(answer, Answer::Found(found) if found.iter().any(|address| address.is_ours));
    let ours = named.iter().filter(|(_, answer)| is_ours(answer)).map(|(exchange, _)| exchange.preference).min();
    let (mut hosts, mut unsure) = (Vec::new(), None);
    for (exchange, answer) in named.into_iter().filter(|(exchange, _)| ours.is_none_or(|ours| exchange.preference < ours)) {
        match answer {
            Answer::Found(found) => hosts.push(Host { name: exchange.name, addresses: alternating(&found) }),
            Answer::Unknown(why) => unsure = Some(unknown(&exchange.name, &why)),
            Answer::Nothing | Answer::NoSuchName => {}
        }
    }
    match (hosts.is_empty(), unsure, ours) {
        (false, ..) => Ok(hosts),
        (true, Some(trouble), _) => Err(trouble),
        (true, None, Some(_)) => Err(ourselves(domain)),
        (true, None, None) => {
            Err(Trouble::ours(Status::new(5, 4, 4), format!("none of the mail servers that {domain} names has an address")))
        }
    }
}

/// The one host of a name that has no MX, or that the operator chose.
pub fn host(name: &str, answer: Answer<Address>) -> Result<Vec<Host>, Trouble> {
    match answer {
        Answer::Found(found) if found.iter().any(|address| address.is_ours) => {
            Err(Trouble::ours(Status::new(5, 4, 6), format!("mail to {name} would come back to this server")))
        }
        Answer::Found(found) => Ok(vec![Host { name: name.to_owned(), addresses: alternating(&found) }]),
        Answer::Nothing => Err(Trouble::ours(Status::new(5, 4, 4), format!("{name} has neither a mail server nor an address"))),
        Answer::NoSuchName => Err(Trouble::ours(Status::new(5, 1, 2), format!("{name} does not exist"))),
        Answer::Unknown(why) => Err(unknown(name, &why)),
    }
}

fn unknown(name: &str, why: &str) -> Trouble {
    Trouble::ours(Status::new(4, 4, 3), format!("DNS does not answer about {name}: {why}"))
}

fn ourselves(domain: &Domain) -> Trouble {
    Trouble::ours(
        Status::new(5, 4, 6),
        format!("{domain} names this server as its mail server, and it is no domain of ours: mail would go in circles"),
    )
}

/// IPv6 and IPv4 in turn (RFC 8305 §4), so that a family without a way costs one attempt.
fn alternating(found: &[Address]) -> Vec<IpAddr> {
    let six = found.iter().filter(|address| address.ip.is_ipv6());
    let mut four = found.iter().filter(|address| address.ip.is_ipv4());
    let mut order: Vec<IpAddr> = six.flat_map(|six| [Some(six), four.next()]).flatten().map(|address| address.ip).collect();
    order.extend(four.map(|address| address.ip));
    order.truncate(ADDRESSES);
    order
}

#[cfg(test)]
mod tests;
