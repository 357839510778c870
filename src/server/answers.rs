//! From a session's question to the world's answer. No socket in here.
//!
//! Acceptance is four values passed on: the session's `Envelope`, the `Routing` made of it and of what RCPT found, the
//! `Stored` that only the spool can make, and the `Reply`. A `250` after data comes out of [`queued`] alone, and that takes a
//! `Stored`.
//!
//! Routing runs on the async threads: it is some point lookups in memory-mapped or cached tables, cheaper than a change
//! of threads (the design's bound is 50 µs). What may read a mailbox or sync a disk goes to the blocking threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task;

use super::Service;
use super::transaction::{Accepted, Failed, Transaction, say_memory_full, storage_reply};
use crate::directory::AliasKey;
use crate::mail::limits::HEADER_OCTETS;
use crate::mail::trace::{Client, Spoken, With};
use crate::mail::{Envelope, ForwardPath, Name, QueueId, Recipient};
use crate::maildir::{NoRoom, Over, Reservation};
use crate::protocol::smtp::{Answer, Class, Question, Reply, Session};
use crate::router::{self, Decision, Destination, Route};
use crate::spool::{Failure, Outcomes, Routed, Routing, Stored};
use crate::telemetry::{Delivery, Event, Fate, Landing, Outcome, Refusal, event};

/// Finds the answer and gives it to the session.
pub async fn answer(
    service: &Arc<Service>,
    session: &mut Session,
    transaction: &mut Transaction,
    question: Question,
    output: &mut Vec<u8>,
) {
    let message = Message::of(session);
    let answer = match question {
        Question::Recipient(recipient) => Answer::Recipient(admit(service, transaction, &message, recipient).await),
        Question::Begin => Answer::Begin(begin(transaction, &message)),
        Question::Commit => Answer::Committed(commit(service, transaction, message).await),
    };
    session.answer(answer, output, Instant::now());
}

/// What the session knows of the transaction under way.
struct Message {
    envelope: Option<Envelope>,
    client: Client,
    with: With,
}

impl Message {
    fn of(session: &Session) -> Self {
        Self { envelope: session.envelope().cloned(), client: session.client(), with: session.with() }
    }
}

/// May this recipient join the envelope? The decision is `router::route`'s, the same that `restante trace` shows.
async fn admit(service: &Arc<Service>, transaction: &mut Transaction, message: &Message, recipient: Recipient) -> Result<(), Reply> {
    let now = Timestamp::now();
    if transaction.accepted.is_empty() {
        transaction.begun = now;
    }
    let route = router::route(&service.directory.snapshot(), &recipient.path, &service.rules.load().routing, now);
    let octets = message.envelope.as_ref().and_then(|envelope| envelope.size).unwrap_or_default();
    let (route, reserved) = reserve(service, transaction, route, octets).await;
    transaction.routed = Timestamp::now();
    match route.decision {
        Decision::Deliver { mailboxes, relays } if relays.is_empty() => {
            if !transaction.fits(mailboxes.len()) {
                let reply = Reply::TooManyRecipients { limit: transaction.accepted.len() };
                return Err(refused(transaction, message, &recipient.path, reply));
            }
            let routed = Routed { recipient, destinations: mailboxes, reserved };
            transaction.accept(Accepted { routed, followed: route.followed });
            Ok(())
        }
        Decision::Deliver { .. } => Err(refused(transaction, message, &recipient.path, Reply::RelayOff)),
        Decision::Refuse(reply) => {
            if is_operators_fault(&reply) {
                let (status, trail) = (reply.to_string(), route.trail.to_string());
                Event::RoutingFailed { recipient: &recipient.path, status: &status, trail: &trail }.say();
            }
            Err(refused(transaction, message, &recipient.path, reply))
        }
    }
}

/// A recipient that waits for the operator: everything that is refused for now but a full mailbox.
fn is_operators_fault(reply: &Reply) -> bool {
    reply.class() == Class::Transient && !matches!(reply, Reply::MailboxFull | Reply::StorageFailed)
}

