//! The session as its driver sees it: feed bytes, answers and message text, carry out steps.
//!
//! Owns the states, the deadline, the count of errors and the wish to stop. Promises that an answer that nobody asked
//! for changes nothing, that a question is asked again until it is answered, and that output grows by a bounded piece
//! between two steps. A session that ends otherwise than by `QUIT` never asks to remove anything (RFC 1939 §6).

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

pub use super::command::Clear;
use super::command::Phase;
use super::reply::Reply;
use super::text::{Encoder, Extent};
use super::transaction::{Column, Transaction};
use crate::protocol::line::Lines;
use crate::protocol::sasl::{Credentials, Exchange};
use crate::protocol::smtp::Encryption;

/// Octets of replies that are gathered before they have to be sent: a pipelined group leaves together, and no group
/// makes memory grow.
const OUTPUT_OCTETS: usize = 32 * 1024;

/// How long a session may pause between commands when the server wants to stop: enough for a client at work, and an
/// idle one is gone at once.
const STOPPING_PAUSE: Duration = Duration::from_secs(2);

/// What a session is told when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Our name in greetings.
    pub hostname: String,
    /// Silence after which a session ends (RFC 1939 §3 asks for ten minutes at least).
    pub idle_timeout: Duration,
    /// Errors and failed logins after which it ends.
    pub max_errors: u32,
}

/// What a mailbox holds. It stays the same as long as the session lasts.
pub trait Maildrop: Send + Sync {
    /// How many messages there are.
    fn messages(&self) -> usize;
    /// The size of one, from 0, as it is sent.
    fn octets(&self, index: usize) -> u64;
    /// Appends its unique id: 1 to 70 printable characters (RFC 1939 §7).
    fn write_uid(&self, index: usize, out: &mut Vec<u8>);
}

/// What the session wants done next.
#[derive(Debug)]
pub enum Step {
    /// Send the pending output, then read more input (until [`Session::deadline`]).
    Read,
    /// Send the pending output, then go on with [`Session::advance`].
    Write,
    /// Answer this with [`Session::answer`].
    Ask(Question),
    /// Hand over the next piece of the message that was opened, with [`Session::text`] or [`Session::text_ended`].
    Text,
    /// Send the pending output, drop the input, do the handshake, then call [`Session::encrypted`].
    StartTls,
    /// Send the pending output, then close.
    Close,
}

/// What the session cannot know.
#[derive(Debug)]
pub enum Question {
    /// Are these somebody's, and what does the mailbox hold? Answered by [`Answer::Login`].
    Login(Credentials),
    /// Open this message, from 0. Answered by [`Answer::Opened`].
    Open(usize),
    /// Remove these messages, from 0. Answered by [`Answer::Removed`].
    Remove(Vec<usize>),
}

/// The world's answer to a [`Question`].
pub enum Answer {
    /// The mailbox, or why not.
    Login(Result<Arc<dyn Maildrop>, Denied>),
    /// Its text comes now, or why not.
    Opened(Result<(), Unsent>),
    /// Those that could not be removed.
    Removed(Vec<usize>),
}

/// Why nobody has logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the reply of that name")]
pub enum Denied {
    WrongPassword,
    Suspended,
    TooManyFailures { wait: Duration },
    LoginsBusy,
    InUse,
    AccountsUnreadable,
    MailboxUnreadable,
}

/// Why a message is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// It is there no more.
    Gone,
    /// It cannot be read.
    Unreadable,
}

/// Where a session stands.
#[derive(Default)]
pub(super) enum State {
    /// Nobody has logged in; the name that `USER` gave.
    Authorization { name: Option<String> },
    /// In the middle of `AUTH`.
    Exchanging(Exchange),
    /// Credentials have been asked about.
    Verifying(Credentials),
    /// Somebody has logged in.
    Transaction(Transaction),
    /// A message has been asked for.
    Opening { transaction: Transaction, index: usize, extent: Extent },
    /// Its text is being sent.
    Sending { transaction: Transaction, encoder: Encoder },
    /// A listing is being sent.
    Listing { transaction: Transaction, column: Column, from: usize },
    /// Messages are being removed.
    Updating(Transaction),
    /// `STLS` was answered; the handshake is under way.
    Securing,
    /// Nothing more is read or said.
    #[default]
    Closed,
}

