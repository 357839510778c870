//! Postings: from the queue's recipient for a list to those for its members.

use std::collections::HashSet;
use std::io::{self, Read as _};
use std::sync::mpsc;
use std::time::Duration;

use jiff::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use super::dress::Dress;
use super::history::Outcome;
use super::{Lists, Posting, authors, identity, in_seconds, now, own_address};
use crate::directory::{List, Member, Snapshot, Target, View};
use crate::ledger::Status;
use crate::mail::trace::{Client, Spoken, With};
use crate::mail::{Beside, Envelope, ForwardPath, Mailbox, Recipient, ReversePath};
use crate::protocol::smtp::Class;
use crate::relay::list::automatic::Origin;
use crate::router::posting::{Verdict, may_post_for};
use crate::router::{self, Decision};
use crate::spool::outgoing::{self, Hop, Kind, Message, Progress, Seat, To};
use crate::spool::{Failure, Outcomes, Results, Routed, Routing};
use crate::telemetry::Event;

/// Members of one page: what a crash may have done again. Each page costs one sync of the queue.
const PAGE: usize = 500;

/// Octets of texts that are on their way to mailboxes here at a time.
const UNDER_WAY: u64 = 16 << 20;

/// Postings looked at before the queue is asked again.
const POSTINGS: usize = 100;

/// How long a posting waits after a failure that is not a member's.
const PAUSE: i64 = 60;

/// How long members wait that could not be reached, at first; the time doubles.
const AGAIN: i64 = 300;

/// The longest of these times.
const AGAIN_AT_MOST: i64 = 4 * 60 * 60;

/// How long it is tried.
const LIFE: i64 = 5 * 24 * 60 * 60;

/// What one page of members leads to.
#[derive(Default)]
struct Page {
    /// Mailboxes here, by member.
    local: Vec<(Mailbox, Routed)>,
    /// Addresses elsewhere, and lists.
    onward: Vec<outgoing::Recipient>,
    /// Members that cannot be reached for now.
    again: Vec<String>,
}

/// One posting on its way.
struct Job<'a> {
    lists: &'a Lists,
    list: List,
    message: Message,
    posting: Posting,
    dress: Dress,
    /// Mailboxes and addresses that had their copy.
    seen: HashSet<u64>,
    /// What the delivery log has still to be told.
    outcomes: Vec<Outcome>,
}

impl Lists {
    /// Distributes what there is, until there is nothing more or `stopped` says so. Called where a thread may wait.
    pub fn work(&self, stopped: &dyn Fn() -> bool) -> io::Result<()> {
        loop {
            let seats = self.queue().postings_due(Timestamp::now(), POSTINGS)?;
            if seats.is_empty() {
                return Ok(());
            }
            for seat in seats {
                if stopped() {
                    return Ok(());
                }
                let Some(recipient) = self.queue().recipient(seat)? else { continue };
                if let Err(error) = self.take_on(seat, &recipient, stopped) {
                    self.put_off(seat, &recipient, &error)?;
                }
            }
        }
    }

    /// A posting that we failed waits, for as long as other mail would.
    fn put_off(&self, seat: Seat, recipient: &outgoing::Recipient, error: &io::Error) -> io::Result<()> {
        Event::PostingDelayed { id: seat.id, list: &recipient.address(), cause: &error.to_string() }.say();
        let Some(message) = self.queue().message(seat.id)? else { return Ok(()) };
        if Timestamp::now().duration_since(message.arrived).as_secs() > LIFE {
            return self.drop_posting(seat, recipient, &format!("it could not be distributed in five days: {error}"));
        }
        let later = outgoing::Recipient { next: in_seconds(PAUSE), ..recipient.clone() };
        self.queue().advance(seat, recipient, Some(&later), &[]).map(drop)
    }

