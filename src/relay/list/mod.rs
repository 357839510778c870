//! List accounts: from a posting to its members, and what comes back from them.
//!
//! Owns what a posting looks like when it leaves, the signatures in the addresses and links of a list, and what a bounce means.
//! Promises that a posting is kept once, that each member gets it under a sender of its own, that one bad member keeps nobody else
//! waiting, and that no automatic mail is distributed. Who may post is asked before ([`crate::router::posting`]). Refuses to know how mail is
//! sent: members elsewhere become recipients in the queue, mailboxes here get theirs from the spool.
//!
//! # After a crash
//!
//! A posting goes to its members page by page. What a page leads to is in the queue, or in mailboxes, before the posting is noted to
//! be past it, so after a crash at most one page is done again, and nobody is left out.
//!
//! Pure: [`address`] (signatures), [`automatic`] (what a program wrote), [`dress`] (the header section of what leaves), [`bounce`]
//! (what came back), [`command`] (what is asked by mail), [`notes`] (what is written to people). Then [`key`], [`dmarc`],
//! `history` (the delivery log), [`distribute`] (postings), [`desk`] (mail to the addresses beside a list's own), [`held`] (what waits for owners).

pub mod address;
pub mod automatic;
pub mod bounce;
pub mod command;
pub mod desk;
pub mod distribute;
pub mod dmarc;
pub mod dress;
pub mod held;
mod history;
pub mod key;
pub mod notes;

use std::io::{self, Read as _};
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use mail_parser::MessageParser;
use tokio::runtime::Handle;

use self::address::Signer;
use self::dmarc::Dmarc;
use self::dress::{Dress, Strict};
use super::submit::{Addressee, Letter, Office};
use crate::directory::{Directory, List, Snapshot, Target, Unreadable, View};
use crate::ledger::Ledger;
use crate::mail::limits::HEADER_OCTETS;
use crate::mail::trace::header_end;
use crate::mail::{Address, Beside, Domain, ForwardPath, Mailbox, Recipient, ReversePath};
use crate::maildir::Text as _;
use crate::spool::outgoing::{self, Kept, Kind, Queue};

/// What an operator may say about lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Where the panel is reached from outside, without a slash at its end; none: postings have no link that takes a member off.
    pub panel: Option<String>,
    /// Days on which mail has to come back for good before a member is suspended.
    pub bounce_days: u16,
    /// The days that they have to be among.
    pub bounce_window: u16,
    /// How long a posting waits for its list's owner.
    pub held: SignedDuration,
}

/// The lists of a server.
pub struct Lists {
    office: Arc<Office>,
    signer: Signer,
    dmarc: Dmarc,
    rules: ArcSwap<Rules>,
    ledger: Option<Arc<Ledger>>,
}

impl Lists {
    /// Brings the parts together.
    pub fn new(office: Arc<Office>, signer: Signer, dmarc: Dmarc, rules: Rules) -> Self {
        Self { office, signer, dmarc, rules: ArcSwap::from_pointee(rules), ledger: None }
    }

    /// Goes by these rules from now on.
    pub fn set_rules(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }

    /// Who signs, and knows its own signatures.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    fn directory(&self) -> &Arc<Directory> {
        self.office.directory()
    }

    fn queue(&self) -> &Arc<Queue> {
        self.office.spool().outgoing()
    }

    /// How a posting of this list is dressed. Called where a thread may wait.
    fn dress(&self, list: &List, header: &[u8]) -> Dress {
        let strict = match (list.style.tag, author(header)) {
            (crate::directory::Switch::Enabled, Some(domain)) => Handle::current().block_on(self.dmarc.policy(&domain)),
            _ => Strict::No,
        };
        Dress {
            list: own_address(list),
            title: list.title().to_owned(),
            tag: list.style.tag,
            strict,
            panel: self.rules.load().panel.clone(),
        }
    }

    /// The text that a recipient in the queue gets: with the header section that its list gives it, where it is there for a list.
    /// Called where a thread may wait.
    pub fn dressed(&self, text: Kept, recipient: &outgoing::Recipient) -> io::Result<Kept> {
        let (Some(list), Some(ForwardPath::Mailbox(member))) = (&recipient.via, &recipient.asked) else { return Ok(text) };
        // A sender of the list's own is what tells: an alias of ours may have the name of a list.
        let sender = recipient.sender.as_ref().and_then(ReversePath::mailbox).and_then(Mailbox::address);
        let Some(name) = sender.and_then(|sender| Beside::split(&sender).map(|(list, ..)| list)) else { return Ok(text) };
        let record = self.directory().snapshot().list(&name).map_err(io::Error::other)?;
        let Some(record) = record.filter(|record| own_address(record) == *list) else { return Ok(text) };
        let posting = Posting::of(text)?;
        let header = self.dress(&record, &posting.header).header(&posting.header, &self.signer, &Target::Address(member.clone()));
        Ok(posting.kept.headed(&header, &posting.header))
    }

    /// Sends a letter of ours, that nobody is to answer automatically. Called where a thread may wait.
    fn write_to(&self, to: &Mailbox, text: Vec<u8>) {
        let addressee = Addressee { recipient: Recipient::from(to.clone()), sender: None };
        let letter = Letter { kind: Kind::Made, sender: ReversePath::Null, recipients: vec![addressee], text };
        // What cannot be sent has been told by the office.
        let _ = Handle::current().block_on(self.office.submit(letter));
    }

    /// The member of a list that leaves by a link with this signature.
    pub fn leave(&self, list: &List, member: &str, signature: &str) -> Result<Option<Target>, Unreadable> {
        let Ok(mailbox) = Mailbox::parse(member) else { return Ok(None) };
        if !self.signer.may_unsubscribe(&own_address(list), &Target::Address(mailbox.clone()), signature) {
            return Ok(None);
        }
        crate::router::posting::member(&self.directory().snapshot(), list, &mailbox)
    }
}

