//! What all pages share: head, menu, messages, pages of a listing; and the page that says why there is none.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

use super::icon::{self, Icon};
use super::visitor::{Visitor, encoded};
use crate::admin::problem::Problem;

/// The entries of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Here {
    Dashboard,
    Pops,
    Aliases,
    Lists,
    Domains,
    Masters,
    Trash,
    Log,
    Queue,
    Trace,
    Audit,
    Account,
}

struct Entry {
    here: Here,
    words: &'static str,
    place: &'static str,
    icon: Icon,
    admins_only: bool,
}

const fn entry(here: Here, words: &'static str, place: &'static str, icon: Icon) -> Entry {
    Entry { here, words, place, icon, admins_only: false }
}

/// The menu: headings, and what stands below each.
const MENU: [(&str, &[Entry]); 4] = [
    ("", &[entry(Here::Dashboard, "Dashboard", "/", Icon::Gauge)]),
    (
        "Email Management",
        &[
            entry(Here::Pops, "POP Accounts", "/pops", Icon::Mailbox),
            entry(Here::Aliases, "Aliases", "/aliases", Icon::Signpost),
            entry(Here::Lists, "List Accounts", "/lists", Icon::People),
        ],
    ),
    (
        "Server",
        &[
            entry(Here::Domains, "Domains", "/domains", Icon::Globe),
            Entry { admins_only: true, ..entry(Here::Masters, "Masters", "/masters", Icon::Key) },
            entry(Here::Trash, "Trash", "/trash", Icon::Trash),
        ],
    ),
    (
        "Look inside",
        &[
            entry(Here::Queue, "Queue", "/queue", Icon::Send),
            entry(Here::Log, "Log", "/log", Icon::Lines),
            entry(Here::Trace, "Test & Trace", "/trace", Icon::Route),
            entry(Here::Audit, "Audit", "/audit", Icon::Clock),
        ],
    ),
];

/// A page of the panel.
pub fn page(visitor: &Visitor, here: Here, title: &str, body: &Markup) -> Markup {
    let inside = html! {
        a.skip href="#content" { "To the content" }
        div.frame {
            header.side {
                a.brand href="/" { (icon::stamp()) span { "Restante" } }
                a.button.open-menu href="#menu" { (Icon::Menu) "Menu" }
                (menu(visitor, here))
            }
            main #content tabindex="-1" { (body) }
        }
        footer.foot { "Restante " (env!("CARGO_PKG_VERSION")) " · " a href="/api/openapi.json" { "API" } }
    };
    document(title, "inside", &inside)
}

fn menu(visitor: &Visitor, here: Here) -> Markup {
    html! {
        nav #menu aria-label="Main" {
            @for (heading, entries) in MENU {
                @if !heading.is_empty() { h2 { (heading) } }
                ul {
                    @for entry in entries.iter().filter(|entry| !entry.admins_only || visitor.is_admin()) {
                        li { a href=(entry.place) aria-current=[(entry.here == here).then_some("page")] { (entry.icon) span { (entry.words) } } }
                    }
                }
            }
            div.whoami {
                a href="/account" aria-current=[(here == Here::Account).then_some("page")] { (Icon::Person) span { (visitor.name()) } }
                button.quiet type="button" data-theme-switch hidden title="Light or dark" aria-label="Light or dark" { (Icon::Moon) }
                form method="post" action="/logout" {
                    (csrf(visitor))
                    button.quiet type="submit" title="Log out" aria-label="Log out" { (Icon::Leave) }
                }
            }
        }
    }
}

/// A page without the menu.
pub fn bare(title: &str, body: &Markup) -> Markup {
    document(title, "outside", &html! { main #content { (body) } })
}

fn document(title: &str, class: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Restante" }
                link rel="icon" href="/assets/stamp.svg" type="image/svg+xml";
                link rel="stylesheet" href={ "/assets/panel.css?" (env!("CARGO_PKG_VERSION")) };
                script src={ "/assets/panel.js?" (env!("CARGO_PKG_VERSION")) } defer {}
            }
            body class=(class) { (body) }
        }
    }
}

/// The token that every form of a session carries.
pub fn csrf(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name="csrf" value=(visitor.csrf()); }
}

/// What has been done, said on the page that follows. `what` comes from the address, so only words known here are shown.
pub fn done(what: &str, about: &str) -> Markup {
    let words = match what {
        "added" => "was added.",
        "changed" => "was changed.",
        "deleted" => "was deleted. It can be brought back from the trash.",
        "removed" => "was removed.",
        "restored" => "is back, with its mail.",
        "undone" => "was taken back.",
        "password" => "has a new password.",
        _ => return html! {},
    };
    html! { p.done role="status" { (Icon::Check) span { strong { bdi { (about) } } " " (words) } } }
}

/// The place to go to after something was done.
pub fn after(place: &str, what: &str, about: &str) -> String {
    format!("{place}?done={what}&about={}", encoded(about))
}

/// A password or token that is shown this once.
pub fn shown_once(what: &str, secret: &str) -> Markup {
    html! {
        div.once role="status" {
            p { (what) " It is shown this once: keep it now." }
            p.secret { code { (secret) } button type="button" data-copy=(secret) hidden { (Icon::Copy) "Copy" } }
        }
    }
}

/// The way to the next page of a listing, and back to the first.
pub fn pages(place: &str, query: &[(&str, &str)], after: Option<&str>, next: Option<&str>) -> Markup {
    let address = |after: Option<&str>| {
        let pairs = query.iter().copied().chain(after.map(|after| ("after", after))).filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        if pairs.is_empty() { place.to_owned() } else { format!("{place}?{}", pairs.join("&")) }
    };
    html! {
        @if after.is_some() || next.is_some() {
            nav.pages aria-label="Pages" {
                @if after.is_some() { a href=(address(None)) { (Icon::First) "First page" } }
                @if let Some(next) = next { a href=(address(Some(next))) { "Next page" (Icon::Next) } }
            }
        }
    }
}

/// A time for people, exact to the second where they ask for it.
pub fn time(at: Timestamp) -> Markup {
    let zoned = at.to_zoned(TimeZone::UTC);
    html! { time datetime=(at) title=(zoned.strftime("%Y-%m-%d %H:%M:%S UTC")) { (zoned.strftime("%-d %b %Y, %H:%M")) } }
}

/// Octets for people.
pub fn size(octets: u64) -> String {
    bytesize::ByteSize(octets).display().iec().to_string()
}

/// Why there is no page.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    title: String,
    detail: String,
}

impl Failure {
    /// In these words.
    pub fn new(status: StatusCode, title: &str, detail: String) -> Self {
        Self { status, title: title.to_owned(), detail }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, title: problem.title, detail: problem.detail }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = html! {
            div.login {
                (icon::stamp())
                h1 { (self.title) }
                p { (self.detail) }
                p { a.button href="/" { "To the dashboard" } }
            }
        };
        (self.status, bare(&self.title, &body)).into_response()
    }
}
