//! Passwords that were verified a short while ago, and credentials that hold once.
//!
//! What is kept is a keyed digest of password and stored hash together: it tells nothing without the key, which never leaves
//! the process, and fits no more when the stored hash is another. So a changed password voids it at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac;
use ring::rand::SystemRandom;

use crate::directory::model::{Kind, PasswordHash};
use crate::directory::password;
use crate::mail::{Name, Network, Secret};

/// How long a verified password need not be verified again.
const LIFE: Duration = Duration::from_secs(600);

/// How long a credential for one login holds.
const ONCE: Duration = Duration::from_secs(60);

/// Accounts remembered: some 20 MB.
const REMEMBERED: usize = 100_000;

/// Whose password it is.
pub type Whose = (Kind, Name);

struct Entry {
    tag: hmac::Tag,
    until: Instant,
    from: Option<Network>,
}

/// What this process remembers of logins.
pub struct Verified {
    key: hmac::Key,
    entries: Mutex<HashMap<Whose, Entry>>,
    once: Mutex<HashMap<Name, Vec<(hmac::Tag, Instant)>>>,
}

impl Verified {
    /// Nothing is remembered yet.
    pub fn new() -> std::io::Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let key = key.map_err(|_| std::io::Error::other("the system has no random numbers"))?;
        Ok(Self { key, entries: Mutex::default(), once: Mutex::default() })
    }

    /// Remembers a password that fits its hash.
    pub fn note(&self, whose: Whose, hash: &PasswordHash, secret: &Secret, from: Option<Network>, now: Instant) {
        let tag = hmac::sign(&self.key, &message(hash, secret));
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= REMEMBERED {
            entries.retain(|_, entry| entry.until > now);
        }
        if entries.len() >= REMEMBERED {
            // All verify once more: better than a table that grows.
            entries.clear();
        }
        entries.insert(whose, Entry { tag, until: now + LIFE, from });
    }

    /// Whether this password is known to fit this hash.
    pub fn holds(&self, whose: &Whose, hash: &PasswordHash, secret: &Secret, now: Instant) -> bool {
        let tag = {
            let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(entry) = entries.get(whose).filter(|entry| entry.until > now) else { return false };
            entry.tag
        };
        hmac::verify(&self.key, &message(hash, secret), tag.as_ref()).is_ok()
    }

    /// Whether the account's owner has logged in from there a short while ago.
    pub fn knows(&self, whose: &Whose, from: Option<Network>, now: Instant) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(whose).is_some_and(|entry| entry.until > now && entry.from == from)
    }

    /// A credential for one login to a POP account, soon. It never leaves the server.
    pub fn issue(&self, name: &Name, now: Instant) -> Secret {
        let secret = password::generate();
        let tag = hmac::sign(&self.key, secret.expose().as_bytes());
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        once.retain(|_, issued| {
            issued.retain(|(_, until)| *until > now);
            !issued.is_empty()
        });
        once.entry(name.clone()).or_default().push((tag, now + ONCE));
        secret
    }

    /// Whether it is a credential that was issued for this account; from then on it is none.
    pub fn redeem(&self, name: &Name, secret: &Secret, now: Instant) -> bool {
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(issued) = once.get_mut(name) else { return false };
        let fits =
            |(tag, until): &(hmac::Tag, Instant)| *until > now && hmac::verify(&self.key, secret.expose().as_bytes(), tag.as_ref()).is_ok();
        issued.iter().position(fits).map(|place| issued.swap_remove(place)).is_some()
    }
}

fn message(hash: &PasswordHash, secret: &Secret) -> zeroize::Zeroizing<Vec<u8>> {
    // A hash holds no NUL, so that no two pairs make the same message.
    let mut message = zeroize::Zeroizing::new(Vec::with_capacity(hash.0.len() + 1 + secret.expose().len()));
    message.extend_from_slice(hash.0.as_bytes());
    message.push(0);
    message.extend_from_slice(secret.expose().as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(name: &str) -> Whose {
        (Kind::Pop, Name::parse(name).unwrap())
    }

    #[test]
    fn a_verified_password_holds_for_its_account_and_its_hash_and_for_a_while() {
        let (verified, now) = (Verified::new().unwrap(), Instant::now());
        let (hash, other) = (PasswordHash("$hash".into()), PasswordHash("$other".into()));
        let (secret, wrong) = (Secret::given("secret".into()), Secret::given("wrong".into()));
        let here = Some(Network::of([192, 0, 2, 1].into()));
        verified.note(whose("alice"), &hash, &secret, here, now);
        assert!(verified.holds(&whose("alice"), &hash, &secret, now));
        assert!(verified.knows(&whose("alice"), here, now) && !verified.knows(&whose("alice"), None, now));
        assert!(!verified.holds(&whose("alice"), &other, &secret, now), "the password was changed");
        assert!(!verified.holds(&whose("alice"), &hash, &wrong, now));
        assert!(!verified.holds(&whose("bob"), &hash, &secret, now));
        assert!(!verified.holds(&(Kind::Master, whose("alice").1), &hash, &secret, now));
        assert!(!verified.holds(&whose("alice"), &hash, &secret, now + LIFE));
    }

    #[test]
    fn memory_is_bounded() {
        let (verified, now) = (Verified::new().unwrap(), Instant::now());
        for number in 0..=REMEMBERED {
            verified.note(whose(&number.to_string()), &PasswordHash(String::new()), &Secret::given(String::new()), None, now);
        }
        assert!(verified.entries.lock().unwrap().len() <= REMEMBERED);
    }

    #[test]
    fn an_issued_credential_holds_once() {
        let (verified, now) = (Verified::new().unwrap(), Instant::now());
        let (alice, bob) = (whose("alice").1, whose("bob").1);
        let (one, two) = (verified.issue(&alice, now), verified.issue(&alice, now));
        assert!(!verified.redeem(&bob, &one, now));
        assert!(verified.redeem(&alice, &one, now) && !verified.redeem(&alice, &one, now));
        assert!(!verified.redeem(&alice, &two, now + ONCE));
    }
}
