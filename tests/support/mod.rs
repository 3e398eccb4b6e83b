//! The outside world of the end-to-end tests: a real Envoy, a real authorization server, a real MCP
//! server and client, and what starts, watches and stops them.
//!
//! A test file says `mod support;` and takes what it needs. Every process ends with the value that
//! holds it, and also when the test process dies or keeps that value in a `static`.
//!
//! This is a `mod.rs` because cargo would take `tests/support.rs` for a test of its own.

#![expect(
    dead_code,
    reason = "each test binary compiles all of it and uses a part"
)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a broken tool fails the test, and the message says why"
)]

pub(crate) mod ask;
pub(crate) mod asking;
pub(crate) mod authorization_server;
pub(crate) mod authorizer;
pub(crate) mod bundle_server;
pub(crate) mod certificates;
pub(crate) mod conformance;
pub(crate) mod crowd;
pub(crate) mod dpop;
pub(crate) mod envoy;
pub(crate) mod fake_issuer;
pub(crate) mod folder;
pub(crate) mod h2;
pub(crate) mod http;
pub(crate) mod injector;
pub(crate) mod introspector;
pub(crate) mod liars;
pub(crate) mod lies;
pub(crate) mod mcp;
pub(crate) mod nanoidp;
pub(crate) mod port;
pub(crate) mod process;
pub(crate) mod redis;
pub(crate) mod scene;
pub(crate) mod sidecar;
pub(crate) mod siege;
pub(crate) mod signer;
pub(crate) mod stack;
pub(crate) mod tls;
pub(crate) mod tokens;
pub(crate) mod tools;
pub(crate) mod two_tools;
