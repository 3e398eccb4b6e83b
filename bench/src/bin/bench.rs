//! `cargo run --release -p cedargate-bench`: a whole check with a warm token under 1,000 policies,
//! against an empty tonic server, in turn on the same core.
//!
//! `--policies 10000` takes so many in their place, and the check under 10 of them as well, which must
//! not be faster.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use cedargate_bench::load;
use cedargate_bench::load::Server;
use cedargate_bench::scene::Scene;
use prost::Message;

const POLICIES: usize = 1_000;

/// With how many policies others are compared.
const FEW: usize = 10;

const ROUNDS: usize = 5;
const SECONDS: u32 = 4;
const EMPTY: &str = "127.0.0.1:19391";
const SIDECAR: &str = "127.0.0.1:19392";
const OTHER: &str = "127.0.0.1:19393";

#[expect(clippy::print_stdout, reason = "the figures are this program's result")]
fn main() -> Result<(), Box<dyn Error>> {
    let asked = asked()?;
    let policies = asked.unwrap_or(POLICIES);
    let few = asked.map(|_| FEW);
    let (empty, sidecar) = build()?;
    let _floor = Server::start(&empty, &[EMPTY], EMPTY)?;
    let many = Candidate::start(&sidecar, policies, SIDECAR)?;
    let few = few
        .map(|few| Candidate::start(&sidecar, few, OTHER))
        .transpose()?;
    println!(
        "{} bytes a check, {policies} policies, {SECONDS} s a run",
        many.size
    );
    println!("resident at idle: {} KiB", many.server.resident_kib()?);
    let (mut ratios, mut to_few) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let floor = load::run(&many.message(), EMPTY, SECONDS)?;
        let whole = load::run(&many.message(), SIDECAR, SECONDS)?;
        let ratio = whole / floor;
        println!("round {round}: empty {floor:.0}/s, cedargate {whole:.0}/s, ratio {ratio:.2}");
        ratios.push(ratio);
        if let Some(few) = &few {
            let rate = load::run(&few.message(), OTHER, SECONDS)?;
            let ratio = whole / rate;
            println!("round {round}: {FEW} policies {rate:.0}/s, ratio to them {ratio:.2}");
            to_few.push(ratio);
        }
    }
    println!(
        "resident after the load: {} KiB",
        many.server.resident_kib()?
    );
    println!("median ratio: {:.2}", median(ratios)?);
    if few.is_some() {
        println!("median ratio to {FEW} policies: {:.2}", median(to_few)?);
    }
    Ok(())
}

/// The number behind `--policies`.
fn asked() -> Result<Option<usize>, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(None),
        ["--policies", number] => Ok(Some(number.parse()?)),
        _ => Err("usage: bench [--policies NUMBER]".into()),
    }
}

fn median(mut ratios: Vec<f64>) -> Result<f64, Box<dyn Error>> {
    ratios.sort_by(f64::total_cmp);
    Ok(*ratios.get(ROUNDS / 2).ok_or("no round was run")?)
}

/// A sidecar under so many policies, and what it is asked.
struct Candidate {
    server: Server,
    dir: tempfile::TempDir,
    size: usize,
}

impl Candidate {
    fn start(sidecar: &Path, policies: usize, address: &str) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let scene = Scene::write(dir.path(), policies, address)?;
        fs::write(dir.path().join("check.bin"), &scene.message)?;
        let config = scene.config.display().to_string();
        let server = Server::start(sidecar, &["serve", "--config", &config], address)?;
        prove_allowed(&scene.message, address)?;
        Ok(Self {
            server,
            dir,
            size: scene.message.len(),
        })
    }

    fn message(&self) -> PathBuf {
        self.dir.path().join("check.bin")
    }
}

/// Builds both servers in release mode and returns where they are.
fn build() -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args([
            "build",
            "--release",
            "-p",
            "cedargate",
            "-p",
            "cedargate-bench",
        ])
        .args(["--bin", "cedargate", "--bin", "empty"])
        .status()?;
    if !built.success() {
        return Err("the servers could not be built".into());
    }
    let here = env::current_exe()?;
    let dir = here.parent().ok_or("this program has no directory")?;
    Ok((dir.join("empty"), dir.join("cedargate")))
}

/// The load generator counts HTTP 200 as success, which a deny is as well: so ask once, and look.
fn prove_allowed(message: &[u8], address: &str) -> Result<(), Box<dyn Error>> {
    let request = CheckRequest::decode(message.get(5..).ok_or("an empty message")?)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?;
        let channel = endpoint.connect().await?;
        let mut client = AuthorizationClient::new(channel);
        Ok::<_, Box<dyn Error>>(client.check(request).await?.into_inner())
    })?;
    match answer.status {
        Some(status) if status.code == 0 => Ok(()),
        other => Err(format!("the check is not allowed: {other:?}").into()),
    }
}
