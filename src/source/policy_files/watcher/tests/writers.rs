//! Nothing is offered that somebody is still writing.

use std::fs;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::*;
use crate::config;
use crate::fault::Source;
use crate::identity::digest::sha256;
use crate::policy::Compiler;

/// Each line is a policy, and none of them is ASCII only.
const WHOLE: &str = "\
@id(\"one\") permit(principal in Mcp::Role::\"viewer\", action, resource); // \u{e4}
@id(\"two\") forbid(principal, action == Mcp::Action::\"tools/call\", resource); // \u{1f512}
";

const CONFIG: &str = "\
authenticators:
- {name: corp, type: static_token, token: 0123456789abcdef0123456789abcdef, subject: s, roles: [viewer]}
resources:
- {name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp}
";

fn watch(dir: &Path) -> PolicyWatcher {
    let start = read(dir).unwrap();
    PolicyWatcher::new(dir.to_owned(), start.digest())
}

fn offered(watcher: &mut PolicyWatcher) -> Vec<(String, String)> {
    let Poll::Changed(files) = watcher.poll() else {
        panic!("what has come to rest is offered");
    };
    let files = files.files.iter();
    files
        .map(|file| (file.name.to_string(), file.text.to_string()))
        .collect()
}

/// A look falls between any two bytes, before the first of them and after the last.
fn is_offered_whole(watcher: &mut PolicyWatcher, mut writer: File, whole: &str) {
    for byte in whole.as_bytes() {
        assert_eq!(watcher.poll(), Poll::Settling);
        writer.write_all(&[*byte]).unwrap();
    }
    assert_eq!(watcher.poll(), Poll::Settling);
    let files = offered(watcher);
    assert!(
        files.contains(&("b.cedar".to_owned(), whole.to_owned())),
        "{files:?}"
    );
}

#[test]
fn a_file_that_is_looked_at_after_each_byte_is_offered_whole() {
    let dir = with(&[("a.cedar", "1")]);
    let mut watcher = watch(dir.path());
    let path = dir.path().join("b.cedar");
    is_offered_whole(&mut watcher, File::create(&path).unwrap(), WHOLE);
    // Written anew from its beginning, and in another way.
    let other = WHOLE.replace("viewer", "editor");
    is_offered_whole(&mut watcher, File::create(&path).unwrap(), &other);
}

#[test]
fn a_file_that_is_cut_byte_by_byte_is_never_offered_in_between() {
    let dir = with(&[("a.cedar", "1"), ("b.cedar", WHOLE)]);
    let mut watcher = watch(dir.path());
    let file = File::options().write(true).open(dir.path().join("b.cedar"));
    let file = file.unwrap();
    for length in (0..WHOLE.len()).rev() {
        file.set_len(u64::try_from(length).unwrap()).unwrap();
        assert_eq!(watcher.poll(), Poll::Settling, "{length}");
    }
    write(dir.path(), "b.cedar", WHOLE);
    assert_eq!(watcher.poll(), Poll::Unchanged, "nothing was ever offered");
}

/// Without a manifest a beginning that is itself a set of policies goes live when it rests for longer
/// than the pause between two looks: nobody can tell it from the whole. With one it does not.
#[test]
fn with_a_manifest_no_beginning_of_a_file_is_taken_for_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "cedargate.yaml", CONFIG);
    let config = config::load(&folder.path().join("cedargate.yaml"));
    let config = config.unwrap().config;
    let mut compiler = Compiler::for_config(&config);
    let mut compiles = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(name, text)| Source {
            name: (*name).into(),
            text: (*text).into(),
        });
        compiler
            .compile(&PolicyFiles::new(files.collect()), 1)
            .is_ok()
    };
    let hash = sha256(&[WHOLE.as_bytes()]).map(|byte| format!("{byte:02x}"));
    let manifest = format!("{}  ./b.cedar\n", hash.concat());
    let mut taken = Vec::new();
    for length in 0..=WHOLE.len() {
        let Some(part) = WHOLE.get(..length) else {
            // Not even UTF-8, and never handed to a compiler.
            continue;
        };
        let dir = with(&[("SHA256SUMS", &manifest), ("b.cedar", part)]);
        let mut watcher = PolicyWatcher::new(dir.path().to_owned(), NOTHING);
        assert_eq!(watcher.poll(), Poll::Settling);
        let files = offered(&mut watcher);
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (&**name, &**text))
            .collect();
        assert_eq!(
            compiles(&files),
            length == WHOLE.len(),
            "{length} with a manifest"
        );
        if compiles(&[("b.cedar", part)]) {
            taken.push(length);
        }
    }
    // From the first semicolon to the end of its comment, and from the second to the end of the file.
    assert!(
        taken
            .iter()
            .any(|length| *length < WHOLE.find('\n').unwrap()),
        "{taken:?}"
    );
    assert!(taken.contains(&WHOLE.len()), "{taken:?}");
    for length in 0..manifest.len() - 1 {
        let part = manifest.get(..length).unwrap();
        let files = [("SHA256SUMS", part), ("b.cedar", WHOLE)];
        assert!(!compiles(&files), "{length} bytes of the manifest");
    }
}

