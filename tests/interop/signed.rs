//! JWTs of a real authorization server, one signature algorithm after the other.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::OTHER;
use crate::RESOURCE;
use crate::forecast;
use crate::oidc;
use crate::refused;
use crate::sidecar;
use crate::support::authorization_server::AuthorizationServer;
use crate::support::authorization_server::jwt_part;
use crate::told;

const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];

#[test]
fn a_token_of_every_algorithm_holds_and_its_altered_copy_does_not() {
    let mut arguments = vec!["--resource", RESOURCE, "--resource", OTHER];
    arguments.extend(ALGORITHMS.iter().flat_map(|name| ["--algorithm", name]));
    let issuer = AuthorizationServer::start(&arguments);
    let sidecar = sidecar(&oidc(&issuer.issuer()));
    let asker = sidecar.asker();
    for algorithm in ALGORITHMS {
        let token = |resource| {
            let fields = [("resource", resource), ("test_algorithm", algorithm)];
            issuer.token_with("svc-viewer", &fields)
        };
        let good = token(RESOURCE);
        assert_eq!(jwt_part(&good, 0)["alg"], algorithm);
        let verdict = asker.both(&forecast().bearer(&good));
        assert_eq!(verdict.reason, "allowed", "{algorithm}: {verdict:?}");
        assert_eq!(told(&verdict, "x-cedargate-subject"), "svc-viewer");
        assert_eq!(told(&verdict, "x-cedargate-roles"), "viewer");
        for (what, bad) in [
            ("another signature", other_signature(&good)),
            ("another role", other_role(&good)),
            ("another resource", token(OTHER)),
        ] {
            let verdict = asker.both(&forecast().bearer(&bad));
            refused(&verdict, &format!("{algorithm}, {what}"));
            let challenge = verdict.header("www-authenticate");
            assert!(
                challenge.starts_with("Bearer error=\"invalid_token\""),
                "{algorithm}, {what}: {challenge}"
            );
        }
        let verdict = asker.both(&forecast().bearer(&good));
        assert_eq!(verdict.reason, "allowed", "{algorithm}: the good one still");
    }
    assert_eq!(issuer.hits("discovery"), 1);
}

/// The same token with the first byte of its signature changed.
#[expect(clippy::expect_used, reason = "the server issues JWTs")]
fn other_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a JWS");
    let (first, rest) = signature.split_at(1);
    format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" })
}

/// The same token with a role that nobody signed.
fn other_role(token: &str) -> String {
    let mut claims = jwt_part(token, 1);
    if let Some(roles) = claims.get_mut("roles") {
        *roles = json!(["admin"]);
    }
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let parts: Vec<&str> = token.split('.').collect();
    match parts[..] {
        [header, _, signature] => format!("{header}.{claims}.{signature}"),
        _ => String::new(),
    }
}
