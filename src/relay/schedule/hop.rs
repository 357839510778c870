//! One hop at a time: how many messages go to it at once, and when it is let alone.
//!
//! Work on a hop begins with one message. Once the hop has answered, as many go to it at once as may; where it then refuses
//! connections, fewer. Where nothing at all comes through the hop is down: everything that is due for it is put off with the same
//! reason, and a single message probes it when its time has come.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::{self, JoinSet};
use tokio::time::{self, Instant};

use super::super::settings::Mode;
use super::outcome::Sent;
use super::{Dispatch, ERROR, Work, pace};
use crate::spool::outgoing::{Attempt, Down, Due, Hop, Seat, Turn};
use crate::telemetry::Event;

/// Recipients that are looked up together.
const PULL: usize = 500;

/// Recipients in one transaction: what every server has to take (RFC 5321 §4.5.3.1.8).
const RECIPIENTS: usize = 100;

/// Recipients that are put off together.
const PIECE: usize = 500;

/// A hop whose due messages are not decided yet is looked at again after so long.
const UNDECIDED: SignedDuration = SignedDuration::from_secs(1);

impl Work {
    pub(super) fn of(turn: &Turn) -> Self {
        Self { anchor: turn.clone(), again: false }
    }

    /// Whether that turn is the one that keeps the hop from being forgotten.
    pub(super) fn holds(&self, turn: &Turn) -> bool {
        self.anchor == *turn
    }
}

