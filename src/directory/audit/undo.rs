//! The change that takes another back.
//!
//! It goes through the rules like any other, so no invariant can be lost by it. What cannot be told from the entry (a password), or
//! would not bring back what was (aliases that went along in a cascade), cannot be undone.

use super::{Altered, Entry, KEPT};
use crate::directory::change::{Change, Effect};
use crate::directory::model::{Alias, Switch};
use crate::directory::schema::Record;

/// What takes the change of an entry back, if there is such a change.
pub fn inverse(entry: &Entry) -> Option<Change> {
    // Without all of the records nobody can tell whether something has come in between.
    if entry.altered.is_empty() || entry.altered.len() >= KEPT {
        return None;
    }
    match &entry.change {
        Change::AddDomain { domain, .. } => Some(Change::DeleteDomain { domain: domain.clone(), cascade: false }),
        Change::EditDomain { .. } | Change::DeleteDomain { .. } => domain(entry),
        Change::AddPop { name, .. } | Change::AddPopAndAlias { name, .. } | Change::RestorePop { name, .. } => {
            Some(Change::DeletePop { name: name.clone() })
        }
        Change::EditPop { .. } | Change::SetPopState { .. } => pop(entry),
        Change::RenamePop { name, new, keep_alias: false } => {
            Some(Change::RenamePop { name: new.clone(), new: name.clone(), keep_alias: false })
        }
        Change::DeletePop { .. } => entry.effects.iter().find_map(|effect| match effect {
            Effect::PopTrashed { id, name } => Some(Change::RestorePop { name: name.clone(), id: Some(*id) }),
            _ => None,
        }),
        Change::AddList { name, .. } => Some(Change::DeleteList { name: name.clone() }),
        Change::EditList { .. } => list(entry),
        Change::AddAlias { .. } | Change::RemoveAlias { .. } | Change::SwitchAlias { .. } | Change::EditAlias { .. } => alias(entry),
        _ => None,
    }
}

/// The one record that was altered; none where there were several, which no single change brings back.
fn only(entry: &Entry) -> Option<&Altered> {
    match entry.altered.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

fn domain(entry: &Entry) -> Option<Change> {
    let altered = only(entry)?;
    let Some(Record::Domain(before)) = &altered.before else { return None };
    let (domain, owner) = (before.domain.clone(), before.owner.clone());
    Some(if altered.after.is_some() { Change::EditDomain { domain, owner } } else { Change::AddDomain { domain, owner } })
}

fn pop(entry: &Entry) -> Option<Change> {
    let mut pops = entry.altered.iter().filter_map(|altered| match &altered.before {
        Some(Record::Pop(pop)) => Some(pop),
        _ => None,
    });
    let before = pops.next_back()?;
    let name = before.name.clone();
    Some(match &entry.change {
        Change::SetPopState { .. } => Change::SetPopState { name, state: before.state },
        _ => Change::EditPop { name, domain: Some(before.domain.clone()), owner: Some(before.owner.clone()), quota: Some(before.quota) },
    })
}

fn list(entry: &Entry) -> Option<Change> {
    let Change::EditList { name, owner, posting, .. } = &entry.change else { return None };
    let before = entry.altered.iter().find_map(|altered| match &altered.before {
        Some(Record::List(list)) if list.name == *name => Some(list),
        _ => None,
    });
    let (mut join, mut leave) = (Vec::new(), Vec::new());
    for effect in &entry.effects {
        match effect {
            Effect::SeatAdded { member, .. } => leave.push(member.clone()),
            Effect::SeatRemoved { member, .. } => join.push(member.clone()),
            _ => {}
        }
    }
    let unknown = before.is_none() && (owner.is_some() || posting.is_some());
    (!unknown).then(|| Change::EditList {
        name: name.clone(),
        owner: owner.as_ref().and(before).map(|before| before.owner.clone()),
        posting: posting.and(before).map(|before| before.posting),
        join,
        leave,
    })
}

fn alias(entry: &Entry) -> Option<Change> {
    let altered = only(entry)?;
    match (&altered.before, &altered.after) {
        (None, Some(Record::Alias(after))) => Some(Change::RemoveAlias { key: after.key.clone(), targets: Vec::new() }),
        (Some(Record::Alias(before)), Some(_)) => Some(as_it_was(before)),
        // Made anew, it would be switched on.
        (Some(Record::Alias(before)), None) if before.switch == Switch::Enabled => {
            let Alias { key, targets, note, expires, .. } = before.clone();
            Some(Change::AddAlias { key, targets, note: Some(note).filter(|note| !note.is_empty()), expires })
        }
        _ => None,
    }
}

fn as_it_was(before: &Alias) -> Change {
    let Alias { key, targets, note, expires, switch, .. } = before.clone();
    Change::EditAlias { key, targets: Some(targets), note: Some(note), expires: Some(expires), switch: Some(switch) }
}
