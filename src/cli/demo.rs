//! `cedargate demo`

mod front;
mod issuer;
mod upstream;

use std::future;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;

use thiserror::Error;
use tokio::net::TcpListener;

use crate::app::App;
use crate::app::PolicyOrigin;
use crate::cli::Exit;
use crate::cli::demo::issuer::Issuer;
use crate::cli::output::Output;
use crate::config;
use crate::config::Address;
use crate::fault::Source;
use crate::shutdown;
use crate::source::Clock;
use crate::source::clock::SystemClock;
use crate::telemetry::logging;

/// Show an allow, a 401 and a 403 on this machine, with nothing else installed
///
/// Starts an issuer with a key made just now, a small MCP server whose port asks the sidecar about
/// every request over gRPC as Envoy would, and the sidecar with the starter policies. Prints curl
/// commands to try, then each decision as it is taken, until it is interrupted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 interrupted; 1 it could not start; 2 wrong usage.")]
pub(super) struct Demo {
    /// Port of the MCP server; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Port of the sidecar's gRPC listener, for an Envoy of your own; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    grpc_port: u16,
}

impl Demo {
    pub(super) fn run(self, output: Output) -> Exit {
        let runtime = match tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return output.failure(&error),
        };
        match runtime.block_on(self.show(output)) {
            Ok(exit) => exit,
            Err(error) => output.failure(&*error),
        }
    }

    async fn show(self, output: Output) -> Result<Exit, Box<dyn std::error::Error>> {
        let mcp = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        let mcp = mcp.map_err(|source| PortError {
            port: self.port,
            source,
        })?;
        let mcp_address = mcp.local_addr()?;
        let resource = format!("http://{mcp_address}/mcp");
        let issuer_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let issuer = Issuer::new(&format!("http://{}", issuer_listener.local_addr()?))?;
        let text = configuration(&issuer.url, &resource, self.grpc_port);
        let source = Source {
            name: "demo.yaml".into(),
            text: text.into(),
        };
        let config = match config::parse(&source, Path::new("."), &|_: &str| None) {
            Ok(loaded) => loaded.config,
            Err(faults) => return Ok(output.faults(&faults)),
        };
        logging::install(&config.log)?;
        tokio::spawn(issuer::serve(issuer_listener, issuer.router()));
        let app = App::start(config, PolicyOrigin::Embedded).await?;
        let grpc = app.addresses().grpc.clone();
        let front = front::router(&grpc, mcp_address)?;
        tokio::spawn(async move { axum::serve(mcp, front).await });
        // For an Envoy in front, which asks the sidecar itself and takes the token away.
        let bare = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let bare_address = bare.local_addr()?;
        tokio::spawn(async move { axum::serve(bare, upstream::router()).await });
        let now_s = SystemClock::new().now_ms().div_euclid(1000);
        let viewer = issuer.token(&resource, "alice", &["viewer"], now_s)?;
        let text = instructions(&Instructions {
            mcp: mcp_address,
            bare: bare_address,
            grpc: &grpc,
            admin: &app.addresses().admin,
            issuer: &issuer.url,
            viewer: &viewer,
        });
        let shown = tokio::select! {
            // First, so that whoever has read the instructions can interrupt.
            biased;
            signalled = shutdown::signalled() => signalled.map(|_| Exit::Done)?,
            shown = async {
                app.become_ready().await;
                let shown = output.data(&text);
                if shown == Exit::Done {
                    future::pending::<()>().await;
                }
                shown
            } => shown,
        };
        app.drain().await;
        Ok(shown)
    }
}

/// The demo's port cannot be had.
#[derive(Debug, Error)]
#[error("cannot listen at port {port}; `--port` names another, or leave it out for a free one")]
struct PortError {
    port: u16,
    source: io::Error,
}

/// The configuration of the demo: what a real one looks like, with ports that are free.
fn configuration(issuer: &str, resource: &str, grpc_port: u16) -> String {
    format!(
        "listen:\n\
         \x20 grpc: 127.0.0.1:{grpc_port}\n\
         \x20 http: 127.0.0.1:0\n\
         \x20 admin: 127.0.0.1:0\n\
         \x20 drain: 0s\n\
         authenticators:\n\
         \x20 - {{name: demo, type: oidc, issuer: \"{issuer}\", insecure_allow_http: true}}\n\
         resources:\n\
         \x20 - name: weather\n\
         \x20   url: \"{resource}\"\n\
         \x20   kind: mcp\n\
         log: {{level: error, format: text}}\n"
    )
}

struct Instructions<'a> {
    mcp: SocketAddr,
    bare: SocketAddr,
    grpc: &'a Address,
    admin: &'a Address,
    issuer: &'a str,
    viewer: &'a str,
}

fn instructions(with: &Instructions<'_>) -> String {
    let Instructions {
        mcp,
        bare,
        grpc,
        admin,
        issuer,
        viewer,
    } = with;
    let bearer = format!(" -H 'authorization: Bearer {viewer}'");
    let allow = curl(*mcp, &bearer, "get_forecast", r#"{"city":"Berne"}"#);
    let stranger = curl(*mcp, "", "get_forecast", r#"{"city":"Berne"}"#);
    let forbidden = curl(*mcp, &bearer, "delete_station", r#"{"id":"BRN"}"#);
    format!(
        "An MCP server is at http://{mcp}/mcp. It asks the sidecar (gRPC {grpc}) about every request,\n\
         as Envoy would. The issuer {issuer} signs with a key made just now; the token below is\n\
         for `alice`, who has the role `viewer`. Copy a line into another terminal:\n\
         \n\
         1. Allowed: the role `viewer` may call `get_forecast`. The answer shows what the server was\n\
         \x20  told about the caller, and that it never saw the token.\n\
         {allow}\n\
         \n\
         2. 401: no token. The challenge says where a client finds out how to get one.\n\
         {stranger}\n\
         \n\
         3. 403: `viewer` may not call `delete_station`. The body says what would help.\n\
         {forbidden}\n\
         \n\
         With Envoy in front: take deploy/envoy/envoy.yaml, point its cluster `cedargate` at {grpc}\n\
         (`--grpc-port` fixes the port) and its cluster `weather` at {bare}, where the same MCP\n\
         server answers without asking, and send `host: mcp.example.com`. Probes, metrics and status: http://{admin}/readyz, /metrics,\n\
         /v1/status. Each decision is printed here as one JSON line. Ctrl-C ends the demo.\n"
    )
}

fn curl(mcp: SocketAddr, authorization: &str, tool: &str, arguments: &str) -> String {
    format!(
        "curl -sS -i http://{mcp}/mcp -H 'content-type: application/json' \
         -H 'accept: application/json, text/event-stream'{authorization} \
         -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\
         \"params\":{{\"name\":\"{tool}\",\"arguments\":{arguments}}}}}'"
    )
}
