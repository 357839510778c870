//! Who is this: passwords of masters, sessions of the panel, tokens of the API.
//!
//! Owns the limits on attempts. Promises that a wrong name costs what a wrong password does, that guessing gets slower for
//! an address and for a name, that Argon2 takes the memory of [`VERIFYING`] hashes at most, however many ask, and that a
//! new password ends every session of its master. Refuses to know HTTP.

pub mod sessions;
pub mod throttle;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task;

use self::sessions::Sessions;
use self::throttle::Throttle;
use super::context::Context;
use super::operations::tokens;
use super::problem::{Kind, Problem};
use crate::directory::password::{self, generate};
use crate::directory::{Actor, Change, Master, PasswordHash, View};
use crate::mail::{Name, Secret};
use crate::telemetry::Event;

/// Passwords verified at a time: each takes a thread and Argon2's memory, which a flood of attempts would multiply.
const VERIFYING: usize = 2;

/// Attempts that may wait for their turn; more are turned away.
const WAITING: usize = 32;

/// How long a wrong password is left without an answer.
const DELAY: Duration = Duration::from_millis(300);

/// Everything that logging in needs; one for each server.
pub struct Login {
    context: Arc<Context>,
    /// Who is logged in at the panel.
    pub sessions: Sessions,
    throttle: Throttle,
    places: Semaphore,
    verifying: Semaphore,
    /// What the password of a master that does not exist is compared with.
    nobody: OnceLock<PasswordHash>,
}

impl Login {
    /// Nobody is logged in yet.
    pub fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            places: Semaphore::new(WAITING),
            verifying: Semaphore::new(VERIFYING),
            nobody: OnceLock::new(),
        }
    }

    /// What operations work on.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The master that has this name and this password.
    pub async fn by_password(self: &Arc<Self>, name: &str, secret: Secret, from: IpAddr) -> Result<Master, Problem> {
        let folded = name.trim().to_ascii_lowercase();
        self.throttle.check(from, &folded, Instant::now()).map_err(too_many)?;
        let Ok(_place) = self.places.try_acquire() else { return Err(too_many(Duration::from_secs(2))) };
        let Ok(_turn) = self.verifying.acquire().await else { return Err(too_many(Duration::from_secs(2))) };
        let (this, asked) = (Arc::clone(self), folded.clone());
        let found = blocking(move || this.verified(&asked, &secret)).await?;
        match found {
            Some(master) => {
                self.throttle.succeeded(from, &folded);
                Event::LoggedIn { service: "admin", name: master.name.as_str(), client: &from.to_string() }.say();
                Ok(master)
            }
            None => {
                self.throttle.failed(from, &folded, Instant::now());
                Event::LoginFailed { service: "admin", name: &folded, client: &from.to_string() }.say();
                tokio::time::sleep(DELAY).await;
                Err(Problem::new(Kind::NotLoggedIn, "The name or the password is wrong.".into()))
            }
        }
    }

    fn verified(&self, name: &str, secret: &Secret) -> Result<Option<Master>, Problem> {
        let known = Name::parse(name).ok().map(|name| self.context.directory.snapshot().master(&name)).transpose()?.flatten();
        let Some(master) = known else {
            let nobody = self.nobody.get_or_init(|| password::hash(&generate(), self.context.rules.load().password));
            let _ = password::verify(secret, nobody);
            return Ok(None);
        };
        if !password::verify(secret, &master.password) {
            return Ok(None);
        }
        self.strengthened(master, secret).map(Some)
    }

    /// D6: a hash that is cheaper than what is asked for today is made anew at a login.
    fn strengthened(&self, master: Master, secret: &Secret) -> Result<Master, Problem> {
        let cost = self.context.rules.load().password;
        if !password::needs_rehash(&master.password, cost) {
            return Ok(master);
        }
        let password = password::hash(secret, cost);
        let change = Change::SetMasterPassword { name: master.name.clone(), password: password.clone() };
        self.context.directory.apply(&Actor::Server, &change, Timestamp::now())?;
        Ok(Master { password, ..master })
    }

    /// On whose behalf a token speaks. Nothing is delayed: 256 random bits are not guessed.
    pub async fn by_token(self: &Arc<Self>, text: String) -> Result<Actor, Problem> {
        let this = Arc::clone(self);
        let master = blocking(move || tokens::master_of(&this.context, &text, Timestamp::now())).await?;
        master.map(Actor::Master).ok_or_else(|| Problem::new(Kind::NotLoggedIn, "the token is unknown, or has expired".into()))
    }
}

/// Runs what may block, off the threads that serve.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    let gone = |error: task::JoinError| Err(Problem::new(Kind::Internal, format!("the operation broke off: {error}; see the log")));
    task::spawn_blocking(work).await.unwrap_or_else(gone)
}

fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs().max(1);
    Problem::new(Kind::TooManyLogins, format!("Too many attempts to log in. Try again in {seconds} s."))
}
