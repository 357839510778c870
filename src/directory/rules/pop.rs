//! POP accounts: adding, editing, renaming (D2, D3, D9). Deleting and restoring are in [`super::trash`].

use jiff::Timestamp;

use super::draft::position;
use super::graph::{folded, referrers};
use super::name::{hidden_key, no_such, refuse_taken, refuse_taken_in};
use super::transaction::Draft;
use super::{domain, graph};
use crate::directory::change::{ChangeError, Effect, Refusal};
use crate::directory::model::{AccountId, Alias, AliasKey, Kind, PasswordHash, Pop, Standing, State, Switch, Target};
use crate::directory::password;
use crate::directory::schema::{Key, Prefix, Record, Referrer};
use crate::mail::{Address, Domain, Name};

/// Characters of an owner's real name or description.
const OWNER_CHARACTERS: usize = 256;

/// What a new account is made of. Its id may turn out to be taken; then it gets the next that is not.
pub type Given = Pop;

pub fn add(draft: &mut Draft<'_>, given: Given) -> Result<(), ChangeError> {
    domain::existing(draft, &given.domain)?;
    refuse_taken_in(draft, &given.name, &given.domain)?;
    let id = free_id(draft, given.id)?;
    let pop = Pop { id, owner: owner_text(&given.owner)?, ..given };
    draft.tell(Effect::PopAdded { id, name: pop.name.clone() });
    put_new(draft, pop)
}

/// Writes a new account with its name, id and hidden alias.
pub fn put_new(draft: &mut Draft<'_>, pop: Pop) -> Result<(), ChangeError> {
    password::check(&pop.password)?;
    put_hidden(draft, &pop.name, &pop.domain, pop.created)?;
    draft.put(Key::name(&pop.name), Record::Holder(Kind::Pop));
    draft.put(Key::id(pop.id), Record::Id(pop.name.clone()));
    draft.put_pop(pop);
    Ok(())
}

/// The first id from `id` on that no account has, deleted ones included.
pub fn free_id(draft: &Draft<'_>, id: AccountId) -> Result<AccountId, ChangeError> {
    let mut id = id;
    while draft.get(&Key::id(id))?.is_some() {
        id = AccountId(id.0 + 1);
    }
    Ok(id)
}

/// D2: the hidden alias of a new account.
pub fn put_hidden(draft: &mut Draft<'_>, name: &Name, domain: &Domain, created: Timestamp) -> Result<(), ChangeError> {
    let key = hidden_key(name, domain);
    if draft.alias(&key)?.is_some() {
        return Err(Refusal::AddressTaken { address: key }.into());
    }
    let mut alias = blank(key, created);
    alias.standing = Standing::Hidden(name.clone());
    draft.link(&mut alias, Target::Account(name.clone()));
    draft.put_alias(alias);
    Ok(())
}

/// A plain alias that leads nowhere yet.
pub fn blank(key: AliasKey, created: Timestamp) -> Alias {
    Alias {
        key,
        standing: Standing::Plain,
        targets: Vec::new(),
        switch: Switch::Enabled,
        note: String::new(),
        expires: None,
        created,
        last_used: None,
        uses: 0,
    }
}

/// What of an account changes; the rest stays.
#[derive(Default)]
pub struct Amendment<'c> {
    pub new: Option<&'c Name>,
    pub keep_alias: bool,
    pub domain: Option<&'c Domain>,
    pub owner: Option<&'c str>,
    pub quota: Option<Option<u64>>,
    pub state: Option<State>,
    pub password: Option<&'c PasswordHash>,
}

pub fn amend(draft: &mut Draft<'_>, name: &Name, amendment: Amendment<'_>) -> Result<(), ChangeError> {
    let Amendment { new, keep_alias, domain, owner, quota, state, password } = amendment;
    let mut pop = existing(draft, name)?;
    if let Some(owner) = owner {
        pop.owner = owner_text(owner)?;
    }
    if let Some(password) = password {
        password::check(password)?;
        pop.password = password.clone();
    }
    pop.quota = quota.unwrap_or(pop.quota);
    pop.state = state.unwrap_or(pop.state);
    draft.tell(Effect::AccountEdited { kind: Kind::Pop, name: name.clone() });
    let (new, domain) = (new.unwrap_or(name).clone(), domain.unwrap_or(&pop.domain).clone());
    let pop = relocate(draft, pop, new, domain, keep_alias)?;
    draft.put_pop(pop);
    Ok(())
}

pub fn rename(draft: &mut Draft<'_>, name: &Name, new: &Name, keep_alias: bool) -> Result<(), ChangeError> {
    let pop = existing(draft, name)?;
    let domain = pop.domain.clone();
    if name != new {
        let pop = relocate(draft, pop, new.clone(), domain, keep_alias)?;
        draft.put_pop(pop);
    }
    Ok(())
}

