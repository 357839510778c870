//! How much memory messages may take on their way in, all sessions together.
//!
//! What one session may hold is bounded by itself ([`crate::mail::limits::MESSAGE_IN_MEMORY`], then a file); this bounds
//! the sum, whatever clients send. A [`Share`] gives itself back when dropped. Counted in KiB.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets of message text and of grown buffers, all sessions together: a thousand messages of the largest size that
/// is held in memory.
pub const TEXT_IN_MEMORY: u64 = 256 * 1024 * 1024;

const UNIT: usize = 1024;

/// What is left for all.
#[derive(Debug, Clone)]
pub struct Memory {
    left: Arc<Semaphore>,
}

/// What one session has of it.
#[derive(Debug)]
pub struct Share {
    left: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

/// The bound is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl Memory {
    /// So many octets for all.
    pub fn new(octets: u64) -> Self {
        let units = usize::try_from(octets).unwrap_or(usize::MAX) / UNIT;
        Self { left: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))) }
    }

    /// A share of nothing yet.
    pub fn share(&self) -> Share {
        Share { left: Arc::clone(&self.left), held: None }
    }
}

impl Share {
    /// Makes the share so large; when that would exceed the bound, it stays as it is.
    pub fn resize(&mut self, octets: usize) -> Result<(), Exhausted> {
        let wanted = octets.div_ceil(UNIT);
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted == 0 {
            self.held = None;
        } else if wanted > held {
            let more = u32::try_from(wanted - held).map_err(|_| Exhausted)?;
            let permit = Arc::clone(&self.left).try_acquire_many_owned(more).map_err(|_| Exhausted)?;
            match &mut self.held {
                Some(held) => held.merge(permit),
                none => *none = Some(permit),
            }
        } else if let Some(permit) = &mut self.held {
            drop(permit.split(held - wanted));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_together_and_given_back() {
        let memory = Memory::new(10 * 1024);
        let (mut one, mut two) = (memory.share(), memory.share());
        assert_eq!(one.resize(6 * 1024), Ok(()));
        assert_eq!(two.resize(4 * 1024 + 1), Err(Exhausted));
        assert_eq!(two.resize(4 * 1024), Ok(()));
        assert_eq!(one.resize(1), Ok(()));
        assert_eq!(two.resize(9 * 1024), Ok(()));
        drop(two);
        assert_eq!(one.resize(10 * 1024), Ok(()));
        assert_eq!(one.resize(0), Ok(()));
        assert_eq!(memory.share().resize(10 * 1024), Ok(()));
    }
}
