//! The machine: from the greeting over TLS and login to one transaction after the other.
//!
//! Its driver reads when it is told to, does handshakes, and carries the text; everything that is said goes through `output`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BytesMut};

use super::command::Commands;
use super::offer::Offer;
use super::reply::{Fault, Heard, Replies};
use super::text::Encoder;
use super::transaction::{Next, Outcome, Transaction};
use crate::mail::Secret;

/// Whether TLS is begun with `STARTTLS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encrypt {
    /// Not: it is not wanted, or there already.
    Never,
    /// Where the server offers it.
    IfOffered,
    /// Always: nothing is said of a message without it.
    Always,
}

/// Who we are to the server.
#[derive(Debug, Clone)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// How to talk to one server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our name.
    pub hostname: String,
    /// TLS.
    pub encrypt: Encrypt,
    /// The login, where there is one.
    pub login: Option<Login>,
    /// Whether the connection keeps a password secret as it is: by TLS from the first octet, or by never leaving the machine.
    pub is_private: bool,
    /// Whether commands may go out before the replies to earlier ones are in, where the server says so.
    pub pipelining: bool,
}

/// How long the driver should wait for the next reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// As for a command.
    Command,
    /// As for `DATA`.
    Data,
    /// As for the end of the text.
    End,
    /// As for `QUIT`.
    Farewell,
}

/// What the driver has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the output, and read.
    Read(Wait),
    /// Do the TLS handshake, then call [`Session::encrypted`].
    Handshake,
    /// Nothing: a message can be sent.
    Ready,
    /// Send the text, then call [`Session::sent`].
    Text,
    /// The transaction has ended, [`Session::outcome`] says how; the connection can be used again unless [`Session::is_over`].
    Done,
    /// There will be no message over this connection.
    Failed(Obstacle),
    /// The connection is at its end.
    Over,
}

/// Why a connection cannot carry mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The server refuses the connection.
    Refused(Heard),
    /// The server refuses the login.
    LoginRefused(Heard),
    /// The server does not keep to the protocol.
    Broken(Fault),
    /// TLS is wanted, and not to be had.
    NoTls,
    /// There is a password, and only an open line to send it over.
    NoSecrecy,
    /// There is a login, and no mechanism that both sides know.
    NoMechanism,
}

#[derive(Debug)]
enum Stage {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Handshake,
    LoginName,
    LoginPassword,
    LoginEnd,
    Ready,
    Envelope(Transaction),
    Text(Transaction),
    End(Transaction),
    Finished(Transaction),
    Quit,
    Over,
}

/// One connection's conversation.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    replies: Replies,
    offer: Offer,
    stage: Stage,
    is_encrypted: bool,
    reset: bool,
    is_over: bool,
    heard: u64,
}

impl Session {
    /// A session whose server is to greet.
    pub fn new(settings: Settings) -> Self {
        let (replies, offer) = (Replies::default(), Offer::default());
        Self { settings, replies, offer, stage: Stage::Greeting, is_encrypted: false, reset: false, is_over: false, heard: 0 }
    }

    /// What the server offers now.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Whether nothing more can be sent over this connection.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Replies so far.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// Takes what has been read, as far as it goes.
    pub fn advance(&mut self, input: &mut BytesMut, output: &mut Vec<u8>) -> Step {
        loop {
            if let Stage::Handshake | Stage::Over | Stage::Finished(_) = self.stage {
                return self.waiting();
            }
            let heard = match self.replies.next(input) {
                Ok((heard, used)) => {
                    input.advance(used);
                    heard
                }
                Err(fault) => return self.broken(fault),
            };
            let Some((heard, lines)) = heard else { return self.waiting() };
            self.heard += 1;
            // Whoever says more than was asked for would be misunderstood from here on.
            let stray = !input.is_empty() && heard.is_positive() && self.is_last_awaited();
            if stray {
                return self
                    .broken(Fault::OutOfTurn(String::from_utf8_lossy(input).chars().take(80).filter(|c| !c.is_control()).collect()));
            }
            if let Some(step) = self.hear(heard, &lines, output) {
                return step;
            }
        }
    }

    /// Whether nothing is awaited beyond the next reply. A transaction's last reply counts, whatever comes behind it.
    fn is_last_awaited(&self) -> bool {
        match &self.stage {
            Stage::Envelope(transaction) => transaction.awaits_one(),
            Stage::Text(_) | Stage::End(_) | Stage::Finished(_) | Stage::Quit | Stage::Over => false,
            _ => true,
        }
    }

