//! Command lines: where one ends, and which of them may be read at all (RFC 5321 §2.3.8, §4.5.3.1.4).
//!
//! Owns the bound on a command line. Promises that a line over it is reported once and never executed, however long it
//! goes on and however it is cut into reads, and that nothing is kept but the bytes of one line. Refuses to know what
//! commands there are.

/// Octets of a command line with its line end. RFC 5321 §4.5.3.1.4 asks for 512, and extensions add to that; the
/// longest that can make sense here is an `XCLIENT` or an `RCPT` with `ORCPT`, both well below.
pub const COMMAND_OCTETS: usize = 4096;

/// What stands at the beginning of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Not a whole line yet.
    Partial,
    /// A line, without its end.
    Whole {
        /// What stands before the line end.
        text: &'a [u8],
        /// How the line ended.
        ending: Ending,
    },
    /// A line that has just passed the bound.
    TooLong,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// CRLF, as it should be.
    CrLf,
    /// LF alone.
    BareLf,
}

/// Finds lines in input that arrives in pieces.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lines {
    /// Inside a line that was reported as too long.
    draining: bool,
}

impl Lines {
    /// The next line, and how many octets of `input` are done with once it has been looked at.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> (Line<'a>, usize) {
        let mut rest = input;
        if self.draining {
            let Some(end) = memchr::memchr(b'\n', input) else { return (Line::Partial, input.len()) };
            self.draining = false;
            rest = input.get(end + 1..).unwrap_or_default();
        }
        let drained = input.len() - rest.len();
        let window = rest.get(..COMMAND_OCTETS).unwrap_or(rest);
        match memchr::memchr(b'\n', window) {
            Some(end) => {
                let line = window.get(..end).unwrap_or_default();
                let (text, ending) = line.strip_suffix(b"\r").map_or((line, Ending::BareLf), |text| (text, Ending::CrLf));
                (Line::Whole { text, ending }, drained + end + 1)
            }
            None if window.len() == COMMAND_OCTETS => {
                self.draining = true;
                (Line::TooLong, drained + COMMAND_OCTETS)
            }
            None => (Line::Partial, drained),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line of `input`, fed in pieces of `size` octets.
    fn lines(input: &[u8], size: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut reader = Lines::default();
        let mut buffer = Vec::new();
        for piece in input.chunks(size) {
            buffer.extend_from_slice(piece);
            loop {
                let (line, used) = reader.next(&buffer);
                let text = match line {
                    Line::Partial => None,
                    Line::Whole { text, ending } => Some(format!("{} {ending:?}", text.escape_ascii())),
                    Line::TooLong => Some("too long".to_owned()),
                };
                buffer.drain(..used);
                let Some(text) = text else { break };
                found.push(text);
            }
            assert!(buffer.len() < COMMAND_OCTETS);
        }
        found
    }

    #[test]
    fn lines_end_alike_however_they_are_cut() {
        for size in [1, 2, 3, 7, 100_000] {
            assert_eq!(lines(b"NOOP\r\nRSET\nA\rB\r\r\n\r\nrest", size), ["NOOP CrLf", "RSET BareLf", "A\\rB\\r CrLf", " CrLf"]);
        }
    }

    #[test]
    fn a_line_at_the_bound_is_read_and_one_over_it_is_drained() {
        let fits = [vec![b'a'; COMMAND_OCTETS - 2], b"\r\n".to_vec()].concat();
        let over = [vec![b'b'; COMMAND_OCTETS - 1], b"\r\nNOOP\r\n".to_vec()].concat();
        let far = [vec![b'c'; 3 * COMMAND_OCTETS], b"\r\nNOOP\r\n".to_vec()].concat();
        for size in [1, 1000, 100_000] {
            assert_eq!(lines(&fits, size).len(), 1);
            assert!(lines(&fits, size).iter().all(|line| line.starts_with("aaa")));
            assert_eq!(lines(&over, size), ["too long", "NOOP CrLf"]);
            assert_eq!(lines(&far, size), ["too long", "NOOP CrLf"]);
        }
    }
}
