//! What pages share that have an entry row above a table: what their address says, what stands in the row, and its way back.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::Errors;
use super::icon::Icon;
use super::visitor::Fields;
use crate::directory::Revision;

/// What the address of the page says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// What is looked for.
    pub search: String,
    /// Where the page begins.
    pub after: Option<String>,
    /// What is to be edited.
    pub edit: Option<String>,
    /// What was done just now, and with what.
    pub done: String,
    /// The latter.
    pub about: String,
}

impl Asked {
    /// The page on which this is edited.
    pub fn editing(what: &impl ToString) -> Self {
        Self { edit: Some(what.to_string()), ..Self::default() }
    }
}

/// What the entry row is for, and what stands in it.
pub struct Row<K> {
    /// What is edited, and as of when; none where something is added.
    pub edited: Option<(K, Revision)>,
    /// What was typed, or what there is.
    pub fields: Fields,
    /// What is wrong with it.
    pub errors: Errors,
}

impl<K> Row<K> {
    /// With nothing wrong.
    pub fn of(edited: Option<(K, Revision)>, fields: Fields) -> Self {
        Self { edited, fields, errors: Errors::default() }
    }
}

/// The revision that a form was made of. Without one, nobody can tell whether something came in between.
pub fn seen(fields: &Fields, errors: &mut Errors) -> Revision {
    let revision = errors.note("", fields.get("revision").parse().map_err(|_| "The form is incomplete: load the page again."));
    Revision(revision.unwrap_or_default())
}

/// A page whose form was refused.
pub fn refused_page(page: Markup) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

/// What is looked for, if anything is.
pub fn given(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A search with one field.
pub fn search(place: &str, label: &str, placeholder: &str, typed: &str) -> Markup {
    html! {
        form.search method="get" action=(place) role="search" {
            label.hidden for="search" { (label) }
            span.lens { (Icon::Search) }
            input #search type="search" name="search" value=(typed) placeholder=(placeholder) autocomplete="off";
            button type="submit" { "Search" }
            @if !typed.is_empty() { a.button href=(place) { "All" } }
        }
    }
}
