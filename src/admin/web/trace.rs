//! Test & Trace: where mail to an address goes, where it would go, and a real message on its way.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{self, Errors};
use super::icon::Icon;
use super::layout::{Failure, Here, csrf, page};
use super::visitor::{Fields, Sent, Visitor};
use super::{Answer, Panel, Shared};
use crate::admin::cli::probe::{self, Probe};
use crate::admin::operations::{fetch, trace};
use crate::admin::problem::{Kind, Problem};
use crate::mail::Name;

/// How long a test message is followed.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new().route("/trace", routing::get(show)).route("/trace/test", routing::post(test))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    address: String,
    from: String,
    without: String,
}

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    whole(&visitor, &asked, None).await
}

async fn whole(visitor: &Visitor, asked: &Asked, probe: Option<Result<Probe, String>>) -> Result<Response, Failure> {
    let (traced, errors) = match traced(visitor, asked).await {
        Ok(traced) => (traced, Errors::default()),
        Err(problem) => (None, Errors::of(&problem, &["address", "from", "without"])),
    };
    let fields = Fields::of([("address", asked.address.clone()), ("from", asked.from.clone()), ("without", asked.without.clone())]);
    let body = html! {
        div.title { h1 { "Test & Trace" } p { "What the server says to a recipient, and why: the same function answers every RCPT." } }
        section.entry {
            form method="get" action="/trace" {
                (errors.general())
                div.fields {
                    (form::text("address", "Mail to", &fields, &errors).required().placeholder("info@example.org").focused())
                    (form::text("from", "From", &fields, &errors).placeholder("nobody"))
                    (form::text("without", "What if this POP account were deleted?", &fields, &errors).placeholder("alice"))
                }
                div.buttons { button.primary type="submit" { (Icon::Route) "Trace" } }
            }
        }
        @if let Some(traced) = &traced { (trail(visitor, asked, traced)) }
        @if let Some(probe) = &probe { (followed(probe)) }
    };
    Ok(page(visitor, Here::Trace, "Test & Trace", &body).into_response())
}

async fn traced(visitor: &Visitor, asked: &Asked) -> Result<Option<trace::Shown>, Problem> {
    let Asked { address, from, without } = asked.clone();
    if address.trim().is_empty() {
        return Ok(None);
    }
    let without = Some(without.trim()).filter(|name| !name.is_empty()).map(Name::parse).transpose();
    let without = without.map_err(|error| Problem::new(Kind::BadValue, error.to_string()).at("without"))?;
    let run = visitor.run(move |context, caller| {
        let sender = Some(from.trim()).filter(|sender| !sender.is_empty());
        trace::show_without(context, caller, address.trim(), sender, without.as_ref())
    });
    run.await.map(Some)
}

fn trail(visitor: &Visitor, asked: &Asked, traced: &trace::Shown) -> Markup {
    let class = if traced.code < 300 {
        "good"
    } else if traced.code < 500 {
        "later"
    } else {
        "bad"
    };
    html! {
        section.trail aria-labelledby="trail" {
            h2 #trail { "Mail to " bdi { (traced.recipient) } @if !asked.without.trim().is_empty() { ", if " (asked.without) " were deleted" } }
            p class={ "reply " (class) } { code { (traced.reply) } }
            ol.steps { @for step in &traced.steps { li { span.question { bdi { (step.question) } } span.answer { bdi { (step.answer) } } } } }
            @if !(traced.mailboxes.is_empty() && traced.relays.is_empty() && traced.lists.is_empty()) {
                h3 { "It ends in" }
                ul.ends {
                    @for mailbox in &traced.mailboxes { li { (Icon::Mailbox) strong { (mailbox.name) } " " code { (mailbox.path.display()) } } }
                    @for relay in &traced.relays { li { (Icon::Send) "sent on to " bdi { (relay) } } }
                    @for list in &traced.lists { li { (Icon::Send) "to the members of " bdi { (list) } } }
                }
            }
            @if asked.without.trim().is_empty() {
                form.buttons method="post" action="/trace/test" {
                    (csrf(visitor))
                    input type="hidden" name="address" value=(asked.address);
                    button type="submit" { (Icon::Send) "Send test" }
                    p.hint { "A real message, from nobody, over SMTP." }
                }
            }
        }
    }
}

async fn test(State(panel): Shared, Sent { visitor, fields }: Sent) -> Answer {
    let asked = Asked { address: fields.get("address").trim().to_owned(), ..Asked::default() };
    // Whoever may not see where it goes may not send it there either.
    if let Err(problem) = traced(&visitor, &asked).await {
        return Err(problem.into());
    }
    let Some(smtp) = panel.smtp else {
        return whole(&visitor, &asked, Some(Err("This server does not listen for SMTP (smtp.listen).".to_owned()))).await;
    };
    let recent = panel.login.context().recent.clone();
    let ask = async |id| Ok(recent.as_ref().and_then(|recent| recent.find(id)).map(|found| (*found).clone()));
    let mut probe = probe::send(ask, probe::reachable(smtp), &asked.address, PATIENCE).await;
    if let Ok(Probe { id: Some(id), delivered: true, .. }) = &probe
        && let (id, true) = (*id, visitor.is_admin())
    {
        // Where POP3 does not listen, nobody could call for it.
        let fetched = visitor.run(move |context, caller| fetch::fetch(context, caller, id)).await.unwrap_or_default();
        probe.iter_mut().for_each(|probe| probe.called_for(fetched.clone()));
    }
    whole(&visitor, &asked, Some(probe.map_err(|failure| failure.line))).await
}

fn followed(probe: &Result<Probe, String>) -> Markup {
    html! {
        section.trail aria-labelledby="test" {
            h2 #test { "The test message" }
            @match probe {
                Err(why) => p.error role="alert" { (why) },
                Ok(probe) => {
                    ol.hops { @for hop in &probe.hops { li { span.ms { (format!("{:.1} ms", hop.ms)) } span { bdi { (hop.what) } } } } }
                    p class={ "reply " (if probe.code() < 400 { "good" } else { "bad" }) } { code { (probe.reply) } }
                    @if !probe.files.is_empty() { ul.ends { @for file in &probe.files { li { (Icon::Mailbox) code { (file.display()) } } } } }
                    @for onward in &probe.onward { p { "In the queue for " bdi { (onward) } "." } }
                    @if probe.delivered && probe.files.is_empty() && probe.onward.is_empty() { p { "Thrown away, as the alias says (discard)." } }
                    @if !probe.delivered && probe.code() < 400 { p.notice { "It was accepted, and is not in its mailbox yet: it is safe in the spool, and the log says what it waits for." } }
                }
            }
        }
    }
}
