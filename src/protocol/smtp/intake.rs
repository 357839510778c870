//! Message text under its limits: size, line length, bare newlines, and speed.
//!
//! A text that breaks a limit is read to its end, since the peer hears nothing before that, but no longer kept. Which
//! refusal it gets is decided at the end, so that it does not depend on how the text was cut.

use std::time::{Duration, Instant};

use super::reply::Reply;
use super::settings::{BareNewline, Settings};
use crate::protocol::data::{Decoder, Framing};

/// How long a peer may be slow before the average counts: connections start slowly, and disks stall.
pub(super) const GRACE: Duration = Duration::from_secs(60);

/// A text on its way in.
pub(super) struct Intake {
    decoder: Decoder,
    began: Instant,
    /// A limit was broken: nothing more is kept.
    spoiled: bool,
}

/// What one read has brought.
pub(super) struct Taken {
    pub consumed: usize,
    pub ended: bool,
    /// A limit was broken just now: what was kept is to be thrown away.
    pub spoiled: bool,
}

impl Intake {
    pub fn new(framing: Framing, now: Instant) -> Self {
        Self { decoder: Decoder::new(framing), began: now, spoiled: false }
    }

    /// Decodes `input` into `body`.
    pub fn take(&mut self, input: &[u8], body: &mut Vec<u8>, settings: &Settings) -> Taken {
        let before = body.len();
        let decoded = self.decoder.decode(input, body);
        let spoiled = self.check(before, body, settings);
        Taken { consumed: decoded.consumed, ended: decoded.ended, spoiled }
    }

    /// The last chunk is complete.
    pub fn finish(&mut self, body: &mut Vec<u8>, settings: &Settings) -> bool {
        let before = body.len();
        self.decoder.finish(body);
        self.check(before, body, settings)
    }

    /// Why the text cannot be taken.
    pub fn fault(&self, settings: &Settings) -> Option<Reply> {
        let max_line = settings.max_line.unwrap_or(u64::MAX);
        match settings.bare_newline {
            _ if self.decoder.octets() > settings.max_message_size => Some(Reply::TooBig { limit: settings.max_message_size }),
            _ if self.decoder.longest_line() > max_line => Some(Reply::TextLineTooLong { limit: max_line }),
            BareNewline::Reject if self.decoder.has_bare_newline() => Some(Reply::BareNewline),
            _ => None,
        }
    }

    /// Octets of the text so far.
    pub fn octets(&self) -> u64 {
        self.decoder.octets()
    }

    /// When the average speed will have fallen below the floor, if nothing more comes.
    pub fn too_slow_at(&self, settings: &Settings) -> Option<Instant> {
        too_slow_at(self.began, self.octets(), settings)
    }

    /// Whether a limit has just been broken. What a spoiled text has appended is taken back.
    fn check(&mut self, before: usize, body: &mut Vec<u8>, settings: &Settings) -> bool {
        if self.spoiled {
            body.truncate(before);
            return false;
        }
        self.spoiled = self.fault(settings).is_some();
        self.spoiled
    }
}

/// When a peer that has sent so much since `began` counts as too slow.
pub(super) fn too_slow_at(began: Instant, octets: u64, settings: &Settings) -> Option<Instant> {
    let earned = Duration::from_secs(octets.checked_div(settings.min_rate)?);
    began.checked_add(earned.max(GRACE))
}
