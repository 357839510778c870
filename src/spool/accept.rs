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
use crate::maildir::{Copy, NoRoom, PublishError, Reservation, Staged};
use crate::router::Destination;

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

    /// Where each copy lies; one that waits in the queue for its mailbox is not among them.
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

/// One mailbox's copy once it is safe: the file, or none if it waits in the queue.
type Copied = Result<Option<PathBuf>, Failure>;

/// One mailbox's copy: staged, or why not.
type Attempt<'a> = Result<Staged<'a>, Failure>;

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
        let wanted: Vec<(Recipient, Vec<Destination>)> = recipients.iter().map(|r| (r.recipient.clone(), r.destinations.clone())).collect();
        let mut staged: HashMap<AccountId, Attempt<'_>> = HashMap::new();
        let mut reservations = Vec::new();
        for routed in recipients {
            let Routed { recipient, destinations, reserved } = routed;
            for (destination, reservation) in destinations.into_iter().zip(reserved.into_iter().chain(std::iter::repeat_with(|| None))) {
                if staged.contains_key(&destination.id) {
                    continue;
                }
                let delivery = Delivery {
                    sender: &envelope.sender,
                    delivered_to: &destination.address,
                    original: &recipient.path,
                    received: &received,
                };
                let attempt = self.stage(&destination, &delivery, &text, reservation, &mut reservations);
                staged.insert(destination.id, attempt);
            }
        }
        let verdicts = verdicts(&wanted, &staged, outcomes);
        let files = self.publish(id, &wanted, &verdicts, staged);
        wanted.iter().zip(verdicts).map(|((_, destinations), verdict)| verdict.and_then(|()| stored(id, destinations, &files))).collect()
    }

    fn stage<'a>(
        &'a self,
        to: &Destination,
        delivery: &Delivery<'_>,
        text: &Complete,
        reservation: Option<Reservation>,
        reservations: &mut Vec<Reservation>,
    ) -> Attempt<'a> {
        if text.journey.loops_at(&to.address) {
            return Err(Failure::Loop);
        }
        let mut fields = String::new();
        delivery.write(&mut fields);
        let copy = Copy { fields: &fields, text };
        let reservation = match reservation {
            Some(reservation) => Some(reservation),
            None => self.maildirs.reserve(to, copy.size())?,
        };
        if let Some(mut reservation) = reservation {
            reservation.resize(copy.size())?;
            reservations.push(reservation);
        }
        Ok(self.maildirs.stage(to, copy, delivery.received.at)?)
    }

    /// Publishes what some accepted recipient needs; the rest is dropped, and so removed.
    fn publish(
        &self,
        id: QueueId,
        wanted: &[(Recipient, Vec<Destination>)],
        verdicts: &[Result<(), Failure>],
        mut staged: HashMap<AccountId, Attempt<'_>>,
    ) -> HashMap<AccountId, Copied> {
        let needed = wanted.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_ok()).flat_map(|((_, to), _)| to);
        let mut files = HashMap::new();
        let mut seen = HashSet::new();
        for destination in needed {
            if !seen.insert(destination.id) {
                continue;
            }
            if let Some(Ok(copy)) = staged.remove(&destination.id) {
                files.insert(destination.id, self.publish_or_hold(id, destination, copy));
            }
        }
        files
    }

    fn publish_or_hold(&self, id: QueueId, to: &Destination, mut copy: Staged<'_>) -> Copied {
        match copy.publish() {
            Ok(path) => Ok(Some(path)),
            Err(PublishError::Hidden(_)) => Ok(self.hold(id, to, &copy).map(|()| None)?),
            Err(PublishError::Visible(error)) => Err(error.into()),
        }
    }
}

/// Each recipient's verdict once all copies are staged: what fails it, if anything.
fn verdicts(
    wanted: &[(Recipient, Vec<Destination>)],
    staged: &HashMap<AccountId, Attempt<'_>>,
    outcomes: Outcomes,
) -> Vec<Result<(), Failure>> {
    let each = wanted.iter().map(|(_, destinations)| {
        let failed = destinations.iter().find_map(|to| staged.get(&to.id)?.as_ref().err());
        failed.map_or(Ok(()), |failure| Err(failure.clone()))
    });
    match outcomes {
        Outcomes::Each => each.collect(),
        Outcomes::Together => vec![each.collect::<Result<(), Failure>>(); wanted.len()],
    }
}

fn stored(id: QueueId, destinations: &[Destination], files: &HashMap<AccountId, Copied>) -> Result<Stored, Failure> {
    let lost = || Err(Failure::Io("a copy was not published".into()));
    let files = destinations.iter().map(|to| files.get(&to.id).cloned().unwrap_or_else(lost)).collect::<Result<Vec<_>, _>>()?;
    Ok(Stored { id, files: files.into_iter().flatten().collect() })
}