/// A session, from greeting to close.
pub struct Session {
    pub(super) settings: Arc<Settings>,
    pub(super) encryption: Encryption,
    pub(super) clear: Clear,
    pub(super) state: State,
    pub(super) lines: Lines,
    /// When the peer last got something done.
    pub(super) heard: Instant,
    pub(super) errors: u32,
    stopping: bool,
}

impl Session {
    /// A session that has not greeted yet.
    pub fn new(settings: Arc<Settings>, encryption: Encryption, clear: Clear, now: Instant) -> Self {
        let state = State::Authorization { name: None };
        Self { settings, encryption, clear, state, lines: Lines::default(), heard: now, errors: 0, stopping: false }
    }

    /// Appends the greeting.
    pub fn greet(&self, output: &mut Vec<u8>) {
        Reply::Greeting { host: self.settings.hostname.clone() }.write(output);
    }

    /// Goes as far as `input` lets it. Replies are appended to `output`.
    pub fn advance(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, now: Instant) -> Step {
        loop {
            if let Some(step) = self.pending() {
                return step;
            }
            if matches!(self.state, State::Listing { .. }) {
                self.list(output);
            } else if output.len() < OUTPUT_OCTETS && !self.take_line(input, output, now) {
                return Step::Read;
            }
            if output.len() >= OUTPUT_OCTETS {
                return Step::Write;
            }
        }
    }

    /// Takes the answer to the question asked last; then [`Session::advance`] goes on.
    pub fn answer(&mut self, answer: Answer, output: &mut Vec<u8>, now: Instant) {
        match (mem::take(&mut self.state), answer) {
            (State::Verifying(_), Answer::Login(answer)) => self.logged_in(answer, output),
            (State::Opening { transaction, index, extent }, Answer::Opened(answer)) => {
                self.opened(transaction, index, extent, answer, output)
            }
            (State::Updating(transaction), Answer::Removed(failed)) => {
                let host = self.settings.hostname.clone();
                let numbers: Vec<usize> = failed.iter().map(|index| index + 1).collect();
                let messages = transaction.deleted().len();
                let reply = if numbers.is_empty() { Reply::Removed { host, messages } } else { Reply::NotRemoved { numbers } };
                reply.write(output);
            }
            (state, _) => {
                self.state = state;
                return;
            }
        }
        self.heard = now;
    }

    /// Appends what a piece of the opened message becomes; one that is wanted no more is passed over.
    pub fn text(&mut self, piece: &[u8], output: &mut Vec<u8>, now: Instant) {
        let State::Sending { encoder, .. } = &mut self.state else { return };
        encoder.encode(piece, output);
        self.heard = now;
        if encoder.is_over() {
            self.text_ended(output, now);
        }
    }

    /// The opened message has no more text.
    pub fn text_ended(&mut self, output: &mut Vec<u8>, now: Instant) {
        match mem::take(&mut self.state) {
            State::Sending { transaction, encoder } => {
                encoder.finish(output);
                self.heard = now;
                self.state = State::Transaction(transaction);
            }
            other => self.state = other,
        }
    }

    /// The rest of the opened message cannot be read. There is no way to tell the client in the middle of a text, but to end
    /// the connection: half a message must not look like a whole one.
    pub fn text_lost(&mut self) {
        self.state = State::Closed;
    }

    /// The handshake that [`Step::StartTls`] asked for is done. Nothing that was said before it holds (RFC 2595 §4).
    pub fn encrypted(&mut self, now: Instant) {
        let fresh = Self::new(Arc::clone(&self.settings), Encryption::Active, self.clear, now);
        *self = Self { errors: self.errors, stopping: self.stopping, ..fresh };
    }

    /// When the peer has been silent for too long.
    pub fn deadline(&self) -> Instant {
        self.heard + if self.stopping { STOPPING_PAUSE } else { self.settings.idle_timeout }
    }

    /// The deadline has passed: closes, and removes nothing. An idle client hears nothing (RFC 1939 §3).
    pub fn expire(&mut self, output: &mut Vec<u8>) {
        if self.stopping {
            self.close(&Reply::Stopping { host: self.settings.hostname.clone() }, output);
        }
        self.state = State::Closed;
    }

