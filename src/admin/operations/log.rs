//! The delivery log: what became of each recipient of each message.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PAGE, Paging};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::ledger::{Found, Ledger, Query, Row, Unreadable};
use crate::mail::Domain;

/// Domains of one owner that are looked at.
const DOMAINS: usize = 10_000;

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LogPage")]
pub struct Shown {
    /// The rows.
    pub items: Vec<Row>,
    /// What to give as `after` for older rows, or as `newer` for later ones; none at the end.
    pub next: Option<String>,
    /// The last row of all: what comes later is `newer` than it.
    pub latest: String,
}

/// The rows that fit, newest first. Owners meet those of recipients in their domains.
pub fn list(context: &Context, caller: &Caller, query: &Query, paging: &Paging) -> Result<Shown, Problem> {
    let limit = paging.checked_limit()?;
    let before = paging.after.as_deref().map(|after| number("after", after)).transpose()?;
    let domains = scope(context, caller)?;
    Ok(ledger(context)?.search(query, domains.as_deref(), before, limit)?.into())
}

/// The last day, as far as one look goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    /// The rows, newest first.
    pub rows: Vec<Row>,
    /// Whether there are more.
    pub more: bool,
}

/// The last day of what the caller may see: a page of it at most.
pub fn day(context: &Context, caller: &Caller, now: Timestamp) -> Result<Day, Problem> {
    let since = now.checked_sub(SignedDuration::from_hours(24)).ok();
    let domains = scope(context, caller)?;
    let found = ledger(context)?.search(&Query { since, ..Query::default() }, domains.as_deref(), None, PAGE)?;
    Ok(Day { rows: found.items, more: found.next.is_some() })
}

/// The rows that fit and came after the row `newer`, oldest first.
pub fn follow(context: &Context, caller: &Caller, query: &Query, newer: &str, paging: &Paging) -> Result<Shown, Problem> {
    let limit = paging.checked_limit()?;
    let after = number("newer", newer)?;
    let domains = scope(context, caller)?;
    Ok(ledger(context)?.newer(query, domains.as_deref(), after, limit)?.into())
}

fn ledger(context: &Context) -> Result<&Ledger, Problem> {
    context.ledger.as_deref().ok_or_else(|| Problem::new(Kind::Log, "there is no delivery log here".into()))
}

fn number(field: &str, text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::new(Kind::BadValue, format!("{field}: give the `next` or `latest` of an earlier answer")).at(field))
}

/// The domains whose rows the caller may see; none for those who see everything.
fn scope(context: &Context, caller: &Caller) -> Result<Option<Vec<Domain>>, Problem> {
    let Some(master) = caller.confined_to() else { return Ok(None) };
    let owned = context.directory.snapshot().domains_of(master, None, DOMAINS)?;
    Ok(Some(owned.records.into_iter().map(|record| record.domain).collect()))
}

impl From<Found> for Shown {
    fn from(found: Found) -> Self {
        let text = |number: u64| number.to_string();
        Self { items: found.items, next: found.next.map(text), latest: text(found.latest) }
    }
}

impl From<Unreadable> for Problem {
    fn from(error: Unreadable) -> Self {
        Self::new(Kind::Log, error.to_string())
    }
}
