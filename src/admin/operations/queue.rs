//! The queue: mail that waits for its next hop, and copies that wait for their mailbox.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Page, Paging};
use crate::admin::context::{Context, Waits};
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::{Snapshot, Unreadable, View as _};
use crate::mail::{Domain, ForwardPath, QueueId};
use crate::spool::outgoing::listing::{Counts, Listed};
use crate::spool::outgoing::{self, Attempt, Recipient, State, To};
use crate::spool::waiting::{Copy, copies};

mod cancel;

pub use cancel::{Report, cancel};

/// Hops that are named by the number of their recipients.
const HOPS: usize = 10;

/// Why a message is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "QueuedKind")]
pub enum Why {
    /// An alias sends it on.
    Relay,
    /// It is for the members of a list.
    List,
    /// A report about another message.
    Report,
    /// Made here for another reason.
    Made,
    /// A copy whose mailbox could not be written.
    Mailbox,
}

/// Whether a recipient is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "QueuedState")]
pub enum Tried {
    /// When its time has come.
    Waiting,
    /// Not until it is released.
    Held,
}

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QueuedMessage")]
pub struct Shown {
    /// Its id.
    pub id: QueueId,
    /// Why it is here.
    pub kind: Why,
    /// The envelope's sender; empty for the null path, and where it is not known any more.
    pub sender: String,
    /// When it was accepted.
    pub arrived: Timestamp,
    /// Octets of the text.
    pub size: u64,
    /// Recipients that are open.
    pub open: u32,
    /// Recipients that it had here in all.
    pub total: u32,
    /// The first 100 of those that are open.
    pub recipients: Vec<Waiting>,
}

/// A recipient that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QueuedRecipient")]
pub struct Waiting {
    /// Where it goes.
    pub address: String,
    /// The recipient as it was given, where that was another.
    pub original: Option<String>,
    /// Who is spoken to on its behalf: a domain, or `*` for the smarthost.
    pub destination: String,
    /// Whether it is tried.
    pub state: Tried,
    /// When it is tried next.
    pub next: Option<Timestamp>,
    /// How often it was tried.
    pub tries: u32,
    /// The last attempts, oldest first.
    pub attempts: Vec<Tries>,
}

/// An attempt in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QueuedAttempt")]
pub struct Tries {
    /// When.
    pub at: Timestamp,
    /// Whom it was made with; empty where it did not come so far.
    pub remote: String,
    /// The enhanced status code.
    pub status: String,
    /// What was said.
    pub reply: String,
}

/// Which messages are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "QueueFilter")]
pub struct Filter {
    /// With a recipient there: a domain.
    pub destination: Option<String>,
    /// From this sender: an address, `@DOMAIN`, or `<>`.
    pub sender: Option<String>,
    /// With this recipient, as it is or as it was given: an address, or `@DOMAIN`.
    pub recipient: Option<String>,
    /// With a recipient that is held.
    pub held: bool,
}

/// What can be done to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Its waiting recipients are tried now.
    Retry,
    /// They are not tried any more.
    Hold,
    /// Its held recipients are tried now.
    Release,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QueueChange")]
pub struct Changed {
    /// Recipients that it concerned.
    pub recipients: u64,
}

/// How much waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QueueSummary")]
pub struct Summary {
    /// Recipients that are tried.
    pub waiting: u64,
    /// Recipients that are held.
    pub held: u64,
    /// Copies that wait for their mailbox.
    pub mailboxes: u64,
    /// When the oldest message came.
    pub oldest: Option<Timestamp>,
    /// The destinations with most recipients.
    pub destinations: Vec<Load>,
}

/// What waits for a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QueueLoad")]
pub struct Load {
    /// Which.
    pub destination: String,
    /// Its recipients.
    pub recipients: u64,
    /// Until when it is left alone, if nobody could be spoken to.
    pub down_until: Option<Timestamp>,
}

/// A page of what waits, oldest first; copies for mailboxes come last. Owners see what involves their domains.
pub fn list(context: &Context, caller: &Caller, paging: &Paging, filter: &Filter) -> Result<Page<Shown>, Problem> {
    let limit = paging.checked_limit()?;
    let waits = waits(context)?;
    let snapshot = context.directory.snapshot();
    let from = match &paging.after {
        None => QueueId::new(0),
        Some(after) => QueueId::parse(after).map_err(|error| Problem::new(Kind::BadValue, format!("after: {error}")).at("after"))?,
    };
    let mut unreadable = None;
    let wanted =
        |listed: &Listed| filter.fits(listed) && sees(&snapshot, caller, listed).map_err(|error| unreadable = Some(error)).unwrap_or(false);
    let worth = |message: &outgoing::Message| filter.fits_sender(message);
    let found = match &filter.destination {
        Some(destination) => {
            let hop = Domain::parse(destination).map_or_else(|_| destination.clone(), |domain| domain.as_str().to_owned());
            waits.queue.page_at(&outgoing::Hop::named(&hop), from, limit, worth, wanted)
        }
        None => waits.queue.page(from, limit, worth, wanted),
    };
    let found = found.map_err(failed)?;
    if let Some(error) = unreadable {
        return Err(error.into());
    }
    let mut items: Vec<Shown> = found.messages.into_iter().map(shown).collect();
    if found.next.is_none() {
        let copies = if *filter != Filter::default() { Vec::new() } else { copies(&waits.copies).map_err(failed)? };
        for copy in copies {
            if sees_copy(&snapshot, caller, &copy)? {
                items.push(shown_copy(&snapshot, &copy)?);
            }
        }
    }
    Ok(Page { items, next: found.next.map(|next| next.to_string()) })
}

