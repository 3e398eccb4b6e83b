//! A place with enough stack for what walks a policy recursively without looking at the stack.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::ScopedJoinHandle;

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

/// Does the same work to each item, on so many threads, and gives the results in the order of the items;
/// absent when a thread could not be had, or panicked. Between two items each thread lets others run
/// first: whoever answers checks is worth more.
pub(super) fn each<I: Sync, O: Send>(
    items: &[I],
    threads: usize,
    work: impl Fn(&I) -> O + Sync,
) -> Option<Vec<O>> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else {
                return done;
            };
            done.push((number, work(item)));
            thread::yield_now();
        }
    };
    let mut done = thread::scope(|scope| {
        let spawn = |_| {
            let thread = thread::Builder::new().name("policy".to_owned());
            thread.stack_size(STACK_BYTES).spawn_scoped(scope, take)
        };
        let wanted = threads.max(1).min(items.len());
        let started: Vec<_> = (0..wanted)
            .filter_map(|number| spawn(number).ok())
            .collect();
        // One is enough: they share the work.
        let ended: Option<Vec<_>> = started.into_iter().map(ended).collect();
        ended.map(|parts| parts.into_iter().flatten().collect::<Vec<_>>())
    })?;
    done.sort_by_key(|(number, _)| *number);
    (done.len() == items.len()).then(|| done.into_iter().map(|(_, result)| result).collect())
}

fn ended<T>(thread: ScopedJoinHandle<'_, T>) -> Option<T> {
    thread.join().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_on_any_number_of_threads() {
        let items: Vec<usize> = (0..1_000).collect();
        let twice: Vec<usize> = items.iter().map(|item| item * 2).collect();
        for threads in [0, 1, 2, 7] {
            assert_eq!(
                each(&items, threads, |item| item * 2).as_ref(),
                Some(&twice)
            );
        }
        assert_eq!(each(&[], 3, |item: &usize| *item), Some(Vec::new()));
    }

    #[test]
    fn a_panic_is_an_absent_result() {
        let odd = |item: &usize| assert_ne!(*item, 5);
        assert_eq!(each(&[1, 5, 2], 2, odd), None);
        assert_eq!(run(|| assert_eq!(1, 2)), None);
    }
}
