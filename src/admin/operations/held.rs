//! Postings that wait for the owner of their list, and members that leave by a link.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lists::visible;
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::View;
use crate::mail::{Name, QueueId};
use crate::relay::list::Lists;
use crate::relay::list::held::Held;

/// Postings that are shown at a time.
const POSTINGS: usize = 200;

/// A posting that waits, as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HeldPosting")]
pub struct Shown {
    /// Its id.
    pub id: QueueId,
    /// The list.
    pub list: Name,
    /// The envelope's sender.
    pub sender: String,
    /// Its author, as the message says.
    pub from: String,
    /// Its subject.
    pub subject: String,
    /// Octets.
    pub size: u64,
    /// Since when it waits.
    pub since: Timestamp,
    /// When it is thrown away.
    pub until: Timestamp,
}

/// How a posting is refused.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PostingRefusal")]
pub struct Refusal {
    /// What its author is told; without it, the author is told nothing.
    pub reason: Option<String>,
}

impl From<Held> for Shown {
    fn from(held: Held) -> Self {
        let Held { seat, list, sender, from, subject, octets, since, until } = held;
        Self { id: seat.id, list, sender: sender.to_string(), from, subject, size: octets, since, until }
    }
}

/// The postings to a list that wait: the first of them.
pub fn list(context: &Context, caller: &Caller, name: &Name) -> Result<Vec<Shown>, Problem> {
    let list = visible(&context.directory.snapshot(), caller, name)?;
    let held = lists(context)?.held(&list, None, POSTINGS).map_err(failed)?;
    Ok(held.into_iter().map(Shown::from).collect())
}

/// Sends a posting to the members.
pub fn approve(context: &Context, caller: &Caller, id: QueueId) -> Result<Vec<Shown>, Problem> {
    decide(context, caller, id, |lists, held| lists.approve(held))
}

/// Throws a posting away.
pub fn refuse(context: &Context, caller: &Caller, id: QueueId, Refusal { reason }: Refusal) -> Result<Vec<Shown>, Problem> {
    let reason = reason.map(|reason| reason.trim().to_owned());
    decide(context, caller, id, |lists, held| lists.refuse(held, reason.as_deref()))
}

fn decide(
    context: &Context,
    caller: &Caller,
    id: QueueId,
    decide: impl Fn(&Lists, &Held) -> io::Result<bool>,
) -> Result<Vec<Shown>, Problem> {
    let lists = lists(context)?;
    let snapshot = context.directory.snapshot();
    let mut decided = Vec::new();
    for held in lists.held_by_id(id).map_err(failed)? {
        let Some(list) = snapshot.list(&held.list)? else { continue };
        if caller.sees(&snapshot, &list.domain)? && decide(lists, &held).map_err(failed)? {
            decided.push(Shown::from(held));
        }
    }
    if decided.is_empty() {
        return Err(Problem::new(Kind::NoSuchDelivery, format!("no message {id} waits for the owner of a list")));
    }
    Ok(decided)
}

/// The member that a signed link names, as it is shown; none where the link is worthless.
pub fn who_leaves(context: &Context, list: &Name, member: &str, signature: &str) -> Result<Option<String>, Problem> {
    let Some(record) = context.directory.snapshot().list(list)? else { return Ok(None) };
    Ok(lists(context)?.leave(&record, member, signature)?.map(|member| member.to_string()))
}

/// Takes the member that a signed link names off its list. The link is the permission. Whether there was one.
pub fn leave(context: &Context, list: &Name, member: &str, signature: &str) -> Result<bool, Problem> {
    let Some(record) = context.directory.snapshot().list(list)? else { return Ok(false) };
    let lists = lists(context)?;
    match lists.leave(&record, member, signature)? {
        None => Ok(false),
        Some(member) => lists.take_off(&record, member).map(|()| true).map_err(failed),
    }
}

fn lists(context: &Context) -> Result<&Arc<Lists>, Problem> {
    context
        .lists
        .get()
        .ok_or_else(|| Problem::new(Kind::NotPossible, "no server runs, and only a server has postings; start it first".into()))
}

fn failed(error: io::Error) -> Problem {
    Problem::new(Kind::Directory, format!("the queue cannot be read: {error}"))
}
