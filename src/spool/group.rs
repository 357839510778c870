//! Group commit: whoever finds nobody at it writes what has gathered to the log, and syncs once for all of it. Meanwhile the
//! next group gathers.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError};

use super::Core;
use super::accept::{Abandon, Done, Failure, Places, Wish, results};
use super::hands::Job;
use super::log::Ticket;
use super::recover::Owed;
use crate::directory::AccountId;
use crate::mail::QueueId;
use crate::maildir::{PublishError, Reservation, Staged};
use crate::router::Destination;
use crate::telemetry::Event;

/// Octets that one group gathers at most.
const GROUP: usize = 1 << 20;

/// A message whose copies are staged, and what the log is to say of it.
pub(super) struct Ready {
    id: QueueId,
    wishes: Vec<Wish>,
    verdicts: Vec<Result<(), Failure>>,
    copies: Vec<(Destination, Staged)>,
    payload: Vec<u8>,
    done: Option<Done>,
    promised: HashMap<AccountId, Reservation>,
}

impl Ready {
    pub(super) fn new(
        id: QueueId,
        wishes: Vec<Wish>,
        verdicts: Vec<Result<(), Failure>>,
        copies: Vec<(Destination, Staged)>,
        payload: Vec<u8>,
    ) -> Self {
        Self { id, wishes, verdicts, copies, payload, done: None, promised: HashMap::new() }
    }

    /// Adds who hears the results, and the room that was promised until then.
    pub(super) fn with(self, done: Done, promised: HashMap<AccountId, Reservation>) -> Self {
        Self { done: Some(done), promised, ..self }
    }

    /// Ends with the same failure for every recipient that had none yet.
    fn fail(self, failure: &Failure) {
        // The staged copies go before anybody hears of it.
        drop(self.copies);
        let results = self.verdicts.into_iter().map(|verdict| Err(verdict.err().unwrap_or_else(|| failure.clone())));
        if let Some(done) = self.done {
            done(results.collect());
        }
    }
}

/// Messages that wait for the log.
#[derive(Default)]
pub(super) struct Gathering {
    ready: Vec<Ready>,
    led: bool,
}

impl Gathering {
    /// The next group; none: nobody leads any more.
    fn group(&mut self) -> Option<Vec<Ready>> {
        let mut octets = 0;
        let fits = |ready: &Ready| {
            octets += ready.payload.len();
            octets <= GROUP
        };
        let count = self.ready.iter().map(fits).take_while(|fits| *fits).count().max(1).min(self.ready.len());
        self.led = count > 0;
        self.led.then(|| self.ready.drain(..count).collect())
    }
}

impl Core {
    /// Takes a message to the log, alone or with others.
    pub(super) fn join(self: &Arc<Self>, ready: Ready, abandon: &Abandon) {
        if abandon.is_set() {
            return ready.fail(&Failure::Io("its client waits no longer".into()));
        }
        {
            let mut gathering = self.gathering.lock().unwrap_or_else(PoisonError::into_inner);
            gathering.ready.push(ready);
            if gathering.led {
                return;
            }
            gathering.led = true;
        }
        self.lead();
    }

    fn lead(self: &Arc<Self>) {
        let next = || self.gathering.lock().unwrap_or_else(PoisonError::into_inner).group();
        let mut group = next();
        while let Some(ready) = group {
            let mut jobs = self.commit(ready);
            group = next();
            // The last one is ours, unless others wait to be led.
            let own = if group.is_none() { jobs.pop() } else { None };
            self.hands.hurry(jobs.into_iter());
            if let Some(own) = own {
                own();
            }
        }
    }

    /// Writes a group to the log. What is left to do for each of its messages.
    fn commit(self: &Arc<Self>, group: Vec<Ready>) -> Vec<Job> {
        let payloads: Vec<&[u8]> = group.iter().map(|ready| ready.payload.as_slice()).collect();
        match self.log.append(&payloads) {
            Ok(tickets) => group.into_iter().zip(tickets).map(|(ready, ticket)| self.publishing(ready, ticket)).collect(),
            Err(error) => {
                let failure = Failure::from(error);
                let failing = |ready: Ready| -> Job {
                    let failure = failure.clone();
                    Box::new(move || ready.fail(&failure))
                };
                group.into_iter().map(failing).collect()
            }
        }
    }

    fn publishing(self: &Arc<Self>, ready: Ready, ticket: Ticket) -> Job {
        let core = Arc::clone(self);
        Box::new(move || core.publish(ready, ticket))
    }

    /// Makes the copies of an accepted message visible. Whatever fails now, the message is not lost.
    fn publish(&self, ready: Ready, ticket: Ticket) {
        let Ready { id, wishes, verdicts, copies, payload, done, promised } = ready;
        drop(payload);
        let mut places = Places::new();
        let mut failed: Vec<(Destination, io::Error)> = Vec::new();
        for (to, mut copy) in copies {
            let shown = self.visits.begin(to.id).map_err(PublishError::Hidden).and_then(|_visit| copy.publish());
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
        if let Some(done) = done {
            done(results(id, &wishes, verdicts, &places));
        }
    }
}

impl Core {
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
