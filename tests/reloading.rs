//! SIGHUP, and what operators are told of a reload, over the running program.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

#[path = "policy_guide/blocks.rs"]
mod blocks;
#[path = "reloading/guide.rs"]
mod guide;
mod support;
#[path = "reloading/writers.rs"]
mod writers;

use std::fs;
use std::process::Command;

use serde_json::Value;
use support::envoy::poll;
use support::http::Request;
use support::process::READY;
use support::sidecar::PROGRAM;
use support::sidecar::Sidecar;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";
/// Far longer than a test takes: what is seen sooner was asked for.
const NEVER: &str = "policies: {dir: policies, reload_interval: 24h}\nrevocations: revoked.yaml\n";
const UNCHANGED: &str = "nothing changed: the policies in force are those of the files";
const RELOADED: &str = "policies reloaded";

fn config() -> String {
    format!(
        "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n{NEVER}",
        Key::new().authenticator()
    )
}

fn start(config: &str) -> Sidecar {
    Sidecar::launch_in(config, |policies| {
        fs::write(policies.with_file_name("revoked.yaml"), "jti: [a]\n").expect("a file");
    })
}

fn write(sidecar: &Sidecar, name: &str, text: &str) {
    fs::write(sidecar.policies().join(name), text).expect("a policy can be written");
}

fn policy(id: &str) -> String {
    format!("@id(\"{id}\") permit(principal in Mcp::Role::\"viewer\", action, resource);\n")
}

/// Sends the signal, and waits until the log has said `text` so many times.
fn hang_up(sidecar: &mut Sidecar, text: &str, times: usize) {
    sidecar.process().signal("HUP");
    let said = poll(READY, || {
        sidecar.printed().matches(text).count() >= times || !sidecar.process().is_running()
    });
    let printed = sidecar.printed();
    assert!(said, "`{text}` was not said {times} times: {printed}");
    assert_eq!(printed.matches(text).count(), times, "`{text}`: {printed}");
    assert!(sidecar.process().is_running(), "{printed}");
}

#[test]
fn a_hangup_puts_changed_files_in_force_without_waiting() {
    let mut sidecar = start(&config()).until_ready();
    let before = sidecar.status();
    hang_up(&mut sidecar, UNCHANGED, 1);
    let revoked = "nothing changed: the revocations in force are those of the file";
    assert!(poll(READY, || sidecar.printed().contains(revoked)));

    write(&sidecar, "a.cedar", &policy("more"));
    let revocations = sidecar.folder().join("revoked.yaml");
    fs::write(revocations, "jti: [a, b]\n").expect("a file");
    hang_up(&mut sidecar, RELOADED, 1);
    assert!(poll(READY, || sidecar
        .printed()
        .contains("revocations reloaded")));
    let after = sidecar.status();
    let count = |status: &Value| status["policies"]["count"].as_u64().expect("a number");
    assert_eq!(count(&after), count(&before) + 1);
    assert_eq!(after["policies"]["generation"], 2);
    assert_eq!(after["revocations"], 2);

    hang_up(&mut sidecar, UNCHANGED, 2);
    assert_eq!(sidecar.status()["policies"]["generation"], 2);
    // Several in a row are one request to look.
    for _ in 0..20 {
        sidecar.process().signal("HUP");
    }
    write(&sidecar, "a.cedar", &policy("other"));
    hang_up(&mut sidecar, RELOADED, 2);
    let ended = sidecar.terminate().expect("it ends");
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn a_refused_state_is_told_with_its_places_each_time_someone_asks() {
    let mut sidecar = start(&config()).until_ready();
    write(&sidecar, "a.cedar", &format!("\n{}", policy("same")));
    write(
        &sidecar,
        "b.cedar",
        &format!("// one\n\n  {}", policy("same")),
    );
    write(
        &sidecar,
        "c.cedar",
        "@id(\"c\") permit(principal, action, resource)\nwhen { principal.tenat == \"x\" };\n",
    );
    let duplicate = "b.cedar:3:3: error: policy id `same` is already taken (it is used first at \
                     a.cedar:2:1; ids are unique over all files)";
    let unknown = "c.cedar:2:8: error: for policy `c`, attribute `tenat`";
    for times in [1, 2] {
        hang_up(&mut sidecar, duplicate, times);
        assert_eq!(sidecar.printed().matches(unknown).count(), times);
        let status = sidecar.status();
        assert_eq!(status["policies"]["generation"], 1, "{status}");
        let faults = status["policies"]["faults"].as_array().expect("a list");
        let faults: Vec<&str> = faults.iter().filter_map(Value::as_str).collect();
        assert_eq!(faults.len(), 2, "{faults:#?}");
        assert_eq!(faults[0], duplicate);
        assert!(faults[1].starts_with(unknown), "{faults:#?}");
    }
    for name in ["a.cedar", "b.cedar", "c.cedar"] {
        fs::remove_file(sidecar.policies().join(name)).expect("it is there");
    }
    hang_up(&mut sidecar, RELOADED, 1);
    // What cannot be read at all, and what is as it was in force.
    fs::create_dir(sidecar.policies().join("d.cedar")).expect("a folder");
    hang_up(
        &mut sidecar,
        "d.cedar: error: this is not a regular file",
        1,
    );
    assert_eq!(sidecar.status()["policies"]["faults"][0], {
        "d.cedar: error: this is not a regular file"
    });
    fs::remove_dir(sidecar.policies().join("d.cedar")).expect("it is there");
    hang_up(
        &mut sidecar,
        "the policies in force are those of the files again",
        1,
    );
    let status = sidecar.status();
    assert_eq!(
        status["policies"]["faults"].as_array().map(Vec::len),
        Some(0)
    );
    hang_up(&mut sidecar, UNCHANGED, 1);
}

/// An issuer that never answers keeps it from being ready for ten seconds.
#[test]
fn a_hangup_before_it_is_ready_is_obeyed_too() {
    let config = format!(
        "authenticators:\n- {{name: corp, type: oidc, issuer: \"http://127.0.0.1:{}\", insecure_allow_http: true}}\n\
         resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n{NEVER}",
        support::port::free()
    );
    let mut sidecar = start(&config);
    assert!(
        poll(READY, || catches_hangups(sidecar.process().id())),
        "{}",
        sidecar.printed()
    );
    for _ in 0..10 {
        sidecar.process().signal("HUP");
    }
    assert!(poll(READY, || sidecar.is_live()), "{}", sidecar.printed());
    assert!(poll(READY, || sidecar.printed().contains(UNCHANGED)));
    let ready = Request::new("GET", "/readyz").send(sidecar.admin);
    assert_eq!(ready.expect("it answers").status, 503);
    write(&sidecar, "a.cedar", &policy("more"));
    hang_up(&mut sidecar, RELOADED, 1);
    drop(sidecar.until_ready());
}

/// `SigCgt` of proc(5): whether the program has a handler for SIGHUP, which is signal 1.
#[expect(
    clippy::disallowed_methods,
    reason = "reads what the kernel says of it"
)]
fn catches_hangups(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.expect("a line").trim(), 16).expect("a number");
    caught & 1 == 1
}

#[test]
fn the_help_of_serve_says_so() {
    let help = Command::new(PROGRAM).args(["serve", "--help"]).output();
    let help = String::from_utf8(help.expect("it runs").stdout).expect("UTF-8");
    assert!(help.contains("SIGHUP"), "{help}");
}
