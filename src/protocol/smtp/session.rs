//! The session as its driver sees it: feed bytes and answers, carry out steps.
//!
//! Owns what outlives a transaction: the peer, encryption, error count, deadlines, and the wish to stop. Promises that
//! an answer that nobody asked for changes nothing, and that a question is asked again until it is answered.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use super::command::{Behind, Chunk, Command, Rule, Situation};
use super::extensions::Extension;
use super::reply::Reply;
use super::settings::{BareNewline, Dialect, Encryption, Peer, Settings};
use super::state::{Excuse, Greeted, Ready, Skip, State, Turn};
use super::xclient;
use crate::mail::envelope::Charset;
use crate::mail::trace::{Client, Spoken, With};
use crate::mail::{Envelope, Recipient};
use crate::protocol::line::{COMMAND_OCTETS, Ending, Line, Lines};

/// How long a client waits for the reply to its data (RFC 5321 §4.5.3.2.6); after that, nobody is there to hear it.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(600);

/// Of a refused chunk, so many times the size limit is read before the reply; with more to come, the session ends.
const SKIPPED_SIZES: u64 = 2;

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
    dialect: Dialect,
    settings: Arc<Settings>,
    peer: Peer,
    /// What a proxy says of the peer behind it.
    proxied: Option<Box<xclient::Attributes>>,
    encryption: Encryption,
    state: State,
    lines: Lines,
    skip: Option<Box<Skip>>,
    /// When the peer last got something done.
    heard: Instant,
    errors: u32,
    /// The body gathered so far is to be thrown away.
    discard: bool,
    /// A command was refused behind which something else than commands may follow.
    wary: bool,
    stopping: bool,
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
            let moved = match &self.state {
                _ if self.skip.is_some() => self.pass(input, output, now),
                State::Receiving(_) => self.take_text(input, output, body, now),
                State::Chunking(chunking) if chunking.is_inside() => self.take_text(input, output, body, now),
                _ => self.take_line(input, output, now),
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

    fn close(&mut self, reply: &Reply, output: &mut Vec<u8>) -> Step {
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

    fn greeting(&self) -> Reply {
        Reply::Greeting { host: self.settings.hostname.clone(), protocol: self.dialect.protocol() }
    }

    fn situation(&self) -> Situation<'_> {
        let Self { dialect, settings, peer, encryption, state, .. } = self;
        Situation { dialect: *dialect, settings, encryption: *encryption, trust: peer.trust, phase: state.phase() }
    }

    /// Throws octets of a refused chunk away.
    fn pass(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, now: Instant) -> bool {
        let Some(skip) = &mut self.skip else { return false };
        let passed = skip.pass(input.len());
        input.advance(passed);
        if passed > 0 {
            self.heard = now;
        }
        if skip.is_over() {
            skip.say.write(output);
            self.skip = None;
            return true;
        }
        false
    }

    /// Takes message text.
    fn take_text(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, body: &mut Vec<u8>, now: Instant) -> bool {
        let (turn, consumed) = match mem::take(&mut self.state) {
            State::Receiving(receiving) => receiving.take(input, body, self.dialect, &self.settings),
            State::Chunking(chunking) => chunking.take(input, body, self.dialect, &self.settings),
            other => {
                self.state = other;
                return false;
            }
        };
        // What the decoder consumed was part of the input.
        input.advance(consumed);
        if consumed > 0 {
            self.heard = now;
        }
        self.turn(turn, output, now);
        !self.reads_text() || self.discard
    }

    /// Whether message text is what comes next.
    fn reads_text(&self) -> bool {
        match &self.state {
            State::Receiving(_) => true,
            State::Chunking(chunking) => chunking.is_inside(),
            _ => false,
        }
    }

    /// Takes a command line and does what it says.
    fn take_line(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, now: Instant) -> bool {
        let (line, used) = self.lines.next(input);
        let read = match line {
            Line::Partial => {
                input.advance(used);
                return false;
            }
            Line::TooLong => Read::refused(Reply::LineTooLong { limit: COMMAND_OCTETS }),
            Line::Whole { text, .. } if memchr::memchr(0, text).is_some() => Read::refused(Reply::NulInCommand),
            Line::Whole { ending: Ending::BareLf, .. } if self.settings.bare_newline == BareNewline::Reject => {
                Read::refused(Reply::BareNewline)
            }
            Line::Whole { text, .. } => Read::line(text, &self.situation()),
        };
        // The line was found in the input.
        input.advance(used);
        self.heard = now;
        self.execute(read, output, now);
        if matches!(self.state, State::Securing) {
            input.clear();
        }
        true
    }

    /// Does what a line says, and keeps count of those that break the protocol.
    fn execute(&mut self, read: Read, output: &mut Vec<u8>, now: Instant) {
        let Read { rule, chunk, command } = read;
        let verb = rule.map_or("", |rule| rule.verb);
        let excuse = self.state.excuse(verb);
        let turn = match command {
            Ok(command) => self.obey(command),
            Err(reply) => Turn { skip: chunk.map_or(0, |chunk| chunk.octets), ..Turn::saying(mem::take(&mut self.state), reply) },
        };
        let refusal = turn.say.refusal();
        self.wary = refusal.is_some() && chunk.is_none() && rule.is_some_and(|rule| rule.behind == Behind::NotCommands);
        if excuse.is_none() && refusal.is_some_and(Reply::is_protocol_error) {
            self.errors = self.errors.saturating_add(1);
        }
        let mail_refused = (verb == "MAIL" && refusal.is_some()) || excuse == Some(Excuse::MailRefused);
        self.turn(turn, output, now);
        if let State::Ready(ready) = &mut self.state {
            ready.mail_refused = mail_refused;
        }
        if self.errors >= self.settings.max_errors && !matches!(self.state, State::Closed) {
            if let Some(skip) = self.skip.take() {
                skip.say.write(output);
            }
            self.close(&Reply::TooManyErrors { host: self.settings.hostname.clone() }, output);
        }
    }

    /// Carries out a command that the table allows.
    fn obey(&mut self, command: Command) -> Turn {
        let Self { dialect, settings, .. } = &*self;
        let (dialect, settings) = (*dialect, Arc::clone(settings));
        match (mem::take(&mut self.state), command) {
            (State::Ready(ready), Command::Mail(envelope)) => ready.mail(envelope, &settings),
            (State::Open(open), Command::Rcpt(recipient)) => open.rcpt(recipient, &settings),
            (State::Open(open), Command::Data) => open.data(dialect),
            (State::Open(open), Command::Bdat(chunk)) => open.bdat(chunk, dialect, &settings),
            (State::Chunking(chunking), Command::Bdat(chunk)) => chunking.bdat(chunk, dialect, &settings),
            (state, Command::Rset) => state.reset(),
            (state, Command::Hello { name, spoken }) => {
                let ready = State::Ready(Ready::new(Greeted { helo: name, spoken }));
                Turn { discard: state.reset().discard, ..Turn::saying(ready, self.hello(spoken)) }
            }
            (_, Command::StartTls) => Turn::saying(State::Securing, Reply::StartTls),
            (_, Command::Xclient(attributes)) => {
                self.proxied = Some(Box::new(attributes.over(self.proxied.take().map(|told| *told))));
                Turn::saying(State::Connected, self.greeting())
            }
            (_, Command::Quit) => Turn::saying(State::Closed, Reply::Bye),
            (state, Command::Noop) => Turn::saying(state, Reply::Ok),
            (state, Command::Vrfy) => Turn::saying(state, Reply::CannotVerify),
            (state, Command::Help(rule)) => {
                self.state = state;
                let help =
                    rule.map_or_else(|| Reply::Help { commands: self.situation().offered() }, |rule| Reply::Usage { usage: rule.usage });
                Turn::saying(mem::take(&mut self.state), help)
            }
            // The table has let none of these through.
            (state, Command::Mail(_) | Command::Rcpt(_) | Command::Data | Command::Bdat(_)) => {
                Turn::saying(state, Reply::BadSequence { first: "RSET" })
            }
        }
    }

    fn hello(&self, spoken: Spoken) -> Reply {
        let host = self.settings.hostname.clone();
        match spoken {
            Spoken::Smtp => Reply::Helo { host },
            Spoken::Esmtp | Spoken::Lmtp => {
                Reply::Hello { host, extensions: Extension::offered(&self.settings, self.encryption, &self.peer) }
            }
        }
    }

    /// Goes where a transition leads.
    fn turn(&mut self, turn: Turn, output: &mut Vec<u8>, now: Instant) {
        self.state = turn.state;
        self.discard |= turn.discard;
        if turn.say.has_stored() {
            self.errors = 0;
        }
        if turn.skip == 0 {
            return turn.say.write(output);
        }
        if turn.skip > self.settings.max_message_size.saturating_mul(SKIPPED_SIZES) {
            turn.say.write(output);
            self.state = State::Closed;
            return;
        }
        self.skip = Some(Box::new(Skip::new(turn.skip, turn.say, now)));
    }
}

/// A line, read: the row of the table, the command or why there is none, and the chunk that follows in either case.
struct Read {
    rule: Option<&'static Rule>,
    chunk: Option<Chunk>,
    command: Result<Command, Reply>,
}

impl Read {
    fn refused(reply: Reply) -> Self {
        Self { rule: None, chunk: None, command: Err(reply) }
    }

    fn line(text: &[u8], situation: &Situation<'_>) -> Self {
        let Some((rule, argument)) = situation.rule(text) else { return Self::refused(Reply::UnknownCommand) };
        let command = rule.parse(argument);
        let chunk = if let Ok(Command::Bdat(chunk)) = command { Some(chunk) } else { None };
        Self { rule: Some(rule), chunk, command: situation.permit(rule).and(command) }
    }
}
