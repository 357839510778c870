//! Large messages: every copy is synced in its mailbox before it is acknowledged, and the log does without.
//!
//! The log saves syncs and costs a second write of the text. Beyond a size the write costs more than the syncs of a copy do, which wait
//! for the disk side by side, each in a thread of its own.
//!
//! Only a rename or the sync of a folder can fail after all copies have been staged; a copy that it happens to moves to the
//! queue.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::Core;
use super::accept::{Attempts, Failure, Outcomes, Places, Results, Wish, results, verdicts, wanted};
use super::waiting::Waiting;
use crate::directory::AccountId;
use crate::mail::QueueId;
use crate::mail::limits::MESSAGE_IN_MEMORY;
use crate::maildir::{PublishError, Staged};
use crate::router::Destination;
use crate::telemetry::Event;

/// Octets of text that cost as much to write as one copy to sync.
const WORTH_A_SYNC: u64 = 64 * 1024;

/// Whether a text is so large that to sync each of its copies costs less than to write it to the log as well. What is beyond
/// [`MESSAGE_IN_MEMORY`] never goes there.
pub(super) fn is_large(octets: u64, copies: usize) -> bool {
    octets > MESSAGE_IN_MEMORY as u64 || octets > WORTH_A_SYNC.saturating_mul(copies.max(1) as u64)
}

/// A copy that the disk has.
enum Placed {
    /// In `new` of its mailbox.
    Visible(PathBuf, Staged),
    /// In the queue.
    Waiting(PathBuf),
}

impl Core {
    /// Publishes what some accepted recipient needs; the rest is dropped, and so removed. Where a copy can neither be
    /// published nor be held in the queue, the copies that only its recipients wanted are taken back.
    pub(super) fn publish_synced(
        &self,
        id: QueueId,
        wishes: &[Wish],
        accepted: Vec<Result<(), Failure>>,
        mut staged: Attempts,
        outcomes: Outcomes,
    ) -> Results {
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
        let published = verdicts(wishes, outcomes, |wish| wish.first(|to| failed.get(&to)));
        let verdicts: Vec<_> = accepted.into_iter().zip(published).map(|(accepted, published)| accepted.and(published)).collect();
        let kept: HashSet<AccountId> = wanted(wishes, &verdicts).map(|to| to.id).collect();
        let place = |copy: &Placed| match copy {
            Placed::Visible(path, _) => Some(path.clone()),
            Placed::Waiting(_) => None,
        };
        let places: Places = placed.iter().map(|(to, copy)| (*to, place(copy))).collect();
        placed.into_iter().filter(|(to, _)| !kept.contains(to)).for_each(|(_, copy)| self.take_back(id, copy));
        results(id, wishes, verdicts, &places)
    }

    /// Publishes a copy, or holds it in the queue where its mailbox fails at the last step.
    fn place(&self, id: QueueId, to: &Destination, mut copy: Staged) -> Result<Placed, Failure> {
        let error = match copy.publish() {
            Ok(path) => return Ok(Placed::Visible(path, copy)),
            Err(PublishError::Hidden(error)) => error,
            Err(PublishError::Visible(error)) => {
                copy.conceal()?;
                error
            }
        };
        let held = self.hold(&Waiting { id, account: to.id, name: to.name.clone() }, &mut copy.read()?)?;
        Event::CopyHeld { id, mailbox: to.name.as_str(), cause: &error.to_string() }.say();
        Ok(Placed::Waiting(held))
    }

    /// Undoes what a failed recipient's other copies became. What cannot be undone is a copy too many, and no loss.
    fn take_back(&self, id: QueueId, copy: Placed) {
        let undone = match copy {
            Placed::Visible(_, mut copy) => copy.conceal(),
            Placed::Waiting(path) => self.disk.remove(&path).and_then(|()| self.disk.sync_folder(&self.queue)),
        };
        if let Err(error) = undone {
            Event::CopyNotTakenBack { id, cause: &error.to_string() }.say();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_what_is_small_or_has_many_copies() {
        let largest = |copies| (0..=512).rev().map(|kib| kib * 1024).find(|&octets| !is_large(octets, copies)).unwrap() / 1024;
        assert_eq!([0, 1, 2, 3, 4, 5, usize::MAX].map(largest), [64, 64, 128, 192, 256, 256, 256]);
    }
}