fn refused(transaction: &mut Transaction, message: &Message, recipient: &ForwardPath, reply: Reply) -> Reply {
    if let (true, Some(envelope)) = (transaction.refuse(), &message.envelope) {
        let (client, with, status) = (&message.client, message.with, reply.to_string());
        Event::RecipientRefused(Refusal { client, with, sender: &envelope.sender, recipient, status: &status }).say();
    }
    reply
}

/// Asks each mailbox for room, unless it has promised it in this transaction already.
async fn reserve(service: &Arc<Service>, transaction: &mut Transaction, route: Route, octets: u64) -> (Route, Vec<Option<Reservation>>) {
    let default_quota = service.rules.load().mailboxes.default_quota;
    let limited = |mailbox: &Destination| mailbox.quota.or(default_quota).is_some();
    let may_read_disk = matches!(&route.decision, Decision::Deliver { mailboxes, .. } if mailboxes.iter().any(limited));
    let promised = std::mem::take(&mut transaction.promised);
    let work = {
        let service = Arc::clone(service);
        move || {
            let mut reserved = Vec::new();
            let admitted = router::admit(route, |mailbox| {
                reserved.push(if promised.contains(&mailbox.id) { None } else { room(&service, mailbox, octets)? });
                Ok(())
            });
            (admitted, reserved, promised)
        }
    };
    let (route, reserved, promised) = if may_read_disk { off_thread(work).await } else { work() };
    transaction.promised = promised;
    (route, reserved)
}

/// A panic of the work is the caller's too: the session ends, and nothing of it is accepted.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being torn down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

fn room(service: &Service, mailbox: &Destination, octets: u64) -> Result<Option<Reservation>, Reply> {
    service.maildirs.reserve(mailbox, octets).map_err(|no_room| match no_room {
        NoRoom::Full => full(service),
        NoRoom::Unreadable(error) => {
            Event::MailboxUnreadable { mailbox: mailbox.name.as_str(), cause: &error.to_string() }.say();
            storage_reply(&error)
        }
    })
}

fn full(service: &Service) -> Reply {
    match service.rules.load().mailboxes.over {
        Over::Defer => Reply::MailboxFull,
        Over::Reject => Reply::MailboxFullForGood,
    }
}

fn begin(transaction: &mut Transaction, message: &Message) -> Result<(), Reply> {
    let declared = message.envelope.as_ref().and_then(|envelope| envelope.size);
    transaction.begin(declared).map_err(|_exhausted| {
        say_memory_full(&event::name_of(&message.client));
        Reply::DiskFull
    })
}

/// `Envelope` → `Routing` → `Stored` → `Reply`, one for each recipient.
async fn commit(service: &Arc<Service>, transaction: &mut Transaction, message: Message) -> Vec<Reply> {
    let received = Timestamp::now();
    let id = service.spool.next_id();
    let accepted = std::mem::take(&mut transaction.accepted);
    let body = transaction.finish(service);
    let size = body.as_ref().map_or(0, crate::spool::Body::len);
    let envelope = message.envelope.unwrap_or_else(|| Envelope::from_sender(crate::mail::ReversePath::Null));
    let slips: Vec<Slip> = accepted.iter().map(Slip::of).collect();
    let results = match body {
        Err(failed) => vec![Err(failed); slips.len()],
        Ok(_) if accepted.len() != envelope.recipients.len() => vec![Err(disagreement()); slips.len()],
        Ok(body) => {
            let outcomes = if message.with.spoken == Spoken::Lmtp { Outcomes::Each } else { Outcomes::Together };
            let recipients = accepted.into_iter().map(|accepted| accepted.routed).collect();
            let routing = Routing { id, envelope: envelope.clone(), recipients, client: message.client.clone(), with: message.with };
            let service = Arc::clone(service);
            let stored = off_thread(move || {
                let stored = service.spool.accept(routing, body, outcomes);
                stored.into_iter().map(|result| result.map_err(|failure| refusal(&service, failure))).collect::<Vec<_>>()
            });
            stored.await
        }
    };
    let (begun, routed) = (transaction.begun, transaction.routed);
    transaction.clear();
    let report =
        Report { id, envelope, client: message.client, with: message.with, size, begun, routed, received, stored: Timestamp::now() };
    report.conclude(service, slips, results)
}

/// Session and world count recipients differently: nothing may be acknowledged.
fn disagreement() -> Failed {
    Failed { reply: Reply::StorageFailed, cause: "the session's recipients are not those that were routed".to_owned() }
}

