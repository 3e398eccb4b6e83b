//! The part of the schema that describes where the policies live.

use serde_json::Value;

use crate::config::schema::nullable;
use crate::config::schema::object;
use crate::config::schema::text;

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
        ],
    )
}
