//! What is known of accounts that were asked about lately: bounded, however many accounts there are.
//!
//! Two halves: what is asked for moves to the newer one, and when that is full, the older one is forgotten. So between [`HALF`]
//! and twice as many accounts are known (and those that have to be kept), and nothing is forgotten before [`HALF`] others
//! were asked about.

use std::collections::HashMap;
use std::mem;

use crate::directory::AccountId;

/// Accounts of one half. What is known of one takes about 200 octets.
const HALF: usize = 1 << 15;

/// Values by account.
#[derive(Debug)]
pub(super) struct Recently<V> {
    newer: HashMap<AccountId, V>,
    older: HashMap<AccountId, V>,
    /// The size at which the newer half becomes the older one.
    full: usize,
}

impl<V> Default for Recently<V> {
    fn default() -> Self {
        Self { newer: HashMap::new(), older: HashMap::new(), full: HALF }
    }
}

impl<V> Recently<V> {
    /// What is known, without counting as a question.
    pub(super) fn peek(&self, id: AccountId) -> Option<&V> {
        self.newer.get(&id).or_else(|| self.older.get(&id))
    }

    /// Whether a question would have to move what is known, or finds nothing.
    pub(super) fn is_old(&self, id: AccountId) -> bool {
        !self.newer.contains_key(&id)
    }

    /// What is known from now on. What is old and must be `kept` is not forgotten.
    pub(super) fn set(&mut self, id: AccountId, value: V, kept: impl Fn(&V) -> bool) {
        self.older.remove(&id);
        if self.newer.len() >= self.full && !self.newer.contains_key(&id) {
            let forgotten = mem::replace(&mut self.older, mem::take(&mut self.newer));
            self.newer.extend(forgotten.into_iter().filter(|(_, value)| kept(value)));
            self.full = self.newer.len() + HALF;
        }
        self.newer.insert(id, value);
    }

    /// Nothing is known from now on.
    pub(super) fn remove(&mut self, id: AccountId) -> Option<V> {
        let (newer, older) = (self.newer.remove(&id), self.older.remove(&id));
        newer.or(older)
    }
}

impl<V: Default + Clone> Recently<V> {
    /// What is known, or else nothing yet.
    pub(super) fn get_or_default(&mut self, id: AccountId, kept: impl Fn(&V) -> bool) -> V {
        if let Some(value) = self.newer.get(&id) {
            return value.clone();
        }
        let value = self.older.remove(&id).unwrap_or_default();
        self.set(id, value.clone(), kept);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let mut known = Recently::default();
        known.set(AccountId(0), 7, |_| false);
        known.set(AccountId(1), 8, |_| false);
        for id in 2..10 * HALF as u64 {
            known.set(AccountId(id), 1, |value| *value == 8);
            assert_eq!(known.get_or_default(AccountId(0), |_| false), 7);
        }
        assert_eq!(known.peek(AccountId(0)), Some(&7), "it was asked for all the time");
        assert_eq!(known.peek(AccountId(1)), Some(&8), "it had to be kept");
        assert_eq!(known.peek(AccountId(2)), None);
        assert!(known.newer.len() + known.older.len() <= 2 * HALF + 1);
        assert_eq!(known.remove(AccountId(0)), Some(7));
        assert!(known.is_old(AccountId(0)) && known.peek(AccountId(0)).is_none());
    }
}
