//! Who is logged in at the panel. In memory: a restart logs everybody out.
//!
//! The cookie holds 256 random bits, and only their digest is kept. A session remembers the password hash that it began
//! with: whichever way the password changes, it is over.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::RngExt;
use ring::digest::{SHA256, digest};

use crate::directory::{Master, PasswordHash};
use crate::mail::Name;

/// A session that is not used for so long is over.
const IDLE: Duration = Duration::from_secs(2 * 3600);

/// A session is over after so long, used or not.
const LIFE: Duration = Duration::from_secs(16 * 3600);

/// Sessions at a time.
const SESSIONS: usize = 10_000;

/// A session as a request finds it.
#[derive(Clone)]
pub struct Session {
    /// Who is logged in.
    pub master: Name,
    /// What every form of this session carries, so that no other site can make one.
    pub csrf: String,
    password: PasswordHash,
    begun: Instant,
    seen: Instant,
}

impl Session {
    /// Whether it is still this master's password that it began with.
    pub fn belongs_to(&self, master: &Master) -> bool {
        self.master == master.name && self.password == master.password
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) > IDLE || now.saturating_duration_since(self.begun) > LIFE
    }
}

/// All sessions, by the digest of their cookie.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<HashMap<Vec<u8>, Session>>,
}

impl Sessions {
    /// Begins one; gives the value of its cookie.
    pub fn begin(&self, master: &Master, now: Instant) -> String {
        let cookie = random_text();
        let session =
            Session { master: master.name.clone(), csrf: random_text(), password: master.password.clone(), begun: now, seen: now };
        let mut open = self.lock();
        if open.len() >= SESSIONS {
            open.retain(|_, session| !session.is_over(now));
            let oldest = open.values().map(|session| session.seen).min();
            if open.len() >= SESSIONS {
                open.retain(|_, session| Some(session.seen) != oldest);
            }
        }
        open.insert(key(&cookie), session);
        cookie
    }

    /// The session of a cookie.
    pub fn find(&self, cookie: &str, now: Instant) -> Option<Session> {
        let (mut open, key) = (self.lock(), key(cookie));
        let session = open.get_mut(&key)?;
        if session.is_over(now) {
            open.remove(&key);
            return None;
        }
        session.seen = now;
        Some(session.clone())
    }

    /// Ends one.
    pub fn end(&self, cookie: &str) {
        self.lock().remove(&key(cookie));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(cookie: &str) -> Vec<u8> {
    digest(&SHA256, cookie.as_bytes()).as_ref().to_vec()
}

/// 256 random bits.
pub fn random_text() -> String {
    let octets: [u8; 32] = rand::rng().random();
    octets.iter().fold(String::with_capacity(64), |text, octet| format!("{text}{octet:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Role;

    fn master(password: &str) -> Master {
        let name = Name::parse("admin").unwrap();
        Master { name, role: Role::Admin, password: PasswordHash(password.into()), created: jiff::Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_session_ends_by_time_by_logout_and_by_another_password() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let cookie = sessions.begin(&master("old"), now);
        let found = sessions.find(&cookie, now + IDLE).unwrap();
        assert!(found.belongs_to(&master("old")) && !found.belongs_to(&master("new")));
        assert!(sessions.find(&cookie, now + IDLE + IDLE + Duration::from_secs(1)).is_none(), "idle");
        let cookie = sessions.begin(&master("old"), now);
        for step in 1..=8 {
            assert!(sessions.find(&cookie, now + IDLE * step).is_some());
        }
        assert!(sessions.find(&cookie, now + LIFE + Duration::from_secs(1)).is_none(), "at the end of its life");
        let cookie = sessions.begin(&master("old"), now);
        sessions.end(&cookie);
        assert!(sessions.find(&cookie, now).is_none());
        assert!(sessions.find("", now).is_none());
        assert_ne!(sessions.begin(&master("old"), now), sessions.begin(&master("old"), now));
    }
}
