//! Message text on its way in: line ends become LF, dots are unstuffed, the end is found (RFC 5321 §4.1.1.4, §4.5.2;
//! RFC 3030 for counted chunks).
//!
//! Promises that the text ends at `CRLF . CRLF` and nowhere else: a bare CR or LF is text that becomes a line end of its
//! own, and a dot behind it is only a dot (otherwise a sender that counts lines differently could hide a second message
//! in the first: "SMTP smuggling"). The result does not depend on how the input is cut. Keeps no text: everything goes
//! straight from input to body, at most two octets wait as a state. Refuses to know limits; it counts for those that do.

/// How the end of the text is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `DATA`: ended by a dot on a line of its own, other leading dots doubled.
    Dots,
    /// `BDAT`: ended by count, nothing doubled.
    Counted,
}

/// Where in the text the decoder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Behind a real CRLF; the one that ended the command counts.
    LineStart,
    /// Anywhere else, behind a bare CR or LF too.
    Text,
    /// Behind a CR that may be half of a CRLF.
    Cr,
    /// Behind CRLF and a dot.
    Dot,
    /// Behind CRLF, a dot, and a CR.
    DotCr,
}

/// What one call of [`Decoder::decode`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// Octets of the input that are done with; all, unless the text ended.
    pub consumed: usize,
    /// Whether the text has ended.
    pub ended: bool,
}

/// Turns what travels into what is kept.
#[derive(Debug, Clone)]
pub struct Decoder {
    framing: Framing,
    at: At,
    octets: u64,
    line: u64,
    longest: u64,
    bare: bool,
}

impl Decoder {
    /// A decoder at the beginning of a text.
    pub fn new(framing: Framing) -> Self {
        Self { framing, at: At::LineStart, octets: 0, line: 0, longest: 0, bare: false }
    }

    /// The size of the text so far as RFC 1870 counts it: as it came, without transparency dots and without the end.
    pub fn octets(&self) -> u64 {
        self.octets + self.line
    }

    /// Octets of the longest line so far, its end included.
    pub fn longest_line(&self) -> u64 {
        self.longest.max(self.line)
    }

    /// Whether a CR or LF stood alone.
    pub fn has_bare_newline(&self) -> bool {
        self.bare
    }

    /// Appends what `input` brings to `body`.
    pub fn decode(&mut self, input: &[u8], body: &mut Vec<u8>) -> Decoded {
        // Nothing grows on its way through, except that a CR held back becomes a line end.
        body.reserve(input.len() + 1);
        let mut rest = input;
        loop {
            rest = match (self.at, rest) {
                (_, []) => return Decoded { consumed: input.len(), ended: false },
                (At::LineStart, [b'.', after @ ..]) if self.framing == Framing::Dots => {
                    self.at = At::Dot;
                    after
                }
                (At::Dot, [b'\r', after @ ..]) => {
                    self.at = At::DotCr;
                    after
                }
                (At::DotCr, [b'\n', after @ ..]) => return Decoded { consumed: input.len() - after.len(), ended: true },
                (At::Cr, [b'\n', after @ ..]) => {
                    self.end_line(2, body);
                    self.at = At::LineStart;
                    after
                }
                (At::Cr | At::DotCr, _) => {
                    self.end_bare(body);
                    rest
                }
                (At::LineStart | At::Text | At::Dot, _) => self.lines(rest, body),
            };
        }
    }

    /// The count of a [`Framing::Counted`] text is reached: what was held back goes out.
    pub fn finish(&mut self, body: &mut Vec<u8>) {
        if self.at == At::Cr {
            self.end_bare(body);
        }
    }