/// One message that waits.
pub fn show(context: &Context, caller: &Caller, id: QueueId) -> Result<Shown, Problem> {
    let waits = waits(context)?;
    let snapshot = context.directory.snapshot();
    if let Some(listed) = waits.queue.listed(id).map_err(failed)?.filter_seen(&snapshot, caller)? {
        return Ok(shown(listed));
    }
    for copy in copies(&waits.copies).map_err(failed)?.into_iter().filter(|copy| copy.waiting.id == id) {
        if sees_copy(&snapshot, caller, &copy)? {
            return Ok(shown_copy(&snapshot, &copy)?);
        }
    }
    Err(missing(id))
}

/// Does something to a message.
pub fn act(context: &Context, caller: &Caller, id: QueueId, action: Action) -> Result<Changed, Problem> {
    let waits = seen(context, caller, id)?;
    let now = Timestamp::now();
    let changed = match action {
        Action::Retry => waits.queue.retry(id, now),
        Action::Hold => waits.queue.hold(id),
        Action::Release => waits.queue.release(id, now),
    };
    Ok(Changed { recipients: changed.map_err(failed)?.into() })
}

/// Tries everything that waits now. For admins.
pub fn retry_all(context: &Context, caller: &Caller) -> Result<Changed, Problem> {
    caller.needs_admin()?;
    Ok(Changed { recipients: waits(context)?.queue.retry_all(Timestamp::now()).map_err(failed)? })
}

/// How much waits. For admins.
pub fn summary(context: &Context, caller: &Caller) -> Result<Summary, Problem> {
    caller.needs_admin()?;
    let waits = waits(context)?;
    let Counts { waiting, held, oldest } = waits.queue.counts().map_err(failed)?;
    let mailboxes = copies(&waits.copies).map_err(failed)?.len() as u64;
    let mut destinations = Vec::new();
    for (destination, recipients) in waits.queue.largest_hops(HOPS).map_err(failed)? {
        let down = waits.queue.down(&outgoing::Hop::named(&destination)).map_err(failed)?;
        destinations.push(Load { destination, recipients, down_until: down.map(|down| down.until) });
    }
    Ok(Summary { waiting, held, mailboxes, oldest, destinations })
}

fn waits(context: &Context) -> Result<&Waits, Problem> {
    context.waits.as_ref().ok_or_else(|| Problem::new(Kind::Queue, "there is no queue here".into()))
}

/// The queue, if the caller may change that message in it. A copy that waits for its mailbox is tried by itself, and kept.
fn seen<'a>(context: &'a Context, caller: &Caller, id: QueueId) -> Result<&'a Waits, Problem> {
    let waits = waits(context)?;
    let snapshot = context.directory.snapshot();
    match waits.queue.listed(id).map_err(failed)?.filter_seen(&snapshot, caller)? {
        Some(_) => Ok(waits),
        None => match show(context, caller, id)? {
            Shown { kind: Why::Mailbox, .. } => {
                let detail = format!("{id} waits for its mailbox, and is tried every minute; see to the mailbox, as the server's log says");
                Err(Problem::new(Kind::InUse, detail))
            }
            _ => Err(missing(id)),
        },
    }
}

fn missing(id: QueueId) -> Problem {
    Problem::new(Kind::NoSuchMessage, format!("the queue has no message {id}; it may have been dealt with: ask the log"))
}

fn failed(error: std::io::Error) -> Problem {
    Problem::new(Kind::Queue, error.to_string())
}

