//! Between password and code: masters that have shown the one and not yet the other.
//!
//! In memory, and short: whoever takes too long begins again. Wrong codes are counted for each master, so that somebody who has
//! the password cannot try them all; a step of the authenticator is good once (RFC 6238 §5.2).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::sessions::random_text;
use crate::admin::operations::second::Proof;
use crate::directory::Master;
use crate::mail::Name;

/// How long a code may take.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Wrong codes of one master, of which each further one has to wait for [`PAUSE`] to end.
const WRONG: u32 = 10;

/// How long wrong codes are remembered.
const PAUSE: Duration = Duration::from_secs(15 * 60);

/// Masters between the two.
const WAITING: usize = 1000;

#[derive(Default)]
struct Tries {
    wrong: u32,
    since: Option<Instant>,
    step: u64,
}

/// Everybody who is half inside.
#[derive(Default)]
pub struct Halfway {
    waiting: Mutex<HashMap<String, (Master, Instant)>>,
    tries: Mutex<HashMap<Name, Tries>>,
}

impl Halfway {
    /// The password was right; gives what the code is to come with.
    pub fn begin(&self, master: Master, now: Instant) -> String {
        let token = random_text();
        let mut waiting = lock(&self.waiting);
        waiting.retain(|_, (_, begun)| now.saturating_duration_since(*begun) < PATIENCE);
        if waiting.len() < WAITING {
            waiting.insert(token.clone(), (master, now));
        }
        token
    }

    /// Whose code is to come with that.
    pub fn find(&self, token: &str, now: Instant) -> Option<Master> {
        let waiting = lock(&self.waiting);
        waiting.get(token).filter(|(_, begun)| now.saturating_duration_since(*begun) < PATIENCE).map(|(master, _)| master.clone())
    }

    /// The code has come.
    pub fn end(&self, token: &str) {
        lock(&self.waiting).remove(token);
    }

    /// How long the next try of a master has to wait.
    pub fn wait(&self, name: &Name, now: Instant) -> Option<Duration> {
        let tries = lock(&self.tries);
        let tried = tries.get(name).filter(|tried| tried.wrong >= WRONG)?;
        PAUSE.checked_sub(now.saturating_duration_since(tried.since?)).filter(|left| !left.is_zero())
    }

    /// A code was wrong.
    pub fn wrong(&self, name: &Name, now: Instant) {
        let mut tries = lock(&self.tries);
        let tried = tries.entry(name.clone()).or_default();
        if tried.since.is_none_or(|since| now.saturating_duration_since(since) >= PAUSE) {
            (tried.wrong, tried.since) = (0, Some(now));
        }
        tried.wrong += 1;
    }

    /// A code was right; false if its step has been used already.
    pub fn right(&self, name: &Name, proof: Proof) -> bool {
        let mut tries = lock(&self.tries);
        let tried = tries.entry(name.clone()).or_default();
        let fresh = match proof {
            Proof::Recovery => true,
            Proof::Step(step) => {
                let last = tried.step;
                tried.step = last.max(step);
                last < step
            }
        };
        if fresh {
            (tried.wrong, tried.since) = (0, None);
        }
        fresh
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{PasswordHash, Role};

    #[test]
    fn codes_are_good_once_and_soon_and_not_for_guessing() {
        let (halfway, now) = (Halfway::default(), Instant::now());
        let name = Name::parse("admin").unwrap();
        let master =
            Master { name: name.clone(), role: Role::Admin, password: PasswordHash(String::new()), created: jiff::Timestamp::UNIX_EPOCH };
        let token = halfway.begin(master, now);
        assert!(halfway.find(&token, now).is_some() && halfway.find("other", now).is_none());
        assert!(halfway.find(&token, now + PATIENCE).is_none(), "too late");
        assert!(halfway.right(&name, Proof::Step(7)) && !halfway.right(&name, Proof::Step(7)) && !halfway.right(&name, Proof::Step(6)));
        assert!(halfway.right(&name, Proof::Step(8)) && halfway.right(&name, Proof::Recovery));
        (0..WRONG).for_each(|_| halfway.wrong(&name, now));
        assert!(halfway.wait(&name, now).is_some() && halfway.wait(&name, now + PAUSE).is_none());
        halfway.wrong(&name, now + PAUSE);
        assert!(halfway.wait(&name, now + PAUSE).is_none());
    }
}