impl Dispatch {
    /// Works on a hop until nothing is due for it, and leaves a turn for what is left.
    pub(super) async fn work_on(self: Arc<Self>, anchor: Turn) {
        let hop = anchor.hop.clone();
        let round = Round::new(Arc::clone(&self), hop.clone());
        let ended = match round.run().await {
            Ok(next) => self.end(anchor, next).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &ended {
            // The turn is still there, so the hop comes up again.
            Event::TaskFailed { task: "sending mail", cause: &error.to_string() }.say();
            time::sleep(ERROR).await;
        }
        let again = self.work().remove(&hop).is_some_and(|work| work.again);
        if again || ended.is_err() {
            let (queue, now) = (Arc::clone(&self.queue), Timestamp::now());
            // Where that fails, the next start finds what waits.
            let _ = task::spawn_blocking(move || queue.end_turns(&[], Some((&hop, now)))).await;
            self.changed.notify_one();
        }
    }

    async fn end(&self, anchor: Turn, next: Option<Timestamp>) -> io::Result<()> {
        let queue = Arc::clone(&self.queue);
        task::spawn_blocking(move || queue.end_turns(std::slice::from_ref(&anchor), next.map(|next| (&anchor.hop, next))))
            .await
            .map_err(io::Error::other)?
    }
}

/// One stretch of work on a hop.
struct Round {
    schedule: Arc<Dispatch>,
    hop: Hop,
    down: Option<Down>,
    /// Messages that may be under way at once.
    limit: usize,
    reached: bool,
    parcels: VecDeque<Vec<Due>>,
    after: Option<Due>,
    under_way: HashSet<Seat>,
    tasks: JoinSet<(Vec<Due>, io::Result<Sent>)>,
}

impl Round {
    fn new(schedule: Arc<Dispatch>, hop: Hop) -> Self {
        Self {
            schedule,
            hop,
            down: None,
            limit: 1,
            reached: false,
            parcels: VecDeque::new(),
            after: None,
            under_way: HashSet::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Sends what is due. When the hop is to be looked at next, if anything waits for it.
    async fn run(mut self) -> io::Result<Option<Timestamp>> {
        self.down = self.asked(|schedule, hop| schedule.queue.down(hop)).await?;
        if let Some(down) = self.down.as_ref().filter(|down| down.until > Timestamp::now()) {
            return Ok(Some(down.until));
        }
        loop {
            self.fill().await?;
            let Some(joined) = self.tasks.join_next().await else {
                if self.looks_again() {
                    continue;
                }
                break;
            };
            let (dues, sent) = joined.map_err(io::Error::other)?;
            for due in &dues {
                self.under_way.remove(&due.seat);
            }
            if let Some(attempt) = self.judge(sent?).await? {
                return self.go_down(attempt).await;
            }
        }
        let first = self.asked(|schedule, hop| schedule.queue.first_due(hop)).await?;
        let soon = Timestamp::now().saturating_add(UNDECIDED).unwrap_or(Timestamp::MAX);
        Ok(first.map(|first| if self.is_stopping() { first } else { first.max(soon) }))
    }

    /// Whether somebody has asked for another look meanwhile.
    fn looks_again(&mut self) -> bool {
        let again = self.schedule.work().get_mut(&self.hop).is_some_and(|work| std::mem::take(&mut work.again));
        self.after = None;
        again && !self.is_stopping()
    }

    fn is_stopping(&self) -> bool {
        *self.schedule.stopping.borrow() || self.schedule.settings.load().mode == Mode::Off
    }

    /// Begins to send as many messages as may be under way.
    async fn fill(&mut self) -> io::Result<()> {
        while self.tasks.len() < self.limit && !self.is_stopping() {
            if self.parcels.is_empty() {
                self.pull().await?;
            }
            let Some(parcel) = self.parcels.pop_front() else { break };
            self.wait_for_slot().await;
            self.under_way.extend(parcel.iter().map(|due| due.seat));
            let (schedule, hop) = (Arc::clone(&self.schedule), self.hop.clone());
            self.tasks.spawn(async move {
                let sent = schedule.send(&hop, &parcel).await;
                (parcel, sent)
            });
        }
        Ok(())
    }

    /// Looks up who is due next: recipients of one message together.
    async fn pull(&mut self) -> io::Result<()> {
        let after = self.after;
        let dues = self.asked(move |schedule, hop| schedule.queue.due(hop, after, Timestamp::now(), PULL)).await?;
        self.after = dues.last().copied().or(self.after);
        for due in dues.into_iter().filter(|due| !self.under_way.contains(&due.seat)) {
            match self.parcels.back_mut() {
                Some(last) if last.len() < RECIPIENTS && last.first().is_some_and(|first| first.seat.id == due.seat.id) => last.push(due),
                _ => self.parcels.push_back(vec![due]),
            }
        }
        Ok(())
    }

    /// Waits until another message may go to the hop (`relay.rate`), or the server stops.
    async fn wait_for_slot(&self) {
        let Some(rate) = self.schedule.settings.load().rate else { return };
        let pause = std::time::Duration::from_secs(60) / rate.max(1);
        let at = {
            let mut slots = self.schedule.slots();
            let now = Instant::now();
            slots.retain(|hop, at| *at > now || *hop == self.hop);
            let at = slots.get(&self.hop).copied().unwrap_or(now).max(now);
            slots.insert(self.hop.clone(), at + pause);
            at
        };
        let mut stopping = self.schedule.stopping.subscribe();
        tokio::select! {
            () = time::sleep_until(at) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    /// What a sent message says about the hop. The last attempt, if the hop is down.
    async fn judge(&mut self, sent: Sent) -> io::Result<Option<Attempt>> {
        let most = self.schedule.settings.load().connections.max(1);
        match sent {
            Sent::Nothing => {}
            Sent::Reached => {
                self.reached = true;
                self.limit = most;
                if self.down.take().is_some() {
                    self.asked(|schedule, hop| schedule.queue.set_down(hop, None)).await?;
                }
            }
            Sent::Unreached(_) if self.reached => self.limit = (self.limit / 2).max(1),
            Sent::Unreached(attempt) => return Ok(Some(attempt)),
        }
        Ok(None)
    }

    /// Leaves the hop alone for a while, and puts off everything that is due for it.
    async fn go_down(mut self, attempt: Attempt) -> io::Result<Option<Timestamp>> {
        while let Some(joined) = self.tasks.join_next().await {
            let (_, sent) = joined.map_err(io::Error::other)?;
            sent?;
        }
        let failures = self.down.as_ref().map_or(0, |down| down.failures).saturating_add(1);
        let wait = pace::wait(&self.schedule.settings.load().schedule, failures, rand::random());
        let until = Timestamp::now().saturating_add(SignedDuration::try_from(wait).unwrap_or_default()).unwrap_or(Timestamp::MAX);
        Event::HopDown { hop: self.hop.as_str(), failures, seconds: wait.as_secs(), cause: &attempt.reply }.say();
        let down = Down { failures, until, last: attempt.clone() };
        self.asked(move |schedule, hop| schedule.queue.set_down(hop, Some(&down))).await?;
        let mut after = None;
        while !self.is_stopping() {
            let dues = self.asked(move |schedule, hop| schedule.queue.due(hop, after, Timestamp::now(), PIECE)).await?;
            after = dues.last().copied();
            if dues.is_empty() {
                break;
            }
            self.schedule.put_off(&dues, &attempt).await?;
        }
        // What has come meanwhile waits for the probe as well.
        self.looks_again();
        Ok(Some(until))
    }

    async fn asked<T: Send + 'static>(&self, work: impl FnOnce(&Dispatch, &Hop) -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let (schedule, hop) = (Arc::clone(&self.schedule), self.hop.clone());
        task::spawn_blocking(move || work(&schedule, &hop)).await.map_err(io::Error::other)?
    }
}
