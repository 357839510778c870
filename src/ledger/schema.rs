//! How rows lie in the store: by number, and under every word that they are looked for.
//!
//! A number is the time of writing in microseconds, moved on by one where two would be equal. So the rows lie in the order of
//! time, and an entry of the index, which begins with the hour of its rows, lies among those that are cut off with it. Rows that
//! are written together share the entry of a word that they have in common: it lies under the last of them, and says how far the
//! others are before it. Rows carry a format version, and old versions are read for ever; entries of one row have always said nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::row::{Row, Status};
use super::store::Unreadable;
use crate::mail::{Mailbox, QueueId};

/// Microseconds of an hour: what is cut off at once.
pub const HOUR: u64 = 3_600_000_000;

/// The version of rows written now: what the first had, and the address here that sends on.
const VERSION: u8 = 2;

/// The first version.
const FIRST: u8 = 1;

/// Octets of a word in the index: longer ones share their beginning, and the row tells them apart.
const WORD: usize = 200;

/// What a row is looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// The recipient's address, folded.
    Recipient = 1,
    /// Its domain.
    Domain = 2,
    /// An account or a next hop.
    Place = 3,
    /// The sender's address, folded; empty for the null path.
    Sender = 4,
    /// Its domain.
    SenderDomain = 5,
    /// The client's address.
    Client = 6,
    /// `Message-ID`.
    MessageId = 7,
    /// Our own id, or the client's.
    Id = 8,
    /// The status.
    Status = 9,
}

/// A word that a row is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    kind: Kind,
    text: Vec<u8>,
}

impl Word {
    /// A word, in the one spelling that all of its spellings share.
    pub fn new(kind: Kind, text: &str) -> Self {
        let mut text = text.to_lowercase();
        if text.contains('\0') {
            text = text.replace('\0', "\u{fffd}");
        }
        let mut text = text.into_bytes();
        text.truncate(WORD);
        Self { kind, text }
    }

    /// What all of its entries of an hour begin with.
    pub fn prefix(&self, hour: u64) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.text.len() + 6);
        key.extend_from_slice(&hour_key(hour));
        key.push(self.kind as u8);
        key.extend_from_slice(&self.text);
        key.push(0);
        key
    }
}

/// An entry of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The word, and the number of the last row.
    pub key: Vec<u8>,
    /// How far the other rows are before it, the nearest first; nothing where there are none.
    pub others: Vec<u8>,
}

/// The entries of rows, each word once: given is each word's prefix with the number of a row.
pub fn entries(mut words: Vec<(Vec<u8>, u64)>) -> Result<Vec<Entry>, Unreadable> {
    words.sort_unstable();
    words.dedup();
    let entry = |rows: &[(Vec<u8>, u64)]| {
        let (prefix, last) = rows.last()?;
        let before: Vec<u64> = rows.iter().rev().skip(1).map(|(_, number)| last - number).collect();
        let others = if before.is_empty() { Ok(Vec::new()) } else { postcard::to_allocvec(&before) };
        Some(others.map(|others| Entry { key: [prefix.as_slice(), &last.to_be_bytes()].concat(), others }))
    };
    let entries = words.chunk_by(|(one, _), (other, _)| one == other).filter_map(entry);
    entries.collect::<Result<_, _>>().map_err(|error| Unreadable(format!("an entry cannot be written: {error}")))
}

/// The rows of an entry, newest first.
pub fn numbers(key: &[u8], others: &[u8]) -> Result<Vec<u64>, Unreadable> {
    let damaged = || Unreadable("an entry of the delivery log is damaged".into());
    let last = number_of(key).ok_or_else(damaged)?;
    let before: Vec<u64> = if others.is_empty() { Vec::new() } else { postcard::from_bytes(others).map_err(|_| damaged())? };
    std::iter::once(0).chain(before).map(|before| last.checked_sub(before).ok_or_else(damaged)).collect()
}

/// The key of a row.
pub fn row_key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// What the entries of an hour begin with.
pub fn hour_key(hour: u64) -> [u8; 4] {
    u32::try_from(hour).unwrap_or(u32::MAX).to_be_bytes()
}

/// The number at the end of a key, of a row or of an entry.
pub fn number_of(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|octets| u64::from_be_bytes(*octets))
}

/// An address as it is looked for, and its domain.
pub fn folded(address: &str) -> (String, Option<String>) {
    let mailbox = Mailbox::parse(address).ok().and_then(|mailbox| mailbox.address());
    mailbox.map_or_else(|| (address.to_lowercase(), None), |address| (address.to_string(), Some(address.domain().to_string())))
}

/// Every word that a row is found by.
pub fn words(row: &Row) -> Vec<Word> {
    let (recipient, domain) = folded(&row.recipient);
    let (sender, sender_domain) = folded(&row.sender);
    let mut words = vec![
        Word::new(Kind::Recipient, &recipient),
        Word::new(Kind::Sender, &sender),
        Word::new(Kind::Client, &row.client),
        Word::new(Kind::Status, row.status.word()),
    ];
    words.extend(domain.map(|domain| Word::new(Kind::Domain, &domain)));
    // What an address here sends on is that address's mail, too.
    if let Some((via, domain)) = row.via.as_deref().map(folded) {
        words.push(Word::new(Kind::Recipient, &via));
        words.extend(domain.map(|domain| Word::new(Kind::Domain, &domain)));
    }
    words.extend(sender_domain.map(|domain| Word::new(Kind::SenderDomain, &domain)));
    words.extend(row.places.iter().map(|place| Word::new(Kind::Place, place)));
    words.extend(row.message_id.as_deref().map(|id| Word::new(Kind::MessageId, id)));
    words.extend(row.id.map(|id| Word::new(Kind::Id, &id.to_string())));
    words.extend(row.upstream_id.as_deref().map(|id| Word::new(Kind::Id, id)));
    words
}

