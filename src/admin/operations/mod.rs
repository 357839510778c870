//! What an administrator can ask for: typed functions, each with its permission.
//!
//! Every function blocks (on the disk, and on Argon2 where a password is set): call them off the async threads.

pub mod aliases;
pub mod audit;
pub mod domains;
pub mod exchange;
pub mod fetch;
pub mod handling;
pub mod held;
pub mod lists;
pub mod log;
pub mod masters;
pub mod members;
pub mod names;
pub mod password;
pub mod pops;
pub mod queue;
pub mod second;
pub mod status;
pub mod tokens;
pub mod trace;
pub mod trash;

mod quota;
mod scope;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::permission::Caller;
use super::problem::{Kind, Problem};
use crate::directory::{self, Applied, Change, Effect, Revision, Subject, Unreadable};

/// Records of one page at most.
pub const PAGE: usize = 1000;

/// Records that one request looks at where few of them fit a filter: an answer comes soon, and says where to go on.
const EXAMINED: usize = 5000;

/// Which part of a listing is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Paging {
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Records wanted: 1 to [`PAGE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
}

/// A part of a listing. It may hold fewer records than asked for although more follow: `next` alone tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The records.
    pub items: Vec<T>,
    /// What to give as `after` for the next page; none at the end.
    pub next: Option<String>,
}

/// Whether a change is carried out, or only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Run {
    /// Carried out.
    #[default]
    Real,
    /// Shown.
    Dry,
}

/// What a removal took, or would take, with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removal {
    /// Whether it was carried out.
    pub run: Run,
    /// In the order it happens.
    pub effects: Vec<Effect>,
}

/// Condition on which an edit is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// No condition.
    Any,
    /// The record is still at the revision that the caller saw.
    Revision(Revision),
}

impl Paging {
    /// How many records are wanted.
    fn checked_limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(PAGE) {
            limit @ 1..=PAGE => Ok(limit),
            _ => Err(Problem::new(Kind::BadValue, format!("limit: give a number from 1 to {PAGE}"))),
        }
    }
}

impl Context {
    /// Carries out a change: in the directory, then in the Maildirs.
    pub(super) fn change(&self, caller: &Caller, change: &Change) -> Result<Applied, Problem> {
        let applied = self.directory.apply(caller.author(), change, Timestamp::now())?;
        self.follow(applied)
    }

    /// Carries out a change of `subject` under a condition.
    pub(super) fn change_if(&self, caller: &Caller, change: &Change, subject: &Subject, condition: Match) -> Result<Applied, Problem> {
        match condition {
            Match::Any => self.change(caller, change),
            Match::Revision(seen) => {
                let applied = self.directory.apply_if(caller.author(), change, Timestamp::now(), subject, seen)?;
                self.follow(applied)
            }
        }
    }

    fn follow(&self, applied: Applied) -> Result<Applied, Problem> {
        let told = |error| {
            let detail =
                format!("the directory has the change, but a Maildir could not follow ({error}); mend the cause, then restart the server");
            Problem::new(Kind::Maildir, detail)
        };
        self.maildirs.follow(&applied.effects).map_err(told)?;
        Ok(applied)
    }

    /// Carries out a removal, or shows what it would take with it.
    pub(super) fn remove(&self, caller: &Caller, change: &Change, run: Run) -> Result<Removal, Problem> {
        let effects = match run {
            Run::Real => self.change(caller, change)?.effects,
            Run::Dry => self.directory.preview(change, Timestamp::now())?,
        };
        Ok(Removal { run, effects })
    }

    /// The same for `subject`, under a condition.
    pub(super) fn remove_if(
        &self,
        caller: &Caller,
        change: &Change,
        run: Run,
        subject: &Subject,
        condition: Match,
    ) -> Result<Removal, Problem> {
        let effects = match (run, condition) {
            (_, Match::Any) => return self.remove(caller, change, run),
            (Run::Real, condition) => self.change_if(caller, change, subject, condition)?.effects,
            (Run::Dry, Match::Revision(seen)) => self.directory.preview_if(change, Timestamp::now(), subject, seen)?,
        };
        Ok(Removal { run, effects })
    }
}

/// A page of what the caller may see, each record in its outward form.
fn page<R, T>(
    paging: &Paging,
    fetch: impl Fn(Option<&str>, usize) -> Result<directory::Page<R>, Unreadable>,
    mut show: impl FnMut(R) -> Result<Option<T>, Problem>,
) -> Result<Page<T>, Problem> {
    let limit = paging.checked_limit()?;
    let mut after = paging.after.clone();
    let (mut items, mut examined) = (Vec::new(), 0);
    loop {
        let found = fetch(after.as_deref(), limit - items.len())?;
        examined += found.records.len();
        for record in found.records {
            items.extend(show(record)?);
        }
        if items.len() >= limit || found.next.is_none() || examined >= EXAMINED {
            return Ok(Page { items, next: found.next });
        }
        after = found.next;
    }
}
