//! `cedargate token verify` says what the sidecar does, and why.

mod support;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::fake_issuer::FakeIssuer;
use support::folder::Folder;
use support::folder::Ran;
use support::sidecar::Sidecar;
use support::tokens::Key;
use support::tokens::now;

const RESOURCE: &str = "https://mcp.example.com/mcp";

fn resources() -> String {
    format!(
        "resources: [{{name: weather, url: \"{RESOURCE}\", kind: mcp}}, \
         {{name: other, url: \"https://other.example.com/mcp\", kind: mcp}}]\n"
    )
}

fn verify(folder: &Folder, token: &str, more: &[&str]) -> Ran {
    let mut arguments = vec!["token", "verify", "--config", "c.yaml"];
    arguments.extend(more);
    folder.run_with(&arguments, token, &[])
}

#[expect(clippy::too_many_lines, reason = "a table")]
/// Tokens, how many steps each passes, and what is said of the one that fails.
fn cases(key: &Key, other: &Key) -> Vec<(String, usize, &'static str)> {
    let good = |claims: &Value| key.token(RESOURCE, claims);
    let header = |header: Value| key.sign(&header, &json!({"iss": "https://issuer.example"}));
    vec![
        (good(&json!({})), 12, ""),
        (good(&json!({"roles": ["viewer"]})), 12, ""),
        ("a-static-token-of-32-bytes-00000".to_owned(), 1, ""),
        (
            "a-static-token-of-32-bytes-00001".to_owned(),
            0,
            "none of the static tokens",
        ),
        (
            good(&json!({"sub": "a"})).replace('.', ".x"),
            0,
            "the claims set is refused",
        ),
        (
            header(json!({"alg": "none"})),
            1,
            "the algorithm is not known",
        ),
        (
            header(json!({"alg": "ES256", "crit": ["x"]})),
            1,
            "`crit` is refused",
        ),
        (
            header(json!({"alg": "ES256", "typ": "logout+jwt"})),
            2,
            "not an access token",
        ),
        (good(&json!({"nonce": "n"})), 2, "not an access token"),
        (
            good(&json!({"iss": "https://issuer.example/"})),
            3,
            "byte for byte",
        ),
        (
            key.sign(
                &json!({"alg": "ES256", "typ": "x+jwt"}),
                &json!({"iss": "https://issuer.example"}),
            ),
            4,
            "token type",
        ),
        (
            key.sign(
                &json!({"alg": "RS256"}),
                &json!({"iss": "https://issuer.example"}),
            ),
            6,
            "a key that the issuer does not have",
        ),
        (
            other.token(RESOURCE, &json!({})),
            7,
            "signature does not verify",
        ),
        (good(&json!({"cnf": {"kid": "x"}})), 8, "bound"),
        (good(&json!({"exp": 1})), 9, "expired"),
        (
            good(&json!({"nbf": now().saturating_add(600)})),
            9,
            "not valid yet",
        ),
        (good(&json!({"roles": 7})), 10, "roles"),
        (
            good(&json!({"aud": "https://else.example/mcp"})),
            11,
            "accepted here: [https://mcp",
        ),
    ]
}

#[test]
fn it_agrees_with_the_sidecar_and_names_the_first_rule_that_fails() {
    let (key, other) = (Key::new(), Key::new());
    let config = format!(
        "authenticators:\n{}- {{name: shared, type: static_token, token: a-static-token-of-32-bytes-00000, \
         subject: operator, roles: [viewer]}}\n{}",
        key.authenticator(),
        resources()
    );
    let folder = Folder::new();
    folder.write("c.yaml", &config);
    let sidecar = Sidecar::start(&config);
    let asker = sidecar.asker();
    for (token, passed, failed) in &cases(&key, &other) {
        let ran = verify(&folder, token, &["--resource", "weather", "--json"]);
        let said: Value = serde_json::from_str(&ran.out).unwrap_or_default();
        let why = said["failed"].as_str().unwrap_or_default();
        assert!(why.contains(failed), "{failed}: {ran:?}");
        let accepted = failed.is_empty();
        assert_eq!(said["accepted"], accepted, "{failed}: {ran:?}");
        assert_eq!(ran.code, if accepted { 0 } else { 5 }, "{failed}");
        let steps = said["passed"].as_array().map_or(0, Vec::len);
        assert_eq!(steps, *passed, "{failed}: {ran:?}");
        let verdict = asker.both(&Ask::call("get_forecast").bearer(token));
        let refused = verdict.reason == "invalid_credential";
        assert_eq!(refused, !accepted, "{failed}: {verdict:?}");
        assert!(!ran.err.contains(token.as_str()), "{failed}");
        if refused {
            // The operator's record says more than the caller is told.
            let id = verdict.header("x-cedargate-decision-id");
            let record = sidecar.record(|record| record["decision_id"] == *id);
            let message = record["message"].as_str().unwrap_or_default();
            let says = message.contains(failed) || !(4..11).contains(passed);
            assert!(says && !message.is_empty(), "{failed}: {record}");
        }
    }
}

