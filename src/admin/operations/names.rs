//! Is this name free, and who has it (D10)? The same check that refuses a change, asked beforehand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::Problem;
use crate::directory::{Kind, View};
use crate::mail::Name;

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NameAnswer")]
pub struct Shown {
    /// The name, folded.
    pub name: Name,
    /// Whether an account may take it.
    pub free: bool,
    /// What kind of account has it.
    pub holder: Option<Kind>,
}

/// Who has a name. For everybody: names are unique on the whole server, so a refusal would tell the same.
pub fn show(context: &Context, _caller: &Caller, name: Name) -> Result<Shown, Problem> {
    let holder = context.directory.snapshot().holder(&name)?;
    Ok(Shown { name, free: holder.is_none(), holder })
}
