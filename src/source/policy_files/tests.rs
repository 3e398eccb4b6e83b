//! What is read of a directory, and what is refused.

use std::fs::File;
use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::scene::with;
use super::scene::write;
use super::*;
use crate::policy::files::MAX_FILE_BYTES;
use crate::policy::files::MAX_FILES;
use crate::policy::files::MAX_PRINCIPALS_BYTES;

fn names(dir: &Path) -> Vec<String> {
    let files = read(dir).unwrap().files;
    files.iter().map(|file| file.name.to_string()).collect()
}

fn faults(dir: &Path) -> Vec<String> {
    let faults = read(dir).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn only_what_has_a_meaning_is_read() {
    let dir = with(&[
        ("b.cedar", "b"),
        ("a/c.cedar", "c"),
        ("a/tests/d.cedar", "d"),
        ("tests/e.cedar", "e"),
        ("SHA256SUMS", ""),
        ("tools.json", "{}"),
        ("Tools.json", "{}"),
        ("principals.yaml", ""),
        ("a/Principals.yml", ""),
        ("README.md", "no"),
        ("f.cedar.bak", "no"),
        (".g.cedar", "no"),
        (".git/h.cedar", "no"),
    ]);
    assert_eq!(
        names(dir.path()),
        [
            "SHA256SUMS",
            "Tools.json",
            "a/Principals.yml",
            "a/c.cedar",
            "a/tests/d.cedar",
            "b.cedar",
            "principals.yaml",
            "tools.json"
        ]
    );
}

#[test]
fn links_in_a_circle_are_one_fault() {
    let dir = with(&[("a.cedar", "a")]);
    for name in ["x", "y", "z"] {
        symlink(dir.path(), dir.path().join(name)).unwrap();
    }
    let faults = faults(dir.path());
    assert_eq!(faults.len(), 1, "{} faults", faults.len());
    assert!(faults[0].contains("nested too deeply"), "{faults:?}");
}

#[test]
fn one_bad_file_fails_the_whole_read() {
    let dir = with(&[
        ("a.cedar", "a"),
        ("big.cedar", &" ".repeat(MAX_FILE_BYTES + 1)),
    ]);
    fs::write(dir.path().join("bin.cedar"), b"ab\xff").unwrap();
    symlink(dir.path().join("nowhere"), dir.path().join("gone.cedar")).unwrap();
    symlink("/dev/null", dir.path().join("null.cedar")).unwrap();
    symlink("/dev/null", dir.path().join("ignored")).unwrap();
    let odd = OsStr::from_bytes(b"odd\xff.cedar");
    fs::write(dir.path().join(odd), "").unwrap();
    let expected = [
        "big.cedar: error: the file cannot be read: it is larger than 1048576 bytes",
        "bin.cedar: error: the file cannot be read: it is not UTF-8 at byte 2",
        "gone.cedar: error: the file cannot be read: No such file",
        "null.cedar: error: this is not a regular file",
        "odd\u{fffd}.cedar: error: the name is not UTF-8",
    ];
    let faults = faults(dir.path());
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}");
    }
    let nowhere = read(&dir.path().join("nowhere")).unwrap_err();
    assert_eq!(nowhere.len(), 1);
}

#[test]
fn a_directory_inside_itself_ends() {
    let dir = with(&[("a.cedar", "a")]);
    symlink(dir.path(), dir.path().join("loop")).unwrap();
    assert!(
        faults(dir.path())
            .iter()
            .any(|fault| fault.contains("too deeply"))
    );
}

#[test]
fn facts_about_principals_may_take_more_room() {
    for (most, fits) in [
        (MAX_PRINCIPALS_BYTES, true),
        (MAX_PRINCIPALS_BYTES + 1, false),
    ] {
        let dir = with(&[("principals.yaml", &"#".repeat(most))]);
        assert_eq!(read(dir.path()).is_ok(), fits, "{most}");
    }
    let dir = with(&[("a/principals.yaml", &"#".repeat(MAX_FILE_BYTES + 1))]);
    assert_eq!(faults(dir.path()).len(), 1, "elsewhere it has no meaning");
}

/// What editors, tools and backups leave beside a file means nothing, whatever it is.
#[test]
fn what_editors_leave_behind_is_not_read() {
    let dir = with(&[
        ("a.cedar", "a"),
        (".a.cedar.swp", "no"),
        ("a.cedar~", "no"),
        ("#a.cedar#", "no"),
        ("4913", "no"),
        (".a.cedar.Xj3k2Q", "no"),
        ("a.cedar.orig", "no"),
        ("a.cedar.rej", "no"),
        ("a.cedar.1", "no"),
    ]);
    symlink("me@host.123:456", dir.path().join(".#a.cedar")).unwrap();
    assert_eq!(names(dir.path()), ["a.cedar"]);
}

#[test]
fn a_link_that_may_stand_for_a_folder_is_not_passed_over() {
    let dir = with(&[("a.cedar", "a")]);
    let elsewhere = with(&[("forbids.cedar", "b")]);
    let link = dir.path().join("linked");
    symlink(elsewhere.path(), &link).unwrap();
    assert_eq!(names(dir.path()), ["a.cedar", "linked/forbids.cedar"]);
    drop(elsewhere);
    symlink("around", dir.path().join("around")).unwrap();
    let faults = faults(dir.path());
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(faults[0].starts_with("around: error: it cannot be looked into: "));
    assert!(faults[1].starts_with("linked: error: it cannot be looked into: No such file"));
}

