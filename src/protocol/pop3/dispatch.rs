//! From a line to what it does. A command is looked up, permitted and read before anything is done.

use std::mem;
use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::command::{Command, Situation};
use super::reply::Reply;
use super::session::{Session, State};
use super::transaction::{Column, Transaction};
use crate::protocol::line::{COMMAND_OCTETS, Ending, Line};
use crate::protocol::sasl::{Credentials, Exchange, Fault, Mechanism, Turn};

impl Session {
    fn situation(&self) -> Situation {
        Situation { encryption: self.encryption, clear: self.clear, phase: self.state.phase() }
    }

    /// Takes a line and does what it says; whether there was one.
    pub(super) fn take_line(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, now: Instant) -> bool {
        let (line, used) = self.lines.next(input);
        let length = match line {
            Line::Partial => {
                input.advance(used);
                return false;
            }
            Line::TooLong => Err(Reply::LineTooLong { limit: COMMAND_OCTETS }),
            Line::Whole { text, .. } if memchr::memchr(0, text).is_some() => Err(Reply::Nul),
            Line::Whole { ending: Ending::BareLf, .. } => Err(Reply::BareLf),
            Line::Whole { text, .. } => Ok(text.len()),
        };
        // What is done with is taken out of the input: the line and its end, behind the rest of one that was too long.
        let done = input.split_to(used);
        self.heard = now;
        match length {
            Ok(length) => {
                let end = done.len().saturating_sub(2);
                self.obey(done.get(end.saturating_sub(length)..end).unwrap_or_default(), output);
            }
            Err(reply) => self.refuse(&reply, output),
        }
        if matches!(self.state, State::Securing) {
            // RFC 2595 §4: what was sent in clear behind STLS never becomes a command.
            input.clear();
        }
        true
    }

    /// A line that cannot be read ends an exchange, too.
    fn refuse(&mut self, reply: &Reply, output: &mut Vec<u8>) {
        if matches!(self.state, State::Exchanging(_)) {
            self.state = State::Authorization { name: None };
        }
        self.say(reply, output);
    }

    fn obey(&mut self, line: &[u8], output: &mut Vec<u8>) {
        if let State::Exchanging(exchange) = &mut self.state {
            let exchange = mem::replace(exchange, Exchange::Plain);
            return self.exchange(exchange.respond(line), output);
        }
        let command = match self.situation().read(line) {
            Ok(command) => command,
            Err(reply) => return self.say(&reply, output),
        };
        match mem::take(&mut self.state) {
            State::Transaction(transaction) => self.transact(transaction, command, output),
            State::Authorization { name } => self.authorize(name, command, output),
            // Lines are taken in these two states, and in the middle of AUTH.
            other => self.state = other,
        }
    }

    fn authorize(&mut self, name: Option<String>, command: Command, output: &mut Vec<u8>) {
        let (next, reply) = match (command, name) {
            (Command::User(name), _) => (State::Authorization { name: Some(name) }, Reply::GivePassword),
            (Command::Pass(secret), Some(name)) => {
                self.state = State::Verifying(Credentials { name, secret });
                return;
            }
            (Command::Auth(mechanism, initial), _) => return self.exchange(mechanism.begin(initial.as_deref()), output),
            (Command::StartTls, _) => (State::Securing, Reply::StartTls),
            (Command::Quit, _) => (State::Closed, Reply::Bye { host: self.settings.hostname.clone() }),
            (command, name) => {
                self.state = State::Authorization { name };
                return self.anytime(&command, output);
            }
        };
        self.state = next;
        self.say(&reply, output);
    }

    /// What changes no state.
    fn anytime(&mut self, command: &Command, output: &mut Vec<u8>) {
        match command {
            Command::Capa => {
                Reply::Follows { what: "Capabilities follow" }.write(output);
                lines(self.situation().capabilities(), output);
            }
            Command::Mechanisms => {
                Reply::Follows { what: "Mechanisms follow" }.write(output);
                lines(Mechanism::ALL.map(|mechanism| mechanism.name().to_owned()), output);
            }
            // Addresses, passwords and messages are taken as they are, so there is no mode to switch.
            Command::Utf8 => Reply::Utf8.write(output),
            Command::Noop => Reply::Ok.write(output),
            // The table has let none of the others through.
            _ => self.say(&Reply::NoName, output),
        }
    }

    fn exchange(&mut self, turn: Result<Turn, Fault>, output: &mut Vec<u8>) {
        let (state, reply) = match turn {
            Ok(Turn::Done(credentials)) => {
                self.state = State::Verifying(credentials);
                return;
            }
            Ok(Turn::Challenge(text, exchange)) => (State::Exchanging(exchange), Reply::Challenge { text }),
            Err(Fault::Cancelled) => (State::Authorization { name: None }, Reply::Cancelled),
            Err(Fault::Malformed) => (State::Authorization { name: None }, Reply::BadExchange),
            Err(Fault::OtherIdentity) => (State::Authorization { name: None }, Reply::WrongPassword),
        };
        self.state = state;
        self.say(&reply, output);
    }

    fn transact(&mut self, mut transaction: Transaction, command: Command, output: &mut Vec<u8>) {
        let reply = match command {
            Command::Stat => transaction.stat(),
            Command::Sizes(Some(number)) => transaction.line(Column::Octets, number),
            Command::Uids(Some(number)) => transaction.line(Column::Uid, number),
            Command::Delete(number) => transaction.delete(number),
            Command::Reset => transaction.reset(),
            Command::Read(number, extent) => match transaction.index(number) {
                Ok(index) => {
                    self.state = State::Opening { transaction, index, extent };
                    return;
                }
                Err(reply) => reply,
            },
            Command::Sizes(None) => {
                transaction.holds().write(output);
                self.state = State::Listing { transaction, column: Column::Octets, from: 0 };
                return;
            }
            Command::Uids(None) => {
                Reply::Follows { what: "Unique ids follow" }.write(output);
                self.state = State::Listing { transaction, column: Column::Uid, from: 0 };
                return;
            }
            Command::Quit => return self.quit(transaction, output),
            command => {
                self.state = State::Transaction(transaction);
                return self.anytime(&command, output);
            }
        };
        self.state = State::Transaction(transaction);
        self.say(&reply, output);
    }

    fn quit(&mut self, transaction: Transaction, output: &mut Vec<u8>) {
        if transaction.deleted().is_empty() {
            self.state = State::Closed;
            Reply::Bye { host: self.settings.hostname.clone() }.write(output);
        } else {
            self.state = State::Updating(transaction);
        }
    }
}

/// Lines that follow a reply, and the dot behind them.
fn lines(lines: impl IntoIterator<Item = String>, output: &mut Vec<u8>) {
    for line in lines {
        output.extend_from_slice(line.as_bytes());
        output.extend_from_slice(b"\r\n");
    }
    output.extend_from_slice(b".\r\n");
}
