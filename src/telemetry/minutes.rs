//! The last day, minute by minute, in memory: what the dashboard draws. A restart forgets it.
//!
//! Bounded: a day of minutes, a few reasons in each, and some thousand mailboxes an hour.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// Minutes that are kept.
pub const KEPT: u64 = 24 * 60;

/// Mailboxes of which the mail of an hour is counted.
const MAILBOXES: usize = 5000;

/// Reasons that are told apart in a minute.
const REASONS: usize = 16;

/// Steps of latency: from [`SHORTEST`] on, each longer by half an octave.
const STEPS: usize = 40;

/// The upper end of the first step, in seconds.
const SHORTEST: f64 = 0.000_25;

/// What became of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// In every mailbox.
    Delivered,
    /// Accepted, and waiting.
    Waiting,
    /// Thrown away, as an alias says.
    Discarded,
    /// Refused for now.
    Deferred,
    /// Refused for good.
    Refused,
}

impl Became {
    /// What a refusal with that reply is.
    pub fn refused(status: &str) -> Self {
        if status.starts_with('4') { Self::Deferred } else { Self::Refused }
    }

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Waiting => "waiting",
            Self::Discarded => "discarded",
            Self::Deferred => "deferred",
            Self::Refused => "refused",
        }
    }
}

/// A minute, or several taken together.
#[derive(Debug, Clone, Default)]
pub struct Minute {
    /// Minutes since 1970.
    pub at: u64,
    /// Recipients whose mail was taken.
    pub accepted: u64,
    /// Recipients refused for now.
    pub deferred: u64,
    /// Recipients refused for good.
    pub refused: u64,
    /// Messages.
    pub messages: u64,
    /// Octets of their text.
    pub octets: u64,
    /// Refused recipients, for now and for good, by status code.
    pub reasons: Vec<(String, u64)>,
    /// Octets in use on the disk of the mailboxes, and its size; as they were last looked at.
    pub disk: Option<(u64, u64)>,
    /// Copies that waited; likewise.
    pub queue: Option<u64>,
    steps: Vec<u32>,
}

impl Minute {
    /// How long the given share of messages took at most, in seconds; none where there was none.
    pub fn latency(&self, share: f64) -> Option<f64> {
        let all: u64 = self.steps.iter().map(|count| u64::from(*count)).sum();
        if all == 0 {
            return None;
        }
        let wanted = ((all as f64) * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let step = self.steps.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        })?;
        // The middle of the step, as ratios go.
        Some(SHORTEST * 2f64.powf((step as f64 - 0.5) / 2.0))
    }

    fn took(&mut self, took: Duration) {
        let step = (2.0 * (took.as_secs_f64() / SHORTEST).max(f64::MIN_POSITIVE).log2()).ceil().max(0.0) as usize;
        self.steps.resize(STEPS, 0);
        if let Some(count) = self.steps.get_mut(step.min(STEPS - 1)) {
            *count += 1;
        }
    }

    fn reason(&mut self, reason: &str, times: u64) {
        let room = self.reasons.len() < REASONS;
        match self.reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += times,
            None if room => self.reasons.push((reason.to_owned(), times)),
            None => {}
        }
    }

    /// Takes another minute in.
    fn merge(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.deferred += other.deferred;
        self.refused += other.refused;
        self.messages += other.messages;
        self.octets += other.octets;
        other.reasons.iter().for_each(|(reason, count)| self.reason(reason, *count));
        self.disk = other.disk.or(self.disk);
        self.queue = self.queue.max(other.queue);
        if !other.steps.is_empty() {
            self.steps.resize(STEPS, 0);
            self.steps.iter_mut().zip(&other.steps).for_each(|(sum, count)| *sum += count);
        }
    }
}

/// Mail of one mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// Its name.
    pub name: String,
    /// Messages.
    pub messages: u64,
    /// Octets of their text.
    pub octets: u64,
}

type Hour = (u64, HashMap<String, (u64, u64)>);

/// The ring of minutes.
#[derive(Debug, Default)]
pub struct Minutes {
    minutes: Mutex<VecDeque<Minute>>,
    hours: Mutex<VecDeque<Hour>>,
}

/// The last day.
#[derive(Debug, Clone)]
pub struct Day {
    /// Parts of the day, oldest first, each of as many minutes.
    pub parts: Vec<Minute>,
    /// The whole of it.
    pub whole: Minute,
    /// The mailboxes that most mail went to.
    pub mailboxes: Vec<Mailbox>,
}

impl Minutes {
    /// A message came, and was decided on so long after its end of data.
    pub fn message(&self, octets: u64, took: Duration) {
        self.now(|minute| {
            minute.messages += 1;
            minute.octets += octets;
            minute.took(took);
        });
    }

    /// What became of a recipient; `reason` is the status code of a refusal.
    pub fn recipient(&self, became: Became, reason: &str) {
        self.now(|minute| match became {
            Became::Delivered | Became::Waiting | Became::Discarded => minute.accepted += 1,
            Became::Deferred => {
                minute.deferred += 1;
                minute.reason(reason, 1);
            }
            Became::Refused => {
                minute.refused += 1;
                minute.reason(reason, 1);
            }
        });
    }

