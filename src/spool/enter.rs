//! The way into the queue of mail that leaves: one sync for all messages that come at the same time.

use std::collections::{BTreeMap, btree_map};
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::Core;
use super::accept::{Failure, Results, Staging, Wish};
use super::hands::Job;
use super::outgoing::{Entered, Entry, Hop, Kind, Message, Place, Progress, Queue, Recipient, To};
use crate::mail::{Envelope, Mailbox, QueueId, ReversePath};
use crate::maildir::Text;

/// Octets that one batch gathers at most.
const BATCH: usize = 4 << 20;

/// What of a message leaves.
pub(super) struct Leaving {
    message: Message,
    recipients: Vec<Recipient>,
    /// For each of them, which of the message's recipients want it.
    wanted_by: Vec<Vec<usize>>,
    /// Whether copies go to mailboxes as well.
    beside_copies: bool,
}

/// A message that is about to enter the queue, and who of its recipients wants what of it.
pub(super) struct Prepared {
    entry: Entry,
    wanted_by: Vec<Vec<usize>>,
}

/// What has left, as far as the queue goes. Dropped, it is taken back.
pub(super) struct Left {
    entered: Entered,
    wanted_by: Vec<Vec<usize>>,
}

impl Left {
    /// It stays in the queue, except for what only recipients want that have failed after all.
    pub(super) fn confirm(self, results: &Results) {
        let failed = |by: &Vec<usize>| by.iter().all(|by| results.get(*by).is_none_or(Result::is_err));
        let without: Vec<u32> = (0..).zip(&self.wanted_by).filter(|(_, by)| failed(by)).map(|(number, _)| number).collect();
        self.entered.confirm(&without);
    }
}