    /// Copies line by line, until the input ends or a dot after a CRLF needs care.
    fn lines<'a>(&mut self, mut rest: &'a [u8], body: &mut Vec<u8>) -> &'a [u8] {
        loop {
            let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (text, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            body.extend_from_slice(text);
            self.line += text.len() as u64;
            rest = match tail {
                [b'\r', b'\n', after @ ..] => {
                    self.end_line(2, body);
                    if matches!(after, [] | [b'.', ..]) {
                        self.at = At::LineStart;
                        return after;
                    }
                    after
                }
                [b'\r'] => {
                    self.at = At::Cr;
                    return &[];
                }
                [b'\r' | b'\n', after @ ..] => {
                    self.end_bare(body);
                    if after.is_empty() {
                        return after;
                    }
                    after
                }
                _ => {
                    self.at = At::Text;
                    return &[];
                }
            };
        }
    }

    fn end_line(&mut self, octets: u64, body: &mut Vec<u8>) {
        body.push(b'\n');
        self.line += octets;
        self.longest = self.longest.max(self.line);
        self.octets += self.line;
        self.line = 0;
    }

    fn end_bare(&mut self, body: &mut Vec<u8>) {
        self.bare = true;
        self.end_line(1, body);
        self.at = At::Text;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rules once more, slowly: (body, octets left over, bare newline seen), or nothing before the end.
    fn reference(input: &[u8]) -> Option<(Vec<u8>, usize, bool)> {
        let end = (0..input.len()).find(|&at| {
            let preceded = at == 0 || (at >= 2 && input.get(at - 2..at) == Some(b"\r\n"));
            preceded && input.get(at..at + 3) == Some(b".\r\n")
        })?;
        let text = input.get(..end)?;
        let (mut body, mut bare, mut crlf) = (Vec::new(), false, true);
        let mut octets = text.iter().copied().peekable();
        while let Some(octet) = octets.next() {
            let start = std::mem::take(&mut crlf);
            match octet {
                b'\r' => {
                    crlf = octets.next_if_eq(&b'\n').is_some();
                    bare |= !crlf;
                    body.push(b'\n');
                }
                b'\n' => {
                    bare = true;
                    body.push(b'\n');
                }
                b'.' if start => {}
                other => body.push(other),
            }
        }
        Some((body, input.len() - end - 3, bare))
    }

    fn decoded(input: &[u8], cuts: &[usize]) -> Option<(Vec<u8>, usize, bool)> {
        let mut decoder = Decoder::new(Framing::Dots);
        let (mut body, mut rest, mut cuts) = (Vec::new(), input, cuts.iter().cycle());
        while !rest.is_empty() {
            let cut = cuts.next().map_or(rest.len(), |cut| (*cut).clamp(1, rest.len()));
            let progress = decoder.decode(&rest[..cut], &mut body);
            rest = &rest[progress.consumed..];
            if progress.ended {
                return Some((body, rest.len(), decoder.has_bare_newline()));
            }
            assert_eq!(progress.consumed, cut);
        }
        None
    }

    #[test]
    fn only_crlf_dot_crlf_ends_the_text() {
        for (input, body) in [
            (&b".\r\n"[..], &b""[..]),
            (b"a\r\n.\r\n", b"a\n"),
            (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\n"),
            (b"a\n.\r\nb\r\n.\r\n", b"a\n.\nb\n"),
            (b"a\r\n.\nb\r\n.\r\n", b"a\n\nb\n"),
            (b"a\r.\rb\r\n.\r\n", b"a\n.\nb\n"),
            (b"a\r\n.\rb\r\n.\r\n", b"a\n\nb\n"),
            (b"a\r\n.\r\r\n.\r\n", b"a\n\n\n"),
            (b"a\r.\r\nb\r\n.\r\n", b"a\n.\nb\n"),
            (b"a\r\r\n.\r\n", b"a\n\n"),
            (b"..\r\n...\r\n.a\r\n\n..\r\n.\r\n", b".\n..\na\n\n..\n"),
        ] {
            for cut in [1, 2, 3, input.len()] {
                let found = decoded(input, &[cut]);
                assert_eq!(found.as_ref().map(|(text, ..)| text.as_slice()), Some(body), "{} by {cut}", input.escape_ascii());
            }
        }
        for input in [&b"a\r\n.\r"[..], b"a\n.\n", b"a\n.\r\n", b"a\r\n.\n", b"\r.\r\n", b""] {
            assert_eq!(decoded(input, &[1]), None, "{}", input.escape_ascii());
        }
    }

    #[test]
    fn counts_are_those_of_rfc_1870() {
        let mut decoder = Decoder::new(Framing::Dots);
        let mut body = Vec::new();
        assert!(decoder.decode(b"..ab\r\nc\nlonger\r\n.\r\n", &mut body).ended);
        assert_eq!((decoder.octets(), decoder.longest_line()), (5 + 2 + 8, 8));
        let mut decoder = Decoder::new(Framing::Dots);
        assert!(!decoder.decode(b"endless", &mut body).ended);
        assert_eq!((decoder.octets(), decoder.longest_line()), (7, 7));
    }

    #[test]
    fn chunks_keep_their_dots_and_lose_their_carriage_returns() {
        for size in 1..12 {
            let mut decoder = Decoder::new(Framing::Counted);
            let mut body = Vec::new();
            for chunk in b".a\r\n.\r\nb\n.\r".chunks(size) {
                assert_eq!(decoder.decode(chunk, &mut body), Decoded { consumed: chunk.len(), ended: false });
            }
            decoder.finish(&mut body);
            assert_eq!((body.as_slice(), decoder.octets()), (&b".a\n.\nb\n.\n"[..], 11), "{size}");
        }
    }

    proptest! {
        #[test]
        fn decoding_is_the_reference_however_it_is_cut(
            input in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a')], 0..60),
            cuts in proptest::collection::vec(1usize..9, 1..9),
        ) {
            prop_assert_eq!(decoded(&input, &cuts), reference(&input));
            let ended = [input, b"\r\n.\r\nQUIT\r\n".to_vec()].concat();
            prop_assert_eq!(decoded(&ended, &cuts), reference(&ended));
            prop_assert!(reference(&ended).is_some());
        }
    }
}
