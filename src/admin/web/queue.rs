//! Queue: mail that waits, why, and what can be done about it.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing};
use maud::{Markup, html};
use serde::Deserialize;

use super::icon::Icon;
use super::layout::{Here, csrf, page, pages, size, time};
use super::visitor::{Sent, Visitor, encoded};
use super::{Answer, Panel};
use crate::admin::operations::Paging;
use crate::admin::operations::queue::{self, Action, Changed, Filter, Report, Shown, Summary, Tried, Waiting, Why};
use crate::admin::problem::{Kind, Problem};
use crate::mail::QueueId;

const ROWS: usize = 50;

/// Recipients that a row names.
const NAMED: usize = 3;

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new()
        .route("/queue", routing::get(show).post(retry_all))
        .route("/queue/{id}", routing::get(one))
        .route("/queue/{id}/{action}", routing::post(act))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    destination: String,
    sender: String,
    held: String,
    after: Option<String>,
    done: String,
}

impl Asked {
    fn filter(&self) -> Filter {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Filter { destination: given(&self.destination), sender: given(&self.sender), recipient: None, held: !self.held.is_empty() }
    }

    fn pairs(&self) -> [(&'static str, &str); 3] {
        [("destination", &self.destination), ("sender", &self.sender), ("held", &self.held)]
    }
}

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    let (filter, paging) = (asked.filter(), Paging { after: asked.after.clone(), limit: Some(ROWS) });
    let found = visitor.run(move |context, caller| queue::list(context, caller, &paging, &filter)).await?;
    let summary = if visitor.is_admin() { Some(visitor.run(queue::summary).await?) } else { None };
    let body = html! {
        div.title { h1 { "Queue" } p { "Mail that waits" @if !visitor.is_admin() { " and involves your domains" } ", oldest first." } }
        (told(&asked.done))
        @if let Some(summary) = &summary { (overview(&visitor, summary)) }
        (search(&asked))
        @if found.items.is_empty() {
            p.empty { @if found.next.is_some() { "Nothing so far; the search goes on on the next page." } @else { "Nothing waits." } }
        } @else {
            table.cards {
                caption.hidden { "Messages that wait" }
                thead { tr {
                    th scope="col" { "Message" } th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "State" }
                    th scope="col" { "Size" } th scope="col" { span.hidden { "Actions" } }
                } }
                tbody { @for shown in &found.items { (row(&visitor, shown)) } }
            }
        }
        (pages("/queue", &asked.pairs(), asked.after.as_deref(), found.next.as_deref()))
    };
    Ok(page(&visitor, Here::Queue, "Queue", &body).into_response())
}

/// What has been done. It comes from the address, so only words known here are shown.
fn told(done: &str) -> Markup {
    let words = match done {
        "retry" => "It is tried now.",
        "retry-all" => "Everything that waits is tried now.",
        "hold" => "It is held until it is released.",
        "release" => "It was released, and is tried now.",
        "cancel" => "It was removed from the queue; its sender hears of it.",
        _ => return html! {},
    };
    html! { p.done role="status" { (Icon::Check) span { (words) } } }
}

fn overview(visitor: &Visitor, summary: &Summary) -> Markup {
    html! {
        div.tiles data-live {
            div.tile { (Icon::Clock) span.value { (summary.waiting) } span.words { "recipients wait" } }
            div.tile { (Icon::Signpost) span.value { (summary.held) } span.words { "are held" } }
            div.tile { (Icon::Mailbox) span.value { (summary.mailboxes) } span.words { "copies wait for a mailbox" } }
            @if let Some(oldest) = summary.oldest { div.tile { (Icon::Gauge) span.value { (time(oldest)) } span.words { "the oldest came" } } }
        }
        @if !summary.destinations.is_empty() {
            section aria-labelledby="destinations" {
                h2 #destinations { "By destination" }
                ul.places { @for load in &summary.destinations {
                    li {
                        a href={ "/queue?destination=" (encoded(&load.destination)) } { bdi { (load.destination) } } " " (load.recipients)
                        @if let Some(until) = load.down_until { " · " span.chip.warn { "not reached, next try " (time(until)) } }
                    }
                } }
            }
        }
        @if summary.waiting > 0 {
            form.buttons method="post" action="/queue" { (csrf(visitor)) button type="submit" { (Icon::Send) "Try everything now" } }
        }
    }
}

fn search(asked: &Asked) -> Markup {
    html! {
        form.search method="get" action="/queue" role="search" {
            label.hidden for="destination" { "Messages to a destination" }
            span.lens { (Icon::Search) }
            input #destination type="search" name="destination" value=(asked.destination) placeholder="Destination" autocomplete="off";
            label.hidden for="sender" { "Messages from a sender" }
            input #sender type="search" name="sender" value=(asked.sender) placeholder="Sender, @domain or <>" autocomplete="off";
            label.tick { input type="checkbox" name="held" value="yes" checked[!asked.held.is_empty()]; span { "held" } }
            button type="submit" { "Search" }
            @if asked.pairs().iter().any(|(_, value)| !value.is_empty()) { a.button href="/queue" { "All" } }
        }
    }
}