/// D9. The id stays, and so do mail, entries and seats: what led to the old name or address leads to the new one.
fn relocate(draft: &mut Draft<'_>, pop: Pop, name: Name, domain: Domain, keep_alias: bool) -> Result<Pop, ChangeError> {
    let (old_key, new_key) = (hidden_key(&pop.name, &pop.domain), hidden_key(&name, &domain));
    if old_key == new_key {
        return Ok(pop);
    }
    domain::existing(draft, &domain)?;
    if name != pop.name {
        refuse_taken(draft, &name)?;
        draft.tell(Effect::PopRenamed { id: pop.id, from: pop.name.clone(), to: name.clone() });
    }
    let leading = if keep_alias { Vec::new() } else { referrers(draft, &old_key)? };
    let keep_uses = if keep_alias { KeepUses::Yes } else { KeepUses::No };
    move_hidden(draft, &old_key, &name, &domain, pop.created, keep_uses)?;
    if name != pop.name {
        call(draft, &pop, &name)?;
    }
    redirect_to_address(draft, leading, &old_key, &new_key)?;
    if keep_alias {
        let mut alias = blank(old_key, pop.created);
        draft.link(&mut alias, Target::Account(name.clone()));
        draft.put_alias(alias);
    }
    Ok(Pop { name, domain, ..pop })
}

/// Gives an account another name, in all places that have it by its name.
fn call(draft: &mut Draft<'_>, pop: &Pop, new: &Name) -> Result<(), ChangeError> {
    let entries = draft.entries(&Prefix::entries(&Target::Account(pop.name.clone())))?;
    for (target, referrer) in entries {
        redirect(draft, &target, &referrer, Target::Account(new.clone()))?;
    }
    draft.remove(Key::name(&pop.name));
    draft.put(Key::name(new), Record::Holder(Kind::Pop));
    draft.put(Key::id(pop.id), Record::Id(new.clone()));
    draft.remove(Key::pop(&pop.name));
    super::handling::rename(draft, pop.id, &pop.name, new)
}

/// The record of an account that has to exist.
pub fn existing(draft: &Draft<'_>, name: &Name) -> Result<Pop, ChangeError> {
    draft.pop(name)?.ok_or_else(|| no_such(Kind::Pop, name))
}

/// Whether the counts stay with the old address, since it stays too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeepUses {
    Yes,
    No,
}

fn move_hidden(
    draft: &mut Draft<'_>,
    old: &AliasKey,
    name: &Name,
    domain: &Domain,
    created: Timestamp,
    keep_uses: KeepUses,
) -> Result<(), ChangeError> {
    put_hidden(draft, name, domain, created)?;
    if let Some(mut alias) = draft.alias(old)? {
        for target in alias.targets.clone() {
            draft.unlink(&mut alias, &target);
        }
    }
    draft.remove(Key::alias(old));
    draft.tell(Effect::AliasRemoved { address: old.clone() });
    if keep_uses == KeepUses::No
        && let Some(uses) = draft.uses(old)?
    {
        draft.remove(Key::uses(old));
        draft.put(Key::uses(&hidden_key(name, domain)), Record::Uses(uses));
    }
    Ok(())
}

/// Lets everything that led to a hidden alias's address lead to its new one, details kept.
fn redirect_to_address(draft: &mut Draft<'_>, leading: Vec<(Target, Referrer)>, old: &AliasKey, new: &AliasKey) -> Result<(), ChangeError> {
    let (AliasKey::Exact(old), AliasKey::Exact(new)) = (old, new) else { return Ok(()) };
    for (target, referrer) in leading {
        let Target::Address(mailbox) = &target else { continue };
        let detail = mailbox.address().and_then(|address| address.local().strip_prefix(old.local()).map(str::to_owned)).unwrap_or_default();
        let address = Address::new(&format!("{}{detail}", new.local()), new.domain().clone());
        redirect(draft, &target, &referrer, folded(&address)?)?;
    }
    Ok(())
}

fn redirect(draft: &mut Draft<'_>, from: &Target, referrer: &Referrer, to: Target) -> Result<(), ChangeError> {
    match referrer {
        Referrer::Alias(key) => {
            let Some(mut alias) = draft.alias(key)? else { return Ok(()) };
            let Some(at) = position(&alias.targets, from) else { return Ok(()) };
            draft.unlink(&mut alias, from);
            if position(&alias.targets, &to).is_none() {
                draft.link(&mut alias, to);
                // The entry keeps its place.
                if let Some(place) = alias.targets.get_mut(at..) {
                    place.rotate_right(1);
                }
            }
            draft.put_alias(alias);
        }
        Referrer::Seat(name) => super::list::redirect(draft, name, from, to)?,
        Referrer::Copy(name) => super::handling::redirect(draft, name, from, to)?,
        Referrer::Owner(name) => {
            let Some(mut list) = draft.list(name)? else { return Ok(()) };
            super::list::set_owner(draft, &mut list, to);
            draft.put_list(list);
        }
    }
    Ok(())
}

fn owner_text(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let long = text.chars().count() > OWNER_CHARACTERS;
    if text.is_empty() || long || text.chars().any(char::is_control) {
        let why =
            format!("the owner is a real name or a description: give 1 to {OWNER_CHARACTERS} characters, none of them a control character");
        return Err(Refusal::BadValue(why));
    }
    Ok(text.to_owned())
}

/// A target that a list may have: something that takes mail.
pub fn receiving(draft: &Draft<'_>, target: &Target) -> Result<Target, ChangeError> {
    match target {
        Target::Account(_) | Target::Address(_) => graph::settled(draft, target),
        other => Err(Refusal::BadValue(format!("`{other}` cannot be a member or an owner: give an account's name or an address")).into()),
    }
}
