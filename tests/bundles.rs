//! Policies that come as a signed bundle, over the running program and a real server of them: what is put
//! in force, what never is, and what a start does without the server.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "what the tests stand on fails them, and the message says why"
)]

#[path = "policy_guide/blocks.rs"]
mod blocks;
#[path = "bundles/commands.rs"]
mod commands;
#[path = "bundles/guide.rs"]
mod guide;
mod support;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::bundle_server::Answer;
use support::bundle_server::BundleServer;
use support::envoy::poll;
use support::folder::Folder;
use support::process::READY;
use support::sidecar::Sidecar;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";
/// So seldom that what is seen during a test was asked for.
const SELDOM: &str = "24h";
const OFTEN: &str = "1s";
/// What is told of an answer that changes nothing.
const NOTHING: &str = "nothing at all";
const KEPT: &str = "the last good ones stay";

/// A publisher with a key, a server, and users with a token.
struct Scene {
    folder: Folder,
    server: BundleServer,
    users: Key,
}

impl Scene {
    /// The server has the bundle of revision 1, which permits `one`.
    fn new() -> Self {
        let folder = Folder::new();
        fs::create_dir(folder.path("policies")).expect("a folder");
        new_key(&folder, "release");
        let server = BundleServer::start(&folder.path("ca.pem"), Answer::Head("404 Not Found"));
        let scene = Self {
            folder,
            server,
            users: Key::new(),
        };
        scene.publish(1, "one");
        scene
    }

    /// A signed bundle that permits one tool.
    fn bundle(&self, revision: u64, tool: &str) -> Vec<u8> {
        build(&self.folder, "release", revision, &permit(tool))
    }

    fn publish(&self, revision: u64, tool: &str) {
        let bundle = self.bundle(revision, tool);
        self.server.answer(Answer::Bundle(bundle));
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.folder.path("kept").join(name)
    }

    fn config(&self, interval: &str) -> String {
        let path = |name: &str| self.folder.path(name).display().to_string();
        format!(
            "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             policies:\n  bundle:\n    url: {}\n    ca_file: {}\n    keep: {}\n    interval: {interval}\n    \
             keys: [{{file: {}, algorithm: ES256}}]\n",
            self.users.authenticator(),
            self.server.url(),
            path("ca.pem"),
            path("kept"),
            path("release.pem"),
        )
    }

    fn start(&self, interval: &str) -> Sidecar {
        Sidecar::start(&self.config(interval))
    }

    /// Starts what must not stand: how it ended, and what it said.
    fn refused(&self) -> (Option<i32>, String) {
        let mut sidecar = Sidecar::launch(&self.config(SELDOM));
        let ended = sidecar.process().wait(READY).expect("it ends");
        let closed = sidecar.process().stderr().wait_closed(READY);
        assert!(closed, "everything it said is here");
        (ended.code(), sidecar.printed())
    }

    /// Whether calls of the tool are allowed.
    fn allows(&self, sidecar: &Sidecar, tool: &str) -> bool {
        let token = self.users.token(RESOURCE, &json!({}));
        let verdict = sidecar.asker().both(&Ask::call(tool).bearer(&token));
        verdict.reason == "allowed"
    }
}

fn permit(tool: &str) -> String {
    format!(
        "@id(\"{tool}\") permit (principal is Mcp::User, action == Mcp::Action::\"tools/call\", \
         resource == Mcp::Tool::\"weather/{tool}\");\n"
    )
}

