//! Whether a soak went well.

use std::fmt;

use bytesize::ByteSize;

use crate::load::latency::Waited;

/// How much more memory the last third may show than the second: the first is for warming up.
const MEMORY: f64 = 1.15;

/// Memory that may come and go, in octets.
const MEMORY_NOISE: f64 = 8e6;

/// The same for latency, at the middle and near the end: what else the machine does shows most in the slowest answers.
const LATENCY: [(f64, f64); 2] = [(50.0, 1.25), (99.0, 1.5)];

/// Latency that may come and go, in milliseconds: the client shares the machine with the load.
const LATENCY_NOISE: f64 = 5.0;

/// What was seen in a second.
pub struct Second {
    /// From end of data to answer.
    pub waited: Waited,
    /// Of the server, in octets.
    pub memory: u64,
}

/// All that decides.
pub struct Verdict<'a> {
    /// Messages that were acknowledged.
    pub sent: usize,
    /// Messages that lay in mailboxes.
    pub taken: usize,
    /// Messages that are still in the spool.
    pub waiting: usize,
    /// Second by second.
    pub seconds: &'a [Second],
}

impl Verdict<'_> {
    /// Whether all is well.
    pub fn holds(&self) -> bool {
        self.sent == self.taken && self.waiting == 0 && self.flat_memory() && self.flat_latency()
    }

    /// The second and the last third.
    fn thirds(&self) -> (&[Second], &[Second]) {
        let third = self.seconds.len() / 3;
        let (early, last) = self.seconds.split_at(self.seconds.len() - third);
        (early.split_at(early.len() - third).1, last)
    }

    fn flat_memory(&self) -> bool {
        let (middle, last) = self.thirds();
        memory(last) <= memory(middle) * MEMORY + MEMORY_NOISE
    }

    fn flat_latency(&self) -> bool {
        let (middle, last) = self.thirds();
        let (middle, last) = (all(middle), all(last));
        LATENCY.iter().all(|(percent, more)| last.millis(*percent) <= middle.millis(*percent) * more + LATENCY_NOISE)
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |well: bool| if well { "ok" } else { "FAILED" };
        let (middle, last) = self.thirds();
        writeln!(f, "delivered: {} of {} acknowledged: {}", self.taken, self.sent, word(self.taken == self.sent))?;
        writeln!(f, "spool: {} messages left: {}", self.waiting, word(self.waiting == 0))?;
        let megabytes = |seconds| memory(seconds) / 1e6;
        writeln!(
            f,
            "memory: {:.0} MB in the second third, {:.0} MB in the last: {}",
            megabytes(middle),
            megabytes(last),
            word(self.flat_memory())
        )?;
        let (middle, last) = (all(middle), all(last));
        for (percent, _) in LATENCY {
            writeln!(
                f,
                "latency: p{percent} {:.1} ms in the second third, {:.1} ms in the last",
                middle.millis(percent),
                last.millis(percent)
            )?;
        }
        writeln!(f, "latency: {}", word(self.flat_latency()))?;
        write!(f, "verdict: {}", word(self.holds()))
    }
}

/// The middle one.
fn memory(seconds: &[Second]) -> f64 {
    let mut memory: Vec<u64> = seconds.iter().map(|second| second.memory).collect();
    memory.sort_unstable();
    memory.get(memory.len() / 2).copied().unwrap_or_default() as f64
}

fn all(seconds: &[Second]) -> Waited {
    let mut all = Waited::none();
    seconds.iter().for_each(|second| all.add(&second.waited));
    all
}

/// A minute in words.
pub fn line(seconds: &[Second], spool: u64) -> String {
    let waited = all(seconds);
    format!(
        "end of data to answer p50 {:.1} ms, p99 {:.1} ms, memory {:.0} MB, spool {}",
        waited.millis(50.0),
        waited.millis(99.0),
        memory(seconds) / 1e6,
        ByteSize(spool).display().iec()
    )
}
