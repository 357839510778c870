//! Time, and the queue ids that are made of it.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::mail::QueueId;

/// Hands out queue ids: microseconds since the epoch, moved on by one where two would be equal.
///
/// Ids grow within a process, and from one process to the next as long as the clock does not go back by more than the
/// time between them.
#[derive(Debug, Default)]
pub struct Numbering(AtomicU64);

impl Numbering {
    /// No id up to this one is handed out from now on.
    pub fn pass(&self, id: QueueId) {
        self.0.fetch_max(id.number(), Ordering::Relaxed);
    }

    /// The next id.
    pub fn next(&self, now: Timestamp) -> QueueId {
        let micros = u64::try_from(now.as_microsecond()).unwrap_or(0);
        let step = |last: u64| Some(micros.max(last.saturating_add(1)));
        let last = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap_or_default();
        QueueId::new(micros.max(last.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_even_when_the_clock_does_not() {
        let numbering = Numbering::default();
        let ids: Vec<QueueId> = (0..1000).map(|_| numbering.next(Timestamp::UNIX_EPOCH)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        let later = Timestamp::from_microsecond(5_000_000).unwrap_or(Timestamp::MAX);
        assert_eq!(numbering.next(later), QueueId::new(5_000_000));
    }
}
