//! `cedargate schema`

mod tools;

use clap::Subcommand;

use self::tools::Tools;
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::config;
use crate::policy;

const EXIT_CODES: &str = "Exit codes: 0 printed; 1 failure; 2 wrong usage.";

/// Print a schema, or make the catalogue of a server's tools
#[derive(Debug, Subcommand)]
#[command(after_help = EXIT_CODES)]
pub(super) enum Schema {
    /// The JSON Schema of the configuration file
    ///
    /// For completion and checks in an editor; `validate` checks more.
    #[command(after_help = EXIT_CODES)]
    Config,
    /// The Cedar schema that policies are validated against
    #[command(after_help = EXIT_CODES)]
    Cedar,
    Tools(Box<Tools>),
}

impl Schema {
    pub(super) fn run(self, output: Output) -> Exit {
        match self {
            Self::Config => match serde_json::to_string_pretty(&config::json_schema()) {
                Ok(text) => output.data(&text),
                Err(error) => output.failure(&error),
            },
            Self::Cedar => output.data(policy::SCHEMA),
            Self::Tools(command) => command.run(output),
        }
    }
}
