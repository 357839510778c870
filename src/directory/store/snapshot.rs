//! Reading: one consistent state, by key, by range, in pages.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use rocksdb::{ReadOptions, SnapshotWithThreadMode};

use super::engine::{Engine, unreadable};
use crate::directory::audit::Entry;
use crate::directory::change::Refusal;
use crate::directory::model::{
    AccountId, Alias, AliasKey, Bounces, DomainRecord, Handling, Kind, List, Master, Member, Pop, Revision, SecondFactor, Target, Token,
    TokenHash,
};
use crate::directory::rules::{self, Found, Records};
use crate::directory::schema::{self, Family, Key, Prefix, Record, Referrer};
use crate::directory::view::{Unreadable, View};
use crate::mail::{Domain, Name};
use crate::sys::rocks::Database;

/// One consistent state of the directory.
pub struct Snapshot<'a> {
    engine: &'a Engine,
    /// Reads of `state`: made once, not for each key. Before it, so that it is dropped first.
    reading: ReadOptions,
    state: SnapshotWithThreadMode<'a, Database>,
    revision: OnceLock<Revision>,
}

/// A page of records: those after a key, up to a limit, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The records.
    pub records: Vec<T>,
    /// The key to continue after; none at the end.
    pub next: Option<String>,
}

/// What has a revision of its own, for a change that is to happen only if nobody else came first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the record's key")]
pub enum Subject {
    Domain(Domain),
    Master(Name),
    Pop(Name),
    List(Name),
    Alias(AliasKey),
    Handling(AccountId),
}

impl Subject {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Domain(domain) => Key::domain(domain),
            Self::Master(name) => Key::master(name),
            Self::Pop(name) => Key::pop(name),
            Self::List(name) => Key::list(name),
            Self::Alias(key) => Key::alias(key),
            Self::Handling(id) => Key::handling(*id),
        }
    }
}

