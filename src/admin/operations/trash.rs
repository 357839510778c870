//! Deleted POP accounts, kept for a while with their mail (D7).

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Page, Paging, page};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::Problem;
use crate::directory::{AccountId, AliasKey, Change, Target, Trashed};
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

impl From<Trashed> for Shown {
    fn from(Trashed { pop, deleted, entries, .. }: Trashed) -> Self {
        let entries = entries.into_iter().map(|(address, target)| Entry { address, target }).collect();
        Self { id: pop.id, name: pop.name, domain: pop.domain, owner: pop.owner, deleted, entries }
    }
}

/// The accounts in the trash whose domain the caller may see, by the name they had.
pub fn list(context: &Context, caller: &Caller, paging: &Paging) -> Result<Page<Shown>, Problem> {
    let snapshot = context.directory.snapshot();
    let shown = |trashed: Trashed| Ok(caller.sees(&snapshot, &trashed.pop.domain)?.then(|| trashed.into()));
    page(paging, |after, limit| snapshot.trash_page(after, limit), shown)
}

/// Forgets for good, mail included, what was deleted more than `days` days before `now`; returns how many accounts.
pub fn purge(context: &Context, days: u32, now: Timestamp) -> Result<usize, Problem> {
    let caller = Caller::server();
    let kept = SignedDuration::from_hours(24 * i64::from(days));
    let all = context.directory.snapshot().trash()?;
    let overdue = all.into_iter().filter(|trashed| now.duration_since(trashed.deleted) > kept);
    overdue.map(|trashed| context.change(&caller, &Change::PurgePop { id: trashed.pop.id }).map(|_| 1)).sum()
}
