//! The command line: one file a subcommand.

mod apikey;
mod bundle;
mod case;
mod check;
mod demo;
mod health;
mod input;
mod login;
mod matrix;
mod output;
mod policies;
mod printable;
mod replay;
mod schema;
mod serve;
mod sign;
mod span;
mod test;
mod token;
mod validate;
mod version;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap_complete::Shell;

use crate::cli::output::Output;

const AFTER_HELP: &str = "\
Examples:
  cedargate demo                          see an allow, a 401 and a 403, with nothing else installed
  cedargate validate --config FILE        every fault in the configuration and the policies, at once
  cedargate serve --config FILE           run the sidecar
  cedargate check --tool weather/get_forecast --subject alice --role viewer
                                          one decision, offline, with the reason
  cedargate test                          run the policy tests, and say what they do not cover
  cedargate matrix --against ../before/policies
                                          who may call what, and what a change to the policies changes
  cedargate replay --log decisions.ndjson --policies policies.new
                                          what other policies would have decided
  cedargate bundle build policies --key release.key --out policies.tar.gz
                                          policies as a signed bundle
  cedargate token inspect < token.txt     what a token says, and what is wrong with it
  cedargate login --issuer URL --client-id ID --resource URL
                                          an access token, by a browser

Exit codes: 0 done; 1 failure; 2 wrong usage; 3 invalid configuration or policy; 4 policy tests failed;
 5 denied.
 Flags win over the environment (CEDARGATE_...), which wins over the file.";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done,
    /// It failed.
    Failure,
    /// It was not asked for anything that it could do.
    Usage,
    /// The configuration or a policy is invalid.
    Invalid,
    /// A policy test failed, or too few policies are covered.
    TestsFailed,
    /// The decision is a deny.
    Denied,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Invalid => 3,
            Exit::TestsFailed => 4,
            Exit::Denied => 5,
        })
    }
}

/// Front-door authorization for MCP servers and HTTP services: OAuth tokens in, Cedar decisions out.
#[derive(Debug, Parser)]
#[command(name = "cedargate", version, after_help = AFTER_HELP, propagate_version = true)]
struct Cli {
    /// How faults are written
    #[arg(long, global = true, value_enum, default_value_t = ErrorFormat::Human,
          env = "CEDARGATE_ERROR_FORMAT")]
    error_format: ErrorFormat,
    #[command(subcommand)]
    command: Command,
}

/// How faults are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ErrorFormat {
    /// With an excerpt, for people
    Human,
    /// One JSON object a line, for programs
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Validate(validate::Validate),
    Check(Box<check::Check>),
    Test(test::Test),
    Matrix(matrix::Matrix),
    Replay(replay::Replay),
    #[command(subcommand)]
    Bundle(bundle::Bundle),
    Health(health::Health),
    #[command(subcommand)]
    Schema(schema::Schema),
    #[command(subcommand)]
    Token(token::Token),
    #[command(subcommand, name = "apikey")]
    ApiKey(apikey::ApiKey),
    Login(Box<login::Login>),
    Version(version::Version),
    /// Print a completion script
    #[command(
        after_help = "As in `cedargate completions bash > /etc/bash_completion.d/cedargate`.\n\n\
                            Exit codes: 0 printed; 1 failure; 2 wrong usage."
    )]
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
struct ConfigFlag {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        env = "CEDARGATE_CONFIG",
        default_value = "cedargate.yaml"
    )]
    config: PathBuf,
}

/// Runs the program with the arguments of the process.
pub fn main() -> Exit {
    let cli = Cli::parse();
    let output = Output::new(cli.error_format == ErrorFormat::Json);
    match cli.command {
        Command::Serve(command) => command.run(output),
        Command::Demo(command) => command.run(output),
        Command::Validate(command) => command.run(output),
        Command::Check(command) => command.run(output),
        Command::Test(command) => command.run(output),
        Command::Matrix(command) => command.run(output),
        Command::Replay(command) => command.run(output),
        Command::Bundle(command) => command.run(output),
        Command::Health(command) => command.run(output),
        Command::Schema(command) => command.run(output),
        Command::Token(command) => command.run(output),
        Command::ApiKey(command) => command.run(output),
        Command::Login(command) => command.run(output),
        Command::Version(command) => command.run(output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "cedargate", &mut script);
            output.data(&String::from_utf8_lossy(&script))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }
}