    /// The TLS handshake is done; nothing that came before it counts (RFC 3207 §4.2).
    pub fn encrypted(&mut self, output: &mut Vec<u8>) -> Step {
        self.is_encrypted = true;
        self.replies = Replies::default();
        self.offer = Offer::default();
        self.ehlo(output)
    }

    /// Begins a transaction. The session is [`Step::Ready`], or the transaction before it [`Step::Done`].
    pub fn begin(&mut self, commands: Commands, output: &mut Vec<u8>) -> Step {
        let mut transaction = Transaction::new(commands, self.reset);
        self.reset = false;
        transaction.say(self.is_pipelining(), output);
        self.stage = Stage::Envelope(transaction);
        Step::Read(Wait::Command)
    }

    /// The text has been sent as far as `encoder` has seen it, and was whole. `input` is what has come meanwhile: a reply to a text whose
    /// end has not been sent is none.
    pub fn sent(&mut self, encoder: &Encoder, input: &BytesMut, output: &mut Vec<u8>) -> Step {
        let Stage::Text(mut transaction) = std::mem::replace(&mut self.stage, Stage::Over) else { return self.waiting() };
        if !input.is_empty() || self.replies.is_inside() {
            transaction.broken(Fault::OutOfTurn("a reply before the end of the message".into()));
            return self.finish(transaction, Next::Closing);
        }
        encoder.end(output);
        transaction.complete();
        self.stage = Stage::End(transaction);
        Step::Read(Wait::End)
    }

