//! Mailboxes that do not answer: a file system that hangs keeps the threads that touch it, so no more of them are sent there.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Maildirs;
use crate::directory::AccountId;

/// How long a mailbox may keep one thread before it gets no other.
const PATIENCE: Duration = Duration::from_secs(2);

/// Mailboxes that somebody is at: since when, and how many.
#[derive(Default)]
pub(super) struct Visits(Mutex<HashMap<AccountId, (Instant, usize)>>);

/// A visit to a mailbox.
pub struct Visit<'a> {
    visits: &'a Visits,
    id: AccountId,
}

impl Maildirs {
    /// Begins a visit to a mailbox, unless an earlier one does not end. For whoever reads or writes there and must not wait
    /// for it for ever.
    pub fn visit(&self, id: AccountId) -> io::Result<Visit<'_>> {
        self.visits.begin(id)
    }
}

impl Visits {
    fn begin(&self, id: AccountId) -> io::Result<Visit<'_>> {
        let mut visits = self.held();
        let (since, count) = visits.entry(id).or_insert_with(|| (Instant::now(), 0));
        if since.elapsed() > PATIENCE {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the mailbox does not answer: an earlier visit to it hangs"));
        }
        *count += 1;
        drop(visits);
        Ok(Visit { visits: self, id })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<AccountId, (Instant, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let mut visits = self.visits.held();
        if let Some((since, count)) = visits.get_mut(&self.id) {
            // Somebody got through.
            *since = Instant::now();
            *count -= 1;
            if *count == 0 {
                visits.remove(&self.id);
            }
        }
    }
}
