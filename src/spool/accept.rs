//! Acceptance: `Envelope` → `Routing` → `Stored` → reply.
//!
//! Every copy is staged before anything is promised, so what can fail fails while nothing is visible yet. Then the message
//! goes to the log with others, one sync for all of them; it is accepted when that returns, and only then made visible. A
//! mailbox that fails at that last step gets its copy from the queue.
//!
//! What leaves, for addresses elsewhere and for lists, enters the queue ([`super::enter`]) between these two steps: after all that is
//! likely to fail, and before anything is visible. If the log fails after that, it is taken back from the queue before anybody looks
//! at it there; after a crash in between it is sent, although nobody was told that it would be.
//!
//! A large message is made safe mailbox by mailbox instead: [`super::large`].

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::body::{Body, Complete};
use super::enter::{self, Left};
use super::group::{Copies, Ready};
use super::log::record::{self, Accepted, CopyNote, Note};
use super::outgoing::Kind;
use super::pending::Pending;
use super::{Core, Spool, large};
use crate::directory::AccountId;
use crate::mail::trace::{Client, Delivery, Journey, Received, With};
use crate::mail::{Address, Envelope, ForwardPath, Mailbox, QueueId, Recipient, ReversePath};
use crate::maildir::{Copy, NoRoom, Reservation, Safety, Staged, Text as _};
use crate::router::{Destination, ListDestination};
use crate::telemetry::Event;

/// One accepted recipient and where it leads (nowhere: discarded).
pub struct Routed {
    /// As the client gave it.
    pub recipient: Recipient,
    /// A sender for it alone, in place of the envelope's.
    pub sender: Option<ReversePath>,
    /// Its mailboxes, each once.
    pub destinations: Vec<Destination>,
    /// Its addresses elsewhere.
    pub relays: Vec<Mailbox>,
    /// Its lists.
    pub lists: Vec<ListDestination>,
    /// The room promised at RCPT: for each destination, where it has a quota.
    pub reserved: Vec<Option<Reservation>>,
}

/// A message that is to be made safe.
pub struct Routing {
    /// Its name from here on.
    pub id: QueueId,
    /// The envelope.
    pub envelope: Envelope,
    /// Its recipients, in the envelope's order.
    pub recipients: Vec<Routed>,
    /// Who handed it over.
    pub client: Client,
    /// Over which protocol.
    pub with: With,
    /// Why it is in the queue, if it gets there.
    pub kind: Kind,
}

impl Routing {
    /// Copies for mailboxes, at most.
    fn copies(&self) -> usize {
        self.recipients.iter().map(|routed| routed.destinations.len()).sum()
    }
}

/// Whether recipients stand or fall together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcomes {
    /// One outcome for the message (SMTP).
    Together,
    /// One for each recipient (LMTP).
    Each,
}

/// Proof that the disk has every copy for one recipient. Only the spool can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    id: QueueId,
    files: Vec<PathBuf>,
    waiting: usize,
    queued: usize,
}

impl Stored {
    /// The id that the reply carries.
    pub fn id(&self) -> QueueId {
        self.id
    }

    /// The files in `new` of its mailboxes.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Copies that are safe in the spool while their mailbox cannot be reached.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Addresses elsewhere, and lists, that its copies are in the queue for.
    pub fn queued(&self) -> usize {
        self.queued
    }
}

