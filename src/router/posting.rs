//! Who may post to a list, and whose bounces it believes.
//!
//! Asked once a route is known, and the sender with it: what is not allowed is refused before it is taken, so nobody has to
//! be told afterwards. Its author is asked about when the message is there ([`may_post_for`]).

use super::trail::Step;
use super::{Decision, ListDestination, Route};
use crate::directory::{AliasKey, List, Member, Posting, Target, Unreadable, View};
use crate::mail::{Address, Beside, Mailbox, ReversePath};
use crate::protocol::smtp::Reply;

/// What becomes of a posting, as far as its sender goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is distributed.
    Allowed,
    /// It waits for the owner.
    Held,
    /// It is refused.
    Refused,
    /// It claims to be a bounce of a message that we never sent.
    Forged,
}

impl Verdict {
    /// What RCPT says.
    pub fn reply(self) -> Reply {
        match self {
            Self::Allowed | Self::Held => Reply::RecipientOk,
            Self::Refused => Reply::PostingRefused,
            Self::Forged => Reply::UnknownRecipient,
        }
    }
}

/// Asks each list of a route whether it takes mail from this sender, and turns the route into a refusal where one does not.
/// `signed` tells whether an address that bounces come to was made by us.
pub fn permit<V: View + ?Sized>(mut route: Route, view: &V, sender: &ReversePath, signed: impl Fn(&ListDestination) -> bool) -> Route {
    let Decision::Deliver { lists, .. } = &route.decision else { return route };
    let mut refusal = None;
    for list in lists {
        let (verdict, reply) = match asked(view, list, sender, &signed) {
            Ok(verdict) => (verdict, verdict.reply()),
            Err(Unreadable(why)) => {
                refusal = Some(Reply::DirectoryUnreadable);
                route.trail.push(Step::Unreadable { why }, Reply::DirectoryUnreadable);
                break;
            }
        };
        route.trail.push(Step::Posting { list: list.name.clone(), verdict }, reply.clone());
        if reply != Reply::RecipientOk {
            refusal = Some(reply);
            break;
        }
    }
    if let Some(reply) = refusal {
        route.decision = Decision::Refuse(reply);
    }
    route
}

fn asked<V: View + ?Sized>(
    view: &V,
    to: &ListDestination,
    sender: &ReversePath,
    signed: impl Fn(&ListDestination) -> bool,
) -> Result<Verdict, Unreadable> {
    match Beside::split(&to.address) {
        Some((name, Beside::Bounces, detail)) if name == to.name => {
            Ok(if detail.is_empty() || signed(to) { Verdict::Allowed } else { Verdict::Forged })
        }
        Some((name, ..)) if name == to.name => Ok(Verdict::Allowed),
        _ => match view.list(&to.name)? {
            Some(list) => may_post(view, &list, sender),
            None => Ok(Verdict::Allowed),
        },
    }
}

/// Decides by the sender of the envelope, which RCPT knows: a posting that is not allowed is refused before it is taken.
pub fn may_post<V: View + ?Sized>(view: &V, list: &List, sender: &ReversePath) -> Result<Verdict, Unreadable> {
    // Reports and notices of programs: never distributed, so refused where their sender can still hear of it.
    let ReversePath::Mailbox(mailbox) = sender else { return Ok(Verdict::Refused) };
    let allowed = |allowed| if allowed { Verdict::Allowed } else { Verdict::Refused };
    Ok(match list.posting {
        Posting::Anyone => Verdict::Allowed,
        Posting::Owner => allowed(is_owner(view, list, mailbox)?),
        Posting::Members => allowed(is_owner(view, list, mailbox)? || member(view, list, mailbox)?.is_some()),
        Posting::Moderated if is_owner(view, list, mailbox)? => Verdict::Allowed,
        Posting::Moderated => Verdict::Held,
    })
}

/// Decides once the message is there, by whoever has written it (`From`) or sent it (`Sender`) as well. What members read is `From`, and
/// Mailman and mlmmj go by it; so a message whose sender may post, and whose author may not, waits for the owner: a member may
/// write under another address, and a stranger may use a member's. A message that names no author is judged by its sender.
pub fn may_post_for<V: View + ?Sized>(view: &V, list: &List, sender: &ReversePath, authors: &[Mailbox]) -> Result<Verdict, Unreadable> {
    let verdict = may_post(view, list, sender)?;
    if verdict != Verdict::Allowed || authors.is_empty() {
        return Ok(verdict);
    }
    for author in authors {
        if may_post(view, list, &ReversePath::Mailbox(author.clone()))? == Verdict::Allowed {
            return Ok(Verdict::Allowed);
        }
    }
    Ok(Verdict::Held)
}

/// Whether an address is that of a list's owner.
pub fn is_owner<V: View + ?Sized>(view: &V, list: &List, sender: &Mailbox) -> Result<bool, Unreadable> {
    let owner = folded(&list.owner);
    Ok(whoever_writes_as(view, sender)?.iter().any(|target| folded(target) == owner))
}

/// The member that an address belongs to: by itself, or because it leads to an account that is one.
pub fn member<V: View + ?Sized>(view: &V, list: &List, sender: &Mailbox) -> Result<Option<Target>, Unreadable> {
    for target in whoever_writes_as(view, sender)? {
        if let Some(member) = view.member(&list.name, &target)? {
            return Ok(Some(member.target));
        }
    }
    Ok(None)
}

/// The member that is called so: in these words, or, where it is an address of ours, by the account that it leads to.
pub fn member_of<V: View + ?Sized>(view: &V, list: &List, called: &Target) -> Result<Option<Member>, Unreadable> {
    let found = match called {
        Target::Address(mailbox) => member(view, list, mailbox)?,
        other => Some(other.clone()),
    };
    found.map_or(Ok(None), |target| view.member(&list.name, &target))
}

/// Whom mail from an address may come from: the address, the same without its `+detail`, and, where it is one of ours, the
/// accounts that it leads to at once.
fn whoever_writes_as<V: View + ?Sized>(view: &V, sender: &Mailbox) -> Result<Vec<Target>, Unreadable> {
    let sender = bare(sender);
    let mut found = vec![Target::Address(sender.clone())];
    let Some(address) = sender.address() else { return Ok(found) };
    let base = address.local().split_once('+').filter(|(base, _)| !base.is_empty());
    let base = base.map(|(base, _)| Address::new(base, address.domain().clone()));
    found.extend(base.iter().filter_map(|base| Mailbox::parse(&base.to_string()).ok()).map(Target::Address));
    if view.domain(address.domain())?.is_none() {
        return Ok(found);
    }
    for address in std::iter::once(address).chain(base) {
        if let Some(alias) = view.alias(&AliasKey::Exact(address))? {
            found.extend(alias.targets.into_iter().filter(|target| matches!(target, Target::Account(_))));
        }
    }
    Ok(found)
}

/// A sender without the tag that its own server has put to it (BATV: `prvs=tag=local@domain`).
fn bare(sender: &Mailbox) -> Mailbox {
    let tagged = sender.as_str().strip_prefix("prvs=").and_then(|rest| rest.split_once('=')).map(|(_, rest)| rest);
    tagged.and_then(|text| Mailbox::parse(text).ok()).unwrap_or_else(|| sender.clone())
}

fn folded(target: &Target) -> String {
    target.to_string().to_lowercase()
}
