//! Log: what became of messages, recipient by recipient.

use std::sync::Arc;

use axum::extract::Query;
use axum::response::IntoResponse;
use axum::{Router, routing};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{self, Errors};
use super::icon::Icon;
use super::layout::{Here, page, pages, size, time};
use super::visitor::{Fields, Visitor};
use super::{Answer, Panel};
use crate::admin::operations::Paging;
use crate::admin::operations::log::{self, Shown};
use crate::ledger::{self, Row, Status};

const ROWS: usize = 50;

/// How far back somebody may want to look, in hours.
const SPANS: [(&str, &str, i64); 4] = [("", "Any time", 0), ("hour", "Last hour", 1), ("day", "Last day", 24), ("week", "Last week", 168)];

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new().route("/log", routing::get(show))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    to: String,
    from: String,
    id: String,
    message_id: String,
    client: String,
    status: String,
    since: String,
    after: Option<String>,
}

impl Asked {
    fn pairs(&self) -> [(&'static str, &str); 7] {
        [
            ("to", &self.to),
            ("from", &self.from),
            ("id", &self.id),
            ("message_id", &self.message_id),
            ("client", &self.client),
            ("status", &self.status),
            ("since", &self.since),
        ]
    }

    fn query(&self, now: Timestamp) -> ledger::Query {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let hours = SPANS.iter().find(|(word, ..)| *word == self.since).map_or(0, |(_, _, hours)| *hours);
        let since = (hours > 0).then(|| now.checked_sub(SignedDuration::from_hours(hours)).ok()).flatten();
        let status = self.status.parse().ok();
        let [to, from, id] = [&self.to, &self.from, &self.id].map(|text| given(text));
        ledger::Query { to, from, id, message_id: given(&self.message_id), client: given(&self.client), status, since }
    }
}

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    let query = asked.query(Timestamp::now());
    let paging = Paging { after: asked.after.clone(), limit: Some(ROWS) };
    let found = visitor.run(move |context, caller| log::list(context, caller, &query, &paging)).await?;
    let body = html! {
        div.title { h1 { "Log" } p { "What became of each recipient of each message" @if !visitor.is_admin() { " in your domains" } ", newest first." } }
        (question(&asked))
        // What is looked through page by page does not move; the first page follows what comes.
        @if asked.after.is_none() { div data-live { (rows(&found)) } } @else { (rows(&found)) }
        (pages("/log", &asked.pairs(), asked.after.as_deref(), found.next.as_deref()))
    };
    Ok(page(&visitor, Here::Log, "Log", &body).into_response())
}

fn question(asked: &Asked) -> Markup {
    let errors = Errors::default();
    let fields = Fields::of(asked.pairs().map(|(name, value)| (name, value.to_owned())));
    let any = [(String::new(), "Anything".to_owned())];
    let statuses = any.into_iter().chain(Status::ALL.map(|status| (status.to_string(), words(status).to_owned()))).collect();
    let spans = SPANS.map(|(word, words, _)| (word.to_owned(), words.to_owned())).to_vec();
    let rare = [&asked.id, &asked.message_id, &asked.client].iter().any(|text| !text.is_empty());
    html! {
        section.entry aria-label="Search" {
            form method="get" action="/log" role="search" {
                div.fields {
                    (form::text("to", "To", &fields, &errors).placeholder("Address, domain, account"))
                    (form::text("from", "From", &fields, &errors).placeholder("bob@example.com"))
                    (form::choice("status", "What became of it", statuses, &fields, &errors))
                    (form::choice("since", "When", spans, &fields, &errors))
                }
                details.more open[rare] {
                    summary { "By id or client" }
                    div.fields {
                        (form::text("id", "Id, here or at the client", &fields, &errors))
                        (form::text("message_id", "Message-ID", &fields, &errors))
                        (form::text("client", "Client", &fields, &errors).placeholder("192.0.2.1"))
                    }
                }
                div.buttons {
                    button.primary type="submit" { (Icon::Search) "Search" }
                    @if asked.pairs().iter().any(|(_, value)| !value.is_empty()) { a.button href="/log" { "All" } }
                }
            }
        }
    }
}

fn rows(found: &Shown) -> Markup {
    html! {
        @if found.items.is_empty() {
            p.empty { @if found.next.is_some() { "Nothing so far; the search goes on on the next page." } @else { "Nothing of that kind." } }
        } @else {
            (outcomes(&found.items))
        }
    }
}

/// Rows as a table.
pub(super) fn outcomes<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Markup {
    html! {
        table.cards.log {
            caption.hidden { "Outcomes" }
            thead { tr {
                th scope="col" { "When" } th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "What became of it" }
                th scope="col" { "Size" } th scope="col" { "Took" }
            } }
            tbody { @for row in rows { (outcome(row)) } }
        }
    }
}

fn outcome(row: &Row) -> Markup {
    html! {
        tr {
            th scope="row" data-label="When" { (time(row.at)) }
            td.address data-label="From" { @if row.sender.is_empty() { "<>" } @else { bdi { (row.sender) } } }
            td.address data-label="To" {
                div { bdi { (row.recipient) } @if let Some(via) = &row.via { " " span.faint { "by way of " bdi { (via) } } }
                @if !row.places.is_empty() { ul.places aria-label="Went to" { @for place in &row.places { li { bdi { (place) } } } } } }
            }
            td data-label="What" {
                div {
                    span class={ "chip " (tone(row.status)) } { (words(row.status)) }
                    details.more { summary { bdi { (row.reply) } } (particulars(row)) }
                }
            }
            td.number data-label="Size" { @if row.size > 0 { (size(row.size)) } }
            td.number data-label="Took" { @if row.delay_ms > 0.0 { (format!("{:.1} ms", row.delay_ms)) } }
        }
    }
}

fn particulars(row: &Row) -> Markup {
    let line = |what: &str, value: &str| html! { @if !value.is_empty() { dt { (what) } dd.address { bdi { (value) } } } };
    html! {
        dl.particulars {
            (line("Id", &row.id.map(|id| id.to_string()).unwrap_or_default()))
            (line("Client", &row.client))
            (line("Protocol", &row.protocol))
            (line("Its own id there", row.upstream_id.as_deref().unwrap_or_default()))
            (line("Message-ID", row.message_id.as_deref().unwrap_or_default()))
            (line("Way", &row.trail))
        }
    }
}

/// A status in the panel's words.
pub(super) fn words(status: Status) -> &'static str {
    match status {
        Status::Delivered => "Delivered",
        Status::Waiting => "Accepted, waiting",
        Status::Discarded => "Thrown away",
        Status::Refused => "Refused",
        Status::Deferred => "Deferred",
        Status::Relayed => "Sent on",
        Status::Bounced => "Bounced",
    }
}

fn tone(status: Status) -> &'static str {
    match status {
        Status::Delivered | Status::Relayed => "good",
        Status::Discarded => "",
        Status::Waiting | Status::Deferred => "warn",
        Status::Refused | Status::Bounced => "bad",
    }
}
