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
use crate::directory::{Change, Kind, List, Posting, Refusal, Revision, Snapshot, Subject, Target, View};
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
    /// Where posts go.
    pub members: Vec<Target>,
    /// When it was made.
    pub created: Timestamp,
}

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
    /// Who joins.
    #[serde(default)]
    pub join: Vec<Target>,
    /// Who leaves.
    #[serde(default)]
    pub leave: Vec<Target>,
}

impl From<List> for Shown {
    fn from(list: List) -> Self {
        Self {
            address: Address::new(list.name.as_str(), list.domain.clone()),
            name: list.name,
            domain: list.domain,
            owner: list.owner,
            posting: list.posting,
            members: list.members,
            created: list.created,
        }
    }
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
    page(paging, fetch, |list| Ok(Shown::from(list)).map(|shown| shown.address.to_string().contains(&sought).then_some(shown)))
}

/// One list account.
pub fn show(context: &Context, caller: &Caller, name: &Name) -> Result<Shown, Problem> {
    show_with_revision(context, caller, name).map(|(_, shown)| shown)
}

/// One list account, and the revision that an edit may be made conditional on.
pub fn show_with_revision(context: &Context, caller: &Caller, name: &Name) -> Result<(Revision, Shown), Problem> {
    let snapshot = context.directory.snapshot();
    let list = visible(&snapshot, caller, name)?;
    Ok((snapshot.revision_of(&Subject::List(name.clone()))?, list.into()))
}

/// Adds a list account with its hidden alias.
pub fn add(context: &Context, caller: &Caller, new: New) -> Result<Shown, Problem> {
    let snapshot = context.directory.snapshot();
    caller.needs(&snapshot, &new.domain)?;
    known_targets(&snapshot, caller, new.members.iter().chain([&new.owner]))?;
    let New { name, domain, owner, posting, members } = new;
    context.change(caller, &Change::AddList { name: name.clone(), domain, owner, posting, members })?;
    show(context, caller, &name)
}

/// Changes a list account.
pub fn edit(context: &Context, caller: &Caller, name: &Name, edit: Edit, condition: Match) -> Result<(Revision, Shown), Problem> {
    let snapshot = context.directory.snapshot();
    visible(&snapshot, caller, name)?;
    known_targets(&snapshot, caller, edit.join.iter().chain(&edit.owner))?;
    let Edit { owner, posting, join, leave } = edit;
    let change = Change::EditList { name: name.clone(), owner, posting, join, leave };
    context.change_if(caller, &change, &Subject::List(name.clone()), condition)?;
    show_with_revision(context, caller, name)
}

/// Deletes a list account, its hidden alias, and every entry that leads to it.
pub fn delete(context: &Context, caller: &Caller, name: &Name, run: Run) -> Result<Removal, Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    context.remove(caller, &Change::DeleteList { name: name.clone() }, run)
}

fn visible(snapshot: &Snapshot<'_>, caller: &Caller, name: &Name) -> Result<List, Problem> {
    let refused = || Refusal::NoSuchAccount { kind: Kind::List, name: name.clone() };
    let list = snapshot.list(name)?.ok_or_else(refused)?;
    if caller.sees(snapshot, &list.domain)? { Ok(list) } else { Err(refused().into()) }
}
