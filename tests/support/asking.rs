//! A sidecar that asks an introspection endpoint, and what there is to ask it.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use super::ask::Ask;
use super::ask::Asker;
use super::fake_issuer;
use super::sidecar::Sidecar;
use super::tokens::Key;
use super::tokens::now;

/// What is asked for.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// Longest time of a check here; a call to the endpoint lasts no longer.
pub(crate) const DEADLINE: Duration = Duration::from_millis(400);

/// What a debug build on a busy machine adds to it.
pub(crate) const MARGIN: Duration = Duration::from_millis(200);

/// A sidecar that asks an endpoint, has a local issuer, and knows an API key.
pub(crate) struct Scene {
    near: Key,
    /// What is tested.
    pub(crate) sidecar: Sidecar,
    asker: Asker,
}

impl Scene {
    /// With an endpoint at this port.
    pub(crate) fn launch(endpoint: u16) -> Self {
        let near = Key::new();
        let config = format!(
            "authenticators:\n{}- {{name: opaque, type: introspection, \
             endpoint: \"http://127.0.0.1:{endpoint}/introspect\", client_id: rs, \
             client_secret: 0123456789abcdef, insecure_allow_http: true, \
             roles: {{prefix: \"o:\"}}, groups: {{prefix: \"o:\"}}}}\n\
             - {{name: keys, type: api_key, header: x-api-key, \
             keys: [{{id: app, secret: 0123456789abcdef0123456789abcdef, roles: [viewer]}}]}}\n\
             resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             limits: {{deadline: {}ms}}\n",
            near.authenticator(),
            DEADLINE.as_millis()
        );
        let sidecar = Sidecar::start_measured(&config);
        let asker = sidecar.asker();
        Self {
            near,
            sidecar,
            asker,
        }
    }

    /// Callers who have nothing to do with the endpoint.
    pub(crate) fn others(&self) -> [Ask; 2] {
        let key = "0123456789abcdef0123456789abcdef";
        [
            forecast(&self.near.token(RESOURCE, &json!({"roles": ["viewer"]}))),
            Ask::call("get_forecast").header("x-api-key", key),
        ]
    }

    /// The reason, and how long it took.
    #[expect(clippy::disallowed_methods, reason = "a figure")]
    pub(crate) fn ask(&self, token: &str) -> (String, Duration) {
        let began = Instant::now();
        let verdict = self.asker.grpc(&forecast(token));
        let waited = began.elapsed();
        let unavailable = verdict.reason == "issuer_unavailable";
        assert_eq!(verdict.status == 503, unavailable, "{}", verdict.body);
        assert_eq!(!verdict.header("retry-after").is_empty(), unavailable);
        (verdict.reason, waited)
    }

    /// That the others are served; how long both took.
    #[expect(clippy::disallowed_methods, reason = "a figure")]
    pub(crate) fn others_are_served(&self) -> Duration {
        let began = Instant::now();
        for ask in self.others() {
            assert_eq!(self.asker.grpc(&ask).reason, "allowed");
        }
        began.elapsed()
    }

    /// Whether the endpoint is left alone.
    pub(crate) fn circuit(&self) -> bool {
        let text = self.sidecar.ask_admin("/metrics").text();
        let open = "cedargate_introspection_circuit_open{authenticator=\"opaque\"} ";
        let lines: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix(open))
            .collect();
        match lines[..] {
            [] | ["0"] => false,
            ["1"] => true,
            _ => panic!("{lines:?}"),
        }
    }

    /// How many calls came to what.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, u64> {
        self.sidecar.outcomes("introspection", "opaque")
    }
}

/// A call that every good caller is allowed.
pub(crate) fn forecast(token: &str) -> Ask {
    Ask::call("get_forecast").bearer(token)
}

/// What is said of a good token.
pub(crate) fn active() -> Value {
    json!({"active": true, "sub": "alice", "client_id": "app", "aud": RESOURCE,
        "exp": now().saturating_add(300), "scope": "weather:read"})
}

/// The token that is asked about.
pub(crate) fn asked_about(body: &str) -> &str {
    let fields = body
        .split('&')
        .find_map(|field| field.strip_prefix("token="));
    fields.unwrap_or_default()
}

/// Says of every token that begins with `good` that it is good.
pub(crate) fn honest(body: &str, stream: &mut TcpStream) {
    let good = asked_about(body).starts_with("good");
    let answer = if good {
        active()
    } else {
        json!({"active": false})
    };
    fake_issuer::json_document(stream, &answer.to_string());
}
