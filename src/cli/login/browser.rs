//! Opens a page in the browser of whoever sits at the terminal.

use std::io;
use std::io::IsTerminal as _;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use url::Url;

/// Tries to. The URL is printed in any case, so a failure is nothing to report. The URL is an
/// argument and never seen by a shell, and as it begins with `http` it cannot be an option.
pub(super) fn open(url: &Url) {
    if !io::stdin().is_terminal() {
        return;
    }
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let started = Command::new(program)
        .arg(url.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Ok(mut child) = started {
        // Somebody has to wait for it, or it stays as a zombie.
        thread::spawn(move || drop(child.wait()));
    }
}
