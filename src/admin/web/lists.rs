//! List Accounts.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing};
use maud::{Markup, html};

use super::aliases::targets;
use super::form::{self, Errors};
use super::icon::Icon;
use super::layout::{Failure, Here, after, csrf, done, page, pages};
use super::listing::{Asked, Row, given, refused_page, search, seen};
use super::pops::{domain_field, domains_of};
use super::removal::{self, Question};
use super::visitor::{Fields, Sent, Visitor};
use super::{Answer, Panel};
use crate::admin::operations::{Match, Page, Paging, Run, domains, lists, pops};
use crate::admin::problem::{Kind, Problem};
use crate::directory::{Posting, Target};
use crate::mail::{Domain, Name};

const ROWS: usize = 50;

const FIELDS: [&str; 6] = ["name", "domain", "owner", "posting", "description", "targets"];

/// Members up to which they can be edited with their list; more have their page alone.
const FEW: u64 = 200;

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new()
        .route("/lists", routing::get(show).post(add))
        .route("/lists/{name}", routing::post(edit))
        .route("/lists/{name}/delete", routing::get(ask_delete).post(delete))
}

const POSTING: [(Posting, &str, &str); 4] = [
    (Posting::Anyone, "anyone", "Anyone"),
    (Posting::Members, "members", "Members"),
    (Posting::Owner, "owner", "The owner alone"),
    (Posting::Moderated, "moderated", "Anyone, if the owner approves"),
];

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    let row = match asked.edit.as_deref() {
        Some(name) => loaded(&visitor, name).await?,
        None => Row::of(None, Fields::default()),
    };
    Ok(whole(&visitor, &asked, &row).await?.into_response())
}

async fn loaded(visitor: &Visitor, name: &str) -> Result<Row<Name>, Failure> {
    let name = parsed(name)?;
    let (revision, list) = visitor.run(move |context, caller| lists::show_with_revision(context, caller, &name)).await?;
    let posting = POSTING.iter().find(|(posting, ..)| *posting == list.posting).map_or("", |(_, value, _)| value);
    let many = list.member_count > FEW;
    let members = if many { String::new() } else { list.members.iter().map(Target::to_string).collect::<Vec<_>>().join("\n") };
    let boxes = [("tag", list.tag), ("many", many)].into_iter().filter(|(_, ticked)| *ticked).map(|(name, _)| (name, "yes".to_owned()));
    let fields =
        [("owner", list.owner.to_string()), ("posting", posting.to_owned()), ("description", list.description), ("targets", members)];
    Ok(Row::of(Some((list.name, revision)), Fields::of(fields.into_iter().chain(boxes))))
}

pub(super) fn parsed(name: &str) -> Result<Name, Failure> {
    Name::parse(name).map_err(|error| Problem::new(Kind::NoSuchAccount, error.to_string()).into())
}

async fn whole(visitor: &Visitor, asked: &Asked, row: &Row<Name>) -> Result<Markup, Failure> {
    let paging = Paging { after: asked.after.clone(), limit: Some(ROWS) };
    let filter = pops::Filter { domain: None, search: given(&asked.search) };
    let found = visitor.run(move |context, caller| lists::list(context, caller, &paging, &filter)).await?;
    let homes = domains_of(visitor).await?;
    let body = html! {
        div.title { h1 { "List Accounts" } p { "A list hands each message on to all of its members." } }
        (done(&asked.done, &asked.about))
        (entry(visitor, row, &homes))
        (search("/lists", "Search list accounts", "Part of an address", &asked.search))
        (table(asked, &found))
    };
    Ok(page(visitor, Here::Lists, "List Accounts", &body))
}

