//! What happens with a POP account's mail beside its delivery: copies, and what senders are told.
//!
//! Copies go to POP accounts and to addresses elsewhere, so no chain of aliases begins with one: two accounts that copy to each
//! other are no circle, since a mailbox is delivered to once.

use super::graph::settled;
use super::name::hidden_key;
use super::pop::existing;
use super::transaction::Draft;
use crate::directory::change::{ChangeError, Effect, Refusal};
use crate::directory::model::{AccountId, AliasKey, Handling, Kind, Pop, Target, Vacation};
use crate::directory::schema::{Key, Record, Referrer};
use crate::mail::Name;

/// Targets of copies: whoever needs more wants a list.
const COPIES: usize = 20;

/// Says who gets copies of an account's mail.
pub fn set_copies(draft: &mut Draft<'_>, name: &Name, copies: &[Target]) -> Result<(), ChangeError> {
    let pop = existing(draft, name)?;
    let mut handling = draft.handling(pop.id)?;
    let mut wanted: Vec<Target> = Vec::new();
    for copy in copies {
        let copy = copying(draft, name, copy)?;
        if super::draft::position(&wanted, &copy).is_none() {
            wanted.push(copy);
        }
    }
    if wanted.len() > COPIES {
        return Err(Refusal::BadValue(format!("copies go to at most {COPIES} targets; make one a list")).into());
    }
    draft.tell(Effect::AccountEdited { kind: Kind::Pop, name: name.clone() });
    for old in handling.copies.iter().filter(|old| !wanted.contains(old)) {
        draft.remove(Key::entry(old, &Referrer::Copy(name.clone())));
        draft.tell(Effect::CopyRemoved { name: name.clone(), target: old.clone() });
    }
    for new in wanted.iter().filter(|new| !handling.copies.contains(new)) {
        draft.put(Key::entry(new, &Referrer::Copy(name.clone())), Record::Entry);
        draft.tell(Effect::CopyAdded { name: name.clone(), target: new.clone() });
    }
    handling.copies = wanted;
    put(draft, pop.id, handling);
    Ok(())
}

/// Says what senders are told, or nothing.
pub fn set_vacation(draft: &mut Draft<'_>, name: &Name, vacation: Option<&Vacation>) -> Result<(), ChangeError> {
    let pop = existing(draft, name)?;
    if let Some(Vacation { text, from, until }) = vacation {
        let bad = |why: String| Err(ChangeError::from(Refusal::BadValue(why)));
        if text.trim().is_empty() || text.len() > Vacation::OCTETS || text.contains('\0') {
            return bad(format!("the text of a vacation reply has 1 to {} octets", Vacation::OCTETS));
        }
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            return bad("the vacation would end before it begins".into());
        }
    }
    let handling = Handling { vacation: vacation.cloned(), ..draft.handling(pop.id)? };
    draft.tell(Effect::AccountEdited { kind: Kind::Pop, name: name.clone() });
    put(draft, pop.id, handling);
    Ok(())
}

/// A target of a copy that was removed.
pub fn without(draft: &mut Draft<'_>, name: &Name, target: &Target) -> Result<(), ChangeError> {
    change(draft, name, target, None)
}

/// A target of a copy is called otherwise from now on.
pub fn redirect(draft: &mut Draft<'_>, name: &Name, from: &Target, to: Target) -> Result<(), ChangeError> {
    change(draft, name, from, Some(to))
}

fn change(draft: &mut Draft<'_>, name: &Name, from: &Target, to: Option<Target>) -> Result<(), ChangeError> {
    let Some(Pop { id, .. }) = draft.pop(name)? else { return Ok(()) };
    let mut handling = draft.handling(id)?;
    let Some(at) = super::draft::position(&handling.copies, from) else { return Ok(()) };
    let old = handling.copies.remove(at);
    draft.remove(Key::entry(&old, &Referrer::Copy(name.clone())));
    draft.tell(Effect::CopyRemoved { name: name.clone(), target: old });
    if let Some(to) = to {
        draft.put(Key::entry(&to, &Referrer::Copy(name.clone())), Record::Entry);
        draft.tell(Effect::CopyAdded { name: name.clone(), target: to.clone() });
        handling.copies.insert(at.min(handling.copies.len()), to);
    }
    put(draft, id, handling);
    Ok(())
}

/// The account is called otherwise from now on.
pub fn rename(draft: &mut Draft<'_>, id: AccountId, name: &Name, new: &Name) -> Result<(), ChangeError> {
    for copy in draft.handling(id)?.copies {
        draft.remove(Key::entry(&copy, &Referrer::Copy(name.clone())));
        draft.put(Key::entry(&copy, &Referrer::Copy(new.clone())), Record::Entry);
    }
    Ok(())
}

/// The account goes to the trash; what happened with its mail is kept for its return.
pub fn trash(draft: &mut Draft<'_>, id: AccountId, name: &Name) -> Result<(), ChangeError> {
    for copy in draft.handling(id)?.copies {
        draft.remove(Key::entry(&copy, &Referrer::Copy(name.clone())));
    }
    Ok(())
}

/// The account is back: copies go where they still can.
pub fn restore(draft: &mut Draft<'_>, id: AccountId, name: &Name) -> Result<(), ChangeError> {
    let handling = draft.handling(id)?;
    if handling.is_empty() {
        return Ok(());
    }
    let mut copies = Vec::new();
    for copy in handling.copies {
        match copying(draft, name, &copy) {
            Ok(copy) => copies.push(copy),
            Err(ChangeError::Refused(_)) => draft.tell(Effect::CopyRemoved { name: name.clone(), target: copy }),
            Err(failure) => return Err(failure),
        }
    }
    for copy in &copies {
        draft.put(Key::entry(copy, &Referrer::Copy(name.clone())), Record::Entry);
    }
    put(draft, id, Handling { copies, ..handling });
    Ok(())
}

fn put(draft: &mut Draft<'_>, id: AccountId, handling: Handling) {
    if handling.is_empty() {
        draft.remove(Key::handling(id));
    } else {
        draft.put(Key::handling(id), Record::Handling(handling));
    }
}

/// A target that copies may go to.
fn copying(draft: &Draft<'_>, name: &Name, target: &Target) -> Result<Target, ChangeError> {
    let refused = || Refusal::BadValue(format!("copies cannot go to `{target}`: give another POP account's name, or an address elsewhere"));
    match settled(draft, target)? {
        Target::Account(other) if other != *name && draft.holder(&other)? == Some(Kind::Pop) => Ok(Target::Account(other)),
        Target::Address(mailbox) if !mailbox.domain().map_or(Ok(true), |domain| draft.is_local(domain))? => Ok(Target::Address(mailbox)),
        _ => Err(refused().into()),
    }
}

/// The address whose mail is copied.
pub fn address(draft: &Draft<'_>, name: &Name) -> Result<AliasKey, ChangeError> {
    Ok(hidden_key(name, &existing(draft, name)?.domain))
}