/// Makes `name.key` and `name.pem`.
fn new_key(folder: &Folder, name: &str) {
    let ran = folder.run(&["token", "mint", "--new-key", &format!("{name}.key")]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    folder.write(&format!("{name}.pem"), &ran.out);
}

fn build(folder: &Folder, key: &str, revision: u64, policy: &str) -> Vec<u8> {
    folder.write("policies/a.cedar", policy);
    let (key, revision) = (format!("{key}.key"), revision.to_string());
    let ran = folder.run(&[
        "bundle",
        "build",
        "policies",
        "--key",
        &key,
        "--out",
        "out.tar",
        "--revision",
        &revision,
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    fs::read(folder.path("out.tar")).expect("a bundle")
}

/// The status document, as soon as it `is` so.
fn status(sidecar: &Sidecar, is: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let seen = poll(READY, || {
        last = sidecar.status();
        is(&last)
    });
    assert!(seen, "{last:#}\n{}", sidecar.printed());
    last
}

fn revision(status: &Value) -> u64 {
    let revision = status.pointer("/policies/bundle/revision");
    revision.and_then(Value::as_u64).expect("a revision")
}

fn generation(status: &Value) -> u64 {
    let generation = status.pointer("/policies/generation");
    generation.and_then(Value::as_u64).expect("a generation")
}

/// What keeps a newer bundle out of force.
fn faults(status: &Value) -> String {
    let faults = status.pointer("/policies/faults");
    let faults = faults.and_then(Value::as_array).expect("a list");
    let texts: Vec<&str> = faults.iter().filter_map(Value::as_str).collect();
    texts.join("\n")
}

fn is_kept(status: &Value) -> Option<bool> {
    status.pointer("/policies/bundle/kept")?.as_bool()
}

fn failed_reloads(sidecar: &Sidecar) -> u64 {
    let start = "cedargate_policy_reload_total{outcome=\"failed\"} ";
    let text = sidecar.ask_admin("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(start));
    line.map_or(0, |value| value.parse().expect("a whole number"))
}

#[test]
fn what_is_published_is_in_force_soon_and_sent_once() {
    let scene = Scene::new();
    let sidecar = scene.start(OFTEN);
    assert!(scene.allows(&sidecar, "one"));
    assert!(!scene.allows(&sidecar, "two"));
    let seen = poll(READY, || scene.server.sent().not_modified >= 2);
    assert!(seen, "{:?}", scene.server.sent());
    assert_eq!(scene.server.sent().whole, 1, "by ETag");

    scene.publish(2, "two");
    let now = status(&sidecar, |status| revision(status) == 2);
    assert!(!scene.allows(&sidecar, "one"));
    assert!(scene.allows(&sidecar, "two"));
    assert_eq!((generation(&now), &*faults(&now)), (2, ""));
    assert_eq!(is_kept(&now), Some(true));
    assert!(now.pointer("/policies/bundle/confirmed_ms").is_some());
    assert_eq!(failed_reloads(&sidecar), 0);
}

#[test]
fn a_hangup_asks_now_although_it_is_not_time() {
    let scene = Scene::new();
    let sidecar = scene.start(SELDOM);
    scene.publish(2, "two");
    sidecar.signal("HUP");
    status(&sidecar, |status| revision(status) == 2);
    assert!(scene.allows(&sidecar, "two"));
}

/// What a server may send in place of a newer bundle, and what is told of it.
fn lies(scene: &Scene) -> Vec<(Answer, &'static str)> {
    let newer = scene.bundle(3, "three");
    let at = newer
        .windows(5)
        .rposition(|part| part == b"three")
        .expect("the policy is in there");
    let mut changed = newer.clone();
    if let Some(byte) = changed.get_mut(at) {
        *byte = b'T';
    }
    let half = newer.get(..newer.len() / 2).unwrap_or_default().to_vec();
    new_key(&scene.folder, "stranger");
    let foreign = build(&scene.folder, "stranger", 3, &permit("three"));
    vec![
        (Answer::Bundle(changed), "is not the file that was signed"),
        (Answer::Bytes(foreign), "the signature does not verify"),
        (
            Answer::Bundle(scene.bundle(1, "one")),
            "revision 1, and revision 2",
        ),
        (Answer::Bundle(scene.bundle(2, "three")), "as another one"),
        (Answer::Bytes(half.clone()), "tarball"),
        (Answer::Short(half), "end of file"),
        (Answer::Bytes(b"<!doctype html>".to_vec()), "not a tarball"),
        (Answer::Bytes(Vec::new()), "the tarball has no end"),
        (Answer::Endless, "larger than"),
        // A lie that says "the same as before" cannot be told from the truth.
        (Answer::Head("304 Not Modified"), NOTHING),
        (Answer::Head("500 Internal Server Error"), "500"),
        (
            Answer::Head("302 Found\r\nlocation: https://127.0.0.1/policies.tar.gz"),
            "302",
        ),
    ]
}

#[test]
fn what_is_refused_leaves_the_last_good_one_in_force() {
    let scene = Scene::new();
    let sidecar = scene.start(SELDOM);
    scene.publish(2, "two");
    sidecar.signal("HUP");
    status(&sidecar, |status| revision(status) == 2);
    let kept = fs::read(scene.kept("bundle.tar")).expect("a copy");

    for (answer, told) in lies(&scene) {
        let (failed, what) = (failed_reloads(&sidecar), format!("{told}: {answer:.60?}"));
        scene.server.answer(answer);
        sidecar.signal("HUP");
        let now = status(&sidecar, |status| {
            let faults = faults(status);
            (told == NOTHING && faults.is_empty()) || faults.contains(told)
        });
        assert_eq!((revision(&now), generation(&now)), (2, 2), "{what}");
        assert!(scene.allows(&sidecar, "two"), "{what}");
        assert!(!scene.allows(&sidecar, "three"), "{what}");
        if told != NOTHING {
            assert!(failed_reloads(&sidecar) > failed, "{what}");
            assert!(sidecar.printed().contains(KEPT), "{what}");
        }
        scene.server.answer(Answer::Bytes(scene.bundle(2, "two")));
    }
    let copy = fs::read(scene.kept("bundle.tar")).expect("a copy");
    assert!(copy == kept, "the copy is the one in force");

    scene.publish(3, "three");
    sidecar.signal("HUP");
    let now = status(&sidecar, |status| revision(status) == 3);
    assert_eq!(faults(&now), "");
}

/// Signed by the right key, and no good here: `build` does not know the resources of a sidecar.
#[test]
fn policies_that_do_not_compile_are_neither_put_in_force_nor_kept() {
    let scene = Scene::new();
    let sidecar = scene.start(SELDOM);
    let other = permit("two").replace("weather/", "whether/");
    let wrong = build(&scene.folder, "release", 2, &other);
    scene.server.answer(Answer::Bundle(wrong));
    sidecar.signal("HUP");
    let now = status(&sidecar, |status| faults(status).contains("whether"));
    assert_eq!((revision(&now), generation(&now)), (1, 1));
    assert!(faults(&now).contains("a.cedar"), "{now:#}");
    assert_eq!(failed_reloads(&sidecar), 1);
    drop(sidecar);

    // Nor does a restart take it.
    let sidecar = scene.start(SELDOM);
    assert!(scene.allows(&sidecar, "one"));
    assert_eq!(revision(&sidecar.status()), 1);
    // The revision was never in force, so that another bundle may have it.
    scene.publish(2, "two");
    sidecar.signal("HUP");
    status(&sidecar, |status| revision(status) == 2);
}

#[test]
fn a_start_without_the_server_goes_on_with_what_was_kept() {
    let mut scene = Scene::new();
    scene.publish(2, "two");
    drop(scene.start(SELDOM));
    scene.server.down();

    let sidecar = scene.start(SELDOM);
    assert!(scene.allows(&sidecar, "two"));
    assert!(!scene.allows(&sidecar, "one"));
    let now = sidecar.status();
    assert_eq!(revision(&now), 2);
    assert!(faults(&now).contains("policies.tar.gz"), "{now:#}");
    assert!(now.pointer("/policies/bundle/confirmed_ms").is_none());
    let printed = sidecar.printed();
    assert!(
        printed.contains("starting with the last good one"),
        "{printed}"
    );

    scene.server.up();
    sidecar.signal("HUP");
    let now = status(&sidecar, |status| faults(status).is_empty());
    assert_eq!((revision(&now), generation(&now)), (2, 1));
    assert!(now.pointer("/policies/bundle/confirmed_ms").is_some());
}

#[test]
fn a_start_with_neither_server_nor_copy_is_refused() {
    let mut scene = Scene::new();
    scene.server.down();
    let (code, said) = scene.refused();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("policies.tar.gz"), "{said}");
    assert!(said.contains("no earlier bundle is kept in"), "{said}");
    assert!(!scene.folder.path("kept").exists());
}

#[test]
fn a_restart_does_not_bring_an_older_bundle_back() {
    let scene = Scene::new();
    scene.publish(2, "two");
    drop(scene.start(SELDOM));
    scene.publish(1, "one");
    let sidecar = scene.start(SELDOM);
    assert!(scene.allows(&sidecar, "two"));
    assert!(!scene.allows(&sidecar, "one"));
    let told = faults(&sidecar.status());
    assert!(told.contains("revision 1, and revision 2"), "{told}");
    drop(sidecar);

    // Nor is there a start where the copy is gone and the note of it is not.
    fs::remove_file(scene.kept("bundle.tar")).expect("there is a copy");
    let (code, said) = scene.refused();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("with a higher revision"), "{said}");
}

#[test]
fn a_copy_that_is_not_what_was_signed_starts_nothing() {
    let mut scene = Scene::new();
    drop(scene.start(SELDOM));
    scene.server.down();
    let copy = scene.kept("bundle.tar");
    let whole = fs::read(&copy).expect("a copy");
    let at = whole.windows(3).rposition(|part| part == b"one");
    let mut changed = whole.clone();
    if let Some(byte) = at.and_then(|at| changed.get_mut(at)) {
        *byte = b'O';
    }
    let half = whole.get(..whole.len() / 2).unwrap_or_default().to_vec();
    for (bytes, told) in [
        (changed, "is not the file that was signed"),
        (half, "tarball"),
        (Vec::new(), "the tarball has no end"),
    ] {
        fs::write(&copy, bytes).expect("a file");
        let (code, said) = scene.refused();
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(told), "{said}");
        assert!(said.contains("kept/bundle.tar"), "{said}");
    }
    fs::write(&copy, whole).expect("a file");
    fs::write(scene.kept("accepted.json"), "{").expect("a file");
    let (code, said) = scene.refused();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("remove the file if that is meant"), "{said}");
}

