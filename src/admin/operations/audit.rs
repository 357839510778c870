//! Who changed what, when.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Match, PAGE, Page, Paging};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::audit::{self, Altered, Entry};
use crate::directory::schema::Record;
use crate::directory::{Actor, Effect, Revision, Snapshot, Subject};
use crate::mail::Domain;

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
    /// The address of the client that asked for it; none on this machine.
    #[serde(default)]
    pub from: Option<IpAddr>,
    /// What it did.
    pub effects: Vec<Effect>,
    /// The fields that it changed, with their values before and after.
    #[serde(default)]
    pub differences: Vec<Difference>,
    /// Whether it can be taken back: nothing has come in between.
    #[serde(default)]
    pub can_be_undone: bool,
    /// Why it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays_because: Option<String>,
}

/// A field that got another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditDifference")]
pub struct Difference {
    /// Of which record.
    pub record: String,
    /// Which field.
    pub field: String,
    /// Its value before; none where the record was not there.
    pub before: Option<String>,
    /// Its value after; none where the record is gone.
    pub after: Option<String>,
}

/// Which changes are wanted.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Filter {
    /// Only those that concern this account, address or domain.
    pub about: Option<String>,
    /// Only those of this actor.
    pub actor: Option<String>,
}

/// The changes, newest first. Admins see all of them; owners their own, and those that concern nothing but their domains.
pub fn list(context: &Context, caller: &Caller, paging: &Paging, filter: &Filter) -> Result<Page<Shown>, Problem> {
    let limit = paging.checked_limit()?;
    let bad = |_| Problem::new(Kind::BadValue, "after: give the `next` of the page before".into());
    let mut before = paging.after.as_deref().map(str::parse).transpose().map_err(bad)?.map(Revision);
    let (snapshot, mut items, mut examined) = (context.directory.snapshot(), Vec::new(), 0);
    loop {
        let entries = snapshot.audit_before(before, limit.min(PAGE))?;
        examined += entries.len();
        for entry in &entries {
            if may_see(caller, &snapshot, entry)? && fits(entry, filter) {
                items.push(shown(caller, &snapshot, entry)?);
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

/// Takes a change back, if nothing that it altered has changed since. What takes it back is a change like any other: whoever
/// asks must be allowed to make it, and it can be taken back itself.
pub fn undo(context: &Context, caller: &Caller, revision: Revision) -> Result<Shown, Problem> {
    let (change, subject) = {
        let snapshot = context.directory.snapshot();
        let missing = || Problem::new(Kind::NoSuchChange, format!("there is no change {} that you could see", revision.0));
        let entry = snapshot.audit_of(revision)?.ok_or_else(missing)?;
        if !may_see(caller, &snapshot, &entry)? {
            return Err(missing());
        }
        let cannot = |why| Problem::new(Kind::CannotUndo, format!("this change cannot be taken back: {why}"));
        let change = audit::inverse(&entry).map_err(cannot)?;
        may_undo(caller, &snapshot, &entry)?;
        if !is_last(&snapshot, &entry)? {
            return Err(Problem::new(Kind::Changed, "what it changed has been changed again since; nothing was done".into()));
        }
        (change, entry.altered.iter().find(|altered| altered.after.is_some()).and_then(Altered::subject))
    };
    // Checked once more in the batch, where nobody can come in between.
    let applied = match &subject {
        Some(subject) => context.change_if(caller, &change, subject, Match::Revision(revision))?,
        None => context.change(caller, &change)?,
    };
    let snapshot = context.directory.snapshot();
    let entry = snapshot.audit_of(applied.revision)?.ok_or_else(|| Problem::new(Kind::Internal, "the change left no entry".into()))?;
    shown(caller, &snapshot, &entry)
}

/// Whether all records that a change altered are as it left them.
fn is_last(snapshot: &Snapshot<'_>, entry: &Entry) -> Result<bool, Problem> {
    for altered in &entry.altered {
        let now = snapshot.revision_at(&altered.key)?;
        if now != if altered.after.is_some() { entry.revision } else { Revision(0) } {
            return Ok(false);
        }
    }
    Ok(true)
}

fn may_undo(caller: &Caller, snapshot: &Snapshot<'_>, entry: &Entry) -> Result<(), Problem> {
    // Domains themselves, and masters, are for admins.
    let is_high = |altered: &Altered| matches!(altered.subject(), Some(Subject::Domain(_) | Subject::Master(_)));
    if caller.needs_admin().is_ok() {
        return Ok(());
    }
    if entry.altered.iter().any(is_high) || !lives_in_reach(caller, snapshot, entry)? {
        caller.needs_admin()?;
    }
    Ok(())
}

fn may_see(caller: &Caller, snapshot: &Snapshot<'_>, entry: &Entry) -> Result<bool, Problem> {
    Ok(caller.needs_admin().is_ok() || entry.actor == *caller.actor() || lives_in_reach(caller, snapshot, entry)?)
}

/// Whether an entry names domains, and none but the caller's. One that reaches further would tell of others.
fn lives_in_reach(caller: &Caller, snapshot: &Snapshot<'_>, entry: &Entry) -> Result<bool, Problem> {
    let domains: BTreeSet<Domain> = entry.altered.iter().flat_map(domains_of).chain(entry.effects.iter().filter_map(domain_of)).collect();
    for domain in &domains {
        if !caller.sees(snapshot, domain)? {
            return Ok(false);
        }
    }
    Ok(!domains.is_empty() && !entry.altered.iter().any(|altered| matches!(altered.subject(), Some(Subject::Master(_)))))
}

fn domains_of(altered: &Altered) -> Vec<Domain> {
    let domain = |record: &Record| match record {
        Record::Domain(domain) => Some(domain.domain.clone()),
        Record::Pop(pop) => Some(pop.domain.clone()),
        Record::List(list) => Some(list.domain.clone()),
        Record::Alias(alias) => Some(alias.key.domain().clone()),
        _ => None,
    };
    [&altered.before, &altered.after].into_iter().flatten().filter_map(domain).collect()
}

fn domain_of(effect: &Effect) -> Option<Domain> {
    match effect {
        Effect::EntryAdded { address, .. } | Effect::EntryRemoved { address, .. } => Some(address.domain().clone()),
        Effect::AliasRemoved { address } | Effect::AliasEdited { address } | Effect::EntryNotRestored { address, .. } => {
            Some(address.domain().clone())
        }
        Effect::DomainAdded { domain } | Effect::DomainEdited { domain } | Effect::DomainRemoved { domain } => Some(domain.clone()),
        _ => None,
    }
}

fn fits(entry: &Entry, filter: &Filter) -> bool {
    let concerned = |about: &str| entry.effects.iter().any(|effect| concerns(effect, about));
    filter.actor.as_deref().is_none_or(|actor| actor == name_of(&entry.actor)) && filter.about.as_deref().is_none_or(concerned)
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

fn name_of(actor: &Actor) -> String {
    match actor {
        Actor::Uid(uid) => format!("uid {uid}"),
        Actor::Master(name) => name.to_string(),
        Actor::Server => "server".to_owned(),
    }
}

fn shown(caller: &Caller, snapshot: &Snapshot<'_>, entry: &Entry) -> Result<Shown, Problem> {
    let differences = entry.altered.iter().flat_map(Altered::differences).map(|difference| Difference {
        record: difference.record,
        field: difference.field.to_owned(),
        before: difference.before,
        after: difference.after,
    });
    let stays_because = match audit::inverse(entry) {
        Err(why) => Some(why),
        Ok(_) if may_undo(caller, snapshot, entry).is_err() => Some("that is for admins"),
        Ok(_) if !is_last(snapshot, entry)? => Some("what it changed has been changed again since"),
        Ok(_) => None,
    };
    Ok(Shown {
        revision: entry.revision,
        at: entry.at,
        actor: name_of(&entry.actor),
        from: entry.from,
        effects: entry.effects.clone(),
        differences: differences.collect(),
        can_be_undone: stays_because.is_none(),
        stays_because: stays_because.map(str::to_owned),
    })
}
