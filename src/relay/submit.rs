//! Mail that is made here: reports, copies for the members of lists, replies on behalf of owners.
//!
//! Owns its way in: the same router and the same spool as for any other mail, so it is durable when [`Office::submit`] returns, is
//! delivered or queued like the rest, and leaves the same traces. Refuses to know what it says.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task;

use super::srs::Srs;
use crate::directory::{Directory, Snapshot, View as _};
use crate::mail::envelope::Charset;
use crate::mail::trace::{Client, Spoken, With};
use crate::mail::{BodyType, Domain, Envelope, ForwardPath, QueueId, Recipient, ReversePath};
use crate::protocol::smtp::Reply;
use crate::router::{self, Decision, Limits, Route};
use crate::spool::outgoing::Kind;
use crate::spool::{Failure, Outcomes, Results, Routed, Routing, Spool, Stored};
use crate::telemetry::Event;

/// A recipient of mail that is made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// Where it goes, and what is asked about its delivery.
    pub recipient: Recipient,
    /// A sender for it alone, in place of the message's.
    pub sender: Option<ReversePath>,
}

/// A message that is made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Why it is made.
    pub kind: Kind,
    /// Who sends it.
    pub sender: ReversePath,
    /// Whom it is for.
    pub recipients: Vec<Addressee>,
    /// The text, with LF line ends.
    pub text: Vec<u8>,
}

/// Why a recipient does not get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsent {
    /// Nothing takes mail there: what RCPT would say.
    Unroutable(Reply),
    /// It could not be stored.
    Unstored(Failure),
}

/// Where such mail is handed in.
pub struct Office {
    directory: Arc<Directory>,
    spool: Arc<Spool>,
    limits: ArcSwap<Limits>,
    srs: ArcSwap<Srs>,
    hostname: String,
}

impl Office {
    /// One for that server.
    pub fn new(directory: Arc<Directory>, spool: Arc<Spool>, limits: Limits, hostname: String) -> Self {
        Self { directory, spool, limits: ArcSwap::from_pointee(limits), srs: ArcSwap::from_pointee(Srs::new([])), hostname }
    }

    /// Routes by these limits from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// Rewrites senders with these secrets from now on. At first there are none, and senders stay what they are.
    pub fn set_srs(&self, srs: Srs) {
        self.srs.store(Arc::new(srs));
    }

    /// What rewrites senders.
    pub fn srs(&self) -> Arc<Srs> {
        self.srs.load_full()
    }

    /// Where a recipient ends that a stranger asks for: RCPT, and what shows what RCPT would do. One that is a sender which was rewritten
    /// here leads back to that sender.
    pub fn route(&self, snapshot: &Snapshot<'_>, recipient: &ForwardPath, limits: &Limits, now: Timestamp) -> Route {
        let returned = match recipient {
            ForwardPath::Mailbox(mailbox) if mailbox.domain().is_some_and(|domain| self.is_local(domain)) => {
                self.srs.load().reverse(mailbox, now).map(|found| (mailbox, found.map_err(|refusal| refusal.to_string())))
            }
            ForwardPath::Mailbox(_) | ForwardPath::Postmaster => None,
        };
        match returned {
            Some((mailbox, to)) => router::route_back(snapshot, mailbox, to, limits, now),
            None => router::route(snapshot, recipient, limits, now),
        }
    }

    /// The limits that hold.
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// The accounts and aliases that it routes by.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Whether a domain is ours. Where that cannot be told, it is not.
    pub fn is_local(&self, domain: &Domain) -> bool {
        self.directory.snapshot().domain(domain).is_ok_and(|found| found.is_some())
    }

