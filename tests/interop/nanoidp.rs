//! Tokens of a second identity provider, as it issues them: `typ: JWT`, RS256, roles at the top, and
//! refresh tokens that are JWTs for the same audience.

use std::sync::OnceLock;

use crate::OTHER;
use crate::RESOURCE;
use crate::forecast;
use crate::oidc;
use crate::refused;
use crate::sidecar;
use crate::support::ask::Ask;
use crate::support::nanoidp::NanoIdp;
use crate::support::nanoidp::token;
use crate::told;

fn provider() -> &'static NanoIdp {
    static PROVIDER: OnceLock<NanoIdp> = OnceLock::new();
    PROVIDER.get_or_init(|| NanoIdp::start(RESOURCE))
}

fn access(person: &str, fields: &[(&str, &str)]) -> String {
    token(&provider().user_tokens(person, fields), "access_token")
}

/// A call that destroys something.
fn destroy() -> Ask {
    Ask::call("delete_station")
}

#[test]
fn people_are_known_by_their_roles_and_clients_by_their_scopes() {
    let sidecar = sidecar(&oidc(&provider().issuer()));
    let asker = sidecar.asker();
    let alice = access("alice", &[]);
    let verdict = asker.both(&destroy().bearer(&alice));
    assert_eq!(verdict.reason, "allowed", "{verdict:?}");
    for (header, value) in [
        ("x-cedargate-subject", "alice"),
        ("x-cedargate-client-id", "svc"),
        ("x-cedargate-roles", "admin"),
        ("x-cedargate-tenant", "acme"),
        ("x-cedargate-issuer", provider().issuer().as_str()),
    ] {
        assert_eq!(told(&verdict, header), value, "{header}");
    }
    let bob = access("bob", &[("resource", RESOURCE)]);
    assert_eq!(asker.both(&forecast().bearer(&bob)).reason, "allowed");
    assert_eq!(asker.both(&destroy().bearer(&bob)).reason, "not_permitted");

    let client = |fields: &[(&str, &str)]| {
        let tokens = provider().client_tokens(fields);
        forecast().bearer(&token(&tokens, "access_token"))
    };
    let scoped = client(&[("scope", "weather:read")]);
    let verdict = asker.both(&scoped);
    assert_eq!(verdict.reason, "allowed", "{verdict:?}");
    assert_eq!(told(&verdict, "x-cedargate-scopes"), "weather:read");
    assert_eq!(asker.both(&client(&[])).reason, "insufficient_scope");
}

#[test]
fn what_is_no_access_token_for_this_resource_is_refused() {
    let sidecar = sidecar(&oidc(&provider().issuer()));
    let asker = sidecar.asker();
    let all = provider().user_tokens("alice", &[("scope", "openid")]);
    let access = token(&all, "access_token");
    assert_eq!(asker.both(&destroy().bearer(&access)).reason, "allowed");
    let (signed, signature) = access.rsplit_once('.').expect("a JWS");
    let (first, rest) = signature.split_at(1);
    let altered = format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" });
    let foreign = provider().user_tokens("alice", &[("resource", OTHER)]);
    for (what, bad) in [
        ("altered", altered),
        ("for another resource", token(&foreign, "access_token")),
        ("an ID token", token(&all, "id_token")),
        ("a refresh token", token(&all, "refresh_token")),
    ] {
        refused(&asker.both(&destroy().bearer(&bad)), what);
    }
}

#[test]
fn its_new_key_is_found() {
    let provider = NanoIdp::start(RESOURCE);
    let sidecar = sidecar(&oidc(&provider.issuer()));
    let asker = sidecar.asker();
    let ask = || {
        let tokens = provider.user_tokens("bob", &[]);
        forecast().bearer(&token(&tokens, "access_token"))
    };
    let old = ask();
    assert_eq!(asker.both(&old).reason, "allowed");
    provider.rotate();
    assert_eq!(asker.both(&ask()).reason, "allowed");
    assert_eq!(asker.both(&old).reason, "allowed", "still published");
}

#[test]
fn a_jwt_can_be_asked_about_but_a_refresh_token_stays_one() {
    let issuer = provider().issuer();
    let sidecar = sidecar(&format!(
        "name: asked, type: introspection, issuer: \"{issuer}\", \
         endpoint: \"{issuer}/introspect\", client_id: svc, client_secret: svc-secret, \
         insecure_allow_http: true"
    ));
    let asker = sidecar.asker();
    let all = provider().user_tokens("bob", &[("scope", "openid weather:read")]);
    let access = token(&all, "access_token");
    let verdict = asker.both(&forecast().bearer(&access));
    assert_eq!(verdict.reason, "allowed", "{verdict:?}");
    assert_eq!(told(&verdict, "x-cedargate-subject"), "bob");
    // To the provider both are active, and for the same audience: only the token says what it is.
    let refresh = token(&all, "refresh_token");
    refused(&asker.both(&forecast().bearer(&refresh)), "a refresh token");
    let identity = token(&all, "id_token");
    refused(&asker.both(&forecast().bearer(&identity)), "an ID token");
}
