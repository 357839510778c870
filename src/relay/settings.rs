//! What an operator may say about mail that goes out.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::mail::address::Host;
use crate::mail::{Domain, Mailbox};

/// Where mail to other domains goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Nowhere: it is refused for now.
    Off,
    /// To the hosts that the domain names in DNS.
    Direct,
    /// All of it to one host.
    Smarthost(Smarthost),
}

/// A host named by the operator: reached by its address, without a question for MX.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Via {
    /// A name, or an address.
    pub host: HostName,
    /// Its port.
    pub port: u16,
}

/// A host as configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostName {
    /// By name.
    Name(Domain),
    /// By address.
    Address(IpAddr),
}

/// `relay.smarthost` and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smarthost {
    /// Where it is.
    pub via: Via,
    /// Whether TLS begins with the first octet (RFC 8314 §3.3).
    pub implicit_tls: bool,
    /// Who we are to it.
    pub login: Option<Login>,
}

/// `relay.username` and `relay.password_file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The file whose first line is the password. It is read at each login, so that a change needs no restart.
    pub password_file: PathBuf,
}

/// What is asked of a connection (`relay.tls`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tls {
    /// TLS is not even tried.
    Off,
    /// Where the peer offers it and the handshake works; in clear otherwise (RFC 7435).
    Opportunistic,
    /// TLS, whatever the certificate says; no mail otherwise.
    Require,
    /// TLS with a valid certificate for the host's name; no mail otherwise.
    Verify,
}

/// A line of `relay.destinations`: what is different for some domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The domain.
    pub domain: Domain,
    /// Whether its subdomains are meant, and not itself.
    pub subdomains: bool,
    /// What is asked of the connection.
    pub tls: Option<Tls>,
    /// Where its mail goes.
    pub via: Option<Via>,
}

/// How long each step may take (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A TCP connection to one address.
    pub connect: Duration,
    /// All hosts and addresses of one attempt, until one of them is ready for a message.
    pub connect_in_all: Duration,
    /// The greeting, and the replies to `EHLO`, `MAIL` and `RCPT`; also a TLS handshake.
    pub command: Duration,
    /// The reply to `DATA`.
    pub data_begin: Duration,
    /// The peer's taking of one block of the text.
    pub data_block: Duration,
    /// The reply to the end of the text.
    pub data_end: Duration,
    /// The replies to `RSET` and `QUIT`, for which nobody waits gladly.
    pub farewell: Duration,
}

/// When the queue tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// After the first failure.
    pub first_retry: Duration,
    /// At the longest.
    pub max_retry: Duration,
    /// Until the sender is told that it is given up.
    pub life: Duration,
    /// Until the sender is told that it takes longer.
    pub delay_notice: Duration,
}

/// `[relay]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where mail goes.
    pub mode: Mode,
    /// Our name, in `EHLO` and reports.
    pub hostname: String,
    /// The port of mail servers that DNS names.
    pub port: u16,
    /// What is asked of connections.
    pub tls: Tls,
    /// What is different for some domains; the first that fits holds.
    pub exceptions: Vec<Exception>,
    /// Who is asked for MX and addresses; empty: the resolvers of this machine.
    pub resolvers: Vec<SocketAddr>,
    /// Addresses that connections come from; of each family the first.
    pub sources: Vec<IpAddr>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Connections to one destination at a time.
    pub connections: usize,
    /// Messages over one connection.
    pub messages_per_connection: usize,
    /// Messages to one destination in a minute; none means any number.
    pub rate: Option<u32>,
    /// When to try again.
    pub schedule: Schedule,
    /// Whether envelope senders of forwarded mail are rewritten (SRS).
    pub srs: bool,
    /// The domain of rewritten senders; none: that of the address that forwards.
    pub srs_domain: Option<Domain>,
    /// Octets up to which a report gives back a whole message.
    pub returned: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self {
            connect: Duration::from_secs(30),
            connect_in_all: minutes(10),
            command: minutes(5),
            data_begin: minutes(2),
            data_block: minutes(3),
            data_end: minutes(10),
            farewell: Duration::from_secs(5),
        }
    }
}

impl Exception {
    /// Whether it is for mail to that domain.
    pub fn is_for(&self, domain: &Domain) -> bool {
        match self.subdomains {
            false => self.domain == *domain,
            true => domain.as_str().strip_suffix(self.domain.as_str()).is_some_and(|rest| rest.ends_with('.')),
        }
    }
}

impl Settings {
    /// What is different for mail to that address.
    pub fn exception(&self, to: &Mailbox) -> Option<&Exception> {
        let Host::Domain(domain) = to.host() else { return None };
        self.exceptions.iter().find(|exception| exception.is_for(domain))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Direct, with everything else as the defaults have it.
    pub(in crate::relay) fn settings() -> Settings {
        let hours = |count: u64| Duration::from_secs(3600 * count);
        Settings {
            mode: Mode::Direct,
            hostname: "mx.here.example".into(),
            port: 25,
            tls: Tls::Opportunistic,
            exceptions: Vec::new(),
            resolvers: Vec::new(),
            sources: Vec::new(),
            timeouts: Timeouts::default(),
            connections: 20,
            messages_per_connection: 100,
            rate: None,
            schedule: Schedule { first_retry: hours(1), max_retry: hours(4), life: hours(120), delay_notice: hours(4) },
            srs: true,
            srs_domain: None,
            returned: 1 << 20,
        }
    }

    #[test]
    fn exceptions_are_for_a_domain_or_for_its_subdomains() -> Result<(), crate::mail::DomainError> {
        let exception = |subdomains| -> Result<_, crate::mail::DomainError> {
            Ok(Exception { domain: Domain::parse("example.org")?, subdomains, tls: None, via: None })
        };
        for (domain, itself, below) in [
            ("example.org", true, false),
            ("a.example.org", false, true),
            ("b.a.example.org", false, true),
            ("anexample.org", false, false),
        ] {
            let domain = Domain::parse(domain)?;
            assert_eq!((exception(false)?.is_for(&domain), exception(true)?.is_for(&domain)), (itself, below), "{domain}");
        }
        Ok(())
    }
}
