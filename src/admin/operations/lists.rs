//! List accounts.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aliases::known_targets;
use super::pops::Filter;
use super::scope::{by_domain, in_domain};
use super::{Match, Page, Paging, Removal, Run, page};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::Problem;
use crate::directory::{Change, Kind, List, Posting, Refusal, Revision, Snapshot, Style, Subject, Switch, Target, View};
use crate::mail::{Address, Domain, Name};

/// A list account as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "List")]
pub struct Shown {
    /// The name.
    pub name: Name,
    /// Its home domain.
    pub domain: Domain,
    /// Its hidden alias.
    pub address: Address,
    /// Who is responsible.
    pub owner: Target,
    /// Who may post.
    pub posting: Posting,
    /// What it is for, in a few words; shown in `List-Id`.
    #[serde(default)]
    pub description: String,
    /// Whether subjects begin with `[name]`.
    #[serde(default)]
    pub tag: bool,
    /// Where posts go: the first [`MEMBERS`]; the others are read page by page.
    pub members: Vec<Target>,
    /// How many there are.
    #[serde(default)]
    pub member_count: u64,
    /// When it was made.
    pub created: Timestamp,
}

/// Members that are shown with their list.
pub const MEMBERS: usize = 1000;

/// A new list account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewList")]
pub struct New {
    /// The name.
    pub name: Name,
    /// Its home domain.
    pub domain: Domain,
    /// Who is responsible.
    pub owner: Target,
    /// Who may post.
    pub posting: Posting,
    /// Where posts go.
    #[serde(default)]
    pub members: Vec<Target>,
    /// What it is for, in a few words; shown in `List-Id`.
    #[serde(default)]
    pub description: String,
    /// Whether subjects begin with `[name]`.
    #[serde(default)]
    pub tag: bool,
}

/// A change of a list account: what is given is changed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListEdit")]
pub struct Edit {
    /// Who is responsible from now on.
    pub owner: Option<Target>,
    /// Who may post from now on.
    pub posting: Option<Posting>,
    /// What it is for from now on.
    pub description: Option<String>,
    /// Whether subjects begin with `[name]` from now on.
    pub tag: Option<bool>,
    /// Who joins.
    #[serde(default)]
    pub join: Vec<Target>,
    /// Who leaves.
    #[serde(default)]
    pub leave: Vec<Target>,
}

impl Edit {
    /// One member leaves, and nothing else changes.
    pub fn leaving(member: Target) -> Self {
        Self { owner: None, posting: None, description: None, tag: None, join: Vec::new(), leave: vec![member] }
    }
}

fn shown(snapshot: &Snapshot<'_>, list: List) -> Result<Shown, Problem> {
    let members = snapshot.members(&list.name, None, MEMBERS)?;
    Ok(Shown {
        address: Address::new(list.name.as_str(), list.domain.clone()),
        name: list.name,
        domain: list.domain,
        owner: list.owner,
        posting: list.posting,
        description: list.style.description,
        tag: list.style.tag == Switch::Enabled,
        members: members.records.into_iter().map(|member| member.target).collect(),
        member_count: list.members,
        created: list.created,
    })
}

/// The list accounts that the caller may see and the filter lets through.
pub fn list(context: &Context, caller: &Caller, paging: &Paging, filter: &Filter) -> Result<Page<Shown>, Problem> {
    let snapshot = context.directory.snapshot();
    let fetch = |after: Option<&str>, limit: usize| match (&filter.domain, caller.confined_to()) {
        (Some(domain), _) => in_domain(&snapshot, caller, domain, |domain| snapshot.lists_in(domain, after, limit)),
        (None, Some(_)) => by_domain(&snapshot, caller, after, limit, |domain, after, limit| snapshot.lists_in(domain, after, limit)),
        (None, None) => snapshot.lists(after, limit),
    };
    let sought = filter.search.as_deref().map(str::to_lowercase).unwrap_or_default();
    page(paging, fetch, |list| {
        let address = Address::new(list.name.as_str(), list.domain.clone()).to_string();
        if address.contains(&sought) { shown(&snapshot, list).map(Some) } else { Ok(None) }
    })
}

/// One list account.
pub fn show(context: &Context, caller: &Caller, name: &Name) -> Result<Shown, Problem> {
    show_with_revision(context, caller, name).map(|(_, shown)| shown)
}

/// One list account, and the revision that an edit may be made conditional on.
pub fn show_with_revision(context: &Context, caller: &Caller, name: &Name) -> Result<(Revision, Shown), Problem> {
    let snapshot = context.directory.snapshot();
    let list = visible(&snapshot, caller, name)?;
    Ok((snapshot.revision_of(&Subject::List(name.clone()))?, shown(&snapshot, list)?))
}

/// Adds a list account with its hidden alias.
pub fn add(context: &Context, caller: &Caller, new: New) -> Result<Shown, Problem> {
    let snapshot = context.directory.snapshot();
    caller.needs(&snapshot, &new.domain)?;
    known_targets(&snapshot, caller, new.members.iter().chain([&new.owner]))?;
    let New { name, domain, owner, posting, members, description, tag } = new;
    let style = Style { description, tag: switch(tag) };
    context.change(caller, &Change::AddStyledList { name: name.clone(), domain, owner, posting, members, style })?;
    show(context, caller, &name)
}

/// Changes a list account: all of it at once, or nothing.
pub fn edit(context: &Context, caller: &Caller, name: &Name, edit: Edit, condition: Match) -> Result<(Revision, Shown), Problem> {
    let snapshot = context.directory.snapshot();
    let before = visible(&snapshot, caller, name)?;
    known_targets(&snapshot, caller, edit.join.iter().chain(&edit.owner))?;
    let Edit { owner, posting, description, tag, join, leave } = edit;
    let style =
        Style { description: description.unwrap_or_else(|| before.style.description.clone()), tag: tag.map_or(before.style.tag, switch) };
    let style = Some(style).filter(|style| *style != before.style);
    let change = Change::AmendList { name: name.clone(), owner, posting, style, join, leave };
    context.change_if(caller, &change, &Subject::List(name.clone()), condition)?;
    show_with_revision(context, caller, name)
}

/// Deletes a list account, its hidden alias, and every entry that leads to it.
pub fn delete(context: &Context, caller: &Caller, name: &Name, run: Run, condition: Match) -> Result<Removal, Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    context.remove_if(caller, &Change::DeleteList { name: name.clone() }, run, &Subject::List(name.clone()), condition)
}

fn switch(on: bool) -> Switch {
    if on { Switch::Enabled } else { Switch::Disabled }
}

/// The record of a list that exists for the caller.
pub(super) fn visible(snapshot: &Snapshot<'_>, caller: &Caller, name: &Name) -> Result<List, Problem> {
    let refused = || Refusal::NoSuchAccount { kind: Kind::List, name: name.clone() };
    let list = snapshot.list(name)?.ok_or_else(refused)?;
    if caller.sees(snapshot, &list.domain)? { Ok(list) } else { Err(refused().into()) }
}