#[derive(Serialize, Deserialize)]
struct RowV1<'a> {
    at: i64,
    id: Option<u64>,
    client: &'a str,
    protocol: &'a str,
    sender: &'a str,
    recipient: &'a str,
    trail: &'a str,
    #[serde(borrow)]
    places: Vec<&'a str>,
    size: u64,
    delay_ms: f64,
    status: u8,
    reply: &'a str,
    message_id: Option<&'a str>,
    upstream_id: Option<&'a str>,
}

/// The octets of a row.
pub fn encode(row: &Row) -> Result<Vec<u8>, Unreadable> {
    let record = RowV1 {
        at: row.at.as_microsecond(),
        id: row.id.map(QueueId::number),
        client: &row.client,
        protocol: &row.protocol,
        sender: &row.sender,
        recipient: &row.recipient,
        trail: &row.trail,
        places: row.places.iter().map(String::as_str).collect(),
        size: row.size,
        delay_ms: row.delay_ms,
        status: status_number(row.status),
        reply: &row.reply,
        message_id: row.message_id.as_deref(),
        upstream_id: row.upstream_id.as_deref(),
    };
    postcard::to_extend(&(record, row.via.as_deref()), vec![VERSION])
        .map_err(|error| Unreadable(format!("a row cannot be written: {error}")))
}

/// The row in these octets.
pub fn decode(number: u64, octets: &[u8]) -> Result<Row, Unreadable> {
    let damaged = || Unreadable(format!("row {number} of the delivery log is damaged"));
    match octets.split_first() {
        Some((&VERSION, body)) => postcard::from_bytes(body).ok().and_then(|(record, via)| read(number, record, via)).ok_or_else(damaged),
        Some((&FIRST, body)) => postcard::from_bytes(body).ok().and_then(|record| read(number, record, None)).ok_or_else(damaged),
        Some((version, _)) => Err(Unreadable(format!("row {number} has format {version}, written by a newer version of the program"))),
        None => Err(damaged()),
    }
}

fn read(number: u64, record: RowV1<'_>, via: Option<String>) -> Option<Row> {
    Some(Row {
        number,
        at: Timestamp::from_microsecond(record.at).ok()?,
        id: record.id.map(QueueId::new),
        client: record.client.to_owned(),
        protocol: record.protocol.to_owned(),
        sender: record.sender.to_owned(),
        recipient: record.recipient.to_owned(),
        via,
        trail: record.trail.to_owned(),
        places: record.places.into_iter().map(str::to_owned).collect(),
        size: record.size,
        delay_ms: record.delay_ms,
        status: status(record.status)?,
        reply: record.reply.to_owned(),
        message_id: record.message_id.map(str::to_owned),
        upstream_id: record.upstream_id.map(str::to_owned),
    })
}

fn status_number(status: Status) -> u8 {
    match status {
        Status::Delivered => 0,
        Status::Waiting => 1,
        Status::Discarded => 2,
        Status::Refused => 3,
        Status::Deferred => 4,
        Status::Relayed => 5,
        Status::Bounced => 6,
    }
}

fn status(number: u8) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status_number(*status) == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_share_a_word_share_its_entry_within_an_hour() {
        let (rare, common) = (Word::new(Kind::Id, "x"), Word::new(Kind::Status, "delivered"));
        let rows = [HOUR - 1, HOUR, HOUR + 1, HOUR + 300];
        let mut words: Vec<_> = rows.map(|number| (common.prefix(number / HOUR), number)).into();
        words.push((rare.prefix(1), HOUR));
        let entries = entries(words).unwrap();
        let read: Vec<_> = entries.iter().map(|entry| numbers(&entry.key, &entry.others).unwrap()).collect();
        assert_eq!(read, [vec![HOUR - 1], vec![HOUR], vec![HOUR + 300, HOUR + 1, HOUR]]);
        assert_eq!(entries.iter().map(|entry| entry.others.len()).collect::<Vec<_>>(), [0, 0, 5]);
        assert!(numbers(&entries[2].key, b"\x01").is_err());
    }

    #[test]
    fn rows_of_the_first_version_are_read() {
        let row = Row {
            number: 7,
            at: Timestamp::UNIX_EPOCH,
            id: Some(QueueId::new(9)),
            client: "192.0.2.1".into(),
            protocol: "ESMTP".into(),
            sender: "a@example.com".into(),
            recipient: "b@example.org".into(),
            via: Some("info@example.org".into()),
            trail: String::new(),
            places: vec!["b".into()],
            size: 5,
            delay_ms: 0.5,
            status: Status::Relayed,
            reply: "250 Ok".into(),
            message_id: None,
            upstream_id: None,
        };
        let now = encode(&row).unwrap();
        assert_eq!(decode(7, &now).unwrap(), row);
        let tail = postcard::to_allocvec(&row.via).unwrap().len();
        let first = [&[FIRST], &now[1..now.len() - tail]].concat();
        assert_eq!(decode(7, &first).unwrap(), Row { via: None, ..row });
        assert!(decode(7, &[9]).is_err());
    }
}