#[test]
fn what_cannot_be_kept_is_told_and_kept_later() {
    let scene = Scene::new();
    // Nothing can take the place of a folder.
    fs::create_dir_all(scene.kept("bundle.tar")).expect("a folder");
    let sidecar = scene.start(OFTEN);
    assert!(scene.allows(&sidecar, "one"), "it is good for all that");
    assert_eq!(is_kept(&sidecar.status()), Some(false));
    let printed = sidecar.printed();
    assert!(printed.contains("cannot be kept in"), "{printed}");
    fs::remove_dir(scene.kept("bundle.tar")).expect("it is empty");
    status(&sidecar, |status| is_kept(status) == Some(true));
    assert!(scene.kept("accepted.json").is_file());
}

/// Whoever waits for the last byte of a bundle does not keep the sidecar from ending.
#[test]
fn the_end_does_not_wait_for_a_server_that_drips() {
    let scene = Scene::new();
    let mut sidecar = scene.start(SELDOM);
    scene.server.answer(Answer::Dripping);
    sidecar.signal("HUP");
    let asked = poll(READY, || scene.server.is_dripping());
    assert!(asked, "it asks");
    assert!(scene.allows(&sidecar, "one"), "checks do not wait");
    sidecar.signal("TERM");
    let ended = sidecar.process().wait(Duration::from_secs(10));
    assert!(ended.is_some_and(|ended| ended.success()), "{ended:?}");
}

