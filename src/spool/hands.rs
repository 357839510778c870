//! The threads that write to mailboxes.
//!
//! A few are enough while disks answer. A job that waits while all of them are busy for longer than a moment gets one
//! more, so that a file system that hangs takes the threads that touch it, and nobody else's mail waits.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Hands that are there from the first job on.
const FEW: usize = 4;

/// The most there may be.
const MANY: usize = 128;

/// How long a hand beyond the first few waits for work before it goes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What hands do.
pub(super) type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    count: usize,
    /// Jobs taken so far: where it stands still while jobs wait, every hand is stuck.
    taken: u64,
    closed: bool,
    threads: Vec<JoinHandle<()>>,
}

/// The threads, and what they have to do.
#[derive(Default)]
pub(super) struct Hands {
    state: Mutex<State>,
    work: Condvar,
}

impl Hands {
    /// Work that has just come in. It fails when there is no hand and the system refuses threads.
    pub(super) fn add(self: &Arc<Self>, job: Job) -> io::Result<()> {
        let mut state = self.state();
        if state.idle <= state.jobs.len() && state.count < FEW {
            match self.hire(&mut state) {
                Err(error) if state.count == 0 => return Err(error),
                _ => {}
            }
        }
        state.jobs.push_back(job);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Work that others wait for: done before any that comes in.
    pub(super) fn hurry(&self, jobs: impl DoubleEndedIterator<Item = Job>) {
        let mut state = self.state();
        let before = state.jobs.len();
        jobs.rev().for_each(|job| state.jobs.push_front(job));
        let wake = state.idle.min(state.jobs.len() - before);
        drop(state);
        (0..wake).for_each(|_| self.work.notify_one());
    }

    /// One more hand, if jobs wait and none was taken since `before`. How many were taken by now.
    pub(super) fn relieve(self: &Arc<Self>, before: u64) -> u64 {
        let mut state = self.state();
        if !state.jobs.is_empty() && state.taken == before && state.count < MANY {
            // It is tried again in a moment.
            let _ = self.hire(&mut state);
        }
        state.taken
    }

    /// Whether jobs wait.
    pub(super) fn are_behind(&self) -> bool {
        !self.state().jobs.is_empty()
    }

    /// Does what is left, and ends.
    pub(super) fn close(&self) {
        let threads = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.threads)
        };
        self.work.notify_all();
        for thread in threads {
            // A job that panicked has been told of by the panic itself.
            let _ = thread.join();
        }
    }

    fn hire(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let hands = Arc::clone(self);
        let thread = thread::Builder::new().name("spool".into()).spawn(move || hands.work())?;
        state.count += 1;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        Ok(())
    }

    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.taken += 1;
                drop(state);
                // Whoever waits for the job hears of a panic by what the job drops; the hand stays.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                state = self.state();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (woken, silence) = self.work.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if silence.timed_out() && state.jobs.is_empty() && state.count > FEW {
                break;
            }
        }
        state.count -= 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
