//! Domains.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Match, Page, Paging, Removal, Run, page};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::Problem;
use crate::directory::{Change, DomainRecord, Refusal, Revision, Subject, View};
use crate::mail::{Domain, Name};

/// A domain as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LocalDomain")]
pub struct Shown {
    /// The A-labels.
    pub domain: Domain,
    /// The U-labels.
    pub unicode: String,
    /// The master that it belongs to.
    pub owner: Option<Name>,
    /// When it was made.
    pub created: Timestamp,
}

/// A new domain.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewDomain")]
pub struct New {
    /// The domain.
    pub domain: Domain,
    /// The master that it belongs to.
    pub owner: Option<Name>,
}

/// A change of a domain.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DomainEdit")]
pub struct Edit {
    /// The master that it belongs to from now on.
    pub owner: Option<Name>,
}

/// Which domains are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DomainFilter")]
pub struct Filter {
    /// Only those whose name holds this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
}

impl From<DomainRecord> for Shown {
    fn from(record: DomainRecord) -> Self {
        Self { unicode: record.domain.unicode(), domain: record.domain, owner: record.owner, created: record.created }
    }
}

/// The domains that the caller may see and the filter lets through.
pub fn list(context: &Context, caller: &Caller, paging: &Paging, filter: &Filter) -> Result<Page<Shown>, Problem> {
    let snapshot = context.directory.snapshot();
    let fetch = |after: Option<&str>, limit: usize| match caller.confined_to() {
        Some(master) => snapshot.domains_of(master, after, limit),
        None => snapshot.domains(after, limit),
    };
    let sought = filter.search.as_deref().map(str::to_lowercase).unwrap_or_default();
    let fits = |shown: &Shown| shown.domain.as_str().contains(&sought) || shown.unicode.contains(&sought);
    page(paging, fetch, |record| Ok(Some(Shown::from(record)).filter(fits)))
}

/// One domain.
pub fn show(context: &Context, caller: &Caller, domain: &Domain) -> Result<Shown, Problem> {
    show_with_revision(context, caller, domain).map(|(_, shown)| shown)
}

/// One domain, and the revision that an edit may be made conditional on.
pub fn show_with_revision(context: &Context, caller: &Caller, domain: &Domain) -> Result<(Revision, Shown), Problem> {
    let snapshot = context.directory.snapshot();
    let record = snapshot.domain(domain)?.ok_or_else(|| Refusal::NoSuchDomain(domain.clone()))?;
    caller.needs(&snapshot, domain)?;
    Ok((snapshot.revision_of(&Subject::Domain(domain.clone()))?, record.into()))
}

/// Makes a domain local. For admins.
pub fn add(context: &Context, caller: &Caller, new: New) -> Result<Shown, Problem> {
    caller.needs_admin()?;
    context.change(caller, &Change::AddDomain { domain: new.domain.clone(), owner: new.owner })?;
    show(context, caller, &new.domain)
}

/// Gives a domain to another master. For admins.
pub fn edit(context: &Context, caller: &Caller, domain: &Domain, edit: Edit, condition: Match) -> Result<(Revision, Shown), Problem> {
    caller.needs_admin()?;
    let change = Change::EditDomain { domain: domain.clone(), owner: edit.owner };
    context.change_if(caller, &change, &Subject::Domain(domain.clone()), condition)?;
    show_with_revision(context, caller, domain)
}

/// Removes a domain; with `cascade`, and everything in it. For admins.
pub fn delete(context: &Context, caller: &Caller, domain: &Domain, cascade: bool, run: Run, condition: Match) -> Result<Removal, Problem> {
    caller.needs_admin()?;
    let change = Change::DeleteDomain { domain: domain.clone(), cascade };
    context.remove_if(caller, &change, run, &Subject::Domain(domain.clone()), condition)
}
