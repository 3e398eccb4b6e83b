//! The JSON Schema (2020-12) of the configuration file, for editors and for checks in pipelines.

mod authenticator;
mod credentials;
mod policies;
mod resource;
mod sessions;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::config::identity_headers::FIELDS;
use crate::config::listen::CLIENT_IP;
use crate::config::settings::FORMATS;

/// The schema of the file. It knows the keys that the reader knows and no others.
pub fn json_schema() -> Value {
    let mut schema = object(
        "Configuration of cedargate.",
        &["resources"],
        [
            ("listen", listen()),
            ("client_ip", client_ip()),
            (
                "authenticators",
                some(
                    "How callers are recognised. Each credential is answered by exactly one.",
                    &authenticator::any(),
                ),
            ),
            ("resources", some("What is protected.", &resource::any())),
            ("policies", policies::section()),
            ("identity_headers", identity_headers()),
            ("limits", limits()),
            ("decision_log", decision_log()),
            ("admin", admin()),
            ("log", log()),
            (
                "explain_to_anonymous",
                switch("Whether strangers are told the names of roles."),
            ),
            (
                "revocations",
                nullable("File of what was revoked, relative to this file."),
            ),
            ("sessions", sessions::section()),
            ("dev_tokens", credentials::dev_tokens()),
        ],
    );
    if let Value::Object(root) = &mut schema {
        root.insert("$schema".into(), json!(DIALECT));
        root.insert(
            "anyOf".into(),
            json!([{"required": ["authenticators"]}, {"required": ["dev_tokens"]}]),
        );
        root.insert("title".into(), json!("cedargate configuration"));
    }
    schema
}

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

fn client_ip() -> Value {
    let from = word("The source of the address.", &words(&CLIENT_IP), "peer");
    object(
        "Where the caller's address is taken from.",
        &[],
        [("from", from)],
    )
}

fn identity_headers() -> Value {
    let field = word_type(&words(&FIELDS));
    object(
        "What the upstream is told about the caller.",
        &[],
        [
            ("prefix", text("Lower case, ending in `-`.", "x-cedargate-")),
            ("send", list_of("The facts that are sent.", &field)),
        ],
    )
}

fn admin() -> Value {
    let token = nullable("Bearer token for `/v1`; absent: loopback callers only.");
    object("The admin listener.", &[], [("token", token)])
}

fn log() -> Value {
    object(
        "The program's own log, on standard error.",
        &[],
        [
            (
                "level",
                text("A level, or a filter in the syntax of RUST_LOG.", "info"),
            ),
            ("format", word("The form.", &words(&FORMATS), "json")),
        ],
    )
}

fn listen() -> Value {
    object(
        "The listeners: `host:port` or `unix:/path` each.",
        &[],
        [
            (
                "grpc",
                text("Envoy ext_authz and gRPC health.", "127.0.0.1:9191"),
            ),
            (
                "http",
                text(
                    "Checks for other gateways; trusted callers only.",
                    "127.0.0.1:9192",
                ),
            ),
            (
                "public",
                nullable("Resource metadata and health for strangers; off by default."),
            ),
            (
                "admin",
                text("Probes, metrics and status.", "127.0.0.1:9193"),
            ),
            (
                "trusted_peers",
                texts("Who may call `http`: addresses and networks."),
            ),
            (
                "xfcc_peers",
                texts(
                    "Who may say in `x-forwarded-client-cert` which certificate a client presented.",
                ),
            ),
            (
                "shared_secret",
                nullable("What callers of `http` send in `x-cedargate-secret`."),
            ),
            (
                "drain",
                text("How long to serve on after readiness was withdrawn.", "5s"),
            ),
        ],
    )
}

fn limits() -> Value {
    let size = |description: &str, default: &str| json!({"description": description, "type": ["string", "integer"], "default": default});
    object(
        "Bounds on one request.",
        &[],
        [
            ("body", size("Largest body: bytes, KiB or MiB.", "1MiB")),
            (
                "token",
                size("Longest token: bytes or KiB, at most 16KiB.", "16KiB"),
            ),
            ("deadline", text("Longest time of one check.", "150ms")),
        ],
    )
}

fn decision_log() -> Value {
    let file = object(
        "Appended to a file.",
        &["file"],
        [("file", string("Path, relative to this file."))],
    );
    object(
        "Where decisions are recorded.",
        &[],
        [
            (
                "to",
                json!({
                    "description": "stdout, none, or a file.",
                    "anyOf": [word_type(&["stdout", "none"]), file],
                    "default": "stdout",
                }),
            ),
            (
                "arguments",
                texts("Names of the arguments whose values may be recorded."),
            ),
        ],
    )
}

/// A mapping with these keys and no others.
fn object<const N: usize>(
    description: &str,
    required: &[&str],
    properties: [(&str, Value); N],
) -> Value {
    let properties: Map<String, Value> = properties
        .into_iter()
        .map(|(key, schema)| (key.to_owned(), schema))
        .collect();
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The mapping with further keys.
fn with<const N: usize>(mut schema: Value, more: [(&str, Value); N]) -> Value {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.extend(more.map(|(key, value)| (key.to_owned(), value)));
    }
    schema
}

fn string(description: &str) -> Value {
    json!({"description": description, "type": "string"})
}

fn text(description: &str, default: &str) -> Value {
    json!({"description": description, "type": "string", "default": default})
}

fn nullable(description: &str) -> Value {
    json!({"description": description, "type": ["string", "null"], "default": null})
}

fn switch(description: &str) -> Value {
    json!({"description": description, "type": "boolean", "default": false})
}

fn texts(description: &str) -> Value {
    list_of(description, &json!({"type": "string"}))
}

fn list_of(description: &str, items: &Value) -> Value {
    json!({"description": description, "type": "array", "items": items})
}

/// A list of one item at least.
fn some(description: &str, items: &Value) -> Value {
    json!({"description": description, "type": "array", "minItems": 1, "items": items})
}

fn word(description: &str, words: &[&str], default: &str) -> Value {
    let mut schema = word_type(words);
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".into(), json!(description));
        schema.insert("default".into(), json!(default));
    }
    schema
}

/// One of some words, or a variable that holds one.
fn word_type(words: &[&str]) -> Value {
    json!({"anyOf": [{"enum": words}, {"type": "string", "pattern": "\\$\\{"}]})
}

fn words<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(word, _)| *word).collect()
}
