//! Acceptance: `Envelope` → `Routing` → `Stored` → reply.
//!
//! Every copy is staged (written and synced) before any is published, so what can fail fails while nothing is visible
//! yet. Only a rename or the sync of a folder can fail afterwards; a copy that it happens to moves to the queue.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use super::Spool;
use super::body::{Body, Complete};
use crate::directory::AccountId;
use crate::mail::trace::{Client, Delivery, Received, With};
use crate::mail::{Envelope, QueueId, Recipient};
use crate::maildir::{Copy, NoRoom, PublishError, Reservation, Staged, Text as _};
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
}

impl Stored {
    /// The id that the reply carries.
    pub fn id(&self) -> QueueId {
        self.id
    }

    /// Where each copy lies: in `new` of a mailbox, or in the queue while its mailbox cannot be reached.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
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
    /// The disk is full.
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

/// Octets that stay free on the disk: what the directory and the rest of the system need to go on working.
const KEPT_FREE: u64 = 16 << 20;

/// A recipient, and the mailboxes it wants a copy in.
type Wish = (Recipient, Vec<Destination>);

/// One mailbox's copy: staged, or why not.
type Attempt<'a> = Result<Staged<'a>, Failure>;

/// A copy that the disk has.
enum Placed<'a> {
    /// In `new` of its mailbox.
    Visible(PathBuf, Staged<'a>),
    /// In the queue.
    Waiting(PathBuf),
}

impl Placed<'_> {
    fn path(&self) -> &PathBuf {
        match self {
            Self::Visible(path, _) | Self::Waiting(path) => path,
        }
    }
}

impl Spool {
    /// Makes a message safe: one result for each recipient, in order. Blocks on the disk.
    pub fn accept(&self, routing: Routing, body: Body, outcomes: Outcomes) -> Vec<Result<Stored, Failure>> {
        let recipients = routing.recipients.len();
        let Ok(text) = body.finish() else { return vec![Err(Failure::HeaderTooBig); recipients] };
        let Routing { id, envelope, recipients, client, with } = routing;
        let only = match recipients.as_slice() {
            [one] => Some(one.recipient.path.clone()),
            _ => None,
        };
        let received = Received { client, by: self.hostname.clone(), with, id, only, at: Timestamp::now() };
        let (wishes, mut promised) = divided(recipients);
        let mut staged: HashMap<AccountId, Attempt<'_>> = HashMap::new();
        if !self.has_room(&text, wishes.iter().map(|(_, to)| to.len() as u64).sum()) {
            return vec![Err(Failure::DiskFull); wishes.len()];
        }
        for (recipient, destinations) in &wishes {
            for to in destinations {
                if staged.contains_key(&to.id) {
                    continue;
                }
                let fields =
                    Delivery { sender: &envelope.sender, delivered_to: &to.address, original: &recipient.path, received: &received };
                let attempt = self.stage(to, &fields, &text, &mut promised);
                staged.insert(to.id, attempt);
            }
        }
        let verdicts = verdicts(&wishes, outcomes, |to| staged.get(&to)?.as_ref().err());
        self.publish(id, &wishes, verdicts, staged, outcomes)
    }

    /// Whether the disk has room for so many copies, as far as it can tell beforehand.
    fn has_room(&self, text: &Complete, copies: u64) -> bool {
        let wanted = text.len().saturating_mul(copies).saturating_add(KEPT_FREE);
        self.disk.free(&self.maildirs.settings().root).is_ok_and(|free| free >= wanted)
    }

