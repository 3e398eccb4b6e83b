//! Everything around cedargate, put together: issuer, upstream, and Envoy with the shipped
//! configuration in front.

use super::authorization_server::AuthorizationServer;
use super::envoy::Envoy;
use super::envoy::EnvoyConfig;
use super::mcp::McpServer;
use super::port;

/// An issuer and an upstream for one MCP resource, whose public URL is settled before Envoy runs.
///
/// A test starts this, then cedargate with what it says (`issuer`, `resource_url`, a port), then
/// Envoy.
#[derive(Debug)]
pub(crate) struct Stack {
    /// Issues tokens for the resource.
    pub(crate) issuer: AuthorizationServer,
    /// The MCP server behind Envoy.
    pub(crate) upstream: McpServer,
    front: u16,
}

impl Stack {
    /// Starts the issuer and the upstream.
    pub(crate) fn start() -> Self {
        let front = port::free();
        Self {
            issuer: AuthorizationServer::start(&["--resource", &resource_url(front)]),
            upstream: McpServer::start(),
            front,
        }
    }

    /// The public URL of the MCP server: what clients use, and the audience of their tokens.
    pub(crate) fn resource_url(&self) -> String {
        resource_url(self.front)
    }

    /// Where the metadata of the resource is (RFC 9728, section 3.1).
    pub(crate) fn metadata_url(&self) -> String {
        let front = self.front;
        format!("http://127.0.0.1:{front}/.well-known/oauth-protected-resource/mcp")
    }

    /// Starts Envoy in front, for the host 127.0.0.1, and waits until it finds the authorizer at
    /// that port healthy.
    pub(crate) fn open(&self, authorizer: u16) -> Envoy {
        let config = EnvoyConfig::shipped(self.upstream.port(), authorizer);
        let envoy = Envoy::start(&config.on_loopback().front_at(self.front));
        envoy.wait_for_authorizer(true);
        envoy
    }
}

fn resource_url(front: u16) -> String {
    format!("http://127.0.0.1:{front}/mcp")
}
