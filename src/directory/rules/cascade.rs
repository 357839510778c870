//! What goes with what (D4): entries that lead to something removed, aliases left without targets, and so on.

use std::collections::VecDeque;

use super::draft::position;
use super::graph::referrers;
use super::transaction::Draft;
use crate::directory::change::{ChangeError, Effect, Refusal};
use crate::directory::model::{Alias, AliasKey, Target};
use crate::directory::schema::{Key, Prefix, Referrer};
use crate::mail::{Domain, Name};

/// A removal under way: what is still to be followed, and what went.
#[derive(Default)]
pub struct Cascade {
    ahead: VecDeque<(Target, Referrer)>,
    /// Entries that went, in order, hidden aliases' aside.
    pub entries: Vec<(AliasKey, Target)>,
    /// Plain aliases that went whole, with their notes and counts.
    pub aliases: Vec<Alias>,
    /// List seats that went.
    pub seats: Vec<(Name, Target)>,
}

impl Cascade {
    /// Removes an alias, whole; whatever leads to it follows.
    pub fn alias(&mut self, draft: &mut Draft<'_>, mut alias: Alias) -> Result<(), ChangeError> {
        self.ahead.extend(referrers(draft, &alias.key)?);
        let before = alias.clone();
        for target in before.targets.clone() {
            draft.unlink(&mut alias, &target);
            self.note_entry(&before, target);
        }
        self.forget(draft, before)
    }

    /// Whatever leads to an account follows.
    pub fn account(&mut self, draft: &Draft<'_>, name: &Name) -> Result<(), ChangeError> {
        self.ahead.extend(draft.entries(&Prefix::entries(&Target::Account(name.clone())))?);
        Ok(())
    }

    /// Whatever leads into a domain follows.
    pub fn domain(&mut self, draft: &Draft<'_>, domain: &Domain) -> Result<(), ChangeError> {
        self.ahead.extend(draft.entries(&Prefix::entries(&Target::Domain(domain.clone())))?);
        self.ahead.extend(draft.entries(&Prefix::into_domain(domain))?);
        Ok(())
    }

    /// Takes one target from an alias that is to be edited; the alias goes with its last.
    pub fn entry(&mut self, draft: &mut Draft<'_>, key: &AliasKey, target: &Target) -> Result<(), ChangeError> {
        let Some(mut alias) = draft.alias(key)? else { return Ok(()) };
        let before = alias.clone();
        let Some(stored) = position(&alias.targets, target).and_then(|at| alias.targets.get(at)).cloned() else { return Ok(()) };
        if alias.targets.len() == 1 {
            self.ahead.extend(referrers(draft, key)?);
        }
        draft.unlink(&mut alias, &stored);
        self.note_entry(&before, stored);
        if alias.targets.is_empty() {
            return self.forget(draft, before);
        }
        draft.put_alias(alias);
        Ok(())
    }

    /// Follows everything to its end.
    pub fn run(&mut self, draft: &mut Draft<'_>) -> Result<(), ChangeError> {
        while let Some((target, referrer)) = self.ahead.pop_front() {
            match referrer {
                Referrer::Alias(key) => self.entry(draft, &key, &target)?,
                Referrer::Seat(list) => self.seat(draft, &list, &target)?,
                Referrer::Copy(pop) => super::handling::without(draft, &pop, &target)?,
                Referrer::Owner(list) => {
                    if draft.list(&list)?.is_some_and(|list| position(std::slice::from_ref(&list.owner), &target).is_some()) {
                        return Err(Refusal::OwnsList { target, list }.into());
                    }
                }
            }
        }
        Ok(())
    }

    fn seat(&mut self, draft: &mut Draft<'_>, list: &Name, member: &Target) -> Result<(), ChangeError> {
        let Some(mut record) = draft.list(list)? else { return Ok(()) };
        let Some(left) = super::list::leave(draft, &mut record, member)? else { return Ok(()) };
        self.seats.push((list.clone(), left.target));
        draft.put_list(record);
        Ok(())
    }

    fn note_entry(&mut self, alias: &Alias, target: Target) {
        if alias.is_plain() {
            self.entries.push((alias.key.clone(), target));
        }
    }

    /// Removes the record of an alias whose entries are gone, and its counts.
    fn forget(&mut self, draft: &mut Draft<'_>, mut alias: Alias) -> Result<(), ChangeError> {
        draft.remove(Key::alias(&alias.key));
        if let Some(uses) = draft.uses(&alias.key)? {
            draft.remove(Key::uses(&alias.key));
            (alias.last_used, alias.uses) = (Some(uses.last), uses.times);
        }
        draft.tell(Effect::AliasRemoved { address: alias.key.clone() });
        if alias.is_plain() {
            self.aliases.push(alias);
        }
        Ok(())
    }
}
