//! No secret is ever shown: not in a log at its most talkative, not in an answer, and not in the
//! report of a configuration that is broken beside one.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::string_slice,
    clippy::too_many_lines,
    reason = "lists, in which a wrong assumption about the tests' own tools fails the test"
)]

mod support;

#[path = "secrets/breaks.rs"]
mod breaks;
#[path = "secrets/needles.rs"]
mod needles;
#[path = "secrets/scene.rs"]
mod scene;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use breaks::SOUND;
use breaks::breaks;
use needles::Needles;
use scene::Scene;
use support::ask::Ask;
use support::http::Request;
use support::sidecar::PROGRAM;
use support::sidecar::Sidecar;

/// What a run of the program prints, on both streams.
fn printed(arguments: &[&str], file: &std::path::Path) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--config").arg(file);
    let output = command.output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn nothing_that_is_secret_is_logged_or_answered() {
    let mut scene = Scene::new("trace");
    scene.ask_everything();
    let log = scene.sidecar.printed();
    // What is looked through is what there was to say.
    for said in [
        "\"level\":\"TRACE\"",
        "\"level\":\"DEBUG\"",
        "\"decision_id\"",
        "token expired",
    ] {
        assert!(
            log.contains(said) || scene.heard().contains(said),
            "{said} is missing"
        );
    }
    assert_eq!(scene.needles.found_in("the log", &log), "");
    assert_eq!(scene.needles.found_in("the answers", scene.heard()), "");
}

#[test]
fn commands_and_faults_show_no_secret() {
    let scene = Scene::new("info");
    let needles = &scene.needles;
    let file = scene.sidecar.folder().join("cedargate.yaml");
    let whole = scene.config();
    for arguments in [
        &["validate"][..],
        &["validate", "--error-format", "json"],
        &["serve", "--print-config"],
        &[
            "check",
            "--issuer",
            "https://issuer.example",
            "--subject",
            "a",
            "--role",
            "viewer",
            "--tool",
            "weather/get_forecast",
        ],
    ] {
        let shown = printed(arguments, &file);
        assert!(
            shown.trim().len() > 20,
            "{arguments:?} says nothing: {shown}"
        );
        assert_eq!(needles.found_in(&arguments.join(" "), &shown), "");
    }
    let broken = file.with_file_name("broken.yaml");
    let (mut kinds, mut harmless) = (BTreeSet::new(), BTreeSet::new());
    let mut leaks = Vec::new();
    for (what, text) in breaks(&scene.secrets, &whole) {
        assert_ne!(text, whole, "{what}: nothing was broken");
        fs::write(&broken, &text).expect("a file");
        for arguments in [
            &["validate"][..],
            &["serve", "--print-config", "--error-format", "json"],
        ] {
            let shown = printed(arguments, &broken);
            let found = needles.found_in(&what, &shown);
            if !found.is_empty() {
                leaks.push(format!("{found}{shown}"));
            }
            if !shown.contains("error") {
                harmless.insert(what.clone());
            }
            let line = shown.lines().find(|line| line.contains("error"));
            kinds.insert(line.unwrap_or_default().to_owned());
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    assert!(
        harmless.iter().all(|what| SOUND.contains(&what.as_str())),
        "no faults: {harmless:#?}"
    );
    assert!(kinds.len() > 20, "the faults are all the same: {kinds:#?}");
}

/// Development tokens stand beside no other issuer, so that they have a sidecar of their own. The
/// answer that brings a token is the one place where it belongs.
#[test]
fn nothing_of_development_tokens_is_shown() {
    let secret = "a-secret-of-alice-0123456789";
    let mut needles = Needles::default();
    needles.add("the client secret", secret);
    let sidecar = Sidecar::start(&format!(
        "dev_tokens: {{clients: [{{client_id: alice, client_secret: \"{secret}\", roles: [viewer]}}]}}\n\
         resources: [{{name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp}}]\n\
         policies: {{dir: policies}}\nlog: {{level: trace}}\nlimits: {{deadline: 2s}}\n"
    ));
    let ask = |fields: &[(&str, &str)]| {
        let request = Request::new("POST", "/auth/token").form(fields);
        request.send(sidecar.http).expect("an answer")
    };
    let answer = ask(&[("client_id", "alice"), ("client_secret", secret)]);
    let token = answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    needles.add("the token", &token);
    let almost = &secret[1..];
    let heard = [
        format!(
            "{:?}",
            ask(&[("client_id", "alice"), ("client_secret", almost)])
        ),
        format!(
            "{:?}",
            ask(&[("client_id", secret), ("client_secret", secret)])
        ),
        format!(
            "{:?}",
            ask(&[
                ("client_id", "alice"),
                ("client_secret", secret),
                ("scope", secret)
            ])
        ),
        format!(
            "{:?}",
            ask(&[
                ("client_id", "alice"),
                ("client_secret", secret),
                ("resource", secret)
            ])
        ),
        format!(
            "{:?}",
            sidecar
                .asker()
                .both(&Ask::call("get_forecast").bearer(&token))
        ),
        format!(
            "{:?}",
            sidecar.asker().both(&Ask::call("set_alert").bearer(&token))
        ),
        format!(
            "{:?}",
            sidecar
                .asker()
                .both(&Ask::call("set_alert").bearer(&format!("{token}AA")))
        ),
        sidecar.ask_admin("/metrics").text(),
        sidecar.status().to_string(),
        printed(&["validate"], &sidecar.folder().join("cedargate.yaml")),
        printed(
            &["serve", "--print-config"],
            &sidecar.folder().join("cedargate.yaml"),
        ),
    ];
    assert!(heard[4].contains("allowed"), "{}", heard[4]);
    assert_eq!(needles.found_in("the answers", &heard.join("\n")), "");
    assert_eq!(needles.found_in("the log", &sidecar.printed()), "");
}

/// What would be found if it were there: whole, in part, as base64, and inside of other text.
#[test]
fn a_planted_secret_is_found() {
    let mut needles = Needles::default();
    let secret = "correct-horse-battery-staple-0123456789";
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLXRoaXM";
    needles.add("the secret", secret);
    needles.add("the token", token);
    for shown in [
        secret.to_owned(),
        format!("{{\"token\":\"{secret}\"}}"),
        format!(
            "...{}...",
            secret.chars().skip(10).take(16).collect::<String>()
        ),
        secret.chars().take(16).collect(),
        needles::encoded(secret).remove(0),
        needles::encoded(secret).remove(1),
        needles::encoded(secret).remove(2),
        needles::encoded(secret).remove(3),
        token.to_owned(),
        "x c2lnbmF0dXJlLW9mLXRoaXM y".to_owned(),
        "eyJzdWIiOiJhbGljZSJ9".to_owned(),
    ] {
        assert_ne!(needles.found_in("planted", &shown), "", "{shown}");
    }
    for shown in [
        "",
        "correct-horse",
        "eyJhbGciOi",
        "c2lnbmF0dXJlLW9",
        "battery staple",
    ] {
        assert_eq!(needles.found_in("harmless", shown), "", "{shown}");
    }
}
