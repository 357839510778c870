//! Failed logins, counted by name and by client address: who fails waits, and who fails often is refused for a while.
//!
//! A count drains with time. Counts lie in tables of a fixed size under keyed digests, so that neither many names nor
//! many addresses take memory; two that share a place share a count, and nobody can choose with whom. Loopback
//! addresses are not counted: a webmail or a proxy there speaks for many.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::mail::Network;

/// The limits for a kind of key.
struct Limit {
    /// Failures after which it is refused.
    most: f64,
    /// The time in which one failure is forgotten.
    forgotten: Duration,
}

/// An owner who has forgotten a password tries less; a guesser is left one try in half a minute, 2,880 a day.
const BY_NAME: Limit = Limit { most: 20.0, forgotten: Duration::from_secs(30) };

/// Behind one address may be an office.
const BY_ADDRESS: Limit = Limit { most: 100.0, forgotten: Duration::from_secs(6) };

/// How long the first failure waits for its reply; it doubles with each, to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Failures of an address that weigh like one of a name.
const ADDRESS_WEIGHT: f64 = 5.0;

/// Places in a table: 512 KiB each.
const PLACES: usize = 1 << 16;

struct Table {
    limit: Limit,
    /// Since when the seconds of `forgotten_at` run.
    start: Instant,
    /// When each place's failures are all forgotten, in seconds. Zeros, so that what nobody has failed in takes no memory.
    forgotten_at: Mutex<Vec<f64>>,
}

impl Table {
    fn new(limit: Limit, now: Instant) -> Self {
        Self { limit, start: now, forgotten_at: Mutex::new(vec![0.0; PLACES]) }
    }

    /// Failures that are not forgotten yet, after `more` of them.
    fn count(&self, place: u64, more: f64, now: Instant) -> f64 {
        let mut forgotten_at = self.forgotten_at.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = forgotten_at.get_mut(usize::try_from(place).unwrap_or_default() % PLACES) else { return 0.0 };
        let (now, each) = (now.saturating_duration_since(self.start).as_secs_f64(), self.limit.forgotten.as_secs_f64());
        let count = (*at - now).max(0.0) / each + more;
        if more > 0.0 {
            *at = now + count * each;
        }
        count
    }

    /// How long until one more is allowed.
    fn wait(&self, place: u64, now: Instant) -> Option<Duration> {
        let over = self.count(place, 0.0, now) - (self.limit.most - 1.0);
        (over > 0.0).then(|| self.limit.forgotten.mul_f64(over))
    }
}

/// The counts of one server.
pub struct Failures {
    keys: RandomState,
    names: Table,
    addresses: Table,
}

/// Whom a login is counted by.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    name: u64,
    address: Option<u64>,
}

/// What a failure leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failed {
    /// How long its reply waits.
    pub pause: Duration,
    /// It was the one that met the limit: further logins of this name are refused for a while.
    pub name_limited: bool,
    /// The same, of this address.
    pub address_limited: bool,
}

/// Which limit a login met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// That of its name.
    Name(Duration),
    /// That of its address.
    Address(Duration),
}

impl Failures {
    /// Nobody has failed yet.
    pub fn new(now: Instant) -> Self {
        Self { keys: RandomState::new(), names: Table::new(BY_NAME, now), addresses: Table::new(BY_ADDRESS, now) }
    }

    /// Whom a login is counted by.
    pub fn keys(&self, name: impl Hash, client: Option<IpAddr>) -> Keys {
        let address = client.filter(|client| !client.to_canonical().is_loopback()).map(|client| self.keys.hash_one(Network::of(client)));
        Keys { name: self.keys.hash_one(name), address }
    }

    /// Whether one more login may be looked at.
    pub fn check(&self, keys: Keys, now: Instant) -> Result<(), Limited> {
        if let Some(wait) = keys.address.and_then(|address| self.addresses.wait(address, now)) {
            return Err(Limited::Address(wait));
        }
        self.names.wait(keys.name, now).map_or(Ok(()), |wait| Err(Limited::Name(wait)))
    }

    /// Counts a failure.
    pub fn note(&self, keys: Keys, now: Instant) -> Failed {
        let by_name = self.names.count(keys.name, 1.0, now);
        let by_address = keys.address.map_or(0.0, |address| self.addresses.count(address, 1.0, now));
        let just = |count: f64, limit: &Limit| count > limit.most - 1.0 && count <= limit.most;
        let doublings = by_name.max(by_address / ADDRESS_WEIGHT) - 1.0;
        let pause = PAUSES.0.mul_f64(doublings.clamp(0.0, 10.0).exp2()).min(PAUSES.1);
        Failed { pause, name_limited: just(by_name, &BY_NAME), address_limited: just(by_address, &BY_ADDRESS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Option<IpAddr> {
        Some([192, 0, 2, last].into())
    }

    #[test]
    fn a_name_that_fails_waits_longer_each_time_and_is_refused_then() {
        let now = Instant::now();
        let failures = Failures::new(now);
        let pauses: Vec<u128> = (0..20).map(|last| failures.note(failures.keys("alice", client(last)), now).pause.as_millis()).collect();
        assert_eq!(pauses[..6], [200, 400, 800, 1600, 3200, 5000]);
        let alice = failures.keys("alice", client(99));
        assert_eq!(failures.check(alice, now), Err(Limited::Name(Duration::from_secs(30))));
        assert_eq!(failures.check(failures.keys("bob", client(99)), now), Ok(()), "others are not concerned");
        assert_eq!(failures.check(alice, now + Duration::from_secs(30)), Ok(()), "one is forgotten");
        assert!(failures.note(alice, now + Duration::from_secs(30)).name_limited);
        assert!(failures.check(alice, now + Duration::from_secs(31)).is_err());
        assert_eq!(failures.note(alice, now + Duration::from_secs(3600)).pause.as_millis(), 200, "all are forgotten");
    }

    #[test]
    fn an_address_that_fails_with_many_names_is_refused() {
        let now = Instant::now();
        let failures = Failures::new(now);
        let limited = (0..100).filter(|name| failures.note(failures.keys(name, client(1)), now).address_limited).count();
        assert_eq!(limited, 1, "it is said once");
        assert!(matches!(failures.check(failures.keys("new", client(1)), now), Err(Limited::Address(_))));
        assert_eq!(failures.check(failures.keys("new", client(2)), now), Ok(()));
    }

    #[test]
    fn loopback_speaks_for_many() {
        let now = Instant::now();
        let failures = Failures::new(now);
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let address = address.parse().ok();
            let limited = (0..200).any(|name| failures.note(failures.keys(name, address), now).address_limited);
            assert!(!limited);
            assert_eq!(failures.check(failures.keys("new", address), now), Ok(()), "{address:?}");
        }
    }
}