/// What leaves on behalf of the recipients that nothing has failed yet, each address and each list once; none if nothing does.
pub(super) fn leaving(
    queue: &Queue,
    kind: Kind,
    envelope: &Envelope,
    wishes: &[Wish],
    verdicts: &[Result<(), Failure>],
    now: Timestamp,
) -> Option<Leaving> {
    let (mut recipients, mut wanted_by): (Vec<Recipient>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    let mut known = BTreeMap::new();
    let accepted = || wishes.iter().enumerate().zip(verdicts).filter(|(_, verdict)| verdict.is_ok()).map(|(wish, _)| wish);
    for (index, wish) in accepted() {
        for recipient in seats(queue, wish, now) {
            match known.entry(recipient.address()) {
                btree_map::Entry::Occupied(number) => {
                    wanted_by.get_mut(*number.get()).into_iter().for_each(|by: &mut Vec<usize>| by.push(index))
                }
                btree_map::Entry::Vacant(free) => {
                    free.insert(recipients.len());
                    recipients.push(recipient);
                    wanted_by.push(vec![index]);
                }
            }
        }
    }
    let message = message(kind, envelope, now);
    let beside_copies = accepted().any(|(_, wish)| !wish.mailboxes.is_empty());
    (!recipients.is_empty()).then_some(Leaving { message, recipients, wanted_by, beside_copies })
}

fn seats(queue: &Queue, wish: &Wish, now: Timestamp) -> Vec<Recipient> {
    let via = wish.via();
    let seat = |to: To, hop: Hop| Recipient {
        asked: Some(wish.recipient.path.clone()),
        original: wish.recipient.original.clone(),
        notify: wish.recipient.notify,
        via: via.clone(),
        sender: wish.sender.clone(),
        ..Recipient::new(to, hop, now)
    };
    let filing = queue.filing();
    let relays = wish.relays.iter().map(|mailbox: &Mailbox| seat(To::Mailbox(mailbox.clone()), Hop::of(mailbox, filing)));
    let lists = wish.lists.iter().map(|list| {
        let to = To::List { id: list.id, name: list.name.clone(), address: list.address.clone(), progress: Progress::Fresh };
        seat(to, Hop::of_list(list.id))
    });
    relays.chain(lists).collect()
}

fn message(kind: Kind, envelope: &Envelope, now: Timestamp) -> Message {
    let sender: ReversePath = envelope.sender.clone();
    Message {
        sender,
        body: envelope.body,
        charset: envelope.charset,
        ret: envelope.ret,
        envid: envelope.envid.clone(),
        arrived: now,
        octets: 0,
        lines: 0,
        place: Place::Row,
        kind,
        total: 0,
        open: 0,
    }
}

impl Leaving {
    /// Puts the text to it, below `head`.
    pub(super) fn prepare(self, queue: &Queue, id: QueueId, head: &str, text: &dyn Text) -> io::Result<Prepared> {
        let mut entry = queue.prepare(id, self.message, self.recipients, head, text)?;
        entry.undecided = self.beside_copies;
        Ok(Prepared { entry, wanted_by: self.wanted_by })
    }
}

impl Staging {
    /// What leaves cannot: the recipients that want it have failed, or all of them.
    pub(super) fn without_leaving(mut self, failure: &Failure) -> Self {
        let failed = super::accept::verdicts(&self.wishes, self.outcomes, |wish| wish.leaves().then(|| failure.clone()));
        self.verdicts = self.verdicts.into_iter().zip(failed).map(|(before, failed)| before.and(failed)).collect();
        self
    }
}

/// Messages that wait to enter the queue.
#[derive(Default)]
pub(super) struct Entering {
    ready: Vec<(Prepared, Staging)>,
    led: bool,
}

impl Entering {
    /// The next batch, for the caller to write; none while another is at it, or nothing waits.
    fn batch(&mut self) -> Option<Vec<(Prepared, Staging)>> {
        if self.led || self.ready.is_empty() {
            return None;
        }
        let mut octets = 0;
        let fits = |ready: &(Prepared, Staging)| {
            octets += ready.0.entry.octets();
            octets <= BATCH
        };
        let count = self.ready.iter().map(fits).take_while(|fits| *fits).count().max(1).min(self.ready.len());
        self.led = true;
        Some(self.ready.drain(..count).collect())
    }
}

impl Core {
    /// Takes a message into the queue, alone or with others, and goes on with it.
    pub(super) fn enter(self: &Arc<Self>, prepared: Prepared, staging: Staging) {
        if staging.pending.is_given_up() {
            self.outgoing.discard(&prepared.entry);
            return staging.fail(&Failure::Io("its client waits no longer".into()));
        }
        self.entering().ready.push((prepared, staging));
        loop {
            let batch = self.entering().batch();
            let Some(batch) = batch else { return };
            let (mut entries, mut waiting) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
            for (Prepared { entry, wanted_by }, staging) in batch {
                entries.push(entry);
                waiting.push((wanted_by, staging));
            }
            let written = self.outgoing.write(entries);
            self.entering().led = false;
            self.go_on(written, waiting);
        }
    }

    /// One of them is ours, so that a message that is alone stays on one thread.
    fn go_on(self: &Arc<Self>, written: io::Result<Vec<Entered>>, mut waiting: Vec<(Vec<Vec<usize>>, Staging)>) {
        let entered: Vec<Result<Entered, Failure>> = match written {
            Ok(entered) => entered.into_iter().map(Ok).collect(),
            Err(error) => {
                let failure = Failure::from(error);
                waiting.iter().map(|_| Err(failure.clone())).collect()
            }
        };
        let mut decided: Vec<_> = waiting.drain(..).zip(entered).collect();
        let own = decided.pop();
        let job = |((wanted_by, staging), entered)| -> Job {
            let core = Arc::clone(self);
            Box::new(move || {
                core.go_on_with(wanted_by, staging, entered);
                core.lead_when_due();
            })
        };
        self.hands.hurry(decided.into_iter().map(job).collect::<Vec<_>>().into_iter());
        if let Some(((wanted_by, staging), entered)) = own {
            self.go_on_with(wanted_by, staging, entered);
        }
    }

    fn go_on_with(self: &Arc<Self>, wanted_by: Vec<Vec<usize>>, staging: Staging, entered: Result<Entered, Failure>) {
        match entered {
            Ok(entered) => self.proceed(staging, Some(Left { entered, wanted_by })),
            Err(failure) => self.proceed(staging.without_leaving(&failure), None),
        }
    }

    fn entering(&self) -> MutexGuard<'_, Entering> {
        self.entering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