fn entry(visitor: &Visitor, row: &Row<Name>, homes: &[domains::Shown]) -> Markup {
    let Row { edited, fields, errors } = row;
    let action = edited.as_ref().map_or_else(|| "/lists".to_owned(), |(name, _)| format!("/lists/{name}"));
    let options = POSTING.map(|(_, value, words)| (value.to_owned(), words.to_owned())).into();
    html! {
        section.entry #entry aria-labelledby="entry-title" {
            h2 #entry-title { @if let Some((name, _)) = edited { "Edit " (name) } @else { "Add a list account" } }
            form method="post" action=(action) {
                (csrf(visitor))
                (errors.general())
                @if let Some((_, revision)) = edited { input type="hidden" name="revision" value=(revision.0); }
                div.fields {
                    @if edited.is_none() {
                        (form::text("name", "List name", fields, errors).required().placeholder("team").hint("Unique on this server.").checked_by("/names"))
                        (domain_field(homes, fields, errors))
                    }
                    (form::text("owner", "Owner", fields, errors).required().placeholder("alice").hint("An account or an address."))
                    (form::choice("posting", "Who may post", options, fields, errors).class("narrow"))
                    (form::text("description", "Description", fields, errors).placeholder("All of us").hint("Shown by mail programs."))
                    @if fields.ticked("many") { input type="hidden" name="many" value="yes"; } @else { (form::lines("targets", "Members", fields, errors).placeholder("alice\nbob@elsewhere.example").hint("One a line: an account, or an address.")) }
                }
                (form::tick("tag", "Subjects begin with [name]", fields))
                div.buttons {
                    button.primary type="submit" { @if edited.is_none() { (Icon::Add) } "Update lists" }
                    @if edited.is_some() { a.button href="/lists" { "Cancel" } }
                }
            }
        }
    }
}

fn table(asked: &Asked, found: &Page<lists::Shown>) -> Markup {
    html! {
        div #rows data-live {
            @if found.items.is_empty() { p.empty { "No list account here." } } @else {
                table.cards {
                    caption.hidden { "List accounts" }
                    thead { tr { th scope="col" { "List account" } th scope="col" { "Address" } th scope="col" { "Owner" } th scope="col" { "Who may post" }
                        th scope="col" { "Members" } th scope="col" { span.hidden { "Actions" } } } }
                    tbody { @for list in &found.items { (line(list)) } }
                }
            }
            (pages("/lists", &[("search", &asked.search)], asked.after.as_deref(), found.next.as_deref()))
        }
    }
}

fn line(list: &lists::Shown) -> Markup {
    let name = list.name.as_str();
    let posting = POSTING.iter().find(|(posting, ..)| *posting == list.posting).map_or("", |(.., words)| words);
    html! {
        tr {
            th scope="row" data-label="List account" { strong { (name) } }
            td.address data-label="Address" { (list.address) }
            td data-label="Owner" { (list.owner) }
            td data-label="Who may post" {
                @if list.posting == Posting::Moderated { a href={ "/lists/" (name) "/held" } title="Messages that wait" { (posting) } } @else { (posting) }
            }
            td data-label="Members" {
                a href={ "/lists/" (name) "/members" } { (list.member_count) @if list.member_count == 1 { " member" } @else { " members" } }
                @if (1..=FEW).contains(&list.member_count) {
                    details.more { summary { "Show" } ul { @for member in &list.members { li.address { (member) } } } }
                }
            }
            td.actions {
                a.iconic href={ "/lists?edit=" (name) "#entry" } title="Edit" aria-label={ "Edit " (name) } { (Icon::Edit) }
                a.iconic.danger href={ "/lists/" (name) "/delete" } data-ask title="Delete" aria-label={ "Delete " (name) } { (Icon::Delete) }
            }
        }
    }
}

/// What a form says of a list, new or old.
struct Given {
    owner: Target,
    posting: Posting,
    description: String,
    tag: bool,
    members: Vec<Target>,
}

