//! `list members`.

use std::path::Path;

use hyper::Method;
use serde_json::json;

use super::accounts::moment;
use super::args::MembersCommand;
use super::connection::{Connection, whole, with_query};
use super::exchange::{file, upload};
use super::failure::Failure;
use super::output::{Listing, Output, Row, note, printable};
use crate::admin::operations::{lists, members};
use crate::directory::Seat;

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
