//! A transaction, from `MAIL` to its last reply: one struct per state, consumed by its transition.
//!
//! An envelope exists in these states and at no other time. Whether a command may come in a state was settled by the
//! table before a transition runs.

use std::time::Instant;

use super::command::Chunk;
use super::intake::{self, Intake};
use super::reply::Reply;
use super::settings::{Dialect, Settings};
use super::state::{Say, State, Turn};
use crate::mail::envelope::Charset;
use crate::mail::trace::Spoken;
use crate::mail::{Envelope, ForwardPath, Recipient};
use crate::protocol::data::Framing;
use crate::protocol::lmtp::Tried;

/// What the client said of itself.
pub(super) struct Greeted {
    pub helo: String,
    pub spoken: Spoken,
}

/// Between transactions.
pub(super) struct Ready {
    pub greeted: Greeted,
    /// A `MAIL` was refused, and commands that were pipelined behind it may follow: no fault of theirs.
    pub mail_refused: bool,
}

/// A transaction that gathers its recipients.
pub(super) struct Open {
    pub greeted: Greeted,
    pub envelope: Envelope,
    pub tried: Tried,
}

/// A recipient has been asked about.
pub(super) struct Asking {
    pub(super) open: Open,
    pub(super) recipient: Recipient,
}

/// Data has been announced, and whether there is room has been asked.
pub(super) struct Starting {
    pub(super) open: Open,
    by: By,
}

enum By {
    Data,
    Bdat(Chunk),
}

/// The text of `DATA` is coming in.
pub(super) struct Receiving {
    pub(super) open: Open,
    pub(super) intake: Intake,
}

/// A message comes in chunks: `left` octets of `chunk` are to come, or another command.
pub(super) struct Chunking {
    pub(super) open: Open,
    pub(super) intake: Intake,
    chunk: Chunk,
    left: u64,
}

/// The text is complete, and to be made safe.
pub(super) struct Committing {
    pub(super) open: Open,
}

impl Ready {
    pub fn new(greeted: Greeted) -> Self {
        Self { greeted, mail_refused: false }
    }

    pub fn mail(self, envelope: Envelope, settings: &Settings) -> Turn {
        let limit = settings.max_message_size;
        if envelope.size.is_some_and(|size| size > limit) {
            return Turn::saying(State::Ready(self), Reply::TooBig { limit });
        }
        if envelope.charset == Charset::Ascii && envelope.sender.mailbox().is_some_and(|sender| !sender.is_ascii()) {
            return Turn::saying(State::Ready(self), Reply::NeedsUtf8);
        }
        Turn::saying(State::Open(Open { greeted: self.greeted, envelope, tried: Tried::None }), Reply::SenderOk)
    }
}

impl Open {
    pub fn rcpt(mut self, recipient: Recipient, settings: &Settings) -> Turn {
        self.tried = Tried::AllRefused;
        if self.envelope.recipients.len() >= settings.max_recipients {
            return Turn::saying(State::Open(self), Reply::TooManyRecipients { limit: settings.max_recipients });
        }
        let ascii = !matches!(&recipient.path, ForwardPath::Mailbox(mailbox) if !mailbox.is_ascii());
        if !ascii && self.envelope.charset == Charset::Ascii {
            return Turn::saying(State::Open(self), Reply::NeedsUtf8);
        }
        Turn::to(State::Asking(Asking { open: self, recipient }))
    }

    pub fn data(self, dialect: Dialect) -> Turn {
        match self.lacks_recipients(dialect) {
            Some(reply) => Turn::saying(State::Open(self), reply),
            None => Turn::to(State::Starting(Starting { open: self, by: By::Data })),
        }
    }

    pub fn bdat(self, chunk: Chunk, dialect: Dialect, settings: &Settings) -> Turn {
        if let Some(reply) = self.lacks_recipients(dialect) {
            return Turn { skip: chunk.octets, ..Turn::saying(State::Open(self), reply) };
        }
        if chunk.octets > settings.max_message_size {
            return self.oversized(chunk, dialect, settings);
        }
        Turn::to(State::Starting(Starting { open: self, by: By::Bdat(chunk) }))
    }

    fn lacks_recipients(&self, dialect: Dialect) -> Option<Reply> {
        self.envelope.recipients.is_empty().then(|| dialect.no_recipients(self.tried))
    }

    /// A chunk that is known to be too much before any of it has come.
    fn oversized(self, chunk: Chunk, dialect: Dialect, settings: &Settings) -> Turn {
        let reply = Reply::TooBig { limit: settings.max_message_size };
        Turn { skip: chunk.octets, discard: true, ..self.failed_chunk(chunk, reply, dialect) }
    }

    /// A chunk that failed ends the transaction: what RFC 3030 §4.3 leaves open is settled by starting afresh.
    fn failed_chunk(self, chunk: Chunk, reply: Reply, dialect: Dialect) -> Turn {
        let times = if chunk.last { dialect.final_replies(self.envelope.recipients.len()) } else { 1 };
        Turn { say: Say::Times(reply, times), ..Turn::to(self.closed()) }
    }

    /// The transaction is over.
    pub fn closed(self) -> State {
        State::Ready(Ready::new(self.greeted))
    }
}

