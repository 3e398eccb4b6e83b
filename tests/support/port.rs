//! Free loopback ports, for programs that must be told which one to use.

use std::collections::BTreeSet;
use std::iter;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Below the range that Linux takes the ports of outgoing connections from (32768 and up), so that
/// no connection can slip in between the choice and the use.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nothing listens on, and that no other caller in this process is given.
pub(crate) fn free() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    // At random, because other test processes choose from the same range.
    let mut candidates = iter::repeat_with(|| fastrand::u16(FIRST..=LAST)).take(1000);
    let port = candidates
        .find(|port| {
            !given.contains(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
        })
        .expect("no free port between 20000 and 31999");
    given.insert(port);
    port
}
