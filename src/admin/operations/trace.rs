//! The routing trail of an address: what RCPT would say to it now, and why.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pops;
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::{Change, Imagined};
use crate::mail::{AddressError, ForwardPath, Mailbox, Name, QueueId, ReversePath};
use crate::protocol::smtp;
use crate::router::{self, Decision, Destination};
use crate::server::room;
use crate::telemetry::Delivery;

/// A trail, down to the Maildirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Trace")]
pub struct Shown {
    /// The recipient as given.
    pub recipient: String,
    /// The reply that SMTP and LMTP give.
    pub reply: String,
    /// Its code.
    pub code: u16,
    /// The questions asked, and the answers found.
    pub steps: Vec<Step>,
    /// Where copies would go.
    pub mailboxes: Vec<Maildrop>,
    /// Where copies would be sent on.
    pub relays: Vec<String>,
    /// Lists whose members would get one.
    #[serde(default)]
    pub lists: Vec<String>,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TraceStep")]
pub struct Step {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
}

/// A mailbox and its place on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Maildrop")]
pub struct Maildrop {
    /// The account.
    pub name: Name,
    /// Its Maildir.
    pub path: PathBuf,
}

/// Routes an address as RCPT does; where a sender is given, MAIL is asked first.
pub fn show(context: &Context, caller: &Caller, address: &str, sender: Option<&str>) -> Result<Shown, Problem> {
    show_without(context, caller, address, sender, None)
}

/// The same, as it would be if the POP account `without` were deleted.
pub fn show_without(
    context: &Context,
    caller: &Caller,
    address: &str,
    sender: Option<&str>,
    without: Option<&Name>,
) -> Result<Shown, Problem> {
    let rules = context.rules.load();
    let asked = sender.map(|sender| asked(&rules.session, sender)).transpose()?;
    let recipient = parse(address)?;
    let snapshot = context.directory.snapshot();
    match &recipient {
        ForwardPath::Mailbox(mailbox) => match mailbox.domain() {
            Some(domain) if caller.needs_admin().is_err() => caller.needs(&snapshot, domain)?,
            Some(_) => {}
            None => caller.needs_admin()?,
        },
        ForwardPath::Postmaster => caller.needs_admin()?,
    }
    let now = Timestamp::now();
    let route = match without {
        None => match context.office.get() {
            Some(office) => office.route(&snapshot, &recipient, &rules.routing, now),
            None => router::route(&snapshot, &recipient, &rules.routing, now),
        },
        Some(name) => {
            pops::show(context, caller, name)?;
            let imagined = Imagined::after(&snapshot, &Change::DeletePop { name: name.clone() }, now)?;
            router::route(&imagined, &recipient, &rules.routing, now)
        }
    };
    let route = match &asked {
        Some((_, path)) => {
            let signed = |list: &_| context.lists.get().is_none_or(|lists| lists.signer().is_bounce(list));
            router::permit(route, &snapshot, path, signed)
        }
        None => route,
    };
    let route = router::admit(route, |mailbox| room::promise(&context.maildirs, rules.over, mailbox, 0).map(drop));
    let reply = route.decision.reply();
    let (mailboxes, relays, lists) = match route.decision {
        Decision::Deliver { mailboxes, relays, lists } => (mailboxes, relays, lists),
        Decision::Refuse(_) => (Vec::new(), Vec::new(), Vec::new()),
    };
    let steps = route.trail.steps().iter().map(|step| Step { question: step.question(), answer: step.answer() });
    let maildrop = |destination: Destination| Maildrop { path: context.maildirs.path(&destination.name), name: destination.name };
    Ok(Shown {
        recipient: address.to_owned(),
        code: reply.code(),
        reply: reply.to_string(),
        steps: asked.into_iter().map(|(step, _)| step).chain(steps).collect(),
        mailboxes: mailboxes.into_iter().map(maildrop).collect(),
        relays: relays.iter().map(ToString::to_string).collect(),
        lists: lists.iter().map(|list| list.address.to_string()).collect(),
    })
}

/// What became of a message that was accepted lately. For admins.
pub fn delivery(context: &Context, caller: &Caller, id: QueueId) -> Result<Arc<Delivery>, Problem> {
    caller.needs_admin()?;
    let found = context.recent.as_ref().and_then(|recent| recent.find(id));
    found.ok_or_else(|| {
        Problem::new(Kind::NoSuchDelivery, format!("nothing is known of the message {id}; only recent ones are kept in mind"))
    })
}

/// What MAIL says to a sender. One that is no address never gets as far as a route.
fn asked(session: &Arc<smtp::Settings>, sender: &str) -> Result<(Step, ReversePath), Problem> {
    let path = sender.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(sender);
    let refused = |error: AddressError| Problem::new(Kind::BadValue, format!("the sender cannot be used: {error}")).at("from");
    let path = if path.is_empty() { ReversePath::Null } else { ReversePath::Mailbox(Mailbox::parse(path).map_err(refused)?) };
    let answer = smtp::mail_from(Arc::clone(session), &path, Instant::now());
    Ok((Step { question: format!("What does MAIL FROM:<{path}> hear?"), answer }, path))
}

fn parse(address: &str) -> Result<ForwardPath, Problem> {
    if address.eq_ignore_ascii_case("postmaster") {
        return Ok(ForwardPath::Postmaster);
    }
    Mailbox::parse(address).map(ForwardPath::Mailbox).map_err(|error| Problem::new(Kind::BadValue, error.to_string()).at("address"))
}
