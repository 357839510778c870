//! From a session's question to the world's answer. No socket in here.
//!
//! Acceptance is four values passed on: the session's `Envelope`, the `Routing` made of it and of what RCPT found, the
//! `Stored` that only the spool can make, and the `Reply` that [`super::report`] makes of that.
//!
//! Routing runs on the async threads: it is some point lookups in memory-mapped or cached tables, cheaper than a change
//! of threads (the design's bound is 50 µs). What may read a mailbox or sync a disk goes to the blocking threads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::{task, time};

use super::report::{Report, Slip};
use super::transaction::{Accepted, Failed, Transaction, say_memory_full};
use super::{Service, room};
use crate::ledger::{Provenance, Row};
use crate::mail::limits::HEADER_OCTETS;
use crate::mail::trace::{Client, Spoken, With};
use crate::mail::{Envelope, ForwardPath, Recipient, ReversePath};
use crate::maildir::Reservation;
use crate::protocol::smtp::{Answer, Class, Question, Reply, Session};
use crate::relay::success::Success;
use crate::relay::vacation::Vacations;
use crate::router::{self, Decision, Destination, Route, Trail};
use crate::spool::outgoing::Kind;
use crate::spool::{Body, Failure, Outcomes, Results, Routed, Routing};
use crate::telemetry::{Event, Refusal, event, meter};

/// Finds the answer and gives it to the session.
pub async fn answer(
    service: &Arc<Service>,
    session: &mut Session,
    transaction: &mut Transaction,
    question: Question,
    output: &mut Vec<u8>,
) {
    let origin = Origin::of(session);
    let answer = match question {
        Question::Recipient(recipient) => Answer::Recipient(admit(service, transaction, &origin, recipient).await),
        Question::Begin => Answer::Begin(begin(transaction, &origin)),
        Question::Commit => {
            let envelope = session.envelope().cloned().unwrap_or_else(|| Envelope::from_sender(ReversePath::Null));
            Answer::Committed(commit(service, transaction, origin, envelope).await)
        }
    };
    session.answer(answer, output, Instant::now());
}

/// Where a message comes from. The envelope itself is copied once a message, not once a recipient.
struct Origin {
    sender: ReversePath,
    size: Option<u64>,
    client: Client,
    with: With,
}

impl Origin {
    fn of(session: &Session) -> Self {
        let (sender, size) = session.envelope().map_or((ReversePath::Null, None), |envelope| (envelope.sender.clone(), envelope.size));
        Self { sender, size, client: session.client(), with: session.with() }
    }
}

/// May this recipient join the envelope? The decision is `router::route`'s, the same that `restante trace` shows.
async fn admit(service: &Arc<Service>, transaction: &mut Transaction, origin: &Origin, recipient: Recipient) -> Result<(), Reply> {
    let now = Timestamp::now();
    if transaction.accepted.is_empty() {
        transaction.begun = now;
    }
    let asked = Instant::now();
    let route = service.office.route(&service.directory.snapshot(), &recipient.path, &service.rules.load().routing, now);
    meter().routed(asked.elapsed());
    let route = {
        let (snapshot, signer) = (service.directory.snapshot(), service.lists.signer());
        router::permit(route, &snapshot, &origin.sender, |list| signer.is_bounce(list))
    };
    let (route, reserved) = reserve(service, transaction, route, origin.size.unwrap_or_default()).await;
    transaction.routed = Timestamp::now();
    let reply = match route.decision {
        Decision::Deliver { mailboxes, relays, lists } if transaction.fits(mailboxes.len() + relays.len() + lists.len()) => {
            if !(relays.is_empty() && lists.is_empty()) {
                get_queue_ready(service);
            }
            let routed = Routed { recipient, sender: None, destinations: mailboxes, relays, lists, reserved };
            transaction.accept(Accepted { routed, followed: route.followed });
            return Ok(());
        }
        Decision::Deliver { .. } => Reply::TooManyRecipients { limit: transaction.accepted.len() },
        Decision::Refuse(reply) => reply,
    };
    if transaction.refuse() {
        say_refused(service, origin, &recipient.path, &reply, &route.trail);
    } else {
        meter().refused_unsaid(&reply.to_string());
    }
    Err(reply)
}

