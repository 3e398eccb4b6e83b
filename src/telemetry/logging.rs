//! The program's own log, on standard error.

use std::io;
use std::io::IsTerminal;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::Log;
use crate::config::LogFormat;

/// The log could not be set up.
#[derive(Debug, Error)]
pub enum LoggingError {
    /// The level is neither a level nor a filter.
    #[error("log level `{0}` is neither a level nor a filter such as `info,cedargate=debug`")]
    Level(String),
    /// Another log is installed already.
    #[error("the log is already set up")]
    Twice,
}

/// Installs the log for the whole process.
pub fn install(log: &Log) -> Result<(), LoggingError> {
    let filter =
        EnvFilter::try_new(&log.level).map_err(|_| LoggingError::Level(log.level.clone()))?;
    // What cannot be written is lost: to say so on standard error as well would panic, on whichever
    // thread had something to log, once the disk below it is full.
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    // On a terminal the subscriber decides: it knows NO_COLOR.
    let builder = if io::stderr().is_terminal() {
        builder
    } else {
        builder.with_ansi(false)
    };
    let installed = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
    installed.map_err(|_| LoggingError::Twice)
}
