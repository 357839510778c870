//! Brings a message to its next hop: host after host, over a connection that is there already where possible.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::time::{self, Instant};

use super::client::{Answer, Connection, Manner, NotOpened};
use super::lookup::{self, Lookup};
use super::outgoing::Outgoing;
use super::pool::{Pool, Shy};
use super::settings::{Mode, Settings, Tls};
use super::target::{NextHop, Place};
use super::tls::Trust;
use super::verdict::{Status, Trouble, Verdict};
use crate::mail::Secret;
use crate::protocol::smtp::client::Login;

/// Octets of a password file: a long pass phrase has room.
const PASSWORD_FILE: u64 = 4096;

/// Carries messages out. How many at a time to one destination is for the caller to bound.
pub struct Courier {
    settings: Arc<Settings>,
    lookup: Lookup,
    trust: Trust,
    pool: Arc<Pool>,
    shy: Shy,
}

/// Hosts of a domain that may say *not now* to one message in one attempt: whoever greylists does so on all of its hosts.
const DECLINED: usize = 2;

/// What is known of each recipient, and of the hosts.
struct Ledger {
    standings: Vec<Standing>,
    /// The last trouble with a host as a whole.
    trouble: Option<Trouble>,
    /// Hosts that did not want the message now: they are not asked again in this attempt.
    declined: Vec<IpAddr>,
}

/// What is known of a recipient.
#[derive(Clone, Default)]
struct Standing {
    verdict: Option<Verdict>,
    /// What a host said that did not want it now.
    trouble: Option<Trouble>,
}

impl Ledger {
    fn new(recipients: usize) -> Self {
        Self { standings: vec![Standing::default(); recipients], trouble: None, declined: Vec::new() }
    }

    fn undecided(&self) -> Vec<usize> {
        self.standings.iter().enumerate().filter(|(_, standing)| standing.verdict.is_none()).map(|(index, _)| index).collect()
    }

    fn decide(&mut self, index: usize, verdict: Verdict) {
        if let Some(standing) = self.standings.get_mut(index) {
            standing.verdict = Some(verdict);
        }
    }

    fn put_off(&mut self, index: usize, trouble: Trouble) {
        if let Some(standing) = self.standings.get_mut(index) {
            standing.trouble = Some(trouble);
        }
    }

    /// Notes a trouble with a host. One that may pass outweighs one that does not: only if every host says no for good it is no for good.
    fn note(&mut self, trouble: Trouble) {
        let outweighed = trouble.status.class == 5 && self.trouble.as_ref().is_some_and(|before| before.status.class == 4);
        if !outweighed {
            self.trouble = Some(trouble);
        }
    }

    fn finish(self, hop: &NextHop) -> Vec<Verdict> {
        let rest = self.trouble.unwrap_or_else(|| lookup::nowhere(hop)).verdict();
        let said = |standing: Standing| standing.verdict.or_else(|| standing.trouble.map(Trouble::verdict));
        self.standings.into_iter().map(|standing| said(standing).unwrap_or_else(|| rest.clone())).collect()
    }
}

impl Courier {
    /// A courier that trusts the authorities of this machine. `listening` is where this server accepts mail itself: a domain that
    /// leads there is not sent to. Reads files.
    pub fn new(settings: Arc<Settings>, listening: Vec<SocketAddr>) -> io::Result<Self> {
        Ok(Self::trusting(settings, listening, Trust::of_this_machine()?))
    }

    /// A courier that trusts others.
    pub fn trusting(settings: Arc<Settings>, listening: Vec<SocketAddr>, trust: Trust) -> Self {
        let lookup = Lookup::new(&settings, listening);
        Self { lookup, trust, pool: Arc::default(), shy: Shy::default(), settings }
    }

    /// What it goes by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Ends the connections that wait for another message.
    pub async fn close(&self) {
        self.pool.clear().await;
    }

    /// Brings the message to the next hop. One verdict for each recipient, in their order.
    pub async fn carry(&self, hop: &NextHop, message: &Outgoing) -> Vec<Verdict> {
        let mut ledger = Ledger::new(message.recipients.len());
        if let Some((connection, address)) = self.pool.take(hop).await {
            self.hand_over(connection, address, hop, message, &mut ledger).await;
        }
        if !ledger.undecided().is_empty() {
            self.try_hosts(hop, message, &mut ledger).await;
        }
        ledger.finish(hop)
    }