/// A directory of unpacked files is a bundle, and is read as often as a policy directory would be.
#[test]
fn an_unpacked_bundle_is_followed_too() {
    let scene = Scene::new();
    let unpack = |revision: u64, tool: &str| {
        drop(scene.bundle(revision, tool));
        let tar = scene.folder.path("out.tar");
        let to = scene.folder.path("unpacked");
        fs::create_dir_all(&to).expect("a folder");
        let mut command = Command::new("tar");
        let done = command.arg("xf").arg(tar).arg("-C").arg(&to).status();
        assert!(done.expect("tar runs").success());
        to
    };
    let place = unpack(1, "one");
    let config = of_file(&scene, &place);
    let sidecar = Sidecar::start(&config);
    assert!(scene.allows(&sidecar, "one"));
    unpack(2, "two");
    let now = status(&sidecar, |status| revision(status) == 2);
    assert!(scene.allows(&sidecar, "two"));
    assert_eq!(is_kept(&now), Some(false), "nothing says where");
    // One file that nobody has signed, and the whole stays out.
    fs::write(place.join("b.cedar"), permit("three")).expect("a file");
    let now = status(&sidecar, |status| faults(status).contains("not listed"));
    assert_eq!(revision(&now), 2);
    assert!(!scene.allows(&sidecar, "three"));
}

fn of_file(scene: &Scene, place: &Path) -> String {
    let config = scene.config(SELDOM);
    let head = config.split("policies:\n").next().unwrap_or_default();
    let key = scene.folder.path("release.pem");
    format!(
        "{head}policies:\n  reload_interval: 200ms\n  bundle: {{file: {}, keys: [{{file: {}, algorithm: ES256}}]}}\n",
        place.display(),
        key.display()
    )
}
