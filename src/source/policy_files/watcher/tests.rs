//! What a watcher offers, and when.

mod starts;
mod swaps;
mod writers;

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::source::policy_files::read;
use crate::source::policy_files::scene::with;
use crate::source::policy_files::scene::write;

#[test]
fn what_changes_is_offered_when_it_has_settled() {
    let dir = with(&[("a.cedar", "1")]);
    let start = read(dir.path()).unwrap();
    let mut watcher = PolicyWatcher::new(dir.path().to_owned(), start.digest());
    assert_eq!(watcher.poll(), Poll::Unchanged);
    write(dir.path(), "a.cedar", "2");
    assert_eq!(watcher.poll(), Poll::Settling);
    write(dir.path(), "a.cedar", "3");
    assert_eq!(watcher.poll(), Poll::Settling, "it is still changing");
    let Poll::Changed(files) = watcher.poll() else {
        panic!("settled content is offered");
    };
    assert_eq!(files.files.first().map(|file| &*file.text), Some("3"));
    assert_eq!(watcher.poll(), Poll::Unchanged, "and offered once");
    write(dir.path(), "a.cedar", "4");
    assert_eq!(watcher.poll(), Poll::Settling);
    write(dir.path(), "a.cedar", "3");
    assert_eq!(watcher.poll(), Poll::Unchanged, "as if nothing had been");
    write(dir.path(), "a.cedar", "4");
    assert_eq!(
        watcher.poll(),
        Poll::Settling,
        "what was seen before that does not count"
    );
}

#[test]
fn a_failure_is_told_once_and_changes_nothing() {
    let dir = with(&[("a.cedar", "1")]);
    let start = read(dir.path()).unwrap();
    let mut watcher = PolicyWatcher::new(dir.path().to_owned(), start.digest());
    fs::write(dir.path().join("b.cedar"), b"\xff").unwrap();
    assert_eq!(watcher.poll(), Poll::Settling);
    assert!(matches!(watcher.poll(), Poll::Failed(_)));
    assert_eq!(watcher.poll(), Poll::Unchanged);
    fs::remove_file(dir.path().join("b.cedar")).unwrap();
    assert_eq!(
        watcher.poll(),
        Poll::Recovered,
        "the good content is still in force"
    );
    fs::write(dir.path().join("b.cedar"), b"\xff").unwrap();
    assert_eq!(watcher.poll(), Poll::Settling);
    assert!(
        matches!(watcher.poll(), Poll::Failed(_)),
        "a new failure is told"
    );
}

#[test]
fn a_mounted_config_map_is_followed() {
    let dir = with(&[("..1/a.cedar", "1"), ("..2/a.cedar", "2")]);
    let data = dir.path().join("..data");
    symlink("..1", &data).unwrap();
    symlink("..data/a.cedar", dir.path().join("a.cedar")).unwrap();
    let before = read(dir.path()).unwrap();
    assert_eq!(before.files.len(), 1);
    let mut watcher = PolicyWatcher::new(dir.path().to_owned(), before.digest());
    let turned = dir.path().join("..data_tmp");
    symlink("..2", &turned).unwrap();
    fs::rename(turned, data).unwrap();
    assert_eq!(watcher.poll(), Poll::Settling);
    let Poll::Changed(files) = watcher.poll() else {
        panic!("the new directory is offered");
    };
    assert_eq!(files.files.first().map(|file| &*file.text), Some("2"));
}
