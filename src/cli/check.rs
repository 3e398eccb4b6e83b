//! `cedargate check`

mod flags;
mod words;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::ConfigFlag;
use crate::cli::Exit;
use crate::cli::case;
use crate::cli::case::ReadFault;
use crate::cli::output::Output;
use crate::cli::policies;
use crate::cli::policies::PoliciesFlag;
use crate::config;
use crate::decision::inquiry;
use crate::decision::inquiry::Asked;
use crate::decision::inquiry::document;

/// Decide one request offline, and explain the decision
///
/// The policies are those of the configuration, and the decision is taken by the code that `serve`
/// runs. The caller is described, not proved: no token is read. What `principals.yaml` says of the
/// caller is added, as it is by `serve`. The explanation names the policies that decide, those that
/// nearly did, nearest first, and the condition at which each stops, with the values that it met.
///
/// A request file is YAML (or JSON) in the form of a policy test, without `expect`:
///
/// ```yaml
/// principal: {type: User, subject: alice, roles: [viewer]}
/// tool: weather/get_forecast
/// arguments: {city: Berne}
/// ```
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Exit codes: 0 allow; 1 failure; 2 wrong usage, or a request that is not understood; \
                  3 invalid configuration or policy; 5 deny."
)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFlag,
    #[command(flatten)]
    policies: PoliciesFlag,
    /// A file that describes the request; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "described")]
    request: Option<PathBuf>,
    #[command(flatten)]
    described: flags::Flags,
    /// How the decision is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// How the decision is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

impl Check {
    pub(super) fn run(self, output: Output) -> Exit {
        let read = match &self.request {
            Some(path) => case::read(path),
            None => self.described.case().map_err(ReadFault::from),
        };
        let case = match read {
            Ok(case) => case,
            Err(ReadFault::Form(fault)) => {
                output.faults(&[*fault]);
                return Exit::Usage;
            }
            Err(fault) => return output.usage(&fault),
        };
        let config = match config::load_with(&self.file.config, &self.policies.overrides()) {
            Ok(loaded) => loaded.config,
            Err(faults) => return output.faults(&faults),
        };
        if let Err(fault) = case.is_possible(&config.resources) {
            return output.usage(&fault);
        }
        let policies = match policies::configured(&config) {
            Ok(policies) => policies,
            Err(faults) => return output.faults(&faults),
        };
        policies::warn(output, &policies::place(&config), &policies);
        let identity = policies.enrich_identity(&case.identity);
        let asked = Asked {
            request: &case.request,
            identity: &identity,
            gaps: &[],
            missing: 0,
            has_issuer: case.has_issuer(),
        };
        let answer = inquiry::inquire(asked, &policies);
        let text = if self.json || self.format == Format::Json {
            document::json(asked, &answer, &policies)
        } else {
            words::text(asked, &answer, &policies, output)
        };
        match (output.data(&text), answer.outcome.word()) {
            (Exit::Done, "allow") => Exit::Done,
            (Exit::Done, _) => Exit::Denied,
            (exit, _) => exit,
        }
    }
}
