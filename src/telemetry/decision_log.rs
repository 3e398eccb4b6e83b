//! Where decision records go: a bounded buffer, and a thread that empties it into a file.

use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use thiserror::Error;

use crate::config::DecisionSink;

/// Bytes of records that may wait to be written; beyond it a record is dropped and counted, so that
/// a slow disk never holds up a check.
const MOST_WAITING: usize = 16 * 1024 * 1024;

/// How long records are gathered before they are written, so that a busy sidecar does not wake the
/// thread for each.
const GATHER: Duration = Duration::from_millis(5);

/// How long the end of the program waits for the last records: whoever reads them may have stopped.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The decision log could not be opened.
#[derive(Debug, Error)]
#[error("the decision log `{path}` cannot be opened")]
pub struct DecisionLogError {
    path: String,
    source: io::Error,
}

/// Takes records, and writes them elsewhere.
#[derive(Clone, Debug)]
pub struct DecisionLog {
    buffer: Option<Arc<Buffer>>,
    dropped: Counter,
}

/// Writes what is still buffered when the program ends.
#[derive(Debug)]
pub struct DecisionLogWriter {
    buffer: Option<Arc<Buffer>>,
    thread: Option<JoinHandle<()>>,
    /// Closed when the thread has ended, in whatever way.
    ended: Option<Receiver<()>>,
}

#[derive(Debug, Default)]
struct Buffer {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    closed: bool,
}

impl DecisionLog {
    /// Opens the sink and starts its thread. `dropped` counts records that found the buffer full,
    /// and writes that failed.
    pub fn open(
        sink: &DecisionSink,
        dropped: Counter,
    ) -> Result<(Self, DecisionLogWriter), DecisionLogError> {
        let output: Box<dyn Write + Send> = match sink {
            DecisionSink::None => {
                let writer = DecisionLogWriter {
                    buffer: None,
                    thread: None,
                    ended: None,
                };
                return Ok((
                    Self {
                        buffer: None,
                        dropped,
                    },
                    writer,
                ));
            }
            DecisionSink::Stdout => Box::new(io::stdout()),
            DecisionSink::File(path) => {
                let opened = OpenOptions::new().create(true).append(true).open(path);
                Box::new(opened.map_err(|source| DecisionLogError {
                    path: path.display().to_string(),
                    source,
                })?)
            }
        };
        let buffer = Arc::new(Buffer::default());
        let (emptied, failed) = (Arc::clone(&buffer), dropped.clone());
        let (ending, ended) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("decision-log".to_owned())
            .spawn(move || {
                let _closed_at_the_end: Sender<()> = ending;
                write_all(&emptied, output, &failed);
            })
            .map_err(|source| DecisionLogError {
                path: "thread".to_owned(),
                source,
            })?;
        let log = Self {
            buffer: Some(Arc::clone(&buffer)),
            dropped,
        };
        Ok((
            log,
            DecisionLogWriter {
                buffer: Some(buffer),
                thread: Some(thread),
                ended: Some(ended),
            },
        ))
    }

    /// Whether records go anywhere.
    pub fn is_on(&self) -> bool {
        self.buffer.is_some()
    }

    /// Takes one line, or drops it and counts it.
    pub fn write(&self, line: &[u8]) {
        let Some(buffer) = &self.buffer else { return };
        let mut waiting = buffer.lock();
        if waiting.closed || waiting.lines.len().saturating_add(line.len()) > MOST_WAITING {
            drop(waiting);
            self.dropped.inc();
            return;
        }
        let was_empty = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if was_empty {
            buffer.changed.notify_one();
        }
    }
}

impl DecisionLogWriter {
    /// Waits until everything taken so far is written, for at most 5 s.
    pub fn finish(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        let Some(buffer) = self.buffer.take() else {
            return;
        };
        buffer.lock().closed = true;
        buffer.changed.notify_one();
        let last = self
            .ended
            .take()
            .map(|ended| ended.recv_timeout(LAST_WORDS));
        if let Some(Err(RecvTimeoutError::Timeout)) = last {
            tracing::error!("the last decision records could not be written in time");
            return;
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the decision log's thread panicked");
        }
    }
}

impl Drop for DecisionLogWriter {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines and takes them all; nothing once the log is closed and empty.
    fn take(&self, into: &mut Vec<u8>) -> bool {
        let idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.closed;
        let waiting = self.changed.wait_while(self.lock(), idle);
        let closed = waiting.unwrap_or_else(PoisonError::into_inner).closed;
        if !closed {
            thread::sleep(GATHER);
        }
        std::mem::swap(&mut self.lock().lines, into);
        !into.is_empty()
    }
}

fn write_all(buffer: &Buffer, mut output: Box<dyn Write + Send>, failed: &Counter) {
    let mut lines = Vec::new();
    let mut reported = false;
    while buffer.take(&mut lines) {
        match output.write_all(&lines).and_then(|()| output.flush()) {
            Ok(()) => reported = false,
            Err(error) => {
                let lost = lines.iter().map(|byte| u64::from(*byte == b'\n')).sum();
                failed.inc_by(lost);
                if !reported {
                    reported = true;
                    tracing::error!(%error, "decision records could not be written");
                }
            }
        }
        lines.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "reads back what was written")]
    fn what_was_taken_is_written_before_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("decisions.ndjson");
        let dropped = Counter::default();
        let (log, writer) =
            DecisionLog::open(&DecisionSink::File(path.clone()), dropped.clone()).unwrap();
        for number in 0..1000 {
            log.write(format!("{number}\n").as_bytes());
        }
        writer.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1000);
        assert_eq!(dropped.get(), 0);
        log.write(b"late\n");
        assert_eq!(
            dropped.get(),
            1,
            "a record after the end is counted, not lost in silence"
        );
    }

    #[test]
    fn a_full_disk_and_a_full_buffer_cost_records_and_nothing_else() {
        let dropped = Counter::default();
        let full = DecisionSink::File("/dev/full".into());
        let (log, writer) = DecisionLog::open(&full, dropped.clone()).unwrap();
        log.write(b"one\n");
        log.write(b"two\n");
        log.write(&vec![b'x'; MOST_WAITING + 1]);
        writer.finish();
        assert_eq!(dropped.get(), 3);
    }
}