/// Takes the record of one kind; another under its key would be damage.
macro_rules! only {
    ($found:expr, $variant:ident) => {
        match $found? {
            Some((_, Record::$variant(record))) => Ok(Some(record)),
            None => Ok(None),
            Some(_) => Err(other_kind()),
        }
    };
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(engine: &'a Engine) -> Self {
        let state = engine.database().snapshot();
        let mut reading = ReadOptions::default();
        reading.set_snapshot(&state);
        Self { engine, reading, state, revision: OnceLock::new() }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.state.sequence_number()
    }

    /// Domains after `after`, in order.
    pub fn domains(&self, after: Option<&str>, limit: usize) -> Result<Page<DomainRecord>, Unreadable> {
        let record = |record| if let Record::Domain(domain) = record { Some(domain) } else { None };
        self.page(&Prefix::all(Family::Domains), text_key(after), limit, record, |domain| domain.domain.to_string())
    }

    /// Masters after `after`, in order.
    pub fn masters(&self, after: Option<&str>, limit: usize) -> Result<Page<Master>, Unreadable> {
        let record = |record| if let Record::Master(master) = record { Some(master) } else { None };
        self.page(&Prefix::all(Family::Masters), text_key(after), limit, record, |master| master.name.to_string())
    }

    /// POP accounts after `after`, in order of name.
    pub fn pops(&self, after: Option<&str>, limit: usize) -> Result<Page<Pop>, Unreadable> {
        let record = |record| if let Record::Pop(pop) = record { Some(pop) } else { None };
        self.page(&Prefix::all(Family::Pops), text_key(after), limit, record, |pop| pop.name.to_string())
    }

    /// List accounts after `after`, in order of name.
    pub fn lists(&self, after: Option<&str>, limit: usize) -> Result<Page<List>, Unreadable> {
        let record = |record| if let Record::List(list) = record { Some(list) } else { None };
        self.page(&Prefix::all(Family::Lists), text_key(after), limit, record, |list| list.name.to_string())
    }

    /// Aliases after `after`, by domain, then local part; hidden ones too.
    pub fn aliases(&self, after: Option<&str>, limit: usize) -> Result<Page<Alias>, Unreadable> {
        self.alias_page(&Prefix::all(Family::Aliases), after, limit)
    }

    /// The aliases of one domain after `after`, its catch-all first; hidden ones too.
    pub fn aliases_in(&self, domain: &Domain, after: Option<&str>, limit: usize) -> Result<Page<Alias>, Unreadable> {
        self.alias_page(&Prefix::aliases(domain), after, limit)
    }

    /// The aliases of one domain whose local part begins like this, after `after`; hidden ones too.
    pub fn aliases_beginning(&self, domain: &Domain, local: &str, after: Option<&str>, limit: usize) -> Result<Page<Alias>, Unreadable> {
        self.alias_page(&Prefix::aliases_beginning(domain, local), after, limit)
    }

    fn alias_page(&self, prefix: &Prefix, after: Option<&str>, limit: usize) -> Result<Page<Alias>, Unreadable> {
        // What is no address was never the end of a page; it begins wherever it would lie.
        let key = |text: &str| AliasKey::parse(text).map_or_else(|_| text.as_bytes().into(), |key| Key::alias(&key).bytes);
        let start = after.map(key);
        let record = |record| if let Record::Alias(alias) = record { Some(alias) } else { None };
        let mut page = self.page(prefix, start, limit, record, |alias| alias.key.to_string())?;
        for alias in &mut page.records {
            self.join_uses(alias)?;
        }
        Ok(page)
    }

    /// The domains of a master after `after`, in order.
    pub fn domains_of(&self, master: &Name, after: Option<&str>, limit: usize) -> Result<Page<DomainRecord>, Unreadable> {
        self.indexed(&Prefix::domains_of(master), after, limit, |domain| self.domain(&Domain::parse(domain).map_err(damaged)?))
    }

    /// The POP accounts that live in a domain after `after`, in order of name.
    pub fn pops_in(&self, domain: &Domain, after: Option<&str>, limit: usize) -> Result<Page<Pop>, Unreadable> {
        self.indexed(&Prefix::pops_in(domain), after, limit, |name| self.pop(&Name::parse(name).map_err(damaged)?))
    }

    /// The list accounts that live in a domain after `after`, in order of name.
    pub fn lists_in(&self, domain: &Domain, after: Option<&str>, limit: usize) -> Result<Page<List>, Unreadable> {
        self.indexed(&Prefix::lists_in(domain), after, limit, |name| self.list(&Name::parse(name).map_err(damaged)?))
    }

    /// The POP accounts that have a word which begins with `word`, by word, then name; one that has several comes several times.
    pub fn pops_by_word(&self, word: &str, after: Option<&str>, limit: usize) -> Result<Page<(String, Pop)>, Unreadable> {
        let prefix = Prefix::words(word);
        let after = after.map(|after| Prefix::words("").key(after.replacen(' ', "\0", 1).as_bytes()).bytes);
        let (mut found, mut more) = (Vec::new(), false);
        self.each_raw(&prefix, after, |key, _| {
            more = found.len() == limit;
            if !more {
                found.push(key.clone());
            }
            Ok(!more)
        })?;
        let words = found.iter().filter_map(Key::to_word);
        let pops = words.filter_map(|(word, name)| self.pop(&name).transpose().map(|pop| pop.map(|pop| (word.to_owned(), pop))));
        let records = pops.collect::<Result<Vec<_>, _>>()?;
        let next = more.then(|| found.last().and_then(Key::to_word).map(|(word, name)| format!("{word} {name}"))).flatten();
        Ok(Page { records, next })
    }

    /// The plain aliases with a word that begins like this, each with that word, in the order of the words. One with several such
    /// words comes several times. The cursor is `word address`.
    pub fn aliases_by_word(&self, word: &str, after: Option<&str>, limit: usize) -> Result<Page<(String, Alias)>, Unreadable> {
        let after = after.and_then(|after| after.split_once(' ')).and_then(|(word, alias)| Some((word, AliasKey::parse(alias).ok()?)));
        let after = after.map(|(word, alias)| Prefix::alias_words(word).key(&[&[0], &*Key::alias(&alias).bytes].concat()).bytes);
        let (mut found, mut more) = (Vec::new(), false);
        self.each_raw(&Prefix::alias_words(word), after, |key, _| {
            more = found.len() == limit;
            if !more {
                found.extend(key.to_alias_word().map(|(word, alias)| (word.to_owned(), alias)));
            }
            Ok(!more)
        })?;
        let next = found.last().filter(|_| more).map(|(word, alias)| format!("{word} {alias}"));
        let aliases =
            found.into_iter().filter_map(|(word, key)| self.alias(&key).transpose().map(|alias| alias.map(|alias| (word, alias))));
        Ok(Page { records: aliases.collect::<Result<_, _>>()?, next })
    }

    /// The members of a list after `after`, in the order of their folded spelling. The cursor is a member.
    pub fn members(&self, list: &Name, after: Option<&str>, limit: usize) -> Result<Page<Member>, Unreadable> {
        let start = match after.map(Target::parse) {
            None => None,
            Some(Ok(after)) => Some(Key::member(list, &after).bytes),
            // What is no target was never the end of a page.
            Some(Err(_)) => return Ok(Page { records: Vec::new(), next: None }),
        };
        let record = |record| if let Record::Member(member) = record { Some(member) } else { None };
        self.page(&Prefix::members(list), start, limit, record, |member| member.target.to_string())
    }

    /// Why each of these cannot be a member of a list, if it cannot.
    pub fn members_refused(&self, members: &[Target]) -> Result<Vec<Option<Refusal>>, Unreadable> {
        rules::members_refused(self, members)
    }

    /// What came back from a member of a list.
    pub fn bounces(&self, list: &Name, member: &Target) -> Result<Option<Bounces>, Unreadable> {
        only!(self.read(&Key::bounces(list, member)), Bounces)
    }

    /// The tokens of a master, with their last use.
    pub fn tokens_of(&self, master: &Name) -> Result<Vec<(Token, Option<Timestamp>)>, Unreadable> {
        let keys = self.keys(&Prefix::tokens_of(master))?;
        let tokens = keys.iter().filter_map(Key::to_token).filter_map(|hash| self.token(&hash).transpose());
        let used = |token: Token| Ok((self.token_use(&token.hash)?, token));
        tokens.map(|token| token.and_then(used).map(|(used, token)| (token, used))).collect()
    }

    /// A token by its digest.
    pub fn token(&self, hash: &TokenHash) -> Result<Option<Token>, Unreadable> {
        only!(self.read(&Key::token(hash)), Token)
    }

    /// The second factor of a master.
    pub fn second_factor(&self, name: &Name) -> Result<Option<SecondFactor>, Unreadable> {
        only!(self.read(&Key::second(name)), Second)
    }

    fn token_use(&self, hash: &TokenHash) -> Result<Option<Timestamp>, Unreadable> {
        only!(self.read(&Key::token_use(hash)), TokenUse)
    }

    /// Audit entries before a revision, newest first.
    pub fn audit_before(&self, before: Option<Revision>, limit: usize) -> Result<Vec<Entry>, Unreadable> {
        let newest = View::revision(self).0;
        let from = before.map_or(newest, |before| before.0.saturating_sub(1).min(newest));
        let revisions = (1..=from).rev().take(limit);
        let entries = revisions.filter_map(|revision| self.read(&Key::audit(Revision(revision))).transpose());
        let entry = |(_, record)| if let Record::Audit(entry) = record { Ok(*entry) } else { Err(other_kind()) };
        entries.map(|found| found.and_then(entry)).collect()
    }

    /// The audit entry of a revision.
    pub fn audit_of(&self, revision: Revision) -> Result<Option<Entry>, Unreadable> {
        Ok(self.audit_before(Some(Revision(revision.0.saturating_add(1))), 1)?.into_iter().find(|entry| entry.revision == revision))
    }

    /// Audit entries after a revision, oldest first.
    pub fn audit(&self, after: Revision, limit: usize) -> Result<Vec<Entry>, Unreadable> {
        let mut entries = Vec::new();
        if limit == 0 {
            return Ok(entries);
        }
        self.each(&Prefix::all(Family::Audit), Some(Key::audit(after).bytes), |_, record| {
            if let Record::Audit(entry) = record {
                entries.push(*entry);
            }
            entries.len() < limit
        })?;
        Ok(entries)
    }

    /// The same, by its key.
    pub fn revision_at(&self, key: &Key) -> Result<Revision, Unreadable> {
        Ok(Records::get(self, key)?.0)
    }

    /// The revision that last changed a record; 0 where there is none.
    pub fn revision_of(&self, subject: &Subject) -> Result<Revision, Unreadable> {
        Ok(Records::get(self, &subject.key())?.0)
    }

    /// The POP account of an id; none if it was deleted, or is a list.
    pub fn pop_with_id(&self, id: AccountId) -> Result<Option<Pop>, Unreadable> {
        let name: Option<Name> = only!(self.read(&Key::id(id)), Id)?;
        let pop = name.map(|name| self.pop(&name)).transpose()?.flatten();
        // While it is in the trash, another account may have its name.
        Ok(pop.filter(|pop| pop.id == id))
    }

    /// Whether the account of an id is in the trash.
    pub fn is_trashed(&self, id: AccountId) -> Result<bool, Unreadable> {
        let name: Option<Name> = only!(self.read(&Key::id(id)), Id)?;
        Ok(name.map(|name| self.read(&Key::trash(&name, id))).transpose()?.flatten().is_some())
    }

    /// Whether an account of that id was here once and was forgotten for good.
    pub fn is_purged(&self, id: AccountId) -> Result<bool, Unreadable> {
        let given = match self.read(&Key::counters())? {
            Some((_, Record::Counters(counters))) => id < counters.next_id,
            _ => false,
        };
        Ok(given && self.read(&Key::id(id))?.is_none())
    }

    /// When the owner of a POP account logged in last, as far as it has been written down.
    pub fn last_login(&self, id: AccountId) -> Result<Option<Timestamp>, Unreadable> {
        only!(self.read(&Key::login(id)), Login)
    }

    fn read(&self, key: &Key) -> Result<Option<(Revision, Record)>, Unreadable> {
        let family = self.engine.family(key.family)?;
        let bytes = self.engine.database().get_pinned_cf_opt(family, &key.bytes, &self.reading).map_err(|e| unreadable(&e))?;
        bytes.map(|bytes| schema::decode(key, &bytes)).transpose()
    }

    fn join_uses(&self, alias: &mut Alias) -> Result<(), Unreadable> {
        if let Some((_, Record::Uses(uses))) = self.read(&Key::uses(&alias.key))? {
            (alias.last_used, alias.uses) = (Some(uses.last), uses.times);
        }
        Ok(())
    }

    pub(super) fn page<T>(
        &self,
        prefix: &Prefix,
        after: Option<Arc<[u8]>>,
        limit: usize,
        record: impl Fn(Record) -> Option<T>,
        cursor: impl Fn(&T) -> String,
    ) -> Result<Page<T>, Unreadable> {
        let (mut records, mut more) = (Vec::new(), false);
        self.each(prefix, after, |_, found| {
            if records.len() == limit {
                more = true;
                return false;
            }
            records.extend(record(found));
            true
        })?;
        let next = if more { records.last().map(cursor) } else { None };
        Ok(Page { records, next })
    }

    /// A page of what an index names; the cursor is what follows the prefix in its key.
    fn indexed<T>(
        &self,
        prefix: &Prefix,
        after: Option<&str>,
        limit: usize,
        record: impl Fn(&str) -> Result<Option<T>, Unreadable>,
    ) -> Result<Page<T>, Unreadable> {
        let (mut records, mut last, mut more) = (Vec::new(), None, false);
        self.each_raw(prefix, after.map(|after| prefix.key(after.as_bytes()).bytes), |key, _| {
            more = records.len() == limit;
            if let (false, Some(rest)) = (more, prefix.rest(key)) {
                records.extend(record(rest)?);
                last = Some(rest.to_owned());
            }
            Ok(!more)
        })?;
        Ok(Page { records, next: last.filter(|_| more) })
    }

    /// Hands over the records under `prefix` after a key, in order, until told to stop.
    pub(super) fn each(
        &self,
        prefix: &Prefix,
        after: Option<Arc<[u8]>>,
        mut visit: impl FnMut(&Key, Record) -> bool,
    ) -> Result<(), Unreadable> {
        self.each_raw(prefix, after, |key, bytes| {
            let (_, record) = schema::decode(key, bytes)?;
            Ok(visit(key, record))
        })
    }

    fn each_raw(
        &self,
        prefix: &Prefix,
        after: Option<Arc<[u8]>>,
        mut visit: impl FnMut(&Key, &[u8]) -> Result<bool, Unreadable>,
    ) -> Result<(), Unreadable> {
        let mut options = ReadOptions::default();
        options.set_iterate_range(rocksdb::PrefixRange(prefix.bytes.to_vec()));
        let mut found = self.state.raw_iterator_cf_opt(self.engine.family(prefix.family)?, options);
        match &after {
            Some(key) => found.seek(key),
            None => found.seek_to_first(),
        }
        while let Some((bytes, value)) = found.item() {
            if after.as_deref() != Some(bytes) {
                let key = Key { family: prefix.family, bytes: bytes.into() };
                if !visit(&key, value)? {
                    return Ok(());
                }
            }
            found.next();
        }
        found.status().map_err(|e| unreadable(&e))
    }
}

