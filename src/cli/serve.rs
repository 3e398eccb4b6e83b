//! `cedargate serve`

use std::future;
use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::signal::unix::Signal;

use crate::app::App;
use crate::app::PolicyOrigin;
use crate::app::StartError;
use crate::cli::ConfigFlag;
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::cli::policies;
use crate::cli::policies::PoliciesFlag;
use crate::config;
use crate::config::Config;
use crate::config::Overrides;
use crate::shutdown;
use crate::telemetry::logging;

/// Stack of a worker thread: deep policies recurse, and Cedar refuses to go on below 100 KiB.
const STACK: usize = 4 * 1024 * 1024;

/// How long work on other threads may go on after the end of the drain.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Run the sidecar
///
/// Reads the configuration and the policies, opens the listeners, fetches the issuers' keys, and
/// answers checks until SIGTERM or SIGINT. Changed policies are put in force while it runs; SIGHUP makes
/// it look at the policies and the revocations at once, and the log says what came of it.
///
/// Decisions go to standard output as JSON lines, the program's own log to standard error.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 drained after a signal; 1 it could not start, for example because a port is \
                        in use; 2 wrong usage; 3 invalid configuration or policy."
)]
pub(super) struct Serve {
    #[command(flatten)]
    file: ConfigFlag,
    /// Print the effective configuration, without secrets, and stop
    #[arg(long)]
    print_config: bool,
    #[command(flatten)]
    policies: PoliciesFlag,
    #[command(flatten)]
    overrides: Flags,
}

/// Settings that win over the file.
#[derive(Debug, clap::Args)]
struct Flags {
    /// Where Envoy asks: an IP address and a port, or `unix:/path`
    #[arg(long, value_name = "ADDRESS", env = "CEDARGATE_LISTEN_GRPC")]
    listen_grpc: Option<String>,
    /// Where other gateways ask
    #[arg(long, value_name = "ADDRESS", env = "CEDARGATE_LISTEN_HTTP")]
    listen_http: Option<String>,
    /// Where strangers read the resource metadata
    #[arg(long, value_name = "ADDRESS", env = "CEDARGATE_LISTEN_PUBLIC")]
    listen_public: Option<String>,
    /// Where probes, metrics and status are
    #[arg(long, value_name = "ADDRESS", env = "CEDARGATE_LISTEN_ADMIN")]
    listen_admin: Option<String>,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter
    #[arg(long, value_name = "LEVEL", env = "CEDARGATE_LOG_LEVEL")]
    log_level: Option<String>,
    /// `json` or `text`
    #[arg(long, value_name = "FORMAT", env = "CEDARGATE_LOG_FORMAT")]
    log_format: Option<String>,
}

impl Serve {
    pub(super) fn run(self, output: Output) -> Exit {
        let overrides = Overrides {
            grpc: self.overrides.listen_grpc,
            http: self.overrides.listen_http,
            public: self.overrides.listen_public,
            admin: self.overrides.listen_admin,
            policies_dir: self.policies.policies_dir,
            log_level: self.overrides.log_level,
            log_format: self.overrides.log_format,
        };
        let (runtime, hangups) = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return output.failure(&error),
        };
        let loaded = match config::load_with(&self.file.config, &overrides) {
            Ok(loaded) => loaded,
            Err(faults) => return output.faults(&faults),
        };
        if self.print_config {
            return output.data(&config::describe(&loaded.config));
        }
        if let Err(error) = logging::install(&loaded.config.log) {
            return output.failure(&error);
        }
        // In the log's own form: whoever reads it line by line must not trip over an excerpt.
        for warning in &loaded.warnings {
            tracing::warn!(%warning, "the configuration is probably not meant so");
        }
        let exit = runtime.block_on(serve(loaded.config, hangups, output));
        // A thread that hangs in the file system must not keep the program from ending.
        runtime.shutdown_timeout(LAST_WORK);
        exit
    }
}

/// The runtime, and SIGHUP, which must not end a program that has just begun to start.
fn runtime() -> io::Result<(Runtime, Signal)> {
    // Where there is one core, threads that hand work to each other only cost.
    let one_core = thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let mut builder = if one_core {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    let runtime = builder.enable_all().thread_stack_size(STACK).build()?;
    let hangups = {
        let _entered = runtime.enter();
        shutdown::hangups()?
    };
    Ok((runtime, hangups))
}

async fn serve(config: Config, mut hangups: Signal, output: Output) -> Exit {
    let dir = config.policies.dir.clone();
    let app = match App::start(config, PolicyOrigin::Directory).await {
        Ok(app) => app,
        Err(StartError::Policies(faults)) => {
            return output.faults(&policies::below(&dir, faults));
        }
        Err(StartError::Revocations(faults)) => return output.faults(&faults),
        Err(error) => return output.failure(&error),
    };
    let signalled = {
        let reloads = async {
            while hangups.recv().await.is_some() {
                app.reload();
            }
        };
        let work = async {
            tokio::join!(app.become_ready(), reloads);
            future::pending().await
        };
        tokio::select! {
            signalled = shutdown::signalled() => signalled,
            never = work => never,
        }
    };
    match signalled {
        Ok(signal) => tracing::info!(signal, "draining"),
        Err(error) => return output.failure(&error),
    }
    app.drain().await;
    Exit::Done
}
