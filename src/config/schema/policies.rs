//! The part of the schema that describes where the policies live.

use serde_json::Value;
use serde_json::json;

use crate::config::policies::lints;
use crate::config::schema::authenticator;
use crate::config::schema::list_of;
use crate::config::schema::nullable;
use crate::config::schema::object;
use crate::config::schema::some;
use crate::config::schema::string;
use crate::config::schema::switch;
use crate::config::schema::text;
use crate::config::schema::with;
use crate::config::schema::word_type;
use crate::config::schema::words;

pub(super) fn section() -> Value {
    object(
        "Where the Cedar policies live.",
        &[],
        [
            ("dir", text("Directory, relative to this file.", "policies")),
            ("bundle", bundle()),
            (
                "shadow_dir",
                nullable(
                    "Directory of policies that are tried beside those in force, and never enforced.",
                ),
            ),
            (
                "reload_interval",
                text("How often they are looked at.", "1s"),
            ),
            (
                "require_manifest",
                switch(
                    "Whether the directory must hold `SHA256SUMS`, which lists its files with their \
                     hashes. Where that file is there, it is obeyed in any case.",
                ),
            ),
            (
                "allow_warnings",
                list_of(
                    "Warnings about policies that are no reason to refuse them.",
                    &word_type(&words(&lints())),
                ),
            ),
        ],
    )
}

fn bundle() -> Value {
    let own = object(
        "A signed bundle in place of a directory.",
        &["keys"],
        [
            (
                "file",
                string("A tarball or a directory, relative to this file."),
            ),
            ("url", string("URL of a tarball, https.")),
            ("keys", some("Who may sign it.", &key())),
            (
                "keep",
                nullable("Directory in which the last good one is kept; needed with `url`."),
            ),
            (
                "interval",
                nullable("How often it is looked for; 30s with `url`, else `reload_interval`."),
            ),
        ],
    );
    let mut schema = with(own, authenticator::remote());
    if let Value::Object(schema) = &mut schema {
        let one_of = json!([{"required": ["file"]}, {"required": ["url"]}]);
        schema.insert("oneOf".into(), one_of);
    }
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn key() -> Value {
    let mut key = object(
        "A public key.",
        &["algorithm"],
        [
            ("file", string("PEM file, relative to this file.")),
            ("pem", string("The PEM text itself.")),
            ("algorithm", authenticator::algorithm()),
            ("kid", nullable("The `kid` that signatures name it by.")),
        ],
    );
    if let Value::Object(key) = &mut key {
        let one_of = json!([{"required": ["file"]}, {"required": ["pem"]}]);
        key.insert("oneOf".into(), one_of);
    }
    key
}
