//! Format version 1. Never changed: a new format is a new file beside this one.
//!
//! Enumerations are written as numbers of their own, so that reordering them in the model changes nothing here.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::record::{Counters, Record, Uses};
use super::{Family, Key};
use crate::directory::audit::{self, Entry, EntryRef};
use crate::directory::model::{
    AccountId, Alias, AliasKey, Bounces, DomainRecord, Handling, Kind, List, Master, Member, PasswordHash, Pop, Posting, Revision, Role,
    Seat, SecondFactor, Standing, State, Style, Switch, Target, Token, TokenHash, Trashed, Vacation,
};
use crate::mail::{Domain, Name};

/// The first byte.
pub const VERSION: u8 = 1;

/// Seconds and nanoseconds since 1970.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) struct Moment(i64, i32);

#[derive(Serialize, Deserialize)]
struct DomainV1<'a> {
    #[serde(borrow)]
    owner: Option<&'a str>,
    created: Moment,
}

#[derive(Serialize, Deserialize)]
struct MasterV1<'a> {
    role: u8,
    password: &'a str,
    created: Moment,
}

#[derive(Serialize, Deserialize)]
struct PopV1<'a> {
    id: u64,
    domain: &'a str,
    owner: &'a str,
    password: &'a str,
    quota: Option<u64>,
    state: u8,
    created: Moment,
}

#[derive(Serialize, Deserialize)]
struct ListV1<'a> {
    id: u64,
    domain: &'a str,
    owner: String,
    posting: u8,
    members: Vec<String>,
    created: Moment,
}

#[derive(Serialize, Deserialize)]
struct MemberV1 {
    target: String,
    suspended: Option<(Moment, String)>,
    joined: Moment,
}

#[derive(Serialize, Deserialize)]
struct BouncesV1 {
    days: Vec<(i16, i8, i8)>,
    soft: u32,
    last: Option<Moment>,
    status: String,
}

#[derive(Serialize, Deserialize)]
struct HandlingV1 {
    copies: Vec<String>,
    vacation: Option<(String, Option<Moment>, Option<Moment>)>,
}

#[derive(Serialize, Deserialize)]
struct AliasV1<'a> {
    /// 0 plain, 1 hidden: then the only target is the account it belongs to.
    standing: u8,
    #[serde(borrow)]
    targets: Vec<std::borrow::Cow<'a, str>>,
    switch: u8,
    note: &'a str,
    expires: Option<Moment>,
    created: Moment,
}

