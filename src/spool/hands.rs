//! The threads that write to mailboxes.
//!
//! As few as the processors need while disks answer: one thread that goes from message to message changes to no other, and the
//! messages that come meanwhile share the next sync. Large messages do not share one, and have threads of their own. A thread
//! that has been at one job for longer than a moment is stuck, and another takes its place, so that a file system that hangs takes
//! the threads that touch it, and nobody else's mail waits.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// One hand for so many processors: sessions need the rest.
const PROCESSORS: usize = 2;

/// Hands for messages that are synced one by one: while one waits for the disk, others write.
const FOR_LARGE: usize = 8;

/// The most there may be.
const MANY: usize = 128;

/// How long the end waits for hands: what the stuck ones are at is in the log, or was promised to nobody.
pub(super) const FAREWELL: Duration = Duration::from_secs(10);

/// Jobs that are worth the waking of another hand.
const SHARE: usize = 8;

/// What hands do.
pub(super) type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    count: usize,
    /// Jobs taken so far. Each has its number from here.
    taken: u64,
    /// Jobs that are being done.
    doing: BTreeSet<u64>,
    /// Whoever is still at this job, or an earlier one, is stuck.
    seen: u64,
    closed: bool,
}

impl State {
    fn stuck(&self) -> usize {
        self.doing.range(..=self.seen).count()
    }

    /// Hands that are not stuck.
    fn able(&self) -> usize {
        self.count - self.stuck()
    }

    /// How many more there may be.
    fn room(&self) -> usize {
        MANY.saturating_sub(self.count)
    }
}

/// The threads, and what they have to do.
pub(super) struct Hands {
    /// Hands that are enough while none is stuck.
    few: usize,
    state: Mutex<State>,
    work: Condvar,
    /// Somebody has left.
    ended: Condvar,
}

impl Hands {
    /// As many as the processors of this machine need.
    pub(super) fn for_groups() -> Arc<Self> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self::new((processors / PROCESSORS).max(1))
    }

    /// As many as keep a disk busy that each of them waits for.
    pub(super) fn for_large() -> Arc<Self> {
        Self::new(FOR_LARGE)
    }

    fn new(few: usize) -> Arc<Self> {
        Arc::new(Self { few, state: Mutex::default(), work: Condvar::new(), ended: Condvar::new() })
    }

    /// Work that has just come in. It fails when there is no hand and the system refuses threads.
    pub(super) fn add(self: &Arc<Self>, job: Job) -> io::Result<()> {
        let mut state = self.state();
        if state.idle <= state.jobs.len() && state.able() < self.few && state.room() > 0 {
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

    /// Work that others wait for, done before any that comes in. A caller that is a hand goes on with it; of those that are idle, some
    /// are woken.
    pub(super) fn hurry(&self, jobs: impl DoubleEndedIterator<Item = Job>) {
        let mut state = self.state();
        let before = state.jobs.len();
        jobs.rev().for_each(|job| state.jobs.push_front(job));
        let wake = state.idle.min((state.jobs.len() - before).div_ceil(SHARE));
        drop(state);
        (0..wake).for_each(|_| self.work.notify_one());
    }

    /// Sees to jobs that wait: wakes a hand, or takes more where all are still at jobs up to `seen`, which they had when this was
    /// called last: as many as are stuck, since what waits is likely to wait for the same. How many jobs were taken by now.
    pub(super) fn relieve(self: &Arc<Self>, seen: u64) -> u64 {
        let mut state = self.state();
        state.seen = seen;
        if state.able() < self.few {
            let more = state.stuck().min(state.jobs.len()).min(state.room());
            // It is tried again in a moment.
            let _ = (0..more).try_for_each(|_| self.hire(&mut state));
        }
        if !state.jobs.is_empty() {
            self.work.notify_one();
        }
        state.taken
    }

    /// Whether jobs wait.
    pub(super) fn are_behind(&self) -> bool {
        !self.state().jobs.is_empty()
    }

    /// Does what is left, and ends; hands that take longer than that are left where they are.
    pub(super) fn close(&self, patience: Duration) {
        self.state().closed = true;
        self.work.notify_all();
        // Whether they have ended in time makes no difference from here on.
        drop(self.ended.wait_timeout_while(self.state(), patience, |state| state.count > 0));
    }

    fn hire(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let hands = Arc::clone(self);
        thread::Builder::new().name("spool".into()).spawn(move || hands.work())?;
        state.count += 1;
        Ok(())
    }

    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.taken += 1;
                let number = state.taken;
                state.doing.insert(number);
                drop(state);
                // Whoever waits for the job hears of a panic by what the job drops; the hand stays.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                state = self.state();
                state.doing.remove(&number);
                continue;
            }
            // Whoever took the place of a stuck one goes when that one is back.
            if state.closed || state.able() > self.few {
                break;
            }
            state.idle += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
        state.count -= 1;
        drop(state);
        self.ended.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Each job that hangs gets a substitute; when they are back, as many hands stay as there were.
    #[test]
    fn whoever_is_stuck_is_replaced_until_it_is_back() {
        let hands = Hands::new(1);
        let (told, heard) = mpsc::channel();
        let tell = |what: &'static str| {
            let told = told.clone();
            hands.add(Box::new(move || told.send(what).unwrap())).unwrap();
        };
        let hang = || {
            let (free, freed) = mpsc::channel::<()>();
            let (begun, begins) = mpsc::channel();
            hands
                .add(Box::new(move || {
                    begun.send(()).unwrap();
                    let _ = freed.recv();
                }))
                .unwrap();
            (free, begins)
        };
        let (first, begins) = hang();
        begins.recv_timeout(LONG).unwrap();
        let (second, begins) = hang();
        tell("at last");
        let mut seen = hands.relieve(0);
        assert_eq!(hands.state().count, 1, "it has only begun");
        seen = hands.relieve(seen);
        begins.recv_timeout(LONG).unwrap();
        seen = hands.relieve(seen);
        seen = hands.relieve(seen);
        assert_eq!(heard.recv_timeout(LONG), Ok("at last"));
        assert_eq!(hands.state().count, 3);
        drop((first, second));
        while hands.state().count > 1 {
            seen = hands.relieve(seen);
            tell("work");
            assert_eq!(heard.recv_timeout(LONG), Ok("work"));
        }
        tell("one is left");
        assert_eq!(heard.recv_timeout(LONG), Ok("one is left"));
        hands.close(LONG);
    }

    /// Where everything hangs, no more threads are made than there may be.
    #[test]
    fn hands_are_bounded() {
        let hands = Hands::new(1);
        let hang = Arc::new(Mutex::new(()));
        let hanging = hang.lock().unwrap();
        let add = || {
            let hang = Arc::clone(&hang);
            hands.add(Box::new(move || drop(hang.lock()))).unwrap();
        };
        (0..2 * MANY).for_each(|_| add());
        let mut seen = 0;
        while seen < MANY as u64 {
            seen = hands.relieve(seen);
            thread::yield_now();
        }
        hands.relieve(seen);
        add();
        assert_eq!(hands.state().count, MANY);
        hands.close(Duration::from_millis(1));
        assert_eq!(hands.state().count, MANY, "nobody waits for them for ever");
        drop(hanging);
        hands.close(LONG);
    }
}
