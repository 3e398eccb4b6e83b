//! `cedargate bundle`

mod build;
mod verify;

use clap::Subcommand;

use crate::cli::Exit;
use crate::cli::output::Output;

/// Make and check signed bundles of policies
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  cedargate token mint --new-key release.key > release.pem     a key to sign with, and its public half
  cedargate bundle build policies --key release.key --out policies.tar.gz
  cedargate bundle verify policies.tar.gz --key release.pem

The configuration that takes policies from it, instead of `policies.dir`:
  policies:
    bundle:
      url: https://policies.example.com/policies.tar.gz        or file: policies.tar.gz
      keys: [{file: release.pem, algorithm: ES256}]
      keep: /var/lib/cedargate

Exit codes: 0 done; 1 failure; 2 wrong usage; 3 invalid policies or an invalid bundle.")]
pub(super) enum Bundle {
    Build(build::Build),
    Verify(verify::Verify),
}

impl Bundle {
    pub(super) fn run(self, output: Output) -> Exit {
        match self {
            Self::Build(command) => command.run(output),
            Self::Verify(command) => command.run(output),
        }
    }
}
