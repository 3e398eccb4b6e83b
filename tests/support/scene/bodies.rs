//! A sidecar that is asked by an admin, for tables of hostile bodies.

use std::sync::OnceLock;

use serde_json::json;

use super::super::ask::Ask;
use super::super::ask::Asker;
use super::super::sidecar::Sidecar;
use super::super::tokens::Key;

/// What is asked for.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// One sidecar for a whole table.
pub(crate) struct World {
    /// An admin's, so that nothing but its form stands between a body and the upstream.
    pub(crate) token: String,
    /// Asks it, in both dialects.
    pub(crate) asker: Asker,
    _sidecar: Sidecar,
}

/// The one of this test binary.
pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = Key::new();
        let config = format!(
            "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             limits: {{deadline: 2s}}\n",
            key.authenticator()
        );
        let sidecar = Sidecar::start(&config);
        World {
            token: key.token(RESOURCE, &json!({"roles": ["admin"]})),
            asker: sidecar.asker(),
            _sidecar: sidecar,
        }
    })
}

impl World {
    /// A POST of this body.
    pub(crate) fn ask(&self, body: impl AsRef<[u8]>) -> Ask {
        Ask::post(body).bearer(&self.token)
    }

    /// What is said to it.
    pub(crate) fn reason(&self, body: impl AsRef<[u8]>) -> String {
        self.asker.both(&self.ask(body)).reason
    }
}

/// A call of the harmless tool with more members in `params`.
pub(crate) fn with_params(more: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"get_forecast"{more}}}}}"#
    )
}