    fn stage<'a>(
        &'a self,
        to: &Destination,
        delivery: &Delivery<'_>,
        text: &Complete,
        promised: &mut HashMap<AccountId, Reservation>,
    ) -> Attempt<'a> {
        if text.journey.loops_at(&to.address) {
            return Err(Failure::Loop);
        }
        let mut fields = String::new();
        delivery.write(&mut fields);
        let copy = Copy { fields: &fields, text };
        let reservation = match promised.remove(&to.id) {
            Some(reservation) => Some(reservation),
            None => self.maildirs.reserve(to, copy.size())?,
        };
        if let Some(mut reservation) = reservation {
            reservation.resize(copy.size())?;
            // Kept until the message is counted in the mailbox.
            promised.insert(to.id, reservation);
        }
        Ok(self.maildirs.stage(to, copy, self.maildirs.stamp(delivery.received.at))?)
    }

    /// Publishes what some accepted recipient needs; the rest is dropped, and so removed. Where a copy can neither be
    /// published nor be held in the queue, the copies that only its recipients wanted are taken back.
    fn publish(
        &self,
        id: QueueId,
        wishes: &[Wish],
        accepted: Vec<Result<(), Failure>>,
        mut staged: HashMap<AccountId, Attempt<'_>>,
        outcomes: Outcomes,
    ) -> Vec<Result<Stored, Failure>> {
        let (mut placed, mut failed) = (HashMap::new(), HashMap::new());
        for to in wanted(wishes, &accepted) {
            if let Some(Ok(copy)) = staged.remove(&to.id) {
                match self.place(id, to, copy) {
                    Ok(copy) => drop(placed.insert(to.id, copy)),
                    Err(failure) => drop(failed.insert(to.id, failure)),
                }
                if outcomes == Outcomes::Together && !failed.is_empty() {
                    break;
                }
            }
        }
        let published = verdicts(wishes, outcomes, |to| failed.get(&to));
        let verdicts: Vec<_> = accepted.into_iter().zip(published).map(|(accepted, published)| accepted.and(published)).collect();
        let kept: HashSet<AccountId> = wanted(wishes, &verdicts).map(|to| to.id).collect();
        let files: HashMap<AccountId, PathBuf> = placed.iter().map(|(to, copy)| (*to, copy.path().clone())).collect();
        placed.into_iter().filter(|(to, _)| !kept.contains(to)).for_each(|(_, copy)| self.take_back(id, copy));
        wishes.iter().zip(verdicts).map(|((_, to), verdict)| verdict.and_then(|()| stored(id, to, &files))).collect()
    }

    /// Publishes a copy, or holds it in the queue where its mailbox fails at the last step.
    fn place<'a>(&self, id: QueueId, to: &Destination, mut copy: Staged<'a>) -> Result<Placed<'a>, Failure> {
        let error = match copy.publish() {
            Ok(path) => return Ok(Placed::Visible(path, copy)),
            Err(PublishError::Hidden(error)) => error,
            Err(PublishError::Visible(error)) => {
                copy.conceal()?;
                error
            }
        };
        let held = self.hold(id, to, &copy)?;
        Event::CopyHeld { id, mailbox: to.name.as_str(), cause: &error.to_string() }.say();
        Ok(Placed::Waiting(held))
    }

    /// Undoes what a failed recipient's other copies became. What cannot be undone is a copy too many, and no loss.
    fn take_back(&self, id: QueueId, copy: Placed<'_>) {
        let undone = match copy {
            Placed::Visible(_, mut copy) => copy.conceal(),
            Placed::Waiting(path) => self.disk.remove(&path).and_then(|()| self.disk.sync_folder(&self.queue)),
        };
        if let Err(error) = undone {
            Event::CopyNotTakenBack { id, cause: &error.to_string() }.say();
        }
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
fn wanted<'a>(wishes: &'a [Wish], verdicts: &'a [Result<(), Failure>]) -> impl Iterator<Item = &'a Destination> {
    wishes.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_ok()).flat_map(|((_, to), _)| to)
}

/// Each recipient's verdict, given what has failed so far: its own first failure, or for all alike the first of any.
fn verdicts<'a>(wishes: &[Wish], outcomes: Outcomes, failure: impl Fn(AccountId) -> Option<&'a Failure>) -> Vec<Result<(), Failure>> {
    let each = wishes.iter().map(|(_, to)| to.iter().find_map(|to| failure(to.id)).map_or(Ok(()), |failure| Err(failure.clone())));
    match outcomes {
        Outcomes::Each => each.collect(),
        Outcomes::Together => vec![each.collect::<Result<(), Failure>>(); wishes.len()],
    }
}

fn stored(id: QueueId, destinations: &[Destination], files: &HashMap<AccountId, PathBuf>) -> Result<Stored, Failure> {
    let lost = || Failure::Io("a copy was not published".into());
    let files = destinations.iter().map(|to| files.get(&to.id).cloned().ok_or_else(lost)).collect::<Result<_, _>>()?;
    Ok(Stored { id, files })
}
