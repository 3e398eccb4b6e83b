//! Policies that are only tried, in a real sidecar: what they would decide is recorded and counted, and
//! the answers are those of the policies in force.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;
#[path = "shadow/unseen.rs"]
mod unseen;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::ask::Asker;
use support::envoy::poll;
use support::folder::Folder;
use support::folder::copy_policies;
use support::sidecar::Sidecar;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";
const SOON: Duration = Duration::from_secs(20);

const FORBID: &str = "@id(\"no-forecast\")\n\
    forbid (principal, action == Mcp::Action::\"tools/call\", resource == Mcp::Tool::\"weather/get_forecast\");\n";

/// Narrower than the starter set: nothing is allowed.
const NOTHING: &str =
    "@id(\"nobody\") permit (principal in Mcp::Role::\"nobody\", action, resource);\n";

struct World {
    key: Key,
    sidecar: Sidecar,
    asker: Asker,
}

fn config(key: &Key, more: &str) -> String {
    format!(
        "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
         policies: {{dir: policies, reload_interval: 100ms{more}}}\n\
         limits: {{deadline: 5s}}\n",
        key.authenticator()
    )
}

impl World {
    /// A sidecar that tries what `prepare` puts into `next`, beside its folder of policies.
    fn with_shadow(prepare: impl FnOnce(&Path)) -> Self {
        Self::launch(", shadow_dir: next", |policies| {
            let next = policies.parent().expect("a folder").join("next");
            prepare(&next);
        })
    }

    fn launch(more: &str, prepare: impl FnOnce(&Path)) -> Self {
        Self::launch_under(more, str::to_owned, prepare)
    }

    /// The same under a configuration that `edit` has been over.
    fn launch_under(
        more: &str,
        edit: impl FnOnce(&str) -> String,
        prepare: impl FnOnce(&Path),
    ) -> Self {
        let key = Key::new();
        let config = edit(&config(&key, more));
        let sidecar = Sidecar::launch_in(&config, prepare).until_ready();
        let asker = sidecar.asker();
        Self {
            key,
            sidecar,
            asker,
        }
    }

    fn next(&self) -> PathBuf {
        self.sidecar.folder().join("next")
    }

    /// Asks over gRPC and HTTP for a forecast, as a viewer; returns the reason.
    fn forecast(&self, request_id: &str) -> String {
        self.forecast_with(&self.viewer(), request_id)
    }

    /// The same with a token that the sidecar may have seen before.
    fn forecast_with(&self, token: &str, request_id: &str) -> String {
        let ask = Ask::call("get_forecast")
            .bearer(token)
            .header("x-request-id", request_id);
        self.asker.both(&ask).reason
    }

    fn viewer(&self) -> String {
        self.key.token(RESOURCE, &json!({"roles": ["viewer"]}))
    }

    /// The policies in force are those of the start, and nothing was wrong with them.
    fn live_is_untouched(&self, what: &str) {
        let status = self.sidecar.status();
        assert_eq!(status["policies"]["generation"], 1, "{what}");
        assert_eq!(status["policies"]["faults"], json!([]), "{what}");
        let text = self.sidecar.ask_admin("/metrics").text();
        let failed = "policy_reload_total{outcome=\"failed\"} 0\n";
        assert!(text.contains(failed), "{what}: {text}");
    }

    /// What the records of both transports say of what is tried; it must be the same.
    fn shadow(&self, request_id: &str) -> Value {
        let of = |transport: &str| {
            let found = |record: &Value| {
                record["request_id"] == request_id && record["transport"] == transport
            };
            self.sidecar.record(found)["shadow"].clone()
        };
        let grpc = of("grpc");
        assert_eq!(grpc, of("http"), "{request_id}");
        grpc
    }

    fn differences(&self, policy: &str) -> u64 {
        let start = format!("cedargate_shadow_differences_total{{policy=\"{policy}\"}} ");
        let text = self.sidecar.ask_admin("/metrics").text();
        let found = text.lines().find_map(|line| line.strip_prefix(&start));
        found.map_or(0, |count| count.parse().expect("a number"))
    }

    fn until_live(&self, generation: u64) {
        let current = || self.sidecar.status()["policies"]["generation"].clone();
        assert!(poll(SOON, || current() == generation), "{}", current());
    }

    fn until(&self, holds: impl Fn(&Value) -> bool) -> Value {
        let held = poll(SOON, || holds(&self.sidecar.status()["shadow"]));
        let shadow = self.sidecar.status()["shadow"].clone();
        assert!(held, "{shadow}");
        shadow
    }
}

