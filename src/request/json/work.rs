//! Counts the bytes that reading looks at, so that a test can hold them against the length.

use std::cell::Cell;

thread_local! {
    static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
}

/// So many bytes more were looked at, by this thread.
pub(super) fn count(bytes: usize) {
    LOOKED_AT.set(LOOKED_AT.get().saturating_add(bytes));
}

/// How many bytes `read` looks at.
pub(super) fn of(read: impl FnOnce()) -> usize {
    let before = LOOKED_AT.get();
    read();
    LOOKED_AT.get().saturating_sub(before)
}
