//! `cargo run --release -p cedargate-bench`: a whole check with a warm token under 1,000 policies,
//! against an empty tonic server, in turn on the same core.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use cedargate_bench::load;
use cedargate_bench::load::Server;
use cedargate_bench::scene::Scene;
use prost::Message;

const POLICIES: usize = 1_000;
const ROUNDS: usize = 5;
const SECONDS: u32 = 4;
const EMPTY: &str = "127.0.0.1:19391";
const SIDECAR: &str = "127.0.0.1:19392";

#[expect(clippy::print_stdout, reason = "the figures are this program's result")]
fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let scene = Scene::write(dir.path(), POLICIES, SIDECAR)?;
    let message = dir.path().join("check.bin");
    fs::write(&message, &scene.message)?;
    let (empty, sidecar) = build()?;
    let config = scene.config.display().to_string();
    let empty_server = Server::start(&empty, &[EMPTY], EMPTY)?;
    let sidecar_server = Server::start(&sidecar, &["serve", "--config", &config], SIDECAR)?;
    println!("resident at idle: {} KiB", sidecar_server.resident_kib()?);
    prove_allowed(&scene.message)?;
    println!(
        "{} bytes a check, {POLICIES} policies, {SECONDS} s a run",
        scene.message.len()
    );
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let floor = load::run(&message, EMPTY, SECONDS)?;
        let whole = load::run(&message, SIDECAR, SECONDS)?;
        let ratio = whole / floor;
        println!("round {round}: empty {floor:.0}/s, cedargate {whole:.0}/s, ratio {ratio:.2}");
        ratios.push(ratio);
    }
    println!(
        "resident after the load: {} KiB",
        sidecar_server.resident_kib()?
    );
    drop(empty_server);
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ROUNDS / 2).ok_or("no round was run")?;
    println!("median ratio: {median:.2}");
    Ok(())
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
fn prove_allowed(message: &[u8]) -> Result<(), Box<dyn Error>> {
    let request = CheckRequest::decode(message.get(5..).ok_or("an empty message")?)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{SIDECAR}"))?;
        let channel = endpoint.connect().await?;
        let mut client = AuthorizationClient::new(channel);
        Ok::<_, Box<dyn Error>>(client.check(request).await?.into_inner())
    })?;
    match answer.status {
        Some(status) if status.code == 0 => Ok(()),
        other => Err(format!("the check is not allowed: {other:?}").into()),
    }
}
