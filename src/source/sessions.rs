//! Where the bindings of MCP sessions are kept: in this process, or in a Redis that replicas share.

mod memory;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use crate::config::SessionStoreKind;
use crate::config::Sessions;
use crate::source::Clock;
use crate::source::SessionObserver;
use crate::source::SessionStore;
use crate::source::sessions::memory::MemorySessions;
use crate::source::sessions::redis::RedisSessions;

pub use crate::source::sessions::memory::MOST_SESSIONS;
pub use crate::source::sessions::redis::OpenFault;
pub use crate::source::sessions::redis::REMEMBERED;

/// A use is noted once in this part of the idle time, to spare writes: a binding lasts for fifteen
/// sixteenths of it at least.
const REFRESHES: u32 = 16;

/// Opens the configured store. A Redis that does not answer is no error: it is tried again with every
/// request that needs it.
///
/// # Errors
///
/// [`OpenFault`]: its address or its certificates are unusable.
pub fn open(
    config: &Sessions,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn SessionObserver>,
) -> Result<Arc<dyn SessionStore>, OpenFault> {
    Ok(match &config.store {
        SessionStoreKind::Memory => Arc::new(MemorySessions::new(config, clock)),
        SessionStoreKind::Redis(rules) => {
            Arc::new(RedisSessions::open(config, rules, clock, observer)?)
        }
    })
}

/// How old a noted use must be to be noted again.
fn refresh_after(idle: Duration) -> Duration {
    idle.checked_div(REFRESHES).unwrap_or(idle)
}
