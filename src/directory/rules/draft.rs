//! A draft in the words of the directory: typed reads, and writes that keep the reverse index true.

use super::transaction::Draft;
use crate::directory::change::{ChangeError, Effect};
use crate::directory::model::{AccountId, Alias, AliasKey, DomainRecord, Handling, Kind, List, Master, Member, Pop, Target};
use crate::directory::schema::{Key, Prefix, Record, Referrer, Uses};
use crate::directory::view::Unreadable;
use crate::mail::{Domain, Name};

/// Reads the record of one kind; another under its key would be damage.
macro_rules! typed {
    ($draft:expr, $key:expr, $variant:ident) => {{
        let key = $key;
        match $draft.get(&key)?.as_deref() {
            Some(Record::$variant(record)) => Ok(Some(record.clone())),
            None => Ok(None),
            Some(_) => Err(ChangeError::from(Unreadable(format!("a record of {} is of another kind", key.family.name())))),
        }
    }};
}

impl Draft<'_> {
    pub fn domain(&self, domain: &Domain) -> Result<Option<DomainRecord>, ChangeError> {
        typed!(self, Key::domain(domain), Domain)
    }

    pub fn is_local(&self, domain: &Domain) -> Result<bool, ChangeError> {
        Ok(self.domain(domain)?.is_some())
    }

    pub fn holder(&self, name: &Name) -> Result<Option<Kind>, ChangeError> {
        typed!(self, Key::name(name), Holder)
    }

    pub fn master(&self, name: &Name) -> Result<Option<Master>, ChangeError> {
        typed!(self, Key::master(name), Master)
    }

    pub fn pop(&self, name: &Name) -> Result<Option<Pop>, ChangeError> {
        typed!(self, Key::pop(name), Pop)
    }

    pub fn list(&self, name: &Name) -> Result<Option<List>, ChangeError> {
        typed!(self, Key::list(name), List)
    }

    pub fn alias(&self, key: &AliasKey) -> Result<Option<Alias>, ChangeError> {
        typed!(self, Key::alias(key), Alias)
    }

    pub fn member(&self, list: &Name, member: &Target) -> Result<Option<Member>, ChangeError> {
        typed!(self, Key::member(list, member), Member)
    }

    /// The members of a list, in folded spelling.
    pub fn members(&self, list: &Name) -> Result<Vec<Target>, ChangeError> {
        let damaged = || Unreadable("a key of a member is damaged; restore it from a backup".into());
        let member = |key: &Key| key.to_member().map(|(_, member)| member).ok_or_else(|| damaged().into());
        self.keys(&Prefix::members(list))?.iter().map(member).collect()
    }

    /// What happens with the mail of an account; nothing if nobody said so.
    pub fn handling(&self, id: AccountId) -> Result<Handling, ChangeError> {
        typed!(self, Key::handling(id), Handling).map(Option::unwrap_or_default)
    }

    pub fn uses(&self, key: &AliasKey) -> Result<Option<Uses>, ChangeError> {
        typed!(self, Key::uses(key), Uses)
    }

    /// Who leads to what, under a prefix of the reverse index.
    pub fn entries(&self, prefix: &Prefix) -> Result<Vec<(Target, Referrer)>, ChangeError> {
        let damaged = || Unreadable("a key of the reverse index is damaged; restore it from a backup".into());
        self.keys(prefix)?.iter().map(|key| key.to_entry().ok_or_else(|| damaged().into())).collect()
    }

    /// Gives an alias one more target.
    pub fn link(&mut self, alias: &mut Alias, target: Target) {
        self.put(Key::entry(&target, &Referrer::Alias(alias.key.clone())), Record::Entry);
        self.tell(Effect::EntryAdded { address: alias.key.clone(), target: target.clone() });
        alias.targets.push(target);
    }

    /// Takes a target from an alias, where it has it.
    pub fn unlink(&mut self, alias: &mut Alias, target: &Target) -> bool {
        let entry = Key::entry(target, &Referrer::Alias(alias.key.clone()));
        let Some(at) = position(&alias.targets, target) else { return false };
        let target = alias.targets.remove(at);
        self.remove(entry);
        self.tell(Effect::EntryRemoved { address: alias.key.clone(), target });
        true
    }

    pub fn put_alias(&mut self, alias: Alias) {
        self.put(Key::alias(&alias.key), Record::Alias(alias));
    }

    pub fn put_pop(&mut self, pop: Pop) {
        self.put(Key::pop(&pop.name), Record::Pop(pop));
    }

    pub fn put_list(&mut self, list: List) {
        self.put(Key::list(&list.name), Record::List(list));
    }

    /// Writes a member, with its mark in the reverse index.
    pub fn put_member(&mut self, member: Member) {
        self.put(Key::entry(&member.target, &Referrer::Seat(member.list.clone())), Record::Entry);
        self.put(Key::member(&member.list, &member.target), Record::Member(member));
    }

    /// Takes a member out, with whatever came back from it.
    pub fn remove_member(&mut self, list: &Name, member: &Target) {
        self.remove(Key::entry(member, &Referrer::Seat(list.clone())));
        self.remove(Key::member(list, member));
        self.remove(Key::bounces(list, member));
    }
}

/// Where a target stands: two spellings of one address are one target.
pub fn position(targets: &[Target], target: &Target) -> Option<usize> {
    let wanted = Prefix::entries(target);
    targets.iter().position(|have| have == target || Prefix::entries(have) == wanted)
}