/// Why a recipient's copy was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It has been here before.
    Loop,
    /// Its header section is over the limit.
    HeaderTooBig,
    /// A mailbox is full after all.
    MailboxFull,
    /// The disk is full, or the spool has met its bound.
    DiskFull,
    /// Anything else, with the cause for the log.
    Io(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<NoRoom> for Failure {
    fn from(no_room: NoRoom) -> Self {
        match no_room {
            NoRoom::Full => Self::MailboxFull,
            NoRoom::Unreadable(error) => error.into(),
        }
    }
}

/// One result for each recipient, in order.
pub type Results = Vec<Result<Stored, Failure>>;

/// Hears the results.
pub(super) type Done = Box<dyn FnOnce(Results) + Send>;

/// Octets that stay free on the disk: what the directory and the rest of the system need to go on working.
const KEPT_FREE: u64 = 16 << 20;

/// A recipient, and where it wants copies.
pub(super) struct Wish {
    pub(super) recipient: Recipient,
    pub(super) sender: Option<ReversePath>,
    pub(super) mailboxes: Vec<Destination>,
    pub(super) relays: Vec<Mailbox>,
    pub(super) lists: Vec<ListDestination>,
}

impl Wish {
    /// Whether it wants anything that goes by way of the queue.
    pub(super) fn leaves(&self) -> bool {
        !(self.relays.is_empty() && self.lists.is_empty())
    }

    /// The address here that sends it on: the recipient's, folded. None where the recipient itself is elsewhere.
    pub(super) fn via(&self) -> Option<Address> {
        match &self.recipient.path {
            ForwardPath::Mailbox(mailbox) if !self.relays.contains(mailbox) => mailbox.address(),
            ForwardPath::Mailbox(_) | ForwardPath::Postmaster => None,
        }
    }

    /// Whether a message that has come this way has been sent on from here before.
    fn circles(&self, journey: &Journey) -> bool {
        self.via().map_or_else(|| journey.is_endless(), |via| journey.loops_at(&via))
    }

    /// The first failure among its mailboxes.
    pub(super) fn first<'a>(&self, failure: impl Fn(AccountId) -> Option<&'a Failure>) -> Option<Failure> {
        self.mailboxes.iter().find_map(|to| failure(to.id)).cloned()
    }
}

/// What each mailbox's copy begins with.
type Fields = HashMap<AccountId, String>;

/// The copies that could be staged, and why the others could not.
pub(super) type Attempts = HashMap<AccountId, Result<Staged, Failure>>;

impl Spool {
    /// Makes a message safe and brings it to its mailboxes, on threads of the spool. `done` hears one result for each
    /// recipient, on one of them; it is dropped unheard if the process has no threads.
    pub fn accept(&self, routing: Routing, body: Body, outcomes: Outcomes, done: impl FnOnce(Results) + Send + 'static) -> Pending {
        let pending = Pending::default();
        let (core, waiting) = (Arc::clone(&self.core), pending.clone());
        let is_large = large::is_large(body.len(), routing.copies());
        let hands = if is_large { &self.core.large } else { &self.core.hands };
        let added = hands.add(Box::new(move || {
            core.prepare(routing, body, is_large, outcomes, Box::new(done), waiting);
            core.lead_when_due();
        }));
        if let Err(error) = added {
            Event::TaskFailed { task: "delivering mail", cause: &error.to_string() }.say();
        }
        pending
    }
}

/// A message whose copies have been staged: what the next step needs of it.
pub(super) struct Staging {
    pub(super) id: QueueId,
    pub(super) wishes: Vec<Wish>,
    pub(super) verdicts: Vec<Result<(), Failure>>,
    pub(super) outcomes: Outcomes,
    pub(super) done: Done,
    pub(super) pending: Pending,
    staged: Attempts,
    fields: Fields,
    text: Complete,
    promised: HashMap<AccountId, Reservation>,
    safety: Safety,
}

impl Staging {
    /// Ends with this failure for all recipients. The staged copies go before anybody hears of it.
    pub(super) fn fail(self, failure: &Failure) {
        drop(self.staged);
        (self.done)(vec![Err(failure.clone()); self.wishes.len()]);
    }
}