    /// The name of this server.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The spool that it hands mail to.
    pub fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// Takes a letter to each of its recipients, as far as anything takes mail there; says so in the log where nothing does. One
    /// result for each recipient, in order: what is `Ok` is durable.
    pub async fn submit(&self, letter: Letter) -> Vec<Result<Stored, Unsent>> {
        let id = self.spool.next_id();
        let mut envelope = Envelope::from_sender(letter.sender.clone());
        envelope.charset = charset(&letter);
        envelope.body = if letter.text.is_ascii() { BodyType::SevenBit } else { BodyType::EightBitMime };
        let routed: Vec<Result<Routed, Reply>> = letter.recipients.into_iter().map(|addressee| self.routed(addressee)).collect();
        let (mut accepted, mut refusals) = (Vec::new(), Vec::new());
        for routed in routed {
            refusals.push(match routed {
                Ok(routed) => {
                    envelope.recipients.push(routed.recipient.clone());
                    accepted.push(routed);
                    None
                }
                Err(reply) => Some(reply),
            });
        }
        let with = With { spoken: Spoken::Here, encrypted: false, charset: envelope.charset };
        let client = Client { helo: self.hostname.clone(), name: None, address: None };
        let routing = Routing { id, envelope, recipients: accepted, client, with, kind: letter.kind };
        let mut results = self.store(routing, letter.text).await.into_iter();
        let missing = || Failure::Io("the spool gave no answer".into());
        let result = |refusal: Option<Reply>| match refusal {
            Some(reply) => Err(Unsent::Unroutable(reply)),
            None => results.next().unwrap_or_else(|| Err(missing())).map_err(Unsent::Unstored),
        };
        let results: Vec<_> = refusals.into_iter().map(result).collect();
        self.tell(id, &letter.sender, &results);
        results
    }

    fn routed(&self, addressee: Addressee) -> Result<Routed, Reply> {
        let Addressee { recipient, sender } = addressee;
        let (limits, snapshot) = (self.limits.load(), self.directory.snapshot());
        let route = match &recipient.path {
            ForwardPath::Mailbox(mailbox) => router::route_anywhere(&snapshot, mailbox, &limits, Timestamp::now()),
            path @ ForwardPath::Postmaster => router::route(&snapshot, path, &limits, Timestamp::now()),
        };
        match route.decision {
            Decision::Refuse(reply) => {
                Event::LetterUnroutable { recipient: &recipient.path, status: &reply.to_string() }.say();
                Err(reply)
            }
            Decision::Deliver { mailboxes, relays, lists } => {
                Ok(Routed { recipient, sender, destinations: mailboxes, relays, lists, reserved: Vec::new() })
            }
        }
    }

    async fn store(&self, routing: Routing, mut text: Vec<u8>) -> Results {
        let recipients = routing.recipients.len();
        if recipients == 0 {
            return Vec::new();
        }
        let failed = |cause: String| vec![Err(Failure::Io(cause)); recipients];
        let mut body = self.spool.body();
        let body = match task::spawn_blocking(move || body.take(&mut text).map(|()| body)).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => return vec![Err(error.into()); recipients],
            Err(error) => return failed(error.to_string()),
        };
        let (done, results) = oneshot::channel();
        self.spool.accept(routing, body, Outcomes::Each, move |results| drop(done.send(results)));
        results.await.unwrap_or_else(|_| failed("the spool's threads have gone".into()))
    }

    fn tell(&self, id: QueueId, sender: &ReversePath, results: &[Result<Stored, Unsent>]) {
        let taken = results.iter().filter(|result| result.is_ok()).count();
        Event::LetterSubmitted { id, sender, recipients: results.len(), taken }.say();
    }
}

/// Only what cannot be said otherwise needs hosts that take UTF-8.
fn charset(letter: &Letter) -> Charset {
    let paths = letter.recipients.iter().map(|addressee| &addressee.recipient.path);
    let recipients = paths.filter_map(|path| if let ForwardPath::Mailbox(mailbox) = path { Some(mailbox) } else { None });
    let senders = letter.recipients.iter().filter_map(|addressee| addressee.sender.as_ref()).chain([&letter.sender]);
    let addresses = recipients.chain(senders.filter_map(ReversePath::mailbox)).all(|mailbox| mailbox.is_ascii());
    let head = crate::mail::trace::header_end(&letter.text).and_then(|end| letter.text.get(..end)).unwrap_or(&letter.text);
    if addresses && head.is_ascii() { Charset::Ascii } else { Charset::Utf8 }
}