    /// Waits for something to do: news, or the time at which the first of what waits may be due.
    pub async fn news(&self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.queue().list_news()).await;
    }

    fn take_on(&self, seat: Seat, recipient: &outgoing::Recipient, stopped: &dyn Fn() -> bool) -> io::Result<()> {
        let To::List { id, name, address, progress } = &recipient.to else { return Ok(()) };
        let Some(message) = self.queue().message(seat.id)? else { return Ok(()) };
        let list = self.directory().snapshot().list(name).map_err(io::Error::other)?.filter(|list| list.id == *id);
        let Some(list) = list else { return self.drop_posting(seat, recipient, "the list is gone") };
        let posting = Posting::read(self.queue(), seat.id, &message)?;
        if *address != own_address(&list) && Beside::split(address).is_some() {
            self.at_the_desk(&list, address, &message, &posting)?;
            return self.queue().advance(seat, recipient, None, &[]).map(drop);
        }
        match progress {
            Progress::Held(_) => self.drop_posting(seat, recipient, "its owner has not approved of it in time"),
            Progress::Fresh => match self.judge(&list, &message, &posting)? {
                Ok(Verdict::Held) => self.hold(seat, recipient, &list, &posting),
                Ok(Verdict::Allowed) => self.distribute(seat, recipient, list, message, posting, stopped),
                Ok(_) => self.drop_posting(seat, recipient, "its sender may not post any more"),
                Err(why) => self.drop_posting(seat, recipient, why),
            },
            _ => self.distribute(seat, recipient, list, message, posting, stopped),
        }
    }

    fn judge(&self, list: &List, message: &Message, posting: &Posting) -> io::Result<Result<Verdict, &'static str>> {
        let origin = Origin::read(&posting.header);
        if origin.came_through(&own_address(list)) {
            return Ok(Err("it has come through this list before"));
        }
        if origin.bars_posting(&message.sender).is_some() {
            return Ok(Err("a program wrote it"));
        }
        let authors = authors(&posting.header);
        may_post_for(&self.directory().snapshot(), list, &message.sender, &authors).map(Ok).map_err(io::Error::other)
    }

    pub(super) fn drop_posting(&self, seat: Seat, recipient: &outgoing::Recipient, why: &str) -> io::Result<()> {
        Event::PostingDropped { id: seat.id, list: &recipient.address(), why }.say();
        if let Some(message) = self.queue().message(seat.id)? {
            let (recipient, words) = (recipient.address(), why.to_owned());
            self.tell(seat.id, &message, vec![Outcome { recipient, places: Vec::new(), status: Status::Discarded, words }]);
        }
        self.queue().advance(seat, recipient, None, &[]).map(drop)
    }

    fn distribute(
        &self,
        seat: Seat,
        recipient: &outgoing::Recipient,
        list: List,
        message: Message,
        posting: Posting,
        stopped: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let To::List { progress, .. } = &recipient.to else { return Ok(()) };
        let dress = self.dress(&list, &posting.header);
        let mut job = Job { lists: self, list, message, posting, dress, seen: HashSet::new(), outcomes: Vec::new() };
        match progress {
            Progress::Again(members) => job.again(seat, recipient, members),
            Progress::After(cursor) => {
                job.recall(cursor)?;
                job.outcomes.clear();
                job.go_on(seat, recipient.clone(), Some(cursor.clone()), stopped)
            }
            _ => job.go_on(seat, recipient.clone(), None, stopped),
        }
    }
}

