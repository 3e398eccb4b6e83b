//! The part of the schema that describes the binding of sessions.

use serde_json::Value;
use serde_json::json;

use crate::config::schema::nullable;
use crate::config::schema::object;
use crate::config::schema::string;
use crate::config::schema::switch;
use crate::config::schema::text;
use crate::config::schema::word;
use crate::config::sessions::stores;

/// The section.
pub(super) fn section() -> Value {
    let per_principal = json!({
        "description": "Most sessions that one principal can hold.",
        "type": ["integer", "string"],
        "default": 1000,
    });
    object(
        "How MCP sessions are bound to those who first use them.",
        &[],
        [
            (
                "store",
                word("Where the bindings are.", &stores(), "memory"),
            ),
            (
                "idle",
                text("How long a binding outlives its last use.", "24h"),
            ),
            ("per_principal", per_principal),
            ("redis", redis()),
        ],
    )
}

fn redis() -> Value {
    object(
        "A Redis that replicas share.",
        &["url"],
        [
            (
                "url",
                string("`redis://` or `rediss://`, with credentials."),
            ),
            ("prefix", text("What every key begins with.", "cedargate:")),
            (
                "ca_file",
                nullable("Certificates to trust instead of the system's, PEM."),
            ),
            (
                "insecure_allow_plaintext",
                switch("Weakens a check: lets a `redis://` name another machine."),
            ),
        ],
    )
}
