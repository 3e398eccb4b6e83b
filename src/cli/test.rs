//! `cedargate test`

mod coverage;
mod files;
mod junit;
mod report;
mod run;

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use std::time::SystemTime;

use thiserror::Error;

use crate::cli::ConfigFlag;
use crate::cli::Exit;
use crate::cli::Output;
use crate::cli::policies;
use crate::cli::policies::Configured;
use crate::cli::policies::PoliciesFlag;
use crate::cli::test::coverage::Coverage;
pub(super) use crate::cli::test::files::read_all;
pub(super) use crate::cli::test::files::read_sources;
use crate::cli::test::report::Form;
use crate::cli::test::report::Report;
use crate::config;
use crate::config::Config;
use crate::fault::Fault;
use crate::fault::Source;
use crate::policy::PolicyInfo;
use crate::policy::PolicySnapshot;
use crate::source::Clock as _;
use crate::source::clock::SystemClock;
use crate::source::policy_files;
use crate::source::policy_files::TESTS_DIRECTORY;

/// How often `--watch` looks for a change.
const LOOK: Duration = Duration::from_millis(200);

/// Run policy tests, and say what they do not cover
///
/// Each test asks what `serve` would decide: its code, the configured policies, `principals.yaml` and
/// the tool catalogue. A file of tests is a list:
///
/// ```yaml
/// - name: a viewer reads the forecast
///   principal: {subject: alice, issuer: https://auth.example.com, roles: [viewer]}
///   tool: weather/get_forecast
///   arguments: {city: Berne}
///   expect: allow
///   policies: [viewers]             # optional: the determining ids, exactly
/// - name: but deletes nothing
///   principal: {subject: alice, issuer: https://auth.example.com, roles: [viewer]}
///   tool: weather/delete_station
///   context: {now: "2026-01-01T12:00:00Z", client_ip: 192.0.2.1}
///   expect: deny
///   missing_scopes: []              # optional: what the caller lacks of all that would help
/// ```
///
/// A policy is covered when it decided some test.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Exit codes: 0 all passed; 1 failure; 2 wrong usage; 3 invalid configuration, policy or \
                  test; 4 a test failed, or less is covered than --fail-under asks for."
)]
pub(super) struct Test {
    #[command(flatten)]
    file: ConfigFlag,
    #[command(flatten)]
    policies: PoliciesFlag,
    /// A folder or file of tests; a folder that holds `tests` is taken for the policy directory
    /// [default: `tests` in the policy directory]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Fail when fewer policies, in percent, decided any test
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    fail_under: Option<u8>,
    /// Also write the results to a file, as `JUnit` XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print the results as a JSON object
    #[arg(long)]
    json: bool,
    /// Name the tests that passed, too
    #[arg(long, short)]
    verbose: bool,
    /// Run again whenever a policy, a test or the configuration changes, until interrupted
    #[arg(long)]
    watch: bool,
}

/// Tests could not be run.
#[derive(Debug, Error)]
enum TestFault {
    /// Faults in files.
    #[error("invalid files")]
    Files(Vec<Fault>),
    /// There are none.
    #[error("there are no tests in `{0}`; `cedargate test --help` shows what one looks like")]
    None(String),
    /// The results could not be written.
    #[error("`{path}` cannot be written")]
    Write { path: String, source: io::Error },
}

impl Test {
    pub(super) fn run(self, output: Output) -> Exit {
        if !self.watch {
            return self.once(output);
        }
        let mut before = None;
        loop {
            let state = self.state();
            if before.as_ref() != Some(&state) {
                // What is half written now is looked at again at once.
                self.once(output);
                output.notice("waiting for a change; interrupt to end");
                before = Some(state);
            }
            thread::sleep(LOOK);
        }
    }

    fn once(&self, output: Output) -> Exit {
        match self.ran(output) {
            Ok(exit) => exit,
            Err(TestFault::Files(faults)) => output.faults(&faults),
            Err(fault @ (TestFault::None(_) | TestFault::Write { .. })) => output.failure(&fault),
        }
    }

    fn ran(&self, output: Output) -> Result<Exit, TestFault> {
        let loaded = self.load(output)?;
        let (report, coverage) = loaded.run();
        if let Some(path) = &self.junit {
            write(path, &junit::document(&report))?;
        }
        let form = match (self.json, self.verbose) {
            (true, _) => Form::Json,
            (false, true) => Form::Everything,
            (false, false) => Form::Failures,
        };
        let printed = output.data(&report.text(&coverage, form));
        if printed != Exit::Done {
            return Ok(printed);
        }
        Ok(self.verdict(&report, &coverage, output))
    }