impl Core {
    fn prepare(self: &Arc<Self>, routing: Routing, body: Body, is_large: bool, outcomes: Outcomes, done: Done, pending: Pending) {
        let recipients = routing.recipients.len();
        let Ok(text) = body.finish() else { return done(vec![Err(Failure::HeaderTooBig); recipients]) };
        let Routing { id, envelope, recipients, client, with, kind } = routing;
        let only = match recipients.as_slice() {
            [one] => Some(one.recipient.path.clone()),
            _ => None,
        };
        let received = Received { client, by: self.hostname.clone(), with, id, only, at: Timestamp::now() };
        let (wishes, mut promised) = divided(recipients);
        if !self.has_room(&text, &wishes) {
            return done(vec![Err(Failure::DiskFull); wishes.len()]);
        }
        let fields = fields(&envelope, &wishes, &received);
        let safety = if !is_large && self.log_takes(&text, &fields) { Safety::Logged } else { Safety::Synced };
        let mut staged = Attempts::new();
        for to in wishes.iter().flat_map(|wish| &wish.mailboxes) {
            staged.entry(to.id).or_insert_with(|| {
                let fields = fields.get(&to.id).map_or("", String::as_str);
                self.stage(to, Copy { fields, text: &text }, &text, &mut promised, received.at, safety)
            });
        }
        let circles = |wish: &Wish| (wish.leaves() && wish.circles(&text.journey)).then_some(Failure::Loop);
        let failure = |wish: &Wish| wish.first(|to| staged.get(&to)?.as_ref().err()).or_else(|| circles(wish));
        let verdicts = verdicts(&wishes, outcomes, failure);
        let leaving = enter::leaving(&self.outgoing, kind, &envelope, &wishes, &verdicts, received.at);
        let entry = leaving.map(|leaving| leaving.prepare(&self.outgoing, id, &received.to_string(), &text));
        let staging = Staging { id, wishes, verdicts, outcomes, done, pending, staged, fields, text, promised, safety };
        match entry {
            None => self.proceed(staging, None),
            Some(Err(error)) => self.proceed(staging.without_leaving(&error.into()), None),
            Some(Ok(entry)) => self.enter(entry, staging),
        }
    }

    /// Brings the copies to their mailboxes, once what leaves is in the queue.
    pub(super) fn proceed(self: &Arc<Self>, staging: Staging, left: Option<Left>) {
        let Staging { id, wishes, verdicts, outcomes, done, pending, staged, fields, text, promised, safety } = staging;
        let copies = wanted(&wishes, &verdicts).next().is_some();
        let results = match safety {
            Safety::Logged if copies => match noted(id, wanted(&wishes, &verdicts).cloned(), staged, fields) {
                Ok((copies, said)) => {
                    return self.join(Ready { id, wishes, verdicts, copies, said, text, done, pending, promised, left });
                }
                Err(error) => vec![Err(Failure::Io(error.to_string())); wishes.len()],
            },
            Safety::Synced if copies => self.publish_synced(id, &wishes, verdicts, staged, outcomes),
            _ => {
                // The staged copies go before anybody hears of it.
                drop(staged);
                results(id, &wishes, verdicts, &Places::new())
            }
        };
        if let Some(left) = left {
            left.confirm(&results);
        }
        done(results);
    }

    /// Whether the disk has room for so many copies, as far as it can tell beforehand.
    fn has_room(&self, text: &Complete, wishes: &[Wish]) -> bool {
        let room = |folder: &Path, copies: u64| {
            let wanted = text.len().saturating_mul(copies).saturating_add(KEPT_FREE);
            self.disk.free(folder).is_ok_and(|free| free >= wanted)
        };
        let copies = wishes.iter().map(|wish| wish.mailboxes.len() as u64).sum();
        // The queue has it in its log for a while, and then in its place.
        room(&self.maildirs.settings().root, copies) && (!wishes.iter().any(Wish::leaves) || room(&self.queue, 2))
    }

    fn log_takes(&self, text: &Complete, fields: &Fields) -> bool {
        let notes: usize = fields.values().map(|fields| fields.len() + NOTE).sum();
        text.parts().is_some_and(|parts| self.log.takes(parts.iter().map(|part| part.len()).sum::<usize>() + notes))
    }

    fn stage(
        &self,
        to: &Destination,
        copy: Copy<'_>,
        text: &Complete,
        promised: &mut HashMap<AccountId, Reservation>,
        at: Timestamp,
        safety: Safety,
    ) -> Result<Staged, Failure> {
        if text.journey.loops_at(&to.address) {
            return Err(Failure::Loop);
        }
        let _visit = self.maildirs.visit(to.id)?;
        let reservation = match promised.remove(&to.id) {
            Some(reservation) => Some(reservation),
            None => self.maildirs.reserve(to, copy.size())?,
        };
        if let Some(mut reservation) = reservation {
            reservation.resize(copy.size())?;
            // Kept until the message is counted in the mailbox.
            promised.insert(to.id, reservation);
        }
        Ok(self.maildirs.stage(to, copy, self.maildirs.stamp(at), safety)?)
    }
}

