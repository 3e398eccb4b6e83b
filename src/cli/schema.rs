//! `cedargate schema`

use clap::Subcommand;

use crate::cli::Exit;
use crate::cli::output::Output;
use crate::config;
use crate::policy;

/// Print a schema
#[derive(Debug, Subcommand)]
pub(super) enum Schema {
    /// The JSON Schema of the configuration file
    Config,
    /// The Cedar schema that policies are validated against
    Cedar,
}

impl Schema {
    pub(super) fn run(self, output: Output) -> Exit {
        match self {
            Self::Config => match serde_json::to_string_pretty(&config::json_schema()) {
                Ok(text) => output.data(&text),
                Err(error) => output.failure(&error),
            },
            Self::Cedar => output.data(policy::SCHEMA),
        }
    }
}
