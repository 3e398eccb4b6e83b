//! How a report reads when much is wrong at once.

use super::*;
use crate::fault::render::render;

const TWELVE: &str = "\
listen:
  grcp: 127.0.0.1:9191
  http: localhost:9192
  drain: 5 seconds
authenticators:
  - name: corp
    type: oidc
    issuer: http://auth.example.com
    algorithms: [RS256, HS256]
    leeway: 10m
  - name: corp
    type: jwt
    issuer: ci
resources:
  - name: weather
    url: https://mcp.example.com/a/../mcp
    kind: mcp
    authenticators: [crop]
  - name: site
    url: https://www.example.com
    kind: http
    routes: [{name: all, path: \"/{*rest}\"}, {name: health, path: /health}]
    mcp: {}
limits: {token: 64KiB}
rate_limit: 7
";

#[test]
fn every_fault_is_reported_at_once() {
    let faults = parsed(TWELVE).unwrap_err();
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    cedargate.yaml:2:3: error: unknown key `grcp` (did you mean `grpc`?)
    cedargate.yaml:3:9: error: `localhost:9192` is not an address (an IP address and a port: `127.0.0.1:9192` for this machine, `0.0.0.0:9192` for all)
    cedargate.yaml:4:10: error: `5 seconds` is not a duration (as in `150ms`, `5s`, `1m`, `24h`)
    cedargate.yaml:8:13: error: keys would be fetched over plain http (use https; for experiments only, `insecure_allow_http: true`)
    cedargate.yaml:9:25: error: `HS256` is symmetric: who can verify a token could also forge one (one of: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA)
    cedargate.yaml:10:13: error: duration out of bounds (between 0ms and 5m)
    cedargate.yaml:11:5: error: no keys to verify tokens with (set `jwks_uri` or `keys`)
    cedargate.yaml:11:11: error: a second authenticator named `corp`
    cedargate.yaml:16:10: error: a path that is not canonical (no empty or dot segments, no `;`, `\` or percent-encoding, and no `/` at the end of the path of an http resource)
    cedargate.yaml:18:22: error: no authenticator is named `crop` (did you mean `corp`?)
    cedargate.yaml:22:66: error: never matches: the route `all` takes its paths (first match wins; put it before)
    cedargate.yaml:23:5: error: `mcp` on a resource of kind `http`
    cedargate.yaml:24:17: error: size out of bounds (between 1 and 16KiB)
    cedargate.yaml:25:1: error: unknown key `rate_limit` (known here: listen, client_ip, dev_tokens, authenticators, resources, policies, identity_headers, limits, decision_log, admin, log, explain_to_anonymous, revocations, sessions)
    ");
}

#[test]
fn a_report_points_at_each_fault() {
    let faults = parsed(TWELVE).unwrap_err();
    insta::assert_snapshot!(render(&faults[..5], false), @r"
    error: unknown key `grcp`
     --> cedargate.yaml:2:3
      |
    2 |   grcp: 127.0.0.1:9191
      |   ^^^^
      |
      = help: did you mean `grpc`?

    error: `localhost:9192` is not an address
     --> cedargate.yaml:3:9
      |
    3 |   http: localhost:9192
      |         ^^^^^^^^^^^^^^
      |
      = help: an IP address and a port: `127.0.0.1:9192` for this machine, `0.0.0.0:9192` for all

    error: `5 seconds` is not a duration
     --> cedargate.yaml:4:10
      |
    4 |   drain: 5 seconds
      |          ^^^^^^^^^
      |
      = help: as in `150ms`, `5s`, `1m`, `24h`

    error: keys would be fetched over plain http
     --> cedargate.yaml:8:13
      |
    8 |     issuer: http://auth.example.com
      |             ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: use https; for experiments only, `insecure_allow_http: true`

    error: `HS256` is symmetric: who can verify a token could also forge one
     --> cedargate.yaml:9:25
      |
    9 |     algorithms: [RS256, HS256]
      |                         ^^^^^
      |
      = help: one of: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA
    ");
}

#[test]
fn a_report_has_an_end() {
    let keys: Vec<String> = (0..500).map(|n| format!("k{n}: 1")).collect();
    let faults = parsed(&keys.join("\n")).unwrap_err();
    assert_eq!(faults.len(), 101);
    let last = &faults[100];
    assert_eq!(last.message, "more than 100 faults; the rest is not shown");
}

/// A file that is dangerous in many places is still one that can be used.
#[test]
fn many_warnings_are_no_error_and_hide_none() {
    let issuers = (0..150).map(|n| {
        format!(
            "- {{name: a{n}, type: oidc, issuer: \"http://a{n}.example\", insecure_allow_http: true, \
             roles: {{prefix: \"a{n}:\"}}, groups: {{prefix: \"a{n}:\"}}}}\n"
        )
    });
    let text = format!(
        "authenticators:\n{}resources:\n- {{name: a, url: \"https://a.example/mcp\", kind: mcp}}\n",
        issuers.collect::<String>()
    );
    let warnings = parsed(&text).unwrap().warnings;
    assert_eq!(warnings.len(), 101);
    let last = &warnings[100];
    assert_eq!(
        last.message,
        "more than 100 warnings; the rest is not shown"
    );
    let faults = parsed(&format!("{text}limits: {{body: x}}\n")).unwrap_err();
    let errors = faults
        .iter()
        .filter(|fault| fault.severity == Severity::Error);
    assert_eq!(errors.count(), 1);
}

#[test]
fn text_that_is_no_plain_yaml_is_refused_at_its_place() {
    for (text, expected) in [
        ("", "1:1: error: missing key `authenticators`"),
        ("# nothing", "1:1: error: missing key `authenticators`"),
        ("[]", "1:1: error: expected a mapping, found a list"),
        ("x", "1:1: error: expected a mapping, found `x`"),
        ("a: 1\na: 2", "2:1: error: duplicate key `a`"),
        (
            "log: {level: info, level: debug}",
            "1:20: error: duplicate key `level`",
        ),
        (
            "log: &l {level: info}\n",
            "1:9: error: anchors are not supported",
        ),
        ("log: *l\n", "1:6: error: aliases are not supported"),
        (
            "<<: {level: info}\n",
            "1:1: error: merge keys are not supported",
        ),
        ("log: !!str info\n", "1:12: error: tags are not supported"),
        ("? [a]\n: b\n", "1:3: error: a key must be text"),
        ("{log: info", "not valid YAML"),
        (
            "log: {}\n---\nlog: {}\n",
            "2:1: error: a second document in one file",
        ),
        ("%YAML 1.2\n---\nlog: {}\n", "not valid YAML"),
        (": x\n", "1:1: error: a key without a name"),
    ] {
        let faults = parsed(text).unwrap_err();
        let report: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(
            report.iter().any(|line| line.contains(expected)),
            "{text:?}\n{}",
            report.join("\n")
        );
    }
}

#[test]
fn depth_is_bounded() {
    for text in ["[".repeat(5_000), "- ".repeat(5_000), "{a: ".repeat(5_000)] {
        let faults = parsed(&text).unwrap_err();
        let message = &faults[0].message;
        assert!(
            message.contains("nested deeper") || message.contains("not valid"),
            "{message}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let outcome = parsed(&text);
        proptest::prop_assert!(outcome.is_err());
    }

    #[test]
    fn no_damage_to_a_file_makes_the_reader_panic(at in 0_usize..2_000, with in "[\\[\\]{}:,&*!|>'\"%@`$ \\n\\t#-]{0,4}") {
        let mut text = files::text(&fixtures().join("full.yaml"), LARGEST).unwrap();
        let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.insert_str(at.min(text.len()), &with);
        if let Err(faults) = parsed(&text) {
            proptest::prop_assert!(!render(&faults, false).is_empty());
            let shown = format!("{faults:?}{}", render(&faults, true));
            proptest::prop_assert!(!shown.contains("correct-horse"));
        }
    }
}
