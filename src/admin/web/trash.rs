//! Trash: deleted POP accounts, and the way back.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::IntoResponse;
use axum::{Router, routing};
use maud::{Markup, html};
use serde::Deserialize;

use super::icon::Icon;
use super::layout::{Failure, Here, csrf, done, page, pages, time};
use super::removal::effects;
use super::visitor::{Sent, Visitor};
use super::{Answer, Panel};
use crate::admin::operations::{Paging, pops, trash};
use crate::admin::problem::{Kind, Problem};
use crate::directory::AccountId;
use crate::mail::Name;

/// Rows of one page.
const ROWS: usize = 50;

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new().route("/trash", routing::get(show)).route("/trash/{name}", routing::post(restore))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    after: Option<String>,
    done: String,
    about: String,
}

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    Ok(whole(&visitor, asked.after, done(&asked.done, &asked.about)).await?.into_response())
}

async fn whole(visitor: &Visitor, after: Option<String>, message: Markup) -> Result<Markup, Failure> {
    let paging = Paging { after: after.clone(), limit: Some(ROWS) };
    let deleted = visitor.run(move |context, caller| trash::list(context, caller, &paging)).await?;
    let body = html! {
        div.title { h1 { "Trash" } p { "Deleted POP accounts are kept for a while, with their mail." } }
        (message)
        @if deleted.items.is_empty() { p.empty { "The trash is empty." } } @else {
            table.cards {
                caption.hidden { "Deleted POP accounts" }
                thead { tr { th scope="col" { "POP account" } th scope="col" { "Owner" } th scope="col" { "Domain" } th scope="col" { "Deleted" }
                    th scope="col" { "Comes back with" } th scope="col" { span.hidden { "Actions" } } } }
                tbody { @for shown in &deleted.items { (line(visitor, shown)) } }
            }
        }
        (pages("/trash", &[], after.as_deref(), deleted.next.as_deref()))
    };
    Ok(page(visitor, Here::Trash, "Trash", &body))
}

fn line(visitor: &Visitor, shown: &trash::Shown) -> Markup {
    html! {
        tr {
            th scope="row" data-label="POP account" { strong { (shown.name) } }
            td data-label="Owner" { bdi { (shown.owner) } }
            td data-label="Domain" { (shown.domain.unicode()) }
            td data-label="Deleted" { (time(shown.deleted)) }
            td data-label="Comes back with" {
                @if shown.entries.is_empty() { span.faint { "its hidden alias" } } @else {
                    ul { @for entry in &shown.entries { li.address { (entry.address) " → " (entry.target) } } }
                }
            }
            td.actions {
                form method="post" action={ "/trash/" (shown.name) } {
                    (csrf(visitor))
                    input type="hidden" name="id" value=(shown.id.0);
                    button type="submit" aria-label={ "Restore " (shown.name) } { (Icon::Restore) "Restore" }
                }
            }
        }
    }
}

async fn restore(Path(name): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let name = Name::parse(&name).map_err(|error| Problem::new(Kind::NotInTrash, error.to_string()))?;
    let which = pops::Restore { id: fields.get("id").parse().ok().map(AccountId) };
    let restored = visitor.run(move |context, caller| pops::restore(context, caller, &name, which)).await;
    let message = match restored {
        Ok(restored) => html! {
            (done("restored", restored.pop.name.as_str()))
            details.notice { summary { "What came back" } (effects(&restored.effects)) }
        },
        Err(problem) => html! { p.error role="alert" { (problem.detail) } },
    };
    Ok(whole(&visitor, None, message).await?.into_response())
}
