//! Postings that wait for the owner of a moderated list.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Failure, Here, after, csrf, done, page, size, time};
use super::lists::parsed;
use super::visitor::{Sent, Visitor};
use super::{Answer, Panel};
use crate::admin::operations::held;
use crate::admin::problem::{Kind, Problem};
use crate::mail::{Name, QueueId};

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new().route("/lists/{name}/held", routing::get(show).post(decide))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    done: String,
    about: String,
}

async fn show(visitor: Visitor, Path(name): Path<String>, Query(asked): Query<Asked>) -> Answer {
    let name = parsed(&name)?;
    let wanted = name.clone();
    let found = visitor.run(move |context, caller| held::list(context, caller, &wanted)).await?;
    let body = html! {
        div.title { h1 { "Held for " (name) } p { "Messages that wait until somebody approves of them. " a href="/lists" { "All list accounts" } } }
        (done(&asked.done, &asked.about))
        div #rows {
            @if found.is_empty() { p.empty { "No message waits." } } @else {
                table.cards {
                    caption.hidden { "Messages that wait" }
                    thead { tr { th scope="col" { "Subject" } th scope="col" { "From" } th scope="col" { "Size" } th scope="col" { "Since" }
                        th scope="col" { "Thrown away" } th scope="col" { span.hidden { "Actions" } } } }
                    tbody { @for posting in &found { (line(&visitor, &name, posting)) } }
                }
            }
        }
    };
    Ok(page(&visitor, Here::Lists, "Held messages", &body).into_response())
}

fn line(visitor: &Visitor, name: &Name, posting: &held::Shown) -> Markup {
    let id = posting.id.to_string();
    html! {
        tr {
            th scope="row" data-label="Subject" { bdi { (posting.subject) } }
            td.address data-label="From" { (posting.from) @if posting.from != posting.sender { br; (posting.sender) } }
            td data-label="Size" { (size(posting.size)) }
            td data-label="Since" { (time(posting.since)) }
            td data-label="Thrown away" { (time(posting.until)) }
            td.actions {
                form method="post" action={ "/lists/" (name) "/held" } {
                    (csrf(visitor))
                    input type="hidden" name="id" value=(id);
                    button.primary type="submit" name="what" value="approve" aria-label={ "Approve " (id) } { "Approve" }
                    label { span { "Tell the author" } input type="text" name="reason" autocomplete="off"; }
                    button type="submit" name="what" value="refuse" aria-label={ "Refuse " (id) } { "Refuse" }
                }
            }
        }
    }
}

async fn decide(Path(name): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let name = parsed(&name)?;
    let refused = |why: &str| Failure::from(Problem::new(Kind::BadValue, why.to_owned()));
    let id = QueueId::parse(fields.get("id")).map_err(|_| refused("the form is incomplete: load the page again"))?;
    let reason = fields.given("reason").map(str::to_owned);
    let what = fields.get("what").to_owned();
    let decided = visitor.run(move |context, caller| match what.as_str() {
        "approve" => held::approve(context, caller, id).map(|_| "changed"),
        _ => held::refuse(context, caller, id, held::Refusal { reason }).map(|_| "removed"),
    });
    let done = decided.await?;
    Ok(Redirect::to(&after(&format!("/lists/{name}/held"), done, &id.to_string())).into_response())
}
