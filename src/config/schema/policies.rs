//! The part of the schema that describes where the policies live.

use serde_json::Value;

use crate::config::policies::lints;
use crate::config::schema::list_of;
use crate::config::schema::nullable;
use crate::config::schema::object;
use crate::config::schema::switch;
use crate::config::schema::text;
use crate::config::schema::word_type;
use crate::config::schema::words;

pub(super) fn section() -> Value {
    object(
        "Where the Cedar policies live.",
        &[],
        [
            ("dir", text("Directory, relative to this file.", "policies")),
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