    async fn try_hosts(&self, hop: &NextHop, message: &Outgoing, ledger: &mut Ledger) {
        let (found, login) = match self.prepare(hop).await {
            Ok(prepared) => prepared,
            Err(trouble) => return ledger.note(trouble),
        };
        let mut left = self.settings.timeouts.connect_in_all;
        for host in &found.hosts {
            for address in host.addresses.iter().map(|ip| SocketAddr::new(*ip, found.port)) {
                if ledger.declined.contains(&address.ip()) {
                    continue;
                }
                let begun = Instant::now();
                let opened = time::timeout(left, self.open(hop, &host.name, address, login.as_ref())).await;
                left = left.saturating_sub(begun.elapsed());
                match opened {
                    Ok(Ok(connection)) => self.hand_over(connection, address.ip(), hop, message, ledger).await,
                    Ok(Err(trouble)) => ledger.note(trouble),
                    Err(_) => ledger.note(Trouble::ours(Status::new(4, 4, 1), format!("no host for {hop} was ready in time"))),
                }
                if left.is_zero() || ledger.undecided().is_empty() || ledger.declined.len() >= DECLINED {
                    return;
                }
            }
        }
    }

    async fn prepare(&self, hop: &NextHop) -> Result<(lookup::Found, Option<Login>), Trouble> {
        let login = match (&hop.place, &self.settings.mode) {
            (Place::Smarthost(_), Mode::Smarthost(smarthost)) => match &smarthost.login {
                Some(login) => Some(read_login(login).await?),
                None => None,
            },
            _ => None,
        };
        Ok((self.lookup.hosts(hop).await?, login))
    }

    async fn open(&self, hop: &NextHop, name: &str, address: SocketAddr, login: Option<&Login>) -> Result<Connection, Trouble> {
        let implicit_tls = match (&hop.place, &self.settings.mode) {
            (Place::Smarthost(_), Mode::Smarthost(smarthost)) => smarthost.implicit_tls,
            _ => false,
        };
        let mut manner = Manner {
            settings: &self.settings,
            trust: &self.trust,
            tls: hop.tls,
            implicit_tls,
            login: login.cloned(),
            pipelining: !self.shy.is_known(address.ip()),
        };
        match Connection::open(&manner, name, address).await {
            Ok(connection) => Ok(connection),
            Err(NotOpened::Handshake(_)) if hop.tls == Tls::Opportunistic => {
                manner.tls = Tls::Off;
                Connection::open(&manner, name, address).await.map_err(NotOpened::trouble)
            }
            Err(other) => Err(other.trouble()),
        }
    }

    /// Sends to all who have no verdict yet, in as many transactions as the host wants, and keeps the connection for the next message.
    /// Those that the host does not want now are left for the next host (RFC 5321 §5.1).
    async fn hand_over(&self, mut connection: Connection, address: IpAddr, hop: &NextHop, message: &Outgoing, ledger: &mut Ledger) {
        let mut waiting = ledger.undecided();
        let is_fresh = connection.messages == 0;
        while !waiting.is_empty() && !connection.is_over() {
            let rest = waiting.split_off(waiting.len().min(connection.most_recipients()));
            let (mut decided, mut later) = (0, Vec::new());
            for (index, answer) in waiting.iter().zip(connection.send(message, &waiting).await) {
                match answer {
                    Answer::Final(verdict) => {
                        decided += 1;
                        ledger.decide(*index, verdict);
                    }
                    Answer::TooMany(trouble) => {
                        ledger.put_off(*index, trouble);
                        later.push(*index);
                    }
                    // A connection that was kept for too long says nothing about the message.
                    Answer::NotNow(trouble) if connection.is_over() && !is_fresh => ledger.note(trouble),
                    Answer::NotNow(trouble) => {
                        ledger.put_off(*index, trouble);
                        if !ledger.declined.contains(&address) {
                            ledger.declined.push(address);
                        }
                    }
                    Answer::Lost(trouble) => ledger.note(trouble),
                }
            }
            if connection.lost_its_way() {
                self.shy.remember(address);
            }
            if decided == 0 {
                break;
            }
            waiting = later.into_iter().chain(rest).collect();
        }
        if connection.messages < self.settings.messages_per_connection && !connection.is_over() {
            self.pool.put(hop.clone(), connection, address);
        } else {
            tokio::spawn(connection.close());
        }
    }
}

/// Reads a password off its file: the first line.
async fn read_login(login: &super::settings::Login) -> Result<Login, Trouble> {
    let path = login.password_file.clone();
    let read = move || -> io::Result<Secret> {
        let mut text = zeroize::Zeroizing::new(String::new());
        io::Read::read_to_string(&mut io::Read::take(std::fs::File::open(path)?, PASSWORD_FILE), &mut text)?;
        Ok(Secret::given(text.lines().next().unwrap_or_default().to_owned()))
    };
    let read = tokio::task::spawn_blocking(read).await.map_err(io::Error::other).and_then(|read| read);
    let unreadable = |error| Trouble::ours(Status::new(4, 3, 5), format!("relay.password_file cannot be read: {error}"));
    Ok(Login { username: login.username.clone(), password: read.map_err(unreadable)? })
}
