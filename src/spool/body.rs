//! The text of a message on its way in: in memory up to [`MESSAGE_IN_MEMORY`], beyond that in a file of the spool, which
//! goes away with the value.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;

use crate::mail::limits::{HEADER_OCTETS, MESSAGE_IN_MEMORY};
use crate::mail::trace::{Journey, header_end};
use crate::maildir::Text;

/// The text so far. Made by [`super::Spool::body`].
pub struct Body {
    folder: PathBuf,
    memory: Vec<u8>,
    overflow: Option<File>,
    octets: u64,
    lines: u64,
    ends_with_newline: bool,
    journey: Option<Journey>,
}

impl Body {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, memory: Vec::new(), overflow: None, octets: 0, lines: 0, ends_with_newline: true, journey: None }
    }

    /// Octets so far.
    pub fn len(&self) -> u64 {
        self.octets
    }

    /// Whether nothing has come yet.
    pub fn is_empty(&self) -> bool {
        self.octets == 0
    }

    /// The header section, as far as it has come: up to the empty line.
    pub fn head(&self) -> &[u8] {
        let end = header_end(&self.memory).unwrap_or(self.memory.len());
        self.memory.get(..end).unwrap_or_default()
    }

    /// Octets held in memory.
    pub fn in_memory(&self) -> usize {
        self.memory.capacity()
    }

    /// What the header section says, once all of the text has come. It is read once.
    pub fn journey(&mut self) -> &Journey {
        let head = header_end(&self.memory).unwrap_or(if self.overflow.is_none() { self.memory.len() } else { 0 });
        let header = self.memory.get(..head).unwrap_or_default();
        self.journey.get_or_insert_with(|| Journey::read(header))
    }

    /// Whether the next [`Body::take`] of that many octets would write to a file.
    pub fn would_block(&self, octets: usize) -> bool {
        self.overflow.is_some() || self.memory.len() + octets > MESSAGE_IN_MEMORY
    }

    /// Takes the next part of the text (LF line ends) and empties `text`. Blocks only when it writes to a file.
    pub fn take(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        let Some(last) = text.last() else { return Ok(()) };
        self.ends_with_newline = *last == b'\n';
        self.octets += text.len() as u64;
        self.lines += memchr::memchr_iter(b'\n', text).count() as u64;
        // Memory is filled to the last octet, so that a header section within its limit lies there whole.
        let room = MESSAGE_IN_MEMORY.saturating_sub(self.memory.len()).min(text.len());
        if self.memory.is_empty() && room == text.len() {
            // The buffer goes along, uncopied: most messages come in one part.
            self.memory = std::mem::take(text);
            return Ok(());
        }
        let (kept, rest) = text.split_at_checked(room).unwrap_or((text, &[]));
        self.memory.extend_from_slice(kept);
        if !rest.is_empty() {
            let file = match &mut self.overflow {
                Some(file) => file,
                // A file without a name: nothing is left of it when the process ends, however it ends.
                None => self.overflow.insert(tempfile::tempfile_in(&self.folder)?),
            };
            file.write_all(rest)?;
        }
        text.clear();
        Ok(())
    }

    /// Ends the text: reads its header section, and takes out what delivery replaces.
    pub(super) fn finish(mut self) -> Result<Complete, HeaderTooBig> {
        if !self.ends_with_newline {
            self.octets += 1;
            self.lines += 1;
        }
        let head = match header_end(&self.memory) {
            Some(end) => end,
            None if self.overflow.is_none() => self.memory.len(),
            None => return Err(HeaderTooBig),
        };
        let journey = self.journey.take().unwrap_or_else(|| Journey::read(self.memory.get(..head).unwrap_or_default()));
        let removed: Vec<&[u8]> = journey.replaced.iter().filter_map(|field| self.memory.get(field.clone())).collect();
        let octets = self.octets - removed.iter().map(|field| field.len() as u64).sum::<u64>();
        let lines = self.lines - removed.iter().map(|field| memchr::memchr_iter(b'\n', field).count() as u64).sum::<u64>();
        Ok(Complete { kept: kept(&journey.replaced, self.memory.len()), octets, lines, journey, body: self })
    }
}

