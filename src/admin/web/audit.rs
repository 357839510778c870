//! Audit: who changed what, when.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing};
use maud::{Markup, html};
use serde::Deserialize;

use super::icon::Icon;
use super::layout::{Here, csrf, done, page, pages, time};
use super::removal::effects;
use super::visitor::{Sent, Visitor};
use super::{Answer, Panel};
use crate::admin::operations::audit::{Difference, Shown};
use crate::admin::operations::{Paging, audit};
use crate::directory::Revision;

const ROWS: usize = 50;

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new().route("/audit", routing::get(show)).route("/audit/{revision}/undo", routing::post(undo))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    about: String,
    actor: String,
    after: Option<String>,
    done: String,
    about_done: String,
}

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let paging = Paging { after: asked.after.clone(), limit: Some(ROWS) };
    let filter = audit::Filter { about: given(&asked.about), actor: given(&asked.actor) };
    let found = visitor.run(move |context, caller| audit::list(context, caller, &paging, &filter)).await?;
    let body = html! {
        div.title { h1 { "Audit" } p { @if visitor.is_admin() { "Every change, newest first." } @else { "Your changes, and those in your domains, newest first." } } }
        (done(&asked.done, &asked.about_done))
        form.search method="get" action="/audit" role="search" {
            label.hidden for="about" { "Changes of an account, an address or a domain" }
            span.lens { (Icon::Search) }
            input #about type="search" name="about" value=(asked.about) placeholder="Account, address or domain" autocomplete="off";
            @if visitor.is_admin() {
                label.hidden for="actor" { "Changes made by" }
                input #actor type="search" name="actor" value=(asked.actor) placeholder="Made by" autocomplete="off";
            }
            button type="submit" { "Search" }
            @if !asked.about.is_empty() || !asked.actor.is_empty() { a.button href="/audit" { "All" } }
        }
        @if found.items.is_empty() {
            p.empty { @if found.next.is_some() { "Nothing so far; the search goes on on the next page." } @else { "No such change." } }
        } @else {
            table.cards {
                caption.hidden { "Changes" }
                thead { tr { th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "Revision" } th scope="col" { span.hidden { "Undo" } } } }
                tbody {
                    @for entry in &found.items {
                        tr {
                            th scope="row" data-label="When" { (time(entry.at)) }
                            td data-label="Who" { (entry.actor) @if let Some(from) = entry.from { div.faint { (from) } } }
                            td data-label="What" { div { (effects(&entry.effects)) (differences(&entry.differences)) (stays(entry)) } }
                            td.number data-label="Revision" { (entry.revision.0) }
                            td.actions { @if entry.can_be_undone { (undo_form(&visitor, entry)) } }
                        }
                    }
                }
            }
        }
        (pages("/audit", &[("about", &asked.about), ("actor", &asked.actor)], asked.after.as_deref(), found.next.as_deref()))
    };
    Ok(page(&visitor, Here::Audit, "Audit", &body).into_response())
}

/// What was before, and what after.
fn differences(differences: &[Difference]) -> Markup {
    let value = |value: &Option<String>| html! { @match value.as_deref() { Some("") | None => span.faint { "nothing" }, Some(text) => bdi { (text) } } };
    html! {
        @if !differences.is_empty() {
            details.more {
                summary { "Before and after" }
                dl.particulars {
                    @for difference in differences {
                        dt { (difference.record) ", " (difference.field) }
                        dd { del { (value(&difference.before)) } " → " ins { (value(&difference.after)) } }
                    }
                }
            }
        }
    }
}

/// Why it cannot be undone.
fn stays(entry: &Shown) -> Markup {
    html! {
        @if let Some(why) = &entry.stays_because {
            details.more { summary { "Cannot be undone" } p.faint { "Why: " (why) "." } }
        }
    }
}

fn undo_form(visitor: &Visitor, entry: &Shown) -> Markup {
    html! {
        form method="post" action={ "/audit/" (entry.revision.0) "/undo" } {
            (csrf(visitor))
            button type="submit" aria-label={ "Undo change " (entry.revision.0) } { (Icon::Restore) "Undo" }
        }
    }
}

async fn undo(Path(revision): Path<u64>, Sent { visitor, .. }: Sent) -> Answer {
    visitor.run(move |context, caller| audit::undo(context, caller, Revision(revision))).await?;
    Ok(Redirect::to(&format!("/audit?done=undone&about_done=Change+{revision}")).into_response())
}
