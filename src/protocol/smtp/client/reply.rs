//! Replies as they arrive (RFC 5321 §4.2.1): found in pieces, within bounds, and made safe to print.

use std::fmt;

use crate::mail::Status;

/// Octets of one line. RFC 5321 §4.5.3.1.5 asks for 512; servers in use say more.
const LINE_OCTETS: usize = 4096;

/// Octets of one reply. No `EHLO` in use comes near it.
const REPLY_OCTETS: usize = 64 * 1024;

/// Characters of a reply's text that are kept: what a log or a report can use.
const TEXT_CHARACTERS: usize = 1000;

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The reply code: 200 to 599.
    pub code: u16,
    /// The enhanced code of its first line.
    pub enhanced: Option<Status>,
    /// Its lines without the codes, joined by spaces: printable, and cut where it is very long.
    pub text: String,
}

/// What a server said that is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line or a reply over its bound.
    #[error("its reply does not end within {REPLY_OCTETS} octets")]
    TooLong,
    /// No reply code, or lines that do not belong together.
    #[error("it does not speak SMTP: `{0}`")]
    Garbage(String),
    /// A reply that nothing was said for.
    #[error("it answered out of turn: `{0}`")]
    OutOfTurn(String),
    /// A code that means nothing here.
    #[error("its reply makes no sense here: `{0}`")]
    Unexpected(String),
}

impl Heard {
    /// 2yz.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz or 5yz.
    pub fn is_negative(&self) -> bool {
        matches!(self.code / 100, 4 | 5)
    }

    /// 4yz.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// The server is about to close (RFC 5321 §3.8).
    pub fn is_closing(&self) -> bool {
        self.code == 421
    }

    /// The enhanced code; where there is none, or one of another class, what the reply code alone says.
    pub fn status(&self) -> Status {
        let class = (self.code / 100) as u8;
        self.enhanced.filter(|status| status.class == class).unwrap_or(Status::new(class, 0, 0))
    }
}

/// As it would stand in a log: one line.
impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, " {}", self.text) }
    }
}

/// A reply, and its lines as they came.
type Whole = (Heard, Vec<String>);

/// Gathers the lines of a reply.
#[derive(Debug, Default)]
pub(super) struct Replies {
    code: Option<u16>,
    octets: usize,
    lines: Vec<String>,
}

impl Replies {
    /// Whether a reply has begun.
    pub fn is_inside(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Takes lines off the front of `input`. The lines of a whole reply, if there is one.
    pub fn next(&mut self, input: &[u8]) -> Result<(Option<Whole>, usize), Fault> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            let window = rest.get(..LINE_OCTETS).unwrap_or(rest);
            let Some(end) = memchr::memchr(b'\n', window) else {
                return if window.len() == LINE_OCTETS { Err(Fault::TooLong) } else { Ok((None, used)) };
            };
            used += end + 1;
            self.octets += end + 1;
            if self.octets > REPLY_OCTETS {
                return Err(Fault::TooLong);
            }
            let line = window.get(..end).unwrap_or_default();
            if self.take(line.strip_suffix(b"\r").unwrap_or(line))? {
                return Ok((Some(self.finish()), used));
            }
        }
    }

    /// Takes one line. Whether it was the last.
    fn take(&mut self, line: &[u8]) -> Result<bool, Fault> {
        let garbage = || Fault::Garbage(printable(line, 80));
        let (digits, rest) = line.split_at_checked(3).ok_or_else(garbage)?;
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        let code = number.filter(|code| (200..600).contains(code)).ok_or_else(garbage)?;
        if self.code.is_some_and(|first| first != code) {
            return Err(garbage());
        }
        let (last, text) = match rest {
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return Err(garbage()),
        };
        self.code = Some(code);
        self.lines.push(printable(text, LINE_OCTETS));
        Ok(last)
    }

    fn finish(&mut self) -> (Heard, Vec<String>) {
        let Self { code, lines, .. } = std::mem::take(self);
        let mut enhanced = None;
        let mut text = String::new();
        for line in &lines {
            let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
            let status = Status::parse(first);
            enhanced = enhanced.or(status);
            let said = if status.is_some() { rest.trim() } else { line.trim() };
            if !said.is_empty() && text.len() < TEXT_CHARACTERS {
                text.extend((!text.is_empty()).then_some(' '));
                text.push_str(said);
            }
        }
        if let Some((end, _)) = text.char_indices().nth(TEXT_CHARACTERS) {
            text.truncate(end);
            text.push('…');
        }
        (Heard { code: code.unwrap_or_default(), enhanced, text }, lines)
    }
}

/// Text of a peer's without anything that a terminal or a header field would act upon.
fn printable(octets: &[u8], characters: usize) -> String {
    let safe = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}') { '?' } else { c };
    String::from_utf8_lossy(octets).chars().take(characters).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reply in `input`, fed in pieces.
    fn heard(input: &[u8], size: usize) -> Result<Vec<String>, Fault> {
        let (mut replies, mut buffer, mut found) = (Replies::default(), Vec::new(), Vec::new());
        for piece in input.chunks(size) {
            buffer.extend_from_slice(piece);
            loop {
                let (reply, used) = replies.next(&buffer)?;
                buffer.drain(..used);
                let Some((reply, _)) = reply else { break };
                found.push(format!("{reply} = {}", reply.status()));
            }
            assert!(buffer.len() < LINE_OCTETS);
        }
        Ok(found)
    }

    #[test]
    fn replies_are_read_alike_however_they_are_cut() {
        let input = b"220 host ESMTP\r\n250-host\r\n250-SIZE 10\r\n250 DSN\n550-5.1.1 no such\r\n550 5.1.1 user\r\n354\r\n\
            451 5.7.1 odd class\r\n421 4.3.2\r\n550 5.7.1\x1b[31m \xff bad\r\n";
        let expected = [
            "220 host ESMTP = 2.0.0",
            "250 host SIZE 10 DSN = 2.0.0",
            "550 5.1.1 no such user = 5.1.1",
            "354 = 3.0.0",
            "451 5.7.1 odd class = 4.0.0",
            "421 4.3.2 = 4.3.2",
            "550 5.7.1?[31m \u{fffd} bad = 5.0.0",
        ];
        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(heard(input, size), Ok(expected.map(str::to_owned).to_vec()), "{size}");
        }
    }

    #[test]
    fn what_is_no_reply_is_a_fault() {
        for input in ["SSH-2.0-x\r\n", "25\r\n", "99 \r\n", "650 x\r\n", "250x\r\n", "250-a\r\n550 b\r\n", "\r\n", "2a0 \r\n"] {
            assert!(matches!(heard(input.as_bytes(), 5), Err(Fault::Garbage(_))), "{input:?}");
        }
    }

    #[test]
    fn nothing_grows_with_what_is_sent() {
        let line = [b"250-".to_vec(), vec![b'x'; 5_000_000]].concat();
        assert_eq!(heard(&line, 1000), Err(Fault::TooLong));
        assert_eq!(heard(&b"250-x\r\n".repeat(800_000), 1000), Err(Fault::TooLong));
        let long = [b"550-".to_vec(), vec![b'y'; 3000], b"\r\n".to_vec()].concat().repeat(5);
        let heard = heard(&[long, b"550 end\r\n".to_vec()].concat(), 1000);
        assert!(heard.is_ok_and(|all| all.iter().all(|text| text.chars().count() < TEXT_CHARACTERS + 30)));
    }
}
