//! A message on its way out: LF becomes CRLF, a dot at the start of a line is doubled, and a dot on a line of its own ends
//! it (RFC 1939 §3).
//!
//! Promises that the result does not depend on how the text is cut, and that what a client gets, dots undone, is as long as
//! [`Measure`] says: a CR before an LF is part of the line end, any other is text; a text that does not end with a line end
//! gets one. Keeps no text.

/// What stood before the next octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing, or a line end.
    LineEnd,
    /// A CR at the start of a line: the line is empty if an LF follows.
    FirstCr,
    /// A CR behind text.
    Cr,
    /// Anything else.
    Text,
}

impl Before {
    /// After `line`, which holds no LF.
    fn after(self, line: &[u8]) -> Self {
        match (self, line) {
            (before, []) => before,
            (Self::LineEnd, [b'\r']) => Self::FirstCr,
            (_, [.., b'\r']) => Self::Cr,
            _ => Self::Text,
        }
    }

    fn line_end(self) -> &'static [u8] {
        match self {
            Self::FirstCr | Self::Cr => b"\n",
            Self::LineEnd | Self::Text => b"\r\n",
        }
    }

    fn is_empty_line(self) -> bool {
        matches!(self, Self::LineEnd | Self::FirstCr)
    }
}

/// Counts the octets of a text as it will be sent, without the dots that are doubled.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    octets: u64,
    before: Before,
}

impl Default for Measure {
    fn default() -> Self {
        Self { octets: 0, before: Before::LineEnd }
    }
}

impl Measure {
    /// Adds a piece of the text.
    pub fn take(&mut self, piece: &[u8]) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            let line = piece.get(start..end).unwrap_or_default();
            self.octets += (line.len() + self.before.after(line).line_end().len()) as u64;
            self.before = Before::LineEnd;
            start = end + 1;
        }
        let rest = piece.get(start..).unwrap_or_default();
        self.octets += rest.len() as u64;
        self.before = self.before.after(rest);
    }

    /// The octets of the whole text.
    pub fn end(self) -> u64 {
        self.octets + if self.before == Before::LineEnd { 0 } else { 2 }
    }
}

/// How much of a message is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// `RETR`.
    Whole,
    /// `TOP`: the header section, and so many lines of the body.
    Top(u64),
}

/// Lines that are still to be sent.
#[derive(Debug, Clone, Copy)]
enum Left {
    All,
    Header { then: u64 },
    Lines(u64),
}

/// Turns what is kept into what travels.
#[derive(Debug, Clone)]
pub struct Encoder {
    before: Before,
    left: Left,
}

impl Encoder {
    /// At the start of a message.
    pub fn new(extent: Extent) -> Self {
        let left = match extent {
            Extent::Whole => Left::All,
            Extent::Top(lines) => Left::Header { then: lines },
        };
        Self { before: Before::LineEnd, left }
    }

    /// Whether nothing that may still come would be sent.
    pub fn is_over(&self) -> bool {
        matches!(self.left, Left::Lines(0))
    }

