//! The last day of an owner's domains on its dashboard, from the delivery log.

use maud::{Markup, html};

use super::super::icon::Icon;
use super::super::log::outcomes;
use super::{LATEST, tile};
use crate::admin::operations::log::Day;
use crate::ledger::Status;

/// What the tiles count together: words, statuses, the picture, and the rows that a tile leads to.
const TILES: [(&str, &[Status], Icon, &str); 3] = [
    ("delivered in 24 hours", &[Status::Delivered, Status::Relayed, Status::Discarded], Icon::Check, "/log?status=delivered&since=day"),
    ("waiting, or put off", &[Status::Waiting, Status::Deferred], Icon::Clock, "/log?status=deferred&since=day"),
    ("refused, or came back", &[Status::Refused, Status::Bounced], Icon::Leave, "/log?status=refused&since=day"),
];

/// The tiles.
pub fn tiles(day: &Day) -> Markup {
    let sum = |statuses: &[Status]| day.rows.iter().filter(|row| statuses.contains(&row.status)).count();
    let number = |count: usize| if day.more { format!("{count}+") } else { count.to_string() };
    html! { @for (words, statuses, icon, place) in TILES { (tile(icon, words, &number(sum(statuses)), Some(place))) } }
}

/// What came last.
pub fn latest(day: &Day) -> Markup {
    html! {
        section aria-labelledby="messages" {
            h2 #messages { "Latest messages" }
            div data-live {
                @if day.rows.is_empty() { p.empty { "No message has come in the last 24 hours." } } @else { (outcomes(day.rows.iter().take(LATEST))) }
            }
        }
    }
}