    fn verdict(&self, report: &Report<'_>, coverage: &Coverage, output: Output) -> Exit {
        if report.failed() > 0 {
            return Exit::TestsFailed;
        }
        if let Some(wanted) = self.fail_under
            && coverage.percent() < wanted
        {
            output.notice(&format!(
                "{} % of the policies are covered, and {wanted} % are wanted",
                coverage.percent()
            ));
            return Exit::TestsFailed;
        }
        Exit::Done
    }

    fn load(&self, output: Output) -> Result<Loaded, TestFault> {
        let (config, tests) = self.places().map_err(TestFault::Files)?;
        let configured = Configured::read(&config).map_err(TestFault::Files)?;
        let policies = configured.compile(&config).map_err(TestFault::Files)?;
        let Configured {
            place,
            tests: signed,
            ..
        } = configured;
        policies::warn(output, &place, &policies);
        let from = tests.clone().unwrap_or_else(|| place.join(TESTS_DIRECTORY));
        let read = match (&tests, signed) {
            (None, Some(signed)) => read_sources(signed, &config.resources),
            (Some(_), _) | (None, None) => read_all(&from, &config.resources),
        };
        let read = read.map_err(TestFault::Files)?;
        if read.is_empty() {
            return Err(TestFault::None(from.display().to_string()));
        }
        Ok(Loaded {
            places: Places::of(&policies, &place),
            coverage: Coverage::of(&policies, &config.resources),
            policies,
            tests: read,
        })
    }

    /// The configuration, and where the tests are; absent where they are beside the policies.
    fn places(&self) -> Result<(Config, Option<PathBuf>), Vec<Fault>> {
        let mut overrides = self.policies.overrides();
        let mut tests = self.dir.clone();
        if let Some(dir) = &self.dir
            && dir.join(TESTS_DIRECTORY).is_dir()
        {
            tests = Some(dir.join(TESTS_DIRECTORY));
            overrides.policies_dir.get_or_insert_with(|| dir.clone());
        }
        let config = config::load_with(&self.file.config, &overrides)?.config;
        Ok((config, tests))
    }

    /// What decides whether to run again.
    fn state(&self) -> State {
        let config = fs::metadata(&self.file.config).and_then(|file| file.modified());
        let (policies, tests) = match self.places() {
            Ok((config, tests)) => match Configured::read(&config) {
                Ok(Configured {
                    place,
                    files,
                    tests: signed,
                }) => {
                    let read = match (tests, signed) {
                        (None, Some(signed)) => Ok(signed),
                        (Some(path), _) => policy_files::read_tests(&path),
                        (None, None) => policy_files::read_tests(&place.join(TESTS_DIRECTORY)),
                    };
                    (Ok(files.digest()), read)
                }
                Err(faults) => (Err(faults), Ok(Vec::new())),
            },
            Err(faults) => (Err(faults), Ok(Vec::new())),
        };
        State {
            config: config.ok(),
            policies,
            tests,
        }
    }
}

/// Tests, and the policies that they are about.
struct Loaded {
    policies: PolicySnapshot,
    tests: Vec<files::Test>,
    coverage: Coverage,
    places: Places,
}

impl Loaded {
    fn run(&self) -> (Report<'_>, Coverage) {
        let clock = SystemClock::new();
        let mut coverage = self.coverage.clone();
        let each = |test| run::run(test, &self.policies, &mut coverage);
        let outcomes = self.tests.iter().map(each).collect();
        let report = Report::new(&self.tests, outcomes, clock.monotonic(), &self.places);
        (report, coverage)
    }
}

/// Everything that has a part in the results.
#[derive(PartialEq, Eq)]
struct State {
    config: Option<SystemTime>,
    policies: Result<[u8; 32], Vec<Fault>>,
    tests: Result<Vec<Source>, Vec<Fault>>,
}

/// Where each policy stands, as the operator would name it.
#[derive(Debug)]
struct Places(Vec<(String, String)>);

impl Places {
    fn of(policies: &PolicySnapshot, dir: &Path) -> Self {
        let place = |policy: &PolicyInfo| {
            let file = dir.join(&*policy.file);
            let place = format!("{}:{}", file.display(), policy.line);
            (policy.id.to_string(), place)
        };
        Self(policies.policies().map(place).collect())
    }

    /// ` (policies/a.cedar:3)`, or nothing.
    fn shown(&self, id: &str) -> String {
        let found = self.0.iter().find(|(other, _)| other == id);
        found.map_or_else(String::new, |(_, place)| format!(" ({place})"))
    }
}

fn write(path: &Path, text: &str) -> Result<(), TestFault> {
    fs::write(path, text).map_err(|source| TestFault::Write {
        path: path.display().to_string(),
        source,
    })
}
