//! POP Accounts as they are shown: the entry row, the search, the table.

use maud::{Markup, html};

use super::{Asked, DOMAINS, Row};
use crate::admin::operations::{Page, domains, pops};
use crate::admin::web::form::{self, Errors};
use crate::admin::web::icon::Icon;
use crate::admin::web::layout::{csrf, pages, size, time};
use crate::admin::web::visitor::{Fields, Visitor, encoded};
use crate::directory::{State as PopState, Suggestion, UNLIMITED};

/// A field for a domain: a choice where they fit into one, else typed.
pub(in crate::admin::web) fn domain_field<'a>(homes: &[domains::Shown], fields: &'a Fields, errors: &'a Errors) -> form::Field<'a> {
    if homes.is_empty() || homes.len() >= DOMAINS {
        return form::text("domain", "Domain", fields, errors).placeholder("example.org").required();
    }
    let options = homes.iter().map(|home| (home.domain.to_string(), home.unicode.clone())).collect();
    form::choice("domain", "Domain", options, fields, errors)
}

pub(super) fn entry(visitor: &Visitor, row: &Row, homes: &[domains::Shown]) -> Markup {
    let Row { edited, fields, errors, suggestion, .. } = row;
    let action = edited.as_ref().map_or_else(|| "/pops".to_owned(), |(name, _)| format!("/pops/{name}"));
    let title = edited.as_ref().map_or_else(|| "Add a POP account".to_owned(), |(name, _)| format!("Edit {name}"));
    html! {
        section.entry #entry aria-labelledby="entry-title" {
            h2 #entry-title { (title) }
            @if homes.is_empty() {
                p.notice { "There is no domain yet for an account to live in." @if visitor.is_admin() { " " a href="/domains" { "Add one first." } } }
            }
            form method="post" action=(action) {
                (csrf(visitor))
                (errors.general())
                @if let Some((_, revision)) = edited { input type="hidden" name="revision" value=(revision.0); }
                div.fields {
                    (name_field(edited.is_some(), fields, errors))
                    (domain_field(homes, fields, errors))
                    (form::text("owner", "Owner", fields, errors).placeholder("Name or purpose").required())
                    (password_field(edited.is_some(), errors))
                    (form::text("quota", "Quota", fields, errors).placeholder("default").class("narrow"))
                    @if edited.is_some() { (state_field(fields, errors)) }
                }
                (suggested(suggestion.as_ref()))
                div.buttons {
                    button.primary type="submit" { @if edited.is_none() { (Icon::Add) } "Update POPs" }
                    @if edited.is_some() {
                        a.button href="/pops" { "Cancel" }
                        @if let Some((name, _)) = edited { a href={ "/audit?about=" (name) } { "Its changes" } }
                        (form::tick("generate", "Reset the password to a generated one", fields))
                        (form::tick("keep_alias", "If the address changes, keep the old one as an alias", fields))
                    } @else {
                        (form::tick("generate", "Generate the password, and show it once", fields))
                    }
                }
            }
        }
    }
}

fn name_field<'a>(edited: bool, fields: &'a Fields, errors: &'a Errors) -> form::Field<'a> {
    let field = form::text("name", "User name", fields, errors).required().placeholder("alice");
    if edited {
        field.hint("Unique on this server. Another name keeps the mail.").focused()
    } else {
        field.hint("Unique on this server.").checked_by("/names")
    }
}

fn password_field(edited: bool, errors: &Errors) -> form::Field<'_> {
    let hint = if edited { "Hidden: it can only be changed or reset." } else { "6 characters at least, no spaces." };
    form::password("password", "Password", errors).autocomplete("new-password").hint(hint)
}

fn state_field<'a>(fields: &'a Fields, errors: &'a Errors) -> form::Field<'a> {
    let options = [("active", "allowed"), ("suspended", "suspended")].map(|(value, words)| (value.to_owned(), words.to_owned()));
    form::choice("state", "Logins", options.into(), fields, errors).class("narrow")
}

fn suggested(suggestion: Option<&Suggestion>) -> Markup {
    html! {
        @if let Some(Suggestion { name, alias }) = suggestion {
            div.suggestion role="status" {
                p { "Take a more unique name: the POP account " strong { (name) } ", and the alias " strong { (alias) } " that leads to it." }
                button type="submit" name="suggest" value="yes" { (Icon::Bolt) "Create " (name) " with that alias" }
                p.hint { "Type the password again first: it is not kept." }
            }
        }
    }
}

