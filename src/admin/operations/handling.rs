//! What happens with a POP account's mail beside its delivery: copies, and replies while its owner is away.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aliases::known_targets;
use super::pops::visible;
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::Problem;
use crate::directory::{Change, Handling, Target, Vacation, View};
use crate::mail::Name;

/// What happens with an account's mail beside its delivery, as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Handling")]
pub struct Shown {
    /// The account.
    pub name: Name,
    /// Who gets a copy of each message.
    pub copies: Vec<Target>,
    /// What senders are told while the owner is away.
    pub vacation: Option<Vacation>,
}

/// Who is to get copies.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Copies")]
pub struct Copies {
    /// Names of other POP accounts, and addresses elsewhere; none: nobody.
    pub copies: Vec<Target>,
}

/// What happens with an account's mail.
pub fn show(context: &Context, caller: &Caller, name: &Name) -> Result<Shown, Problem> {
    let snapshot = context.directory.snapshot();
    let pop = visible(&snapshot, caller, name)?;
    let Handling { copies, vacation } = snapshot.handling(pop.id)?.unwrap_or_default();
    Ok(Shown { name: pop.name, copies, vacation })
}

/// Says who gets copies.
pub fn set_copies(context: &Context, caller: &Caller, name: &Name, Copies { copies }: Copies) -> Result<Shown, Problem> {
    let snapshot = context.directory.snapshot();
    visible(&snapshot, caller, name)?;
    known_targets(&snapshot, caller, &copies)?;
    context.change(caller, &Change::SetCopies { name: name.clone(), copies })?;
    show(context, caller, name)
}

/// Says what senders are told, or nothing.
pub fn set_vacation(context: &Context, caller: &Caller, name: &Name, vacation: Option<Vacation>) -> Result<Shown, Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    context.change(caller, &Change::SetVacation { name: name.clone(), vacation })?;
    show(context, caller, name)
}
