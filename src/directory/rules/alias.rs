//! Aliases (D3, D5).

use jiff::Timestamp;

use super::cascade::Cascade;
use super::domain;
use super::draft::position;
use super::graph::{folded, goes_on, refuse_cycle, settled};
use super::pop::blank;
use super::transaction::Draft;
use crate::directory::change::{ChangeError, Effect, Refusal};
use crate::directory::model::{Alias, AliasKey, Standing, Switch, Target};
use crate::mail::Name;
use crate::mail::limits::STORED_LOCAL_OCTETS;

/// Targets of one alias: whoever needs more wants a list.
const TARGETS: usize = 1000;

/// Characters of a note.
const NOTE_CHARACTERS: usize = 1000;

pub fn add(
    draft: &mut Draft<'_>,
    key: &AliasKey,
    targets: &[Target],
    note: Option<&str>,
    expires: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), ChangeError> {
    refuse_form(draft, key)?;
    let before = draft.alias(key)?;
    refuse_hidden(before.as_ref())?;
    if before.is_none() && targets.is_empty() {
        return Err(Refusal::BadValue(format!("`{key}` needs a target: an account's name, an address, reject:TEXT or discard")).into());
    }
    if before.is_some() && (note.is_some() || expires.is_some()) {
        draft.tell(Effect::AliasEdited { address: key.clone() });
    }
    let mut alias = before.unwrap_or_else(|| blank(key.clone(), now));
    if let Some(note) = note {
        alias.note = note_text(note)?;
    }
    alias.expires = expires.or(alias.expires);
    extend(draft, alias, targets)
}

/// Adds an alias to an account; one that is there already would only gain a target, and is somebody else's.
pub fn add_new(draft: &mut Draft<'_>, key: &AliasKey, account: &Name, now: Timestamp) -> Result<(), ChangeError> {
    if draft.alias(key)?.is_some() {
        return Err(Refusal::AddressTaken { address: key.clone() }.into());
    }
    add(draft, key, &[Target::Account(account.clone())], None, None, now)
}

/// Adds targets to an alias and writes it, if that breaks nothing.
pub fn extend(draft: &mut Draft<'_>, mut alias: Alias, targets: &[Target]) -> Result<(), ChangeError> {
    let mut onward = false;
    for target in targets {
        if matches!((target, &alias.key), (Target::Domain(_), AliasKey::Exact(_))) {
            return Err(Refusal::BadValue(format!("`{target}` keeps the local part, so only a catch-all can lead to it")).into());
        }
        refuse_itself(&alias.key, target)?;
        let target = settled(draft, target)?;
        if position(&alias.targets, &target).is_some() {
            continue;
        }
        onward |= goes_on(draft, &target)?;
        draft.link(&mut alias, target);
    }
    if alias.targets.len() > TARGETS {
        return Err(Refusal::BadValue(format!("an alias has at most {TARGETS} targets; make it a list")).into());
    }
    let key = alias.key.clone();
    draft.put_alias(alias);
    if onward { refuse_cycle(draft, &key) } else { Ok(()) }
}

/// Removes targets, or all; an alias without targets goes, with whatever leads to it.
pub fn remove(draft: &mut Draft<'_>, key: &AliasKey, targets: &[Target]) -> Result<(), ChangeError> {
    let alias = draft.alias(key)?.ok_or_else(|| Refusal::NoSuchAlias(key.clone()))?;
    refuse_hidden(Some(&alias))?;
    let mut cascade = Cascade::default();
    if targets.is_empty() {
        cascade.alias(draft, alias)?;
    }
    for target in targets {
        let target = spelled(draft, target)?;
        if position(&alias_targets(draft, key)?, &target).is_none() {
            return Err(Refusal::NoSuchEntry { address: key.clone(), target }.into());
        }
        cascade.entry(draft, key, &target)?;
    }
    cascade.run(draft)
}

pub fn switch(draft: &mut Draft<'_>, key: &AliasKey, switch: Switch) -> Result<(), ChangeError> {
    let alias = draft.alias(key)?.ok_or_else(|| Refusal::NoSuchAlias(key.clone()))?;
    refuse_hidden(Some(&alias))?;
    draft.put_alias(Alias { switch, ..alias });
    draft.tell(Effect::AliasEdited { address: key.clone() });
    Ok(())
}

