//! How long a client waits from its end of data to the answer: `smtp-source` does not tell.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::client::{Session, message};
use super::server::Door;
use super::{ALIASES, alias};

/// What clients waited, in microseconds.
pub struct Waited {
    times: Histogram<u64>,
}

impl Waited {
    /// Nothing yet.
    pub fn none() -> Self {
        Self { times: Histogram::new(3).expect("three digits are possible") }
    }

    /// Adds what others waited.
    pub fn add(&mut self, other: &Self) {
        self.times.add(&other.times).expect("both have three digits");
    }

    /// How many messages it was.
    pub fn count(&self) -> usize {
        self.times.len() as usize
    }

    /// What this share of the messages, in percent, did not exceed; in milliseconds.
    pub fn millis(&self, percent: f64) -> f64 {
        self.times.value_at_quantile(percent / 100.0) as f64 / 1000.0
    }
}

/// Sends messages of `octets` through `sessions` sessions at a time until the time is up, with `pause` after each.
pub fn sessions(door: &Door, sessions: usize, octets: usize, time: Duration, pause: Duration) -> Waited {
    let (next, end) = (AtomicUsize::new(0), Instant::now() + time);
    let text = message("latency", octets);
    let client = || {
        let mut waited = Waited::none();
        let mut session = Session::open(door.address, door.protocol).expect("the server greets");
        while Instant::now() < end {
            let to = alias(next.fetch_add(1, Ordering::Relaxed) % ALIASES + 1);
            let refusal = session.announce(&[&to]).expect("the server answers");
            assert!(refusal.is_none(), "{refusal:?}");
            let begin = Instant::now();
            let answers = session.hand_over(1, &text).expect("the server answers");
            let micros = begin.elapsed().as_micros();
            assert!(answers.iter().all(|answer| answer.taken()), "{answers:?}");
            waited.times.record(micros as u64).expect("the histogram grows");
            thread::sleep(pause);
        }
        waited
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..sessions).map(|_| scope.spawn(client)).collect();
        let mut all = Waited::none();
        for client in clients {
            all.add(&client.join().expect("no client panics"));
        }
        all
    })
}
