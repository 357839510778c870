//! Group commit: whoever finds nobody at it writes what has gathered to the log, and syncs once for all of it. Meanwhile the
//! next group gathers.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use super::Core;
use super::accept::{Done, Failure, Places, Wish};
use super::body::Complete;
use super::enter::Left;
use super::hands::Job;
use super::log::{Payload, Ticket};
use super::pending::{Answer, Pending};
use super::recover::Owed;
use crate::directory::AccountId;
use crate::mail::QueueId;
use crate::maildir::{PublishError, Reservation, Staged, Text as _};
use crate::router::Destination;
use crate::telemetry::{Event, meter};

/// Octets that one group gathers at most.
pub(super) const GROUP: u64 = 1 << 20;

/// Messages for which a sync is well spent even if more are about to come.
const ENOUGH: usize = 64;

/// The staged copies of a message, and where they go.
pub(super) type Copies = Vec<(Destination, Staged)>;

/// A message whose copies are staged, what the log is to say of it, who hears the results, the room that was promised until then,
/// and what is in the queue by now.
pub(super) struct Ready {
    pub(super) id: QueueId,
    pub(super) wishes: Vec<Wish>,
    pub(super) verdicts: Vec<Result<(), Failure>>,
    pub(super) copies: Copies,
    pub(super) said: Vec<u8>,
    pub(super) text: Complete,
    pub(super) done: Done,
    pub(super) pending: Pending,
    pub(super) promised: HashMap<AccountId, Reservation>,
    pub(super) left: Option<Left>,
}

impl Ready {
    /// What goes to the log.
    fn payload(&self) -> Payload<'_> {
        let mut payload = self.text.parts().unwrap_or_default();
        payload.insert(0, &self.said);
        payload
    }

    /// Ends with the same failure for every recipient that had none yet.
    fn fail(self, failure: &Failure) {
        // The staged copies go before anybody hears of it, and so does what is in the queue.
        drop(self.copies);
        drop(self.left);
        let results = self.verdicts.into_iter().map(|verdict| Err(verdict.err().unwrap_or_else(|| failure.clone())));
        (self.done)(results.collect());
    }
}

/// Messages that wait for the log.
#[derive(Default)]
pub(super) struct Gathering {
    ready: Vec<Ready>,
    led: bool,
}

impl Gathering {
    /// The next group, for the caller to write; none while another is at it, nothing waits, or it is better to wait for more.
    fn group(&mut self, more_to_come: bool) -> Option<Vec<Ready>> {
        if self.led || self.ready.is_empty() || (more_to_come && self.ready.len() < ENOUGH) {
            return None;
        }
        let mut octets = 0;
        let fits = |ready: &Ready| {
            octets += ready.said.len() as u64 + ready.text.len();
            octets <= GROUP
        };
        let count = self.ready.iter().map(fits).take_while(|fits| *fits).count().max(1).min(self.ready.len());
        self.led = true;
        Some(self.ready.drain(..count).collect())
    }
}

impl Core {
    /// Takes a message to the log, alone or with others.
    pub(super) fn join(&self, ready: Ready) {
        if ready.pending.is_given_up() {
            return ready.fail(&Failure::Io("its client waits no longer".into()));
        }
        self.gathering().ready.push(ready);
    }

    /// Writes what has gathered, unless somebody is at it, or more is about to come: other messages are being staged
    /// already, and the group is not a large one.
    pub(super) fn lead_when_due(self: &Arc<Self>) {
        loop {
            let group = self.gathering().group(self.hands.are_behind());
            let Some(group) = group else { return };
            let mut committed = self.commit(group);
            self.gathering().led = false;
            // One of them is ours, so that a message that is alone stays on one thread.
            let own = committed.pop();
            let job = |(ready, outcome)| -> Job {
                let core = Arc::clone(self);
                Box::new(move || {
                    core.conclude(ready, outcome);
                    core.lead_when_due();
                })
            };
            self.hands.hurry(committed.into_iter().map(job));
            if let Some((ready, outcome)) = own {
                self.conclude(ready, outcome);
            }
        }
    }

    /// Sees to a group that has waited for a moment for messages that do not come: whoever is at them may hang.
    pub(super) fn lead_the_stranded(self: &Arc<Self>) {
        let waits = {
            let gathering = self.gathering();
            !gathering.led && !gathering.ready.is_empty()
        };
        if waits {
            let core = Arc::clone(self);
            self.hands.hurry(std::iter::once(Box::new(move || core.lead_when_due()) as Job));
        }
    }

    fn gathering(&self) -> MutexGuard<'_, Gathering> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a group to the log.
    fn commit(&self, group: Vec<Ready>) -> Vec<(Ready, Result<Ticket, Failure>)> {
        let payloads: Vec<_> = group.iter().map(Ready::payload).collect();
        let begun = Instant::now();
        let appended = self.log.append(&payloads);
        drop(payloads);
        meter().synced(begun.elapsed());
        match appended {
            Ok(tickets) => group.into_iter().zip(tickets.into_iter().map(Ok)).collect(),
            Err(error) => {
                let failure = Failure::from(error);
                group.into_iter().map(|ready| (ready, Err(failure.clone()))).collect()
            }
        }
    }

    fn conclude(&self, ready: Ready, outcome: Result<Ticket, Failure>) {
        match outcome {
            Ok(ticket) => self.publish(ready, ticket),
            Err(failure) => ready.fail(&failure),
        }
    }

    /// Makes the copies of an accepted message visible. Whatever fails now, the message is not lost.
    fn publish(&self, ready: Ready, ticket: Ticket) {
        let Ready { id, wishes, verdicts, copies, done, pending, promised, left, .. } = ready;
        pending.becomes_safe(Answer { id, wishes, verdicts, left, done });
        let mut places = Places::new();
        let mut failed: Vec<(Destination, io::Error)> = Vec::new();
        for (to, mut copy) in copies {
            let shown = self.maildirs.visit(to.id).map_err(PublishError::Hidden).and_then(|_visit| copy.publish());
            let account = to.id;
            let place = match shown {
                Ok(path) => Some(path),
                Err(PublishError::Hidden(error) | PublishError::Visible(error)) => {
                    // Where it is visible and cannot be hidden again, it may be there twice.
                    let _ = copy.conceal();
                    failed.push((to, error));
                    None
                }
            };
            places.insert(account, place);
        }
        drop(promised);
        self.settle(id, ticket, failed);
        pending.end(&places);
    }

    /// Ends the log's part in a message: the copies whose mailbox failed move to the queue, or stay in the log.
    fn settle(&self, id: QueueId, ticket: Ticket, failed: Vec<(Destination, io::Error)>) {
        if failed.is_empty() {
            return self.log.done(id.number());
        }
        let ticket = Arc::new(ticket);
        for (to, error) in failed {
            Event::CopyHeld { id, mailbox: to.name.as_str(), cause: &error.to_string() }.say();
            let owed = Owed::to_one(id, &ticket, to.id);
            if self.queue_up(&owed).is_err() {
                self.owe(owed);
            }
        }
    }
}
