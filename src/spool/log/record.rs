//! One record of the log: a head with a checksum, then what it says, padded to whole [`UNIT`]s.
//!
//! A record is of one *generation*: segments of the log are used again, and what an earlier use left in one is of an
//! earlier generation. It also carries the *boot* in which it was written: while the machine has not been booted since,
//! whatever the process had written is still there, synced or not.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// Records begin at multiples of this: the sector of a disk, which is written whole or not at all.
pub(crate) const UNIT: usize = 512;

/// Marks the beginning of a record: "RESTANTE".
const MAGIC: [u8; 8] = *b"RESTANTE";

/// Octets of a head: magic, generation, boot, length, checksum.
const HEAD: usize = 40;

/// Octets of the length that comes before the note.
const PREFIX: usize = 4;

/// What a record says. A message's text follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Note {
    /// A message was accepted. Its text is what follows.
    Accepted(Accepted),
    /// The messages with these ids have reached all their mailboxes, or wait in the queue.
    Done(Vec<u64>),
    /// The disk has everything that generations before this one hold.
    Settled(u64),
}

/// An accepted message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    /// Its queue id.
    pub id: u64,
    /// One for each mailbox.
    pub copies: Vec<CopyNote>,
}

/// One mailbox's copy: the fields of its delivery; the text is the message's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CopyNote {
    /// The account.
    pub account: u64,
    /// The account's name at the time.
    pub name: String,
    /// The name of the file in its Maildir.
    pub file: String,
    /// The fields, each ended by LF.
    pub fields: String,
}

/// Where a record belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Era {
    /// The use of the segment.
    pub generation: u64,
    /// The boot of the machine.
    pub boot: u64,
}

/// A record that was read back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read<'a> {
    /// Where it belongs.
    pub era: Era,
    /// What it says.
    pub note: Note,
    /// The text that follows.
    pub text: &'a [u8],
    /// Octets to the next record.
    pub octets: usize,
}

/// The first part of a payload: what a record says, with its length before it. Made once, and written where the log has room.
pub(crate) fn said(note: &Note) -> Result<Vec<u8>, postcard::Error> {
    let mut said = postcard::to_extend(note, vec![0; PREFIX])?;
    let length = u32::try_from(said.len() - PREFIX).map_err(|_| postcard::Error::SerializeBufferFull)?;
    said.splice(..PREFIX, length.to_le_bytes());
    Ok(said)
}

/// Octets of a payload, given in parts: what the record says, then the message's text.
pub(crate) fn length(payload: &[&[u8]]) -> usize {
    payload.iter().map(|part| part.len()).sum()
}

/// Octets that a record with this payload takes.
pub(crate) fn octets(payload: &[&[u8]]) -> usize {
    (HEAD + length(payload)).next_multiple_of(UNIT)
}

/// Writes a record at the end of `into`.
pub(crate) fn write(era: Era, payload: &[&[u8]], into: &mut Vec<u8>) {
    let end = into.len() + octets(payload);
    let length = (length(payload) as u64).to_le_bytes();
    let (generation, boot) = (era.generation.to_le_bytes(), era.boot.to_le_bytes());
    for part in [&MAGIC, &generation, &boot, &length, &checksum(&generation, &boot, &length, payload)] {
        into.extend_from_slice(part);
    }
    payload.iter().for_each(|part| into.extend_from_slice(part));
    into.resize(end, 0);
}

fn checksum(generation: &[u8], boot: &[u8], length: &[u8], payload: &[&[u8]]) -> [u8; 8] {
    let mut hash = Xxh3::new();
    [generation, boot, length].iter().chain(payload).for_each(|part| hash.update(part));
    hash.digest().to_le_bytes()
}

/// Reads the record at the beginning of `octets`, if a whole one is there.
pub(crate) fn read(octets: &[u8]) -> Option<Read<'_>> {
    let (head, rest) = octets.split_at_checked(HEAD)?;
    let mut fields = head.chunks_exact(8);
    let (magic, generation, boot, length, sum) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let payload = rest.get(..usize::try_from(number(length)?).ok()?)?;
    if magic != MAGIC || sum != checksum(generation, boot, length, &[payload]) {
        return None;
    }
    let (prefix, said) = payload.split_at_checked(PREFIX)?;
    let (note, text) = said.split_at_checked(u32::from_le_bytes(prefix.try_into().ok()?) as usize)?;
    let era = Era { generation: number(generation)?, boot: number(boot)? };
    Some(Read { era, note: postcard::from_bytes(note).ok()?, text, octets: self::octets(&[payload]) })
}

fn number(octets: &[u8]) -> Option<u64> {
    octets.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepted(fields: String) -> Note {
        let copy = CopyNote { account: 7, name: "alice".into(), file: "1.M2P3Q4.mx,S=5,W=6".into(), fields };
        Note::Accepted(Accepted { id: 1, copies: vec![copy] })
    }

    proptest! {
        /// What was written is read back; with any octet of it changed, nothing is.
        #[test]
        fn records_come_back_whole_or_not_at_all(
            fields in ".{0,300}", text in prop::collection::vec(any::<u8>(), 0..2000), hit in any::<prop::sample::Index>(), bit in 0..8
        ) {
            let era = Era { generation: 3, boot: 9 };
            let note = accepted(fields);
            let said = said(&note).unwrap();
            let payload = [said.as_slice(), text.as_slice()];
            let mut written = Vec::new();
            write(era, &payload, &mut written);
            prop_assert_eq!(written.len(), octets(&payload));
            prop_assert_eq!(read(&written), Some(Read { era, note, text: &text, octets: written.len() }));
            let end = HEAD + length(&payload);
            written[hit.index(end)] ^= 1u8 << bit;
            prop_assert_eq!(read(&written), None);
            prop_assert_eq!(read(&written[..end - 1]), None);
        }
    }
}