    /// What has become of the transaction; also when the driver has to give it up. Nothing before its beginning, and after it has been asked.
    pub fn outcome(&mut self) -> Option<Outcome> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Finished(transaction) => {
                self.reset = transaction.is_left_open();
                self.stage = if self.is_over { Stage::Over } else { Stage::Ready };
                Some(transaction.outcome())
            }
            Stage::Envelope(transaction) | Stage::Text(transaction) | Stage::End(transaction) => {
                self.is_over = true;
                Some(transaction.outcome())
            }
            other => {
                self.stage = other;
                None
            }
        }
    }

    /// Says goodbye.
    pub fn quit(&mut self, output: &mut Vec<u8>) -> Step {
        self.is_over = true;
        self.stage = Stage::Quit;
        output.extend_from_slice(b"QUIT\r\n");
        Step::Read(Wait::Farewell)
    }

    fn is_pipelining(&self) -> bool {
        self.settings.pipelining && self.offer.pipelining
    }

    /// What is to be done when there is no reply to be read.
    fn waiting(&self) -> Step {
        match &self.stage {
            Stage::Handshake => Step::Handshake,
            Stage::Ready => Step::Ready,
            Stage::Text(_) => Step::Text,
            Stage::End(_) => Step::Read(Wait::End),
            Stage::Envelope(transaction) if transaction.is_at_data() => Step::Read(Wait::Data),
            Stage::Finished(_) => Step::Done,
            Stage::Quit => Step::Read(Wait::Farewell),
            Stage::Over => Step::Over,
            _ => Step::Read(Wait::Command),
        }
    }

    fn hear(&mut self, heard: Heard, lines: &[String], output: &mut Vec<u8>) -> Option<Step> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Envelope(mut transaction) => match transaction.hear(heard) {
                Next::Wait => {
                    transaction.say(self.is_pipelining(), output);
                    if !transaction.is_waiting() {
                        return Some(self.finish(transaction, Next::Done));
                    }
                    self.stage = Stage::Envelope(transaction);
                    None
                }
                Next::Text => {
                    self.stage = Stage::Text(transaction);
                    None
                }
                Next::Nothing => {
                    Encoder::default().end(output);
                    self.stage = Stage::End(transaction);
                    None
                }
                next => Some(self.finish(transaction, next)),
            },
            Stage::Text(mut transaction) => {
                transaction.interrupted(heard);
                Some(self.finish(transaction, Next::Closing))
            }
            Stage::End(mut transaction) => {
                let next = transaction.end(heard);
                Some(self.finish(transaction, next))
            }
            Stage::Ready | Stage::Quit | Stage::Handshake | Stage::Over | Stage::Finished(_) => {
                self.is_over = true;
                Some(Step::Over)
            }
            opening => self.open(opening, heard, lines, output),
        }
    }

    fn finish(&mut self, transaction: Transaction, next: Next) -> Step {
        self.is_over = next == Next::Closing;
        self.stage = Stage::Finished(transaction);
        Step::Done
    }

    /// The steps before the first message.
    fn open(&mut self, stage: Stage, heard: Heard, lines: &[String], output: &mut Vec<u8>) -> Option<Step> {
        match stage {
            Stage::Greeting if heard.code == 220 => Some(self.ehlo(output)),
            Stage::Ehlo if heard.is_positive() => {
                self.offer = Offer::read(lines);
                self.greeted(output)
            }
            // RFC 5321 §3.2: whoever does not know EHLO gets HELO.
            Stage::Ehlo if heard.code / 100 == 5 => {
                self.stage = Stage::Helo;
                output.extend_from_slice(format!("HELO {}\r\n", self.settings.hostname).as_bytes());
                None
            }
            Stage::Helo if heard.is_positive() => self.greeted(output),
            Stage::StartTls if heard.code == 220 => {
                self.stage = Stage::Handshake;
                Some(Step::Handshake)
            }
            Stage::StartTls if heard.is_negative() && !heard.is_closing() && self.settings.encrypt == Encrypt::IfOffered => {
                self.log_in(output)
            }
            Stage::StartTls if heard.is_negative() && !heard.is_closing() => Some(self.failed(Obstacle::NoTls)),
            Stage::LoginName | Stage::LoginPassword if heard.code == 334 => {
                self.answer(stage, output);
                None
            }
            Stage::LoginEnd if heard.is_positive() => Some(self.ready()),
            Stage::LoginName | Stage::LoginPassword | Stage::LoginEnd if heard.is_negative() => {
                Some(self.failed(Obstacle::LoginRefused(heard)))
            }
            _ if heard.is_negative() => Some(self.failed(Obstacle::Refused(heard))),
            _ => Some(self.failed(Obstacle::Broken(Fault::Unexpected(heard.to_string())))),
        }
    }

    fn ehlo(&mut self, output: &mut Vec<u8>) -> Step {
        self.stage = Stage::Ehlo;
        output.extend_from_slice(format!("EHLO {}\r\n", self.settings.hostname).as_bytes());
        Step::Read(Wait::Command)
    }

    fn greeted(&mut self, output: &mut Vec<u8>) -> Option<Step> {
        match (self.settings.encrypt, self.offer.start_tls) {
            _ if self.is_encrypted => self.log_in(output),
            (Encrypt::IfOffered | Encrypt::Always, true) => {
                self.stage = Stage::StartTls;
                output.extend_from_slice(b"STARTTLS\r\n");
                None
            }
            (Encrypt::Always, false) => Some(self.failed(Obstacle::NoTls)),
            (Encrypt::Never | Encrypt::IfOffered, _) => self.log_in(output),
        }
    }

    fn log_in(&mut self, output: &mut Vec<u8>) -> Option<Step> {
        let Some(login) = &self.settings.login else { return Some(self.ready()) };
        if !(self.is_encrypted || self.settings.is_private) {
            return Some(self.failed(Obstacle::NoSecrecy));
        }
        if self.offer.plain {
            let message = STANDARD.encode(format!("\0{}\0{}", login.username, login.password.expose()));
            output.extend_from_slice(format!("AUTH PLAIN {message}\r\n").as_bytes());
            self.stage = Stage::LoginEnd;
        } else if self.offer.login {
            output.extend_from_slice(b"AUTH LOGIN\r\n");
            self.stage = Stage::LoginName;
        } else {
            return Some(self.failed(Obstacle::NoMechanism));
        }
        None
    }

    /// The name, then the password.
    fn answer(&mut self, stage: Stage, output: &mut Vec<u8>) {
        let Some(login) = &self.settings.login else { return };
        let (text, next) = match stage {
            Stage::LoginName => (login.username.as_str(), Stage::LoginPassword),
            _ => (login.password.expose(), Stage::LoginEnd),
        };
        output.extend_from_slice(STANDARD.encode(text).as_bytes());
        output.extend_from_slice(b"\r\n");
        self.stage = next;
    }

    fn ready(&mut self) -> Step {
        self.stage = Stage::Ready;
        Step::Ready
    }

    fn failed(&mut self, obstacle: Obstacle) -> Step {
        self.is_over = true;
        self.stage = Stage::Over;
        Step::Failed(obstacle)
    }

    fn broken(&mut self, fault: Fault) -> Step {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Envelope(mut transaction) | Stage::Text(mut transaction) | Stage::End(mut transaction) => {
                let next = transaction.broken(fault);
                self.finish(transaction, next)
            }
            Stage::Ready | Stage::Quit => {
                self.is_over = true;
                Step::Over
            }
            _ => self.failed(Obstacle::Broken(fault)),
        }
    }
}
