//! Use counts of aliases: counted in memory, merged into their own family now and then.
//!
//! They lie apart from the aliases, so counting neither undoes an edit nor makes one fail, and no revision is spent.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use jiff::Timestamp;

use super::Directory;
use super::commit::Batch;
use crate::directory::model::{AliasKey, Revision};
use crate::directory::schema::{self, Key, Record, Uses};
use crate::directory::view::Unreadable;

/// Aliases counted between two writes. Beyond that, new ones go uncounted until the next write: the counts are for
/// people who tidy up, and not worth unbounded memory.
const ALIASES: usize = 200_000;

/// Counts written in one batch.
const BATCH: usize = 1000;

/// Counts not written yet.
#[derive(Default)]
pub struct Counted {
    uses: HashMap<AliasKey, Uses>,
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
