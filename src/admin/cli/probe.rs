//! A real message, sent over SMTP and followed to the file that it becomes.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper::Method;
use jiff::Timestamp;
use lettre::SmtpTransport;
use lettre::Transport;
use lettre::address::Envelope;
use lettre::transport::smtp::extension::ClientId;
use serde::{Deserialize, Serialize};

use super::connection::{Connection, NOTHING};
use super::failure::Failure;
use crate::admin::operations::fetch::Fetched;
use crate::admin::problem::Kind;
use crate::mail::QueueId;
use crate::mail::trace::date;
use crate::telemetry::{Delivery, Landing};

/// How often the server is asked what became of the message.
const INTERVAL: Duration = Duration::from_millis(10);

/// What became of a test message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// Its id; none if it was refused.
    pub id: Option<QueueId>,
    /// The reply that decided: to the end of data, or the refusal.
    pub reply: String,
    /// What happened, in order.
    pub hops: Vec<Hop>,
    /// The files that it became.
    pub files: Vec<PathBuf>,
    /// The addresses elsewhere, and the lists, that it is in the queue for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub onward: Vec<String>,
    /// Whether every copy is where it belongs.
    pub delivered: bool,
    /// What came of calling for each copy, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fetched: Vec<Fetched>,
    /// When the first hop began.
    #[serde(skip)]
    started: Timestamp,
}

/// One thing that happened to a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hop {
    /// What.
    pub what: String,
    /// When.
    pub at: Timestamp,
    /// Milliseconds since the start.
    pub ms: f64,
}

impl Hop {
    fn new(what: String, at: Timestamp, started: Timestamp) -> Self {
        Self { what, at, ms: at.duration_since(started).as_secs_f64() * 1000.0 }
    }
}

