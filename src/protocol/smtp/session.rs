//! The session as its driver sees it: feed bytes and answers, carry out steps.
//!
//! Owns what outlives a transaction: the peer, encryption, error count, deadlines, and the wish to stop. Promises that
//! an answer that nobody asked for changes nothing, and that a question is asked again until it is answered.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::reply::Reply;
use super::settings::{Dialect, Encryption, Peer, Settings};
use super::state::State;
use super::transaction::Skip;
use super::xclient;
use crate::mail::envelope::Charset;
use crate::mail::trace::{Client, Spoken, With};
use crate::mail::{Envelope, Recipient};
use crate::protocol::line::Lines;

/// How long a client waits for the reply to its data (RFC 5321 §4.5.3.2.6); after that, nobody is there to hear it.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(600);

/// What the session wants done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the pending output, then read more input (until [`Session::deadline`]).
    Read,
    /// Answer this with [`Session::answer`].
    Ask(Question),
    /// Throw the body gathered so far away; then go on with [`Session::advance`].
    Discard,
    /// Send the pending output, drop the input, do the handshake, then call [`Session::encrypted`].
    StartTls,
    /// Send the pending output, then close.
    Close,
}

/// What the session cannot know.
#[derive(Debug, PartialEq, Eq)]
pub enum Question {
    /// May this recipient join the envelope? Answered by [`Answer::Recipient`].
    Recipient(Recipient),
    /// Data is about to come for [`Session::envelope`]: is there room? Answered by [`Answer::Begin`].
    Begin,
    /// The body is complete: make it safe. Answered by [`Answer::Committed`].
    Commit,
}

/// The world's answer to a [`Question`].
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Accept, or refuse with this reply.
    Recipient(Result<(), Reply>),
    /// Go on, or refuse with this reply.
    Begin(Result<(), Reply>),
    /// The outcome of each recipient, in the order of the envelope. SMTP answers with the first of them (all are equal
    /// there: the spool takes a message whole or not at all); LMTP gives each.
    Committed(Vec<Reply>),
}

/// A session of either dialect, from greeting to close.
pub struct Session {
    pub(super) dialect: Dialect,
    pub(super) settings: Arc<Settings>,
    pub(super) peer: Peer,
    /// What a proxy says of the peer behind it.
    pub(super) proxied: Option<Box<xclient::Attributes>>,
    pub(super) encryption: Encryption,
    pub(super) state: State,
    pub(super) lines: Lines,
    pub(super) skip: Option<Box<Skip>>,
    /// When the peer last got something done.
    pub(super) heard: Instant,
    pub(super) errors: u32,
    /// The body gathered so far is to be thrown away.
    pub(super) discard: bool,
    /// A command was refused behind which something else than commands may follow.
    pub(super) wary: bool,
    pub(super) stopping: bool,
}

impl Session {
    /// A session that has not greeted yet.
    pub fn new(dialect: Dialect, settings: Arc<Settings>, peer: Peer, encryption: Encryption, now: Instant) -> Self {
        Self {
            dialect,
            settings,
            peer,
            proxied: None,
            encryption,
            state: State::Connected,
            lines: Lines::default(),
            skip: None,
            heard: now,
            errors: 0,
            discard: false,
            wary: false,
            stopping: false,
        }
    }

    /// Appends the greeting. If anything was read before it, that was an early talker: it is told so, and the step is `Close`.
    pub fn greet(&mut self, input: &BytesMut, output: &mut Vec<u8>) -> Step {
        if !input.is_empty() {
            return self.close(&Reply::EarlyTalker, output);
        }
        self.greeting().write(output);
        Step::Read
    }

    /// Goes as far as `input` lets it. Replies are appended to `output`, message text (LF line ends, dots unstuffed) to `body`.
    pub fn advance(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, body: &mut Vec<u8>, now: Instant) -> Step {
        loop {
            if mem::take(&mut self.wary) && !input.is_empty() {
                return self.close(&Reply::EarlyTalker, output);
            }
            if let Some(step) = self.pending(output) {
                return step;
            }
            let moved = if self.skip.is_some() {
                self.pass(input, output, now)
            } else if self.awaits_text() {
                self.take_text(input, output, body, now)
            } else {
                self.take_line(input, output, now)
            };
            if !moved {
                return Step::Read;
            }
        }
    }

    /// Takes the answer to the question asked last; then [`Session::advance`] goes on.
    pub fn answer(&mut self, answer: Answer, output: &mut Vec<u8>, now: Instant) {
        let turn = match (mem::take(&mut self.state), answer) {
            (State::Asking(asking), Answer::Recipient(answer)) => asking.answered(answer),
            (State::Starting(starting), Answer::Begin(answer)) => {
                self.wary = starting.is_data() && answer.is_err();
                starting.answered(answer, self.dialect, now)
            }
            (State::Committing(committing), Answer::Committed(outcomes)) => committing.answered(outcomes, self.dialect),
            (state, _) => {
                self.state = state;
                return;
            }
        };
        self.heard = now;
        self.turn(turn, output, now);
    }

