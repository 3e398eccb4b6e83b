//! A sidecar with an open site beside its MCP endpoints, for tables of hostile paths and headers.

use std::sync::OnceLock;

use serde_json::json;

use super::super::ask::Ask;
use super::super::ask::Asker;
use super::super::sidecar::Sidecar;
use super::super::tokens::Key;

/// What is asked for.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// The site beside the endpoint is open to everybody, so that whatever slips past the endpoint is
/// seen to be allowed.
const OPEN: &str = r#"
@id("open-site") @allow("permit-everyone")
permit (principal, action, resource is Mcp::Route) when { resource in Mcp::Server::"site" };
@id("open-handshake")
permit (principal is Mcp::Anonymous, action in [Mcp::Action::"lifecycle"], resource == Mcp::Server::"open");
"#;

/// One sidecar for a whole table.
pub(crate) struct World {
    /// The issuer's key.
    pub(crate) key: Key,
    /// What is attacked.
    pub(crate) sidecar: Sidecar,
    /// Asks it.
    pub(crate) asker: Asker,
}

/// The one of this test binary.
pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = Key::new();
        let config = format!(
            "authenticators:\n{}- {{name: strangers, type: anonymous}}\n\
             resources:\n\
             - {{name: weather, url: \"{RESOURCE}\", kind: mcp, authenticators: [corp]}}\n\
             - {{name: deep, url: \"https://mcp.example.com/a/b.c/mcp\", kind: mcp, authenticators: [corp]}}\n\
             - {{name: open, url: \"https://open.example.com/mcp\", kind: mcp, authenticators: [corp, strangers]}}\n\
             - {{name: site, url: \"https://mcp.example.com\", kind: http, authenticators: [corp, strangers]}}\n\
             policies: {{dir: policies}}\nlimits: {{deadline: 1s}}\n",
            key.authenticator()
        );
        let sidecar = Sidecar::start_with(&config, &[("50-open.cedar", OPEN)]);
        let asker = sidecar.asker();
        World {
            key,
            sidecar,
            asker,
        }
    })
}

impl World {
    /// A call that is allowed.
    pub(crate) fn call(&self) -> Ask {
        let token = self.key.token(RESOURCE, &json!({"roles": ["viewer"]}));
        Ask::call("get_forecast").bearer(&token)
    }

    /// What is said to it.
    pub(crate) fn reason(&self, ask: &Ask) -> String {
        self.asker.grpc(ask).reason
    }
}
