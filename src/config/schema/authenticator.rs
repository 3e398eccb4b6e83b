//! The part of the schema that describes authenticators.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::config::authenticator::Algorithm;
use crate::config::danger;
use crate::config::schema::list_of;
use crate::config::schema::nullable;
use crate::config::schema::object;
use crate::config::schema::some;
use crate::config::schema::string;
use crate::config::schema::switch;
use crate::config::schema::text;
use crate::config::schema::texts;
use crate::config::schema::word_type;

/// One authenticator of any type.
pub(super) fn any() -> Value {
    json!({"oneOf": [oidc(), jwt(), anonymous()]})
}

fn oidc() -> Value {
    token_rules(
        "Tokens of an issuer whose keys are found by discovery (RFC 8414, OpenID Connect).",
        "oidc",
        &["name", "type", "issuer"],
        [],
    )
}

fn jwt() -> Value {
    let mut schema = token_rules(
        "Tokens of an issuer whose keys are at a fixed URL or in this file.",
        "jwt",
        &["name", "type", "issuer"],
        [
            ("jwks_uri", string("URL of a JWK set.")),
            ("keys", local_keys()),
        ],
    );
    if let Value::Object(schema) = &mut schema {
        let one_of = json!([{"required": ["jwks_uri"]}, {"required": ["keys"]}]);
        schema.insert("oneOf".into(), one_of);
    }
    schema
}

fn anonymous() -> Value {
    object(
        "Callers without any credential.",
        &["name", "type"],
        [("name", name()), ("type", json!({"const": "anonymous"}))],
    )
}

fn name() -> Value {
    string("Lower-case letters, digits and `-`; unique.")
}

fn token_rules<const N: usize>(
    description: &str,
    kind: &str,
    required: &[&str],
    own: [(&str, Value); N],
) -> Value {
    let danger = |key: &str| switch(&format!("DANGER: {}.", danger::meaning(key)));
    let mut schema = object(
        description,
        required,
        [
            ("name", name()),
            ("type", json!({"const": kind})),
            ("issuer", string("The exact `iss`.")),
            (
                "audiences",
                texts("Accepted `aud`; empty: the audiences of the resource asked for."),
            ),
            (
                "algorithms",
                list_of("Accepted signatures; default: all of these.", &algorithm()),
            ),
            (
                "token_types",
                texts("Accepted `typ`; default: at+jwt, JWT."),
            ),
            ("claims", claims()),
            ("roles", assertions("roles")),
            ("groups", assertions("groups")),
            ("scopes", assertions("scopes")),
            (
                "leeway",
                text("Tolerated difference of clocks, at most 300s.", "30s"),
            ),
            (
                "max_lifetime",
                text("Longest accepted time to `exp`.", "24h"),
            ),
            ("ca_file", nullable("Extra certificate authorities, PEM.")),
            ("insecure_skip_audience", danger("insecure_skip_audience")),
            ("insecure_skip_expiry", danger("insecure_skip_expiry")),
            ("insecure_skip_issued_at", danger("insecure_skip_issued_at")),
            ("insecure_allow_http", danger("insecure_allow_http")),
        ],
    );
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    schema
}

fn algorithm() -> Value {
    word_type(&Algorithm::ASYMMETRIC.map(Algorithm::name))
}

fn local_keys() -> Value {
    let mut key = object(
        "A public key.",
        &["algorithm"],
        [
            ("file", string("PEM file, relative to this file.")),
            ("pem", string("The PEM text itself.")),
            ("algorithm", algorithm()),
            ("kid", nullable("The `kid` that tokens name it by.")),
        ],
    );
    if let Value::Object(key) = &mut key {
        let one_of = json!([{"required": ["file"]}, {"required": ["pem"]}]);
        key.insert("oneOf".into(), one_of);
    }
    some("Public keys.", &key)
}

fn claims() -> Value {
    let path = json!({"anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
    ]});
    let names = [
        "subject",
        "client_id",
        "roles",
        "groups",
        "scopes",
        "tenant",
        "email",
        "name",
    ];
    let properties: Map<String, Value> = names
        .into_iter()
        .map(|name| (name.to_owned(), path.clone()))
        .collect();
    json!({
        "description": "Where facts are found: a claim, a dotted path, a JSON pointer, or a list of them.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn assertions(what: &str) -> Value {
    object(
        &format!("What the issuer may assert as {what}."),
        &[],
        [
            (
                "allow",
                json!({
                    "description": "The values that it may use; null: any.",
                    "type": ["array", "null"], "items": {"type": "string"}, "default": null,
                }),
            ),
            ("prefix", text("What is put before each value.", "")),
        ],
    )
}