fn row(visitor: &Visitor, shown: &Shown) -> Markup {
    let last = shown.recipients.iter().filter_map(|recipient| recipient.attempts.last()).max_by_key(|attempt| attempt.at);
    let next = shown.recipients.iter().filter_map(|recipient| recipient.next).min();
    html! {
        tr {
            th scope="row" data-label="Message" { div { a href={ "/queue/" (shown.id) } { (shown.id) } div.faint { (time(shown.arrived)) } } }
            td.address data-label="From" { (sender(shown)) }
            td.address data-label="To" { ul {
                @for recipient in shown.recipients.iter().take(NAMED) { li { bdi { (recipient.address) } } }
                @if shown.recipients.len() > NAMED { li { "and " (shown.open.saturating_sub(NAMED as u32)) " more" } }
            } }
            td data-label="State" { div {
                (chip(shown))
                @if let Some(next) = next { div.faint { "next try " (time(next)) } }
                @if let Some(last) = last { div { bdi { (last.reply) } } }
            } }
            td.number data-label="Size" { (size(shown.size)) }
            td.actions { (buttons(visitor, shown)) }
        }
    }
}

fn sender(shown: &Shown) -> Markup {
    html! { @if shown.kind == Why::Mailbox { span.faint { "a copy" } } @else if shown.sender.is_empty() { "<>" } @else { bdi { (shown.sender) } } }
}

fn is_held(shown: &Shown) -> bool {
    shown.recipients.iter().any(|recipient| recipient.state == Tried::Held)
}

fn chip(shown: &Shown) -> Markup {
    let words = match (shown.kind, is_held(shown)) {
        (Why::Mailbox, _) => "waits for its mailbox",
        (_, true) => "held",
        (Why::Report, false) => "a report, waiting",
        (Why::List, false) => "a list's, waiting",
        (Why::Relay | Why::Made, false) => "waiting",
    };
    html! { span.chip.warn { (words) } }
}

/// A copy for a mailbox is tried by itself, and never thrown away.
fn buttons(visitor: &Visitor, shown: &Shown) -> Markup {
    let button = |action: &str, words: &str, icon: Icon| {
        html! {
            form method="post" action={ "/queue/" (shown.id) "/" (action) } {
                (csrf(visitor))
                button type="submit" aria-label={ (words) " " (shown.id) } { (icon) (words) }
            }
        }
    };
    html! {
        @if shown.kind != Why::Mailbox {
            @if is_held(shown) { (button("release", "Release", Icon::Send)) } @else {
                (button("retry", "Retry", Icon::Send))
                (button("hold", "Hold", Icon::Clock))
            }
            (button("cancel", "Cancel", Icon::Delete))
        }
    }
}

async fn one(visitor: Visitor, Path(id): Path<String>) -> Answer {
    let id = parsed(&id)?;
    let shown = visitor.run(move |context, caller| queue::show(context, caller, id)).await?;
    let body = html! {
        div.title { h1 { (shown.id) } p { "From " (sender(&shown)) ", " (size(shown.size)) ", accepted " (time(shown.arrived)) "." } }
        p { (chip(&shown)) " " (shown.open) " of " (shown.total) " recipients are open." }
        div.buttons { (buttons(&visitor, &shown)) }
        @for recipient in &shown.recipients { (particulars(recipient)) }
        p { a.button href="/queue" { "To the queue" } }
    };
    Ok(page(&visitor, Here::Queue, "Queue", &body).into_response())
}

fn particulars(recipient: &Waiting) -> Markup {
    html! {
        section {
            h2 { bdi { (recipient.address) } }
            dl.particulars {
                @if let Some(original) = &recipient.original { dt { "For" } dd.address { bdi { (original) } } }
                dt { "Destination" } dd { bdi { (recipient.destination) } }
                dt { "Attempts" } dd { (recipient.tries) }
                @if let Some(next) = recipient.next { dt { "Next attempt" } dd { (time(next)) } }
            }
            @if !recipient.attempts.is_empty() {
                table.cards {
                    caption.hidden { "Attempts" }
                    thead { tr { th scope="col" { "When" } th scope="col" { "With" } th scope="col" { "Status" } th scope="col" { "What was said" } } }
                    tbody { @for attempt in recipient.attempts.iter().rev() {
                        tr {
                            th scope="row" data-label="When" { (time(attempt.at)) }
                            td.address data-label="With" { bdi { (attempt.remote) } }
                            td data-label="Status" { (attempt.status) }
                            td data-label="What was said" { bdi { (attempt.reply) } }
                        }
                    } }
                }
            }
        }
    }
}

async fn act(Path((id, action)): Path<(String, String)>, Sent { visitor, .. }: Sent) -> Answer {
    let id = parsed(&id)?;
    let what = action.clone();
    let done = visitor.run(move |context, caller| -> Result<Changed, Problem> {
        match what.as_str() {
            "retry" => queue::act(context, caller, id, Action::Retry),
            "hold" => queue::act(context, caller, id, Action::Hold),
            "release" => queue::act(context, caller, id, Action::Release),
            "cancel" => queue::cancel(context, caller, id, Report::Sender),
            other => Err(Problem::new(Kind::NoSuchResource, format!("a message cannot be asked to `{other}`"))),
        }
    });
    done.await?;
    Ok(Redirect::to(&format!("/queue?done={}", encoded(&action))).into_response())
}

async fn retry_all(Sent { visitor, .. }: Sent) -> Answer {
    visitor.run(queue::retry_all).await?;
    Ok(Redirect::to("/queue?done=retry-all").into_response())
}

fn parsed(id: &str) -> Result<QueueId, Problem> {
    QueueId::parse(id).map_err(|error| Problem::new(Kind::NoSuchMessage, error.to_string()))
}