pub(super) fn search(asked: &Asked) -> Markup {
    html! {
        form.search method="get" action="/pops" role="search" {
            label.hidden for="search" { "Search POP accounts" }
            span.lens { (Icon::Search) }
            input #search type="search" name="search" value=(asked.search) placeholder="Name, owner or address" autocomplete="off";
            @if !asked.domain.is_empty() { input type="hidden" name="domain" value=(asked.domain); }
            button type="submit" { "Search" }
            @if !asked.search.is_empty() || !asked.domain.is_empty() { a.button href="/pops" { "All" } }
            @if !asked.domain.is_empty() { span.chip { "in " (asked.domain) } }
        }
    }
}

pub(super) fn table(asked: &Asked, found: &Page<pops::Shown>) -> Markup {
    html! {
        div #rows data-live {
            @if found.items.is_empty() {
                p.empty { @if found.next.is_some() { "Nothing so far; the search goes on on the next page." } @else { "No POP account here." } }
            } @else {
                table.cards {
                    caption.hidden { "POP accounts" }
                    thead {
                        tr { th scope="col" { "POP account" } th scope="col" { "Owner" } th scope="col" { "Domain" }
                            th scope="col" { "Aliases to POP" } th scope="col" { "Size / quota" } th scope="col" { "Last login" }
                            th scope="col" { span.hidden { "Actions" } a.iconic href="/pops#entry" title="Add" aria-label="Add a POP account" { (Icon::Add) } } }
                    }
                    tbody { @for pop in &found.items { (line(pop, asked.edit.as_deref() == Some(pop.name.as_str()))) } }
                }
            }
            (pages("/pops", &[("search", &asked.search), ("domain", &asked.domain)], asked.after.as_deref(), found.next.as_deref()))
        }
    }
}

fn line(pop: &pops::Shown, edited: bool) -> Markup {
    let name = pop.name.as_str();
    html! {
        tr.edited[edited] {
            th scope="row" data-label="POP account" {
                strong { (name) }
                @if pop.state == PopState::Suspended { " " span.chip.warn { "suspended" } }
            }
            td data-label="Owner" { bdi { (pop.owner) } }
            td data-label="Domain" { a.plain href={ "/pops?domain=" (pop.domain) } { (pop.domain.unicode()) } }
            td.aliases data-label="Aliases to POP" {
                ul {
                    li { span.address { (pop.hidden_alias) } " " span.chip title="It belongs to the account, and changes only with it" { "hidden" } }
                    @for alias in &pop.aliases { li { a.plain.address href={ "/aliases?edit=" (encoded(&alias.to_string())) } { (alias) } } }
                }
            }
            td.number data-label="Size / quota" { (usage(pop)) }
            td data-label="Last login" { (last_login(pop)) }
            td.actions {
                a.iconic href={ "/pops?edit=" (encoded(name)) "#entry" } title="Edit" aria-label={ "Edit " (name) } { (Icon::Edit) }
                a.iconic href={ "/trace?address=" (encoded(&pop.hidden_alias.to_string())) } title="Trace" aria-label={ "Trace mail to " (name) } { (Icon::Route) }
                a.iconic href={ "/pops/" (name) "/handling" } title="Copies and vacation" aria-label={ "Copies and vacation of " (name) } { (Icon::Copy) }
                a.iconic.danger href={ "/pops/" (name) "/delete" } data-ask title="Delete" aria-label={ "Delete " (name) } { (Icon::Delete) }
            }
        }
    }
}

/// A quota for people, and as the form takes it.
pub(super) fn quota(octets: u64) -> String {
    if octets == UNLIMITED { "unlimited".to_owned() } else { size(octets) }
}

fn usage(pop: &pops::Shown) -> Markup {
    let full = |quota: u64, used: u64| used.saturating_mul(100).checked_div(quota).unwrap_or(100).min(100);
    html! {
        @match (pop.size, pop.quota) {
            (None, _) => span.chip.warn { "unreadable" },
            (Some(used), None | Some(UNLIMITED)) => (size(used)),
            (Some(used), Some(quota)) => {
                (size(used)) " / " (size(quota))
                meter min="0" max="100" high="90" value=(full(quota, used)) aria-label="Share of the quota that is used" { (full(quota, used)) " %" }
            }
        }
        @if let Some(messages) = pop.messages.filter(|count| *count > 0) { div.faint { (messages) @if messages == 1 { " message" } @else { " messages" } } }
    }
}

fn last_login(pop: &pops::Shown) -> Markup {
    html! { @if let Some(at) = pop.last_login { (time(at)) } @else { span.faint { "never" } } }
}
