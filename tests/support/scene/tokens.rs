//! A sidecar whose policies would fall for a claim in Cedar's own form, for tables of hostile tokens.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

use super::super::ask::Ask;
use super::super::ask::Asker;
use super::super::sidecar::Sidecar;
use super::super::tokens::Key;

/// What is asked for.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// What else there is, at the same issuer.
pub(crate) const OTHER: &str = "https://mcp.example.com/other";

/// Policies that a claim in Cedar's JSON form would satisfy, if one were ever read as Cedar.
const CREDULOUS: &str = r#"
@id("credulous-tag")
permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/set_alert")
when { principal.hasTag("dept") && principal.getTag("dept").contains("admin") };
@id("credulous-nested")
permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/set_alert")
when { principal.hasTag("dept.__entity.id") && principal.getTag("dept.__entity.id").contains("admin") };
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
            "authenticators:\n{}\
             resources:\n\
             - {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             - {{name: other, url: \"{OTHER}\", kind: mcp}}\n\
             policies: {{dir: policies}}\nlog: {{level: debug}}\n",
            key.authenticator()
        );
        let sidecar = Sidecar::start_with(&config, &[("50-credulous.cedar", CREDULOUS)]);
        let asker = sidecar.asker();
        World {
            key,
            sidecar,
            asker,
        }
    })
}

impl World {
    /// The claims of an honest token, with more on top.
    pub(crate) fn claims(&self, more: &Value) -> Value {
        let token = self.key.token(RESOURCE, more);
        let claims = token.split('.').nth(1).expect("three parts");
        let json = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url");
        serde_json::from_slice(&json).expect("JSON")
    }

    /// Reason and status of a call with this token.
    pub(crate) fn verdict(&self, token: &str) -> (String, i32) {
        let verdict = self.asker.grpc(&Ask::call("get_forecast").bearer(token));
        (verdict.reason, verdict.status)
    }

    /// The control of every table: what the honest token gets.
    pub(crate) fn honest(&self) {
        let token = self.key.token(RESOURCE, &json!({"roles": ["viewer"]}));
        assert_eq!(self.verdict(&token), ("allowed".to_owned(), 200));
    }

    /// The token is refused as one that is not valid.
    pub(crate) fn refuses(&self, what: &str, token: &str) {
        let refused = ("invalid_credential".to_owned(), 401);
        assert_eq!(self.verdict(token), refused, "{what}");
    }
}

/// Claims that would make an admin, with more on top.
pub(crate) fn admin(more: Value) -> Value {
    let mut claims = json!({"roles": ["admin"]});
    let members = claims.as_object_mut().expect("an object");
    if let Value::Object(more) = more {
        members.extend(more);
    }
    claims
}
