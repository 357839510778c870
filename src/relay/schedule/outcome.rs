//! What becomes of recipients after an attempt. Whoever has to be told is told before the recipient leaves the queue: a crash
//! in between tells it twice, and never not at all.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::SemaphorePermit;
use tokio::task;

use super::super::notice::{self, News};
use super::super::settings::Settings;
use super::super::verdict::{Diagnostic, SuccessReport, Trouble, Verdict};
use super::load::Load;
use super::pace::{self, Step};
use super::{Dispatch, TEXTS_KIB};
use crate::ledger::{Row, Status};
use crate::mail::QueueId;
use crate::spool::outgoing::{Attempt, Due, Hop, Kept, Message, Outcome, Place, Recipient};
use crate::telemetry::event::{Event, Onward, Stage};

/// What a message told about its hop.
pub(super) enum Sent {
    /// Nothing: there was nothing to send any more.
    Nothing,
    /// Somebody answered.
    Reached,
    /// Nobody could be spoken to.
    Unreached(Attempt),
}

/// A recipient, what becomes of it, and what its sender is told.
struct Decided {
    number: u32,
    recipient: Recipient,
    outcome: Outcome,
    news: Option<News>,
}

impl Dispatch {
    /// Sends what is due of one message, and settles it.
    pub(super) async fn send(self: &Arc<Self>, hop: &Hop, dues: &[Due]) -> io::Result<Sent> {
        let _room = self.room(dues).await?;
        let (schedule, asked, wanted) = (Arc::clone(self), hop.clone(), dues.to_vec());
        let loads = task::spawn_blocking(move || schedule.load(&asked, &wanted)).await.map_err(io::Error::other)??;
        let mut sent = Sent::Nothing;
        for load in loads {
            let verdicts = match &load.way {
                Ok((next, outgoing)) => self.courier.load_full().carry(next, outgoing).await,
                Err(trouble) => load.recipients.iter().map(|_| trouble.clone().verdict()).collect(),
            };
            let is_readable = load.way.as_ref().err().is_none_or(|trouble| !trouble.is_of_message());
            let unreached = unreached(&verdicts).map(|trouble| attempt(trouble, Timestamp::now()));
            self.conclude(hop, load, verdicts).await?;
            if let Some(attempt) = unreached {
                return Ok(Sent::Unreached(attempt));
            }
            if is_readable {
                sent = Sent::Reached;
            }
        }
        Ok(sent)
    }

    /// Waits until there is memory for the text of that message. It is looked up here: that is cheaper than a change of threads.
    async fn room(&self, dues: &[Due]) -> io::Result<Option<SemaphorePermit<'_>>> {
        let Some(due) = dues.first() else { return Ok(None) };
        let octets = match self.queue.message(due.seat.id)? {
            Some(Message { place: Place::Row, octets, .. }) => octets,
            _ => 0,
        };
        let kib = u32::try_from(octets / 1024 + 1).unwrap_or(TEXTS_KIB).min(TEXTS_KIB);
        self.texts.acquire_many(kib).await.map(Some).map_err(io::Error::other)
    }

    async fn conclude(self: &Arc<Self>, hop: &Hop, load: Load, verdicts: Vec<Verdict>) -> io::Result<()> {
        let Load { message, recipients, text, way } = load;
        let (settings, now) = (self.settings.load_full(), Timestamp::now());
        let mut decided = Vec::with_capacity(recipients.len());
        let mut rows = Vec::with_capacity(recipients.len());
        let missing = || Trouble::ours(crate::relay::Status::new(4, 3, 0), "no verdict");
        let mut verdicts = verdicts.into_iter();
        let id = text.id();
        for (number, recipient) in recipients {
            let verdict = verdicts.next().unwrap_or_else(|| missing().verdict());
            let told = say(id, &way, hop, &message, &recipient, &verdict, now);
            let one = decide(&settings, &message, number, recipient, verdict, now);
            rows.extend(told.map(|row| Row { status: became(&one, row.status), ..row }));
            decided.push(one);
        }
        self.ledger.note(rows).await;
        self.finish(id, &message, &text, decided).await
    }

    /// Tells whom it concerns, and notes the outcomes.
    async fn finish(self: &Arc<Self>, id: QueueId, message: &Message, text: &Kept, decided: Vec<Decided>) -> io::Result<()> {
        let (mut outcomes, mut news) = (Vec::with_capacity(decided.len()), Vec::new());
        for Decided { number, recipient, outcome, news: told } in decided {
            outcomes.push((number, outcome));
            news.extend(told.map(|told| (recipient, told)));
        }
        if !news.is_empty() {
            notice::tell(&self.office, self.settings.load().returned, id, message, text, news).await?;
        }
        let queue = Arc::clone(&self.queue);
        task::spawn_blocking(move || queue.settle(id, outcomes)).await.map_err(io::Error::other)?
    }

    /// Puts off recipients that were not tried, because nobody can be spoken to.
    pub(super) async fn put_off(self: &Arc<Self>, dues: &[Due], attempt: &Attempt) -> io::Result<()> {
        let mut rest = dues;
        while let Some(id) = rest.first().map(|due| due.seat.id) {
            let same = rest.iter().take_while(|due| due.seat.id == id).count();
            let (these, others) = rest.split_at_checked(same).unwrap_or((rest, &[]));
            rest = others;
            let (schedule, these, attempt) = (Arc::clone(self), these.to_vec(), attempt.clone());
            let put_off = move || schedule.decide_unsent(id, &these, &attempt);
            let Some((message, text, decided)) = task::spawn_blocking(put_off).await.map_err(io::Error::other)?? else { continue };
            self.finish(id, &message, &text, decided).await?;
        }
        Ok(())
    }

    fn decide_unsent(&self, id: QueueId, dues: &[Due], attempt: &Attempt) -> io::Result<Option<(Message, Kept, Vec<Decided>)>> {
        let Some(message) = self.queue.message(id)? else { return Ok(None) };
        let (settings, now) = (self.settings.load(), Timestamp::now());
        let mut decided = Vec::with_capacity(dues.len());
        for due in dues {
            if let Some(recipient) = self.queue.recipient(due.seat)? {
                let attempt = Attempt { at: now, ..attempt.clone() };
                decided.push(deferred(&settings, &message, due.seat.number, recipient, attempt, now));
            }
        }
        let text = self.queue.text(id, &message)?;
        Ok(Some((message, text, decided)))
    }
}

