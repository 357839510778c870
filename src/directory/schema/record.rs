//! Records of all kinds, to and from bytes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Family, Key, v1};
use crate::directory::audit::{Entry, EntryRef};
use crate::directory::model::{AccountId, Alias, DomainRecord, Kind, List, Master, Pop, Revision, Token, Trashed};
use crate::directory::view::Unreadable;
use crate::mail::Name;

/// What can lie under a key.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is the record of its family")]
pub enum Record {
    Domain(DomainRecord),
    Holder(Kind),
    Id(Name),
    Master(Master),
    Pop(Pop),
    List(List),
    /// Its use counts lie apart, and are not part of this record.
    Alias(Alias),
    Entry,
    Trash(Box<Trashed>),
    Uses(Uses),
    Login(Timestamp),
    Audit(Box<Entry>),
    Counters(Counters),
    Token(Token),
    TokenUse(Timestamp),
    /// Nothing but its key.
    Indexed,
}

/// How often an alias was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    /// When mail last came through it.
    pub last: Timestamp,
    /// How often.
    pub times: u64,
}

/// What the directory counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// The format of the directory as a whole.
    pub format: u32,
    /// Changes so far.
    pub revision: Revision,
    /// Above every account id ever given.
    pub next_id: AccountId,
}

/// The bytes of a record that `revision` writes.
pub fn encode(record: &Record, revision: Revision) -> Result<Vec<u8>, Unreadable> {
    v1::write(record, revision, begun()).map_err(unwritten)
}

/// The bytes of an audit entry: what [`encode`] makes of one, without a copy of the change.
pub(in crate::directory) fn encode_entry(entry: &EntryRef<'_>) -> Result<Vec<u8>, Unreadable> {
    v1::write_entry(entry, begun()).map_err(unwritten)
}

fn begun() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(224);
    bytes.push(v1::VERSION);
    bytes
}

fn unwritten(error: postcard::Error) -> Unreadable {
    Unreadable(format!("a record cannot be written: {error}"))
}

/// Which revision wrote these bytes.
pub fn revision_of(key: &Key, bytes: &[u8]) -> Result<Revision, Unreadable> {
    let (_, body) = versioned(key, bytes)?;
    postcard::take_from_bytes(body).map(|(revision, _)| Revision(revision)).map_err(|_| damaged(key))
}

/// The record in these bytes, and the revision that wrote it.
pub fn decode(key: &Key, bytes: &[u8]) -> Result<(Revision, Record), Unreadable> {
    let (_, body) = versioned(key, bytes)?;
    let (revision, body) = postcard::take_from_bytes::<u64>(body).map_err(|_| damaged(key))?;
    v1::read(key, body).map(|record| (Revision(revision), record)).ok_or_else(|| damaged(key))
}

fn versioned<'a>(key: &Key, bytes: &'a [u8]) -> Result<(u8, &'a [u8]), Unreadable> {
    match bytes.split_first() {
        Some((&v1::VERSION, body)) => Ok((v1::VERSION, body)),
        Some((version, _)) => Err(Unreadable(format!("{} has format {version}, written by a newer version of the program", place(key)))),
        None => Err(damaged(key)),
    }
}

fn damaged(key: &Key) -> Unreadable {
    Unreadable(format!("{} is damaged; restore it from a backup", place(key)))
}

fn place(key: &Key) -> String {
    let family = key.family.name();
    match key.family {
        Family::Ids | Family::Logins | Family::Audit => format!("record {} of {family}", key.to_number().unwrap_or_default()),
        _ => format!("record `{}` of {family}", key.bytes.escape_ascii()),
    }
}