/// The one way to a `250` after data: the disk has it.
fn queued(stored: &Stored) -> Reply {
    Reply::Queued { id: stored.id() }
}

fn refusal(service: &Service, failure: Failure) -> Failed {
    let (reply, cause) = match failure {
        Failure::Loop => (Reply::Loop, String::new()),
        Failure::HeaderTooBig => (Reply::HeaderTooBig { limit: HEADER_OCTETS }, String::new()),
        Failure::MailboxFull => (full(service), String::new()),
        Failure::DiskFull => (Reply::DiskFull, "the disk is full".to_owned()),
        Failure::Io(cause) => (Reply::StorageFailed, cause),
    };
    Failed { reply, cause }
}

/// What is told of a recipient once its routing has gone to the spool.
struct Slip {
    recipient: ForwardPath,
    mailboxes: Vec<Name>,
    followed: Vec<AliasKey>,
}

impl Slip {
    fn of(accepted: &Accepted) -> Self {
        let mailboxes = accepted.routed.destinations.iter().map(|destination| destination.name.clone()).collect();
        Self { recipient: accepted.routed.recipient.path.clone(), mailboxes, followed: accepted.followed.clone() }
    }
}

/// A message whose fate is known.
struct Report {
    id: QueueId,
    envelope: Envelope,
    client: Client,
    with: With,
    size: u64,
    begun: Timestamp,
    routed: Timestamp,
    received: Timestamp,
    stored: Timestamp,
}

impl Report {
    /// Tells everybody: the log, the memory of recent deliveries, the aliases' use counts, and the client.
    fn conclude(self, service: &Service, slips: Vec<Slip>, mut results: Vec<Result<Stored, Failed>>) -> Vec<Reply> {
        results.resize_with(slips.len(), || Err(disagreement()));
        let mut replies = Vec::with_capacity(slips.len());
        let mut landings = Vec::with_capacity(slips.len());
        for (slip, result) in slips.into_iter().zip(results) {
            let reply = result.as_ref().map_or_else(|failed| failed.reply.clone(), queued);
            if result.is_ok() {
                slip.followed.iter().for_each(|alias| service.directory.used(alias, self.stored));
            }
            landings.push(self.tell(service, slip, result, &reply));
            replies.push(reply);
        }
        service.recent.note(self.remembered(landings));
        replies
    }

    fn tell(&self, service: &Service, slip: Slip, result: Result<Stored, Failed>, reply: &Reply) -> Landing {
        let status = reply.to_string();
        let mailboxes = slip.mailboxes.iter().map(Name::as_str).collect::<Vec<_>>().join(",");
        let delivered = |file: &PathBuf| file.starts_with(&service.maildirs.settings().root);
        let (fate, files, cause) = match &result {
            Ok(_) if slip.mailboxes.is_empty() => (Fate::Discarded, Vec::new(), ""),
            Ok(stored) if stored.files().iter().all(delivered) => (Fate::Delivered, stored.files().to_vec(), ""),
            Ok(stored) => (Fate::Waiting, stored.files().iter().filter(|file| delivered(file)).cloned().collect(), ""),
            Err(failed) => (Fate::Refused, Vec::new(), failed.cause.as_str()),
        };
        Event::Message(Outcome {
            id: self.id,
            client: &self.client,
            with: self.with,
            sender: &self.envelope.sender,
            recipient: &slip.recipient,
            mailboxes: &mailboxes,
            size: self.size,
            delay: Duration::try_from(self.stored.duration_since(self.begun)).unwrap_or_default(),
            fate,
            status: &status,
            cause,
        })
        .say();
        let accepted = fate != Fate::Refused;
        Landing { recipient: slip.recipient.to_string(), mailboxes: slip.mailboxes, files, reply: status, accepted }
    }

    fn remembered(self, landings: Vec<Landing>) -> Delivery {
        Delivery {
            id: self.id,
            sender: self.envelope.sender.to_string(),
            client: event::name_of(&self.client),
            tls: self.with.encrypted,
            size: self.size,
            begun: self.begun,
            routed: self.routed,
            received: self.received,
            stored: self.stored,
            landings,
        }
    }
}
