//! `log`.

use std::time::Duration;

use super::accounts::moment;
use super::args::LogQuestion;
use super::connection::{Connection, with_query};
use super::failure::Failure;
use super::output::{self, BAD, GOOD, Listing, Output, STRONG, note, print, printable, styled};
use crate::admin::operations::log::Shown;
use crate::ledger::{Row, Status};

/// How often it is asked what is new.
const INTERVAL: Duration = Duration::from_millis(300);

/// Rows that come before the first new one.
const CONTEXT: usize = 10;

/// Rows of one request.
const PAGE: usize = 500;

pub(super) async fn log(connection: &Connection, output: Output, question: LogQuestion) -> Result<(), Failure> {
    if question.follow { follow(connection, output, &question).await } else { list(connection, output, &question).await }
}

impl LogQuestion {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        let mut add = |name, value: &Option<String>| query.extend(value.clone().map(|value| (name, value)));
        add("to", &self.to);
        add("from", &self.from);
        add("id", &self.id);
        add("message_id", &self.message_id);
        add("client", &self.client);
        query.extend(self.status.map(|status| ("status", status.to_string())));
        query.extend(self.since.map(|since| ("since", since.0.to_string())));
        query
    }
}

async fn list(connection: &Connection, output: Output, question: &LogQuestion) -> Result<(), Failure> {
    let mut listing = Listing::new(output);
    let (mut left, mut after) = (question.limit, None);
    loop {
        let mut query = question.query();
        query.push(("limit", left.min(PAGE).to_string()));
        query.extend(after.take().map(|after| ("after", after)));
        let page: Shown = connection.get(&with_query("/log", &query)).await?;
        listing.add(&page.items)?;
        left = left.saturating_sub(page.items.len());
        match page.next {
            Some(next) if left > 0 => after = Some(next),
            Some(_) => break,
            None => return listing.end("nothing of that kind in the log"),
        }
    }
    listing.end("")?;
    note(&format!("these are the latest {}; --limit shows more", question.limit))
}

/// Shows the latest rows, then each new one as it comes, until somebody stops it.
async fn follow(connection: &Connection, output: Output, question: &LogQuestion) -> Result<(), Failure> {
    if !connection.is_server() {
        return Err(Failure::failed("no server runs, so nothing new comes; start it with `restante serve`"));
    }
    let mut query = question.query();
    query.push(("limit", CONTEXT.to_string()));
    let page: Shown = connection.get(&with_query("/log", &query)).await?;
    page.items.iter().rev().try_for_each(|row| one(output, row))?;
    let mut newer = page.latest;
    loop {
        let mut query = question.query();
        query.extend([("newer", newer.clone()), ("limit", PAGE.to_string())]);
        let page: Shown = connection.get(&with_query("/log", &query)).await?;
        page.items.iter().try_for_each(|row| one(output, row))?;
        let still = page.next.as_ref().is_none_or(|next| *next == newer);
        newer = page.next.unwrap_or(newer);
        if still {
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// A row as a line.
fn one(output: Output, row: &Row) -> Result<(), Failure> {
    if output == Output::Json {
        return print(&serde_json::to_string(row)?);
    }
    let id = row.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let style = if is_good(row.status) { GOOD } else { BAD };
    let via = row.via.as_deref().map(|via| format!(" (by way of {})", printable(via))).unwrap_or_default();
    let places = if row.places.is_empty() { String::new() } else { format!(" in {}", printable(&row.places.join(","))) };
    print(&format!(
        "{} {id} {} <{}> to {}{via} {}{places} ({} octets, {:.1} ms): {}",
        moment(row.at),
        row.client,
        printable(&row.sender),
        styled(STRONG, printable(&row.recipient)),
        styled(style, row.status),
        row.size,
        row.delay_ms,
        printable(&row.reply),
    ))
}

fn is_good(status: Status) -> bool {
    matches!(status, Status::Delivered | Status::Discarded | Status::Relayed | Status::Waiting)
}

impl output::Row for Row {
    const HEADINGS: &'static [&'static str] = &["TIME", "ID", "CLIENT", "FROM", "TO", "STATUS", "IN", "SIZE", "MS", "REPLY", "MESSAGE-ID"];

    fn cells(&self) -> Vec<String> {
        vec![
            moment(self.at),
            self.id.map_or_else(|| "-".into(), |id| id.to_string()),
            self.client.clone(),
            format!("<{}>", self.sender),
            self.recipient.clone(),
            self.status.to_string(),
            self.places.join(","),
            self.size.to_string(),
            format!("{:.1}", self.delay_ms),
            self.reply.clone(),
            self.message_id.clone().unwrap_or_default(),
        ]
    }
}