impl Asking {
    pub fn answered(self, answer: Result<(), Reply>) -> Turn {
        let mut open = self.open;
        let reply = match answer {
            Ok(()) => {
                open.envelope.recipients.push(self.recipient);
                Reply::RecipientOk
            }
            Err(reply) => reply,
        };
        Turn::saying(State::Open(open), reply)
    }
}

impl Starting {
    pub fn answered(self, answer: Result<(), Reply>, dialect: Dialect, now: Instant) -> Turn {
        let open = self.open;
        match (answer, self.by) {
            (Ok(()), By::Data) => {
                let intake = Intake::new(Framing::Dots, now);
                Turn::saying(State::Receiving(Receiving { open, intake }), Reply::StartData)
            }
            (Ok(()), By::Bdat(chunk)) => {
                let intake = Intake::new(Framing::Counted, now);
                Chunking { open, intake, left: 0, chunk }.next(chunk)
            }
            (Err(reply), By::Data) => Turn::saying(open.closed(), reply),
            (Err(reply), By::Bdat(chunk)) => Turn { skip: chunk.octets, ..open.failed_chunk(chunk, reply, dialect) },
        }
    }

    /// Whether a refusal leaves bytes that no count tells apart from commands.
    pub fn is_data(&self) -> bool {
        matches!(self.by, By::Data)
    }
}

impl Receiving {
    /// Takes what `input` brings, and says how much of it that was.
    pub fn take(mut self, input: &[u8], body: &mut Vec<u8>, dialect: Dialect, settings: &Settings) -> (Turn, usize) {
        let taken = self.intake.take(input, body, settings);
        let turn = match (taken.ended, self.intake.fault(settings)) {
            (false, _) => Turn::to(State::Receiving(self)),
            (true, None) => Turn::to(State::Committing(Committing { open: self.open })),
            (true, Some(reply)) => {
                let times = dialect.final_replies(self.open.envelope.recipients.len());
                Turn { say: Say::Times(reply, times), ..Turn::to(self.open.closed()) }
            }
        };
        (Turn { discard: taken.spoiled, ..turn }, taken.consumed)
    }
}

impl Chunking {
    /// Whether octets of a chunk are on their way, rather than a command.
    pub fn is_inside(&self) -> bool {
        self.left > 0 || self.chunk.last
    }

    pub fn bdat(self, chunk: Chunk, dialect: Dialect, settings: &Settings) -> Turn {
        if self.intake.octets().saturating_add(chunk.octets) > settings.max_message_size {
            return self.open.oversized(chunk, dialect, settings);
        }
        self.next(chunk)
    }

    fn next(self, chunk: Chunk) -> Turn {
        let state = State::Chunking(Self { chunk, left: chunk.octets, ..self });
        if chunk.octets == 0 && !chunk.last { Turn::saying(state, Reply::ChunkOk { octets: 0 }) } else { Turn::to(state) }
    }

    /// Takes what `input` brings, and says how much of it that was.
    pub fn take(mut self, input: &[u8], body: &mut Vec<u8>, dialect: Dialect, settings: &Settings) -> (Turn, usize) {
        let reach = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
        let taken = self.intake.take(input.get(..reach).unwrap_or(input), body, settings);
        self.left = self.left.saturating_sub(taken.consumed as u64);
        let mut discard = taken.spoiled;
        if self.left == 0 && self.chunk.last {
            discard |= self.intake.finish(body, settings);
        }
        let turn = match (self.left, self.intake.fault(settings)) {
            (1.., _) => Turn::to(State::Chunking(self)),
            (0, Some(reply)) => self.open.failed_chunk(self.chunk, reply, dialect),
            (0, None) if self.chunk.last => Turn::to(State::Committing(Committing { open: self.open })),
            (0, None) => {
                let octets = self.chunk.octets;
                Turn::saying(State::Chunking(self), Reply::ChunkOk { octets })
            }
        };
        (Turn { discard, ..turn }, taken.consumed)
    }
}

impl Committing {
    /// A reply for each recipient that needs one, whatever the world has said: the peer counts them.
    pub fn answered(self, mut outcomes: Vec<Reply>, dialect: Dialect) -> Turn {
        outcomes.resize(dialect.final_replies(self.open.envelope.recipients.len()), Reply::StorageFailed);
        Turn { say: Say::Each(outcomes), ..Turn::to(self.open.closed()) }
    }
}

/// Octets that belong to a refused chunk, on their way to nowhere (RFC 3030 §2: they are read before the reply).
pub(super) struct Skip {
    left: u64,
    passed: u64,
    began: Instant,
    pub say: Say,
}

impl Skip {
    pub fn new(octets: u64, say: Say, now: Instant) -> Self {
        Self { left: octets, passed: 0, began: now, say }
    }

    /// How much of so many octets is part of the chunk.
    pub fn pass(&mut self, octets: usize) -> usize {
        let passed = usize::try_from(self.left).unwrap_or(usize::MAX).min(octets);
        self.left = self.left.saturating_sub(passed as u64);
        self.passed = self.passed.saturating_add(passed as u64);
        passed
    }

    pub fn is_over(&self) -> bool {
        self.left == 0
    }

    pub fn too_slow_at(&self, settings: &Settings) -> Option<Instant> {
        intake::too_slow_at(self.began, self.passed, settings)
    }
}
