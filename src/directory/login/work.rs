//! Argon2 off the threads that serve mail: a few threads of its own, under a bound on memory, with a fair queue.
//!
//! Promises that passwords take no more memory at a time than [`MEMORY_KIB`], that clients take turns however many logins one
//! of them has waiting, and that mail goes first: the threads have a lower priority than those that serve. Work that
//! nobody waits for any more is not begun.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::mail::Network;

/// Memory of all hashes that are made at a time, in KiB: what the costliest hash may take that an import brings.
pub const MEMORY_KIB: u32 = 262_144;

/// Logins that wait, in all: what two processors do in some ten seconds.
const WAITING: usize = 1024;

/// Logins of one client that wait: others always find a place.
const WAITING_EACH: usize = WAITING / 2;

/// How much the threads stand back: mail keeps nine tenths of a processor that both want (nice(2)).
const NICENESS: i32 = 10;

/// Whose work it is; none for the server's own.
type Whose = Option<Network>;

struct Job {
    kib: u32,
    run: Box<dyn FnOnce() + Send>,
}

/// What waits: a queue for each client, and the order of their turns.
#[derive(Default)]
struct Queue {
    turns: VecDeque<Whose>,
    waiting: HashMap<Whose, VecDeque<Job>>,
    length: usize,
}

impl Queue {
    fn push(&mut self, whose: Whose, job: Job) -> Result<(), Busy> {
        let own = self.waiting.entry(whose).or_default();
        if self.length >= WAITING || own.len() >= WAITING_EACH {
            if own.is_empty() {
                self.waiting.remove(&whose);
            }
            return Err(Busy);
        }
        if own.is_empty() {
            self.turns.push_back(whose);
        }
        own.push_back(job);
        self.length += 1;
        Ok(())
    }

    /// The next job, if it fits into so much memory. A costly one is waited for, not passed over.
    fn next(&mut self, free_kib: u32) -> Option<Job> {
        let whose = *self.turns.front()?;
        let own = self.waiting.get_mut(&whose)?;
        own.front().filter(|job| job.kib <= free_kib)?;
        let job = own.pop_front()?;
        self.turns.pop_front();
        if own.is_empty() {
            self.waiting.remove(&whose);
        } else {
            self.turns.push_back(whose);
        }
        self.length -= 1;
        Some(job)
    }
}

struct State {
    queue: Queue,
    free_kib: u32,
    over: bool,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        // Without a lower priority the work is the same.
        let _ = rustix::process::nice(NICENESS);
        while let Some(job) = self.take() {
            let kib = job.kib;
            // Who waits for a job that panicked hears that it came to nothing.
            let _ = catch_unwind(AssertUnwindSafe(job.run));
            self.lock().free_kib += kib;
            self.wake.notify_all();
        }
    }

    fn take(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.over {
                return None;
            }
            let free = state.free_kib;
            if let Some(job) = state.queue.next(free) {
                state.free_kib -= job.kib;
                return Some(job);
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// More logins wait than can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// The threads, and what waits for them. They end with it.
pub struct Work {
    shared: Arc<Shared>,
}

impl Work {
    /// As many threads as the machine can run at a time.
    pub fn begin() -> io::Result<Self> {
        let state = State { queue: Queue::default(), free_kib: MEMORY_KIB, over: false };
        let work = Self { shared: Arc::new(Shared { state: Mutex::new(state), wake: Condvar::new() }) };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads {
            let shared = Arc::clone(&work.shared);
            thread::Builder::new().name("restante-login".into()).spawn(move || shared.work())?;
        }
        Ok(work)
    }

    /// Has it done when its turn comes.
    pub async fn run<T: Send + 'static>(&self, whose: Whose, kib: u32, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let (done, outcome) = oneshot::channel();
        let run = move || {
            if !done.is_closed() {
                // Who has gone meanwhile does not hear it.
                let _ = done.send(work());
            }
        };
        self.shared.lock().queue.push(whose, Job { kib: kib.min(MEMORY_KIB), run: Box::new(run) })?;
        self.shared.wake.notify_one();
        outcome.await.map_err(|_| Busy)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.wake.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Whose {
        Some(Network::of([192, 0, 2, last].into()))
    }

    fn job(log: &Arc<Mutex<Vec<u32>>>, number: u32, kib: u32) -> Job {
        let log = Arc::clone(log);
        Job { kib, run: Box::new(move || log.lock().unwrap().push(number)) }
    }

    #[test]
    fn clients_take_turns_and_a_costly_job_is_not_passed_over() {
        let (log, mut queue) = (Arc::default(), Queue::default());
        for (whose, number) in [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (3, 31)] {
            queue.push(network(whose), job(&log, number, number)).unwrap();
        }
        assert!(queue.next(9).is_none());
        while let Some(job) = queue.next(100) {
            (job.run)();
        }
        assert_eq!(*log.lock().unwrap(), [10, 20, 30, 11, 31, 12]);
        assert_eq!((queue.length, queue.turns.len(), queue.waiting.len()), (0, 0, 0));
    }

    #[test]
    fn the_queue_is_bounded_for_one_and_for_all() {
        let (log, mut queue) = (Arc::default(), Queue::default());
        let mut fill = |whose| (0..).take_while(|_| queue.push(network(whose), job(&log, 0, 1)).is_ok()).count();
        assert_eq!((fill(1), fill(2), fill(3)), (WAITING_EACH, WAITING - WAITING_EACH, 0));
        assert_eq!(queue.waiting.len(), 2);
    }

    #[test]
    fn work_is_done_elsewhere_and_a_panic_costs_nobody_else() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let work = Work::begin().unwrap();
        let here = thread::current().id();
        assert_eq!(runtime.block_on(work.run(None, MEMORY_KIB * 2, move || thread::current().id() != here)), Ok(true));
        assert_eq!(runtime.block_on(work.run(None, 1, || -> u8 { panic!("on purpose") })), Err(Busy));
        for number in 0..20 {
            assert_eq!(runtime.block_on(work.run(network(1), MEMORY_KIB, move || number)), Ok(number));
        }
    }
}