#[derive(Serialize, Deserialize)]
struct TrashV1<'a> {
    #[serde(borrow)]
    pop: PopV1<'a>,
    deleted: Moment,
    entries: Vec<(String, String)>,
    aliases: Vec<(String, AliasV1<'a>, Option<UsesV1>)>,
    seats: Vec<(&'a str, String)>,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
struct UsesV1 {
    last: Moment,
    times: u64,
}

#[derive(Serialize, Deserialize)]
struct SecondV1 {
    secret: [u8; 20],
    recovery: Vec<[u8; 32]>,
}

#[derive(Serialize, Deserialize)]
struct TokenV1<'a> {
    master: &'a str,
    label: &'a str,
    created: Moment,
    expires: Option<Moment>,
}

/// Appends revision and record to `bytes`.
pub fn write(record: &Record, revision: Revision, bytes: Vec<u8>) -> postcard::Result<Vec<u8>> {
    let bytes = postcard::to_extend(&revision.0, bytes)?;
    match record {
        Record::Domain(d) => {
            postcard::to_extend(&DomainV1 { owner: d.owner.as_ref().map(Name::as_str), created: moment(d.created) }, bytes)
        }
        Record::Holder(kind) => postcard::to_extend(&kind_number(*kind), bytes),
        Record::Id(name) => postcard::to_extend(name.as_str(), bytes),
        Record::Master(m) => {
            postcard::to_extend(&MasterV1 { role: role_number(m.role), password: &m.password.0, created: moment(m.created) }, bytes)
        }
        Record::Pop(pop) => postcard::to_extend(&write_pop(pop), bytes),
        // Written in version 2.
        Record::List(_) => Err(postcard::Error::WontImplement),
        Record::Alias(alias) => postcard::to_extend(&write_alias(alias), bytes),
        Record::Entry => Ok(bytes),
        Record::Trash(trashed) => postcard::to_extend(&write_trash(trashed), bytes),
        Record::Uses(uses) => postcard::to_extend(&UsesV1 { last: moment(uses.last), times: uses.times }, bytes),
        Record::Login(last) => postcard::to_extend(&moment(*last), bytes),
        Record::Audit(entry) => postcard::to_extend(entry, bytes),
        Record::Counters(c) => postcard::to_extend(&(c.format, c.revision.0, c.next_id.0), bytes),
        Record::Token(token) => postcard::to_extend(&write_token(token), bytes),
        Record::TokenUse(at) => postcard::to_extend(&moment(*at), bytes),
        Record::Indexed => Ok(bytes),
        Record::Member(member) => postcard::to_extend(&write_member(member), bytes),
        Record::Bounces(bounces) => postcard::to_extend(&write_bounces(bounces), bytes),
        Record::Handling(handling) => postcard::to_extend(&write_handling(handling), bytes),
        Record::Replied(at) => postcard::to_extend(&moment(*at), bytes),
        Record::Second(second) => {
            let recovery = second.recovery.iter().map(|code| code.0).collect();
            postcard::to_extend(&SecondV1 { secret: second.secret, recovery }, bytes)
        }
    }
}

/// Appends what [`write()`] makes of an audit entry.
pub fn write_entry(entry: &EntryRef<'_>, bytes: Vec<u8>) -> postcard::Result<Vec<u8>> {
    let bytes = postcard::to_extend(&entry.revision.0, bytes)?;
    postcard::to_extend(entry, bytes)
}

/// Reads the record of `key` from `body`.
pub fn read(key: &Key, body: &[u8]) -> Option<Record> {
    Some(match key.family {
        Family::Domains => read_domain(key, body)?,
        Family::Names => Record::Holder(kind(take(body)?)?),
        Family::Ids => Record::Id(Name::parse(take(body)?).ok()?),
        Family::Masters => read_master(key, body)?,
        Family::Pops => Record::Pop(read_pop(key.to_name()?, take(body)?)?),
        Family::Lists => read_list(key, body)?,
        Family::Aliases => Record::Alias(read_alias(key.to_alias()?, take(body)?)?),
        Family::Targets => Record::Entry,
        Family::Trash => Record::Trash(Box::new(read_trash(key, take(body)?)?)),
        Family::Uses => Record::Uses(read_uses(take(body)?)?),
        Family::Logins => Record::Login(timestamp(take(body)?)?),
        Family::Audit => {
            let (entry, rest) = postcard::take_from_bytes::<Entry>(body).ok()?;
            let (altered, from) = audit::read(rest)?;
            Record::Audit(Box::new(Entry { altered, from, ..entry }))
        }
        Family::Meta => {
            let (format, revision, next_id) = take(body)?;
            Record::Counters(Counters { format, revision: Revision(revision), next_id: AccountId(next_id) })
        }
        Family::Tokens => Record::Token(read_token(key, take(body)?)?),
        Family::TokenUses => Record::TokenUse(timestamp(take(body)?)?),
        Family::Index => Record::Indexed,
        Family::Members => Record::Member(read_member(key, take(body)?)?),
        Family::Bounces => Record::Bounces(read_bounces(take(body)?)?),
        Family::Handling => Record::Handling(read_handling(take(body)?)?),
        Family::Replied => Record::Replied(timestamp(take(body)?)?),
        Family::Seconds => {
            let SecondV1 { secret, recovery } = take(body)?;
            Record::Second(SecondFactor { secret, recovery: recovery.into_iter().map(TokenHash).collect() })
        }
    })
}

pub(super) fn take<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    postcard::from_bytes(body).ok()
}

pub(super) fn moment(at: Timestamp) -> Moment {
    Moment(at.as_second(), at.subsec_nanosecond())
}

pub(super) fn timestamp(Moment(seconds, nanoseconds): Moment) -> Option<Timestamp> {
    Timestamp::new(seconds, nanoseconds).ok()
}

fn read_domain(key: &Key, body: &[u8]) -> Option<Record> {
    let DomainV1 { owner, created } = take(body)?;
    let owner = owner.map(Name::parse).transpose().ok()?;
    Some(Record::Domain(DomainRecord { domain: key.to_domain()?, owner, created: timestamp(created)? }))
}

fn read_master(key: &Key, body: &[u8]) -> Option<Record> {
    let m: MasterV1 = take(body)?;
    let password = PasswordHash(m.password.to_owned());
    Some(Record::Master(Master { name: key.to_name()?, role: role(m.role)?, password, created: timestamp(m.created)? }))
}

