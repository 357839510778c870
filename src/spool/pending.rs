//! A message under way, and whoever waits to hear what becomes of it.
//!
//! Once the disk has a message, its client need not wait for a mailbox that hangs: the copy is safe, and comes there when the
//! mailbox answers. Whoever comes first, the mailboxes or the client's impatience, takes the [`Answer`] and tells it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::accept::{Done, Failure, Places, Results, Wish, results, wanted};
use super::enter::Left;
use crate::mail::QueueId;

/// The message, for whoever waits. Clones are of the same one.
#[derive(Clone, Default)]
pub struct Pending(Arc<Mutex<Phase>>);

#[derive(Default)]
enum Phase {
    /// The disk does not have it yet.
    #[default]
    Open,
    /// Its client waits no longer.
    GivenUp,
    /// The disk has it, and nobody has been told.
    Safe(Box<Answer>),
    /// Told.
    Over,
}

/// What is to be told of a message that the disk has, and to whom.
pub(super) struct Answer {
    pub(super) id: QueueId,
    pub(super) wishes: Vec<Wish>,
    pub(super) verdicts: Vec<Result<(), Failure>>,
    pub(super) left: Option<Left>,
    pub(super) done: Done,
}

impl Answer {
    /// The results, given where the copies are, and who hears them.
    fn results(self, places: &Places) -> (Results, Done) {
        let results = results(self.id, &self.wishes, self.verdicts, places);
        if let Some(left) = self.left {
            left.confirm(&results);
        }
        (results, self.done)
    }
}

impl Pending {
    /// What can be said by now: where the disk has the message and its mailboxes keep it waiting, that its copies wait. Nobody else is
    /// told then.
    pub fn by_now(&self) -> Option<Results> {
        let answer = self.take()?;
        let places = wanted(&answer.wishes, &answer.verdicts).map(|to| (to.id, None)).collect();
        Some(answer.results(&places).0)
    }

    /// Gives the message up. Without effect once the disk has it.
    pub fn give_up(&self) {
        let mut phase = self.phase();
        if matches!(*phase, Phase::Open) {
            *phase = Phase::GivenUp;
        }
    }

    pub(super) fn is_given_up(&self) -> bool {
        matches!(*self.phase(), Phase::GivenUp)
    }

    /// The disk has it.
    pub(super) fn becomes_safe(&self, answer: Answer) {
        *self.phase() = Phase::Safe(Box::new(answer));
    }

    /// Its copies are in these places.
    pub(super) fn end(&self, places: &Places) {
        if let Some(answer) = self.take() {
            let (results, done) = answer.results(places);
            done(results);
        }
    }

    fn take(&self) -> Option<Box<Answer>> {
        let mut phase = self.phase();
        match std::mem::replace(&mut *phase, Phase::Over) {
            Phase::Safe(answer) => Some(answer),
            other => {
                *phase = other;
                None
            }
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