const _: () = assert!(HEADER_OCTETS <= MESSAGE_IN_MEMORY, "the header section is examined in memory");

/// The parts of `0..end` that are in none of `replaced`, which are in order.
fn kept(replaced: &[Range<usize>], end: usize) -> Vec<Range<usize>> {
    let starts = std::iter::once(0).chain(replaced.iter().map(|field| field.end));
    let ends = replaced.iter().map(|field| field.start).chain(std::iter::once(end));
    starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| start..end).collect()
}

/// The header section does not end within its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeaderTooBig;

/// A text that is whole.
pub(super) struct Complete {
    /// What its header section says.
    pub(super) journey: Journey,
    body: Body,
    kept: Vec<Range<usize>>,
    octets: u64,
    lines: u64,
}

impl Complete {
    /// The line end that the client left out.
    fn last(&self) -> &[u8] {
        if self.body.ends_with_newline { b"" } else { b"\n" }
    }
}

impl Text for Complete {
    fn len(&self) -> u64 {
        self.octets
    }

    fn lines(&self) -> u64 {
        self.lines
    }

    fn read(&self) -> io::Result<Box<dyn Read + '_>> {
        let mut text: Box<dyn Read + '_> = Box::new(io::empty());
        for part in &self.kept {
            text = Box::new(text.chain(self.body.memory.get(part.clone()).unwrap_or_default()));
        }
        if let Some(file) = &self.body.overflow {
            let mut file = file.try_clone()?;
            file.seek(SeekFrom::Start(0))?;
            text = Box::new(text.chain(file));
        }
        Ok(Box::new(text.chain(self.last())))
    }

    fn parts(&self) -> Option<Vec<&[u8]>> {
        let parts = self.kept.iter().map(|part| self.body.memory.get(part.clone()).unwrap_or_default());
        self.body.overflow.is_none().then(|| parts.chain([self.last()]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(parts: &[&[u8]]) -> io::Result<(Vec<u8>, u64, u64)> {
        let folder = tempfile::tempdir()?;
        let mut body = Body::new(folder.path().to_owned());
        for part in parts {
            body.take(&mut part.to_vec())?;
        }
        let complete = body.finish().map_err(|_| io::Error::other("header too big"))?;
        let mut text = Vec::new();
        complete.read()?.read_to_end(&mut text)?;
        let mut again = Vec::new();
        complete.read()?.read_to_end(&mut again)?;
        assert_eq!(text, again);
        Ok((text, complete.len(), complete.lines()))
    }

    #[test]
    fn text_comes_back_without_what_is_replaced_and_with_a_last_line_end() -> io::Result<()> {
        let (text, octets, lines) = through(&[b"Return-Path: <a@b>\nSubject: x\nreturn", b"-path: <c@d>\n\nbody"])?;
        assert_eq!(text, b"Subject: x\n\nbody\n");
        assert_eq!((octets, lines), (17, 3));
        Ok(())
    }

    #[test]
    fn long_texts_go_through_a_file() -> io::Result<()> {
        let line = [b"x".repeat(999).as_slice(), b"\n"].concat();
        let mut parts: Vec<&[u8]> = vec![b"Subject: x\n\n"];
        parts.extend(std::iter::repeat_n(line.as_slice(), 1000));
        let (text, octets, lines) = through(&parts)?;
        assert_eq!((text.len() as u64, octets, lines), (1_000_012, 1_000_012, 1002));
        assert!(text.ends_with(&line));
        Ok(())
    }

    #[test]
    fn a_header_section_without_end_is_refused() {
        let field = b"X: y\n".repeat(1000);
        let parts: Vec<&[u8]> = std::iter::repeat_n(field.as_slice(), 60).collect();
        assert!(through(&parts).is_err());
    }
}
