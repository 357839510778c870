//! Which clients have waited for the greeting so often that they need not be tested again.
//!
//! The test is of programs: one that waits does so each time, and a system that brings each message over a connection of its own
//! would pay for the test with each of them. Who talks first is tested from then on, until it has waited as often again. A client is a
//! [`Network`]; the table has a fixed size, and of two clients that meet in one place the later is tested as if it were new.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::mail::Network;

/// Greetings in a row that prove a client's patience.
const ENOUGH: u64 = 50;

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
    /// Whether the client has waited often enough.
    pub fn is_proven(&self, client: Network) -> bool {
        self.count(client) >= ENOUGH
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

    #[test]
    fn who_has_waited_often_is_proven_until_it_talks_first() {
        let patience = Patience::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|client| Network::of(client.parse().unwrap()));
        for _ in 0..ENOUGH {
            assert!(!patience.is_proven(one));
            patience.waited(one);
        }
        for _ in 0..70_000 {
            patience.waited(one);
        }
        assert!(patience.is_proven(one) && !patience.is_proven(other));
        patience.talked(one);
        assert!(!patience.is_proven(one));
        patience.waited(one);
        assert!(!patience.is_proven(one));
    }
}
