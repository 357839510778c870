//! Records before and after a change: what an entry keeps beside the change, so that an administrator sees what was there, and
//! can have it back.
//!
//! Kept of accounts, domains and aliases, never of what only serves searches, and not of imports, which are many and say all
//! there is to say. Password hashes are left out.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::directory::model::{AccountId, PasswordHash, UNLIMITED};
use crate::directory::schema::{self, Family, Key, Record};
use crate::directory::view::Unreadable;
use crate::directory::{Revision, Subject};

/// Records that one entry keeps: a cascade through a large domain says in its effects what went.
pub const KEPT: usize = 100;

/// A record that a change altered, made or removed.
#[derive(Debug, Clone, PartialEq)]
pub struct Altered {
    /// Where it lies.
    pub key: Key,
    /// As it was; none if it was not there.
    pub before: Option<Record>,
    /// As it became; none if it was removed.
    pub after: Option<Record>,
}

/// A field of a record that has another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The record: `POP account alice`.
    pub record: String,
    /// The field.
    pub field: &'static str,
    /// Its value before; none where the record was not there.
    pub before: Option<String>,
    /// Its value after; none where the record is gone.
    pub after: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct AlteredV1<'a> {
    family: &'a str,
    key: &'a [u8],
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

impl Altered {
    /// Whether records of that kind are kept.
    pub fn concerns(key: &Key) -> bool {
        let accounts = matches!(key.family, Family::Domains | Family::Masters | Family::Pops | Family::Lists);
        accounts || matches!(key.family, Family::Members | Family::Aliases | Family::Handling)
    }

    /// A record before and after, without its password.
    pub fn new(key: &Key, before: Option<Record>, after: Option<&Record>) -> Self {
        Self { key: key.clone(), before: before.map(without_password), after: after.cloned().map(without_password) }
    }

    /// What it is about.
    pub fn subject(&self) -> Option<Subject> {
        Some(match self.key.family {
            Family::Domains => Subject::Domain(self.key.to_domain()?),
            Family::Masters => Subject::Master(self.key.to_name()?),
            Family::Pops => Subject::Pop(self.key.to_name()?),
            Family::Lists => Subject::List(self.key.to_name()?),
            Family::Aliases => Subject::Alias(self.key.to_alias()?),
            Family::Handling => Subject::Handling(AccountId(self.key.to_number()?)),
            _ => return None,
        })
    }

