//! The part of the schema that describes resources.

use serde_json::Value;
use serde_json::json;

use crate::config::resource::SESSIONS;
use crate::config::schema::list_of;
use crate::config::schema::object;
use crate::config::schema::string;
use crate::config::schema::text;
use crate::config::schema::texts;
use crate::config::schema::word;
use crate::config::schema::word_type;
use crate::config::schema::words;

/// One resource of either kind.
pub(super) fn any() -> Value {
    json!({"oneOf": [
        resource("An MCP endpoint; its path matches exactly.", "mcp", ("mcp", mcp())),
        resource("Everything under a URL.", "http", ("routes", routes())),
    ]})
}

fn resource(description: &str, kind: &str, own: (&str, Value)) -> Value {
    object(
        description,
        &["name", "url", "kind"],
        [
            (
                "name",
                string("Lower-case letters, digits and `-`; unique."),
            ),
            ("url", string("The canonical URI: the default audience.")),
            ("kind", json!({"const": kind})),
            ("audiences", texts("Accepted audiences; default: the url.")),
            (
                "authenticators",
                texts("Names; default: all but those of type `anonymous`."),
            ),
            ("tenant", text("The tenant that it belongs to.", "")),
            ("labels", texts("Labels for policies.")),
            ("groups", texts("Server groups that it is in.")),
            (
                "scopes",
                object(
                    "Scopes.",
                    &[],
                    [(
                        "hierarchy",
                        json!({
                            "description": "From a broad scope to those that it implies.",
                            "type": "object",
                            "additionalProperties": {"type": "array", "items": {"type": "string"}},
                        }),
                    )],
                ),
            ),
            ("metadata", metadata()),
            own,
        ],
    )
}

fn metadata() -> Value {
    object(
        "Members of the protected resource metadata (RFC 9728, section 2).",
        &[],
        [
            (
                "scopes_supported",
                texts("`scopes_supported`; neither wildcards nor `offline_access`."),
            ),
            ("resource_name", text("`resource_name`", "")),
            (
                "resource_documentation",
                text("`resource_documentation`", ""),
            ),
            ("resource_policy_uri", text("`resource_policy_uri`", "")),
            ("resource_tos_uri", text("`resource_tos_uri`", "")),
        ],
    )
}

fn mcp() -> Value {
    object(
        "How strictly the endpoint is read.",
        &[],
        [
            ("allowed_origins", texts("Accepted `Origin` values.")),
            (
                "versions",
                texts("Accepted protocol revisions; empty: all that are known."),
            ),
            (
                "sessions",
                word(
                    "Whether a session belongs to whoever first used it.",
                    &words(&SESSIONS),
                    "bind",
                ),
            ),
            ("batches", word_type(&["deny", "each"])),
            (
                "message_from",
                word_type(&["body", "envoy_metadata", "insecure_headers"]),
            ),
        ],
    )
}

fn routes() -> Value {
    let route = object(
        "A name for the paths that match.",
        &["name", "path"],
        [
            (
                "name",
                string("Lower-case letters, digits and `-`; unique."),
            ),
            ("path", string("As in `/users/{id}/{*rest}`.")),
        ],
    );
    list_of("First match wins.", &route)
}
