//! The bookkeeping of one transaction: what has been said, what was answered, and so what became of whom.

use std::collections::VecDeque;

use super::command::Commands;
use super::reply::{Fault, Heard};

/// Commands that may wait for their replies at a time (RFC 2920). Their replies fit the buffers of any connection, so that both sides
/// never wait for each other to read.
const WINDOW: usize = 100;

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The server has taken the message for it.
    Taken(Heard),
    /// The server has refused it, for good or for now.
    Refused(Heard),
    /// There was no answer.
    Unanswered,
}

/// What became of all, in the order of the recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// One for each recipient.
    pub fates: Vec<Fate>,
    /// Whether the whole text was sent: who is unanswered then may have the message all the same.
    pub complete: bool,
    /// What the server did wrong, if that ended it.
    pub fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Reset,
    Mail,
    Recipient(usize),
    Data,
}

/// What a reply leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More replies.
    Wait,
    /// The text.
    Text,
    /// An empty text: `DATA` was on its way when the last recipient was refused (RFC 2920 §3.1).
    Nothing,
    /// It is over; the connection goes on.
    Done,
    /// It is over, and so is the connection.
    Closing,
}

#[derive(Debug)]
pub(super) struct Transaction {
    commands: Commands,
    todo: VecDeque<Said>,
    awaited: VecDeque<Said>,
    answers: Vec<Option<Heard>>,
    accepted: usize,
    whole: Option<Heard>,
    complete: bool,
    fault: Option<Fault>,
    /// The server remembers a sender.
    begun: bool,
}

impl Transaction {
    pub fn new(commands: Commands, reset: bool) -> Self {
        let count = commands.recipients.len();
        let mut todo: VecDeque<Said> = reset.then_some(Said::Reset).into_iter().chain([Said::Mail]).collect();
        todo.extend((0..count).map(Said::Recipient).chain([Said::Data]));
        Self {
            commands,
            todo,
            awaited: VecDeque::new(),
            answers: vec![None; count],
            accepted: 0,
            whole: None,
            complete: false,
            fault: None,
            begun: false,
        }
    }

    /// Says what can be said now.
    pub fn say(&mut self, pipelining: bool, output: &mut Vec<u8>) {
        let window = if pipelining { WINDOW } else { 1 };
        while self.awaited.len() < window {
            let Some(said) = self.todo.pop_front() else { return };
            // Nobody is left to send data for, as far as is known.
            if said == Said::Data && self.accepted == 0 && self.awaited.is_empty() {
                return;
            }
            let line = match said {
                Said::Reset => "RSET",
                Said::Mail => &self.commands.mail,
                Said::Recipient(index) => self.commands.recipients.get(index).map_or("NOOP", String::as_str),
                Said::Data => "DATA",
            };
            output.extend_from_slice(line.as_bytes());
            output.extend_from_slice(b"\r\n");
            self.awaited.push_back(said);
        }
    }

    /// Whether a reply is due.
    pub fn is_waiting(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// Whether one reply is due, and no more.
    pub fn awaits_one(&self) -> bool {
        self.awaited.len() == 1
    }

    /// Whether the next reply is that to `DATA`.
    pub fn is_at_data(&self) -> bool {
        self.awaited.front() == Some(&Said::Data)
    }

    /// Whether the next transaction has to begin with `RSET`.
    pub fn is_left_open(&self) -> bool {
        self.begun
    }

    /// Takes the reply to the command that waits the longest.
    pub fn hear(&mut self, heard: Heard) -> Next {
        if heard.is_closing() {
            self.whole.get_or_insert(heard);
            return Next::Closing;
        }
        match (self.awaited.pop_front(), heard) {
            (Some(Said::Reset), heard) if heard.is_positive() => Next::Wait,
            (Some(Said::Mail), heard) if heard.is_positive() => {
                self.begun = true;
                Next::Wait
            }
            (Some(Said::Mail), heard) if heard.is_negative() => {
                self.whole = Some(heard);
                self.todo.clear();
                self.rest()
            }
            (Some(Said::Recipient(index)), heard) if heard.is_positive() || heard.is_negative() => {
                self.accepted += usize::from(heard.is_positive() && self.whole.is_none());
                // Once MAIL was refused, what is said of recipients is that MAIL is missing.
                if self.whole.is_none()
                    && let Some(answer) = self.answers.get_mut(index)
                {
                    *answer = Some(heard);
                }
                self.rest()
            }
            (Some(Said::Data), heard) if heard.is_negative() => {
                self.whole.get_or_insert(heard);
                Next::Done
            }
            (Some(Said::Data), heard) if heard.code / 100 == 3 => {
                if self.accepted > 0 {
                    Next::Text
                } else {
                    Next::Nothing
                }
            }
            (Some(_), heard) => self.broken(Fault::Unexpected(heard.to_string())),
            (None, heard) => self.broken(Fault::OutOfTurn(heard.to_string())),
        }
    }

    /// Whether that was all: nothing is awaited, and there is nobody to send data for.
    fn rest(&self) -> Next {
        let over = self.awaited.is_empty() && self.accepted == 0 && matches!(self.todo.front(), None | Some(Said::Data));
        if over { Next::Done } else { Next::Wait }
    }

    /// The server did something wrong: what it has not answered so far it will not answer.
    pub fn broken(&mut self, fault: Fault) -> Next {
        self.fault = Some(fault);
        Next::Closing
    }

    /// A reply while the text is on its way: a refusal is taken, and nothing else can be meant.
    pub fn interrupted(&mut self, heard: Heard) {
        if heard.is_negative() {
            self.whole.get_or_insert(heard);
        } else {
            self.fault = Some(Fault::OutOfTurn(heard.to_string()));
        }
    }

    /// The whole text, its end included, is about to be sent.
    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// The reply to the whole text.
    pub fn end(&mut self, heard: Heard) -> Next {
        let closing = heard.is_closing();
        if !heard.is_positive() && !heard.is_negative() {
            return self.broken(Fault::Unexpected(heard.to_string()));
        }
        self.begun = false;
        self.whole.get_or_insert(heard);
        if closing { Next::Closing } else { Next::Done }
    }

    pub fn outcome(self) -> Outcome {
        let Self { whole, complete, answers, fault, .. } = self;
        let fate = |answer: Option<Heard>| match (answer, &whole) {
            (Some(answer), _) if answer.is_negative() => Fate::Refused(answer),
            (Some(_), Some(whole)) if complete && whole.is_positive() => Fate::Taken(whole.clone()),
            (_, Some(whole)) if whole.is_negative() => Fate::Refused(whole.clone()),
            _ => Fate::Unanswered,
        };
        Outcome { fates: answers.into_iter().map(fate).collect(), complete, fault }
    }
}
