//! Who is this, at the panel and the API: passwords of masters, sessions, tokens.
//!
//! What a password costs, and how often it may be guessed, is for [`crate::directory::login`]. Promises that a new password
//! ends every session of its master. Refuses to know HTTP.

pub mod second;
pub mod sessions;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task;

use self::second::Halfway;
use self::sessions::Sessions;
use super::context::Context;
use super::operations::{self, tokens};
use super::problem::{Kind, Problem};
use crate::directory::login::{Denied, Logins, Origin};
use crate::directory::{Actor, Master};
use crate::mail::{Name, Secret};
use crate::telemetry::Event;

/// When it is worth trying again while others log in.
const BUSY: Duration = Duration::from_secs(2);

/// Everything that logging in needs; one for each server.
pub struct Login {
    context: Arc<Context>,
    logins: Arc<Logins>,
    /// Who is logged in at the panel.
    pub sessions: Sessions,
    /// Who has shown a password, and not yet a code.
    pub halfway: Halfway,
}

impl Login {
    /// Nobody is logged in yet.
    pub fn new(context: Arc<Context>, logins: Arc<Logins>) -> Self {
        Self { context, logins, sessions: Sessions::default(), halfway: Halfway::default() }
    }

    /// What operations work on.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The master that has this name and this password.
    pub async fn by_password(&self, name: &str, secret: Secret, from: IpAddr) -> Result<Master, Problem> {
        let origin = Origin { service: "admin", client: Some(from) };
        match self.logins.master(name.trim(), &secret, origin).await {
            Ok(master) => {
                Event::LoggedIn { service: "admin", name: master.name.as_str(), client: &from.to_string() }.say();
                Ok(master)
            }
            Err(Denied::Wrong | Denied::Suspended) => Err(Problem::new(Kind::NotLoggedIn, "The name or the password is wrong.".into())),
            Err(Denied::Limited { wait }) => Err(too_many(wait)),
            Err(Denied::Busy) => Err(too_many(BUSY)),
            Err(Denied::Unreadable) => Err(Problem::new(Kind::Directory, "The directory cannot be read; see the log.".into())),
        }
    }

    /// Whether a master has to show a code as well.
    pub async fn asks_for_code(&self, master: &Master) -> Result<bool, Problem> {
        let (context, name) = (Arc::clone(&self.context), master.name.clone());
        blocking(move || operations::second::is_set(&context, &name)).await
    }

    /// The master that has shown its password before, and shows its code now.
    pub async fn by_code(&self, token: &str, code: String, from: IpAddr) -> Result<Master, Problem> {
        let gone = || Problem::new(Kind::NotLoggedIn, "That took too long: log in again.".into());
        let master = self.halfway.find(token, Instant::now()).ok_or_else(gone)?;
        self.may_try(&master.name)?;
        let (context, name) = (Arc::clone(&self.context), master.name.clone());
        let proof = blocking(move || operations::second::check(&context, &name, &code)).await;
        let wrong = |problem: Problem| {
            self.tried_in_vain(&master.name);
            Event::LoginFailed { service: "admin", client: &from.to_string(), name: master.name.as_str() }.say();
            problem
        };
        let proof = proof.map_err(wrong)?;
        if !self.halfway.right(&master.name, proof) {
            let used = "This code has been used already; wait for the next.";
            return Err(Problem::new(Kind::NotLoggedIn, used.into()).at("code"));
        }
        self.halfway.end(token);
        Ok(master)
    }

    /// Refuses a master that has shown too many wrong codes lately.
    pub fn may_try(&self, name: &Name) -> Result<(), Problem> {
        self.halfway.wait(name, Instant::now()).map_or(Ok(()), |wait| Err(too_many(wait)))
    }

    /// Counts a wrong code.
    pub fn tried_in_vain(&self, name: &Name) {
        self.halfway.wrong(name, Instant::now());
    }

    /// On whose behalf a token speaks. Nothing is delayed: 256 random bits are not guessed.
    pub async fn by_token(&self, text: String) -> Result<Actor, Problem> {
        let context = Arc::clone(&self.context);
        let master = blocking(move || tokens::master_of(&context, &text, Timestamp::now())).await?;
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
