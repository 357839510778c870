//! How long until the next attempt: twice as long each time, up to a bound, and never the same for two.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::settings::Schedule;
use crate::spool::outgoing::{Message, Recipient};

/// The shortest wait, as a part of the longest: what failed together is not tried together again.
const LEAST: f64 = 0.8;

/// How long to wait after so many attempts in vain. `dice` is between 0 and 1.
pub(super) fn wait(schedule: &Schedule, failures: u32, dice: f64) -> Duration {
    let doubled = 2u32.saturating_pow(failures.saturating_sub(1).min(30));
    let longest = schedule.first_retry.saturating_mul(doubled).min(schedule.max_retry);
    longest.mul_f64(LEAST + (1.0 - LEAST) * dice.clamp(0.0, 1.0))
}

/// What is to be done about a recipient that was not taken over this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is tried again then.
    Again(Timestamp),
    /// The same, and its sender is told that it takes longer.
    Tell(Timestamp),
    /// It has waited for long enough.
    GiveUp,
}

/// The step after an attempt at `now`. The last attempt is made when its time is over, and one when its sender is to be told.
pub(super) fn step(schedule: &Schedule, message: &Message, recipient: &Recipient, now: Timestamp, dice: f64) -> Step {
    let at = |wait: Duration| SignedDuration::try_from(wait).ok().and_then(|wait| message.arrived.checked_add(wait).ok());
    let over = at(schedule.life).unwrap_or(Timestamp::MAX);
    if now >= over {
        return Step::GiveUp;
    }
    let tell_at = at(schedule.delay_notice).unwrap_or(Timestamp::MAX);
    let told = recipient.delay_told || recipient.notify.is_some_and(|notify| !notify.delay);
    let wait = SignedDuration::try_from(wait(schedule, recipient.tries.saturating_add(1), dice)).unwrap_or_default();
    let next = now.saturating_add(wait).unwrap_or(Timestamp::MAX).min(over);
    match (told, now >= tell_at) {
        (true, _) => Step::Again(next),
        (false, true) => Step::Tell(next),
        (false, false) => Step::Again(next.min(tell_at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{BodyType, Mailbox, Notify, ReversePath};
    use crate::spool::outgoing::{Filing, Hop, Kind, Place, To};

    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;

    fn schedule() -> Schedule {
        Schedule {
            first_retry: Duration::from_secs(5 * MINUTE),
            max_retry: Duration::from_secs(4 * HOUR),
            life: Duration::from_secs(120 * HOUR),
            delay_notice: Duration::from_secs(4 * HOUR),
        }
    }

    #[test]
    fn waits_double_up_to_their_bound_and_differ() {
        let minutes = |failures, dice| wait(&schedule(), failures, dice).as_secs() / MINUTE;
        assert_eq!([1, 2, 3, 6, 7, 99, u32::MAX].map(|failures| minutes(failures, 1.0)), [5, 10, 20, 160, 240, 240, 240]);
        assert_eq!([1, 99].map(|failures| minutes(failures, 0.0)), [4, 192]);
    }

    #[test]
    fn the_sender_is_told_once_and_the_last_attempt_comes_when_time_is_over() {
        let at = |second: u64| Timestamp::from_second(i64::try_from(second).unwrap()).unwrap();
        let message = Message {
            sender: ReversePath::Null,
            body: BodyType::SevenBit,
            charset: Default::default(),
            ret: None,
            envid: None,
            arrived: at(0),
            octets: 0,
            lines: 0,
            place: Place::Row,
            kind: Kind::Forwarded,
            total: 1,
            open: 1,
        };
        let mailbox = Mailbox::parse("a@example.com").unwrap();
        let fresh = Recipient::new(To::Mailbox(mailbox.clone()), Hop::of(&mailbox, Filing::Domains), at(0));
        let step = |recipient: &Recipient, hour: u64| step(&schedule(), &message, recipient, at(hour * HOUR), 1.0);
        assert_eq!(step(&fresh, 0), Step::Again(at(5 * MINUTE)));
        let tried = Recipient { tries: 50, ..fresh.clone() };
        assert_eq!(step(&tried, 3), Step::Again(at(4 * HOUR)), "when the sender is to be told");
        assert_eq!(step(&tried, 4), Step::Tell(at(8 * HOUR)));
        assert_eq!(step(&Recipient { delay_told: true, ..tried.clone() }, 8), Step::Again(at(12 * HOUR)));
        assert_eq!(step(&Recipient { notify: Some(Notify::NEVER), ..tried.clone() }, 8), Step::Again(at(12 * HOUR)));
        assert_eq!(step(&Recipient { delay_told: true, ..tried.clone() }, 118), Step::Again(at(120 * HOUR)), "when its time is over");
        assert_eq!(step(&tried, 120), Step::GiveUp);
    }
}
