//! Domains.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Match, Page, Paging, Removal, Run, page};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::Problem;
use crate::directory::{Change, DomainRecord, Refusal, Revision, Subject, View};
use crate::mail::{Domain, Name};

/// A domain as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// The domain.
    pub domain: Domain,
    /// The master that it belongs to.
    pub owner: Option<Name>,
}

/// A change of a domain.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The master that it belongs to from now on.
    pub owner: Option<Name>,
}

impl From<DomainRecord> for Shown {
    fn from(record: DomainRecord) -> Self {
        Self { unicode: record.domain.unicode(), domain: record.domain, owner: record.owner, created: record.created }
    }
}

/// The domains that the caller may see.
pub fn list(context: &Context, caller: &Caller, paging: &Paging) -> Result<Page<Shown>, Problem> {
    let snapshot = context.directory.snapshot();
    page(paging, |after, limit| snapshot.domains(after, limit), |record| Ok(caller.sees(&snapshot, &record.domain)?.then(|| record.into())))
}

/// One domain, and the revision that an edit may be made conditional on.
pub fn show(context: &Context, caller: &Caller, domain: &Domain) -> Result<(Revision, Shown), Problem> {
    let snapshot = context.directory.snapshot();
    let record = snapshot.domain(domain)?.ok_or_else(|| Refusal::NoSuchDomain(domain.clone()))?;
    caller.needs(&snapshot, domain)?;
    Ok((snapshot.revision_of(&Subject::Domain(domain.clone()))?, record.into()))
}

/// Makes a domain local. For admins.
pub fn add(context: &Context, caller: &Caller, new: New) -> Result<Shown, Problem> {
    caller.needs_admin()?;
    context.change(caller, &Change::AddDomain { domain: new.domain.clone(), owner: new.owner })?;
    show(context, caller, &new.domain).map(|(_, shown)| shown)
}

/// Gives a domain to another master. For admins.
pub fn edit(context: &Context, caller: &Caller, domain: &Domain, edit: Edit, condition: Match) -> Result<(Revision, Shown), Problem> {
    caller.needs_admin()?;
    let change = Change::EditDomain { domain: domain.clone(), owner: edit.owner };
    context.change_if(caller, &change, &Subject::Domain(domain.clone()), condition)?;
    show(context, caller, domain)
}

/// Removes a domain; with `cascade`, and everything in it. For admins.
pub fn delete(context: &Context, caller: &Caller, domain: &Domain, cascade: bool, run: Run) -> Result<Removal, Problem> {
    caller.needs_admin()?;
    context.remove(caller, &Change::DeleteDomain { domain: domain.clone(), cascade }, run)
}
