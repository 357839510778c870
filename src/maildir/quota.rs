//! How much a mailbox holds, and who has been promised room in it.
//!
//! Usage is kept in memory per account: filled from the `S=` of file names when it is first asked for, added to by our
//! own deliveries, and read again when the times of `new` or `cur` say that another program was there. A program that
//! deletes within the same clock tick as one of our deliveries is noticed at the next change.
//!
//! Of accounts that nothing was asked of lately, the usage is forgotten, and counted anew when it is asked for.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::recently::Recently;
use super::{Maildirs, name};
use crate::directory::{AccountId, UNLIMITED};
use crate::mail::Name;
use crate::router::Destination;
use crate::sys::{Disk, Kind};

/// What a mailbox holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Octets (the `S=` of each file).
    pub octets: u64,
    /// Messages.
    pub messages: u64,
}

/// Why room was not promised.
#[derive(Debug, thiserror::Error)]
pub enum NoRoom {
    /// The quota does not allow it.
    #[error("the mailbox is full")]
    Full,
    /// The mailbox cannot be read.
    #[error("the mailbox cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// The times of `new` and `cur`.
type Times = (SystemTime, SystemTime);

#[derive(Debug, Default)]
struct Account {
    usage: Usage,
    reserved: u64,
    seen: Option<Times>,
}

/// Accounts whose usage has been asked for lately, and those with promises.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<Recently<Arc<Mutex<Account>>>>);

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Accounts {
    fn account(&self, id: AccountId) -> Arc<Mutex<Account>> {
        // One that somebody holds has promises, or will: another count beside it would not know of them.
        held(&self.0).get_or_default(id, |account| Arc::strong_count(account) > 1).clone()
    }

    pub(super) fn forget(&self, id: AccountId) {
        held(&self.0).remove(id);
    }

    /// What was known of an account's usage is no longer true.
    pub(super) fn recount(&self, id: AccountId) {
        held(&self.account(id)).seen = None;
    }

    /// Counts a delivery that `publish` makes visible, if the usage is known and nobody else has been there.
    pub(super) fn adding(
        &self,
        id: AccountId,
        modified: impl Fn() -> io::Result<SystemTime>,
        octets: u64,
        publish: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let account = self.account(id);
        let mut account = held(&account);
        let untouched = match account.seen {
            Some((new, _)) => modified().is_ok_and(|now| now == new),
            None => false,
        };
        publish()?;
        account.seen = match account.seen {
            Some((_, cur)) if untouched => modified().ok().map(|new| (new, cur)),
            _ => None,
        };
        account.usage.octets += octets;
        account.usage.messages += 1;
        Ok(())
    }
}

/// Octets promised to a transaction under way; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    account: Arc<Mutex<Account>>,
    octets: u64,
    quota: u64,
}

impl Reservation {
    /// Asks for room for `octets` in place of what was promised.
    pub fn resize(&mut self, octets: u64) -> Result<(), NoRoom> {
        let mut account = held(&self.account);
        let others = account.reserved.saturating_sub(self.octets);
        if account.usage.octets.saturating_add(others).saturating_add(octets) > self.quota {
            return Err(NoRoom::Full);
        }
        account.reserved = others.saturating_add(octets);
        self.octets = octets;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut account = held(&self.account);
        account.reserved = account.reserved.saturating_sub(self.octets);
    }
}

impl Maildirs {
    /// The quota of accounts that have none of their own; none means unlimited. Messages whose recipients were accepted
    /// before keep what they were promised.
    pub fn set_default_quota(&self, quota: Option<u64>) {
        self.default_quota.store(quota.unwrap_or(UNLIMITED), Ordering::Relaxed);
    }

    /// What a mailbox holds; nothing if it was never used.
    pub fn usage(&self, id: AccountId, name: &Name) -> io::Result<Usage> {
        let _visit = self.visit(id)?;
        // A listing of a million imported accounts must not make a million Maildirs.
        if !self.is_made(id, name)? {
            return Ok(Usage::default());
        }
        let account = self.accounts.account(id);
        let mut account = held(&account);
        self.refresh(&mut account, id, name)?;
        Ok(account.usage)
    }

    /// Promises room for `octets`, so that parallel deliveries cannot overrun the quota; nothing to promise where there
    /// is no quota.
    pub fn reserve(&self, to: &Destination, octets: u64) -> Result<Option<Reservation>, NoRoom> {
        let quota = to.quota.unwrap_or_else(|| self.default_quota.load(Ordering::Relaxed));
        if quota == UNLIMITED {
            return Ok(None);
        }
        let _visit = self.visit(to.id)?;
        let account = self.accounts.account(to.id);
        self.refresh(&mut held(&account), to.id, &to.name)?;
        let mut reservation = Reservation { account, octets: 0, quota };
        // Without a SIZE at least one octet is asked for, so that a full mailbox says so at RCPT.
        reservation.resize(octets.max(1))?;
        Ok(Some(reservation))
    }

    fn refresh(&self, account: &mut Account, id: AccountId, name: &Name) -> io::Result<()> {
        let folder = self.folder(id, name)?;
        let (new, cur) = (folder.join("new"), folder.join("cur"));
        let times = || Ok::<_, io::Error>((self.disk.modified(&new)?, self.disk.modified(&cur)?));
        let before = times()?;
        if account.seen == Some(before) {
            return Ok(());
        }
        let mut usage = Usage::default();
        for part in [&new, &cur] {
            count(&*self.disk, part, &mut usage)?;
        }
        account.usage = usage;
        account.seen = Some(before);
        Ok(())
    }
}

fn count(disk: &dyn Disk, folder: &Path, usage: &mut Usage) -> io::Result<()> {
    for (file, kind) in disk.list(folder)? {
        if kind != Kind::File || file.starts_with('.') {
            continue;
        }
        let size = match name::size(&file) {
            Some(size) => size,
            None => match disk.len(&folder.join(&file)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            },
        };
        usage.octets += size;
        usage.messages += 1;
    }
    Ok(())
}
