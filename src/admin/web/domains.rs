//! Domains: admins add, give away and delete them; owners see theirs.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing};
use maud::{Markup, html};

use super::form::{self, Errors};
use super::icon::Icon;
use super::layout::{Failure, Here, after, csrf, done, page, pages, time};
use super::listing::{Asked, Row, given, refused_page, search, seen};
use super::removal::{self, Question};
use super::visitor::{Fields, Sent, Visitor};
use super::{Answer, Panel};
use crate::admin::operations::{Match, Page, Paging, Run, domains, masters};
use crate::admin::problem::{Kind, Problem};
use crate::mail::{Domain, Name};

const ROWS: usize = 50;

const FIELDS: [&str; 2] = ["domain", "owner"];

/// Masters that are offered to choose from.
const MASTERS: usize = 500;

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new()
        .route("/domains", routing::get(show).post(add))
        .route("/domains/{domain}", routing::post(edit))
        .route("/domains/{domain}/delete", routing::get(ask_delete).post(delete))
}

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    let row = match asked.edit.as_deref() {
        Some(domain) => loaded(&visitor, domain).await?,
        None => Row::of(None, Fields::default()),
    };
    Ok(whole(&visitor, &asked, &row).await?.into_response())
}

async fn loaded(visitor: &Visitor, domain: &str) -> Result<Row<Domain>, Failure> {
    let domain = parsed(domain)?;
    let (revision, shown) = visitor.run(move |context, caller| domains::show_with_revision(context, caller, &domain)).await?;
    let fields = Fields::of([("owner", shown.owner.map(|owner| owner.to_string()).unwrap_or_default())]);
    Ok(Row::of(Some((shown.domain, revision)), fields))
}

fn parsed(domain: &str) -> Result<Domain, Failure> {
    Domain::parse(domain).map_err(|error| Problem::new(Kind::NoSuchDomain, error.to_string()).into())
}

async fn whole(visitor: &Visitor, asked: &Asked, row: &Row<Domain>) -> Result<Markup, Failure> {
    let paging = Paging { after: asked.after.clone(), limit: Some(ROWS) };
    let filter = domains::Filter { search: given(&asked.search) };
    let found = visitor.run(move |context, caller| domains::list(context, caller, &paging, &filter)).await?;
    let owners = if visitor.is_admin() { owners(visitor).await? } else { Vec::new() };
    let body = html! {
        div.title { h1 { "Domains" } p { "Mail is taken for the domains that stand here." } }
        (done(&asked.done, &asked.about))
        @if visitor.is_admin() { (entry(visitor, row, owners)) }
        (search("/domains", "Search domains", "Part of a domain", &asked.search))
        (table(visitor, asked, &found))
    };
    Ok(page(visitor, Here::Domains, "Domains", &body))
}

async fn owners(visitor: &Visitor) -> Result<Vec<(String, String)>, Failure> {
    let paging = Paging { after: None, limit: Some(MASTERS) };
    let all = visitor.run(move |context, caller| masters::list(context, caller, &paging)).await?.items;
    let nobody = std::iter::once((String::new(), "admins only".to_owned()));
    Ok(nobody.chain(all.into_iter().map(|master| (master.name.to_string(), master.name.to_string()))).collect())
}

fn entry(visitor: &Visitor, row: &Row<Domain>, owners: Vec<(String, String)>) -> Markup {
    let Row { edited, fields, errors } = row;
    let action = edited.as_ref().map_or_else(|| "/domains".to_owned(), |(domain, _)| format!("/domains/{domain}"));
    html! {
        section.entry #entry aria-labelledby="entry-title" {
            h2 #entry-title { @if let Some((domain, _)) = edited { "Edit " (domain.unicode()) } @else { "Add a domain" } }
            form method="post" action=(action) {
                (csrf(visitor))
                (errors.general())
                @if let Some((_, revision)) = edited { input type="hidden" name="revision" value=(revision.0); }
                div.fields {
                    @if edited.is_none() { (form::text("domain", "Domain", fields, errors).required().placeholder("example.org")) }
                    (form::choice("owner", "Managed by", owners, fields, errors).hint("The master that sees and changes what lives in it, beside the admins."))
                }
                div.buttons {
                    button.primary type="submit" { @if edited.is_none() { (Icon::Add) } "Update domains" }
                    @if edited.is_some() { a.button href="/domains" { "Cancel" } }
                }
            }
        }
    }
}

