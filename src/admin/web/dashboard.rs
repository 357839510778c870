//! The dashboard: how the server is, and what happened last.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Router, routing};
use jiff::Timestamp;
use maud::{Markup, html};

use super::icon::Icon;
use super::layout::{Here, page, size, time};
use super::removal::effects;
use super::visitor::Visitor;
use super::{Answer, Panel, Shared};
use crate::admin::operations::status::{self, Status};
use crate::admin::operations::{Paging, audit, log};
use crate::telemetry::meter;

mod day;
mod own;

/// Messages, and changes, that are shown.
const LATEST: usize = 8;

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new().route("/", routing::get(show))
}

async fn show(State(panel): Shared, visitor: Visitor) -> Answer {
    let connections = panel.service.limits.total();
    let status = visitor.run(status::show).await?;
    let paging = Paging { after: None, limit: Some(LATEST) };
    let changes = visitor.run(move |context, caller| audit::list(context, caller, &paging, &audit::Filter::default())).await?;
    let day = match visitor.is_admin() {
        true => None,
        false => Some(visitor.run(|context, caller| log::day(context, caller, Timestamp::now())).await?),
    };
    let body = html! {
        div.title { h1 { "Good to see you, " (visitor.name()) } p { "This is " strong { (status.hostname) } "." } }
        div.tiles data-live {
            (tile(Icon::Mailbox, "POP accounts", &count(status.pops), Some("/pops")))
            (tile(Icon::Globe, "Domains", &count(status.domains), Some("/domains")))
            @if let Some(day) = &day { (own::tiles(day)) }
            @if visitor.is_admin() {
                (tile(Icon::Send, "Connections", &connections.to_string(), None))
                @if let Some(disk) = status.disk { (disk_tile(disk)) }
            }
        }
        @if visitor.is_admin() { (day::charts(&meter().minutes.day(day::PART, day::TOP))) (latest(&status)) }
        @if let Some(day) = &day { (own::latest(day)) }
        section aria-labelledby="changes" {
            h2 #changes { "Latest changes" }
            @if changes.items.is_empty() { p.empty { "Nothing was changed yet." } }
            ol.timeline { @for entry in &changes.items { li { (time(entry.at)) " " strong { (entry.actor) } (effects(&entry.effects)) } } }
        }
    };
    Ok(page(&visitor, Here::Dashboard, "Dashboard", &body).into_response())
}

/// A number that may be more than was counted.
fn count(counted: status::Count) -> String {
    if counted.more { format!("{}+", counted.number) } else { counted.number.to_string() }
}

fn tile(icon: Icon, words: &str, value: &str, place: Option<&str>) -> Markup {
    let inside = html! { (icon) span.value { (value) } span.words { (words) } };
    html! { @if let Some(place) = place { a.tile href=(place) { (inside) } } @else { div.tile { (inside) } } }
}

fn disk_tile(disk: status::Disk) -> Markup {
    let used = disk.total.saturating_sub(disk.free);
    let share = used.saturating_mul(100).checked_div(disk.total).unwrap_or_default();
    html! {
        div.tile {
            (Icon::Gauge) span.value { (size(disk.free)) } span.words { "free for mail" }
            meter min="0" max="100" high="90" value=(share) aria-label="Share of the disk that is used" { (share) " %" }
        }
    }
}

fn latest(status: &Status) -> Markup {
    html! {
        section aria-labelledby="messages" {
            h2 #messages { "Latest messages" }
            div data-live {
                @if status.deliveries.is_empty() { p.empty { "No message has come since the server started." } } @else {
                    table.cards {
                        caption.hidden { "Latest messages" }
                        thead { tr { th scope="col" { "When" } th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "Size" } th scope="col" { "Reply" } } }
                        tbody {
                            @for delivery in &status.deliveries {
                                tr {
                                    th scope="row" data-label="When" { (time(delivery.stored)) }
                                    td.address data-label="From" { @if delivery.sender.is_empty() { "<>" } @else { bdi { (delivery.sender) } } }
                                    td.address data-label="To" { ul { @for landing in delivery.landings.iter().take(3) { li { bdi { (landing.recipient) } } }
                                        @if delivery.landings.len() > 3 { li { "and " (delivery.landings.len() - 3) " more" } } } }
                                    td.number data-label="Size" { (size(delivery.size)) }
                                    td data-label="Reply" { @if let Some(landing) = delivery.landings.first() { (landing.reply) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