fn write_pop(pop: &Pop) -> PopV1<'_> {
    PopV1 {
        id: pop.id.0,
        domain: pop.domain.as_str(),
        owner: &pop.owner,
        password: &pop.password.0,
        quota: pop.quota,
        state: match pop.state {
            State::Active => 0,
            State::Suspended => 1,
        },
        created: moment(pop.created),
    }
}

fn read_pop(name: Name, pop: PopV1<'_>) -> Option<Pop> {
    Some(Pop {
        id: AccountId(pop.id),
        name,
        domain: Domain::parse(pop.domain).ok()?,
        owner: pop.owner.to_owned(),
        password: PasswordHash(pop.password.to_owned()),
        quota: pop.quota,
        state: match pop.state {
            0 => State::Active,
            1 => State::Suspended,
            _ => return None,
        },
        created: timestamp(pop.created)?,
    })
}

fn read_list(key: &Key, body: &[u8]) -> Option<Record> {
    let list: ListV1 = take(body)?;
    Some(Record::List(List {
        id: AccountId(list.id),
        name: key.to_name()?,
        domain: Domain::parse(list.domain).ok()?,
        owner: Target::parse(&list.owner).ok()?,
        posting: match list.posting {
            0 => Posting::Anyone,
            1 => Posting::Members,
            2 => Posting::Owner,
            _ => return None,
        },
        style: Style::default(),
        members: list.members.len() as u64,
        created: timestamp(list.created)?,
    }))
}

/// The members that stand in the record of a list.
pub fn read_members(body: &[u8]) -> Option<Vec<Target>> {
    let list: ListV1 = take(body)?;
    list.members.iter().map(|text| Target::parse(text).ok()).collect()
}

fn write_member(member: &Member) -> MemberV1 {
    let suspended = match &member.seat {
        Seat::Active => None,
        Seat::Suspended { since, why } => Some((moment(*since), why.clone())),
    };
    MemberV1 { target: member.target.to_string(), suspended, joined: moment(member.joined) }
}

fn read_member(key: &Key, member: MemberV1) -> Option<Member> {
    let seat = match member.suspended {
        None => Seat::Active,
        Some((since, why)) => Seat::Suspended { since: timestamp(since)?, why },
    };
    Some(Member { list: key.to_member()?.0, target: Target::parse(&member.target).ok()?, seat, joined: timestamp(member.joined)? })
}

fn write_bounces(bounces: &Bounces) -> BouncesV1 {
    let day = |day: &Date| (day.year(), day.month(), day.day());
    BouncesV1 {
        days: bounces.days.iter().map(day).collect(),
        soft: bounces.soft,
        last: bounces.last.map(moment),
        status: bounces.status.clone(),
    }
}

fn read_bounces(bounces: BouncesV1) -> Option<Bounces> {
    Some(Bounces {
        days: bounces.days.into_iter().map(|(year, month, day)| Date::new(year, month, day).ok()).collect::<Option<_>>()?,
        soft: bounces.soft,
        last: optional(bounces.last)?,
        status: bounces.status,
    })
}

fn write_handling(handling: &Handling) -> HandlingV1 {
    let vacation = |v: &Vacation| (v.text.clone(), v.from.map(moment), v.until.map(moment));
    HandlingV1 { copies: handling.copies.iter().map(Target::to_string).collect(), vacation: handling.vacation.as_ref().map(vacation) }
}

fn read_handling(handling: HandlingV1) -> Option<Handling> {
    let vacation = match handling.vacation {
        None => None,
        Some((text, from, until)) => Some(Vacation { text, from: optional(from)?, until: optional(until)? }),
    };
    Some(Handling { copies: handling.copies.iter().map(|text| Target::parse(text).ok()).collect::<Option<_>>()?, vacation })
}

/// A moment that need not be there: none only if it cannot be read.
fn optional(at: Option<Moment>) -> Option<Option<Timestamp>> {
    at.map(timestamp).map_or(Some(None), |at| at.map(Some))
}

fn write_alias(alias: &Alias) -> AliasV1<'_> {
    let text = |target: &Target| match target {
        Target::Account(name) => name.as_str().to_owned().into(),
        other => other.to_string().into(),
    };
    AliasV1 {
        standing: match alias.standing {
            Standing::Plain => 0,
            Standing::Hidden(_) => 1,
        },
        targets: alias.targets.iter().map(text).collect(),
        switch: match alias.switch {
            Switch::Enabled => 0,
            Switch::Disabled => 1,
        },
        note: &alias.note,
        expires: alias.expires.map(moment),
        created: moment(alias.created),
    }
}

