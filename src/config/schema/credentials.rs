//! The part of the schema that describes credentials which this file itself defines.

use serde_json::Value;
use serde_json::json;

use crate::config::schema::authenticator::name;
use crate::config::schema::nullable;
use crate::config::schema::object;
use crate::config::schema::some;
use crate::config::schema::string;
use crate::config::schema::text;
use crate::config::schema::texts;
use crate::config::schema::with;

pub(super) fn api_key() -> Value {
    let hashes = json!({
        "description": "From the id of each key to `sha256:` and its digest.",
        "type": "object",
        "additionalProperties": {"type": "string"},
    });
    let keys = json!({
        "description": "The keys: a list, or a mapping from ids to hashes.",
        "anyOf": [some("Keys and what their holders are.", &key()), hashes],
    });
    object(
        "Keys in a header of their own.",
        &["name", "type", "keys"],
        [
            ("name", name()),
            ("type", json!({"const": "api_key"})),
            (
                "header",
                text(
                    "The header; none that has a meaning of its own.",
                    "x-api-key",
                ),
            ),
            ("keys", keys),
        ],
    )
}

pub(super) fn static_token() -> Value {
    let own = object(
        "One bearer token that is written down here.",
        &["name", "type", "token", "subject"],
        [
            ("name", name()),
            ("type", json!({"const": "static_token"})),
            (
                "token",
                string("The token: 32 characters or more, and not in the form of a JWT."),
            ),
            ("subject", string("Who its holder is; without `#`.")),
        ],
    );
    with(own, grants())
}

pub(super) fn mtls() -> Value {
    let domains = some(
        "Trust domains, as in `example.org`.",
        &json!({"type": "string"}),
    );
    object(
        "A SPIFFE ID from the client certificate that the proxy verified.",
        &["name", "type", "trust_domains"],
        [
            ("name", name()),
            ("type", json!({"const": "mtls"})),
            ("trust_domains", domains),
        ],
    )
}

/// The issuer of development tokens, which is no authenticator but brings one along.
pub(super) fn dev_tokens() -> Value {
    let client = object(
        "A client that may fetch a token.",
        &["client_id", "client_secret"],
        [
            ("client_id", string("Its id; without `#`.")),
            ("client_secret", string("Its secret: 8 characters or more.")),
            (
                "subject",
                nullable("The subject of its tokens; null: the client itself."),
            ),
        ],
    );
    let schema = object(
        "Tokens for experiments, from an issuer inside. Loopback listeners only, and no other issuer.",
        &["clients"],
        [
            (
                "lifetime",
                text("How long a token is good for, at most 24h.", "1h"),
            ),
            (
                "clients",
                some("Who may fetch tokens.", &with(client, grants())),
            ),
        ],
    );
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn key() -> Value {
    let own = object(
        "One key.",
        &["id"],
        [
            ("id", string("Letters, digits, `-` and `_`; unique.")),
            ("hash", string("`sha256:` and the digest of the whole key.")),
            ("secret", string("The whole key.")),
        ],
    );
    let mut key = with(own, grants());
    if let Value::Object(key) = &mut key {
        let one_of = json!([{"required": ["hash"]}, {"required": ["secret"]}]);
        key.insert("oneOf".into(), one_of);
    }
    key
}

/// What the operator says of a caller.
fn grants() -> [(&'static str, Value); 4] {
    [
        ("roles", texts("Roles of the caller.")),
        ("groups", texts("Groups of the caller.")),
        ("scopes", texts("Scopes of the caller.")),
        ("tenant", text("Tenant of the caller.", "")),
    ]
}