#[test]
fn the_report_can_be_read() {
    let key = Key::new();
    let folder = Folder::new();
    folder.write(
        "c.yaml",
        &format!(
            "authenticators:\n{}revocations: revoked.yaml\n{}",
            key.authenticator(),
            resources()
        ),
    );
    folder.write("revoked.yaml", "subjects: [mallory]\n");
    let token = key.token(
        RESOURCE,
        &json!({"roles": ["viewer", "editor"], "tenant": "acme"}),
    );
    let ran = verify(
        &folder,
        &format!("Bearer {token}\n"),
        &["--resource", "weather"],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    for line in [
        "accepted by resource weather",
        "  authenticator  corp",
        "  passed  its signature verifies with that key",
        "  passed  it is meant for this resource",
        "  caller  Mcp::User::\"https://issuer.example#alice\"",
        "  roles   editor, viewer",
        "  tenant  acme",
    ] {
        assert!(
            ran.out.lines().any(|found| found == line),
            "{line}: {}",
            ran.out
        );
    }
    let expired = verify(
        &folder,
        &key.token(RESOURCE, &json!({"exp": 1})),
        &["--resource", "weather"],
    );
    for line in [
        "not accepted by resource weather",
        "  FAILED  the token has expired",
        "          wanted: it is valid now, and does not live too long",
    ] {
        assert!(
            expired.out.lines().any(|found| found == line),
            "{line}: {}",
            expired.out
        );
    }
    let revoked = key.token(RESOURCE, &json!({"sub": "mallory"}));
    let ran = verify(&folder, &revoked, &["--resource", "weather"]);
    assert!(ran.out.contains("has been revoked"), "{ran:?}");
    assert_eq!(ran.code, 5);
    let bound = key.token(RESOURCE, &json!({"cnf": {"jkt": "A".repeat(43)}}));
    let ran = verify(&folder, &bound, &["--resource", "weather"]);
    assert!(ran.out.contains("needs a DPoP proof"), "{ran:?}");
}

#[test]
fn what_it_cannot_say_is_an_error_with_the_way_out() {
    let key = Key::new();
    let folder = Folder::new();
    let dead = FakeIssuer::start(|_, _| ());
    folder.write(
        "c.yaml",
        &format!("authenticators:\n{}{}", key.authenticator(), resources()),
    );
    let token = key.token(RESOURCE, &json!({}));
    for (arguments, code, text) in [
        (&[][..], 2, "weather, other; say which with `--resource`"),
        (
            &["--resource", "wether"],
            2,
            "no resource is named `wether`",
        ),
        (
            &["--config", "none.yaml", "--resource", "weather"],
            3,
            "none.yaml",
        ),
    ] {
        let mut all = vec!["token", "verify"];
        if !arguments.contains(&"--config") {
            all.extend(["--config", "c.yaml"]);
        }
        all.extend(arguments);
        let ran = folder.run_with(&all, &token, &[]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.err.contains(text), "{text}: {ran:?}");
    }
    for input in ["", "  \n", "two words here", "Basic YTpi"] {
        let ran = verify(&folder, input, &["--resource", "weather"]);
        assert_eq!(ran.code, 1, "{input:?}: {ran:?}");
    }
    folder.write(
        "c.yaml",
        &format!(
            "authenticators: [{{name: corp, type: jwt, issuer: \"https://issuer.example\", \
             jwks_uri: \"http://127.0.0.1:{}/keys\", insecure_allow_http: true}}]\n{}",
            dead.port(),
            resources()
        ),
    );
    let ran = verify(&folder, &token, &["--resource", "weather"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("the keys of `corp` were not to be had"),
        "{ran:?}"
    );
}
