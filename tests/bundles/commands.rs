//! `bundle build`, `bundle verify`, and the other commands where the configuration names a bundle.

use std::fs;

use super::new_key;
use super::support::folder::Folder;
use super::support::folder::Ran;
use super::support::folder::copy_policies;

const CONFIG: &str = "deploy/envoy/cedargate.yaml";
const SIGNED: &str = "{file: policies.tar.gz, keys: [{file: release.pem, algorithm: ES256}]}";

/// The starter policies in `src`, signed, and a configuration that takes them from the bundle only.
fn signed() -> Folder {
    let folder = Folder::new();
    copy_policies(&folder.path("src"));
    fs::create_dir(folder.path("src/tests")).expect("a folder");
    let tests = "tests/weather.yaml";
    let shipped = fs::read(format!("policies/{tests}")).expect("tests ship");
    fs::write(folder.path("src").join(tests), shipped).expect("a file");
    new_key(&folder, "release");
    new_key(&folder, "other");
    sign(&folder, "release");
    configure(&folder, &format!("  bundle: {SIGNED}"));
    folder
}

fn sign(folder: &Folder, key: &str) {
    let key = format!("{key}.key");
    let ran = build(folder, &["--key", &key, "--revision", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

fn build(folder: &Folder, arguments: &[&str]) -> Ran {
    let command = ["bundle", "build", "src", "--out", "policies.tar.gz"];
    folder.run(&[&command, arguments].concat())
}

fn configure(folder: &Folder, policies: &str) {
    let shipped = fs::read_to_string(CONFIG).expect("a configuration ships");
    assert!(shipped.contains("  dir: policies"), "it names a directory");
    folder.write(
        "cedargate.yaml",
        &shipped.replace("  dir: policies", policies),
    );
}

/// Code and whether the text is said, of each.
fn expect(folder: &Folder, cases: &[(&[&str], i32, &str)]) {
    for (arguments, code, said) in cases {
        let ran = folder.run(arguments);
        let printed = ran.out + &ran.err;
        assert_eq!(ran.code, *code, "{arguments:?}: {printed}");
        assert!(printed.contains(said), "{arguments:?}: {printed}");
    }
}

#[test]
fn commands_take_policies_and_tests_from_the_bundle() {
    let folder = signed();
    let check: &[&str] = &[
        "check",
        "--tool",
        "weather/get_forecast",
        "--role",
        "viewer",
    ];
    let good: [(&[&str], i32, &str); 4] = [
        (&["validate"], 0, "valid, 7 policies"),
        (&["test"], 0, "11 tests, 11 passed"),
        (&["matrix"], 0, "get_forecast"),
        (check, 0, "viewer-reads"),
    ];
    expect(&folder, &good);

    sign(&folder, "other");
    for (command, ..) in good {
        expect(&folder, &[(command, 3, "the signature does not verify")]);
    }
    // Nobody has signed a directory that is named in its place, which is said.
    let unsigned: &[&str] = &["validate", "--policies-dir", "src"];
    expect(&folder, &[(unsigned, 0, "`policies.bundle` is not used")]);
}

#[test]
fn commands_fetch_nothing() {
    let folder = signed();
    let url = SIGNED.replace(
        "file: policies.tar.gz",
        "url: 'https://127.0.0.1:9/a.tar', keep: kept",
    );
    configure(&folder, &format!("  bundle: {url}"));
    expect(&folder, &[(&["validate"], 3, "commands fetch nothing")]);
    // What `serve` keeps is what they read; here it is put there by hand.
    fs::create_dir(folder.path("kept")).expect("a folder");
    fs::copy(
        folder.path("policies.tar.gz"),
        folder.path("kept/bundle.tar"),
    )
    .expect("a file");
    expect(&folder, &[(&["validate"], 0, "valid, 7 policies")]);
}

/// The manifest that is signed is the list that `require_manifest` demands; of `shadow_dir`, which nobody
/// has signed, the list is still demanded. `dir` has no place beside a bundle.
#[test]
fn other_settings_of_policies() {
    let folder = signed();
    let with = |more: &str| configure(&folder, &format!("  bundle: {SIGNED}\n{more}"));
    with("  require_manifest: true");
    expect(&folder, &[(&["validate"], 0, "valid, 7 policies")]);
    with("  require_manifest: true\n  shadow_dir: src");
    expect(&folder, &[(&["validate"], 3, "SHA256SUMS")]);
    with("  shadow_dir: src");
    expect(&folder, &[(&["validate"], 0, "7 shadow policies")]);
    // The usual directory is none of a sidecar that has a bundle.
    fs::rename(folder.path("src"), folder.path("policies")).expect("a folder");
    with("  shadow_dir: policies");
    expect(&folder, &[(&["validate"], 0, "7 shadow policies")]);
    with("  dir: policies");
    expect(&folder, &[(&["validate"], 3, "take `dir` out")]);
}

/// Which warnings are meant is for the sidecar to say, and `build` leaves it to it.
#[test]
fn warnings_are_allowed_where_the_bundle_is_used() {
    let folder = signed();
    folder.write(
        "src/99-all.cedar",
        "@id(\"all\") permit (principal, action, resource);\n",
    );
    let ran = build(&folder, &["--key", "release.key"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    expect(&folder, &[(&["validate"], 3, "[permit-all]")]);
    configure(
        &folder,
        &format!("  bundle: {SIGNED}\n  allow_warnings: [permit-all]"),
    );
    expect(&folder, &[(&["validate"], 0, "valid, 8 policies")]);
}

#[test]
fn what_bundle_build_refuses() {
    let folder = signed();
    let old = fs::read(folder.path("policies.tar.gz")).expect("a bundle");
    let build = |more: &[&'static str]| -> Vec<&'static str> {
        let command = ["bundle", "build", "src", "--out", "policies.tar.gz"];
        [&command, more].concat()
    };
    let other = |dir: &'static str, out: &'static str| -> Vec<&'static str> {
        vec!["bundle", "build", dir, "--key", "release.key", "--out", out]
    };
    let until = |time| build(&["--key", "release.key", "--not-after", time]);
    expect(
        &folder,
        &[
            (&build(&[]), 2, "--key <FILE>"),
            (
                &other("none", "a.tar"),
                2,
                "name the directory that holds the policies",
            ),
            (&other("src", "a.zip"), 2, "`.tar`, `.tar.gz` or `.tgz`"),
            (&build(&["--key", "none.key"]), 1, "cannot read `none.key`"),
            (&build(&["--key", "release.pem"]), 1, "openssl pkcs8"),
            (
                &build(&["--key", "release.key", "--algorithm", "RS256"]),
                2,
                "the key is for ES256",
            ),
            (&until("tomorrow"), 2, "2027-01-31T00:00:00Z"),
            (&until("2020-01-01T00:00:00Z"), 2, "time has passed"),
            (
                &build(&["--key", "release.key", "--revision", "9007199254740992"]),
                2,
                "9007199254740991",
            ),
        ],
    );
    folder.write("src/99-wrong.cedar", "permit (principal, action);\n");
    expect(
        &folder,
        &[(&build(&["--key", "release.key"]), 3, "99-wrong.cedar")],
    );
    let now = fs::read(folder.path("policies.tar.gz")).expect("a bundle");
    assert!(now == old, "what is refused replaces nothing");
}

#[test]
fn what_bundle_verify_says() {
    let folder = signed();
    let verify = |more: &[&'static str]| [&["bundle", "verify", "policies.tar.gz"], more].concat();
    let several = verify(&["--key", "other.pem", "--key", "release.pem"]);
    let config = verify(&["--config", "cedargate.yaml"]);
    let none: &[&str] = &["bundle", "verify", "none.tar", "--key", "release.pem"];
    expect(
        &folder,
        &[
            (&verify(&["--key", "release.pem"]), 0, "sound, revision 1"),
            (&several, 0, "signed with ES256 by the key"),
            (&config, 0, "10-roles.cedar"),
            (
                &verify(&["--key", "release.pem", "--json"]),
                0,
                "\"revision\":1",
            ),
            (&verify(&[]), 2, "<--key <FILE>|--config <FILE>>"),
            (none, 1, "cannot be read"),
            (
                &verify(&["--key", "other.pem"]),
                3,
                "with the private half of a key that is configured here",
            ),
            (&verify(&["--key", "release.key"]), 1, "no public key"),
        ],
    );
    configure(&folder, "  dir: src");
    expect(&folder, &[(&config, 2, "name a key with `--key`")]);
    let whole = fs::read(folder.path("policies.tar.gz")).expect("a bundle");
    let half = whole.get(..whole.len() / 2).unwrap_or_default();
    fs::write(folder.path("policies.tar.gz"), half).expect("a file");
    let broken = verify(&["--key", "release.pem"]);
    expect(&folder, &[(&broken, 3, "the gzip stream is broken")]);
}