#[test]
fn a_file_that_is_renamed_over_another_is_offered_whole() {
    let dir = with(&[("a.cedar", "1"), ("b.cedar", "2")]);
    let mut watcher = watch(dir.path());
    let place = |name: &str| dir.path().join(name);
    let mut fresh = File::create(place(".b.cedar.new")).unwrap();
    for byte in WHOLE.as_bytes() {
        fresh.write_all(&[*byte]).unwrap();
        assert_eq!(
            watcher.poll(),
            Poll::Unchanged,
            "its name begins with a dot"
        );
    }
    fs::rename(place(".b.cedar.new"), place("b.cedar")).unwrap();
    assert_eq!(watcher.poll(), Poll::Settling);
    assert_eq!(offered(&mut watcher).len(), 2);
}

/// As vim and emacs do it, with a look after each step.
#[test]
fn no_step_of_an_editor_is_offered() {
    let dir = with(&[("a.cedar", "1"), ("b.cedar", "2")]);
    let mut watcher = watch(dir.path());
    let place = |name: &str| dir.path().join(name);
    for name in [".b.cedar.swp", "4913", "#b.cedar#"] {
        write(dir.path(), name, "3");
        assert_eq!(watcher.poll(), Poll::Unchanged, "{name}");
    }
    symlink("me@host.1:2", place(".#b.cedar")).unwrap();
    assert_eq!(watcher.poll(), Poll::Unchanged);
    fs::rename(place("b.cedar"), place("b.cedar~")).unwrap();
    assert_eq!(
        watcher.poll(),
        Poll::Settling,
        "for a moment it is not there"
    );
    let mut saved = File::create(place("b.cedar")).unwrap();
    assert_eq!(watcher.poll(), Poll::Settling, "then it is empty");
    saved.write_all(b"3").unwrap();
    assert_eq!(watcher.poll(), Poll::Settling);
    for name in [".b.cedar.swp", "4913", "#b.cedar#", ".#b.cedar", "b.cedar~"] {
        fs::remove_file(place(name)).unwrap();
    }
    let settled = loop {
        match watcher.poll() {
            Poll::Settling => {}
            Poll::Changed(files) => break files,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(settled.files.len(), 2);
    assert_eq!(watcher.poll(), Poll::Unchanged);
}

#[test]
fn a_directory_that_is_deleted_and_made_again_is_followed() {
    let dir = with(&[("p/a.cedar", "1"), ("p/b.cedar", "2")]);
    let policies = dir.path().join("p");
    let mut watcher = watch(&policies);
    for name in ["b.cedar", "a.cedar"] {
        fs::remove_file(policies.join(name)).unwrap();
        assert_eq!(
            watcher.poll(),
            Poll::Settling,
            "what is left is not offered"
        );
    }
    fs::remove_dir(&policies).unwrap();
    assert_eq!(watcher.poll(), Poll::Settling);
    assert!(matches!(watcher.poll(), Poll::Failed(_)));
    assert_eq!(watcher.poll(), Poll::Unchanged, "told once");
    fs::create_dir(&policies).unwrap();
    for (name, text) in [("b.cedar", "2"), ("a.cedar", "1")] {
        assert_eq!(watcher.poll(), Poll::Settling);
        write(&policies, name, text);
    }
    assert_eq!(watcher.poll(), Poll::Recovered);
    fs::remove_dir_all(&policies).unwrap();
    write(&policies, "a.cedar", "3");
    assert_eq!(watcher.poll(), Poll::Settling);
    assert_eq!(
        offered(&mut watcher),
        [("a.cedar".to_owned(), "3".to_owned())]
    );
}