/// A list's own address.
pub fn own_address(list: &List) -> Address {
    Address::new(list.name.as_str(), list.domain.clone())
}

/// The address that a member is spoken to at: an account's hidden alias, or the address itself. None if it is gone.
pub fn identity(snapshot: &Snapshot<'_>, member: &Target) -> Result<Option<Mailbox>, Unreadable> {
    let name = match member {
        Target::Address(mailbox) => return Ok(Some(mailbox.clone())),
        Target::Account(name) => name,
        _ => return Ok(None),
    };
    let home = match snapshot.pop(name)? {
        Some(pop) => Some(pop.domain),
        None => snapshot.list(name)?.map(|list| list.domain),
    };
    Ok(home.and_then(|home| Mailbox::parse(&Address::new(name.as_str(), home).to_string()).ok()))
}

/// The text of a posting, its header section apart.
pub(super) struct Posting {
    kept: Kept,
    header: Vec<u8>,
}

impl Posting {
    fn read(queue: &Arc<Queue>, id: crate::mail::QueueId, message: &outgoing::Message) -> io::Result<Self> {
        Self::of(queue.text(id, message)?)
    }

    fn of(kept: Kept) -> io::Result<Self> {
        let mut header = Vec::new();
        // What we put above the header section of a message that was within its bound makes it a little longer.
        kept.read()?.take(2 * HEADER_OCTETS as u64).read_to_end(&mut header)?;
        let end = header_end(&header).unwrap_or(header.len());
        header.truncate(end);
        Ok(Self { kept, header })
    }

    /// What follows the header section.
    fn body(&self) -> io::Result<Box<dyn io::Read + '_>> {
        let mut text = self.kept.read()?;
        io::copy(&mut text.by_ref().take(self.header.len() as u64), &mut io::sink())?;
        Ok(text)
    }
}

/// Addresses of `From` and `Sender` that are looked at.
const AUTHORS: usize = 20;

/// Who has written a message, and who has sent it on their behalf (RFC 5322 §3.6.2).
fn authors(header: &[u8]) -> Vec<Mailbox> {
    let Some(message) = MessageParser::new().with_address_headers().parse_headers(header) else { return Vec::new() };
    let named = [message.from(), message.sender()].into_iter().flatten().flat_map(|addresses| addresses.iter());
    named.filter_map(|address| Mailbox::parse(address.address()?).ok()).take(AUTHORS).collect()
}

/// The domain of the author of a message.
fn author(header: &[u8]) -> Option<Domain> {
    authors(header).into_iter().next().and_then(|author| author.domain().cloned())
}

/// What is shown of a message to people.
fn described(header: &[u8]) -> (String, String) {
    let parsed = MessageParser::new().with_minimal_headers().parse_headers(header);
    let subject = parsed.as_ref().and_then(|message| message.subject()).unwrap_or_default().to_owned();
    let from = parsed.as_ref().and_then(|message| message.from()?.first()?.address()).unwrap_or_default().to_owned();
    (subject, from)
}

/// The time as the queue remembers it, to the microsecond: what is written and read again is the same.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

fn in_seconds(seconds: i64) -> Timestamp {
    let now = now();
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
}
