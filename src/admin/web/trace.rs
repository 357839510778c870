//! Test & Trace: where mail to an address goes, where it would go, and a real message on its way.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::{Router, routing};
use http_body_util::Channel;
use http_body_util::channel::Sender;
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::form::{self, Errors};
use super::icon::Icon;
use super::layout::{Here, csrf, page};
use super::visitor::{Fields, Sent, Visitor};
use super::{Answer, Panel, Shared};
use crate::admin::cli::probe::{self, Hop, Probe};
use crate::admin::operations::{fetch, trace};
use crate::admin::problem::{Kind, Problem};
use crate::mail::Name;

/// How long a test message is followed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pieces of a page that wait for a slow reader.
const PIECES: usize = 4;

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
    let page = whole(&visitor, &asked, html! {}).await;
    Ok(page.into_response())
}

async fn whole(visitor: &Visitor, asked: &Asked, after: Markup) -> Markup {
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
        (after)
    };
    page(visitor, Here::Trace, "Test & Trace", &body)
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

/// Stands in the page where the hops go, and what came of them. A page has neither of its own.
const HERE: &str = "<!--here-->";

/// The page grows while the message is on its way, so that it is followed live without a script.
async fn test(State(panel): Shared, Sent { visitor, fields }: Sent) -> Answer {
    let asked = Asked { address: fields.get("address").trim().to_owned(), ..Asked::default() };
    // Whoever may not see where it goes may not send it there either.
    if let Err(problem) = traced(&visitor, &asked).await {
        return Err(problem.into());
    }
    let section = html! {
        section.trail aria-labelledby="test" {
            h2 #test { "The test message" }
            ol.hops aria-live="polite" { (PreEscaped(HERE)) }
            (PreEscaped(HERE))
        }
    };
    let page = whole(&visitor, &asked, section).await.into_string();
    let (sender, body) = Channel::<Bytes>::new(PIECES);
    tokio::spawn(grow(page, sender, panel, visitor, asked.address));
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8")], Body::new(body)).into_response())
}

/// Sends the page piece by piece. Who looks away in the middle has sent the message all the same.
async fn grow(page: String, mut sender: Sender<Bytes>, panel: Arc<Panel>, visitor: Visitor, address: String) {
    let mut pieces = page.splitn(3, HERE).map(str::to_owned);
    let mut piece = || Bytes::from(pieces.next().unwrap_or_default());
    let (told, mut hops) = mpsc::unbounded_channel();
    let sending = tokio::spawn(async move { send(&panel, &visitor, &address, &told).await });
    let mut open = sender.send_data(piece()).await.is_ok();
    while let Some(hop) = hops.recv().await {
        open = open && sender.send_data(Bytes::from(hop_line(&hop).into_string())).await.is_ok();
    }
    let outcome = sending.await.unwrap_or_else(|error| Err(error.to_string()));
    for rest in [piece(), Bytes::from(verdict(&outcome).into_string()), piece()] {
        open = open && sender.send_data(rest).await.is_ok();
    }
}

/// Sends a test message, follows it, and calls for it; each hop goes to `told`.
async fn send(panel: &Panel, visitor: &Visitor, address: &str, told: &mpsc::UnboundedSender<Hop>) -> Result<Probe, String> {
    let smtp = panel.smtp.ok_or("This server does not listen for SMTP (smtp.listen).")?;
    let recent = panel.login.context().recent.clone();
    let known = async |id| Ok(recent.as_ref().and_then(|recent| recent.find(id)).map(|found| (*found).clone()));
    // Nobody has to be there to hear it.
    let tell = |hop: &Hop| drop(told.send(hop.clone()));
    let mut probe = probe::send(known, probe::reachable(smtp), address, PATIENCE, tell).await.map_err(|failure| failure.line)?;
    if let (Some(id), true, true) = (probe.id, probe.delivered, visitor.is_admin()) {
        // Where POP3 does not listen, nobody could call for it.
        let fetched = visitor.run(move |context, caller| fetch::fetch(context, caller, id)).await.unwrap_or_default();
        let known = probe.hops.len();
        probe.called_for(fetched);
        probe.hops.iter().skip(known).for_each(tell);
    }
    Ok(probe)
}

fn hop_line(hop: &Hop) -> Markup {
    html! { li { span.ms { (format!("{:.1} ms", hop.ms)) } span { bdi { (hop.what) } } } }
}

fn verdict(probe: &Result<Probe, String>) -> Markup {
    html! {
        @match probe {
            Err(why) => p.error role="alert" { (why) },
            Ok(probe) => {
                p class={ "reply " (if probe.code() < 400 { "good" } else { "bad" }) } { code { (probe.reply) } }
                @if !probe.files.is_empty() { ul.ends { @for file in &probe.files { li { (Icon::Mailbox) code { (file.display()) } } } } }
                @for onward in &probe.onward { p { "In the queue for " bdi { (onward) } "." } }
                @if probe.delivered && probe.files.is_empty() && probe.onward.is_empty() { p { "Thrown away, as the alias says (discard)." } }
                @if !probe.delivered && probe.code() < 400 { p.notice { "It was accepted, and is not in its mailbox yet: it is safe in the spool, and the log says what it waits for." } }
                @if let Some(id) = probe.id { p.hint { a href={ "/log?id=" (id) } { "This message in the log" } } }
            }
        }
    }
}
