//! Looking for rows: newest first and a page at a time, or what came after a row, in order.
//!
//! The rarest word that is asked for leads: its entries are walked through, hour by hour backwards, and each row is held
//! against the rest of the question. Hours in which nothing was written cost nothing. One request looks at so many rows at
//! most; where it stops, the next one goes on.

use jiff::Timestamp;
use rocksdb::ReadOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Ledger;
use super::row::{Row, Status};
use super::schema::{HOUR, Kind, Word, folded, number_of, numbers, row_key, words};
use super::store::{Open, Unreadable};
use crate::mail::Domain;

/// Rows, and hours, that one request looks at.
const EXAMINED: usize = 10_000;

/// Which rows are wanted: those that fit everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LogQuery")]
pub struct Query {
    /// A recipient's address, `@domain`, or the name of an account that it went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A sender's address, `@domain`, or `<>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The id of the message here, or at the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The message's own `Message-ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Nothing before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// Rows that were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The rows.
    pub items: Vec<Row>,
    /// Where to go on; none at the end.
    pub next: Option<u64>,
    /// The last row of the log, whether or not it was looked for: what comes after it is new.
    pub latest: u64,
}

/// Each of these has to be among the words of a row, in one of its forms.
type Wanted = Vec<Vec<Word>>;

impl Query {
    /// What the row must have, the rarest first.
    fn wanted(&self, domains: Option<&[Domain]>) -> Wanted {
        let mut wanted = Wanted::new();
        let one = |kind, text: &str| vec![Word::new(kind, text.trim().trim_matches(['<', '>']))];
        wanted.extend(self.id.as_deref().map(|id| one(Kind::Id, id)));
        wanted.extend(self.message_id.as_deref().map(|id| one(Kind::MessageId, id)));
        wanted.extend(self.to.as_deref().map(|to| {
            let given = given(to, Kind::Recipient, Kind::Domain);
            // What has no `@` may be an account's name as well as a domain.
            if to.contains('@') { given } else { [given, one(Kind::Place, to)].concat() }
        }));
        wanted.extend(self.from.as_deref().map(|from| given(from, Kind::Sender, Kind::SenderDomain)));
        wanted.extend(self.client.as_deref().map(|client| one(Kind::Client, client)));
        wanted.extend(self.status.map(|status| one(Kind::Status, status.word())));
        let scope = domains.map(|domains| domains.iter().map(|domain| Word::new(Kind::Domain, domain.as_str())).collect());
        wanted.extend(scope);
        wanted
    }

    fn earliest(&self) -> u64 {
        self.since.and_then(|since| u64::try_from(since.as_microsecond()).ok()).unwrap_or_default()
    }
}

/// An address, `@domain`, a domain, or the null path.
fn given(text: &str, whole: Kind, domain: Kind) -> Vec<Word> {
    let text = text.trim().trim_matches(['<', '>']);
    let a_label = |text: &str| Domain::parse(text).map_or_else(|_| text.to_owned(), |domain| domain.to_string());
    match text.strip_prefix('@') {
        Some(name) => vec![Word::new(domain, &a_label(name))],
        None if text.is_empty() => vec![Word::new(whole, "")],
        None if text.contains('@') => vec![Word::new(whole, &folded(text).0)],
        // `postmaster` stands alone.
        None => vec![Word::new(domain, &a_label(text)), Word::new(whole, text)],
    }
}

fn fits(row: &Row, wanted: &Wanted) -> bool {
    let words = words(row);
    wanted.iter().all(|forms| forms.iter().any(|form| words.contains(form)))
}

