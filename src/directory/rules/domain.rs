//! Domains (D8).

use jiff::Timestamp;

use super::cascade::Cascade;
use super::transaction::Draft;
use super::{list, master, trash};
use crate::directory::change::{ChangeError, Effect, Refusal};
use crate::directory::model::{AliasKey, DomainRecord, Kind, Standing, Target};
use crate::directory::schema::{Key, Prefix, Record, Referrer};
use crate::directory::view::Unreadable;
use crate::mail::{Domain, Name};

use super::name::hidden_key;

pub fn add(draft: &mut Draft<'_>, domain: &Domain, owner: Option<&Name>, now: Timestamp) -> Result<(), ChangeError> {
    if draft.is_local(domain)? {
        return Err(Refusal::DomainExists(domain.clone()).into());
    }
    refuse_dangling(draft, domain)?;
    put(draft, DomainRecord { domain: domain.clone(), owner: owner.cloned(), created: now })?;
    draft.tell(Effect::DomainAdded { domain: domain.clone() });
    Ok(())
}

pub fn edit(draft: &mut Draft<'_>, domain: &Domain, owner: Option<&Name>) -> Result<(), ChangeError> {
    let record = existing(draft, domain)?;
    put(draft, DomainRecord { owner: owner.cloned(), ..record })?;
    draft.tell(Effect::DomainEdited { domain: domain.clone() });
    Ok(())
}

/// Removes a domain. With `cascade`: its POP accounts go to the trash, its lists and aliases go, and so does every
/// entry elsewhere that leads into it.
pub fn delete(draft: &mut Draft<'_>, domain: &Domain, cascade: bool, now: Timestamp) -> Result<(), ChangeError> {
    existing(draft, domain)?;
    let keys = alias_keys(draft, domain)?;
    if !cascade && !keys.is_empty() {
        return Err(in_use(draft, domain, &keys)?.into());
    }
    let mut accounts = Vec::new();
    for key in &keys {
        if let Some(Standing::Hidden(name)) = draft.alias(key)?.map(|alias| alias.standing) {
            accounts.push(name);
        }
    }
    // Lists first: they hold seats, and may be owned by accounts that go too.
    for name in &accounts {
        if draft.holder(name)? == Some(Kind::List) {
            list::delete(draft, name)?;
        }
    }
    for name in &accounts {
        if draft.holder(name)? == Some(Kind::Pop) {
            trash::delete_pop(draft, name, now)?;
        }
    }
    let mut rest = Cascade::default();
    for key in &keys {
        if let Some(alias) = draft.alias(key)? {
            rest.alias(draft, alias)?;
            rest.run(draft)?;
        }
    }
    rest.domain(draft, domain)?;
    rest.run(draft)?;
    draft.remove(Key::domain(domain));
    draft.tell(Effect::DomainRemoved { domain: domain.clone() });
    Ok(())
}

/// The record of a domain that has to be local.
pub fn existing(draft: &Draft<'_>, domain: &Domain) -> Result<DomainRecord, ChangeError> {
    draft.domain(domain)?.ok_or_else(|| Refusal::NoSuchDomain(domain.clone()).into())
}

/// Writes a domain, whose owner has to exist.
pub fn put(draft: &mut Draft<'_>, record: DomainRecord) -> Result<(), ChangeError> {
    if let Some(owner) = &record.owner {
        master::existing(draft, owner)?;
    }
    draft.put(Key::domain(&record.domain), Record::Domain(record));
    Ok(())
}

/// Refuses to make a domain local while anything leads to its addresses: none of them exists yet.
pub fn refuse_dangling(draft: &Draft<'_>, domain: &Domain) -> Result<(), ChangeError> {
    let Some((target, referrer)) = draft.entries(&Prefix::into_domain(domain))?.into_iter().next() else { return Ok(()) };
    let address = match referrer {
        Referrer::Alias(key) => key,
        Referrer::Copy(pop) => super::handling::address(draft, &pop)?,
        Referrer::Seat(list) | Referrer::Owner(list) => return Err(list_dangles(draft, &list, target)?.into()),
    };
    Err(Refusal::WouldDangle { address, target }.into())
}

fn list_dangles(draft: &Draft<'_>, list: &Name, target: Target) -> Result<Refusal, ChangeError> {
    let missing = || Unreadable(format!("the reverse index names a list `{list}` that does not exist"));
    let record = draft.list(list)?.ok_or_else(missing)?;
    Ok(Refusal::WouldDangle { address: hidden_key(list, &record.domain), target })
}

fn alias_keys(draft: &Draft<'_>, domain: &Domain) -> Result<Vec<AliasKey>, ChangeError> {
    let damaged = || Unreadable("a key of an alias is damaged; restore it from a backup".into());
    draft.keys(&Prefix::aliases(domain))?.iter().map(|key| key.to_alias().ok_or_else(|| damaged().into())).collect()
}

fn in_use(draft: &Draft<'_>, domain: &Domain, keys: &[AliasKey]) -> Result<Refusal, ChangeError> {
    let mut accounts = 0;
    for key in keys {
        accounts += usize::from(draft.alias(key)?.is_some_and(|alias| !alias.is_plain()));
    }
    Ok(Refusal::DomainInUse { domain: domain.clone(), accounts, aliases: keys.len() - accounts })
}
