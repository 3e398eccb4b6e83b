//! `cedargate version`

use serde_json::json;

use crate::cli::Exit;
use crate::cli::output::Output;

/// Print the version
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 printed; 1 failure; 2 wrong usage.")]
pub(super) struct Version {
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

impl Version {
    pub(super) fn run(self, output: Output) -> Exit {
        let version = env!("CARGO_PKG_VERSION");
        if self.json {
            let cedar = cedar_policy::get_sdk_version().to_string();
            return output.data(&json!({"version": version, "cedar": cedar}).to_string());
        }
        output.data(&format!("cedargate {version}"))
    }
}