/// The read, unless it takes longer than anybody would wait.
fn in_time(dir: &Path) -> Result<PolicyFiles, Vec<Fault>> {
    let (done, wait) = mpsc::channel();
    let dir = dir.to_owned();
    thread::spawn(move || done.send(read(&dir)));
    let found = wait.recv_timeout(Duration::from_secs(30));
    found.expect("reading ends")
}

#[test]
fn what_is_no_file_is_refused_and_never_waited_for() {
    let dir = with(&[("a.cedar", "a")]);
    let pipe = |name: &str| {
        let path = dir.path().join(name);
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    pipe("of no meaning");
    assert_eq!(names(dir.path()), ["a.cedar"]);
    pipe("pipe.cedar");
    pipe("tools.json");
    let _listener = UnixListener::bind(dir.path().join("socket.cedar")).unwrap();
    for device in ["null", "zero", "tty"] {
        let name = format!("{device}.cedar");
        symlink(Path::new("/dev").join(device), dir.path().join(name)).unwrap();
    }
    fs::create_dir(dir.path().join("folder.cedar")).unwrap();
    let faults = in_time(dir.path()).unwrap_err();
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let names = ["folder", "null", "pipe", "socket"].map(|name| format!("{name}.cedar"));
    for name in names.iter().map(String::as_str).chain(["tools.json"]) {
        let expected = format!("{name}: error: this is not a regular file");
        assert!(faults.contains(&expected), "{name}: {faults:#?}");
    }
    assert_eq!(faults.len(), 7, "{faults:#?}");
}

#[test]
fn however_long_a_file_is_no_more_of_it_is_read_than_may_be() {
    let dir = with(&[("a.cedar", "a")]);
    let huge = File::create(dir.path().join("huge.cedar")).unwrap();
    huge.set_len(1 << 40).unwrap();
    // Says that it is empty, and is not.
    symlink("/proc/self/status", dir.path().join("proc.cedar")).unwrap();
    let faults = in_time(dir.path()).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    let expected = "huge.cedar: error: the file cannot be read: it is larger than 1048576 bytes";
    assert_eq!(faults[0].to_string(), expected);
}

#[test]
fn many_files_and_much_text_are_bounded_together() {
    let dir = with(&[]);
    for number in 0..MAX_FILES {
        write(dir.path(), &format!("{number:04}.cedar"), "");
    }
    write(dir.path(), "other.md", "");
    assert_eq!(names(dir.path()).len(), MAX_FILES);
    write(dir.path(), "one-more.cedar", "");
    assert_eq!(
        faults(dir.path()),
        ["one-more.cedar: error: there are too many files"]
    );
    let dir = with(&[]);
    for number in 0..33 {
        write(
            dir.path(),
            &format!("{number:02}.cedar"),
            &" ".repeat(MAX_FILE_BYTES),
        );
    }
    assert_eq!(
        faults(dir.path()),
        ["32.cedar: error: the files are too large together"]
    );
}

#[test]
fn folders_may_be_eight_deep() {
    let deep = |levels: usize| format!("{}a.cedar", "d/".repeat(levels));
    let dir = with(&[(&deep(8), "a")]);
    assert_eq!(names(dir.path()), [deep(8)]);
    write(dir.path(), &deep(400), "a");
    let faults = faults(dir.path());
    let expected = format!(
        "{}: error: the directory is nested too deeply",
        "d/".repeat(9)
    );
    assert_eq!(faults, [expected]);
}

#[test]
fn links_that_lead_to_themselves_are_faults() {
    let dir = with(&[("a.cedar", "a")]);
    for (from, to) in [("b.cedar", "c.cedar"), ("c.cedar", "b.cedar"), ("d", "d")] {
        symlink(to, dir.path().join(from)).unwrap();
    }
    let faults = faults(dir.path());
    assert_eq!(faults.len(), 3, "{faults:#?}");
    for fault in faults {
        assert!(
            fault.contains("Too many levels of symbolic links"),
            "{fault}"
        );
    }
}

/// Whoever may read everything, as root in a container, reads this as well.
#[test]
fn what_may_not_be_read_is_a_fault_and_not_an_absence() {
    let dir = with(&[("a.cedar", "a"), ("closed/b.cedar", "b"), ("c.cedar", "c")]);
    let close = |name: &str, mode: u32| {
        fs::set_permissions(dir.path().join(name), Permissions::from_mode(mode)).unwrap();
    };
    close("c.cedar", 0o000);
    close("closed", 0o000);
    let is_refused = match File::open(dir.path().join("c.cedar")) {
        Ok(_) => false,
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    };
    let found = read(dir.path());
    close("closed", 0o755);
    match found {
        Ok(files) => assert!(!is_refused && files.files.len() == 3),
        Err(faults) => {
            assert!(is_refused, "{faults:#?}");
            let named: Vec<_> = faults.iter().map(|fault| &*fault.file).collect();
            assert_eq!(named, ["c.cedar", "closed/"]);
            assert!(
                faults
                    .iter()
                    .all(|fault| fault.message.contains("Permission denied"))
            );
        }
    }
}