    /// The handshake that [`Step::StartTls`] asked for is done. Nothing that was said before it holds (RFC 3207 §4.2).
    pub fn encrypted(&mut self, now: Instant) {
        let fresh = Self::new(self.dialect, Arc::clone(&self.settings), self.peer.clone(), Encryption::Active, now);
        *self = Self { errors: self.errors, stopping: self.stopping, ..fresh };
    }

    /// When the peer has been silent, or slow, for too long.
    pub fn deadline(&self) -> Instant {
        let silent = self.silent_at();
        self.too_slow_at().map_or(silent, |slow| slow.min(silent))
    }

    /// The deadline has passed: says so, and closes. The body is to be thrown away.
    pub fn expire(&mut self, output: &mut Vec<u8>, now: Instant) -> Step {
        let host = self.settings.hostname.clone();
        let slow = self.too_slow_at().is_some_and(|slow| slow <= now) && now < self.silent_at();
        self.close(&if slow { Reply::TooSlow { host } } else { Reply::Timeout { host } }, output)
    }

    /// The server is stopping: a session between transactions says 421 and closes now; one in a transaction goes on (`Read`)
    /// and closes after it.
    pub fn shut_down(&mut self, output: &mut Vec<u8>) -> Step {
        self.stopping = true;
        self.stop(output).unwrap_or(Step::Read)
    }

    /// The reverse lookup of the peer's address has come back.
    pub fn named(&mut self, name: String) {
        self.peer.name = Some(name);
    }

    /// Whether message text comes next.
    pub fn awaits_text(&self) -> bool {
        match &self.state {
            State::Receiving(_) => true,
            State::Chunking(chunking) => chunking.is_inside(),
            _ => false,
        }
    }

    /// The envelope of the transaction under way.
    pub fn envelope(&self) -> Option<&Envelope> {
        self.state.open().map(|open| &open.envelope)
    }

    /// The client as it names itself and as we know it (after `XCLIENT`, as the proxy knows it).
    pub fn client(&self) -> Client {
        let told = self.proxied.as_deref();
        let helo = told.and_then(|told| told.helo.clone()).flatten();
        let helo = helo.or_else(|| self.state.greeted().map(|greeted| greeted.helo.clone()));
        Client {
            helo: helo.unwrap_or_else(|| "unknown".to_owned()),
            name: told.map_or_else(|| self.peer.name.clone(), |told| told.name.clone().flatten()),
            address: told.and_then(|told| told.address).unwrap_or(self.peer.address),
        }
    }

    /// The `with` clause for the transaction under way.
    pub fn with(&self) -> With {
        let otherwise = match self.dialect {
            Dialect::Smtp => Spoken::Smtp,
            Dialect::Lmtp => Spoken::Lmtp,
        };
        With {
            spoken: self.state.greeted().map_or(otherwise, |greeted| greeted.spoken),
            encrypted: self.encryption == Encryption::Active,
            charset: self.envelope().map_or(Charset::Ascii, |envelope| envelope.charset),
        }
    }

    /// What has to happen before more input is looked at.
    fn pending(&mut self, output: &mut Vec<u8>) -> Option<Step> {
        match self.state {
            State::Closed => return Some(Step::Close),
            State::Securing => return Some(Step::StartTls),
            _ => {}
        }
        if mem::take(&mut self.discard) {
            return Some(Step::Discard);
        }
        self.state.question().map(Step::Ask).or_else(|| self.stop(output))
    }

    /// Closes, if the server is stopping and no transaction is under way.
    fn stop(&mut self, output: &mut Vec<u8>) -> Option<Step> {
        match self.state {
            _ if !self.stopping => None,
            State::Securing | State::Closed => {
                self.state = State::Closed;
                Some(Step::Close)
            }
            _ if self.state.open().is_some() => None,
            _ => Some(self.close(&Reply::ShuttingDown { host: self.settings.hostname.clone() }, output)),
        }
    }

    pub(super) fn close(&mut self, reply: &Reply, output: &mut Vec<u8>) -> Step {
        self.state = State::Closed;
        reply.write(output);
        Step::Close
    }

    fn silent_at(&self) -> Instant {
        self.heard + if matches!(self.state, State::Committing(_)) { COMMIT_TIMEOUT } else { self.settings.command_timeout }
    }

    fn too_slow_at(&self) -> Option<Instant> {
        let skipping = self.skip.as_ref().and_then(|skip| skip.too_slow_at(&self.settings));
        skipping.or_else(|| self.state.too_slow_at(&self.settings))
    }

    pub(super) fn greeting(&self) -> Reply {
        Reply::Greeting { host: self.settings.hostname.clone(), protocol: self.dialect.protocol() }
    }
}
