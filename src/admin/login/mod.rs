//! Who is this, at the panel and the API: passwords of masters, sessions, tokens.
//!
//! What a password costs, and how often it may be guessed, is for [`crate::directory::login`]. Promises that a new password
//! ends every session of its master. Refuses to know HTTP.

pub mod sessions;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task;

use self::sessions::Sessions;
use super::context::Context;
use super::operations::tokens;
use super::problem::{Kind, Problem};
use crate::directory::login::{Denied, Logins, Origin};
use crate::directory::{Actor, Master};
use crate::mail::Secret;
use crate::telemetry::Event;

/// When it is worth trying again while others log in.
const BUSY: Duration = Duration::from_secs(2);

/// Everything that logging in needs; one for each server.
pub struct Login {
    context: Arc<Context>,
    logins: Arc<Logins>,
    /// Who is logged in at the panel.
    pub sessions: Sessions,
}

impl Login {
    /// Nobody is logged in yet.
    pub fn new(context: Arc<Context>, logins: Arc<Logins>) -> Self {
        Self { context, logins, sessions: Sessions::default() }
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