fn read_alias(key: AliasKey, alias: AliasV1<'_>) -> Option<Alias> {
    let targets: Vec<Target> = alias.targets.iter().map(|text| Target::parse(text).ok()).collect::<Option<_>>()?;
    let standing = match (alias.standing, targets.first()) {
        (0, _) => Standing::Plain,
        (1, Some(Target::Account(name))) => Standing::Hidden(name.clone()),
        _ => return None,
    };
    Some(Alias {
        key,
        standing,
        targets,
        switch: match alias.switch {
            0 => Switch::Enabled,
            1 => Switch::Disabled,
            _ => return None,
        },
        note: alias.note.to_owned(),
        expires: alias.expires.map(timestamp).map_or(Some(None), |at| at.map(Some))?,
        created: timestamp(alias.created)?,
        last_used: None,
        uses: 0,
    })
}

fn read_uses(uses: UsesV1) -> Option<Uses> {
    Some(Uses { last: timestamp(uses.last)?, times: uses.times })
}

fn write_trash(trashed: &Trashed) -> TrashV1<'_> {
    let uses = |alias: &Alias| alias.last_used.map(|last| UsesV1 { last: moment(last), times: alias.uses });
    TrashV1 {
        pop: write_pop(&trashed.pop),
        deleted: moment(trashed.deleted),
        entries: trashed.entries.iter().map(|(key, target)| (key.to_string(), target.to_string())).collect(),
        aliases: trashed.aliases.iter().map(|alias| (alias.key.to_string(), write_alias(alias), uses(alias))).collect(),
        seats: trashed.seats.iter().map(|(list, member)| (list.as_str(), member.to_string())).collect(),
    }
}

fn read_trash(key: &Key, trash: TrashV1<'_>) -> Option<Trashed> {
    let name = key.bytes.split(|octet| *octet == 0).next()?;
    let name = Name::parse(std::str::from_utf8(name).ok()?).ok()?;
    let alias = |(key, alias, uses): (String, AliasV1<'_>, Option<UsesV1>)| {
        let mut alias = read_alias(AliasKey::parse(&key).ok()?, alias)?;
        if let Some(uses) = uses {
            let Uses { last, times } = read_uses(uses)?;
            (alias.last_used, alias.uses) = (Some(last), times);
        }
        Some(alias)
    };
    let entry = |(key, target): (String, String)| Some((AliasKey::parse(&key).ok()?, Target::parse(&target).ok()?));
    let seat = |(list, member): (&str, String)| Some((Name::parse(list).ok()?, Target::parse(&member).ok()?));
    Some(Trashed {
        pop: read_pop(name, trash.pop)?,
        deleted: timestamp(trash.deleted)?,
        entries: trash.entries.into_iter().map(entry).collect::<Option<_>>()?,
        aliases: trash.aliases.into_iter().map(alias).collect::<Option<_>>()?,
        seats: trash.seats.into_iter().map(seat).collect::<Option<_>>()?,
    })
}

fn write_token(token: &Token) -> TokenV1<'_> {
    let Token { hash: _, master, label, created, expires } = token;
    TokenV1 { master: master.as_str(), label, created: moment(*created), expires: expires.map(moment) }
}

fn read_token(key: &Key, token: TokenV1<'_>) -> Option<Token> {
    Some(Token {
        hash: key.to_token()?,
        master: Name::parse(token.master).ok()?,
        label: token.label.to_owned(),
        created: timestamp(token.created)?,
        expires: token.expires.map(timestamp).map_or(Some(None), |at| at.map(Some))?,
    })
}

fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Master => 0,
        Kind::Pop => 1,
        Kind::List => 2,
    }
}

fn kind(number: u8) -> Option<Kind> {
    match number {
        0 => Some(Kind::Master),
        1 => Some(Kind::Pop),
        2 => Some(Kind::List),
        _ => None,
    }
}

fn role_number(role: Role) -> u8 {
    match role {
        Role::Admin => 0,
        Role::Owner => 1,
    }
}

fn role(number: u8) -> Option<Role> {
    match number {
        0 => Some(Role::Admin),
        1 => Some(Role::Owner),
        _ => None,
    }
}
