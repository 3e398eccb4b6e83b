//! How much unfinished and undecided messages may hold in memory, all connections together.
//!
//! The limits of a stream and of a connection multiply: a thousand streams that each send most of a
//! large message would hold more than a gibibyte. The start of every message is free, so that small
//! checks are answered while others have spent the budget.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::transport::limits;

/// Bytes that one permit stands for.
const UNIT: usize = 1024;

/// Shared by the listeners that read messages.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

/// What one message has taken; given back with the value.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    permits: Option<OwnedSemaphorePermit>,
}

/// Other messages hold everything.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("too many large messages at once")]
pub struct Exhausted;

impl Default for Budget {
    fn default() -> Self {
        Self::of(limits::MESSAGES)
    }
}

impl Budget {
    fn of(bytes: usize) -> Self {
        let units = bytes.checked_div(UNIT).unwrap_or(0);
        Self(Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))))
    }

    /// The share of a message that has not begun.
    pub fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            permits: None,
        }
    }
}

impl Share {
    /// Makes room for a message of `length` bytes in all, or says that there is none. Never waits:
    /// messages that wait for one another's room would all be late.
    ///
    /// # Errors
    ///
    /// [`Exhausted`]; what the message holds already stays taken.
    pub fn hold(&mut self, length: usize) -> Result<(), Exhausted> {
        let units = length.saturating_sub(limits::FREE_START).div_ceil(UNIT);
        let held = self
            .permits
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let more = units.saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).map_err(|_| Exhausted)?;
        let permits = Arc::clone(&self.budget.0).try_acquire_many_owned(more);
        let permits = permits.map_err(|_| Exhausted)?;
        match &mut self.permits {
            Some(held) => held.merge(permits),
            None => self.permits = Some(permits),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: usize = limits::FREE_START;

    #[test]
    fn large_messages_share_and_small_ones_are_free() {
        let budget = Budget::of(10 * UNIT);
        let mut first = budget.share();
        assert_eq!(first.hold(FREE + 1), Ok(()));
        assert_eq!(first.hold(FREE + 9 * UNIT), Ok(()));
        let mut second = budget.share();
        assert_eq!(second.hold(FREE), Ok(()));
        assert_eq!(second.hold(FREE + UNIT), Ok(()));
        assert_eq!(second.hold(FREE + UNIT + 1), Err(Exhausted));
        assert_eq!(budget.share().hold(FREE), Ok(()), "still free");
        drop(first);
        assert_eq!(second.hold(FREE + 10 * UNIT), Ok(()), "given back");
        assert_eq!(second.hold(usize::MAX), Err(Exhausted));
        assert_eq!(second.hold(0), Ok(()), "what is held stays");
        assert_eq!(budget.share().hold(FREE + 1), Err(Exhausted));
    }
}