#[test]
fn a_log_only_forbid_is_recorded_and_counted_and_denies_nothing() {
    let world = World::launch("", |policies| {
        let text = format!("@mode(\"log_only\") {FORBID}");
        fs::write(policies.join("95-trial.cedar"), text).expect("written");
    });
    assert_eq!(world.forecast("first"), "allowed");
    let expected = json!({"of": "log_only", "decision": "deny", "policies": ["no-forecast"]});
    assert_eq!(world.shadow("first"), expected);
    assert_eq!(
        world.differences("no-forecast"),
        2,
        "once for each transport"
    );
    let status = world.sidecar.status();
    assert_eq!(status["policies"]["log_only"], 1);
    assert!(status.get("shadow").is_none(), "{status}");
    for _ in 0..5 {
        assert_eq!(world.forecast("again"), "allowed");
    }
    assert_eq!(world.differences("no-forecast"), 12);
    let log = world.sidecar.printed();
    let told = log
        .matches("policies that are tried decide otherwise")
        .count();
    assert_eq!(told, 1, "{log}");
    assert!(!log.contains("eyJ"), "no token");

    // Promoted: it counts, and there is nothing left to try.
    let file = world.sidecar.policies().join("95-trial.cedar");
    fs::write(file, FORBID).expect("written");
    world.until_live(2);
    assert_eq!(world.forecast("last"), "not_permitted");
    assert_eq!(world.shadow("last"), Value::Null);
}

/// The one block of this kind in `docs/shadow.md`.
fn documented(kind: &str) -> &'static str {
    let guide = include_str!("../docs/shadow.md");
    let (_, rest) = guide.split_once(&format!("```{kind}\n")).expect("a block");
    let (block, rest) = rest.split_once("```").expect("its end");
    assert!(!rest.contains(&format!("```{kind}")), "one block of {kind}");
    block
}

#[test]
fn the_guide_tells_what_happens() {
    assert_eq!(
        documented("yaml"),
        "policies: {dir: policies, shadow_dir: policies.next}\n"
    );
    let world = World::launch("", |policies| {
        fs::write(policies.join("95-trial.cedar"), documented("cedar")).expect("written");
    });
    assert_eq!(world.forecast("without"), "allowed");
    let expected: Value = serde_json::from_str(documented("json")).expect("JSON");
    assert_eq!(world.shadow("without"), expected);
    let claims = json!({"roles": ["viewer"], "scope": "weather:read"});
    let ask = Ask::call("get_forecast")
        .bearer(&world.key.token(RESOURCE, &claims))
        .header("x-request-id", "with");
    assert_eq!(world.asker.both(&ask).reason, "allowed");
    assert_eq!(world.shadow("with")["decision"], "allow");
    assert_eq!(world.differences("forecast-needs-scope"), 2);

    let counts = documented("cedar").replace("@mode(\"log_only\")\n", "");
    fs::write(world.sidecar.policies().join("95-trial.cedar"), counts).expect("written");
    world.until_live(2);
    assert_eq!(world.forecast("counts"), "insufficient_scope");
    assert_eq!(world.asker.both(&ask).reason, "allowed");
}

