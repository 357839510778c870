//! Who changed what, when.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PAGE, Page, Paging};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::audit::Entry;
use crate::directory::{Actor, Effect, Revision};

/// Entries that one request looks at: an answer comes soon even where few of them fit.
const EXAMINED: usize = 5000;

/// A change as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct Shown {
    /// The revision that it made.
    pub revision: Revision,
    /// When.
    pub at: Timestamp,
    /// On whose behalf: a master, a user of this machine, or the server itself.
    pub actor: String,
    /// What it did.
    pub effects: Vec<Effect>,
}

/// Which changes are wanted.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Filter {
    /// Only those that concern this account, address or domain.
    pub about: Option<String>,
    /// Only those of this actor.
    pub actor: Option<String>,
}

/// The changes, newest first. Admins see all of them, owners their own.
pub fn list(context: &Context, caller: &Caller, paging: &Paging, filter: &Filter) -> Result<Page<Shown>, Problem> {
    let limit = paging.checked_limit()?;
    let bad = |_| Problem::new(Kind::BadValue, "after: give the `next` of the page before".into());
    let mut before = paging.after.as_deref().map(str::parse).transpose().map_err(bad)?.map(Revision);
    let (snapshot, mut items, mut examined) = (context.directory.snapshot(), Vec::new(), 0);
    loop {
        let entries = snapshot.audit_before(before, limit.min(PAGE))?;
        examined += entries.len();
        for entry in entries.iter().filter(|entry| may_see(caller, entry)) {
            let shown = shown(entry);
            if fits(&shown, filter) {
                items.push(shown);
            }
            if items.len() == limit {
                return Ok(Page { items, next: Some(entry.revision.0.to_string()) });
            }
        }
        let Some(last) = entries.last().filter(|last| last.revision.0 > 1) else { return Ok(Page { items, next: None }) };
        before = Some(last.revision);
        if examined >= EXAMINED {
            return Ok(Page { items, next: Some(last.revision.0.to_string()) });
        }
    }
}

fn may_see(caller: &Caller, entry: &Entry) -> bool {
    caller.needs_admin().is_ok() || entry.actor == *caller.actor()
}

fn fits(shown: &Shown, filter: &Filter) -> bool {
    let concerned = |about: &str| shown.effects.iter().any(|effect| concerns(effect, about));
    filter.actor.as_deref().is_none_or(|actor| actor == shown.actor) && filter.about.as_deref().is_none_or(concerned)
}

/// Whether an effect names what is asked for.
fn concerns(effect: &Effect, about: &str) -> bool {
    let named = |name: &dyn std::fmt::Display| name.to_string().eq_ignore_ascii_case(about);
    match effect {
        Effect::DomainAdded { domain } | Effect::DomainEdited { domain } | Effect::DomainRemoved { domain } => named(domain),
        Effect::AccountAdded { name, .. } | Effect::AccountEdited { name, .. } | Effect::AccountRemoved { name, .. } => named(name),
        Effect::PopRenamed { from, to, .. } => named(from) || named(to),
        Effect::PopAdded { name, .. }
        | Effect::PopTrashed { name, .. }
        | Effect::PopRestored { name, .. }
        | Effect::PopPurged { name, .. } => named(name),
        Effect::EntryAdded { address, target } | Effect::EntryRemoved { address, target } => named(address) || named(target),
        Effect::AliasRemoved { address } | Effect::AliasEdited { address } | Effect::EntryNotRestored { address, .. } => named(address),
        Effect::SeatRemoved { list, member }
        | Effect::SeatAdded { list, member }
        | Effect::SeatSuspended { list, member }
        | Effect::SeatResumed { list, member } => named(list) || named(member),
        Effect::SeatsAdded { list, .. } => named(list),
        Effect::CopyAdded { name, target } | Effect::CopyRemoved { name, target } => named(name) || named(target),
        Effect::TokenAdded { master, .. } | Effect::TokenRemoved { master, .. } => named(master),
    }
}

fn shown(entry: &Entry) -> Shown {
    let actor = match &entry.actor {
        Actor::Uid(uid) => format!("uid {uid}"),
        Actor::Master(name) => name.to_string(),
        Actor::Server => "server".to_owned(),
    };
    Shown { revision: entry.revision, at: entry.at, actor, effects: entry.effects.clone() }
}
