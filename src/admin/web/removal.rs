//! The page between "delete" and its doing: everything that will go, and the question.

use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::icon::Icon;
use super::layout::{Here, csrf, page};
use super::visitor::Visitor;
use crate::admin::cli::output::describe;
use crate::admin::operations::Removal;
use crate::directory::Effect;

/// A question before something is removed.
pub struct Question<'a> {
    /// Where in the menu it belongs.
    pub here: Here,
    /// What is to be removed: `the POP account`.
    pub kind: &'a str,
    /// Which.
    pub name: &'a str,
    /// What the form is sent to.
    pub action: &'a str,
    /// Where "no" leads.
    pub back: &'a str,
    /// What else is worth knowing.
    pub note: &'a str,
}

/// Asks, showing what goes.
pub fn ask(visitor: &Visitor, question: &Question<'_>, removal: &Removal) -> Response {
    let title = format!("Delete {} {}?", question.kind, question.name);
    page(visitor, question.here, &title, &body(visitor, question, removal)).into_response()
}

fn body(visitor: &Visitor, question: &Question<'_>, removal: &Removal) -> Markup {
    html! {
        section.confirm data-confirm {
            h1 { "Delete " (question.kind) " " bdi { (question.name) } "?" }
            p { "All of this goes, at once:" }
            div.scroll tabindex="0" role="region" aria-label="What goes" { (effects(&removal.effects)) }
            @if !question.note.is_empty() { p.note { (question.note) } }
            form.buttons method="post" action=(question.action) {
                (csrf(visitor))
                button.danger type="submit" { (Icon::Delete) "Delete " (question.name) }
                a.button href=(question.back) data-cancel { "Keep it" }
            }
        }
    }
}

/// Effects, one a line.
pub fn effects(effects: &[Effect]) -> Markup {
    html! {
        ul.effects {
            @for effect in effects { li { bdi { (describe(effect, "")) } } }
        }
    }
}
