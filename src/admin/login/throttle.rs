//! Slower and slower answers to guesses: by client address, and by name.
//!
//! An address that keeps failing waits up to minutes. A name waits seconds at most, so that nobody can lock its owner out.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures that are free: people mistype.
const FREE: u32 = 5;

/// The longest wait of an address.
const ADDRESS_WAIT: Duration = Duration::from_secs(300);

/// The longest wait of a name.
const NAME_WAIT: Duration = Duration::from_secs(8);

/// After so long without a failure, all is forgotten.
const MEMORY: Duration = Duration::from_secs(3600);

/// Addresses, and names, remembered: bounded whatever the peers do.
const REMEMBERED: usize = 10_000;

/// What failed lately.
#[derive(Default)]
pub struct Throttle {
    addresses: Failures<u64>,
    names: Failures<String>,
}

impl Throttle {
    /// Whether an attempt may be made now; if not, how long to wait.
    pub fn check(&self, from: IpAddr, name: &str, now: Instant) -> Result<(), Duration> {
        let wait = self.addresses.wait(&network(from), now, ADDRESS_WAIT).max(self.names.wait(&name.to_owned(), now, NAME_WAIT));
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// Notes a failure.
    pub fn failed(&self, from: IpAddr, name: &str, now: Instant) {
        self.addresses.note(network(from), now);
        self.names.note(name.to_owned(), now);
    }

    /// Forgets the failures of somebody who got in.
    pub fn succeeded(&self, from: IpAddr, name: &str) {
        self.addresses.forget(&network(from));
        self.names.forget(&name.to_owned());
    }
}

/// An address, or the /64 that one IPv6 client has to itself.
fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).unwrap_or(u64::MAX),
    }
}

struct Failures<K>(Mutex<HashMap<K, (u32, Instant)>>);

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq> Failures<K> {
    fn wait(&self, key: &K, now: Instant, longest: Duration) -> Duration {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((count, last)) = failures.get(key) else { return Duration::ZERO };
        let Some(over) = count.checked_sub(FREE) else { return Duration::ZERO };
        let wait = Duration::from_secs(1 << over.min(16)).min(longest);
        (*last + wait).saturating_duration_since(now)
    }

    fn note(&self, key: K, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED && !failures.contains_key(&key) {
            failures.retain(|_, (_, last)| now.saturating_duration_since(*last) < MEMORY);
            let oldest = failures.values().map(|(_, last)| *last).min();
            if failures.len() >= REMEMBERED {
                failures.retain(|_, (_, last)| Some(*last) != oldest);
            }
        }
        let (count, last) = failures.entry(key).or_insert((0, now));
        *count = if now.saturating_duration_since(*last) < MEMORY { count.saturating_add(1) } else { 1 };
        *last = now;
    }

    fn forget(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn an_address_that_keeps_guessing_waits_longer_and_longer() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let mut waits = Vec::new();
        for number in 0..14 {
            throttle.failed(ONE, &format!("name{number}"), now);
            waits.push(throttle.check(ONE, "another", now).err().unwrap_or_default().as_secs());
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(throttle.check(OTHER, "another", now), Ok(()));
        assert_eq!(throttle.check(ONE, "another", now + ADDRESS_WAIT), Ok(()));
        throttle.succeeded(ONE, "another");
        assert_eq!(throttle.check(ONE, "another", now), Ok(()));
    }

    #[test]
    fn a_name_waits_seconds_only_wherever_the_guesses_come_from() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for last in 1..=50 {
            throttle.failed(IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, last)), "admin", now);
        }
        assert_eq!(throttle.check(ONE, "admin", now), Err(NAME_WAIT));
        assert_eq!(throttle.check(ONE, "other", now), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..=REMEMBERED as u64 + 5 {
            throttle.failed(ONE, &number.to_string(), now + Duration::from_millis(number));
        }
        assert!(throttle.names.0.lock().unwrap().len() <= REMEMBERED);
    }
}
