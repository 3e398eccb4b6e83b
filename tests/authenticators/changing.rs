//! A sidecar with files that change while it runs, and what callers get meanwhile.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::house::RESOURCE;
use crate::support::ask::Ask;
use crate::support::ask::Asker;
use crate::support::ask::Verdict;
use crate::support::envoy::poll;
use crate::support::introspector::Introspector;
use crate::support::introspector::Reply;
use crate::support::sidecar::Sidecar;
use crate::support::signer::Signer;
use crate::support::signer::Token;
use crate::support::tokens::now;
use crate::table::forecast;

/// How soon a changed file counts.
pub(crate) const SOON: Duration = Duration::from_secs(2);

const CORP: &str = "https://issuer.example";
const PARTNER: &str = "https://partner.example";
pub(crate) const KEY: &str = "front.DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDM";
pub(crate) const QUALIFIED_KEY: &str = "back.EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEM";
pub(crate) const KEPT_KEY: &str = "kept.FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFM";
pub(crate) const SHARED: &str = "cinnamon-street-0123456789-0123456789-01";

/// A user whom only `principals.yaml` makes a viewer, and a client and a key of the same kind.
pub(crate) const PRINCIPALS: &str = "
users:
  https://issuer.example#dora: {roles: [viewer]}
clients:
  https://issuer.example#batch: {roles: [viewer]}
api_keys:
  kept: {roles: [viewer]}
";

const WORKLOADS: &str = r#"
@id("table-workloads")
permit (principal is Mcp::Client, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/get_forecast")
when { principal.issuer == "spiffe://example.org" };
"#;

/// A sidecar whose files a test changes.
pub(crate) struct Changing {
    corp: Signer,
    partner: Signer,
    introspector: Introspector,
    pub(crate) sidecar: Sidecar,
    pub(crate) asker: Asker,
}

impl Changing {
    pub(crate) fn new(revoked: &str) -> Self {
        let (corp, partner) = (Signer::new("ES256"), Signer::new("ES256"));
        let introspector = Introspector::start();
        let config = format!(
            "authenticators:\n\
             - {{name: corp, type: jwt, issuer: \"{CORP}\", keys: [{}]}}\n\
             - {{name: partner, type: jwt, issuer: \"{PARTNER}\", keys: [{}], \
                roles: {{prefix: \"partner:\"}}, groups: {{allow: [staff], prefix: \"partner:\"}}, \
                scopes: {{allow: [\"weather:read\"]}}}}\n\
             - {{name: opaque, type: introspection, endpoint: \"{}\", client_id: rs, \
                client_secret: s3cr3t-of-rs, insecure_allow_http: true, roles: {{allow: []}}}}\n\
             - {{name: keys, type: api_key, keys: [\
                {{id: front, secret: \"{KEY}\", roles: [viewer]}}, \
                {{id: back, secret: \"{QUALIFIED_KEY}\", roles: [viewer]}}, \
                {{id: kept, secret: \"{KEPT_KEY}\"}}]}}\n\
             - {{name: shared, type: static_token, token: \"{SHARED}\", subject: operator, roles: [viewer]}}\n\
             - {{name: mesh, type: mtls, trust_domains: [example.org]}}\n\
             resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             policies: {{dir: policies, allow_warnings: [unknown-scope]}}\nlimits: {{deadline: 2s}}\nrevocations: revoked.yaml\n",
            corp.key("k1"),
            partner.key("k1"),
            introspector.url(),
        );
        let listen = "  xfcc_peers: [127.0.0.1]\n";
        let sidecar = Sidecar::launch_listening(&config, listen, |policies| {
            let write = |path: &Path, text: &str| fs::write(path, text).expect("a file");
            write(&policies.join("50-table.cedar"), WORKLOADS);
            write(&policies.join("principals.yaml"), PRINCIPALS);
            write(&policies.with_file_name("revoked.yaml"), revoked);
        });
        let sidecar = sidecar.until_ready();
        Self {
            corp,
            partner,
            introspector,
            asker: sidecar.asker(),
            sidecar,
        }
    }

    /// A token of the first issuer, with claims on top.
    pub(crate) fn corp(&self, claims: Value) -> Ask {
        let token = Token::new(&self.corp, "k1", CORP, RESOURCE);
        forecast().bearer(&token.claims(claims).text())
    }

    /// A token of the other issuer that may read.
    pub(crate) fn partner(&self, claims: Value) -> Ask {
        let token = Token::new(&self.partner, "k1", PARTNER, RESOURCE);
        let token = token.claims(json!({"scope": "weather:read"}));
        forecast().bearer(&token.claims(claims).text())
    }

    pub(crate) fn opaque(&self, subject: &str) -> Ask {
        let exp = now() + 300;
        let body = json!({"active": true, "sub": subject, "client_id": "app", "aud": RESOURCE,
            "scope": "weather:read", "exp": exp});
        let token = self.introspector.token(Reply::Json(body.to_string()));
        forecast().bearer(&token)
    }

    pub(crate) fn revoke(&self, list: &str) {
        fs::write(self.sidecar.folder().join("revoked.yaml"), list).expect("a file");
    }

    /// What each of them gets, over gRPC and over HTTP. A file may come into force between the two.
    pub(crate) fn verdicts(&self, asks: &[(&'static str, Ask)]) -> Vec<(&'static str, String)> {
        let text = |verdict: &Verdict| match verdict.reason.as_str() {
            "allowed" => "allowed".to_owned(),
            _ => format!("{} {}", verdict.reason, message(&verdict.body)),
        };
        let both = |ask: &Ask| {
            let grpc = text(&self.asker.grpc(ask));
            let http = text(&self.asker.http(ask));
            if grpc == http {
                grpc
            } else {
                format!("{grpc}, but over HTTP {http}")
            }
        };
        asks.iter().map(|(name, ask)| (*name, both(ask))).collect()
    }

    /// Fails with all who do not get what they should.
    pub(crate) fn all(&self, when: &str, asks: &[(&'static str, Ask)], expected: &str) {
        let others = self.others(asks, expected);
        assert!(others.is_empty(), "{when}: not {expected}: {others:#?}");
    }

    fn others(&self, asks: &[(&'static str, Ask)], expected: &str) -> Vec<(&'static str, String)> {
        let verdicts = self.verdicts(asks).into_iter();
        verdicts.filter(|(_, found)| found != expected).collect()
    }

    /// Waits until everybody gets what he should.
    pub(crate) fn becomes(&self, when: &str, asks: &[(&'static str, Ask)], expected: &str) {
        let others = Mutex::new(Vec::new());
        let done = poll(SOON, || {
            let found = self.others(asks, expected);
            let done = found.is_empty();
            *others.lock().unwrap_or_else(PoisonError::into_inner) = found;
            done
        });
        assert!(done, "{when}: not {expected} within {SOON:?}: {others:#?}");
    }
}

fn message(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let facts = json.pointer("/error/data").unwrap_or(&json);
    let message = facts.get("message").and_then(Value::as_str);
    message.unwrap_or_default().to_owned()
}
