//! Deleting a POP account, bringing it back, and forgetting it (D4, D7).

use jiff::Timestamp;

use super::cascade::Cascade;
use super::name::{hidden_key, refuse_taken};
use super::pop::{blank, existing, put_new};
use super::transaction::Draft;
use super::{alias, domain, handling, list};
use crate::directory::change::{ChangeError, Effect, Refusal};
use crate::directory::model::{AccountId, Alias, AliasKey, Target, Trashed};
use crate::directory::schema::{Key, Prefix, Record, Referrer, Uses};
use crate::mail::Name;

/// Moves an account to the trash. Its hidden alias goes, every entry that leads to either, and so on.
pub fn delete_pop(draft: &mut Draft<'_>, name: &Name, now: Timestamp) -> Result<(), ChangeError> {
    let pop = existing(draft, name)?;
    draft.tell(Effect::PopTrashed { id: pop.id, name: name.clone() });
    let mut cascade = Cascade::default();
    if let Some(hidden) = draft.alias(&hidden_key(name, &pop.domain))? {
        cascade.alias(draft, hidden)?;
    }
    cascade.account(draft, name)?;
    cascade.run(draft)?;
    handling::trash(draft, pop.id, name)?;
    draft.remove(Key::pop(name));
    draft.remove(Key::name(name));
    let Cascade { entries, aliases, seats, .. } = cascade;
    put(draft, Trashed { pop, deleted: now, entries, aliases, seats });
    Ok(())
}

/// Writes an account in the trash; its id stays taken.
pub fn put(draft: &mut Draft<'_>, trashed: Trashed) {
    let (id, name) = (trashed.pop.id, trashed.pop.name.clone());
    draft.put(Key::id(id), Record::Id(name.clone()));
    draft.put(Key::trash(&name, id), Record::Trash(Box::new(trashed)));
}

/// Brings an account back under its name, with what still fits of the entries and seats that went with it.
pub fn restore(draft: &mut Draft<'_>, name: &Name, id: Option<AccountId>, now: Timestamp) -> Result<(), ChangeError> {
    let Some(trashed) = find(draft, name, id)? else { return Err(Refusal::NotInTrash(name.clone()).into()) };
    let Trashed { pop, entries, aliases, seats, .. } = trashed;
    domain::existing(draft, &pop.domain)?;
    refuse_taken(draft, name)?;
    draft.tell(Effect::PopRestored { id: pop.id, name: name.clone() });
    draft.remove(Key::trash(name, pop.id));
    let restored = pop.id;
    put_new(draft, pop)?;
    for (key, target) in entries {
        let as_it_was = aliases.iter().find(|alias| alias.key == key);
        if let Some(why) = restore_entry(draft, &key, &target, as_it_was, now)? {
            draft.tell(Effect::EntryNotRestored { address: key, why: why.to_string() });
        }
    }
    for (list, member) in seats {
        restore_seat(draft, &list, member, now)?;
    }
    handling::restore(draft, restored, name)
}

/// Forgets an account in the trash for good.
pub fn purge(draft: &mut Draft<'_>, id: AccountId) -> Result<(), ChangeError> {
    let missing = || Refusal::BadValue(format!("there is no deleted POP account with the id {} in the trash", id.0));
    let record = draft.get(&Key::id(id))?;
    let Some(Record::Id(name)) = record.as_deref() else { return Err(missing().into()) };
    let key = Key::trash(name, id);
    if draft.get(&key)?.is_none() {
        return Err(missing().into());
    }
    draft.remove(key);
    draft.remove(Key::id(id));
    draft.remove(Key::login(id));
    draft.remove(Key::handling(id));
    draft.tell(Effect::PopPurged { id, name: name.clone() });
    Ok(())
}

fn find(draft: &Draft<'_>, name: &Name, id: Option<AccountId>) -> Result<Option<Trashed>, ChangeError> {
    let mut found: Vec<Trashed> = Vec::new();
    for key in draft.keys(&Prefix::trash(name))? {
        if let Some(Record::Trash(trashed)) = draft.get(&key)?.as_deref() {
            found.push(Trashed::clone(trashed));
        }
    }
    found.retain(|trashed| id.is_none_or(|id| trashed.pop.id == id));
    Ok(found.into_iter().max_by_key(|trashed| (trashed.deleted, trashed.pop.id)))
}

/// Brings back one entry; a refusal is the answer, and leaves the draft as it was.
fn restore_entry(
    draft: &mut Draft<'_>,
    key: &AliasKey,
    target: &Target,
    as_it_was: Option<&Alias>,
    now: Timestamp,
) -> Result<Option<Refusal>, ChangeError> {
    let told = draft.effects.len();
    let before = draft.alias(key)?;
    match try_entry(draft, key, target, as_it_was, before.clone(), now) {
        Ok(()) => Ok(None),
        Err(ChangeError::Unreadable(failure)) => Err(failure.into()),
        Err(ChangeError::Refused(why)) => {
            draft.effects.truncate(told);
            if before.as_ref().is_none_or(|alias| super::draft::position(&alias.targets, target).is_none()) {
                draft.remove(Key::entry(target, &Referrer::Alias(key.clone())));
            }
            match before {
                Some(alias) => draft.put_alias(alias),
                None => draft.remove(Key::alias(key)),
            }
            Ok(Some(why))
        }
    }
}

fn try_entry(
    draft: &mut Draft<'_>,
    key: &AliasKey,
    target: &Target,
    as_it_was: Option<&Alias>,
    before: Option<Alias>,
    now: Timestamp,
) -> Result<(), ChangeError> {
    alias::refuse_form(draft, key)?;
    alias::refuse_hidden(before.as_ref())?;
    let new = before.is_none();
    let alias = match (before, as_it_was) {
        (Some(alias), _) => alias,
        (None, Some(alias)) => Alias { targets: Vec::new(), ..alias.clone() },
        (None, None) => blank(key.clone(), now),
    };
    alias::extend(draft, alias, std::slice::from_ref(target))?;
    if new && let Some(Alias { last_used: Some(last), uses, .. }) = as_it_was {
        draft.put(Key::uses(key), Record::Uses(Uses { last: *last, times: *uses }));
    }
    Ok(())
}

/// Gives back a seat. A list that is gone has none; a member that would lead back to its list stays out.
fn restore_seat(draft: &mut Draft<'_>, name: &Name, member: Target, now: Timestamp) -> Result<(), ChangeError> {
    let Some(before) = draft.list(name)? else { return Ok(()) };
    let (told, seated) = (draft.effects.len(), draft.member(name, &member)?);
    let mut list = before.clone();
    let outcome = super::pop::receiving(draft, &member).and_then(|settled| {
        if list::join(draft, &mut list, &settled, now)? {
            draft.tell(Effect::SeatAdded { list: name.clone(), member: settled });
        }
        list::finish(draft, list)
    });
    let why = match outcome {
        Ok(()) => return Ok(()),
        Err(ChangeError::Unreadable(failure)) => return Err(failure.into()),
        Err(ChangeError::Refused(why)) => why,
    };
    draft.effects.truncate(told);
    if seated.is_none() {
        draft.remove_member(name, &member);
    }
    let address = hidden_key(name, &before.domain);
    draft.put_list(before);
    draft.tell(Effect::EntryNotRestored { address, why: why.to_string() });
    Ok(())
}