    /// A mailbox got a message.
    pub fn mailbox(&self, name: &str, octets: u64) {
        let hour = now() / 60;
        let mut hours = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        if hours.back().is_none_or(|(at, _)| *at < hour) {
            hours.push_back((hour, HashMap::new()));
            while hours.front().is_some_and(|(at, _)| at + KEPT / 60 <= hour) {
                hours.pop_front();
            }
        }
        let Some((_, counted)) = hours.back_mut() else { return };
        let room = counted.len() < MAILBOXES;
        match counted.get_mut(name) {
            Some((messages, sum)) => (*messages, *sum) = (*messages + 1, *sum + octets),
            None if room => _ = counted.insert(name.to_owned(), (1, octets)),
            None => {}
        }
    }

    /// How full the disk is, and how many copies wait.
    pub fn sample(&self, disk: Option<(u64, u64)>, queue: Option<u64>) {
        self.now(|minute| (minute.disk, minute.queue) = (disk, queue));
    }

    fn now(&self, note: impl FnOnce(&mut Minute)) {
        let at = now();
        let mut minutes = self.held();
        if minutes.back().is_none_or(|last| last.at < at) {
            minutes.push_back(Minute { at, ..Minute::default() });
            while minutes.front().is_some_and(|first| first.at + KEPT <= at) {
                minutes.pop_front();
            }
        }
        if let Some(minute) = minutes.back_mut() {
            note(minute);
        }
    }

    fn held(&self) -> MutexGuard<'_, VecDeque<Minute>> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last day, in parts of so many minutes.
    pub fn day(&self, part: u64, top: usize) -> Day {
        self.day_until(now(), part.max(1), top)
    }

    fn day_until(&self, end: u64, part: u64, top: usize) -> Day {
        let (count, last) = (KEPT / part, end / part);
        let first = (last + 1).saturating_sub(count);
        let mut parts: Vec<Minute> = (first..=last).map(|index| Minute { at: index * part, ..Minute::default() }).collect();
        let mut whole = Minute { at: first * part, ..Minute::default() };
        for minute in self.held().iter() {
            let place = (minute.at / part).checked_sub(first).and_then(|place| usize::try_from(place).ok());
            if let Some(sum) = place.and_then(|place| parts.get_mut(place)) {
                sum.merge(minute);
                whole.merge(minute);
            }
        }
        whole.reasons.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        Day { parts, whole, mailboxes: self.top(end / 60, top) }
    }

    fn top(&self, hour: u64, count: usize) -> Vec<Mailbox> {
        let mut sums: HashMap<String, (u64, u64)> = HashMap::new();
        let hours = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, counted) in hours.iter().filter(|(at, _)| at + KEPT / 60 > hour) {
            for (name, (messages, octets)) in counted {
                let sum = sums.entry(name.clone()).or_default();
                *sum = (sum.0 + messages, sum.1 + octets);
            }
        }
        drop(hours);
        let mut mailboxes: Vec<Mailbox> = sums.into_iter().map(|(name, (messages, octets))| Mailbox { name, messages, octets }).collect();
        mailboxes.sort_by(|one, other| other.messages.cmp(&one.messages).then_with(|| one.name.cmp(&other.name)));
        mailboxes.truncate(count);
        mailboxes
    }
}

/// Minutes since 1970.
fn now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or_default() / 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_minutes_and_no_more() {
        let minutes = Minutes::default();
        for at in [100, 100 + KEPT - 1, 100 + KEPT] {
            let mut minute = Minute { at, accepted: 1, ..Minute::default() };
            minute.took(Duration::from_millis(8));
            minute.reason("5.1.1", 2);
            minutes.held().push_back(minute);
        }
        let day = minutes.day_until(100 + KEPT, 10, 5);
        assert_eq!((day.parts.len() as u64, day.whole.accepted), (KEPT / 10, 2));
        assert_eq!(day.whole.reasons, [("5.1.1".to_owned(), 4)]);
        assert_eq!(day.parts.iter().filter(|part| part.accepted > 0).count(), 2);
    }

    #[test]
    fn latencies_are_told_to_within_half_an_octave() {
        let mut minute = Minute::default();
        assert_eq!(minute.latency(0.5), None);
        (0..98).for_each(|_| minute.took(Duration::from_millis(4)));
        (0..2).for_each(|_| minute.took(Duration::from_secs(1)));
        let near = |found: Option<f64>, seconds: f64| found.is_some_and(|found| (0.7..1.42).contains(&(found / seconds)));
        assert!(near(minute.latency(0.5), 0.004), "{:?}", minute.latency(0.5));
        assert!(near(minute.latency(0.99), 1.0), "{:?}", minute.latency(0.99));
        minute.took(Duration::ZERO);
        minute.took(Duration::from_secs(1_000_000));
        assert!(minute.latency(1.0).is_some_and(|longest| longest < 1000.0));
    }

    #[test]
    fn the_busiest_mailboxes_come_first() {
        let minutes = Minutes::default();
        for (name, times) in [("alice", 3), ("bob", 5), ("carol", 1)] {
            (0..times).for_each(|_| minutes.mailbox(name, 10));
        }
        let top = minutes.day(60, 2).mailboxes;
        assert_eq!(
            top.iter().map(|mailbox| (mailbox.name.as_str(), mailbox.messages, mailbox.octets)).collect::<Vec<_>>(),
            [("bob", 5, 50), ("alice", 3, 30)]
        );
        (0..2 * MAILBOXES).for_each(|count| minutes.mailbox(&count.to_string(), 1));
        assert_eq!(minutes.day(60, usize::MAX).mailboxes.len(), MAILBOXES);
    }
}