fn table(visitor: &Visitor, asked: &Asked, found: &Page<domains::Shown>) -> Markup {
    html! {
        div #rows data-live {
            @if found.items.is_empty() { p.empty { "No domain here." } } @else {
                table.cards {
                    caption.hidden { "Domains" }
                    thead { tr { th scope="col" { "Domain" } th scope="col" { "Managed by" } th scope="col" { "Since" } th scope="col" { span.hidden { "Actions" } } } }
                    tbody { @for shown in &found.items { (line(visitor, shown)) } }
                }
            }
            (pages("/domains", &[("search", &asked.search)], asked.after.as_deref(), found.next.as_deref()))
        }
    }
}

fn line(visitor: &Visitor, shown: &domains::Shown) -> Markup {
    let domain = shown.domain.as_str();
    html! {
        tr {
            th scope="row" data-label="Domain" {
                a.plain href={ "/pops?domain=" (domain) } { strong { (shown.unicode) } }
                @if shown.unicode != domain { " " span.faint.address { (domain) } }
            }
            td data-label="Managed by" { @if let Some(owner) = &shown.owner { (owner) } @else { span.faint { "admins only" } } }
            td data-label="Since" { (time(shown.created)) }
            td.actions {
                @if visitor.is_admin() {
                    a.iconic href={ "/domains?edit=" (domain) "#entry" } title="Edit" aria-label={ "Edit " (domain) } { (Icon::Edit) }
                    a.iconic.danger href={ "/domains/" (domain) "/delete" } data-ask title="Delete" aria-label={ "Delete " (domain) } { (Icon::Delete) }
                }
            }
        }
    }
}

fn owner(fields: &Fields, errors: &mut Errors) -> Option<Name> {
    fields.given("owner").and_then(|name| errors.note("owner", Name::parse(name)))
}

async fn add(Sent { visitor, fields }: Sent) -> Answer {
    let mut errors = Errors::default();
    let domain = errors.note("domain", Domain::parse(fields.get("domain").trim()));
    let owner = owner(&fields, &mut errors);
    let (Some(domain), true) = (domain, errors.is_empty()) else {
        return refused(&visitor, &Asked::default(), Row { edited: None, fields, errors }).await;
    };
    let about = domain.to_string();
    match visitor.run(move |context, caller| domains::add(context, caller, domains::New { domain, owner })).await {
        Ok(_) => Ok(Redirect::to(&after("/domains", "added", &about)).into_response()),
        Err(problem) => {
            let errors = Errors::of(&problem, &FIELDS);
            refused(&visitor, &Asked::default(), Row { edited: None, fields, errors }).await
        }
    }
}

async fn refused(visitor: &Visitor, asked: &Asked, row: Row<Domain>) -> Answer {
    Ok(refused_page(whole(visitor, asked, &row).await?))
}

async fn edit(Path(domain): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let domain = parsed(&domain)?;
    let asked = Asked::editing(&domain);
    let mut errors = Errors::default();
    let (seen, owner) = (seen(&fields, &mut errors), owner(&fields, &mut errors));
    let (wanted, edit) = (domain.clone(), domains::Edit { owner });
    let outcome = if errors.is_empty() {
        visitor.run(move |context, caller| domains::edit(context, caller, &wanted, edit, Match::Revision(seen))).await
    } else {
        return refused(&visitor, &asked, Row { edited: Some((domain, seen)), fields, errors }).await;
    };
    match outcome {
        Ok(_) => Ok(Redirect::to(&after("/domains", "changed", domain.as_str())).into_response()),
        Err(problem) => {
            let errors = Errors::of(&problem, &FIELDS);
            refused(&visitor, &asked, Row { edited: Some((domain, seen)), fields, errors }).await
        }
    }
}

async fn ask_delete(visitor: Visitor, Path(domain): Path<String>) -> Answer {
    let domain = parsed(&domain)?;
    let wanted = domain.clone();
    let removal = visitor.run(move |context, caller| domains::delete(context, caller, &wanted, true, Run::Dry, Match::Any)).await?;
    let action = format!("/domains/{domain}/delete");
    let note = "Its POP accounts stay in the trash for a while; they can come back when the domain does.";
    let question = Question { here: Here::Domains, kind: "the domain", name: domain.as_str(), action: &action, back: "/domains", note };
    Ok(removal::ask(&visitor, &question, &removal))
}

async fn delete(Path(domain): Path<String>, Sent { visitor, .. }: Sent) -> Answer {
    let domain = parsed(&domain)?;
    let wanted = domain.clone();
    visitor.run(move |context, caller| domains::delete(context, caller, &wanted, true, Run::Real, Match::Any)).await?;
    Ok(Redirect::to(&after("/domains", "removed", domain.as_str())).into_response())
}
