//! From input to transition: which part of the input is a command, message text, or to be thrown away, and what it does.
//!
//! A command is looked up, permitted and read before anything is done; what it does to a transaction is up to the state.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::command::{Behind, Chunk, Command, Rule, Situation};
use super::extensions::Extension;
use super::reply::Reply;
use super::session::Session;
use super::settings::BareNewline;
use super::state::{Excuse, State, Turn};
use super::transaction::{Greeted, Ready, Skip};
use crate::mail::trace::Spoken;
use crate::protocol::line::{COMMAND_OCTETS, Ending, Line};

/// Of a refused chunk, so many times the size limit is read before the reply; with more to come, the session ends.
const SKIPPED_SIZES: u64 = 2;

impl Session {
    fn situation(&self) -> Situation<'_> {
        let Self { dialect, settings, peer, encryption, state, .. } = self;
        Situation { dialect: *dialect, settings, encryption: *encryption, trust: peer.trust, phase: state.phase() }
    }

    /// Throws octets of a refused chunk away.
    pub(super) fn pass(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, now: Instant) -> bool {
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
    pub(super) fn take_text(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, body: &mut Vec<u8>, now: Instant) -> bool {
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
    pub(super) fn take_line(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, now: Instant) -> bool {
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
                let help = self.help(rule);
                Turn::saying(mem::take(&mut self.state), help)
            }
            // The table has let none of these through.
            (state, Command::Mail(_) | Command::Rcpt(_) | Command::Data | Command::Bdat(_)) => {
                Turn::saying(state, Reply::BadSequence { first: "RSET" })
            }
        }
    }

    fn help(&self, rule: Option<&Rule>) -> Reply {
        let situation = self.situation();
        match rule.filter(|rule| situation.offers(rule)) {
            Some(rule) => Reply::Usage { usage: rule.usage },
            None => Reply::Help { commands: situation.offered() },
        }
    }

    fn hello(&self, spoken: Spoken) -> Reply {
        let host = self.settings.hostname.clone();
        match spoken {
            Spoken::Smtp => Reply::Helo { host },
            Spoken::Esmtp | Spoken::Lmtp | Spoken::Here => {
                Reply::Hello { host, extensions: Extension::offered(&self.settings, self.encryption, &self.peer) }
            }
        }
    }

    /// Goes where a transition leads.
    pub(super) fn turn(&mut self, turn: Turn, output: &mut Vec<u8>, now: Instant) {
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
