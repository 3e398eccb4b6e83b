//! Compiles the protocol definitions in `proto/` with protox, so that no `protoc` is needed.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

const PROTOS: [&str; 1] = ["envoy/service/auth/v3/external_auth.proto"];

#[expect(
    clippy::disallowed_methods,
    reason = "cargo passes OUT_DIR in the environment"
)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), prost_encode(&descriptors))?;
    tonic_prost_build::configure()
        .bytes(".envoy.service.auth.v3.AttributeContext.HttpRequest.raw_body")
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}

fn prost_encode(descriptors: &impl prost::Message) -> Vec<u8> {
    descriptors.encode_to_vec()
}
