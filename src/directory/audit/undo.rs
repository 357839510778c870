//! The change that takes another back, or why there is none.
//!
//! It goes through the rules like any other, so no invariant can be lost by it. What cannot be told from the entry (a password), or
//! would not bring back what was (aliases that went along in a cascade), cannot be undone, and says so.

use super::{Altered, Entry, KEPT};
use crate::directory::change::{Change, Effect};
use crate::directory::model::{Alias, Handling, Switch};
use crate::directory::schema::Record;

/// Why a change stays, for people.
type Why = &'static str;

const PASSWORD: Why = "passwords are not kept, so the old one cannot come back";
const LOGIN: Why = "what somebody logs in with is not kept, so it cannot come back";
const TOO_MANY: Why = "it altered more records than an entry keeps";
const NOT_KEPT: Why = "it was made by a version that kept no records, or altered none";

/// What takes the change of an entry back.
pub fn inverse(entry: &Entry) -> Result<Change, Why> {
    if let Some(why) = stays(&entry.change) {
        return Err(why);
    }
    // Without all of the records nobody can tell whether something has come in between.
    match entry.altered.len() {
        0 => return Err(NOT_KEPT),
        KEPT.. => return Err(TOO_MANY),
        _ => {}
    }
    match &entry.change {
        Change::AddDomain { domain, .. } => Ok(Change::DeleteDomain { domain: domain.clone(), cascade: false }),
        Change::AddMaster { name, .. } => Ok(Change::DeleteMaster { name: name.clone() }),
        Change::AddPop { name, .. } | Change::AddPopAndAlias { name, .. } | Change::RestorePop { name, .. } => {
            Ok(Change::DeletePop { name: name.clone() })
        }
        Change::RenamePop { name, new, .. } => Ok(Change::RenamePop { name: new.clone(), new: name.clone(), keep_alias: false }),
        Change::AddList { name, .. } | Change::AddStyledList { name, .. } => Ok(Change::DeleteList { name: name.clone() }),
        Change::EditDomain { .. } | Change::DeleteDomain { .. } => domain(entry),
        Change::EditPop { .. } | Change::SetPopState { .. } | Change::AmendPop { .. } => pop(entry),
        Change::DeletePop { .. } => deleted(entry),
        Change::EditList { .. } | Change::StyleList { .. } | Change::AmendList { .. } => list(entry),
        Change::SeatMember { .. } => seat(entry),
        Change::SetCopies { .. } | Change::SetVacation { .. } => handling(entry),
        Change::AddAlias { .. } | Change::RemoveAlias { .. } | Change::SwitchAlias { .. } | Change::EditAlias { .. } => alias(entry),
        _ => Err(NOT_KEPT),
    }
}

/// Why no change of that kind is taken back, whatever it altered.
fn stays(change: &Change) -> Option<Why> {
    Some(match change {
        Change::SetPopPassword { .. } | Change::SetMasterPassword { .. } | Change::AmendPop { password: Some(_), .. } => PASSWORD,
        Change::DeleteMaster { .. } | Change::RemoveToken { .. } => LOGIN,
        Change::SetSecondFactor { .. } | Change::UseRecoveryCode { .. } => LOGIN,
        Change::AddToken { .. } => "a token is removed where it is listed, under its master's account",
        Change::RenamePop { keep_alias: true, .. } | Change::AmendPop { keep_alias: true, .. } => {
            "the old address is an alias of its own since then: remove that first, then edit the account"
        }
        Change::PurgePop { .. } => "the account and its mail are gone for good",
        Change::DeleteList { .. } => "a deleted list does not come back: add it anew",
        Change::JoinList { .. } => "members that came in a file leave one by one",
        Change::Import(_) => "an import is many changes, of which none says what was there before",
        _ => return None,
    })
}

/// The one record that was altered; none where there were several, which no single change brings back.
fn only(entry: &Entry) -> Result<&Altered, Why> {
    match entry.altered.as_slice() {
        [one] => Ok(one),
        _ => Err("other records went along, which no single change brings back"),
    }
}

fn deleted(entry: &Entry) -> Result<Change, Why> {
    let trashed = entry.effects.iter().find_map(|effect| match effect {
        Effect::PopTrashed { id, name } => Some(Change::RestorePop { name: name.clone(), id: Some(*id) }),
        _ => None,
    });
    trashed.ok_or(NOT_KEPT)
}

