//! Members of list accounts.

use std::collections::HashSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aliases::known_targets;
use super::lists::visible;
use super::{Page, Paging, page};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::export::Complaint;
use crate::directory::{Bounces, Change, Member, Seat, Snapshot, Target, View};
use crate::mail::Name;

/// Octets of a file of members: a million addresses fit.
pub const FILE_OCTETS: usize = 64 * 1024 * 1024;

/// Bad lines that are told one by one; of the others, only the number.
const COMPLAINTS: usize = 1000;

/// A member as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Member")]
pub struct Shown {
    /// An account, or an address.
    pub member: Target,
    /// Whether postings reach it.
    pub seat: Seat,
    /// When it joined.
    pub joined: Timestamp,
    /// What came back from it; none where nothing did.
    #[serde(default)]
    pub bounces: Option<Bounces>,
}

/// Which members are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MemberFilter")]
pub struct Filter {
    /// Only those with this in their name or address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// Only those that are suspended.
    #[serde(default)]
    pub suspended: bool,
}

/// One member.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhichMember")]
pub struct Which {
    /// An account, or an address.
    pub member: Target,
}

/// What to do about lines that are no members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bad {
    /// Nobody joins.
    #[default]
    Refuse,
    /// The others join.
    Skip,
}

/// What became of a file of members.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JoinReport")]
pub struct Report {
    /// Members that joined.
    pub joined: u64,
    /// Members that were in the list already, or came twice.
    pub present: u64,
    /// Lines that are no members.
    pub refused: u64,
    /// The first of those.
    pub complaints: Vec<Complaint>,
}

/// The members of a list, accounts before addresses.
pub fn list(context: &Context, caller: &Caller, name: &Name, paging: &Paging, filter: &Filter) -> Result<Page<Shown>, Problem> {
    let snapshot = context.directory.snapshot();
    visible(&snapshot, caller, name)?;
    let sought = filter.search.as_deref().map(str::to_lowercase).unwrap_or_default();
    let fits = |member: &Member| {
        (!filter.suspended || !member.is_active()) && (sought.is_empty() || member.target.to_string().to_lowercase().contains(&sought))
    };
    page(
        paging,
        |after, limit| snapshot.members(name, after, limit),
        |member| if fits(&member) { shown(&snapshot, member).map(Some) } else { Ok(None) },
    )
}

fn shown(snapshot: &Snapshot<'_>, member: Member) -> Result<Shown, Problem> {
    let bounces = snapshot.bounces(&member.list, &member.target)?;
    Ok(Shown { member: member.target, seat: member.seat, joined: member.joined, bounces })
}

/// Suspends a member, or resumes it.
pub fn seat(context: &Context, caller: &Caller, name: &Name, which: Which, seat: Seat) -> Result<Shown, Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    let Which { member } = which;
    context.change(caller, &Change::SeatMember { list: name.clone(), member: member.clone(), seat })?;
    let snapshot = context.directory.snapshot();
    let found = snapshot.member(name, &member)?;
    shown(&snapshot, found.ok_or_else(|| Problem::new(Kind::NoSuchAccount, format!("`{member}` has just left the list `{name}`")))?)
}

/// Lets an administrator suspend a member.
pub fn suspend(context: &Context, caller: &Caller, name: &Name, which: Which) -> Result<Shown, Problem> {
    seat(context, caller, name, which, Seat::Suspended { since: Timestamp::now(), why: "by an administrator".into() })
}

/// Gives everybody in a file a seat: one a line, empty lines and lines that begin with `#` left out. With one bad line nobody
/// joins, unless bad ones are to be skipped.
pub fn import(context: &Context, caller: &Caller, name: &Name, text: &str, bad: Bad) -> Result<Report, Problem> {
    let snapshot = context.directory.snapshot();
    visible(&snapshot, caller, name)?;
    let mut report = Report::default();
    let mut good = parsed(text, &mut report);
    let targets: Vec<Target> = good.iter().map(|(_, target)| target.clone()).collect();
    let refused = snapshot.members_refused(&targets)?;
    let mut lines = std::mem::take(&mut good).into_iter().zip(refused);
    for ((line, target), refused) in &mut lines {
        match refused
            .map_or_else(|| known_targets(&snapshot, caller, [&target]).err().map(|problem| problem.detail), |why| Some(why.to_string()))
        {
            Some(why) => complain(&mut report, line, why),
            None => good.push((line, target)),
        }
    }
    report.complaints.sort_by_key(|complaint| complaint.line);
    if report.refused > 0 && bad == Bad::Refuse {
        return Ok(report);
    }
    let before = snapshot.list(name)?.map_or(0, |list| list.members);
    let members: Vec<Target> = good.into_iter().map(|(_, target)| target).collect();
    let (given, count) = (members.len() as u64 + report.present, members.len() as u64);
    context.change(caller, &Change::JoinList { name: name.clone(), members, count })?;
    let after = context.directory.snapshot().list(name)?.map_or(0, |list| list.members);
    report.joined = after.saturating_sub(before).min(given);
    report.present = given - report.joined;
    Ok(report)
}

/// The members that lines name, each once, with the number of its line.
fn parsed(text: &str, report: &mut Report) -> Vec<(u64, Target)> {
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match Target::parse(text) {
            Ok(target @ (Target::Account(_) | Target::Address(_))) => {
                if seen.insert(target.to_string().to_lowercase()) {
                    found.push((line, target));
                } else {
                    report.present += 1;
                }
            }
            Ok(other) => complain(report, line, format!("`{other}` cannot be a member: give an account's name or an address")),
            Err(error) => complain(report, line, error.to_string()),
        }
    }
    found
}

fn complain(report: &mut Report, line: u64, why: String) {
    report.refused += 1;
    if report.complaints.len() < COMPLAINTS {
        report.complaints.push(Complaint { line, why });
    }
}