/// The first message of a spool's life that leaves makes the queue's database, which takes as long as many messages: that is begun while
/// its client still talks.
fn get_queue_ready(service: &Service) {
    let queue = service.spool.outgoing();
    if !queue.is_made() {
        let queue = Arc::clone(queue);
        // What goes wrong is found again when the message comes, and told then.
        task::spawn_blocking(move || drop(queue.make()));
    }
}

fn say_refused(service: &Service, origin: &Origin, recipient: &ForwardPath, reply: &Reply, trail: &Trail) {
    let Origin { sender, client, with, .. } = origin;
    let status = reply.to_string();
    if is_operators_fault(reply) {
        Event::RoutingFailed { recipient, status: &status, trail: &trail.to_string() }.say();
    }
    let refusal = Refusal { client, with: *with, sender, recipient, status: &status };
    Event::RecipientRefused(refusal).say();
    let why = || trail.steps().last().map(|step| format!("{} {}", step.question(), step.answer())).unwrap_or_default();
    service.ledger.note_refused(|| Row::of_refusal(&refusal, Timestamp::now(), why()));
}

/// A recipient that waits for the operator: everything that is refused for now, except what has an event of its own, or
/// is no fault.
fn is_operators_fault(reply: &Reply) -> bool {
    let known = matches!(reply, Reply::MailboxFull | Reply::StorageFailed | Reply::DiskFull | Reply::TooManyRecipients { .. });
    reply.class() == Class::Transient && !known
}