impl Ledger {
    /// Rows that fit, newest first, before the row `before`; of recipients in these domains only, where they are given.
    pub fn search(&self, query: &Query, domains: Option<&[Domain]>, before: Option<u64>, limit: usize) -> Result<Found, Unreadable> {
        let database = self.store.database()?;
        let (wanted, earliest) = (query.wanted(domains), query.earliest());
        let (mut items, mut examined, mut before) = (Vec::new(), 0, before.unwrap_or(u64::MAX));
        let found = |items, next| Ok(Found { items, next, latest: self.latest() });
        while let Some(newest) = newest_before(&database, before)?.filter(|newest| *newest >= earliest) {
            let hour = newest / HOUR;
            let numbers = match wanted.first() {
                Some(lead) => entries(&database, lead, hour, before, limit)?,
                None => rows(&database, hour, before, limit)?,
            };
            examined += numbers.len() + 1;
            let whole = numbers.len() < limit;
            for number in numbers {
                before = number;
                if number < earliest {
                    return found(items, None);
                }
                items.extend(database.row(number)?.filter(|row| fits(row, &wanted)));
                if items.len() == limit {
                    return found(items, Some(number));
                }
            }
            if whole {
                before = hour * HOUR;
            }
            if examined >= EXAMINED {
                return found(items, Some(before));
            }
        }
        found(items, None)
    }

    /// Rows that fit and were written after the row `after`, oldest first. `next` is always given: the row to go on after.
    pub fn newer(&self, query: &Query, domains: Option<&[Domain]>, after: u64, limit: usize) -> Result<Found, Unreadable> {
        let database = self.store.database()?;
        let wanted = query.wanted(domains);
        let (mut items, mut next) = (Vec::new(), after);
        let mut walk = database.rows(ReadOptions::default())?;
        walk.seek(row_key(after.saturating_add(1)));
        for _ in 0..EXAMINED {
            let Some((number, octets)) = walk.item().and_then(|(key, octets)| Some((number_of(key)?, octets))) else { break };
            next = number;
            items.extend(Some(super::schema::decode(number, octets)?).filter(|row| fits(row, &wanted)));
            if items.len() >= limit {
                break;
            }
            walk.next();
        }
        walk.status()?;
        Ok(Found { items, next: Some(next), latest: self.latest() })
    }

    /// The last row that was written.
    pub fn latest(&self) -> u64 {
        if self.inbox.is_some() { *self.written.borrow() } else { self.store.last().unwrap_or_default() }
    }
}

fn newest_before(database: &Open, before: u64) -> Result<Option<u64>, Unreadable> {
    let Some(last) = before.checked_sub(1) else { return Ok(None) };
    let mut walk = database.rows(ReadOptions::default())?;
    walk.seek_for_prev(row_key(last));
    walk.status()?;
    Ok(walk.key().and_then(number_of))
}

/// Numbers in an hour, newest first, before `before`.
fn rows(database: &Open, hour: u64, before: u64, limit: usize) -> Result<Vec<u64>, Unreadable> {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(row_key(hour * HOUR));
    let mut walk = database.rows(options)?;
    let mut numbers = Vec::new();
    walk.seek_for_prev(row_key(before.saturating_sub(1)));
    while let Some(number) = walk.key().and_then(number_of).filter(|_| numbers.len() < limit) {
        numbers.push(number);
        walk.prev();
    }
    walk.status()?;
    Ok(numbers)
}

/// The same of the rows that have one of these words.
fn entries(database: &Open, lead: &[Word], hour: u64, before: u64, limit: usize) -> Result<Vec<u64>, Unreadable> {
    let mut found = Vec::new();
    for word in lead {
        found.extend(entries_of(database, &word.prefix(hour), before, limit)?);
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.dedup();
    found.truncate(limit);
    Ok(found)
}

fn entries_of(database: &Open, prefix: &[u8], before: u64, limit: usize) -> Result<Vec<u64>, Unreadable> {
    let key = |number| [prefix, &row_key(number)].concat();
    let mut options = ReadOptions::default();
    options.set_iterate_range(prefix.to_vec()..key(u64::MAX));
    let mut walk = database.index(options)?;
    // The first entry may have later rows, too.
    walk.seek(key(before));
    if !walk.valid() {
        walk.status()?;
        walk.seek_to_last();
    }
    let mut found = Vec::new();
    while let Some((key, others)) = walk.item().filter(|_| found.len() < limit) {
        found.extend(numbers(key, others)?.into_iter().filter(|number| *number < before));
        walk.prev();
    }
    walk.status()?;
    Ok(found)
}
