//! A place with enough stack for what walks a policy recursively without looking at the stack.

use std::thread;

/// Reserved, not used: pages count when they are touched. Parsing takes the most, up to 50 KiB for
/// each operator of a policy in a build without optimisation.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Does the work and waits for it; absent when no thread could be had, or the work panicked.
pub(super) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("policy".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .ok()?
            .join()
            .ok()
    })
}
