//! Reading the log back after a crash.
//!
//! A segment holds the records of its latest use, from its beginning on, and behind them what is left of earlier uses. A
//! group that a power cut interrupted may be there in any part; nothing of it was acknowledged. Records behind a gap are
//! looked for all the same: where a disk has damaged one record, the ones behind it are not lost with it.

use std::io;

use super::record::{self, Accepted, Note, UNIT};
use crate::sys::InPlace;

/// Where a message's record lies in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where it begins.
    pub at: u64,
    /// How long it is.
    pub octets: usize,
}

/// A message's record that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// The message.
    pub id: u64,
    /// The boot in which it was written.
    pub boot: u64,
    /// Where it lies.
    pub place: Place,
}

/// Everything that the latest use of a segment says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Which use that is.
    pub generation: u64,
    /// Messages, in the order of their acceptance.
    pub found: Vec<Found>,
    /// Messages that are done.
    pub done: Vec<u64>,
    /// Generations before this one are settled.
    pub settled: u64,
}

/// Reads a segment; none if it was never used.
pub(crate) fn contents(file: &dyn InPlace) -> io::Result<Option<Contents>> {
    let mut latest: Option<Contents> = None;
    walk(&whole(file)?, |at, read| {
        let contents = match &mut latest {
            Some(contents) if read.era.generation < contents.generation => return,
            Some(contents) if read.era.generation == contents.generation => contents,
            older => older.insert(Contents { generation: read.era.generation, ..Contents::default() }),
        };
        match read.note {
            Note::Accepted(Accepted { id, .. }) => {
                contents.found.push(Found { id, boot: read.era.boot, place: Place { at: at as u64, octets: read.octets } });
            }
            Note::Done(ids) => contents.done.extend(ids),
            Note::Settled(before) => contents.settled = contents.settled.max(before),
        }
    });
    Ok(latest)
}

/// A message and its text.
pub(crate) fn message(file: &dyn InPlace, place: Place) -> io::Result<(Accepted, Vec<u8>)> {
    let mut octets = vec![0; place.octets];
    let length = fill(file, &mut octets, place.at)?;
    match octets.get(..length).and_then(record::read) {
        Some(record::Read { note: Note::Accepted(accepted), text, .. }) => Ok((accepted, text.to_vec())),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a record of the spool's log has changed since it was read")),
    }
}

fn walk(octets: &[u8], mut meet: impl FnMut(usize, record::Read<'_>)) {
    let mut at = 0;
    while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
        at += match record::read(rest) {
            Some(read) => {
                let octets = read.octets;
                meet(at, read);
                octets
            }
            None => UNIT,
        };
    }
}

fn whole(file: &dyn InPlace) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let mut block = vec![0; BLOCK];
    loop {
        let read = fill(file, &mut block, octets.len() as u64)?;
        octets.extend_from_slice(block.get(..read).unwrap_or_default());
        if read < block.len() {
            return Ok(octets);
        }
    }
}

/// Octets read at a time.
const BLOCK: usize = 1 << 20;

fn fill(file: &dyn InPlace, octets: &mut [u8], at: u64) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = octets.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}
