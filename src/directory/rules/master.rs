//! Masters.

use jiff::Timestamp;

use super::name::{no_such, refuse_taken};
use super::token;
use super::transaction::Draft;
use crate::directory::change::{ChangeError, Effect, Refusal};
use crate::directory::model::{Kind, Master, PasswordHash, Role, SecondFactor, TokenHash};
use crate::directory::password;
use crate::directory::schema::{Family, Key, Prefix, Record};
use crate::mail::Name;

pub fn add(draft: &mut Draft<'_>, name: &Name, role: Role, password: &PasswordHash, now: Timestamp) -> Result<(), ChangeError> {
    put_new(draft, Master { name: name.clone(), role, password: password.clone(), created: now })
}

/// Adds a master as given.
pub fn put_new(draft: &mut Draft<'_>, master: Master) -> Result<(), ChangeError> {
    refuse_taken(draft, &master.name)?;
    password::check(&master.password)?;
    let name = master.name.clone();
    draft.put(Key::name(&name), Record::Holder(Kind::Master));
    draft.put(Key::master(&name), Record::Master(master));
    draft.tell(Effect::AccountAdded { kind: Kind::Master, name });
    Ok(())
}

pub fn set_password(draft: &mut Draft<'_>, name: &Name, password: &PasswordHash) -> Result<(), ChangeError> {
    password::check(password)?;
    let master = existing(draft, name)?;
    draft.put(Key::master(name), Record::Master(Master { password: password.clone(), ..master }));
    draft.tell(Effect::AccountEdited { kind: Kind::Master, name: name.clone() });
    Ok(())
}

/// Sets a master's second factor, or takes it away.
pub fn set_second(draft: &mut Draft<'_>, name: &Name, factor: Option<&SecondFactor>) -> Result<(), ChangeError> {
    existing(draft, name)?;
    match factor {
        Some(factor) => draft.put(Key::second(name), Record::Second(factor.clone())),
        None if draft.get(&Key::second(name))?.is_some() => draft.remove(Key::second(name)),
        None => return Err(Refusal::BadValue(format!("the master `{name}` has no second factor")).into()),
    }
    draft.tell(Effect::AccountEdited { kind: Kind::Master, name: name.clone() });
    Ok(())
}

/// Uses a recovery code up.
pub fn use_recovery_code(draft: &mut Draft<'_>, name: &Name, code: &TokenHash) -> Result<(), ChangeError> {
    let found = draft.get(&Key::second(name))?;
    let Some(Record::Second(factor)) = found.as_deref() else {
        return Err(Refusal::BadValue(format!("the master `{name}` has no second factor")).into());
    };
    let mut factor = factor.clone();
    let before = factor.recovery.len();
    factor.recovery.retain(|known| known != code);
    if factor.recovery.len() == before {
        return Err(Refusal::BadValue("there is no such recovery code".into()).into());
    }
    draft.put(Key::second(name), Record::Second(factor));
    draft.tell(Effect::AccountEdited { kind: Kind::Master, name: name.clone() });
    Ok(())
}

pub fn delete(draft: &mut Draft<'_>, name: &Name) -> Result<(), ChangeError> {
    let master = existing(draft, name)?;
    if master.role == Role::Admin && !another_admin(draft, name)? {
        return Err(Refusal::LastAdmin(name.clone()).into());
    }
    refuse_owner(draft, name)?;
    draft.remove(Key::name(name));
    draft.remove(Key::master(name));
    if draft.get(&Key::second(name))?.is_some() {
        draft.remove(Key::second(name));
    }
    token::remove_all(draft, name)?;
    draft.tell(Effect::AccountRemoved { kind: Kind::Master, name: name.clone() });
    Ok(())
}

/// The record of a master that has to exist.
pub fn existing(draft: &Draft<'_>, name: &Name) -> Result<Master, ChangeError> {
    draft.master(name)?.ok_or_else(|| no_such(Kind::Master, name))
}

fn another_admin(draft: &Draft<'_>, name: &Name) -> Result<bool, ChangeError> {
    for other in draft.keys(&Prefix::all(Family::Masters))?.iter().filter_map(Key::to_name) {
        if other != *name && draft.master(&other)?.is_some_and(|master| master.role == Role::Admin) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn refuse_owner(draft: &Draft<'_>, name: &Name) -> Result<(), ChangeError> {
    for domain in draft.keys(&Prefix::all(Family::Domains))?.iter().filter_map(Key::to_domain) {
        if draft.domain(&domain)?.is_some_and(|record| record.owner.as_ref() == Some(name)) {
            return Err(Refusal::MasterInUse { name: name.clone(), domain }.into());
        }
    }
    Ok(())
}
