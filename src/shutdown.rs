//! Signals, and the end of a run, in order: not ready, serve on, close, drain.

use std::io;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::watch;

/// The two switches that every listener watches.
#[derive(Debug)]
pub struct Shutdown {
    ready: watch::Sender<bool>,
    stop: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            ready: watch::Sender::new(false),
            stop: watch::Sender::new(false),
        }
    }
}

impl Shutdown {
    /// Whether checks should be sent here.
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// Whether the listeners should close.
    pub fn stop(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Everything that checks need is there.
    pub fn set_ready(&self) {
        self.ready.send_replace(true);
    }

    /// Withdraws readiness, serves on for `drain` so that proxies can notice, then closes the
    /// listeners.
    pub async fn begin(&self, drain: Duration) {
        self.ready.send_replace(false);
        tokio::time::sleep(drain).await;
        self.stop.send_replace(true);
    }
}

/// SIGHUP. From the moment on that this exists, it does not end the process; signals that nobody waits
/// for yet are kept, as one.
pub fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Waits for SIGTERM or SIGINT.
pub async fn signalled() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}
