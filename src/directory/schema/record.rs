//! Records of all kinds, to and from bytes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Family, Key, v1, v2};
use crate::directory::audit::{self, Altered, Entry, EntryRef};
use crate::directory::model::{
    AccountId, Alias, Bounces, DomainRecord, Handling, Kind, List, Master, Member, Pop, Revision, SecondFactor, Target, Token, Trashed,
};
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
    Member(Member),
    Bounces(Bounces),
    Handling(Handling),
    Replied(Timestamp),
    Second(SecondFactor),
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
    let bytes = match record {
        Record::List(list) => v2::write_list(list, revision, begun(v2::VERSION)),
        _ => v1::write(record, revision, begun(v1::VERSION)),
    };
    let bytes = bytes.map_err(unwritten)?;
    if let Record::Audit(entry) = record { audit::write(&entry.altered, entry.from, bytes) } else { Ok(bytes) }
}

/// The bytes of an audit entry: what [`encode`] makes of one, without a copy of the change.
pub(in crate::directory) fn encode_entry(entry: &EntryRef<'_>, altered: &[Altered]) -> Result<Vec<u8>, Unreadable> {
    audit::write(altered, entry.from, v1::write_entry(entry, begun(v1::VERSION)).map_err(unwritten)?)
}

fn begun(version: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(224);
    bytes.push(version);
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
    let (version, body) = versioned(key, bytes)?;
    let (revision, body) = postcard::take_from_bytes::<u64>(body).map_err(|_| damaged(key))?;
    let record = if version == v2::VERSION { v2::read(key, body) } else { v1::read(key, body) };
    record.map(|record| (Revision(revision), record)).ok_or_else(|| damaged(key))
}

/// The members that a list of format version 1 holds in its own record.
pub fn members_within(key: &Key, bytes: &[u8]) -> Result<Option<Vec<Target>>, Unreadable> {
    let (version, body) = versioned(key, bytes)?;
    if version != v1::VERSION {
        return Ok(None);
    }
    let (_, body) = postcard::take_from_bytes::<u64>(body).map_err(|_| damaged(key))?;
    v1::read_members(body).map(Some).ok_or_else(|| damaged(key))
}

fn versioned<'a>(key: &Key, bytes: &'a [u8]) -> Result<(u8, &'a [u8]), Unreadable> {
    match bytes.split_first() {
        Some((version @ &(v1::VERSION | v2::VERSION), body)) => Ok((*version, body)),
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
        Family::Ids | Family::Logins | Family::Audit | Family::Handling => {
            format!("record {} of {family}", key.to_number().unwrap_or_default())
        }
        _ => format!("record `{}` of {family}", key.bytes.escape_ascii()),
    }
}
