//! Masters: administrators' logins.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::password::{Clear, Wish};
use super::{Page, Paging, Removal, Run, page};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{self, Problem};
use crate::directory::{Change, Kind, Master, Refusal, Role, Snapshot, View};
use crate::mail::Name;

/// A master as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Master")]
pub struct Shown {
    /// The name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created: Timestamp,
    /// Whether its logins to the panel ask for a code.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second_factor: bool,
    /// The generated password, in the one answer that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// A new master.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewMaster")]
pub struct New {
    /// The name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// Its password.
    pub password: Option<Clear>,
    /// Or a new one, that the answer shows once.
    #[serde(default)]
    pub generate: bool,
}

impl From<Master> for Shown {
    fn from(master: Master) -> Self {
        Self { name: master.name, role: master.role, created: master.created, second_factor: false, password: None }
    }
}

fn shown(snapshot: &Snapshot<'_>, master: Master) -> Result<Shown, Problem> {
    let second_factor = snapshot.second_factor(&master.name)?.is_some();
    Ok(Shown { second_factor, ..master.into() })
}

/// All masters. For admins.
pub fn list(context: &Context, caller: &Caller, paging: &Paging) -> Result<Page<Shown>, Problem> {
    caller.needs_admin()?;
    let snapshot = context.directory.snapshot();
    page(paging, |after, limit| snapshot.masters(after, limit), |master| Ok(Some(shown(&snapshot, master)?)))
}

/// One master. For admins, and itself.
pub fn show(context: &Context, caller: &Caller, name: &Name) -> Result<Shown, Problem> {
    caller.needs_admin_or(name)?;
    let snapshot = context.directory.snapshot();
    let found = snapshot.master(name)?;
    shown(&snapshot, found.ok_or_else(|| Refusal::NoSuchAccount { kind: Kind::Master, name: name.clone() })?)
}

/// Adds a master. For admins.
pub fn add(context: &Context, caller: &Caller, new: New) -> Result<Shown, Problem> {
    caller.needs_admin()?;
    let settled = Wish { password: new.password, generate: new.generate }.settle(context.rules.load().password)?;
    context.change(caller, &Change::AddMaster { name: new.name.clone(), role: new.role, password: settled.hash })?;
    Ok(Shown { password: settled.shown, ..show(context, caller, &new.name)? })
}

/// Sets a master's password. For admins, and itself.
pub fn set_password(context: &Context, caller: &Caller, name: &Name, wish: Wish) -> Result<Shown, Problem> {
    let master = show(context, caller, name)?;
    let settled = wish.settle(context.rules.load().password)?;
    context.change(caller, &Change::SetMasterPassword { name: name.clone(), password: settled.hash })?;
    Ok(Shown { password: settled.shown, ..master })
}

/// Removes a master. For admins.
pub fn delete(context: &Context, caller: &Caller, name: &Name, run: Run) -> Result<Removal, Problem> {
    caller.needs_admin()?;
    context.remove(caller, &Change::DeleteMaster { name: name.clone() }, run)
}

/// Adds the master `admin` with a generated password if there is no master yet: for a first run.
pub fn add_first(context: &Context) -> Result<Option<Shown>, Problem> {
    let none = context.directory.snapshot().masters(None, 1)?.records.is_empty();
    let name = Name::parse("admin").map_err(|error| Problem::new(problem::Kind::Internal, error.to_string()))?;
    let first = New { name, role: Role::Admin, password: None, generate: true };
    if none { add(context, &Caller::server(), first).map(Some) } else { Ok(None) }
}
