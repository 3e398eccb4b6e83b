//! Where decision records go: a bounded queue, and a thread that empties it into a file.

use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::sync::mpsc;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::TrySendError;
use std::thread;
use std::thread::JoinHandle;

use prometheus_client::metrics::counter::Counter;
use thiserror::Error;

use crate::config::DecisionSink;

/// Records that may wait to be written; beyond it a record is dropped and counted, so that a slow
/// disk never holds up a check.
const LONGEST_QUEUE: usize = 16_384;

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
    queue: Option<SyncSender<Message>>,
    dropped: Counter,
}

/// Writes what is still queued when the program ends.
#[derive(Debug)]
pub struct DecisionLogWriter {
    queue: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Finish,
}

impl DecisionLog {
    /// Opens the sink and starts its thread. `dropped` counts records that found the queue full or
    /// could not be written.
    pub fn open(
        sink: &DecisionSink,
        dropped: Counter,
    ) -> Result<(Self, DecisionLogWriter), DecisionLogError> {
        let output: Box<dyn Write + Send> = match sink {
            DecisionSink::None => {
                let writer = DecisionLogWriter {
                    queue: None,
                    thread: None,
                };
                return Ok((
                    Self {
                        queue: None,
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
        let (queue, messages) = mpsc::sync_channel(LONGEST_QUEUE);
        let failed = dropped.clone();
        let thread = thread::Builder::new()
            .name("decision-log".to_owned())
            .spawn(move || write_all(&messages, output, &failed))
            .map_err(|source| DecisionLogError {
                path: "thread".to_owned(),
                source,
            })?;
        let writer = DecisionLogWriter {
            queue: Some(queue.clone()),
            thread: Some(thread),
        };
        Ok((
            Self {
                queue: Some(queue),
                dropped,
            },
            writer,
        ))
    }

    /// Whether records go anywhere.
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// Queues one line, or drops it and counts it.
    pub fn write(&self, line: Vec<u8>) {
        let Some(queue) = &self.queue else { return };
        match queue.try_send(Message::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.inc();
            }
        }
    }
}

impl DecisionLogWriter {
    /// Waits until everything queued so far is written.
    pub fn finish(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        if let Some(queue) = self.queue.take()
            && queue.send(Message::Finish).is_ok()
            && let Some(thread) = self.thread.take()
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

fn write_all(messages: &mpsc::Receiver<Message>, output: Box<dyn Write + Send>, failed: &Counter) {
    let mut output = io::BufWriter::with_capacity(64 * 1024, output);
    let mut reported = false;
    while let Ok(message) = messages.recv() {
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                Message::Line(line) => note(output.write_all(&line), failed, &mut reported),
                Message::Finish => {
                    note(output.flush(), failed, &mut reported);
                    return;
                }
            }
            next = messages.try_recv().ok();
        }
        note(output.flush(), failed, &mut reported);
    }
}

/// Counts a failed write, and logs the first of a row.
fn note(result: io::Result<()>, failed: &Counter, reported: &mut bool) {
    match result {
        Ok(()) => *reported = false,
        Err(error) => {
            failed.inc();
            if !*reported {
                *reported = true;
                tracing::error!(%error, "a decision record could not be written");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "reads back what was written")]
    fn what_was_queued_is_written_before_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("decisions.ndjson");
        let dropped = Counter::default();
        let (log, writer) =
            DecisionLog::open(&DecisionSink::File(path.clone()), dropped.clone()).unwrap();
        for number in 0..1000 {
            log.write(format!("{number}\n").into_bytes());
        }
        writer.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1000);
        assert_eq!(dropped.get(), 0);
        log.write(b"late\n".to_vec());
        assert_eq!(
            dropped.get(),
            1,
            "a record after the end is counted, not lost in silence"
        );
    }
}
