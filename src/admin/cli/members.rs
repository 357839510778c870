//! `list members`, `list held`, `pop copies`, `pop vacation`.

use std::path::Path;

use hyper::Method;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::accounts::moment;
use super::args::{MembersCommand, When};
use super::connection::{Connection, NOTHING, whole, with_query};
use super::exchange::{file, upload};
use super::failure::Failure;
use super::output::{Listing, Output, Row, note, printable};
use crate::admin::operations::{handling, held, lists, members};
use crate::directory::{Seat, Target, Vacation};

/// Carries out what is asked of the members of the list at `list`.
pub(super) async fn members(connection: &Connection, output: Output, list: &str, command: MembersCommand) -> Result<(), Failure> {
    let place = format!("{list}/members");
    match command {
        MembersCommand::Add { members } => edit(connection, output, list, &json!({ "join": members })).await,
        MembersCommand::Remove { members } => edit(connection, output, list, &json!({ "leave": members })).await,
        MembersCommand::List { search, suspended } => {
            let mut filter = vec![("suspended", suspended.to_string())];
            filter.extend(search.map(|search| ("search", search)));
            let mut listing = Listing::new(output);
            connection.pages(&place, &filter, |page: Vec<members::Shown>| listing.add(&page)).await?;
            listing.end("no members")
        }
        MembersCommand::Import { file, skip_bad } => import(connection, output, &place, &file, skip_bad).await,
        MembersCommand::Export => {
            let show = |page: Vec<members::Shown>| page.iter().try_for_each(|shown| Output::Text.line(&shown.member.to_string()));
            connection.pages(&place, &[], show).await
        }
        MembersCommand::Suspend { member } => seat(connection, output, &format!("{place}/suspend"), member).await,
        MembersCommand::Resume { member } => seat(connection, output, &format!("{place}/resume"), member).await,
    }
}

async fn edit(connection: &Connection, output: Output, list: &str, request: &serde_json::Value) -> Result<(), Failure> {
    output.record(&connection.call::<_, lists::Shown>(Method::PATCH, list, Some(request)).await?)
}

async fn seat(connection: &Connection, output: Output, place: &str, member: crate::directory::Target) -> Result<(), Failure> {
    output.record(&connection.call::<_, members::Shown>(Method::POST, place, Some(&members::Which { member })).await?)
}

async fn import(connection: &Connection, output: Output, place: &str, path: &Path, skip_bad: bool) -> Result<(), Failure> {
    let (body, bar) = upload(file(path).await?);
    let place = with_query(&format!("{place}/import"), &[("skip_bad", skip_bad.to_string())]);
    let answer = connection.send(Method::POST, &place, "text/plain; charset=utf-8", body).await;
    bar.finish_and_clear();
    let report: members::Report = serde_json::from_slice(&whole(answer?).await?)?;
    for complaint in &report.complaints {
        note(&format!("line {}: {}", complaint.line, printable(&complaint.why)))?;
    }
    match output {
        Output::Json => output.json(&report)?,
        Output::Text => {
            output.line(&format!("{} joined, {} in the list already, {} bad lines", report.joined, report.present, report.refused))?
        }
    }
    match report.refused {
        0 => Ok(()),
        _ if skip_bad => Ok(()),
        refused => Err(Failure::failed(format!("{refused} lines are bad, so nobody joined; mend them, or leave them out with --skip-bad"))),
    }
}

/// Approves of a posting that waits, or refuses it.
pub(super) async fn decide(connection: &Connection, output: Output, place: &str, request: &serde_json::Value) -> Result<(), Failure> {
    let decided: Vec<held::Shown> = connection.call(Method::POST, place, Some(request)).await?;
    let mut listing = Listing::new(output);
    listing.add(&decided)?;
    listing.end("")
}

/// Says who gets copies of an account's mail.
pub(super) async fn copies(connection: &Connection, output: Output, pop: &str, copies: Vec<Target>) -> Result<(), Failure> {
    let request = handling::Copies { copies };
    output.record(&connection.call::<_, handling::Shown>(Method::PUT, &format!("{pop}/copies"), Some(&request)).await?)
}

/// When a vacation holds.
pub(super) struct Span {
    pub(super) from: Option<When>,
    pub(super) until: Option<When>,
}

/// Says what senders are told; without a text, nothing.
pub(super) async fn vacation(connection: &Connection, output: Output, pop: &str, text: Option<&Path>, span: Span) -> Result<(), Failure> {
    let place = format!("{pop}/vacation");
    let Some(path) = text else {
        return output.record(&connection.call::<_, handling::Shown>(Method::DELETE, &place, NOTHING).await?);
    };
    let (mut input, _) = file(path).await?;
    let mut text = String::new();
    input.read_to_string(&mut text).await.map_err(|error| Failure::failed(format!("{} cannot be read: {error}", path.display())))?;
    let moment = |when: Option<When>| when.map(|When(at)| at);
    let request = Vacation { text, from: moment(span.from), until: moment(span.until) };
    output.record(&connection.call::<_, handling::Shown>(Method::PUT, &place, Some(&request)).await?)
}

impl Row for held::Shown {
    const HEADINGS: &'static [&'static str] = &["Id", "List", "From", "Subject", "Size", "Since", "Until"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.list.to_string(),
            printable(&self.from),
            printable(&self.subject),
            self.size.to_string(),
            moment(self.since),
            moment(self.until),
        ]
    }
}

impl Row for handling::Shown {
    const HEADINGS: &'static [&'static str] = &["POP account", "Copies to", "Vacation", "From", "Until"];

    fn cells(&self) -> Vec<String> {
        let at = |at: Option<jiff::Timestamp>| at.map_or_else(String::new, moment);
        let vacation = self.vacation.as_ref();
        vec![
            self.name.to_string(),
            self.copies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            vacation.map_or_else(|| "off".into(), |vacation| printable(vacation.text.lines().next().unwrap_or_default())),
            at(vacation.and_then(|vacation| vacation.from)),
            at(vacation.and_then(|vacation| vacation.until)),
        ]
    }
}

impl Row for members::Shown {
    const HEADINGS: &'static [&'static str] = &["Member", "State", "Joined", "Hard bounces", "Soft bounces", "Last"];

    fn cells(&self) -> Vec<String> {
        let state = match &self.seat {
            Seat::Active => "active".to_owned(),
            Seat::Suspended { since, why } => format!("suspended {}: {why}", moment(*since)),
        };
        let bounces = self.bounces.clone().unwrap_or_default();
        let last = bounces.last.map_or_else(String::new, |last| format!("{} {}", moment(last), printable(&bounces.status)));
        vec![self.member.to_string(), state, moment(self.joined), format!("{} days", bounces.days.len()), bounces.soft.to_string(), last]
    }
}
