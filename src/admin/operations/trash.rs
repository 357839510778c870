//! Deleted POP accounts, kept for a while with their mail (D7).

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Page, Paging};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::{AccountId, AliasKey, Change, Target};
use crate::mail::{Domain, Name};

/// A deleted account as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeletedPop")]
pub struct Shown {
    /// Its identity: tells apart accounts that had the same name.
    pub id: AccountId,
    /// The name it had.
    pub name: Name,
    /// Its home domain.
    pub domain: Domain,
    /// Its owner.
    pub owner: String,
    /// When it was deleted.
    pub deleted: Timestamp,
    /// The alias entries that a restore brings back where they are still free.
    pub entries: Vec<Entry>,
}

/// An alias entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AliasEntry")]
pub struct Entry {
    /// The alias.
    pub address: AliasKey,
    /// Where it led.
    pub target: Target,
}

/// The accounts in the trash whose domain the caller may see.
pub fn list(context: &Context, caller: &Caller) -> Result<Vec<Shown>, Problem> {
    let snapshot = context.directory.snapshot();
    let mut shown = Vec::new();
    for trashed in snapshot.trash()? {
        if caller.sees(&snapshot, &trashed.pop.domain)? {
            let entries = trashed.entries.into_iter().map(|(address, target)| Entry { address, target }).collect();
            let pop = trashed.pop;
            shown.push(Shown { id: pop.id, name: pop.name, domain: pop.domain, owner: pop.owner, deleted: trashed.deleted, entries });
        }
    }
    Ok(shown)
}

/// A page of them, the last deleted first.
pub fn page(context: &Context, caller: &Caller, paging: &Paging) -> Result<Page<Shown>, Problem> {
    let limit = paging.checked_limit()?;
    let mut all = list(context, caller)?;
    let place = |shown: &Shown| (shown.deleted.as_microsecond(), shown.id);
    all.sort_by_key(|shown| std::cmp::Reverse(place(shown)));
    let bad = || Problem::new(Kind::BadValue, "after: give the `next` of the page before".into());
    if let Some(after) = &paging.after {
        let (at, id) = after.split_once(' ').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?))).ok_or_else(bad)?;
        all.retain(|shown| place(shown) < (at, AccountId(id)));
    }
    let next = all.get(limit).and_then(|_| all.get(limit - 1)).map(place).map(|(at, AccountId(id))| format!("{at} {id}"));
    all.truncate(limit);
    Ok(Page { items: all, next })
}

/// Forgets for good, mail included, what was deleted more than `days` days before `now`; returns how many accounts.
pub fn purge(context: &Context, days: u32, now: Timestamp) -> Result<usize, Problem> {
    let caller = Caller::server();
    let kept = SignedDuration::from_hours(24 * i64::from(days));
    let all = context.directory.snapshot().trash()?;
    let overdue = all.into_iter().filter(|trashed| now.duration_since(trashed.deleted) > kept);
    overdue.map(|trashed| context.change(&caller, &Change::PurgePop { id: trashed.pop.id }).map(|_| 1)).sum()
}