trait Seen: Sized {
    fn filter_seen(self, snapshot: &Snapshot<'_>, caller: &Caller) -> Result<Option<Listed>, Unreadable>;
}

impl Seen for Option<Listed> {
    fn filter_seen(self, snapshot: &Snapshot<'_>, caller: &Caller) -> Result<Option<Listed>, Unreadable> {
        match self {
            Some(listed) if sees(snapshot, caller, &listed)? => Ok(Some(listed)),
            _ => Ok(None),
        }
    }
}

/// Whether a message has to do with a domain that the caller sees: its sender's, or one through which it came.
fn sees(snapshot: &Snapshot<'_>, caller: &Caller, listed: &Listed) -> Result<bool, Unreadable> {
    if caller.confined_to().is_none() {
        return Ok(true);
    }
    let involved = listed.recipients.iter().flat_map(|(_, recipient)| domains(recipient));
    for domain in involved.chain(listed.message.sender.mailbox().and_then(|mailbox| mailbox.domain())) {
        if caller.sees(snapshot, domain)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn domains(recipient: &Recipient) -> impl Iterator<Item = &Domain> {
    let asked = match &recipient.asked {
        Some(ForwardPath::Mailbox(mailbox)) => mailbox.domain(),
        Some(ForwardPath::Postmaster) | None => None,
    };
    let to = match &recipient.to {
        To::Mailbox(mailbox) => mailbox.domain(),
        To::List { address, .. } => Some(address.domain()),
    };
    asked.into_iter().chain(to).chain(recipient.via.as_ref().map(|via| via.domain()))
}

fn sees_copy(snapshot: &Snapshot<'_>, caller: &Caller, copy: &Copy) -> Result<bool, Unreadable> {
    if caller.confined_to().is_none() {
        return Ok(true);
    }
    match snapshot.pop(&copy.waiting.name)? {
        Some(pop) => caller.sees(snapshot, &pop.domain),
        None => Ok(false),
    }
}

impl Filter {
    fn fits_sender(&self, message: &outgoing::Message) -> bool {
        self.sender.as_ref().is_none_or(|wanted| is_like(&message.sender.to_string(), wanted))
    }

    fn fits(&self, listed: &Listed) -> bool {
        let recipients = || listed.recipients.iter().map(|(_, recipient)| recipient);
        let to = |wanted: &String| recipients().any(|recipient| goes_to(recipient, wanted));
        self.destination.as_ref().is_none_or(to)
            && self.recipient.as_ref().is_none_or(|wanted| recipients().any(|recipient| is_for(recipient, wanted)))
            && (!self.held || recipients().any(|recipient| recipient.state == State::Held))
    }
}

fn goes_to(recipient: &Recipient, wanted: &str) -> bool {
    let domain = match &recipient.to {
        To::Mailbox(mailbox) => mailbox.domain(),
        To::List { address, .. } => Some(address.domain()),
    };
    recipient.hop.as_str().eq_ignore_ascii_case(wanted) || (domain.is_some() && domain == Domain::parse(wanted).ok().as_ref())
}

fn is_for(recipient: &Recipient, wanted: &str) -> bool {
    is_like(&recipient.address(), wanted) || recipient.asked.as_ref().is_some_and(|asked| is_like(&asked.to_string(), wanted))
}

/// Whether an address is the one that is wanted, or in the domain.
fn is_like(address: &str, wanted: &str) -> bool {
    match wanted {
        "" | "<>" => address.is_empty(),
        _ if wanted.starts_with('@') => address.to_lowercase().ends_with(&wanted.to_lowercase()),
        _ => address.eq_ignore_ascii_case(wanted),
    }
}

fn shown(listed: Listed) -> Shown {
    let Listed { id, message, recipients } = listed;
    let kind = match message.kind {
        outgoing::Kind::Forwarded => Why::Relay,
        outgoing::Kind::Posting => Why::List,
        outgoing::Kind::Report => Why::Report,
        outgoing::Kind::Made => Why::Made,
    };
    Shown {
        id,
        kind,
        sender: message.sender.to_string(),
        arrived: message.arrived,
        size: message.octets,
        open: message.open,
        total: message.total,
        recipients: recipients.into_iter().map(|(_, recipient)| waiting(recipient)).collect(),
    }
}

fn waiting(recipient: Recipient) -> Waiting {
    let address = recipient.address();
    let (state, next) = match recipient.state {
        State::Waiting => (Tried::Waiting, Some(recipient.next)),
        State::Held => (Tried::Held, None),
    };
    Waiting {
        original: recipient.asked.map(|asked| asked.to_string()).filter(|asked| *asked != address),
        address,
        destination: recipient.hop.to_string(),
        state,
        next,
        tries: recipient.tries,
        attempts: recipient.attempts.into_iter().map(tries).collect(),
    }
}

fn tries(attempt: Attempt) -> Tries {
    let Attempt { at, remote, status: (class, subject, detail), reply, .. } = attempt;
    let remote = remote.map(|(name, address)| address.map_or_else(|| name.clone(), |address| format!("{name}[{address}]")));
    Tries { at, remote: remote.unwrap_or_default(), status: format!("{class}.{subject}.{detail}"), reply }
}

fn shown_copy(snapshot: &Snapshot<'_>, copy: &Copy) -> Result<Shown, Unreadable> {
    let name = copy.waiting.name.to_string();
    let address = snapshot.pop(&copy.waiting.name)?.map_or_else(|| name.clone(), |pop| format!("{name}@{}", pop.domain));
    let recipient =
        Waiting { address, original: None, destination: name, state: Tried::Waiting, next: None, tries: 0, attempts: Vec::new() };
    Ok(Shown {
        id: copy.waiting.id,
        kind: Why::Mailbox,
        sender: String::new(),
        arrived: copy.waiting.arrived(),
        size: copy.octets,
        open: 1,
        total: 1,
        recipients: vec![recipient],
    })
}
