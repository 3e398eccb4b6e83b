//! `cedargate token`

mod content;
mod inspect;
mod kind;
mod mint;
mod new_key;
pub(super) mod reading;
mod times;
mod verify;

use clap::Subcommand;

use crate::cli::Exit;
use crate::cli::output::Output;

/// Make and read tokens
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  cedargate token mint --new-key ci.key > ci.pem
  cedargate token mint --key ci.key --issuer test --audience https://mcp.example.com/mcp --subject alice --role viewer
  pbpaste | cedargate token inspect
  pbpaste | cedargate token verify --config cedargate.yaml --resource weather

Exit codes: 0 done; 1 failure; 2 wrong usage; 3 invalid configuration; 5 the token is not accepted.")]
pub(super) enum Token {
    Mint(Box<mint::Mint>),
    Inspect(inspect::Inspect),
    Verify(verify::Verify),
}

impl Token {
    pub(super) fn run(self, output: Output) -> Exit {
        match self {
            Self::Mint(command) => command.run(output),
            Self::Inspect(command) => command.run(output),
            Self::Verify(command) => command.run(output),
        }
    }
}