impl Records for Snapshot<'_> {
    fn revision(&self) -> Revision {
        View::revision(self)
    }

    fn get(&self, key: &Key) -> Result<Found, Unreadable> {
        Ok(match self.read(key)? {
            Some((revision, record)) => (revision, Some(Arc::new(record))),
            None => (Revision(0), None),
        })
    }

    fn keys(&self, prefix: &Prefix) -> Result<Vec<Key>, Unreadable> {
        let mut keys = Vec::new();
        self.each_raw(prefix, None, |key, _| {
            keys.push(key.clone());
            Ok(true)
        })?;
        Ok(keys)
    }
}

impl View for Snapshot<'_> {
    fn revision(&self) -> Revision {
        // Unreadable counters show the oldest revision: whatever is cached with it is asked again.
        *self.revision.get_or_init(|| match self.read(&Key::counters()) {
            Ok(Some((_, Record::Counters(counters)))) => counters.revision,
            _ => Revision(0),
        })
    }

    fn domain(&self, domain: &Domain) -> Result<Option<DomainRecord>, Unreadable> {
        only!(self.read(&Key::domain(domain)), Domain)
    }

    fn holder(&self, name: &Name) -> Result<Option<Kind>, Unreadable> {
        only!(self.read(&Key::name(name)), Holder)
    }

    fn master(&self, name: &Name) -> Result<Option<Master>, Unreadable> {
        only!(self.read(&Key::master(name)), Master)
    }

    fn pop(&self, name: &Name) -> Result<Option<Pop>, Unreadable> {
        only!(self.read(&Key::pop(name)), Pop)
    }

    fn list(&self, name: &Name) -> Result<Option<List>, Unreadable> {
        only!(self.read(&Key::list(name)), List)
    }

    fn alias(&self, key: &AliasKey) -> Result<Option<Alias>, Unreadable> {
        let mut found: Option<Alias> = only!(self.read(&Key::alias(key)), Alias)?;
        if let Some(alias) = &mut found {
            self.join_uses(alias)?;
        }
        Ok(found)
    }

    fn handling(&self, id: AccountId) -> Result<Option<Handling>, Unreadable> {
        only!(self.read(&Key::handling(id)), Handling)
    }

    fn member(&self, list: &Name, member: &Target) -> Result<Option<Member>, Unreadable> {
        only!(self.read(&Key::member(list, member)), Member)
    }

    fn aliases_to(&self, target: &Target) -> Result<Vec<AliasKey>, Unreadable> {
        let keys = self.keys(&Prefix::aliases_to(target))?;
        let alias = |key: &Key| match key.to_entry() {
            Some((_, Referrer::Alias(alias))) => Ok(alias),
            _ => Err(other_kind()),
        };
        keys.iter().map(alias).collect()
    }
}

fn text_key(after: Option<&str>) -> Option<Arc<[u8]>> {
    after.map(|text| text.as_bytes().into())
}

fn damaged(error: impl std::fmt::Display) -> Unreadable {
    Unreadable(format!("a key of an index is damaged ({error}); restore the directory from a backup"))
}

fn other_kind() -> Unreadable {
    Unreadable("a record is of another kind than its key; restore the directory from a backup".into())
}
