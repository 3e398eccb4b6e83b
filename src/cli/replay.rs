//! `cedargate replay`

mod callers;
mod judge;
mod lines;
#[cfg(test)]
mod properties;
mod report;
mod tally;

use std::fs::File;
use std::io;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use thiserror::Error;

use crate::cli::ConfigFlag;
use crate::cli::Exit;
use crate::cli::Output;
use crate::cli::policies;
use crate::cli::replay::judge::ChangeKind;
use crate::cli::replay::lines::By;
use crate::cli::replay::tally::Tally;
use crate::config;
use crate::config::Overrides;
use crate::fault::Fault;
use crate::source::Clock as _;
use crate::source::clock::SystemClock;

/// How often a terminal is told how far it is.
const TELL: Duration = Duration::from_millis(500);

/// Decide recorded decisions again under other policies, and print what would change
///
/// Each record of the decision log is decided by the code that `serve` runs, with the policies,
/// `principals.yaml` and the tool catalogue of `--policies`, as of the time in the record. The
/// resources are those of the configuration. What would be allowed and was not comes first:
///
/// ```text
/// deny -> allow: 2
///       2  User https://auth.example.com#alice  tools/call  Mcp::Tool::"weather/set_alert"
///          was insufficient_scope, would be allowed by everyone-writes
///          line 17, 2026-01-01T12:00:00.000000Z, decision 019b79a8-...
///
/// 1204 decisions: 2 deny -> allow, 0 allow -> deny, 1150 unchanged, 40 cannot tell, ...
/// ```
///
/// A record does not hold everything. It never has the session id, of the arguments those that
/// `decision_log.arguments` names, of a request with many operations the first 17, and no text beyond
/// 256 bytes. Where the decision depends on such a thing it is counted as "cannot tell", with the
/// policies that read it. A refusal that policies have no part in, such as a bad token, would be
/// the same.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  cedargate replay --log decisions.ndjson --policies policies.new\n  \
                  zcat decisions.*.gz | cedargate replay --log - --policies policies.new --fail-on-change\n\n\
                  Exit codes: 0 done; 1 failure: also when a line cannot be read, and with \
                  --fail-on-change when a decision would change; 2 wrong usage; 3 invalid configuration or \
                  policy."
)]
pub(super) struct Replay {
    #[command(flatten)]
    file: ConfigFlag,
    /// The decision log, one record a line; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// The policy directory to decide by
    #[arg(long, value_name = "DIR")]
    policies: PathBuf,
    /// Fail when a decision would change; what cannot be told is no change
    #[arg(long)]
    fail_on_change: bool,
    /// How the results are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// How many records each group names
    #[arg(long, value_name = "N", default_value_t = 3)]
    limit: usize,
    /// Also name what would be decided the same for another reason
    #[arg(long, short)]
    verbose: bool,
}

/// How the results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// Records could not be decided again.
#[derive(Debug, Error)]
enum ReplayFault {
    /// Faults in files.
    #[error("invalid files")]
    Files(Vec<Fault>),
    /// The log.
    #[error("`{path}` cannot be read")]
    Log { path: String, source: io::Error },
    /// There is nothing in it.
    #[error(
        "`{0}` holds no decision; `decision_log` in the configuration says where `serve` writes them"
    )]
    None(String),
}

impl Replay {
    pub(super) fn run(self, output: Output) -> Exit {
        let tally = match self.judged(output) {
            Ok(tally) => tally,
            Err(ReplayFault::Files(faults)) => return output.faults(&faults),
            Err(fault @ (ReplayFault::Log { .. } | ReplayFault::None(_))) => {
                return output.failure(&fault);
            }
        };
        let text = match self.format {
            Format::Text => report::text(&tally, self.verbose),
            Format::Json => report::json(&tally),
        };
        let printed = output.data(&text);
        if printed != Exit::Done {
            return printed;
        }
        self.verdict(&tally, output)
    }

    fn verdict(&self, tally: &Tally, output: Output) -> Exit {
        for (line, why) in &tally.broken_lines {
            output.notice(&format!("line {line}: {why}"));
        }
        if tally.broken > 0 {
            let lines = tally.broken;
            output.notice(&format!("{lines} lines could not be read"));
            return Exit::Failure;
        }
        let opened = tally.changed(ChangeKind::DenyToAllow);
        let changed = opened.saturating_add(tally.changed(ChangeKind::AllowToDeny));
        if self.fail_on_change && changed > 0 {
            output.notice(&format!("{changed} decisions would change"));
            return Exit::Failure;
        }
        Exit::Done
    }

    fn judged(&self, output: Output) -> Result<Tally, ReplayFault> {
        let overrides = Overrides {
            policies_dir: Some(self.policies.clone()),
            ..Overrides::default()
        };
        let loaded = config::load_with(&self.file.config, &overrides);
        let config = loaded.map_err(ReplayFault::Files)?.config;
        let policies =
            policies::compile(&config.policies.dir, Some(&config)).map_err(ReplayFault::Files)?;
        policies::warn(output, &config.policies.dir, &policies);
        let by = By {
            config: &config,
            policies: &policies,
            examples: self.limit,
        };
        let clock = SystemClock::new();
        let mut told = Duration::ZERO;
        let progress = |lines: u64| {
            let now = clock.monotonic();
            if now.saturating_sub(told) >= TELL {
                told = now;
                output.progress(&format!("{lines} lines"));
            }
        };
        let judged = if self.log == Path::new("-") {
            lines::judge_all(io::stdin().lock(), by, progress)
        } else {
            File::open(&self.log)
                .and_then(|log| lines::judge_all(BufReader::new(log), by, progress))
        };
        output.progress("");
        let path = self.log.display().to_string();
        let tally = match judged {
            Ok(tally) => tally,
            Err(source) => return Err(ReplayFault::Log { path, source }),
        };
        if tally.records() == 0 && tally.broken == 0 {
            return Err(ReplayFault::None(path));
        }
        Ok(tally)
    }
}
