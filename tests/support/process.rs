//! A child process that tells when it is ready, is watched, and never outlives its test.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long a program may take to get ready, on a busy machine.
pub(crate) const READY: Duration = Duration::from_secs(30);

/// A running program. Dropping it kills it, and prints its standard error if the test has failed.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    stdout: Lines,
    stderr: Lines,
    /// Kills the program when its standard input closes: when we are dropped, and when this
    /// process dies without dropping anything.
    watchdog: Child,
    _lifeline: ChildStdin,
}

impl Process {
    /// Starts a program with both outputs collected and nothing to read.
    pub(crate) fn spawn(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let stdout = Lines::collect(child.stdout.take().expect("standard output is piped"));
        let stderr = Lines::collect(child.stderr.take().expect("standard error is piped"));
        let mut watchdog = Command::new("sh")
            .args(["-c", "read -r _; kill -KILL \"$1\"", "sh"])
            .arg(child.id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("cannot start `sh`");
        let lifeline = watchdog.stdin.take().expect("standard input is piped");
        Self {
            name: name.to_owned(),
            child,
            stdout,
            stderr,
            watchdog,
            _lifeline: lifeline,
        }
    }

    /// The first line of standard output that is a JSON object with `member`, within [`READY`].
    pub(crate) fn ready(&self, member: &str) -> Value {
        let object = |line: &str| -> Option<Value> {
            let value: Value = serde_json::from_str(line).ok()?;
            value.get(member).is_some().then_some(value)
        };
        let found = self
            .stdout
            .wait(READY, |lines| lines.iter().find_map(|line| object(line)));
        found.unwrap_or_else(|| {
            panic!(
                "{} did not get ready; it said:\n{}{}",
                self.name,
                self.stdout.text(),
                self.stderr.text()
            )
        })
    }

    /// The same, for the number of a port.
    pub(crate) fn ready_port(&self) -> u16 {
        let port = self.ready("port").get("port").and_then(Value::as_u64);
        port.and_then(|port| u16::try_from(port).ok())
            .unwrap_or_else(|| panic!("{} named no port", self.name))
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The lines of standard output so far.
    pub(crate) fn stdout(&self) -> &Lines {
        &self.stdout
    }

    /// The lines of standard error so far.
    pub(crate) fn stderr(&self) -> &Lines {
        &self.stderr
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args(["-s", signal, &self.child.id().to_string()])
            .status()
            .expect("cannot run `kill`");
        assert!(status.success(), "cannot signal {}", self.name);
    }

    /// Waits for it to end by itself, within `deadline`.
    pub(crate) fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        self.stdout
            .wait_closed(deadline)
            .then(|| self.child.wait().expect("the child is ours to wait for"))
    }
}

impl Drop for Process {
    #[expect(
        clippy::print_stderr,
        reason = "shown beside the message of the failed test"
    )]
    fn drop(&mut self) {
        // The watchdog goes first: it must not signal a process number that has become free.
        for child in [&mut self.watchdog, &mut self.child] {
            drop(child.kill());
            drop(child.wait());
        }
        if thread::panicking() {
            eprintln!("--- {} said:\n{}---", self.name, self.stderr.text());
        }
    }
}

/// The lines that a program has written so far.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    shared: Arc<(Mutex<Written>, Condvar)>,
}

#[derive(Debug, Default)]
struct Written {
    lines: Vec<String>,
    closed: bool,
}

impl Lines {
    fn collect(stream: impl Read + Send + 'static) -> Self {
        let lines = Self {
            shared: Arc::default(),
        };
        let writer = lines.clone();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(stream.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                writer.update(|written| written.lines.push(text));
                line.clear();
            }
            writer.update(|written| written.closed = true);
        });
        lines
    }

    fn update(&self, change: impl FnOnce(&mut Written)) {
        let (mutex, changed) = &*self.shared;
        change(&mut mutex.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    /// What `find` makes of the lines, as soon as it finds something, within `deadline`; gives up
    /// early when nothing more can come.
    pub(crate) fn wait<T>(
        &self,
        deadline: Duration,
        mut find: impl FnMut(&[String]) -> Option<T>,
    ) -> Option<T> {
        let mut found = None;
        self.block(deadline, |written| {
            found = find(&written.lines);
            found.is_some() || written.closed
        });
        found
    }

    /// Whether the program closes its output within `deadline`.
    pub(crate) fn wait_closed(&self, deadline: Duration) -> bool {
        self.block(deadline, |written| written.closed)
    }

    fn block(&self, deadline: Duration, mut done: impl FnMut(&Written) -> bool) -> bool {
        let (mutex, changed) = &*self.shared;
        let written = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        let (_written, timeout) = changed
            .wait_timeout_while(written, deadline, |written| !done(written))
            .unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    /// A copy of the lines so far.
    pub(crate) fn snapshot(&self) -> Vec<String> {
        let (mutex, _) = &*self.shared;
        let written = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        written.lines.clone()
    }

    /// The lines so far as one text.
    pub(crate) fn text(&self) -> String {
        let mut text = self.snapshot().join("\n");
        text.push('\n');
        text
    }
}