fn wanted(fields: &Fields, errors: &mut Errors) -> Option<Given> {
    let owner = errors.note("owner", Target::parse(fields.get("owner").trim()));
    let posting = POSTING.iter().find(|(_, value, _)| *value == fields.get("posting")).map(|(posting, ..)| *posting);
    let posting = errors.note("posting", posting.ok_or("Choose one of these."));
    let (description, tag) = (fields.get("description").trim().to_owned(), fields.ticked("tag"));
    Some(Given { members: targets(fields, "targets", errors), owner: owner?, posting: posting?, description, tag })
}

async fn add(Sent { visitor, fields }: Sent) -> Answer {
    let mut errors = Errors::default();
    let name = errors.note("name", Name::parse(fields.get("name").trim()));
    let domain = errors.note("domain", Domain::parse(fields.get("domain").trim()));
    let given = wanted(&fields, &mut errors);
    let (Some(name), Some(domain), Some(Given { owner, posting, description, tag, members }), true) =
        (name, domain, given, errors.is_empty())
    else {
        return refused(&visitor, &Asked::default(), Row { edited: None, fields, errors }).await;
    };
    let about = name.to_string();
    let new = lists::New { name, domain, owner, posting, members, description, tag };
    match visitor.run(move |context, caller| lists::add(context, caller, new)).await {
        Ok(_) => Ok(Redirect::to(&after("/lists", "added", &about)).into_response()),
        Err(problem) => {
            let errors = Errors::of(&problem, &FIELDS);
            refused(&visitor, &Asked::default(), Row { edited: None, fields, errors }).await
        }
    }
}

async fn refused(visitor: &Visitor, asked: &Asked, row: Row<Name>) -> Answer {
    Ok(refused_page(whole(visitor, asked, &row).await?))
}

async fn edit(Path(name): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let name = parsed(&name)?;
    let asked = Asked::editing(&name);
    let mut errors = Errors::default();
    let seen = seen(&fields, &mut errors);
    let given = wanted(&fields, &mut errors).filter(|_| errors.is_empty());
    let many = fields.ticked("many");
    let Some(Given { owner, posting, description, tag, members }) = given else {
        return refused(&visitor, &asked, Row { edited: Some((name, seen)), fields, errors }).await;
    };
    let wanted = name.clone();
    let outcome = visitor.run(move |context, caller| {
        let before = if many { Vec::new() } else { lists::show(context, caller, &wanted)?.members };
        let leave = before.iter().filter(|member| !members.contains(member)).cloned().collect();
        let join = members.into_iter().filter(|member| !before.contains(member)).collect();
        let edit = lists::Edit { owner: Some(owner), posting: Some(posting), description: Some(description), tag: Some(tag), join, leave };
        lists::edit(context, caller, &wanted, edit, Match::Revision(seen))
    });
    match outcome.await {
        Ok(_) => Ok(Redirect::to(&after("/lists", "changed", name.as_str())).into_response()),
        Err(problem) => {
            let errors = Errors::of(&problem, &FIELDS);
            refused(&visitor, &asked, Row { edited: Some((name, seen)), fields, errors }).await
        }
    }
}

async fn ask_delete(visitor: Visitor, Path(name): Path<String>) -> Answer {
    let name = parsed(&name)?;
    let wanted = name.clone();
    let removal = visitor.run(move |context, caller| lists::delete(context, caller, &wanted, Run::Dry, Match::Any)).await?;
    let action = format!("/lists/{name}/delete");
    let question = Question {
        here: Here::Lists,
        kind: "the list account",
        name: name.as_str(),
        action: &action,
        back: "/lists",
        note: "A list is not kept in the trash.",
    };
    Ok(removal::ask(&visitor, &question, &removal))
}

async fn delete(Path(name): Path<String>, Sent { visitor, .. }: Sent) -> Answer {
    let name = parsed(&name)?;
    let wanted = name.clone();
    visitor.run(move |context, caller| lists::delete(context, caller, &wanted, Run::Real, Match::Any)).await?;
    Ok(Redirect::to(&after("/lists", "removed", name.as_str())).into_response())
}
