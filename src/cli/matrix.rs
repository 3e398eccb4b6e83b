//! `cedargate matrix`

mod cell;
mod changes;
mod columns;
mod csv;
mod json;
mod markdown;
mod notes;
mod rows;
mod table;
mod text;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use thiserror::Error;

use crate::cli::ConfigFlag;
use crate::cli::Exit;
use crate::cli::Output;
use crate::cli::case::ReadFault;
use crate::cli::matrix::changes::Changes;
use crate::cli::matrix::columns::Column;
use crate::cli::matrix::rows::Row;
use crate::cli::matrix::table::Table;
use crate::cli::policies;
use crate::cli::policies::PoliciesFlag;
use crate::config;
use crate::config::Config;
use crate::config::Resource;
use crate::fault::Fault;
use crate::policy::PolicySnapshot;

/// Print who may call what, or what a change to the policies changes in that
///
/// Rows are callers, columns the tools of `tools.json`, one table a server. A cell says what the
/// policies answer, whatever a request brings:
///
/// ```text
/// allow        every call is allowed
/// deny         no call is allowed
/// allow? [1]   it depends on the call: note 1 names the policies, and what they read of it
/// ```
///
/// A caller has nothing but what the row says: a role and no scope, or a scope and no role. Rows are
/// the roles of `entities.json`, `principals.yaml`, the configuration and the policies, a caller who is
/// signed in without a role, and a stranger without a credential. With `--by scopes`, scopes take
/// the place of roles; with `--by principals`, there is a row for each caller of `principals.yaml`
/// and of the configuration (API keys, static tokens), or of a file:
///
/// ```yaml
/// - {name: Alice in support, subject: alice, issuer: https://auth.example.com, roles: [support]}
/// - {name: of a tenant, subject: ann, issuer: https://auth.example.com, tenant: acme}
/// - {name: a job, type: Client, client_id: nightly, issuer: https://auth.example.com}
/// ```
///
/// What a policy asks beyond that, as for a tenant, a claim or a client, no row of a role or scope
/// has: such a policy shows in rows of `--principals` only, and so does a change in it.
///
/// For a pull request, compare with the policies of before:
///
/// ```sh
/// git worktree add ../before origin/main
/// cedargate matrix --against ../before/policies --format markdown
/// ```
///
/// What is not policy is not in the table: tokens that are refused, rate limits, malformed requests
/// and arguments over the bounds of what policies can read.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Exit codes: 0 printed; 1 failure, no tool to show, or with --fail-on-change a changed cell; \
                  2 wrong usage; 3 invalid configuration or policy, in either directory."
)]
pub(super) struct Matrix {
    #[command(flatten)]
    file: ConfigFlag,
    #[command(flatten)]
    policies: PoliciesFlag,
    /// Show only this server (a resource of the configuration); may be repeated
    #[arg(long, value_name = "NAME")]
    server: Vec<String>,
    /// Show all other actions as well: tools that are not in `tools.json`, `tools/list`, resources,
    /// prompts, tasks, routes
    #[arg(long)]
    actions: bool,
    /// What the rows are
    #[arg(long, value_enum, value_name = "WHAT")]
    by: Option<By>,
    /// Another row: a caller with all these roles, as in `--role editor,auditor`; may be repeated
    #[arg(long, value_name = "ROLES")]
    role: Vec<String>,
    /// A YAML file of named callers; means `--by principals`
    #[arg(long, value_name = "FILE")]
    principals: Option<PathBuf>,
    /// How the table is printed
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
    /// Say of every cell which policies determine it
    #[arg(long)]
    explain: bool,
    /// A policy directory as it was before: show only what differs from it, new access first
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Exit with 1 when a cell differs
    #[arg(long, requires = "against")]
    fail_on_change: bool,
}

/// What the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// A row for each role
    Roles,
    /// A row for each scope
    Scopes,
    /// A row for each caller who is known by name
    Principals,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// For a pull request
    Markdown,
    /// For a spreadsheet
    Csv,
    /// For programs
    Json,
}

/// The table could not be made.
#[derive(Debug, Error)]
enum MatrixFault {
    #[error("invalid files")]
    Files(Vec<Fault>),
    #[error(transparent)]
    Principals(#[from] ReadFault),
    #[error("no resource of the configuration is named `{name}`; there is {known}")]
    Server { name: String, known: String },
    #[error(
        "a file of principals says what the rows are: leave `--by` out, or write `--by principals`"
    )]
    TwoKinds,
    #[error("`{path}`: two callers are named `{name}`")]
    SameName { path: String, name: String },
    #[error("`{0}`: there are no callers; `cedargate matrix --help` shows what one looks like")]
    Nobody(String),
    #[error("`--role {0}` names no role; write `--role editor` or `--role editor,auditor`")]
    NoRole(String),
    #[error(
        "no tool to show: `{dir}` lists none{of}. Let a server list its own, as in `cedargate schema tools \
         --server {server} --url URL --out {dir}/tools.json`, or see the other actions with `--actions`"
    )]
    Empty {
        dir: String,
        of: String,
        server: String,
    },
}

/// The policies of a directory, and what they are asked.
struct Side {
    dir: PathBuf,
    policies: PolicySnapshot,
}