fn domain(entry: &Entry) -> Result<Change, Why> {
    let altered = only(entry)?;
    let Some(Record::Domain(before)) = &altered.before else { return Err(NOT_KEPT) };
    let (domain, owner) = (before.domain.clone(), before.owner.clone());
    Ok(if altered.after.is_some() { Change::EditDomain { domain, owner } } else { Change::AddDomain { domain, owner } })
}

fn pop(entry: &Entry) -> Result<Change, Why> {
    let mut pops = entry.altered.iter().filter_map(|altered| match &altered.before {
        Some(Record::Pop(pop)) => Some(pop.clone()),
        _ => None,
    });
    let before = pops.next_back().ok_or(NOT_KEPT)?;
    let now = match &entry.change {
        Change::AmendPop { new: Some(new), .. } => new.clone(),
        _ => before.name.clone(),
    };
    Ok(Change::AmendPop {
        new: Some(before.name).filter(|old| *old != now),
        name: now,
        keep_alias: false,
        domain: Some(before.domain),
        owner: Some(before.owner),
        quota: Some(before.quota),
        state: Some(before.state),
        password: None,
    })
}

fn list(entry: &Entry) -> Result<Change, Why> {
    let before = entry.altered.iter().find_map(|altered| match &altered.before {
        Some(Record::List(list)) => Some(list),
        _ => None,
    });
    let (name, owner, posting, style) = match &entry.change {
        Change::EditList { name, owner, posting, .. } => (name, owner, posting, &None),
        Change::AmendList { name, owner, posting, style, .. } => (name, owner, posting, style),
        Change::StyleList { name, .. } => {
            let style = before.map(|before| before.style.clone()).ok_or(NOT_KEPT)?;
            return Ok(Change::StyleList { name: name.clone(), style });
        }
        _ => return Err(NOT_KEPT),
    };
    let (mut join, mut leave) = (Vec::new(), Vec::new());
    for effect in &entry.effects {
        match effect {
            Effect::SeatAdded { member, .. } => leave.push(member.clone()),
            Effect::SeatRemoved { member, .. } => join.push(member.clone()),
            _ => {}
        }
    }
    if before.is_none() && (owner.is_some() || posting.is_some() || style.is_some()) {
        return Err(NOT_KEPT);
    }
    Ok(Change::AmendList {
        name: name.clone(),
        owner: owner.as_ref().and(before).map(|before| before.owner.clone()),
        posting: posting.and(before).map(|before| before.posting),
        style: style.as_ref().and(before).map(|before| before.style.clone()),
        join,
        leave,
    })
}

/// What came back from a member that is resumed is forgotten, so resuming is suspending anew, and the other way round.
fn seat(entry: &Entry) -> Result<Change, Why> {
    let Some(Record::Member(before)) = &only(entry)?.before else { return Err(NOT_KEPT) };
    let (list, member) = (before.list.clone(), before.target.clone());
    Ok(Change::SeatMember { list, member, seat: before.seat.clone() })
}

fn handling(entry: &Entry) -> Result<Change, Why> {
    // Where nothing was set, there was no record.
    let before = match &only(entry)?.before {
        Some(Record::Handling(before)) => before.clone(),
        None => Handling::default(),
        Some(_) => return Err(NOT_KEPT),
    };
    match &entry.change {
        Change::SetCopies { name, .. } => Ok(Change::SetCopies { name: name.clone(), copies: before.copies }),
        Change::SetVacation { name, .. } => Ok(Change::SetVacation { name: name.clone(), vacation: before.vacation }),
        _ => Err(NOT_KEPT),
    }
}

fn alias(entry: &Entry) -> Result<Change, Why> {
    let altered = only(entry)?;
    match (&altered.before, &altered.after) {
        (None, Some(Record::Alias(after))) => Ok(Change::RemoveAlias { key: after.key.clone(), targets: Vec::new() }),
        (Some(Record::Alias(before)), Some(_)) => Ok(as_it_was(before)),
        (Some(Record::Alias(before)), None) if before.switch == Switch::Enabled => {
            let Alias { key, targets, note, expires, .. } = before.clone();
            Ok(Change::AddAlias { key, targets, note: Some(note).filter(|note| !note.is_empty()), expires })
        }
        (Some(Record::Alias(_)), None) => Err("the alias was switched off, and made anew it would be in use"),
        _ => Err(NOT_KEPT),
    }
}

fn as_it_was(before: &Alias) -> Change {
    let Alias { key, targets, note, expires, switch, .. } = before.clone();
    Change::EditAlias { key, targets: Some(targets), note: Some(note), expires: Some(expires), switch: Some(switch) }
}
