//! One session a mailbox (RFC 1939 §4): who has which. A [`Hold`] gives itself back when dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::directory::AccountId;

/// Who has a mailbox, and since when.
#[derive(Debug, Clone)]
struct Holder {
    client: Arc<str>,
    since: Instant,
}

/// The mailboxes that sessions have.
#[derive(Debug, Default)]
pub struct Mailboxes {
    held: Mutex<HashMap<AccountId, Holder>>,
}

/// A mailbox that is one session's.
#[derive(Debug)]
pub struct Hold {
    mailboxes: Arc<Mailboxes>,
    id: AccountId,
}

/// Another session has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    /// Its client.
    pub client: Arc<str>,
    /// For how long.
    pub time: Duration,
}

impl Mailboxes {
    /// Takes a mailbox, unless somebody has it.
    pub fn take(self: &Arc<Self>, id: AccountId, client: &Arc<str>, now: Instant) -> Result<Hold, InUse> {
        let mut held = self.held();
        if let Some(holder) = held.get(&id) {
            return Err(InUse { client: Arc::clone(&holder.client), time: now.saturating_duration_since(holder.since) });
        }
        held.insert(id, Holder { client: Arc::clone(client), since: now });
        Ok(Hold { mailboxes: Arc::clone(self), id })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<AccountId, Holder>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.mailboxes.held().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_one_sessions_until_that_ends() {
        let (mailboxes, now) = (Arc::new(Mailboxes::default()), Instant::now());
        let (one, two): (Arc<str>, Arc<str>) = ("192.0.2.1".into(), "192.0.2.2".into());
        let hold = mailboxes.take(AccountId(1), &one, now).unwrap();
        let second = mailboxes.take(AccountId(1), &two, now + Duration::from_secs(3));
        assert_eq!(second.unwrap_err(), InUse { client: one, time: Duration::from_secs(3) });
        assert!(mailboxes.take(AccountId(2), &two, now).is_ok());
        drop(hold);
        assert!(mailboxes.take(AccountId(1), &two, now).is_ok());
    }
}