impl Job<'_> {
    /// Page by page. What a page leads to is durable before the posting is noted to be past it.
    fn go_on(
        &mut self,
        seat: Seat,
        mut recipient: outgoing::Recipient,
        mut cursor: Option<String>,
        stopped: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let mut members = 0;
        while !stopped() {
            let snapshot = self.lists.directory().snapshot();
            let page = snapshot.members(&self.list.name, cursor.as_deref(), PAGE).map_err(io::Error::other)?;
            members += page.records.len();
            let Page { local, mut onward, mut again } = self.lead(&snapshot, &page.records)?;
            drop(snapshot);
            again.extend(self.bring(local)?);
            if !again.is_empty() {
                onward.push(self.retry(&recipient, again, 0));
            }
            let after = page.next.clone().map(|cursor| self.at(&recipient, Progress::After(cursor)));
            if !self.lists.queue().advance(seat, &recipient, after.as_ref(), &onward)? {
                // Somebody has cancelled it.
                return Ok(());
            }
            self.lists.tell(seat.id, &self.message, std::mem::take(&mut self.outcomes));
            let Some(after) = after else {
                Event::PostingDistributed { id: seat.id, list: self.list.name.as_str(), members }.say();
                let (recipient, words) = (own_address(&self.list).to_string(), format!("distributed to {members} members"));
                let outcome = Outcome { recipient, places: vec![self.list.name.to_string()], status: Status::Delivered, words };
                self.lists.tell(seat.id, &self.message, vec![outcome]);
                return Ok(());
            };
            (recipient, cursor) = (after, page.next);
        }
        Ok(())
    }

    /// Who had the posting before the process ended: walked through anew, since nothing but the place was noted.
    fn recall(&mut self, until: &str) -> io::Result<()> {
        let mut cursor: Option<String> = None;
        while cursor.as_deref() != Some(until) {
            let snapshot = self.lists.directory().snapshot();
            let page = snapshot.members(&self.list.name, cursor.as_deref(), PAGE).map_err(io::Error::other)?;
            let at = page.records.iter().position(|member| member.target.to_string() == until);
            let before = page.records.get(..at.map_or(page.records.len(), |at| at + 1)).unwrap_or_default();
            self.lead(&snapshot, before)?;
            if at.is_some() {
                return Ok(());
            }
            match page.next {
                Some(next) => cursor = Some(next),
                // The member has left meanwhile; whoever comes after it in order has not had it.
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Members that could not be reached before, and nobody else.
    fn again(&mut self, seat: Seat, recipient: &outgoing::Recipient, members: &[String]) -> io::Result<()> {
        let snapshot = self.lists.directory().snapshot();
        let mut found: Vec<Member> = Vec::new();
        for member in members.iter().filter_map(|text| Target::parse(text).ok()) {
            found.extend(crate::router::posting::member_of(&snapshot, &self.list, &member).map_err(io::Error::other)?);
        }
        let Page { local, onward, again: mut left } = self.lead(&snapshot, &found)?;
        drop(snapshot);
        left.extend(self.bring(local)?);
        let expired = Timestamp::now().duration_since(self.message.arrived).as_secs() > LIFE;
        if expired {
            left.iter().for_each(|member| self.skipped(member, "it could not be brought to its mailbox in five days"));
        }
        self.lists.tell(seat.id, &self.message, std::mem::take(&mut self.outcomes));
        let after = (!left.is_empty() && !expired).then(|| self.retry(recipient, left, recipient.tries.saturating_add(1)));
        self.lists.queue().advance(seat, recipient, after.as_ref(), &onward).map(drop)
    }

    /// Where members lead, mailboxes and addresses that had their copy left out. A member that leads nowhere is told of, and is
    /// nobody else's trouble.
    fn lead(&mut self, snapshot: &Snapshot<'_>, members: &[Member]) -> io::Result<Page> {
        let mut page = Page::default();
        let limits = self.lists.office.limits();
        for member in members.iter().filter(|member| member.is_active()) {
            let Some(mailbox) = identity(snapshot, &member.target).map_err(io::Error::other)? else { continue };
            let route = router::route_anywhere(snapshot, &mailbox, &limits, Timestamp::now());
            let (mut mailboxes, mut relays, lists) = match route.decision {
                Decision::Deliver { mailboxes, relays, lists } => (mailboxes, relays, lists),
                // The relay is off, or the directory cannot be read: somebody mends that.
                Decision::Refuse(reply) if reply.class() == Class::Transient => {
                    page.again.push(mailbox.to_string());
                    continue;
                }
                Decision::Refuse(reply) => {
                    self.skipped(&mailbox.to_string(), &reply.to_string());
                    continue;
                }
            };
            mailboxes.retain(|mailbox| self.seen.insert(mailbox.id.0));
            relays.retain(|relay| self.seen.insert(xxh3_64(relay.to_string().to_lowercase().as_bytes())));
            page.onward.extend(relays.into_iter().map(|relay| self.elsewhere(&mailbox, relay)));
            page.onward.extend(lists.into_iter().filter(|list| list.id != self.list.id).map(|list| {
                let to = To::List { id: list.id, name: list.name, address: list.address, progress: Progress::Approved };
                outgoing::Recipient::new(to, Hop::of_list(list.id), now())
            }));
            if !mailboxes.is_empty() {
                let routed = Routed {
                    recipient: Recipient::from(mailbox.clone()),
                    sender: Some(self.sender(&mailbox)),
                    destinations: mailboxes,
                    relays: Vec::new(),
                    lists: Vec::new(),
                    reserved: Vec::new(),
                };
                page.local.push((mailbox, routed));
            }
        }
        Ok(page)
    }

    fn elsewhere(&self, member: &Mailbox, relay: Mailbox) -> outgoing::Recipient {
        let hop = Hop::of(&relay, self.lists.queue().filing());
        outgoing::Recipient {
            asked: Some(ForwardPath::Mailbox(member.clone())),
            via: Some(own_address(&self.list)),
            sender: Some(self.sender(member)),
            ..outgoing::Recipient::new(To::Mailbox(relay), hop, now())
        }
    }

    /// The sender of a member's copy: what comes back to it tells whose copy it was.
    fn sender(&self, member: &Mailbox) -> ReversePath {
        let sender = self.lists.signer.sender(&own_address(&self.list), &Target::Address(member.clone()));
        Mailbox::parse(&sender.to_string()).map_or(ReversePath::Null, ReversePath::Mailbox)
    }

    fn at(&self, recipient: &outgoing::Recipient, progress: Progress) -> outgoing::Recipient {
        let to = To::List { id: self.list.id, name: self.list.name.clone(), address: own_address(&self.list), progress };
        outgoing::Recipient { to, hop: Hop::of_list(self.list.id), next: now(), ..recipient.clone() }
    }

    fn retry(&self, recipient: &outgoing::Recipient, members: Vec<String>, tries: u32) -> outgoing::Recipient {
        let pause = AGAIN.saturating_mul(1 << tries.min(10)).min(AGAIN_AT_MOST);
        let next = in_seconds(pause);
        outgoing::Recipient { next, tries, ..self.at(recipient, Progress::Again(members)) }
    }

    /// Brings copies to mailboxes here, several at a time, and gives the members whose mailbox did not take theirs.
    fn bring(&mut self, local: Vec<(Mailbox, Routed)>) -> io::Result<Vec<String>> {
        let mut again = Vec::new();
        let octets = self.message.octets.max(1);
        let width = usize::try_from(UNDER_WAY / octets).unwrap_or_default().clamp(1, PAGE);
        let mut local = local.into_iter().peekable();
        while local.peek().is_some() {
            let mut under_way = Vec::new();
            for (member, routed) in local.by_ref().take(width) {
                let places = routed.destinations.iter().map(|to| to.name.to_string()).collect();
                let results = self.hand_over(&member, routed)?;
                under_way.push((member, places, results));
            }
            for (member, places, results) in under_way {
                let outcome = results.recv().ok().and_then(|results| results.into_iter().next());
                match outcome.unwrap_or_else(|| Err(Failure::Io("the spool gave no answer".into()))) {
                    Ok(_) => {
                        let (recipient, words) = (member.to_string(), "250 2.0.0 Ok".to_owned());
                        self.outcomes.push(Outcome { recipient, places, status: Status::Delivered, words });
                    }
                    Err(Failure::Loop | Failure::HeaderTooBig) => {
                        self.skipped(&member.to_string(), "the message goes in circles, or its header is too big")
                    }
                    Err(Failure::MailboxFull | Failure::DiskFull | Failure::Io(_)) => again.push(member.to_string()),
                }
            }
        }
        Ok(again)
    }

    fn hand_over(&self, member: &Mailbox, routed: Routed) -> io::Result<mpsc::Receiver<Results>> {
        let spool = self.lists.office.spool();
        let mut body = spool.body();
        body.take(&mut self.dress.header(&self.posting.header, &self.lists.signer, &Target::Address(member.clone())))?;
        let mut text = self.posting.body()?;
        let mut block = Vec::with_capacity(64 * 1024);
        while text.by_ref().take(64 * 1024).read_to_end(&mut block)? > 0 {
            body.take(&mut block)?;
        }
        let Message { body: kind, charset, .. } = self.message;
        let sender = routed.sender.clone().unwrap_or(ReversePath::Null);
        let mut envelope = Envelope::from_sender(sender);
        (envelope.body, envelope.charset) = (kind, charset);
        envelope.recipients.push(routed.recipient.clone());
        let client = Client { helo: self.list.domain.to_string(), name: None, address: None };
        let with = With { spoken: Spoken::Here, encrypted: false, charset };
        let routing = Routing { id: spool.next_id(), envelope, recipients: vec![routed], client, with, kind: Kind::Posting };
        let (done, results) = mpsc::channel();
        spool.accept(routing, body, Outcomes::Each, move |results| drop(done.send(results)));
        Ok(results)
    }

    fn skipped(&mut self, member: &str, why: &str) {
        let (recipient, words) = (member.to_owned(), why.to_owned());
        self.outcomes.push(Outcome { recipient, places: Vec::new(), status: Status::Refused, words });
        Event::MemberSkipped { list: self.list.name.as_str(), member, why }.say();
    }
}
