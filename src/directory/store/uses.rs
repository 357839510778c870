//! Use counts of aliases and last logins of accounts: noted in memory, written to families of their own now and then.
//!
//! They lie apart from the aliases and accounts, so counting neither undoes an edit nor makes one fail, and no revision is spent.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use jiff::Timestamp;

use super::Directory;
use super::commit::Batch;
use crate::directory::model::{AccountId, AliasKey, Revision};
use crate::directory::schema::{self, Key, Record, Uses};
use crate::directory::view::Unreadable;

/// Aliases counted between two writes. Beyond that, new ones go uncounted until the next write: the counts are for
/// people who tidy up, and not worth unbounded memory.
const ALIASES: usize = 200_000;

/// Accounts whose logins are noted between two writes, under the same rule.
const ACCOUNTS: usize = 1_000_000;

/// Counts written in one batch.
const BATCH: usize = 1000;

/// Counts not written yet.
#[derive(Default)]
pub struct Counted {
    uses: HashMap<AliasKey, Uses>,
    logins: HashMap<AccountId, Timestamp>,
}

impl Counted {
    /// Counts one use.
    pub fn note(&mut self, alias: &AliasKey, at: Timestamp) {
        if let Some(uses) = self.uses.get_mut(alias) {
            *uses = merged(*uses, Uses { last: at, times: 1 });
        } else if self.uses.len() < ALIASES {
            self.uses.insert(alias.clone(), Uses { last: at, times: 1 });
        }
    }

    /// Notes a login.
    pub fn logged_in(&mut self, account: AccountId, at: Timestamp) {
        if self.logins.len() < ACCOUNTS || self.logins.contains_key(&account) {
            self.logins.entry(account).and_modify(|last| *last = at.max(*last)).or_insert(at);
        }
    }

    /// When an account logged in since the last write.
    pub fn login(&self, account: AccountId) -> Option<Timestamp> {
        self.logins.get(&account).copied()
    }

    /// Takes all logins out.
    pub fn take_logins(&mut self) -> Vec<(AccountId, Timestamp)> {
        std::mem::take(&mut self.logins).into_iter().collect()
    }

    /// Takes all counts out.
    pub fn take(&mut self) -> Vec<(AliasKey, Uses)> {
        std::mem::take(&mut self.uses).into_iter().collect()
    }

    /// Counts on with what could not be written.
    pub fn put_back(&mut self, counts: Vec<(AliasKey, Uses)>) {
        for (alias, uses) in counts {
            self.uses.entry(alias).and_modify(|have| *have = merged(*have, uses)).or_insert(uses);
        }
    }
}

fn merged(a: Uses, b: Uses) -> Uses {
    Uses { last: a.last.max(b.last), times: a.times.saturating_add(b.times) }
}

impl Directory {
    pub(super) fn counted(&self) -> MutexGuard<'_, Counted> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes logins, batch by batch, and takes those written out of `logins`.
    pub(super) fn write_logins(&self, logins: &mut Vec<(AccountId, Timestamp)>) -> Result<(), Unreadable> {
        while !logins.is_empty() {
            let rest = logins.len().saturating_sub(BATCH);
            let state = self.lock();
            let revision = state.revision().max(Revision(1));
            let mut batch = Batch::new(&self.engine)?;
            for (account, last) in logins.iter().skip(rest) {
                // The account may be gone by now, and its login with it.
                if self.engine.get(&Key::id(*account))?.is_some() {
                    batch.put(&Key::login(*account), &Record::Login(*last), revision)?;
                }
            }
            self.engine.write(batch.writes)?;
            drop(state);
            logins.truncate(rest);
        }
        Ok(())
    }

    /// Writes counts, batch by batch, and takes those written out of `counts`.
    pub(super) fn write_counts(&self, counts: &mut Vec<(AliasKey, Uses)>) -> Result<(), Unreadable> {
        while !counts.is_empty() {
            let rest = counts.len().saturating_sub(BATCH);
            let state = self.lock();
            // At least 1, which tells a record from none in a read set.
            let revision = state.revision().max(Revision(1));
            let mut batch = Batch::new(&self.engine)?;
            for (alias, uses) in counts.iter().skip(rest) {
                let key = Key::uses(alias);
                // The alias may be gone by now; its counts go with it.
                if self.engine.get(&Key::alias(alias))?.is_none() {
                    continue;
                }
                let before = self.engine.get(&key)?.map(|bytes| schema::decode(&key, &bytes)).transpose()?;
                let total = match before {
                    Some((_, Record::Uses(before))) => merged(before, *uses),
                    _ => *uses,
                };
                batch.put(&key, &Record::Uses(total), revision)?;
            }
            self.engine.write(batch.writes)?;
            drop(state);
            counts.truncate(rest);
        }
        Ok(())
    }
}