    /// The server is stopping: who has not logged in is told so now; who has may finish, as long as it does not pause.
    pub fn shut_down(&mut self, output: &mut Vec<u8>, now: Instant) {
        self.stopping = true;
        match self.state {
            State::Authorization { .. } | State::Exchanging(_) => {
                self.close(&Reply::Stopping { host: self.settings.hostname.clone() }, output)
            }
            _ => self.heard = now,
        }
    }

    /// Whether TLS protects the session.
    pub fn is_encrypted(&self) -> bool {
        self.encryption == Encryption::Active
    }

    /// What has to happen before more input is looked at.
    fn pending(&self) -> Option<Step> {
        Some(match &self.state {
            State::Closed => Step::Close,
            State::Securing => Step::StartTls,
            State::Sending { .. } => Step::Text,
            State::Verifying(credentials) => Step::Ask(Question::Login(credentials.clone())),
            State::Opening { index, .. } => Step::Ask(Question::Open(*index)),
            State::Updating(transaction) => Step::Ask(Question::Remove(transaction.deleted())),
            State::Authorization { .. } | State::Exchanging(_) | State::Transaction(_) | State::Listing { .. } => return None,
        })
    }

    fn list(&mut self, output: &mut Vec<u8>) {
        if let State::Listing { transaction, column, from } = mem::take(&mut self.state) {
            self.state = match transaction.list(column, from, output) {
                Some(from) => State::Listing { transaction, column, from },
                None => State::Transaction(transaction),
            };
        }
    }

    fn logged_in(&mut self, answer: Result<Arc<dyn Maildrop>, Denied>, output: &mut Vec<u8>) {
        match answer {
            Ok(maildrop) => {
                let transaction = Transaction::new(maildrop);
                transaction.holds().write(output);
                self.state = State::Transaction(transaction);
            }
            Err(denied) => {
                self.state = State::Authorization { name: None };
                self.say(&denied.reply(), output);
            }
        }
    }

    fn opened(&mut self, transaction: Transaction, index: usize, extent: Extent, answer: Result<(), Unsent>, output: &mut Vec<u8>) {
        let number = index + 1;
        let reply = match answer {
            Ok(()) => match extent {
                Extent::Whole => Reply::Octets { octets: transaction.octets(index) },
                Extent::Top(_) => Reply::Follows { what: "The top follows" },
            },
            Err(Unsent::Gone) => Reply::Gone { number },
            Err(Unsent::Unreadable) => Reply::Unreadable { number },
        };
        self.state =
            if answer.is_ok() { State::Sending { transaction, encoder: Encoder::new(extent) } } else { State::Transaction(transaction) };
        self.say(&reply, output);
    }

    /// Says it, and keeps count of errors.
    pub(super) fn say(&mut self, reply: &Reply, output: &mut Vec<u8>) {
        reply.write(output);
        self.errors += u32::from(reply.is_counted());
        if self.errors >= self.settings.max_errors && reply.is_counted() {
            self.close(&Reply::TooManyErrors, output);
        }
    }

    fn close(&mut self, reply: &Reply, output: &mut Vec<u8>) {
        self.state = State::Closed;
        reply.write(output);
    }
}

impl Denied {
    /// What the client hears.
    pub fn reply(self) -> Reply {
        match self {
            Self::WrongPassword => Reply::WrongPassword,
            Self::Suspended => Reply::Suspended,
            Self::TooManyFailures { wait } => Reply::TooManyFailures { seconds: wait.as_secs().max(1) },
            Self::LoginsBusy => Reply::LoginsBusy,
            Self::InUse => Reply::InUse,
            Self::AccountsUnreadable => Reply::AccountsUnreadable,
            Self::MailboxUnreadable => Reply::MailboxUnreadable,
        }
    }
}

impl State {
    /// The phase that the command table knows.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Authorization { name: Some(_) } => Phase::Named,
            Self::Authorization { name: None } | Self::Exchanging(_) | Self::Verifying(_) | Self::Securing | Self::Closed => {
                Phase::Authorization
            }
            Self::Transaction(_) | Self::Opening { .. } | Self::Sending { .. } | Self::Listing { .. } | Self::Updating(_) => {
                Phase::Transaction
            }
        }
    }
}