fn decide(settings: &Settings, message: &Message, number: u32, recipient: Recipient, verdict: Verdict, now: Timestamp) -> Decided {
    let done = |recipient, news| Decided { number, recipient, outcome: Outcome::Done, news };
    match verdict {
        Verdict::Delivered(taken) => {
            let wanted = recipient.notify.is_some_and(|notify| notify.success) && taken.report == SuccessReport::Ours;
            done(recipient, wanted.then_some(News::Relayed { taken, at: now }))
        }
        Verdict::Failed(trouble) => {
            let attempt = attempt(&trouble, now);
            done(recipient, Some(News::Failed { attempt }))
        }
        Verdict::Deferred(trouble) => deferred(settings, message, number, recipient, attempt(&trouble, now), now),
    }
}

fn deferred(settings: &Settings, message: &Message, number: u32, recipient: Recipient, attempt: Attempt, now: Timestamp) -> Decided {
    let schedule = &settings.schedule;
    let later = |next, attempt, delay_told| Outcome::Later { next, attempt, delay_told };
    let (outcome, news) = match pace::step(schedule, message, &recipient, now, rand::random()) {
        Step::Again(next) => (later(next, attempt, false), None),
        Step::Tell(next) => {
            let until = message.arrived.saturating_add(schedule.life).unwrap_or(Timestamp::MAX);
            (later(next, attempt.clone(), true), Some(News::Delayed { attempt, until }))
        }
        Step::GiveUp => (Outcome::Done, Some(News::Failed { attempt })),
    };
    Decided { number, recipient, outcome, news }
}

/// The trouble with the hop itself, where no recipient came further.
fn unreached(verdicts: &[Verdict]) -> Option<&Trouble> {
    let of_hop = |verdict: &Verdict| match verdict {
        Verdict::Deferred(trouble) => match &trouble.diagnostic {
            Diagnostic::Ours(_) => !trouble.is_of_message(),
            Diagnostic::Reply(reply) => reply.starts_with("421"),
        },
        Verdict::Delivered(_) | Verdict::Failed(_) => false,
    };
    match verdicts.first() {
        Some(Verdict::Deferred(trouble)) if verdicts.iter().all(of_hop) => Some(trouble),
        _ => None,
    }
}

/// An attempt as the queue remembers it.
fn attempt(trouble: &Trouble, at: Timestamp) -> Attempt {
    let by_peer = matches!(trouble.diagnostic, Diagnostic::Reply(_));
    let remote = trouble.remote.as_ref().map(|remote| (remote.name.clone(), remote.address));
    let status = (trouble.status.class, trouble.status.subject, trouble.status.detail);
    Attempt { at, remote, status, reply: trouble.diagnostic.text().to_owned(), by_peer }
}

fn say<T>(
    id: QueueId,
    way: &Result<(T, super::super::Outgoing), Trouble>,
    hop: &Hop,
    message: &Message,
    to: &Recipient,
    verdict: &Verdict,
    now: Timestamp,
) -> Option<Row> {
    let (stage, remote, status) = match verdict {
        Verdict::Delivered(taken) => (Stage::Sent, Some(&taken.remote), taken.reply.clone()),
        Verdict::Deferred(trouble) => (Stage::Deferred, trouble.remote.as_ref(), trouble.to_string()),
        Verdict::Failed(trouble) => (Stage::Failed, trouble.remote.as_ref(), trouble.to_string()),
    };
    let outgoing = match way {
        Ok((_, outgoing)) => outgoing,
        Err(trouble) if trouble.is_of_message() => {
            Event::TextUnreadable { id, recipient: &to.address(), cause: &status }.say();
            return None;
        }
        Err(_) => {
            Event::HopDown { hop: hop.as_str(), failures: 0, seconds: 0, cause: &status }.say();
            return None;
        }
    };
    let (recipient, remote) = (to.address(), remote.map(ToString::to_string).unwrap_or_default());
    let onward = Onward {
        id: outgoing.id,
        sender: &outgoing.sender,
        recipient: &recipient,
        hop: hop.as_str(),
        remote: &remote,
        delay: std::time::Duration::try_from(now.duration_since(message.arrived)).unwrap_or_default(),
        tries: to.tries.saturating_add(1),
        stage,
        status: &status,
    };
    Event::Onward(onward).say();
    Some(Row::of_onward(&onward, to.via.as_ref().map(ToString::to_string), outgoing.size(), now))
}

/// What an attempt has made of a recipient: one that was deferred for the last time has come back.
fn became(decided: &Decided, told: Status) -> Status {
    if matches!(decided.news, Some(News::Failed { .. })) { Status::Bounced } else { told }
}