    /// The fields that are not what they were.
    pub fn differences(&self) -> Vec<Difference> {
        let [before, after] = [&self.before, &self.after].map(|record| record.as_ref().map(fields).unwrap_or_default());
        let names = if before.is_empty() { &after } else { &before };
        let value =
            |fields: &[(&'static str, String)], name: &str| fields.iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone());
        // An empty field and none are the same to a reader.
        let said = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
        let difference = |name: &'static str| {
            let (before, after) = (value(&before, name), value(&after, name));
            (said(&before) != said(&after)).then(|| Difference { record: self.name(), field: name, before, after })
        };
        names.iter().filter_map(|(name, _)| difference(name)).collect()
    }

    fn name(&self) -> String {
        match self.subject() {
            Some(Subject::Domain(domain)) => format!("domain {domain}"),
            Some(Subject::Master(name)) => format!("master {name}"),
            Some(Subject::Pop(name)) => format!("POP account {name}"),
            Some(Subject::List(name)) => format!("list {name}"),
            Some(Subject::Alias(key)) => format!("alias {key}"),
            Some(Subject::Handling(_)) => "its mail".to_owned(),
            None => String::new(),
        }
    }
}

fn without_password(record: Record) -> Record {
    match record {
        Record::Pop(mut pop) => {
            pop.password = PasswordHash(String::new());
            Record::Pop(pop)
        }
        Record::Master(mut master) => {
            master.password = PasswordHash(String::new());
            Record::Master(master)
        }
        other => other,
    }
}

/// What of a record administrators know, in their words. Members of lists are told by the effects.
fn fields(record: &Record) -> Vec<(&'static str, String)> {
    let quota = |quota: Option<u64>| match quota {
        None => "the server's default".to_owned(),
        Some(UNLIMITED) => "unlimited".to_owned(),
        Some(octets) => bytesize::ByteSize(octets).display().iec().to_string(),
    };
    let name = |name: &Option<crate::mail::Name>| name.as_ref().map(ToString::to_string).unwrap_or_default();
    match record {
        Record::Domain(domain) => vec![("owner", name(&domain.owner))],
        Record::Master(master) => vec![("role", format!("{:?}", master.role).to_lowercase())],
        Record::Pop(pop) => vec![
            ("domain", pop.domain.to_string()),
            ("owner", pop.owner.clone()),
            ("quota", quota(pop.quota)),
            ("state", format!("{:?}", pop.state).to_lowercase()),
        ],
        Record::List(list) => vec![
            ("domain", list.domain.to_string()),
            ("owner", list.owner.to_string()),
            ("who may post", format!("{:?}", list.posting).to_lowercase()),
            ("description", list.style.description.clone()),
            ("subject tag", format!("{:?}", list.style.tag).to_lowercase()),
        ],
        Record::Alias(alias) => vec![
            ("targets", alias.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            ("switch", format!("{:?}", alias.switch).to_lowercase()),
            ("note", alias.note.clone()),
            ("expires", alias.expires.map(|at| at.to_string()).unwrap_or_default()),
        ],
        Record::Handling(handling) => vec![
            ("copies", handling.copies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            ("vacation", handling.vacation.as_ref().map(|vacation| vacation.text.clone()).unwrap_or_default()),
        ],
        _ => Vec::new(),
    }
}

/// Appends them, and whence the change came, to an entry; nothing where there is neither.
pub fn write(altered: &[Altered], from: Option<IpAddr>, bytes: Vec<u8>) -> Result<Vec<u8>, Unreadable> {
    if altered.is_empty() && from.is_none() {
        return Ok(bytes);
    }
    let record = |record: &Option<Record>| record.as_ref().map(|record| schema::encode(record, Revision(0))).transpose();
    let written = |altered: &'_ Altered| Ok((record(&altered.before)?, record(&altered.after)?));
    let records: Vec<_> = altered.iter().map(written).collect::<Result<_, Unreadable>>()?;
    let all: Vec<AlteredV1<'_>> = altered
        .iter()
        .zip(records)
        .map(|(altered, (before, after))| AlteredV1 { family: altered.key.family.name(), key: &altered.key.bytes, before, after })
        .collect();
    let bytes = postcard::to_extend(&all, bytes);
    let bytes = bytes.and_then(|bytes| if let Some(from) = from { postcard::to_extend(&from, bytes) } else { Ok(bytes) });
    bytes.map_err(|error| Unreadable(format!("an audit entry cannot be written: {error}")))
}

/// Reads what follows an entry. Entries of older versions end there, or after the records.
pub fn read(rest: &[u8]) -> Option<(Vec<Altered>, Option<IpAddr>)> {
    if rest.is_empty() {
        return Some((Vec::new(), None));
    }
    let (all, rest): (Vec<AlteredV1<'_>>, _) = postcard::take_from_bytes(rest).ok()?;
    let from = if rest.is_empty() { None } else { Some(postcard::from_bytes(rest).ok()?) };
    let altered = |AlteredV1 { family, key, before, after }: AlteredV1<'_>| {
        let family = Family::ALL.into_iter().find(|known| known.name() == family)?;
        let key = Key { family, bytes: key.into() };
        let record = |bytes: Option<Vec<u8>>| bytes.map(|bytes| schema::decode(&key, &bytes).map(|(_, record)| record)).transpose().ok();
        let (before, after) = (record(before)?, record(after)?);
        Some(Altered { key, before, after })
    };
    Some((all.into_iter().map(altered).collect::<Option<_>>()?, from))
}
