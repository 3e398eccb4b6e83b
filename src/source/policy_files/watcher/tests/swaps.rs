//! A mounted `ConfigMap` that is swapped all the time, as the kubelet does it: a new directory, whole,
//! the link turned to it, and the old one removed.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::*;

const SWAPS: usize = 1_000;

/// Files of a generation: their number differs from one to the next, and all hold its number.
fn names(generation: usize) -> Vec<String> {
    let count = 2 + generation % 3;
    (0..count).map(|number| format!("{number}.cedar")).collect()
}

fn make(dir: &Path, generation: usize) {
    let place = format!("..{generation}");
    fs::create_dir(dir.join(&place)).unwrap();
    for name in names(generation) {
        write(dir, &format!("{place}/{name}"), &generation.to_string());
    }
    let fresh = dir.join("..data_tmp");
    symlink(place, &fresh).unwrap();
    fs::rename(fresh, dir.join("..data")).unwrap();
}

/// The generation that the files are, if they are one.
fn generation(files: &PolicyFiles) -> usize {
    let first = files.files.first().unwrap();
    let generation = first.text.parse().unwrap();
    let found: Vec<_> = files
        .files
        .iter()
        .map(|file| (&*file.name, &*file.text))
        .collect();
    let names = names(generation);
    let expected: Vec<_> = names.iter().map(|name| (&**name, &*first.text)).collect();
    assert_eq!(found, expected, "a mixture");
    generation
}

/// Looks from before the first swap until after the last, and says what was read and what was refused.
fn follow(dir: &Path, is_over: &AtomicBool) -> (Vec<usize>, Vec<Fault>) {
    let (mut read_whole, mut refused) = (Vec::new(), Vec::new());
    while !is_over.load(Ordering::SeqCst) {
        match read(dir) {
            Ok(files) => read_whole.push(generation(&files)),
            Err(faults) => refused.extend(faults),
        }
    }
    (read_whole, refused)
}

#[test]
fn a_thousand_swaps_are_each_seen_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir, 0);
    let is_over = AtomicBool::new(false);
    let mut watcher = PolicyWatcher::new(dir.to_owned(), NOTHING);
    thread::scope(|scope| {
        let reader = scope.spawn(|| follow(dir, &is_over));
        let watching = scope.spawn(|| {
            let mut last = None;
            loop {
                let is_last = is_over.load(Ordering::SeqCst);
                match watcher.poll() {
                    Poll::Changed(files) => {
                        let found = generation(&files);
                        assert!(last < Some(found), "{found} after {last:?}");
                        last = Some(found);
                    }
                    Poll::Unchanged if is_last => return last,
                    Poll::Unchanged | Poll::Settling | Poll::Recovered | Poll::Failed(_) => {}
                }
            }
        });
        for number in 1..=SWAPS {
            make(dir, number);
            fs::remove_dir_all(dir.join(format!("..{}", number - 1))).unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
        let (found, refused) = reader.join().unwrap();
        assert_eq!(
            watching.join().unwrap(),
            Some(SWAPS),
            "the last is followed"
        );
        assert!(found.is_sorted(), "{found:?}");
        let mut different = found;
        different.dedup();
        assert!(different.len() > 10, "only {} were seen", different.len());
        for fault in &refused {
            let is_expected = fault.message.contains("replaced while it was read")
                || fault.message.contains("No such file");
            assert!(is_expected, "{fault}");
        }
        println!(
            "{} states were seen, {} faults told",
            different.len(),
            refused.len()
        );
    });
}
