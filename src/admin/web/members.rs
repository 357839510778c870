//! Members of a list account.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{self, Errors};
use super::icon::Icon;
use super::layout::{Here, after, csrf, done, page, pages, time};
use super::lists::parsed;
use super::visitor::{Fields, Sent, Visitor};
use super::{Answer, Panel};
use crate::admin::operations::{Match, Page, Paging, lists, members};
use crate::admin::problem::Problem;
use crate::directory::{Seat, Target};
use crate::mail::Name;

const ROWS: usize = 50;

pub(super) fn routes() -> Router<Arc<Panel>> {
    let adding = routing::get(show).post(add).layer(DefaultBodyLimit::max(members::FILE_OCTETS));
    Router::new().route("/lists/{name}/members", adding).route("/lists/{name}/members/seat", routing::post(seat))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    search: String,
    suspended: Option<String>,
    after: Option<String>,
    done: String,
    about: String,
}

async fn show(visitor: Visitor, Path(name): Path<String>, Query(asked): Query<Asked>) -> Answer {
    let name = parsed(&name)?;
    Ok(whole(&visitor, &name, &asked, &Fields::default(), &Errors::default(), None).await?.into_response())
}

async fn whole(
    visitor: &Visitor,
    name: &Name,
    asked: &Asked,
    fields: &Fields,
    errors: &Errors,
    report: Option<&members::Report>,
) -> Result<Markup, Problem> {
    let paging = Paging { after: asked.after.clone(), limit: Some(ROWS) };
    let search = Some(asked.search.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = members::Filter { search, suspended: asked.suspended.is_some() };
    let wanted = name.clone();
    let found = visitor.run(move |context, caller| {
        let list = lists::show(context, caller, &wanted)?;
        Ok((list, members::list(context, caller, &wanted, &paging, &filter)?))
    });
    let (list, found) = found.await?;
    let here = format!("/lists/{name}/members");
    let body = html! {
        div.title { h1 { "Members of " (name) } p { (list.address) ": " (list.member_count) " in all. " a href="/lists" { "All list accounts" } } }
        (done(&asked.done, &asked.about))
        @if let Some(report) = report { (told(report)) }
        section.entry aria-labelledby="entry-title" {
            h2 #entry-title { "Add members" }
            form method="post" action=(here) {
                (csrf(visitor))
                (errors.general())
                div.fields { (form::lines("lines", "Members", fields, errors).required().placeholder("alice\nbob@elsewhere.example").hint("One a line: an account, or an address. Thousands may be pasted.")) }
                (form::tick("skip", "Leave bad lines out", fields))
                div.buttons { button.primary type="submit" { (Icon::Add) "Add members" } }
            }
        }
        form.search method="get" action=(here) role="search" {
            label.hidden for="search" { "Search members" }
            span.lens { (Icon::Search) }
            input #search type="search" name="search" value=(asked.search) placeholder="Part of a name or address" autocomplete="off";
            label.tick { input type="checkbox" name="suspended" value="yes" checked[asked.suspended.is_some()]; span { "Suspended" } }
            button type="submit" { "Search" }
            @if !asked.search.is_empty() || asked.suspended.is_some() { a.button href=(here) { "All" } }
        }
        (table(visitor, &here, asked, &found))
    };
    Ok(page(visitor, Here::Lists, "Members", &body))
}

fn told(report: &members::Report) -> Markup {
    html! {
        div role="alert" {
            p.error { (report.refused) " bad lines: " @if report.joined == 0 { "nobody joined." } @else { (report.joined) " others joined." } }
            ul { @for complaint in report.complaints.iter().take(ROWS) { li { "Line " (complaint.line) ": " (complaint.why) } } }
        }
    }
}

fn table(visitor: &Visitor, here: &str, asked: &Asked, found: &Page<members::Shown>) -> Markup {
    let suspended = asked.suspended.as_deref().unwrap_or_default();
    html! {
        div #rows data-live {
            @if found.items.is_empty() { p.empty { "No member here." } } @else {
                table.cards {
                    caption.hidden { "Members" }
                    thead { tr { th scope="col" { "Member" } th scope="col" { "State" } th scope="col" { "Joined" } th scope="col" { "Came back" }
                        th scope="col" { span.hidden { "Actions" } } } }
                    tbody { @for shown in &found.items { (line(visitor, here, shown)) } }
                }
            }
            (pages(here, &[("search", &asked.search), ("suspended", suspended)], asked.after.as_deref(), found.next.as_deref()))
        }
    }
}

fn line(visitor: &Visitor, here: &str, shown: &members::Shown) -> Markup {
    let member = shown.member.to_string();
    let active = shown.seat == Seat::Active;
    let button = |what: &str, words: &str| {
        html! {
            form method="post" action={ (here) "/seat" } {
                (csrf(visitor))
                input type="hidden" name="member" value=(member);
                input type="hidden" name="what" value=(what);
                button type="submit" aria-label={ (words) " " (member) } { (words) }
            }
        }
    };
    html! {
        tr {
            th.address scope="row" data-label="Member" { (member) }
            td data-label="State" {
                @match &shown.seat { Seat::Active => "Active", Seat::Suspended { since, why } => { "Suspended " (time(*since)) ": " (why) } }
            }
            td data-label="Joined" { (time(shown.joined)) }
            td data-label="Came back" {
                @if let Some(bounces) = &shown.bounces { (bounces.days.len()) " days for good, " (bounces.soft) " times for now (" (bounces.status) ")" } @else { "Nothing" }
            }
            td.actions {
                @if active { (button("suspend", "Suspend")) } @else { (button("resume", "Resume")) }
                (button("remove", "Remove"))
            }
        }
    }
}

async fn add(Path(name): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let name = parsed(&name)?;
    let (wanted, text) = (name.clone(), fields.get("lines").to_owned());
    let bad = if fields.ticked("skip") { members::Bad::Skip } else { members::Bad::Refuse };
    let outcome = visitor.run(move |context, caller| members::import(context, caller, &wanted, &text, bad)).await;
    match outcome {
        Ok(report) if report.refused == 0 => {
            Ok(Redirect::to(&after(&format!("/lists/{name}/members"), "changed", name.as_str())).into_response())
        }
        Ok(report) => {
            let shown = whole(&visitor, &name, &Asked::default(), &fields, &Errors::default(), Some(&report)).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, shown).into_response())
        }
        Err(problem) => {
            let errors = Errors::of(&problem, &["lines"]);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, whole(&visitor, &name, &Asked::default(), &fields, &errors, None).await?).into_response())
        }
    }
}

async fn seat(Path(name): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let name = parsed(&name)?;
    let refused = |why: String| Problem::new(crate::admin::problem::Kind::BadValue, why);
    let member = Target::parse(fields.get("member")).map_err(|error| refused(error.to_string()))?;
    let (wanted, what, about) = (name.clone(), fields.get("what").to_owned(), member.to_string());
    let outcome = visitor.run(move |context, caller| match what.as_str() {
        "suspend" => members::suspend(context, caller, &wanted, members::Which { member }).map(|_| "changed"),
        "resume" => members::seat(context, caller, &wanted, members::Which { member }, Seat::Active).map(|_| "changed"),
        "remove" => lists::edit(context, caller, &wanted, lists::Edit::leaving(member), Match::Any).map(|_| "removed"),
        _ => Err(Problem::new(crate::admin::problem::Kind::BadValue, "the form is incomplete: load the page again".into())),
    });
    let done = outcome.await?;
    Ok(Redirect::to(&after(&format!("/lists/{name}/members"), done, &about)).into_response())
}
