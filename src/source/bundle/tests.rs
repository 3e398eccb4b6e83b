//! Bundles on disk: looked for, kept, and told of.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tempfile::TempDir;
use tempfile::tempdir;

use super::*;
use crate::config::Algorithm;
use crate::config::BundleKey;
use crate::identity::detached;
use crate::identity::testing;
use crate::policy::bundle::MANIFEST_FILE;
use crate::policy::bundle::Manifest;
use crate::policy::bundle::SIGNATURE_FILE;
use crate::policy::bundle::SIGNATURE_TYPE;
use crate::source::settling::Poll;
use crate::source::settling::Watched as _;
use crate::source::testing::HandClock;

fn signed(revision: u64, text: &str) -> UnverifiedBundle {
    let mut files = UnverifiedBundle::default();
    files.insert("a.cedar", text.into()).unwrap();
    let manifest = Manifest::of(revision, None, files.files())
        .to_bytes()
        .unwrap();
    let header = json!({"alg": "ES256", "typ": SIGNATURE_TYPE}).to_string();
    let header = URL_SAFE_NO_PAD.encode(header);
    let input = detached::signing_input(&header, &manifest);
    let signature = testing::p256().sign(Algorithm::Es256, input.as_bytes());
    let signature = format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature));
    files.insert(MANIFEST_FILE, manifest).unwrap();
    files.insert(SIGNATURE_FILE, signature.into()).unwrap();
    files
}

fn tarball(revision: u64, text: &str) -> Vec<u8> {
    archive::pack(&signed(revision, text)).unwrap()
}

struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self {
            dir: tempdir().unwrap(),
        }
    }

    fn bundle(&self) -> PathBuf {
        self.dir.path().join("b.tar")
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.dir.path().join("kept").join(name)
    }

    fn publish(&self, bytes: impl AsRef<[u8]>) {
        fs::write(self.bundle(), bytes).unwrap();
    }

    fn open(&self) -> Result<BundleSource, Vec<Fault>> {
        self.open_at(self.bundle())
    }

    fn open_at(&self, path: PathBuf) -> Result<BundleSource, Vec<Fault>> {
        let rules = BundleRules {
            place: BundlePlace::File(path),
            keys: vec![BundleKey {
                pem: testing::p256().public_pem().into_bytes(),
                algorithm: Algorithm::Es256,
                kid: None,
            }],
            keep: Some(self.dir.path().join("kept")),
            interval: Duration::from_secs(1),
        };
        BundleSource::open(&rules, Arc::new(HandClock::default()))
    }

    fn watcher(&self) -> BundleWatcher {
        BundleWatcher::new(self.open().unwrap())
    }
}

/// The text of the policy that is offered, or what became of the look.
fn look(watcher: &mut BundleWatcher) -> String {
    match watcher.poll() {
        Poll::Unchanged => "unchanged".to_owned(),
        Poll::Recovered => "recovered".to_owned(),
        Poll::Settling => "settling".to_owned(),
        Poll::Changed(files) => files.files[0].text.to_string(),
        Poll::Failed(faults) => faults[0].message.clone(),
    }
}

#[test]
fn a_bundle_is_offered_once_and_a_failure_told_once() {
    let scene = Scene::new();
    scene.publish(tarball(1, "one"));
    let mut watcher = scene.watcher();
    assert_eq!(&*watcher.first().unwrap().files[0].text, "one");
    watcher.accepted();
    assert_eq!(watcher.status().revision(), 1);
    assert_eq!(look(&mut watcher), "unchanged");
    scene.publish(tarball(2, "two"));
    assert_eq!(look(&mut watcher), "two");
    watcher.accepted();
    assert_eq!(look(&mut watcher), "unchanged");
    let half = tarball(3, "three");
    scene.publish(&half[..half.len() / 2]);
    assert_eq!(look(&mut watcher), "settling", "it may be half written");
    assert!(look(&mut watcher).contains("ends"));
    assert_eq!(look(&mut watcher), "unchanged", "told once");
    scene.publish(tarball(2, "two"));
    assert_eq!(look(&mut watcher), "recovered");
    scene.publish(&half[..half.len() / 2]);
    assert_eq!(look(&mut watcher), "settling");
    scene.publish(&half);
    assert_eq!(look(&mut watcher), "three", "now it is whole");
    assert_eq!(watcher.status().revision(), 2, "and not in force yet");
}

