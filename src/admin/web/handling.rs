//! What happens with a POP account's mail beside its delivery: copies, and replies while its owner is away.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;

use super::aliases::targets;
use super::form::{self, Errors};
use super::layout::{Failure, Here, after, csrf, done, page};
use super::visitor::{Fields, Sent, Visitor};
use super::{Answer, Panel};
use crate::admin::operations::handling;
use crate::admin::problem::{Kind, Problem};
use crate::directory::{Target, Vacation};
use crate::mail::Name;

const FIELDS: [&str; 4] = ["targets", "text", "from", "until"];

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new().route("/pops/{name}/handling", routing::get(show).post(update))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    done: String,
    about: String,
}

fn parsed(name: &str) -> Result<Name, Failure> {
    Name::parse(name).map_err(|error| Problem::new(Kind::NoSuchAccount, error.to_string()).into())
}

async fn show(visitor: Visitor, Path(name): Path<String>, Query(asked): Query<Asked>) -> Answer {
    let name = parsed(&name)?;
    let wanted = name.clone();
    let shown = visitor.run(move |context, caller| handling::show(context, caller, &wanted)).await?;
    let day = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.to_zoned(TimeZone::UTC).date().to_string());
    let vacation = shown.vacation.as_ref();
    let fields = Fields::of([
        ("targets", shown.copies.iter().map(Target::to_string).collect::<Vec<_>>().join("\n")),
        ("text", vacation.map_or_else(String::new, |vacation| vacation.text.clone())),
        ("from", day(vacation.and_then(|vacation| vacation.from))),
        ("until", day(vacation.and_then(|vacation| vacation.until))),
    ]);
    Ok(whole(&visitor, &name, &asked, &fields, &Errors::default()).into_response())
}

fn whole(visitor: &Visitor, name: &Name, asked: &Asked, fields: &Fields, errors: &Errors) -> Markup {
    let body = html! {
        div.title { h1 { "Mail to " (name) } p { "What happens with it beside its delivery. " a href="/pops" { "All POP accounts" } } }
        (done(&asked.done, &asked.about))
        section.entry aria-labelledby="entry-title" {
            h2 #entry-title { "Copies and vacation" }
            form method="post" action={ "/pops/" (name) "/handling" } {
                (csrf(visitor))
                (errors.general())
                div.fields {
                    (form::lines("targets", "Copies to", fields, errors).placeholder("bob\nme@elsewhere.example").hint("One a line: another POP account, or an address elsewhere. The account keeps its own."))
                    (form::lines("text", "Vacation reply", fields, errors).placeholder("I am away until Monday.").hint("Empty: no reply. Each sender is told once in seven days."))
                    (form::day("from", "From", fields, errors).hint("Empty: at once."))
                    (form::day("until", "Until", fields, errors).hint("Empty: until it is switched off."))
                }
                div.buttons { button.primary type="submit" { "Update" } a.button href="/pops" { "Cancel" } }
            }
        }
    };
    page(visitor, Here::Pops, "Copies and vacation", &body)
}

/// What the form says of a vacation; no words, no vacation.
fn vacation(fields: &Fields, errors: &mut Errors) -> Option<Vacation> {
    let mut day = |name: &str| {
        let given = fields.given(name)?;
        let at = given.parse::<Date>().and_then(|date| date.to_zoned(TimeZone::UTC)).map(|zoned| zoned.timestamp());
        errors.note(name, at.map_err(|_| "Give a date such as 2027-01-31."))
    };
    let (from, until) = (day("from"), day("until"));
    fields.given("text").map(|text| Vacation { text: text.to_owned(), from, until })
}

async fn update(Path(name): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let name = parsed(&name)?;
    let mut errors = Errors::default();
    let copies = targets(&fields, "targets", &mut errors);
    let vacation = vacation(&fields, &mut errors);
    if errors.is_empty() {
        let wanted = name.clone();
        let outcome = visitor.run(move |context, caller| {
            handling::set_copies(context, caller, &wanted, handling::Copies { copies })?;
            handling::set_vacation(context, caller, &wanted, vacation)
        });
        match outcome.await {
            Ok(_) => return Ok(Redirect::to(&after(&format!("/pops/{name}/handling"), "changed", name.as_str())).into_response()),
            Err(problem) => errors = Errors::of(&problem, &FIELDS),
        }
    }
    Ok((StatusCode::UNPROCESSABLE_ENTITY, whole(&visitor, &name, &Asked::default(), &fields, &errors)).into_response())
}
