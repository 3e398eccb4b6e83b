//! Who a claims set says is calling.

mod hostile;

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::config::TokenRules;
use crate::identity::testing::ISSUER;
use crate::identity::testing::token_rules;
use crate::json;

fn map_by(jwt: &TokenRules, claims: &Value) -> Result<Principal, TokenFault> {
    map_text(jwt, &claims.to_string())
}

fn map_text(tokens: &TokenRules, claims: &str) -> Result<Principal, TokenFault> {
    let claims = json::parse(claims.as_bytes(), 16).unwrap();
    let speaker = Speaker {
        issuer: &tokens.issuer,
        tokens,
        authenticator: &"corp".into(),
    };
    principal(&claims, speaker)
}

fn map(claims: &Value) -> Result<Principal, TokenFault> {
    map_by(&token_rules(), claims)
}

fn list(names: &BTreeSet<String>) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

#[test]
fn kinds_and_ids() {
    use PrincipalKind::Client;
    use PrincipalKind::User;
    for (claims, kind, id) in [
        (json!({"sub": "alice"}), User, "alice"),
        (json!({"sub": "alice", "client_id": "app"}), User, "alice"),
        (json!({"sub": "app", "client_id": "app"}), Client, "app"),
        (json!({"sub": "app", "azp": "app"}), Client, "app"),
        (json!({"client_id": "app"}), Client, "app"),
        (json!({"client_id": "app", "azp": "other"}), Client, "app"),
        (
            json!({"sub": "app@clients", "azp": "app", "gty": "client-credentials"}),
            Client,
            "app",
        ),
        (
            json!({"sub": "s", "gty": "client-credentials"}),
            Client,
            "s",
        ),
        (
            json!({"sub": "s", "azp": "app", "idtyp": "app"}),
            Client,
            "app",
        ),
        (
            json!({"sub": "s", "azp": "app", "idtyp": "user"}),
            User,
            "s",
        ),
        (
            json!({"sub": "s", "azp": "app", "gty": ["client-credentials"]}),
            User,
            "s",
        ),
        (json!({"sub": "APP", "client_id": "app"}), User, "APP"),
        (json!({"sub": "a\"#b"}), User, "a\"#b"),
    ] {
        let principal = map(&claims).unwrap();
        assert_eq!(principal.kind, kind, "{claims}");
        assert_eq!(principal.id, format!("{ISSUER}#{id}"), "{claims}");
    }
    assert_eq!(map(&json!({})), Err(TokenFault::NoPrincipal));
}

