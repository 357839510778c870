//! The questions in their order: from a recipient to a decision.

use jiff::Timestamp;

use super::expand::{Ends, Expansion, Stop};
use super::trail::{Step, Trail};
use super::{Decision, Destination, Limits, Route};
use crate::directory::{AliasKey, View};
use crate::mail::{Address, ForwardPath, Mailbox};
use crate::protocol::smtp::Reply;

/// The local parts that have to work in every local domain: RFC 5321 §4.5.1, RFC 2142 §2 and §4.
const REQUIRED: [&str; 2] = ["postmaster", "abuse"];

/// Routes one recipient.
pub fn route<V: View + ?Sized>(view: &V, recipient: &ForwardPath, limits: &Limits, now: Timestamp) -> Route {
    let mut expansion = Expansion::new(view, limits, now);
    let decided = match recipient {
        ForwardPath::Postmaster => bare_postmaster(&mut expansion),
        ForwardPath::Mailbox(mailbox) => given(&mut expansion, mailbox),
    };
    concluded(expansion, decided)
}

fn concluded<V: View + ?Sized>(expansion: Expansion<'_, V>, decided: Result<Refused, Stop>) -> Route {
    let limits = expansion.limits;
    let Expansion { mut steps, followed, ends, .. } = expansion;
    let decision = match decided {
        Ok(None) => ends.decide(limits),
        Ok(Some(refusal)) => Decision::Refuse(refusal),
        Err(Stop::Bound(bound)) => Decision::Refuse(Reply::ExpansionLimit { bound: bound.name() }),
        Err(Stop::Unreadable(error)) => {
            steps.push(Step::Unreadable { why: error.0 });
            Decision::Refuse(Reply::DirectoryUnreadable)
        }
    };
    let trail = Trail::new(steps, decision.reply());
    Route { decision, trail, followed }
}

/// Routes a recipient of mail that is made here: it may be elsewhere.
pub fn route_anywhere<V: View + ?Sized>(view: &V, recipient: &Mailbox, limits: &Limits, now: Timestamp) -> Route {
    let mut expansion = Expansion::new(view, limits, now);
    let decided = match recipient.address().map(|address| expansion.is_local(&address)) {
        Some(Ok(true)) => return route(view, &ForwardPath::Mailbox(recipient.clone()), limits, now),
        Some(Err(error)) => Err(error.into()),
        Some(Ok(false)) | None => {
            expansion.leave(recipient);
            Ok(None)
        }
    };
    concluded(expansion, decided)
}

/// Routes a recipient that looks like a sender which was rewritten here: to that sender, or nowhere, and why.
pub fn route_back<V: View + ?Sized>(
    view: &V,
    recipient: &Mailbox,
    sender: Result<Mailbox, String>,
    limits: &Limits,
    now: Timestamp,
) -> Route {
    let step = Step::Return { recipient: recipient.clone(), to: sender.clone() };
    match sender {
        Err(_) => {
            Route { decision: Decision::Refuse(Reply::NoReturn), trail: Trail::new(vec![step], Reply::NoReturn), followed: Vec::new() }
        }
        Ok(sender) => {
            let mut route = route_anywhere(view, &sender, limits, now);
            route.trail.begin_with(step);
            route
        }
    }
}

/// Asks each mailbox of a route for room, and turns the route into a refusal where there is none.
///
/// The first mailbox without room refuses the recipient: SMTP has one reply for all of its mailboxes.
pub fn admit(mut route: Route, mut has_room: impl FnMut(&Destination) -> Result<(), Reply>) -> Route {
    let Decision::Deliver { mailboxes, .. } = &route.decision else { return route };
    let mut refusal = None;
    for mailbox in mailboxes {
        let refused = has_room(mailbox).err();
        let reply = refused.clone().unwrap_or(Reply::RecipientOk);
        route.trail.push(Step::Room { name: mailbox.name.clone(), refused: refused.clone() }, reply);
        if refused.is_some() {
            refusal = refused;
            break;
        }
    }
    if let Some(reply) = refusal {
        route.decision = Decision::Refuse(reply);
    }
    route
}

/// A refusal that no end has brought about; without one, the ends decide.
type Refused = Option<Reply>;

fn given<V: View + ?Sized>(expansion: &mut Expansion<'_, V>, recipient: &Mailbox) -> Result<Refused, Stop> {
    let Some(address) = recipient.address() else {
        expansion.steps.push(Step::Literal { recipient: recipient.clone() });
        return Ok(Some(Reply::RelayDenied));
    };
    if !expansion.is_local(&address)? {
        return Ok(Some(Reply::RelayDenied));
    }
    if REQUIRED.contains(&address.local()) {
        return required(expansion, &address);
    }
    expansion.address(address)?;
    Ok(None)
}

/// `<Postmaster>` without a domain (RFC 5321 §4.5.1).
fn bare_postmaster<V: View + ?Sized>(expansion: &mut Expansion<'_, V>) -> Result<Refused, Stop> {
    if let Some(hostname) = &expansion.limits.hostname {
        let address = Address::new("postmaster", hostname.clone());
        if expansion.is_local(&address)? {
            return required(expansion, &address);
        }
    }
    configured(expansion)?;
    Ok(settled(&expansion.ends))
}

/// Its own alias; else `smtp.postmaster`; else the catch-all. Each counts only if it leads anywhere.
fn required<V: View + ?Sized>(expansion: &mut Expansion<'_, V>, address: &Address) -> Result<Refused, Stop> {
    expansion.alias(AliasKey::Exact(address.clone()), address)?;
    if expansion.ends.nowhere() {
        configured(expansion)?;
    }
    if expansion.ends.nowhere() {
        expansion.ends = Ends::default();
        expansion.alias(AliasKey::CatchAll(address.domain().clone()), address)?;
    }
    Ok(settled(&expansion.ends))
}

/// Follows `smtp.postmaster`.
fn configured<V: View + ?Sized>(expansion: &mut Expansion<'_, V>) -> Result<(), Stop> {
    let target = expansion.limits.postmaster.clone();
    expansion.steps.push(Step::Postmaster { target: target.clone() });
    expansion.ends = Ends::default();
    target.map_or(Ok(()), |target| expansion.target(target))
}

fn settled(ends: &Ends) -> Refused {
    ends.nowhere().then_some(Reply::NoPostmaster)
}