#[test]
fn a_shadow_directory_is_tried_and_reloaded_by_itself() {
    let world = World::with_shadow(|next| {
        copy_policies(next);
        fs::write(next.join("95-trial.cedar"), FORBID).expect("written");
    });
    let shadow = world.until(|shadow| shadow["generation"] == 1);
    assert_eq!(shadow["faults"], json!([]));
    assert_eq!(world.forecast("first"), "allowed");
    let expected = json!({"of": "shadow_dir", "decision": "deny", "policies": ["no-forecast"]});
    assert_eq!(world.shadow("first"), expected);
    assert_eq!(world.differences("no-forecast"), 2);

    // A mistake keeps the last good ones tried, and never meets those in force.
    fs::write(world.next().join("95-trial.cedar"), "forbid (").expect("written");
    world.until(|shadow| shadow["faults"] != json!([]));
    assert_eq!(world.forecast("faulty"), "allowed");
    assert_eq!(world.shadow("faulty"), expected);
    let status = world.sidecar.status();
    assert_eq!(status["shadow"]["generation"], 1);
    assert_eq!(status["shadow"]["digest"], shadow["digest"]);
    assert_eq!(status["policies"]["generation"], 1);
    assert_eq!(status["policies"]["faults"], json!([]));

    fs::remove_file(world.next().join("95-trial.cedar")).expect("removed");
    let shadow = world.until(|shadow| shadow["generation"] == 2);
    assert_eq!(shadow["faults"], json!([]));
    assert_eq!(world.forecast("alike"), "allowed");
    let alike = world.shadow("alike");
    assert_eq!(alike["decision"], "allow");
    let text = world.sidecar.ask_admin("/metrics").text();
    assert!(!text.contains("no-forecast"), "the policy is gone: {text}");
    assert!(
        text.contains("cedargate_shadow_reload_total{outcome=\"ok\"} 2\n"),
        "{text}"
    );
    assert!(
        text.contains("cedargate_shadow_reload_total{outcome=\"failed\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("cedargate_policy_reload_total{outcome=\"ok\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("policy_reload_total{outcome=\"failed\"} 0\n"),
        "{text}"
    );

    // The policies in force are reloaded by themselves as well.
    fs::write(world.sidecar.policies().join("95-live.cedar"), FORBID).expect("written");
    world.until_live(2);
    assert_eq!(world.forecast("newly-allowed"), "not_permitted");
    let newly = world.shadow("newly-allowed");
    assert_eq!(
        (&newly["of"], &newly["decision"]),
        (&json!("shadow_dir"), &json!("allow"))
    );
    assert!(
        world.differences("no-forecast") >= 2,
        "the forbid makes the difference"
    );
    assert_eq!(world.sidecar.status()["shadow"]["generation"], 2);
}

#[test]
fn a_shadow_directory_has_facts_of_its_own_and_stands_beside_log_only() {
    let world = World::launch(", shadow_dir: next", |policies| {
        let text = format!("@mode(\"log_only\") {FORBID}");
        fs::write(policies.join("95-trial.cedar"), text).expect("written");
        let next = policies.parent().expect("a folder").join("next");
        fs::create_dir(&next).expect("a folder");
        fs::write(next.join("a.cedar"), NOTHING).expect("written");
        let users = "users:\n  https://issuer.example#alice: {roles: [nobody]}\n";
        fs::write(next.join("principals.yaml"), users).expect("written");
    });
    world.until(|shadow| shadow["generation"] == 1);
    let token = |subject: &str| {
        let claims = json!({"sub": subject, "roles": ["viewer"]});
        world.key.token(RESOURCE, &claims)
    };
    let cases = [
        (
            "alice",
            json!({"decision": "allow", "policies": ["nobody"]}),
        ),
        ("bob", json!({"decision": "deny", "policies": []})),
    ];
    for (subject, said) in cases {
        let ask = Ask::call("get_forecast")
            .bearer(&token(subject))
            .header("x-request-id", subject);
        assert_eq!(world.asker.both(&ask).reason, "allowed");
        let shadow = world.shadow(subject);
        assert_eq!(shadow["of"], "shadow_dir");
        assert_eq!(shadow["decision"], said["decision"]);
        assert_eq!(shadow["policies"], said["policies"]);
        let beside = json!({"decision": "deny", "policies": ["no-forecast"]});
        assert_eq!(shadow["log_only"], beside);
    }
    assert_eq!(world.differences("no-forecast"), 4);
}

#[test]
fn a_broken_shadow_directory_keeps_nothing_from_starting() {
    type Mischief = fn(&Path);
    let mischiefs: [(&str, Mischief); 3] = [
        ("there is none", |_| {}),
        ("a mistake", |next| {
            fs::create_dir(next).expect("a folder");
            fs::write(next.join("a.cedar"), "permit (").expect("written");
        }),
        ("a file instead", |next| {
            fs::write(next, "").expect("written");
        }),
    ];
    for (what, mischief) in mischiefs {
        let world = World::with_shadow(mischief);
        assert_eq!(world.forecast("first"), "allowed", "{what}");
        assert_eq!(world.shadow("first"), Value::Null, "{what}");
        let shadow = world.until(|shadow| shadow["faults"] != json!([]));
        assert_eq!(shadow["generation"], Value::Null, "{what}");
        assert_eq!(shadow["digest"], Value::Null, "{what}");
        let told = || {
            world
                .sidecar
                .printed()
                .contains("the shadow policies were not loaded")
        };
        assert!(poll(SOON, told), "{what}: {}", world.sidecar.printed());
        // It is taken up once it is whole.
        let next = world.next();
        if next.is_file() {
            fs::remove_file(&next).expect("removed");
        }
        copy_policies(&next);
        // There it is a warning, and so an error, that no role of this name is listed.
        let meant = NOTHING.replace("permit", "@allow(\"unknown-role\") permit");
        fs::write(next.join("a.cedar"), meant).expect("written");
        world.until(|shadow| shadow["generation"] == 1);
        assert_eq!(world.forecast("mended"), "allowed", "{what}");
        assert_eq!(world.shadow("mended")["decision"], "allow", "{what}");
    }
}

#[test]
fn a_signal_reloads_the_shadow_directory_and_a_remembered_token_meets_the_new_ones() {
    let slow = |config: &str| config.replace("100ms", "1h");
    let world = World::launch_under(", shadow_dir: next", slow, |policies| {
        copy_policies(&policies.parent().expect("a folder").join("next"));
    });
    world.until(|shadow| shadow["generation"] == 1);
    let token = world.viewer();
    assert_eq!(world.forecast_with(&token, "first"), "allowed");
    assert_eq!(world.shadow("first")["decision"], "allow");

    let file = world.next().join("95-trial.cedar");
    fs::write(&file, FORBID).expect("written");
    world.sidecar.signal("HUP");
    world.until(|shadow| shadow["generation"] == 2);
    assert_eq!(world.forecast_with(&token, "second"), "allowed");
    let expected = json!({"of": "shadow_dir", "decision": "deny", "policies": ["no-forecast"]});
    assert_eq!(world.shadow("second"), expected);

    // Without a signal nothing is read for an hour; with one, a fault is told and nothing is lost.
    fs::write(&file, "forbid (").expect("written");
    world.sidecar.signal("HUP");
    world.until(|shadow| shadow["faults"] != json!([]));
    assert_eq!(world.forecast_with(&token, "third"), "allowed");
    assert_eq!(world.shadow("third"), expected);
    fs::remove_file(&file).expect("removed");
    world.sidecar.signal("HUP");
    let shadow = world.until(|shadow| shadow["generation"] == 3);
    assert_eq!(shadow["faults"], json!([]));
    assert_eq!(world.forecast_with(&token, "fourth"), "allowed");
    assert_eq!(world.shadow("fourth")["decision"], "allow");
    world.live_is_untouched("after four signals");
}

#[test]
fn whatever_becomes_of_the_shadow_directory_the_last_good_ones_stay_and_nothing_else_does() {
    type Mischief = fn(&Path);
    let mischiefs: [(&str, Mischief); 3] = [
        ("pipe", |file| {
            let made = Command::new("mkfifo").arg(file).status();
            assert!(made.expect("mkfifo").success());
        }),
        ("endless", |file| {
            symlink("/dev/zero", file).expect("linked");
        }),
        ("huge", |file| {
            let file = fs::File::create(file).expect("created");
            file.set_len(1 << 40).expect("a sparse file");
        }),
    ];
    let mut world = World::with_shadow(|next| {
        copy_policies(next);
        fs::write(next.join("95-trial.cedar"), FORBID).expect("written");
    });
    let file = world.next().join("95-trial.cedar");
    let fresh = world.next().join("fresh");
    let still = |what: &str| {
        world.until(|shadow| shadow["faults"] != json!([]));
        assert_eq!(world.forecast(what), "allowed", "{what}");
        let shadow = world.shadow(what);
        assert_eq!(shadow["policies"], json!(["no-forecast"]), "{what}");
        world.live_is_untouched(what);
    };
    for (what, mischief) in mischiefs {
        world.until(|shadow| shadow["generation"] == 1 && shadow["faults"] == json!([]));
        mischief(&fresh);
        fs::rename(&fresh, &file).expect("renamed");
        still(what);
        fs::write(&fresh, FORBID).expect("written");
        fs::rename(&fresh, &file).expect("renamed");
    }
    world.until(|shadow| shadow["faults"] == json!([]));
    fs::remove_dir_all(world.next()).expect("removed");
    still("deleted");
    let ended = world.sidecar.terminate();
    assert!(ended.is_some_and(|status| status.success()), "it ends");
}

#[test]
fn validate_reads_the_shadow_directory_and_serve_refuses_one_in_the_other() {
    let folder = Folder::new();
    let key = Key::new();
    folder.write("cedargate.yaml", &config(&key, ", shadow_dir: next"));
    copy_policies(&folder.path("policies"));
    let validate = || folder.run(&["validate"]);

    let ran = validate();
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.err
            .contains("`policies.shadow_dir` of the configuration names"),
        "{ran:?}"
    );
    fs::create_dir(folder.path("next")).expect("a folder");
    folder.write("next/a.cedar", "permit (");
    let ran = validate();
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("next/a.cedar:1:"), "{ran:?}");
    folder.write("next/a.cedar", NOTHING);
    let ran = validate();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.trim_end().ends_with(", 1 shadow policy"), "{ran:?}");

    let ran = folder.run(&["serve", "--policies-dir", "next"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("lie in each other"), "{ran:?}");
}