#[test]
fn a_mapped_claim_of_the_wrong_type_is_refused() {
    for (name, what) in [
        ("sub", "subject"),
        ("client_id", "client_id"),
        ("azp", "client_id"),
        ("tenant", "tenant"),
        ("name", "name"),
        ("email", "email"),
        ("roles", "roles"),
        ("groups", "groups"),
        ("scope", "scopes"),
        ("scp", "scopes"),
    ] {
        for value in [
            json!(1),
            json!({}),
            json!(true),
            json!([1]),
            json!([["x"]]),
            json!([null]),
        ] {
            let mut claims = json!({"sub": "alice"});
            claims[name] = value.clone();
            let found = map(&claims).err();
            assert_eq!(found, Some(TokenFault::ClaimMalformed(what)), "{claims}");
        }
        let mut claims = json!({"sub": "alice"});
        claims[name] = json!("a\u{0}b");
        assert_eq!(
            map(&claims).err(),
            Some(TokenFault::ControlCharacters(what))
        );
        let null = format!(r#"{{"x":1,"{name}":null}}"#);
        let found = map_text(&token_rules(), &null).err();
        assert_eq!(
            found,
            Some(TokenFault::ClaimMalformed(what)),
            "{name} is null"
        );
    }
    for claims in [json!({"sub": ""}), json!({"sub": "a", "client_id": ""})] {
        assert!(matches!(map(&claims), Err(TokenFault::ClaimMalformed(_))));
    }
}

#[test]
fn names_come_as_strings_and_lists() {
    for (claims, roles, scopes) in [
        (json!({}), &[][..], &[][..]),
        (
            json!({"roles": "admin user", "scope": "b a  a"}),
            &["admin user"],
            &["a", "b"],
        ),
        (
            json!({"roles": ["b", "a", "b", ""], "scp": ["x", "y z"]}),
            &["a", "b"],
            &["x", "y z"],
        ),
        (json!({"realm_access": {"roles": ["r"]}}), &["r"], &[]),
        (
            json!({"roles": [], "realm_access": {"roles": ["r"]}}),
            &[],
            &[],
        ),
        (
            json!({"realm_access.roles": ["flat"], "realm_access": {"roles": ["r"]}}),
            &["flat"],
            &[],
        ),
        (json!({"scope": "a", "scp": ["b"]}), &[], &["a"]),
        (json!({"scope": ""}), &[], &[]),
    ] {
        let mut claims = claims;
        claims["sub"] = json!("alice");
        let principal = map(&claims).unwrap();
        assert_eq!(list(&principal.roles), roles, "{claims}");
        assert_eq!(list(&principal.scopes), scopes, "{claims}");
    }
}

#[test]
fn an_issuer_asserts_what_it_may() {
    let mut jwt = token_rules();
    jwt.roles = Assertions {
        allow: Some(vec!["viewer".into(), "editor".into()]),
        prefix: "partner:".into(),
    };
    jwt.groups.prefix = "g/".into();
    let claims = json!({"sub": "a", "roles": ["admin", "viewer", "Viewer", "partner:editor"],
        "groups": ["x"]});
    let principal = map_by(&jwt, &claims).unwrap();
    assert_eq!(list(&principal.roles), ["partner:viewer"]);
    assert_eq!(list(&principal.groups), ["g/x"]);
}

#[test]
fn an_email_counts_when_the_issuer_has_verified_it() {
    for (verified, expected) in [
        (json!(true), "a@b"),
        (json!(false), ""),
        (json!("true"), ""),
        (json!(1), ""),
    ] {
        let claims = json!({"sub": "a", "email": "a@b", "email_verified": verified});
        let principal = map(&claims).unwrap();
        assert_eq!(principal.email, expected, "{claims}");
        assert!(!principal.claims.contains_key("email"), "{claims}");
    }
    assert_eq!(map(&json!({"sub": "a", "email": "a@b"})).unwrap().email, "");
}

#[test]
fn the_rest_are_tags() {
    let claims = json!({"iss": ISSUER, "sub": "a", "aud": "x", "exp": 1, "nbf": 1, "iat": 1, "jti": "j",
        "client_id": "app", "azp": "app", "roles": ["r"], "org_id": "t", "name": "n",
        "cnf": {"jkt": "x"}, "may_act": {"sub": "evil"}, "act": {"sub": "b", "act": {"sub": "c"}},
        "dept": "hr", "realm_access": {"roles": ["r2"]},
        "evil": {"__entity": {"type": "Role", "id": "admin"}}});
    let principal = map(&claims).unwrap();
    let tags: Vec<&str> = principal.claims.keys().map(String::as_str).collect();
    assert_eq!(tags, ["act.sub", "azp", "dept", "realm_access.roles"]);
    assert_eq!(principal.tenant, "t");
    assert_eq!(principal.name, "n");
}

#[test]
fn an_actor_is_an_object() {
    for act in [json!("b"), json!(["b"]), json!(1), json!(true)] {
        let found = map(&json!({"sub": "a", "act": act})).err();
        assert_eq!(found, Some(TokenFault::ClaimMalformed("act")), "{act}");
    }
    let delegated = map(&json!({"sub": "a", "act": {"sub": "b", "client_id": "c"}})).unwrap();
    assert_eq!(delegated.subject, "a", "the principal is who is acted for");
    assert_eq!(list(&delegated.claims["act.sub"]), ["b"]);
    assert_eq!(list(&delegated.claims["act.client_id"]), ["c"]);
}

#[test]
fn names_are_bounded() {
    let names = |n: usize| -> Vec<String> { (0..n).map(|i| format!("n{i}")).collect() };
    for what in ["roles", "groups"] {
        let claims = |n| json!({"sub": "a", what: names(n)});
        assert!(map(&claims(256)).is_ok());
        assert_eq!(map(&claims(257)).err(), Some(TokenFault::TooMany(what)));
    }
    let claims = json!({"sub": "a", "scope": names(257).join(" ")});
    assert_eq!(map(&claims).err(), Some(TokenFault::TooMany("scopes")));
}
