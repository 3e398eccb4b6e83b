//! What commands print: data on standard output, messages and faults on standard error.

use std::io;
use std::io::IsTerminal;
use std::io::Write;

use crate::cli::Exit;
use crate::fault::Fault;
use crate::fault::render;

/// Where and how a command prints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
    colour: bool,
    colour_data: bool,
}

/// What a piece of text means, for terminals with colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Good,
    Bad,
    Name,
    Aside,
}

impl Output {
    #[expect(
        clippy::disallowed_methods,
        reason = "NO_COLOR is a setting of the terminal"
    )]
    pub(super) fn new(json: bool) -> Self {
        let plain = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty())
            || std::env::var("TERM").is_ok_and(|value| value == "dumb");
        Self {
            json,
            colour: !plain && io::stderr().is_terminal(),
            colour_data: !plain && io::stdout().is_terminal(),
        }
    }

    /// The text in a colour, where data goes to a terminal.
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colour_data {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Good => "32",
            Paint::Bad => "31",
            Paint::Name => "1",
            Paint::Aside => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Prints the result of a command. A reader that has gone is no failure.
    #[expect(clippy::unused_self, reason = "commands hold one thing that prints")]
    pub(super) fn data(self, text: &str) -> Exit {
        let mut out = io::stdout().lock();
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        match write!(out, "{text}{newline}").and_then(|()| out.flush()) {
            Ok(()) => Exit::Done,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Err(_) => Exit::Failure,
        }
    }

    /// Prints a message for the operator. There is nobody to tell when that fails.
    #[expect(clippy::unused_self, reason = "commands hold one thing that prints")]
    fn note(self, text: &str) {
        let mut err = io::stderr().lock();
        drop(writeln!(err, "{text}"));
    }

    /// Prints something that the operator should know or do, beside the data.
    pub(super) fn notice(self, text: &str) {
        if self.json {
            self.note(&serde_json::json!({"severity": "note", "message": text}).to_string());
        } else {
            self.note(text);
        }
    }

    /// Shows how far a long command is, in place of what was shown before, where somebody looks on.
    pub(super) fn progress(self, text: &str) {
        let mut err = io::stderr().lock();
        if !self.json && err.is_terminal() {
            drop(write!(err, "\r\u{1b}[K{text}").and_then(|()| err.flush()));
        }
    }

    /// Prints what a report comes to. Programs count for themselves.
    pub(super) fn summary(self, text: &str) {
        if !self.json {
            self.note(&format!("\n{text}"));
        }
    }

    /// Prints what is wrong with the arguments of a command.
    pub(super) fn usage(self, error: &dyn std::error::Error) -> Exit {
        self.failure(error);
        Exit::Usage
    }

    /// Prints what went wrong, with its causes.
    pub(super) fn failure(self, error: &dyn std::error::Error) -> Exit {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        if self.json {
            self.note(&serde_json::json!({"severity": "error", "message": text}).to_string());
        } else {
            self.note(&format!("error: {text}"));
        }
        Exit::Failure
    }

    /// Prints faults in files, every one.
    pub(super) fn faults(self, faults: &[Fault]) -> Exit {
        if faults.is_empty() {
            return Exit::Done;
        }
        let text = if self.json {
            render::render_json(faults)
        } else {
            render::render(faults, self.colour)
        };
        self.note(text.trim_end());
        Exit::Invalid
    }
}
