//! Processes and load: a server pinned to one core, h2load pinned to another.

use std::error::Error;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// The core that the servers run on.
const SERVER_CORE: &str = "0";

/// The core that the load comes from.
const LOAD_CORE: &str = "1";

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct Server(Child);

impl Server {
    /// Starts `program` on the servers' core, and waits until it accepts at `address`.
    pub fn start(
        program: &Path,
        arguments: &[&str],
        address: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let child = Command::new("taskset")
            .args(["-c", SERVER_CORE])
            .arg(program)
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()?;
        let server = Self(child);
        for _ in 0..3_000 {
            if TcpStream::connect(address).is_ok() {
                return Ok(server);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!(
            "`{}` did not listen at {address} within 60 s",
            program.display()
        )
        .into())
    }

    /// Resident memory, in kibibytes (`VmRSS` of proc(5)).
    #[expect(clippy::disallowed_methods, reason = "reads what the kernel says")]
    pub fn resident_kib(&self) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("no VmRSS")?;
        Ok(number.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended by itself is reported by the load that fails.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Sends `message` over and over for `seconds`, and returns the checks answered a second.
pub fn run(message: &Path, address: &str, seconds: u32) -> Result<f64, Box<dyn Error>> {
    let output = Command::new("taskset")
        .args(["-c", LOAD_CORE, "h2load"])
        .args(["-c", "4", "-m", "32", "-t", "1", "--warm-up-time", "1"])
        .args(["-D", &seconds.to_string()])
        .arg("-d")
        .arg(message)
        .args(["-H", "content-type: application/grpc", "-H", "te: trailers"])
        .arg(format!(
            "http://{address}/envoy.service.auth.v3.Authorization/Check"
        ))
        .output()
        .map_err(|error| format!("h2load cannot be run ({error}); it is in nghttp2-client"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let finished = text.lines().find(|line| line.starts_with("finished in"));
    let rate = finished
        .and_then(|line| {
            line.split(", ")
                .find_map(|part| part.strip_suffix(" req/s"))
        })
        .ok_or_else(|| format!("h2load said nothing of a rate:\n{text}"))?;
    let failed = text.lines().find(|line| line.starts_with("requests:"));
    if !failed.is_some_and(|line| line.contains(" 0 failed, 0 errored, 0 timeout")) {
        return Err(format!("some checks failed:\n{text}").into());
    }
    Ok(rate.parse()?)
}