impl Matrix {
    pub(super) fn run(self, output: Output) -> Exit {
        match self.shown(output) {
            Ok((text, changed)) => {
                let printed = output.data(&text);
                if printed == Exit::Done && changed && self.fail_on_change {
                    return Exit::Failure;
                }
                printed
            }
            Err(MatrixFault::Files(faults)) => output.faults(&faults),
            Err(MatrixFault::Principals(ReadFault::Form(fault))) => {
                output.faults(&[*fault]);
                Exit::Usage
            }
            Err(fault @ MatrixFault::Empty { .. }) => output.failure(&fault),
            Err(
                fault @ (MatrixFault::Principals(_)
                | MatrixFault::Server { .. }
                | MatrixFault::TwoKinds
                | MatrixFault::SameName { .. }
                | MatrixFault::Nobody(_)
                | MatrixFault::NoRole(_)),
            ) => output.usage(&fault),
        }
    }

    /// What is printed, and whether a cell differs.
    fn shown(&self, output: Output) -> Result<(String, bool), MatrixFault> {
        let loaded = config::load_with(&self.file.config, &self.policies.overrides());
        let config = loaded.map_err(MatrixFault::Files)?.config;
        let servers = self.servers(&config)?;
        let (new, old) = self.sides(&config)?;
        let sides: Vec<&Side> = std::iter::once(&new).chain(&old).collect();
        for side in &sides {
            policies::warn(output, &side.dir, &side.policies);
        }
        let rows = self.rows(&config, &sides)?;
        let columns = self.columns(&servers, &sides)?;
        let table = Table::of(&new.policies, &rows, &columns);
        let Some(old) = old else {
            let text = match self.format {
                Format::Text => text::table(&table, self.explain),
                Format::Markdown => markdown::table(&table, self.explain),
                Format::Csv => csv::table(&table, self.explain),
                Format::Json => json::table(&table),
            };
            return Ok((text, false));
        };
        let before = Table::of(&old.policies, &rows, &columns);
        let changes = Changes::between((&old, &before), (&new, &table));
        let text = match self.format {
            Format::Text => text::changes(&changes),
            Format::Markdown => markdown::changes(&changes),
            Format::Csv => csv::changes(&changes),
            Format::Json => json::changes(&changes),
        };
        Ok((text, changes.any()))
    }

    /// The resources that are shown.
    fn servers(&self, config: &Config) -> Result<Vec<Arc<Resource>>, MatrixFault> {
        let known = |name: &String| config.resources.iter().any(|one| *one.name == **name);
        if let Some(name) = self.server.iter().find(|name| !known(name)) {
            let names: Vec<_> = config
                .resources
                .iter()
                .map(|r| format!("`{}`", r.name))
                .collect();
            return Err(MatrixFault::Server {
                name: name.clone(),
                known: names.join(", "),
            });
        }
        let wanted = |one: &&Arc<Resource>| {
            self.server.is_empty() || self.server.iter().any(|name| *one.name == **name)
        };
        Ok(config.resources.iter().filter(wanted).cloned().collect())
    }

    /// The policies as they are, and as they were; with the faults of both directories.
    fn sides(&self, config: &Config) -> Result<(Side, Option<Side>), MatrixFault> {
        let side = |dir: &Path| {
            policies::compile(dir, Some(config)).map(|policies| Side {
                dir: dir.to_owned(),
                policies,
            })
        };
        let new = policies::configured(config).map(|compiled| Side {
            dir: policies::place(config),
            policies: compiled,
        });
        let Some(dir) = &self.against else {
            return Ok((new.map_err(MatrixFault::Files)?, None));
        };
        let old = side(dir).map_err(|mut faults| {
            for fault in &mut faults {
                if Path::new(&*fault.file) == dir {
                    fault.help = Some("`--against` names the directory".to_owned());
                }
            }
            faults
        });
        match (new, old) {
            (Ok(new), Ok(old)) => Ok((new, Some(old))),
            (new, old) => {
                let faults = [new.err(), old.err()].into_iter().flatten();
                Err(MatrixFault::Files(faults.flatten().collect()))
            }
        }
    }

    fn rows(&self, config: &Config, sides: &[&Side]) -> Result<Vec<Row>, MatrixFault> {
        let mut rows = match (&self.principals, self.by) {
            (Some(_), Some(By::Roles | By::Scopes)) => return Err(MatrixFault::TwoKinds),
            (Some(path), None | Some(By::Principals)) => rows::of_file(path)?,
            (None, None | Some(By::Roles)) => rows::by_roles(config, sides),
            (None, Some(By::Scopes)) => rows::by_scopes(config, sides),
            (None, Some(By::Principals)) => rows::by_principals(config, sides),
        };
        for text in &self.role {
            let row = rows::with_roles(text).ok_or_else(|| MatrixFault::NoRole(text.clone()))?;
            if rows.iter().all(|other| other.name != row.name) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn columns(
        &self,
        servers: &[Arc<Resource>],
        sides: &[&Side],
    ) -> Result<Vec<Column>, MatrixFault> {
        let columns = columns::of(servers, sides, self.actions);
        if !columns.is_empty() {
            return Ok(columns);
        }
        let dir = sides.first().map(|side| side.dir.display().to_string());
        let names: Vec<_> = self.server.iter().map(|name| format!("`{name}`")).collect();
        Err(MatrixFault::Empty {
            dir: dir.unwrap_or_default(),
            of: if names.is_empty() {
                String::new()
            } else {
                format!(" of {}", names.join(", "))
            },
            server: servers
                .first()
                .map_or_else(String::new, |one| one.name.to_string()),
        })
    }
}
