//! The part of the schema that describes authenticators.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::config::authenticator::Algorithm;
use crate::config::claims::PRESETS;
use crate::config::danger;
use crate::config::schema::credentials;
use crate::config::schema::list_of;
use crate::config::schema::nullable;
use crate::config::schema::object;
use crate::config::schema::some;
use crate::config::schema::string;
use crate::config::schema::switch;
use crate::config::schema::text;
use crate::config::schema::texts;
use crate::config::schema::with;
use crate::config::schema::word_type;
use crate::config::schema::words;

/// One authenticator of any type.
pub(super) fn any() -> Value {
    json!({"oneOf": [
        oidc(),
        jwt(),
        introspection(),
        credentials::api_key(),
        credentials::static_token(),
        credentials::mtls(),
        anonymous(),
    ]})
}

fn oidc() -> Value {
    let own = object(
        "Tokens of an issuer whose keys are found by discovery (RFC 8414, OpenID Connect).",
        &["name", "type", "issuer"],
        [
            ("name", name()),
            ("type", json!({"const": "oidc"})),
            ("issuer", string("The exact `iss`.")),
        ],
    );
    let asymmetric = word_type(&Algorithm::ASYMMETRIC.map(Algorithm::name));
    with(with(with(own, signed(&asymmetric)), tokens()), remote())
}

fn jwt() -> Value {
    let own = object(
        "Tokens of an issuer whose keys are at a fixed URL or in this file.",
        &["name", "type", "issuer"],
        [
            ("name", name()),
            ("type", json!({"const": "jwt"})),
            ("issuer", string("The exact `iss`.")),
            ("jwks_uri", string("URL of a JWK set.")),
            ("keys", local_keys()),
        ],
    );
    let mut schema = with(with(with(own, signed(&algorithm())), tokens()), remote());
    if let Value::Object(schema) = &mut schema {
        let one_of = json!([{"required": ["jwks_uri"]}, {"required": ["keys"]}]);
        schema.insert("oneOf".into(), one_of);
    }
    schema
}

fn introspection() -> Value {
    let own = object(
        "Tokens that their issuer is asked about (RFC 7662).",
        &["name", "type", "endpoint", "client_id", "client_secret"],
        [
            ("name", name()),
            ("type", json!({"const": "introspection"})),
            ("endpoint", string("URL of the introspection endpoint.")),
            ("client_id", string("Who asks.")),
            ("client_secret", string("The secret of who asks.")),
            (
                "issuer",
                nullable("The exact `iss`; null: the name of the authenticator stands for it."),
            ),
        ],
    );
    with(with(own, tokens()), remote())
}

fn anonymous() -> Value {
    object(
        "Callers without any credential.",
        &["name", "type"],
        [("name", name()), ("type", json!({"const": "anonymous"}))],
    )
}

pub(super) fn name() -> Value {
    string("Lower-case letters, digits and `-`; unique.")
}

fn danger(key: &'static str) -> (&'static str, Value) {
    (key, switch(&format!("DANGER: {}.", danger::meaning(key))))
}

/// What is said of tokens that are signed.
fn signed(algorithm: &Value) -> [(&'static str, Value); 4] {
    [
        (
            "algorithms",
            list_of(
                "Accepted signatures; default: every asymmetric one, and those of secrets in `keys`.",
                algorithm,
            ),
        ),
        (
            "token_types",
            texts("Accepted `typ`; default: at+jwt, JWT; with `rfc9068`: at+jwt."),
        ),
        (
            "rfc9068",
            switch("Whether every claim that RFC 9068 requires must be there."),
        ),
        danger("insecure_skip_issuer"),
    ]
}

/// What is said of the tokens of any issuer.
fn tokens() -> [(&'static str, Value); 11] {
    let dpop = object(
        "Proofs of possession (RFC 9449). A token that is bound to a key always needs one.",
        &[],
        [
            (
                "required",
                switch("Whether tokens that are bound to no key are refused."),
            ),
            (
                "nonce",
                switch("Whether proofs must carry a nonce of ours."),
            ),
        ],
    );
    [
        (
            "audiences",
            texts("Accepted `aud`; empty: the audiences of the resource asked for."),
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
        ("dpop", dpop),
        danger("insecure_skip_audience"),
        danger("insecure_skip_expiry"),
        danger("insecure_skip_issued_at"),
    ]
}

/// How an issuer is reached.
pub(super) fn remote() -> [(&'static str, Value); 2] {
    [
        ("ca_file", nullable("Extra certificate authorities, PEM.")),
        danger("insecure_allow_http"),
    ]
}

pub(super) fn algorithm() -> Value {
    let asymmetric = Algorithm::ASYMMETRIC.into_iter();
    let all: Vec<&str> = asymmetric
        .chain(Algorithm::SYMMETRIC)
        .map(Algorithm::name)
        .collect();
    word_type(&all)
}

fn local_keys() -> Value {
    let mut key = object(
        "A public key, or a secret.",
        &["algorithm"],
        [
            ("file", string("PEM file, relative to this file.")),
            ("pem", string("The PEM text itself.")),
            (
                "secret",
                string("For HS256, HS384, HS512: at least 32, 48, 64 bytes."),
            ),
            ("algorithm", algorithm()),
            ("kid", nullable("The `kid` that tokens name it by.")),
        ],
    );
    if let Value::Object(key) = &mut key {
        let one_of = json!([
            {"required": ["file"]}, {"required": ["pem"]}, {"required": ["secret"]},
        ]);
        key.insert("oneOf".into(), one_of);
    }
    some("Keys.", &key)
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
    let mut properties: Map<String, Value> = names
        .into_iter()
        .map(|name| (name.to_owned(), path.clone()))
        .collect();
    let preset = json!({
        "description": "The product whose tokens these are; paths that are written win.",
        "anyOf": [word_type(&words(&PRESETS)), {"type": "null"}],
    });
    properties.insert("preset".to_owned(), preset);
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