    /// Appends what a piece of the text becomes.
    pub fn encode(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        // Lines of mail are some 70 octets long: their ends, a dot here and there, and room for a bad guess.
        out.reserve(piece.len() + piece.len() / 16 + 16);
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            if self.is_over() {
                return;
            }
            self.part(piece.get(start..end).unwrap_or_default(), out);
            out.extend_from_slice(self.before.line_end());
            self.line_ended();
            start = end + 1;
        }
        if !self.is_over() {
            self.part(piece.get(start..).unwrap_or_default(), out);
        }
    }

    /// Appends the end of the message.
    pub fn finish(&self, out: &mut Vec<u8>) {
        if self.before != Before::LineEnd {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }

    fn part(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if self.before == Before::LineEnd && line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        self.before = self.before.after(line);
    }

    fn line_ended(&mut self) {
        self.left = match self.left {
            Left::All => Left::All,
            Left::Header { then } if self.before.is_empty_line() => Left::Lines(then),
            Left::Header { then } => Left::Header { then },
            Left::Lines(left) => Left::Lines(left.saturating_sub(1)),
        };
        self.before = Before::LineEnd;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &[u8], extent: Extent, cut: usize) -> Vec<u8> {
        let (mut encoder, mut out) = (Encoder::new(extent), Vec::new());
        text.chunks(cut.max(1)).for_each(|piece| encoder.encode(piece, &mut out));
        encoder.finish(&mut out);
        out
    }

    fn measured(text: &[u8], cut: usize) -> u64 {
        let mut measure = Measure::default();
        text.chunks(cut.max(1)).for_each(|piece| measure.take(piece));
        measure.end()
    }

    /// What a client makes of it: lines up to the dot, leading dots undone.
    fn decoded(wire: &[u8]) -> Option<Vec<u8>> {
        let (mut text, mut rest) = (Vec::new(), wire);
        loop {
            let end = rest.windows(2).position(|at| at == b"\r\n")? + 2;
            let (line, after) = rest.split_at_checked(end)?;
            if line == b".\r\n" {
                return after.is_empty().then_some(text);
            }
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            rest = after;
        }
    }

    #[test]
    fn lines_get_their_ends_and_dots() {
        for (text, wire) in [
            (&b""[..], &b".\r\n"[..]),
            (b"\n", b"\r\n.\r\n"),
            (b"a\n.\n..b\n", b"a\r\n..\r\n...b\r\n.\r\n"),
            (b"a\r\nb\r\n", b"a\r\nb\r\n.\r\n"),
            (b"a\rb\n\r\r\n", b"a\rb\r\n\r\r\n.\r\n"),
            (b"no end", b"no end\r\n.\r\n"),
            (b"cr at the end\r", b"cr at the end\r\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b"\r.\n", b"\r.\r\n.\r\n"),
            (b"nul \0 and 8bit \xff\n", b"nul \0 and 8bit \xff\r\n.\r\n"),
        ] {
            for cut in [1, 2, 3, 100] {
                assert_eq!(encoded(text, Extent::Whole, cut).escape_ascii().to_string(), wire.escape_ascii().to_string(), "by {cut}");
            }
        }
    }

    #[test]
    fn the_top_is_the_header_section_and_some_lines() {
        let text = b"A: 1\nB: 2\n\n.one\ntwo\nthree";
        for (lines, wire) in [
            (0, &b"A: 1\r\nB: 2\r\n\r\n.\r\n"[..]),
            (1, b"A: 1\r\nB: 2\r\n\r\n..one\r\n.\r\n"),
            (3, b"A: 1\r\nB: 2\r\n\r\n..one\r\ntwo\r\nthree\r\n.\r\n"),
            (u64::MAX, b"A: 1\r\nB: 2\r\n\r\n..one\r\ntwo\r\nthree\r\n.\r\n"),
        ] {
            for cut in [1, 2, 100] {
                assert_eq!(encoded(text, Extent::Top(lines), cut), wire, "{lines} by {cut}");
            }
        }
        assert_eq!(encoded(b"A: 1\r\n\r\nbody\r\n", Extent::Top(0), 1), b"A: 1\r\n\r\n.\r\n");
        assert_eq!(encoded(b"no body\n", Extent::Top(5), 3), b"no body\r\n.\r\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_arrives_is_as_long_as_measured(text in "[a\\.\r\n]{0,40}", cut in 1usize..9) {
            let text = text.as_bytes();
            let wire = encoded(text, Extent::Whole, cut);
            prop_assert_eq!(&wire, &encoded(text, Extent::Whole, 1000));
            let arrived = decoded(&wire);
            prop_assert_eq!(arrived.map(|arrived| arrived.len() as u64), Some(measured(text, cut)));
            prop_assert_eq!(encoded(text, Extent::Top(u64::MAX), cut), wire);
        }
    }
}
