//! Which clients have waited for the greeting so often that they need not be tested again.
//!
//! The test is of programs: one that waits does so each time, and a system that brings each message over a connection of its own
//! would pay for the test with each of them. So it is tested now and then, and who talks first is tested from then on, until it has
//! waited as often again. A client is a [`Network`]; the table has a fixed size, and of two clients that meet in one place the later is
//! tested as if it were new.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::mail::Network;

/// Greetings in a row that prove a client's patience.
const ENOUGH: u64 = 50;

/// Greetings that a proven client gets without a test, before the next with one.
const SPARED: u64 = 50;

/// Clients that are remembered, at most.
const PLACES: usize = 4096;

/// The part of a place that says whose it is; the rest is the count.
const WHOSE: u64 = !0xffff;

/// Who has waited, and how often.
pub struct Patience {
    places: Box<[AtomicU64]>,
    hashes: RandomState,
}

impl Default for Patience {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| AtomicU64::default()).collect(), hashes: RandomState::new() }
    }
}

impl Patience {
    /// Whether the client need not be tested this time.
    pub fn spares(&self, client: Network) -> bool {
        let count = self.count(client);
        if count >= ENOUGH {
            self.note(client, if count < ENOUGH + SPARED - 1 { count + 1 } else { ENOUGH - 1 });
        }
        count >= ENOUGH
    }

    /// It has waited once more.
    pub fn waited(&self, client: Network) {
        // Two that count at the same time count once: it takes one more, then.
        self.note(client, (self.count(client) + 1).min(ENOUGH));
    }

    /// It has not.
    pub fn talked(&self, client: Network) {
        self.note(client, 0);
    }

    fn count(&self, client: Network) -> u64 {
        let (place, whose) = self.place(client);
        let held = place.map_or(0, |place| place.load(Ordering::Relaxed));
        if held & WHOSE == whose { held & !WHOSE } else { 0 }
    }

    fn note(&self, client: Network, count: u64) {
        if let (Some(place), whose) = self.place(client) {
            place.store(whose | count, Ordering::Relaxed);
        }
    }

    fn place(&self, client: Network) -> (Option<&AtomicU64>, u64) {
        let hash = self.hashes.hash_one(client);
        (self.places.get(hash as usize % PLACES), hash & WHOSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clients that do not meet in one place.
    fn clients(patience: &Patience) -> [Network; 2] {
        let mut all = (1..).map(|last| Network::of([192, 0, 2, last].into()));
        let one = all.next().unwrap();
        let place = |client| patience.hashes.hash_one(client) as usize % PLACES;
        [one, all.find(|&other| place(other) != place(one)).unwrap()]
    }

    #[test]
    fn who_has_waited_often_is_spared_until_it_talks_first() {
        let patience = Patience::default();
        let [one, other] = clients(&patience);
        for _ in 0..ENOUGH {
            assert!(!patience.spares(one));
            patience.waited(one);
        }
        for _ in 0..70_000 {
            patience.waited(one);
        }
        assert!(patience.spares(one) && !patience.spares(other));
        patience.talked(one);
        assert!(!patience.spares(one));
        patience.waited(one);
        assert!(!patience.spares(one));
    }

    #[test]
    fn who_is_spared_is_tested_now_and_then() {
        let patience = Patience::default();
        let [one, _] = clients(&patience);
        (0..ENOUGH).for_each(|_| patience.waited(one));
        for _ in 0..3 {
            assert_eq!((0..SPARED).filter(|_| patience.spares(one)).count() as u64, SPARED);
            assert!(!patience.spares(one) && !patience.spares(one), "tested until it has waited");
            patience.waited(one);
        }
    }
}