/// Asks each mailbox for room, unless it has promised it in this transaction already.
async fn reserve(service: &Arc<Service>, transaction: &mut Transaction, route: Route, octets: u64) -> (Route, Vec<Option<Reservation>>) {
    let (default_quota, over) = {
        let rules = service.rules.load();
        (rules.mailboxes.default_quota, rules.mailboxes.over)
    };
    let limited = |mailbox: &Destination| mailbox.quota.or(default_quota).is_some();
    let may_read_disk = matches!(&route.decision, Decision::Deliver { mailboxes, .. } if mailboxes.iter().any(limited));
    let promised = std::mem::take(&mut transaction.promised);
    let work = {
        let service = Arc::clone(service);
        move || {
            let mut reserved = Vec::new();
            let admitted = router::admit(route, |mailbox| {
                reserved.push(if promised.contains(&mailbox.id) { None } else { room::promise(&service.maildirs, over, mailbox, octets)? });
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
pub(super) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being torn down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

fn begin(transaction: &mut Transaction, origin: &Origin) -> Result<(), Reply> {
    transaction.begin(origin.size).map_err(|_exhausted| {
        say_memory_full(&event::name_of(&origin.client));
        Reply::DiskFull
    })
}

/// `Envelope` → `Routing` → `Stored` → `Reply`, one for each recipient.
async fn commit(service: &Arc<Service>, transaction: &mut Transaction, origin: Origin, envelope: Envelope) -> Vec<Reply> {
    let Origin { client, with, .. } = origin;
    let received = Timestamp::now();
    let id = service.spool.next_id();
    let accepted = std::mem::take(&mut transaction.accepted);
    let mut body = transaction.finish(service);
    let size = body.as_ref().map_or(0, Body::len);
    let provenance = body.as_mut().map_or_else(|_| Provenance::default(), |body| Provenance::of(body.journey()));
    let slips: Vec<Slip> = accepted.iter().map(Slip::of).collect();
    let results = match body {
        Err(failed) => vec![Err(failed); slips.len()],
        Ok(_) if accepted.len() != envelope.recipients.len() => Vec::new(),
        Ok(body) => {
            let away = away(service, &accepted, &envelope, &body);
            let routed: Vec<&Routed> = accepted.iter().map(|accepted| &accepted.routed).collect();
            let success = Success::awaited(&envelope, &routed, body.head(), received);
            let outcomes = if with.spoken == Spoken::Lmtp { Outcomes::Each } else { Outcomes::Together };
            let recipients = accepted.into_iter().map(|accepted| accepted.routed).collect();
            let routing = Routing { id, envelope: envelope.clone(), recipients, client: client.clone(), with, kind: Kind::Forwarded };
            let stored = store(service, routing, body, outcomes).await;
            reply_for(service, away, &envelope.sender, &stored);
            if let Some(success) = success {
                let (office, stored) = (Arc::clone(&service.office), stored.clone());
                task::spawn(async move { success.tell(&office, &stored).await });
            }
            stored.into_iter().map(|result| result.map_err(|failure| refusal(service, failure))).collect()
        }
    };
    let (begun, routed) = (transaction.begun, transaction.routed);
    transaction.clear();
    let report = Report { id, envelope, client, with, size, begun, routed, received, stored: Timestamp::now(), provenance };
    let (replies, rows) = report.conclude(service, slips, results);
    service.ledger.note(rows).await;
    replies
}

/// A message to owners that are away: its header section, and the recipients whose mailboxes these are.
struct Away {
    header: Vec<u8>,
    mailboxes: Vec<(usize, Destination)>,
}

/// Who of the recipients is away. A directory that cannot be read has nobody away: the mail itself is what matters.
fn away(service: &Service, accepted: &[Accepted], envelope: &Envelope, body: &Body) -> Option<Away> {
    envelope.sender.mailbox()?;
    let (snapshot, now) = (service.directory.snapshot(), Timestamp::now());
    let is_away = |to: &Destination| matches!(Vacations::of(&snapshot, to.id, now), Ok(Some(_)));
    let each = accepted.iter().enumerate().flat_map(|(at, accepted)| accepted.routed.destinations.iter().map(move |to| (at, to)));
    let mailboxes: Vec<_> = each.filter(|(_, to)| is_away(to)).map(|(at, to)| (at, to.clone())).collect();
    (!mailboxes.is_empty()).then(|| Away { header: body.head().to_vec(), mailboxes })
}

/// Replies for those whose copy is safe, once the client has its own reply.
fn reply_for(service: &Arc<Service>, away: Option<Away>, sender: &ReversePath, stored: &Results) {
    let Some(Away { header, mut mailboxes }) = away else { return };
    mailboxes.retain(|(at, _)| stored.get(*at).is_some_and(Result::is_ok));
    let (service, sender) = (Arc::clone(service), sender.clone());
    let mut to: Vec<Destination> = mailboxes.into_iter().map(|(_, to)| to).collect();
    to.sort_by_key(|to| to.id);
    to.dedup_by_key(|to| to.id);
    task::spawn(async move { service.vacations.answer(&header, &sender, &to, Timestamp::now()).await });
}

/// How long a client waits for the disk: half of the time that RFC 5321 §4.5.3.2.6 gives it.
const STORING: Duration = Duration::from_secs(300);

/// How long it waits for mailboxes once the disk has its message: one that hangs has its copy later.
const MAILBOXES: Duration = Duration::from_secs(2);

async fn store(service: &Service, routing: Routing, body: Body, outcomes: Outcomes) -> Results {
    let recipients = routing.recipients.len();
    let (done, mut results) = oneshot::channel();
    // A session that has ended hears nothing; its message is where it is.
    let pending = service.spool.accept(routing, body, outcomes, move |results| drop(done.send(results)));
    let failed = |cause: &str| vec![Err(Failure::Io(cause.to_owned())); recipients];
    let end = time::Instant::now() + STORING;
    loop {
        if let Ok(heard) = time::timeout(MAILBOXES, &mut results).await {
            return heard.unwrap_or_else(|_| failed("the spool's threads have gone"));
        }
        let too_late = time::Instant::now() >= end;
        if too_late {
            pending.give_up();
        }
        match pending.by_now() {
            Some(safe) => return safe,
            None if too_late => return failed("the disk does not answer"),
            None => {}
        }
    }
}

fn refusal(service: &Service, failure: Failure) -> Failed {
    let (reply, cause) = match failure {
        Failure::Loop => (Reply::Loop, String::new()),
        Failure::HeaderTooBig => (Reply::HeaderTooBig { limit: HEADER_OCTETS }, String::new()),
        Failure::MailboxFull => (room::full(service.rules.load().mailboxes.over), String::new()),
        Failure::DiskFull => (Reply::DiskFull, "the disk is full".to_owned()),
        Failure::Io(cause) => (Reply::StorageFailed, cause),
    };
    Failed { reply, cause }
}
