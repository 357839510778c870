//! Message text on its way out: line ends become CRLF, leading dots are doubled, the end is marked (RFC 5321 §4.5.2). Nothing else
//! changes, so that signatures hold.

/// Turns what is kept (LF line ends) into what travels.
#[derive(Debug, Clone)]
pub struct Encoder {
    at_line_start: bool,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { at_line_start: true }
    }
}

impl Encoder {
    /// Appends the next part of the text to `out`.
    pub fn encode(&mut self, text: &[u8], out: &mut Vec<u8>) {
        out.reserve(text.len() + text.len() / 32 + 2);
        let mut rest = text;
        while !rest.is_empty() {
            if self.at_line_start && rest.starts_with(b".") {
                out.push(b'.');
            }
            let end = memchr::memchr(b'\n', rest);
            let (line, after) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            out.extend_from_slice(line);
            self.at_line_start = end.is_some();
            if self.at_line_start {
                out.extend_from_slice(b"\r\n");
            }
            rest = after.get(1..).unwrap_or_default();
        }
    }

    /// Appends the end: a dot on a line of its own.
    pub(super) fn end(&self, out: &mut Vec<u8>) {
        if !self.at_line_start {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::data::{Decoder, Framing};
    use proptest::prelude::*;

    fn encoded(text: &[u8], size: usize) -> Vec<u8> {
        let (mut encoder, mut out) = (Encoder::default(), Vec::new());
        text.chunks(size).for_each(|part| encoder.encode(part, &mut out));
        encoder.end(&mut out);
        out
    }

    #[test]
    fn dots_are_doubled_at_the_start_of_lines_alone() {
        for size in [1, 2, 100] {
            assert_eq!(encoded(b".a\n.\n..\na.b\n\n", size), b"..a\r\n..\r\n...\r\na.b\r\n\r\n.\r\n");
            assert_eq!(encoded(b"", size), b".\r\n");
            assert_eq!(encoded(b"no end", size), b"no end\r\n.\r\n");
        }
    }

    proptest! {
        #[test]
        fn what_travels_arrives(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'.'), Just(b'a')], 0..60),
            size in 1usize..9,
        ) {
            let wire = encoded(&text, size);
            let (mut decoder, mut body) = (Decoder::new(Framing::Dots), Vec::new());
            let done = decoder.decode(&wire, &mut body);
            prop_assert!(done.ended && done.consumed == wire.len() && !decoder.has_bare_newline());
            let whole = if text.is_empty() || text.ends_with(b"\n") { text } else { [text, b"\n".to_vec()].concat() };
            prop_assert_eq!(body, whole);
        }
    }
}