impl Probe {
    /// The code of the reply; 0 if there was none.
    pub fn code(&self) -> u16 {
        self.reply.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// Has the server call for each copy over POP3.
    pub async fn fetch(&mut self, connection: &Connection) -> Result<(), Failure> {
        let Some(id) = self.id else { return Ok(()) };
        self.called_for(connection.call(Method::POST, &format!("/deliveries/{id}/fetch"), NOTHING).await?);
        Ok(())
    }

    /// Notes what came of calling for each copy.
    pub fn called_for(&mut self, fetched: Vec<Fetched>) {
        self.fetched = fetched;
        for fetched in &self.fetched {
            let what = match fetched.octets {
                Some(octets) => format!("fetched from {} over POP3: {octets} octets", fetched.mailbox),
                None => format!("not fetched from {}: {}", fetched.mailbox, fetched.cause),
            };
            self.hops.push(Hop::new(what, fetched.at, self.started));
        }
    }
}

/// The part of `run.json` that matters here.
#[derive(Deserialize)]
struct Running {
    smtp: Vec<String>,
}

/// Where the running server listens for SMTP.
pub fn smtp_listener(spool: &Path) -> Result<SocketAddr, Failure> {
    let path = spool.join("run.json");
    let missing = || Failure::failed(format!("{} does not name an SMTP listener; is the server up, and smtp.listen set?", path.display()));
    let text = std::fs::read(&path).map_err(|_| missing())?;
    let running: Running = serde_json::from_slice(&text).map_err(|_| missing())?;
    let listener = running.smtp.iter().find_map(|address| address.parse::<SocketAddr>().ok()).ok_or_else(missing)?;
    Ok(reachable(listener))
}

/// An address to connect to for one that a listener is bound to: 0.0.0.0 and :: are none.
pub fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// What the server behind a connection knows of a message.
pub async fn known(connection: &Connection, id: QueueId) -> Result<Option<Delivery>, Failure> {
    match connection.get::<Delivery>(&format!("/deliveries/{id}")).await {
        Ok(delivery) => Ok(Some(delivery)),
        Err(failure) if failure.problem.as_ref().is_some_and(|problem| problem.kind == Kind::NoSuchDelivery) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Sends a message to `address`, and follows it until it is in its mailboxes or the time is over. `known` is asked for what
/// is known of it; `tell` hears of each hop as soon as it is known.
pub async fn send<F: Future<Output = Result<Option<Delivery>, Failure>>>(
    known: impl Fn(QueueId) -> F,
    smtp: SocketAddr,
    address: &str,
    timeout: Duration,
    tell: impl FnMut(&Hop),
) -> Result<Probe, Failure> {
    let (started, deadline) = (Timestamp::now(), Instant::now() + timeout);
    let told = |error| Failure::usage(format!("`{address}` cannot be sent to: {error}"));
    let envelope = Envelope::new(None, vec![address.parse().map_err(told)?]).map_err(|error| Failure::usage(error.to_string()))?;
    let message = message(address, started);
    let mut hops = Hops { started, hops: Vec::new(), tell };
    hops.add(vec![(started, format!("sent to {smtp}"))]);
    let sent = tokio::task::spawn_blocking(move || transmit(smtp, &envelope, &message, timeout)).await;
    let reply = sent.map_err(|error| Failure::failed(error.to_string()))??;
    let replied = (Timestamp::now(), "reply received".to_owned());
    let mut probe = Probe {
        id: queue_id(&reply),
        reply,
        hops: Vec::new(),
        files: Vec::new(),
        onward: Vec::new(),
        delivered: false,
        fetched: Vec::new(),
        started,
    };
    let first = match probe.id {
        Some(id) => known(id).await?,
        None => None,
    };
    hops.add(first.iter().flat_map(told_by_server).chain([replied]).collect());
    let landed_at_once = first.as_ref().is_some_and(landed);
    let last = if landed_at_once { first.clone() } else { follow(known, probe.id, deadline).await? };
    if let Some(delivery) = last {
        probe.delivered = landed(&delivery);
        if first.is_none() {
            hops.add(told_by_server(&delivery));
        } else if probe.delivered && !landed_at_once {
            hops.add(vec![(Timestamp::now(), "in its mailbox".to_owned())]);
        }
        probe.onward = delivery.landings.iter().flat_map(|landing| landing.onward.clone()).collect();
        probe.files = delivery.landings.into_iter().flat_map(|landing| landing.files).collect();
    }
    probe.hops = hops.hops;
    probe.hops.sort_by_key(|hop| hop.at);
    Ok(probe)
}

/// The hops so far, and who hears of new ones.
struct Hops<T> {
    started: Timestamp,
    hops: Vec<Hop>,
    tell: T,
}

impl<T: FnMut(&Hop)> Hops<T> {
    fn add(&mut self, mut news: Vec<(Timestamp, String)>) {
        news.sort_by_key(|(at, _)| *at);
        for (at, what) in news {
            let hop = Hop::new(what, at, self.started);
            (self.tell)(&hop);
            self.hops.push(hop);
        }
    }
}

fn message(address: &str, at: Timestamp) -> Vec<u8> {
    let number = at.as_nanosecond();
    format!(
        "From: Restante <postmaster@localhost>\r\nTo: {address}\r\nSubject: Restante test {number}\r\nDate: {}\r\n\
         Message-ID: <{number}@test.restante.invalid>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         This message was sent by `restante test` to see where mail to {address} goes.\r\n",
        date(at)
    )
    .into_bytes()
}

/// The server's last word, positive or negative, as one line.
fn transmit(smtp: SocketAddr, envelope: &Envelope, message: &[u8], timeout: Duration) -> Result<String, Failure> {
    let transport = SmtpTransport::builder_dangerous(smtp.ip().to_string())
        .port(smtp.port())
        .hello_name(ClientId::Domain("localhost".into()))
        .timeout(Some(timeout))
        .build();
    match transport.send_raw(envelope, message) {
        Ok(response) => Ok(format!("{} {}", response.code(), response.message().collect::<Vec<_>>().join(" "))),
        Err(error) => {
            let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            match error.status() {
                Some(code) => Ok(format!("{code} {}", why.replace(['\r', '\n'], " "))),
                None => Err(Failure::failed(format!("{smtp} could not be spoken to: {error}; is the server up?"))),
            }
        }
    }
}

fn queue_id(reply: &str) -> Option<QueueId> {
    reply.split_once("queued as ").and_then(|(_, id)| QueueId::parse(id.trim()).ok())
}

/// Asks the server about a message until every copy is in place, or the time is over.
async fn follow<F: Future<Output = Result<Option<Delivery>, Failure>>>(
    known: impl Fn(QueueId) -> F,
    id: Option<QueueId>,
    deadline: Instant,
) -> Result<Option<Delivery>, Failure> {
    let Some(id) = id else { return Ok(None) };
    let mut last = None;
    loop {
        match known(id).await? {
            Some(delivery) if landed(&delivery) => return Ok(Some(delivery)),
            found => last = found.or(last),
        }
        if Instant::now() >= deadline {
            return Ok(last);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Whether every recipient was accepted, and each of its mailboxes has its file (a `discard` has neither).
fn landed(delivery: &Delivery) -> bool {
    delivery.landings.iter().all(|landing| landing.accepted && landing.files.len() >= landing.mailboxes.len())
}

fn told_by_server(delivery: &Delivery) -> Vec<(Timestamp, String)> {
    let to = |landing: &Landing| landing.mailboxes.iter().map(ToString::to_string).chain(landing.onward.clone()).collect::<Vec<_>>();
    let mut names: Vec<String> = delivery.landings.iter().flat_map(to).collect();
    names.dedup();
    let routed = if names.is_empty() { "routed to nowhere".to_owned() } else { format!("routed to {}", names.join(", ")) };
    vec![
        (delivery.begun, format!("recipient asked for by {}", delivery.client)),
        (delivery.routed, routed),
        (delivery.received, format!("{} octets received", delivery.size)),
        (delivery.stored, "safe on disk".to_owned()),
    ]
}