/// Octets of a copy in the log beyond its fields: an account's name, a file's name, numbers.
const NOTE: usize = 512;

fn fields(envelope: &Envelope, wishes: &[Wish], received: &Received) -> Fields {
    let mut fields = Fields::new();
    for wish in wishes {
        let sender = wish.sender.as_ref().unwrap_or(&envelope.sender);
        for to in &wish.mailboxes {
            fields.entry(to.id).or_insert_with(|| {
                let original: &ForwardPath = &wish.recipient.path;
                let delivery = Delivery { sender, delivered_to: &to.address, original, received };
                let mut fields = String::new();
                delivery.write(&mut fields);
                fields
            });
        }
    }
    fields
}

/// The copies that are wanted, and what the log is to say of them.
fn noted(
    id: QueueId,
    wanted: impl Iterator<Item = Destination>,
    mut staged: Attempts,
    mut fields: Fields,
) -> Result<(Copies, Vec<u8>), postcard::Error> {
    let mut copies = Copies::new();
    let mut notes = Vec::new();
    for to in wanted {
        let Some(Ok(copy)) = staged.remove(&to.id) else { continue };
        let fields = fields.remove(&to.id).unwrap_or_default();
        notes.push(CopyNote { account: to.id.0, name: to.name.to_string(), file: copy.name().to_owned(), fields });
        copies.push((to, copy));
    }
    Ok((copies, record::said(&Note::Accepted(Accepted { id: id.number(), copies: notes }))?))
}

/// Takes recipients apart into what they want and what they were promised. Of several promises for one mailbox the first
/// stays: there will be one copy.
fn divided(recipients: Vec<Routed>) -> (Vec<Wish>, HashMap<AccountId, Reservation>) {
    let mut promised = HashMap::new();
    let mut wishes = Vec::with_capacity(recipients.len());
    for Routed { recipient, sender, destinations, relays, lists, reserved } in recipients {
        for (to, reservation) in destinations.iter().zip(reserved) {
            if let Some(reservation) = reservation {
                promised.entry(to.id).or_insert(reservation);
            }
        }
        wishes.push(Wish { recipient, sender, mailboxes: destinations, relays, lists });
    }
    (wishes, promised)
}

/// The mailboxes of the recipients that nothing has failed yet.
pub(super) fn wanted<'a>(wishes: &'a [Wish], verdicts: &'a [Result<(), Failure>]) -> impl Iterator<Item = &'a Destination> {
    wishes.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_ok()).flat_map(|(wish, _)| &wish.mailboxes)
}

/// Each recipient's verdict, given what has failed so far: its own first failure, or for all alike the first of any.
pub(super) fn verdicts(wishes: &[Wish], outcomes: Outcomes, failure: impl Fn(&Wish) -> Option<Failure>) -> Vec<Result<(), Failure>> {
    let each = wishes.iter().map(|wish| failure(wish).map_or(Ok(()), Err));
    match outcomes {
        Outcomes::Each => each.collect(),
        Outcomes::Together => vec![each.collect::<Result<(), Failure>>(); wishes.len()],
    }
}

/// Where each mailbox's copy lies: in this file, or (none) in the spool.
pub(super) type Places = HashMap<AccountId, Option<PathBuf>>;

/// What each recipient hears, once the disk has every copy that is wanted.
pub(super) fn results(id: QueueId, wishes: &[Wish], verdicts: Vec<Result<(), Failure>>, places: &Places) -> Results {
    let stored = |wish: &Wish| {
        let places: Option<Vec<_>> = wish.mailboxes.iter().map(|to| places.get(&to.id)).collect();
        let places = places.ok_or_else(|| Failure::Io("a copy was not published".into()))?;
        let waiting = places.iter().filter(|place| place.is_none()).count();
        let queued = wish.relays.len() + wish.lists.len();
        Ok(Stored { id, files: places.into_iter().flatten().cloned().collect(), waiting, queued })
    };
    wishes.iter().zip(verdicts).map(|(wish, verdict)| verdict.and_then(|()| stored(wish))).collect()
}
