//! What a start takes for the state of the directory.

use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::*;
use crate::source::clock::SystemClock;
use crate::source::testing::HandClock;

/// A clock long after anything was written.
fn later() -> HandClock {
    let clock = HandClock::default();
    clock.pass(Duration::from_secs(4_000_000_000));
    clock
}

#[test]
fn a_start_reads_what_is_there_and_watches_for_anything_else() {
    for clock in [HandClock::default(), later()] {
        let dir = with(&[("a.cedar", "1")]);
        let (files, mut watcher) = PolicyWatcher::start(dir.path().to_owned(), &clock).unwrap();
        assert_eq!(files.files.first().map(|file| &*file.text), Some("1"));
        assert_eq!(watcher.poll(), Poll::Unchanged);
        write(dir.path(), "a.cedar", "2");
        assert_eq!(watcher.poll(), Poll::Settling);
        assert!(matches!(watcher.poll(), Poll::Changed(_)));
    }
    let nowhere = with(&[]).path().join("nowhere");
    let faults = PolicyWatcher::start(nowhere, &later()).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].message.contains("cannot be read"),
        "{}",
        faults[0]
    );
}

/// The writer makes a pause after each byte that is shorter than that between two looks.
#[test]
fn a_start_waits_for_a_writer_to_finish() {
    let dir = with(&[("a.cedar", "")]);
    let mut file = File::create(dir.path().join("a.cedar")).unwrap();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..40 {
                thread::sleep(Duration::from_millis(10));
                file.write_all(b"1").unwrap();
            }
            is_done.store(true, Ordering::SeqCst);
        });
        let started = PolicyWatcher::start(dir.path().to_owned(), &SystemClock::new());
        let (files, _) = started.unwrap();
        assert!(is_done.load(Ordering::SeqCst), "{files:?}");
        assert_eq!(files.files.first().map(|file| file.text.len()), Some(40));
    });
}

#[test]
fn a_start_does_not_wait_for_ever() {
    let dir = with(&[("a.cedar", "")]);
    let path = dir.path().join("a.cedar");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0_u64.. {
                fs::write(&path, number.to_string()).unwrap();
                thread::sleep(Duration::from_millis(1));
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let clock = SystemClock::new();
        let started = PolicyWatcher::start_within(dir.path().to_owned(), &clock, 5);
        is_over.store(true, Ordering::SeqCst);
        let faults = started.unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].message.contains("do not come to rest"),
            "{}",
            faults[0]
        );
    });
}
