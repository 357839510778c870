//! Copies that wait for an account which was forgotten for good: they have nowhere to go, and do not wait for ever.

use std::io;
use std::sync::PoisonError;

use super::Spool;
use super::waiting::Entry;
use crate::directory::AccountId;
use crate::telemetry::Event;

impl Spool {
    /// Removes the waiting copies of accounts that are `purged`. Nothing else ever takes an acknowledged copy away, so
    /// each is logged.
    pub fn forget(&self, purged: impl Fn(AccountId) -> bool) -> io::Result<()> {
        let _one_pass = self.core.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        for (file, _) in self.core.disk.list(&self.core.queue)? {
            let Entry::Waiting(waiting) = Entry::of(&file) else { continue };
            if purged(waiting.account) {
                self.core.disk.remove(&self.core.queue.join(&file))?;
                Event::CopyForgotten { id: waiting.id, mailbox: waiting.name.as_str() }.say();
            }
        }
        self.core.disk.sync_folder(&self.core.queue)
    }
}