#[test]
fn no_older_bundle_is_offered_not_even_after_a_restart() {
    let scene = Scene::new();
    scene.publish(tarball(5, "five"));
    let mut watcher = scene.watcher();
    watcher.first().unwrap();
    watcher.accepted();
    for (revision, text) in [(4, "four"), (5, "another five")] {
        scene.publish(tarball(revision, text));
        look(&mut watcher);
        assert!(look(&mut watcher).contains(&format!("of revision {revision}")));
        let mut restarted = scene.watcher();
        let faults = restarted.first().unwrap_err();
        assert!(faults[0].message.contains("was in force before"));
        let kept = restarted.kept().unwrap().unwrap();
        assert_eq!(&*kept.files[0].text, "five");
        assert!(scene.open().unwrap().offline().is_err(), "nor by commands");
    }
    // Even where the copy is another one: the note says which one was in force.
    fs::write(scene.kept("bundle.tar"), tarball(4, "four")).unwrap();
    let mut restarted = scene.watcher();
    assert!(restarted.kept().unwrap().is_err());
}

#[test]
fn what_was_offered_is_only_kept_when_it_is_in_force() {
    let scene = Scene::new();
    scene.publish(tarball(1, "one"));
    let mut watcher = scene.watcher();
    watcher.first().unwrap();
    assert!(watcher.kept().is_none());
    watcher.accepted();
    scene.publish(tarball(9, "no policy"));
    assert_eq!(look(&mut watcher), "no policy");
    // It did not compile: whatever comes next may be older than that.
    assert_eq!(look(&mut watcher), "unchanged");
    scene.publish(tarball(2, "two"));
    assert_eq!(look(&mut watcher), "two");
    watcher.accepted();
    let kept = watcher.kept().unwrap().unwrap();
    assert_eq!(&*kept.files[0].text, "two");
}

/// A failure in between hides what was wrong with the policies, so that it has to be told again.
#[test]
fn what_did_not_compile_is_offered_again_after_a_failure() {
    let scene = Scene::new();
    scene.publish(tarball(1, "no policy"));
    let mut watcher = scene.watcher();
    watcher.first().unwrap();
    scene.publish("broken");
    assert_eq!(look(&mut watcher), "settling");
    assert!(look(&mut watcher).contains("not a tarball"));
    scene.publish(tarball(1, "no policy"));
    assert_eq!(look(&mut watcher), "no policy");
}

#[test]
fn what_is_kept_is_verified_again() {
    let scene = Scene::new();
    scene.publish(tarball(1, "one"));
    let mut watcher = scene.watcher();
    watcher.first().unwrap();
    watcher.accepted();
    fs::remove_file(scene.bundle()).unwrap();
    let start = || {
        let mut watcher = scene.watcher();
        watcher.first().unwrap_err();
        let kept = watcher.kept();
        kept.map(|kept| kept.map_err(|faults| faults[0].to_string()))
    };
    assert!(start().unwrap().is_ok());
    let copy = scene.kept("bundle.tar");
    let mut bytes = archive::pack(&signed(1, "one")).unwrap();
    let at = bytes.windows(3).rposition(|part| part == b"one").unwrap();
    bytes[at] ^= 1;
    fs::write(&copy, &bytes).unwrap();
    let fault = start().unwrap().unwrap_err();
    assert!(fault.contains("kept/bundle.tar"), "{fault}");
    assert!(fault.contains("not the file that was signed"), "{fault}");
    fs::remove_file(&copy).unwrap();
    assert!(start().is_none());
    // Without the note nobody can say what must not come back.
    for text in ["", "{}", "{\"revision\": 1"] {
        fs::write(scene.kept("accepted.json"), text).unwrap();
        let faults = scene.open().unwrap_err();
        assert!(faults[0].message.contains("cannot be read"), "{faults:?}");
    }
}

#[test]
fn a_directory_is_a_bundle_too() {
    let scene = Scene::new();
    let dir = scene.dir.path().join("unpacked");
    let write = |files: &UnverifiedBundle, to: &Path| {
        fs::create_dir_all(to).unwrap();
        for (name, content) in files.files() {
            fs::write(to.join(name), content).unwrap();
        }
    };
    write(&signed(1, "one"), &dir);
    fs::write(dir.join(".editor"), "left out").unwrap();
    let open = || scene.open_at(dir.clone()).unwrap().offline();
    assert_eq!(&*open().unwrap().policies.files[0].text, "one");
    for (name, fault) in [
        ("b.cedar", "`b.cedar` is not listed"),
        ("LICENSE", "`LICENSE` is not listed"),
        ("d/b.cedar", "`d/b.cedar` is not listed"),
        ("a b", "is not the name of a file"),
    ] {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        let faults = open().unwrap_err();
        assert!(faults[0].message.contains(fault), "{name}: {faults:?}");
        fs::remove_file(path).unwrap();
    }
    // As Kubernetes mounts it.
    let mounted = scene.dir.path().join("mounted");
    write(&signed(2, "two"), &mounted.join("..1"));
    std::os::unix::fs::symlink("..1", mounted.join("..data")).unwrap();
    let bundle = scene.open_at(mounted).unwrap().offline().unwrap();
    assert_eq!(bundle.manifest.revision, 2);
}
