//! Acceptance: `Envelope` → `Routing` → `Stored` → reply.
//!
//! Every copy is staged before anything is promised, so what can fail fails while nothing is visible yet. Then the message
//! goes to the log with others, one sync for all of them; it is accepted when that returns, and only then made visible. A
//! mailbox that fails at that last step gets its copy from the queue.
//!
//! A message that is too large for the log is made safe mailbox by mailbox instead: [`super::large`].

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use super::body::{Body, Complete};
use super::group::Ready;
use super::log::record::{self, Accepted, CopyNote, Note};
use super::{Core, Spool};
use crate::directory::AccountId;
use crate::mail::trace::{Client, Delivery, Received, With};
use crate::mail::{Envelope, ForwardPath, QueueId, Recipient};
use crate::maildir::{Copy, NoRoom, Reservation, Safety, Staged, Text as _};
use crate::router::Destination;
use crate::telemetry::Event;

/// One accepted recipient and the mailboxes it leads to (none: discarded).
pub struct Routed {
    /// As the client gave it.
    pub recipient: Recipient,
    /// Where it goes, each mailbox once.
    pub destinations: Vec<Destination>,
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

/// Gives a message up whose client waits no longer. Without effect once the log has it.
#[derive(Debug, Clone, Default)]
pub struct Abandon(Arc<AtomicBool>);

impl Abandon {
    /// Gives it up.
    pub fn abandon(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Octets that stay free on the disk: what the directory and the rest of the system need to go on working.
const KEPT_FREE: u64 = 16 << 20;

/// A recipient, and the mailboxes it wants a copy in.
pub(super) type Wish = (Recipient, Vec<Destination>);

/// What each mailbox's copy begins with.
type Fields = HashMap<AccountId, String>;

/// The copies that could be staged, and why the others could not.
pub(super) type Attempts = HashMap<AccountId, Result<Staged, Failure>>;

impl Spool {
    /// Makes a message safe and brings it to its mailboxes, on threads of the spool. `done` hears one result for each
    /// recipient, on one of them; it is dropped unheard if the process has no threads.
    pub fn accept(&self, routing: Routing, body: Body, outcomes: Outcomes, done: impl FnOnce(Results) + Send + 'static) -> Abandon {
        let abandon = Abandon::default();
        let (core, given_up) = (Arc::clone(&self.core), abandon.clone());
        let added = self.core.hands.add(Box::new(move || {
            core.prepare(routing, body, outcomes, Box::new(done), &given_up);
            core.lead_when_due();
        }));
        if let Err(error) = added {
            Event::TaskFailed { task: "delivering mail", cause: &error.to_string() }.say();
        }
        abandon
    }
}

impl Core {
    fn prepare(&self, routing: Routing, body: Body, outcomes: Outcomes, done: Done, abandon: &Abandon) {
        let recipients = routing.recipients.len();
        let Ok(text) = body.finish() else { return done(vec![Err(Failure::HeaderTooBig); recipients]) };
        let Routing { id, envelope, recipients, client, with } = routing;
        let only = match recipients.as_slice() {
            [one] => Some(one.recipient.path.clone()),
            _ => None,
        };
        let received = Received { client, by: self.hostname.clone(), with, id, only, at: Timestamp::now() };
        let (wishes, mut promised) = divided(recipients);
        if !self.has_room(&text, wishes.iter().map(|(_, to)| to.len() as u64).sum()) {
            return done(vec![Err(Failure::DiskFull); wishes.len()]);
        }
        let fields = fields(&envelope, &wishes, &received);
        let safety = if self.log_takes(&text, &fields) { Safety::Logged } else { Safety::Synced };
        let mut staged = Attempts::new();
        for to in wishes.iter().flat_map(|(_, to)| to) {
            staged.entry(to.id).or_insert_with(|| {
                let fields = fields.get(&to.id).map_or("", String::as_str);
                self.stage(to, Copy { fields, text: &text }, &text, &mut promised, received.at, safety)
            });
        }
        let verdicts = verdicts(&wishes, outcomes, |to| staged.get(&to)?.as_ref().err());
        match safety {
            Safety::Synced => done(self.publish_synced(id, &wishes, verdicts, staged, outcomes)),
            Safety::Logged => match ready(id, wishes, verdicts, staged, fields, &text) {
                Ok(ready) => self.join(ready.with(done, promised), abandon),
                Err(results) => done(results),
            },
        }
    }

    /// Whether the disk has room for so many copies, as far as it can tell beforehand.
    fn has_room(&self, text: &Complete, copies: u64) -> bool {
        let wanted = text.len().saturating_mul(copies).saturating_add(KEPT_FREE);
        self.disk.free(&self.maildirs.settings().root).is_ok_and(|free| free >= wanted)
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
        let _visit = self.visits.begin(to.id)?;
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
    for (recipient, destinations) in wishes {
        for to in destinations {
            fields.entry(to.id).or_insert_with(|| {
                let original: &ForwardPath = &recipient.path;
                let delivery = Delivery { sender: &envelope.sender, delivered_to: &to.address, original, received };
                let mut fields = String::new();
                delivery.write(&mut fields);
                fields
            });
        }
    }
    fields
}

/// A message that is ready for the log; or its results, where no copy of it is wanted any more.
fn ready(
    id: QueueId,
    wishes: Vec<Wish>,
    verdicts: Vec<Result<(), Failure>>,
    mut staged: Attempts,
    mut fields: Fields,
    text: &Complete,
) -> Result<Ready, Results> {
    let mut copies = Vec::new();
    let mut notes = Vec::new();
    for to in wanted(&wishes, &verdicts) {
        let Some(Ok(copy)) = staged.remove(&to.id) else { continue };
        let fields = fields.remove(&to.id).unwrap_or_default();
        notes.push(CopyNote { account: to.id.0, name: to.name.to_string(), file: copy.name().to_owned(), fields });
        copies.push((to.clone(), copy));
    }
    if copies.is_empty() {
        return Err(results(id, &wishes, verdicts, &HashMap::new()));
    }
    let note = Note::Accepted(Accepted { id: id.number(), copies: notes });
    match record::payload(&note, text.parts().unwrap_or_default()) {
        Ok(payload) => Ok(Ready::new(id, wishes, verdicts, copies, payload)),
        Err(error) => Err(vec![Err(Failure::Io(error.to_string())); wishes.len()]),
    }
}

/// Takes recipients apart into what they want and what they were promised. Of several promises for one mailbox the first
/// stays: there will be one copy.
fn divided(recipients: Vec<Routed>) -> (Vec<Wish>, HashMap<AccountId, Reservation>) {
    let mut promised = HashMap::new();
    let mut wishes = Vec::with_capacity(recipients.len());
    for Routed { recipient, destinations, reserved } in recipients {
        for (to, reservation) in destinations.iter().zip(reserved) {
            if let Some(reservation) = reservation {
                promised.entry(to.id).or_insert(reservation);
            }
        }
        wishes.push((recipient, destinations));
    }
    (wishes, promised)
}

/// The mailboxes of the recipients that nothing has failed yet.
pub(super) fn wanted<'a>(wishes: &'a [Wish], verdicts: &'a [Result<(), Failure>]) -> impl Iterator<Item = &'a Destination> {
    wishes.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_ok()).flat_map(|((_, to), _)| to)
}

/// Each recipient's verdict, given what has failed so far: its own first failure, or for all alike the first of any.
pub(super) fn verdicts<'a>(
    wishes: &[Wish],
    outcomes: Outcomes,
    failure: impl Fn(AccountId) -> Option<&'a Failure>,
) -> Vec<Result<(), Failure>> {
    let each = wishes.iter().map(|(_, to)| to.iter().find_map(|to| failure(to.id)).map_or(Ok(()), |failure| Err(failure.clone())));
    match outcomes {
        Outcomes::Each => each.collect(),
        Outcomes::Together => vec![each.collect::<Result<(), Failure>>(); wishes.len()],
    }
}

/// Where each mailbox's copy lies: in this file, or (none) in the spool.
pub(super) type Places = HashMap<AccountId, Option<PathBuf>>;

/// What each recipient hears, once the disk has every copy that is wanted.
pub(super) fn results(id: QueueId, wishes: &[Wish], verdicts: Vec<Result<(), Failure>>, places: &Places) -> Results {
    let stored = |to: &[Destination]| {
        let places: Option<Vec<_>> = to.iter().map(|to| places.get(&to.id)).collect();
        let places = places.ok_or_else(|| Failure::Io("a copy was not published".into()))?;
        let waiting = places.iter().filter(|place| place.is_none()).count();
        Ok(Stored { id, files: places.into_iter().flatten().cloned().collect(), waiting })
    };
    wishes.iter().zip(verdicts).map(|((_, to), verdict)| verdict.and_then(|()| stored(to))).collect()
}