/// What is to be replaced of an alias.
#[derive(Debug, Clone, Copy)]
pub struct Edit<'a> {
    pub targets: Option<&'a [Target]>,
    pub note: Option<&'a str>,
    pub expires: Option<Option<Timestamp>>,
    pub switch: Option<Switch>,
}

/// Replaces what is given. An alias keeps one target at least: without any it would have to be removed.
pub fn edit(draft: &mut Draft<'_>, key: &AliasKey, edit: Edit<'_>) -> Result<(), ChangeError> {
    let mut alias = draft.alias(key)?.ok_or_else(|| Refusal::NoSuchAlias(key.clone()))?;
    refuse_hidden(Some(&alias))?;
    draft.tell(Effect::AliasEdited { address: key.clone() });
    if let Some(note) = edit.note {
        alias.note = note_text(note)?;
    }
    alias.expires = edit.expires.unwrap_or(alias.expires);
    alias.switch = edit.switch.unwrap_or(alias.switch);
    let Some(targets) = edit.targets else {
        draft.put_alias(alias);
        return Ok(());
    };
    if targets.is_empty() {
        return Err(Refusal::BadValue(format!("`{key}` needs a target; to end it, remove it")).into());
    }
    let mut wanted = Vec::with_capacity(targets.len());
    for target in targets {
        wanted.push(spelled(draft, target)?);
    }
    for old in alias.targets.clone() {
        if position(&wanted, &old).is_none() {
            draft.unlink(&mut alias, &old);
        }
    }
    extend(draft, alias, &wanted)
}

/// A target in the spelling it would be stored in, whether or not it exists.
pub fn spelled(draft: &Draft<'_>, target: &Target) -> Result<Target, ChangeError> {
    if let Target::Address(mailbox) = target
        && let Some(address) = mailbox.address()
        && draft.is_local(address.domain())?
    {
        return folded(&address);
    }
    Ok(target.clone())
}

/// Refuses a key that no alias can have here.
pub fn refuse_form(draft: &Draft<'_>, key: &AliasKey) -> Result<(), ChangeError> {
    domain::existing(draft, key.domain())?;
    match key {
        AliasKey::Exact(address) if address.local().len() > STORED_LOCAL_OCTETS => {
            let why = format!("the part before the @ has {} octets; at most {STORED_LOCAL_OCTETS} are allowed", address.local().len());
            Err(Refusal::BadValue(why).into())
        }
        // An address by the letter of RFC 5321, and never meant as one.
        AliasKey::Exact(address) if address.local() == "*" => {
            Err(Refusal::BadValue(format!("`{key}` is no pattern here: write `@{}` for all addresses of the domain", key.domain())).into())
        }
        AliasKey::Exact(_) | AliasKey::CatchAll(_) => Ok(()),
    }
}

/// A note as it is stored.
pub fn note_text(note: &str) -> Result<String, Refusal> {
    if note.chars().count() > NOTE_CHARACTERS || note.chars().any(|c| c.is_control() && c != '\n') {
        let why = format!("a note has at most {NOTE_CHARACTERS} characters, and no control characters but line ends");
        return Err(Refusal::BadValue(why));
    }
    Ok(note.trim().to_owned())
}

/// D3.
pub fn refuse_hidden(alias: Option<&Alias>) -> Result<(), ChangeError> {
    match alias {
        Some(Alias { key, standing: Standing::Hidden(account), .. }) => {
            Err(Refusal::HiddenAlias { address: key.clone(), account: account.clone() }.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// The shortest circle. Said before anything is looked up, since the alias need not exist yet.
fn refuse_itself(key: &AliasKey, target: &Target) -> Result<(), ChangeError> {
    let itself = match (key, target) {
        (AliasKey::Exact(address), Target::Address(mailbox)) => mailbox.address().as_ref() == Some(address),
        (AliasKey::CatchAll(domain), Target::Domain(other)) => domain == other,
        _ => false,
    };
    if itself { Err(Refusal::Cycle { path: vec![key.clone(), key.clone()] }.into()) } else { Ok(()) }
}

fn alias_targets(draft: &Draft<'_>, key: &AliasKey) -> Result<Vec<Target>, ChangeError> {
    Ok(draft.alias(key)?.map(|alias| alias.targets).unwrap_or_default())
}
