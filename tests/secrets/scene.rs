//! A sidecar with every kind of secret, at its most talkative, and everything that it is asked.

use std::fmt::Write as _;
use std::fs;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::needles::Needles;
use crate::support::ask::Ask;
use crate::support::ask::Asker;
use crate::support::dpop::DpopKey;
use crate::support::http::Request;
use crate::support::introspector::Introspector;
use crate::support::introspector::Reply;
use crate::support::sidecar::Sidecar;
use crate::support::signer::Signer;
use crate::support::signer::Token;
use crate::support::tokens::now;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// A secret of 40 characters in the alphabet of base64url.
fn random() -> String {
    std::iter::repeat_with(fastrand::alphanumeric)
        .take(40)
        .collect()
}

/// The secrets of one configuration.
pub(crate) struct Secrets {
    pub(crate) hmac: String,
    pub(crate) client: String,
    pub(crate) key: String,
    pub(crate) hashed_key: String,
    pub(crate) token: String,
    pub(crate) shared: String,
    pub(crate) admin: String,
}

/// The sidecar and what it has answered.
pub(crate) struct Scene {
    pub(crate) secrets: Secrets,
    corp: Signer,
    legacy: Signer,
    introspector: Introspector,
    pub(crate) sidecar: Sidecar,
    asker: Asker,
    pub(crate) needles: Needles,
    heard: String,
}

impl Scene {
    pub(crate) fn new(level: &str) -> Self {
        let secrets = Secrets {
            hmac: random(),
            client: random(),
            key: format!("front.{}abM", random()),
            hashed_key: format!("back.{}abM", random()),
            token: random(),
            shared: random(),
            admin: random(),
        };
        let corp = Signer::new("ES256");
        let legacy = Signer::secret("HS256", &secrets.hmac);
        let introspector = Introspector::start();
        let mut needles = Needles::default();
        for (name, secret) in [
            ("the HMAC secret", &secrets.hmac),
            ("the client secret", &secrets.client),
            ("the API key", &secrets.key),
            ("the hashed API key", &secrets.hashed_key),
            ("the static token", &secrets.token),
            ("the shared secret", &secrets.shared),
            ("the admin token", &secrets.admin),
        ] {
            needles.add(name, secret);
        }
        let pair = BASE64_STANDARD.encode(format!("rs:{}", secrets.client));
        needles.add("the credentials of the client", &pair);
        let config = secrets.config(&corp, &introspector.url(), level);
        let listen = format!("  shared_secret: \"{}\"\n", secrets.shared);
        let sidecar = Sidecar::launch_listening(&config, &listen, |_| ()).until_ready();
        Self {
            asker: sidecar.asker(),
            secrets,
            corp,
            legacy,
            introspector,
            sidecar,
            needles,
            heard: String::new(),
        }
    }

    /// The configuration as it stands in its file.
    #[expect(
        clippy::disallowed_methods,
        reason = "a file that this test has written"
    )]
    pub(crate) fn config(&self) -> String {
        fs::read_to_string(self.sidecar.folder().join("cedargate.yaml")).expect("a file")
    }

    /// Everything that was answered so far.
    pub(crate) fn heard(&self) -> &str {
        &self.heard
    }

    /// Sends good and bad credentials of every kind, and asks everything else that answers.
    pub(crate) fn ask_everything(&mut self) {
        for (name, secret, ask) in self.asks() {
            self.needles.add(name, &secret);
            for (dialect, verdict) in [
                ("gRPC", self.asker.grpc(&ask)),
                (
                    "HTTP",
                    self.asker.http(
                        &ask.clone()
                            .header("x-cedargate-secret", &self.secrets.shared),
                    ),
                ),
                (
                    "HTTP",
                    self.asker.http(
                        &ask.clone()
                            .header("x-cedargate-secret", flipped(&self.secrets.shared)),
                    ),
                ),
                ("HTTP", self.asker.http(&ask)),
            ] {
                writeln!(self.heard, "{name} over {dialect}: {verdict:?}").expect("a string grows");
                if name.starts_with("good") && dialect == "gRPC" {
                    assert_eq!(verdict.reason, "allowed", "{name}: {verdict:?}");
                }
            }
        }
        let admin = self.secrets.admin.clone();
        for path in [
            "/metrics",
            "/readyz",
            "/v1/status",
            "/v1/decisions",
            "/v1/explain",
            "/v1/policies",
            "/",
        ] {
            for bearer in [None, Some(admin.clone()), Some(flipped(&admin))] {
                let mut request = Request::new("GET", path);
                if let Some(token) = &bearer {
                    request = request.bearer(token);
                }
                let answer = request.send(self.sidecar.admin).expect("an answer");
                if path == "/v1/status" {
                    let good = bearer.as_ref() == Some(&admin);
                    assert_eq!(answer.status == 200, good, "{answer:?}");
                }
                writeln!(
                    self.heard,
                    "{path}: {} {:?} {}",
                    answer.status,
                    answer.headers,
                    answer.text()
                )
                .expect("a string grows");
            }
        }
        // A request that is none, with a secret in it.
        let wire =
            format!("GET /check HTTP/1.1\r\nauthorization: Bearer {admin}\r\nx y: z\r\n\r\n");
        let answer = crate::support::http::exchange(self.sidecar.http, wire.as_bytes());
        writeln!(self.heard, "{answer:?}").expect("a string grows");
    }

    /// What is sent, with a name and with the secret that is in it.
    fn asks(&self) -> Vec<(&'static str, String, Ask)> {
        let call = || Ask::call("get_forecast");
        let corp = || Token::new(&self.corp, "k1", "https://issuer.example", RESOURCE);
        let legacy = || Token::new(&self.legacy, "k1", "https://legacy.example", RESOURCE);
        let opaque =
            |body: serde_json::Value| self.introspector.token(Reply::Json(body.to_string()));
        let active = json!({"active": true, "sub": "alice", "client_id": "app", "aud": RESOURCE,
            "scope": "weather:read", "exp": now() + 300});
        let mut asks = Vec::new();
        let mut bearer = |name: &'static str, token: String| {
            asks.push((name, token.clone(), call().bearer(&token)));
        };
        bearer("good signed token", corp().text());
        bearer("good token signed with a secret", legacy().text());
        bearer("good opaque token", opaque(active));
        bearer("good static token", self.secrets.token.clone());
        bearer("expired token", corp().claims(json!({"exp": 1})).text());
        bearer(
            "token for somebody else",
            corp().claims(json!({"aud": "x"})).text(),
        );
        bearer(
            "token of an unknown issuer",
            corp().claims(json!({"iss": "x"})).text(),
        );
        bearer(
            "token with an unknown key",
            corp().header(json!({"kid": "x"})).text(),
        );
        bearer("token with a bad signature", format!("{}AA", corp().text()));
        bearer(
            "token with a bad signature by a secret",
            flipped(&legacy().text()),
        );
        bearer(
            "token without rights",
            corp().claims(json!({"roles": []})).text(),
        );
        bearer(
            "encrypted token",
            format!("{}.{}.{}", corp().text(), random(), random()),
        );
        bearer(
            "opaque token that is not active",
            opaque(json!({"active": false})),
        );
        bearer(
            "opaque token for somebody else",
            opaque(json!({"active": true, "sub": "a", "aud": "x"})),
        );
        bearer(
            "opaque token about which nonsense is said",
            opaque(json!("nonsense")),
        );
        bearer(
            "opaque token about which nothing is said",
            self.introspector.token(Reply::Close),
        );
        bearer("static token that is wrong", flipped(&self.secrets.token));
        bearer("token that is too long", random().repeat(500));
        for (name, key) in [
            ("good API key", self.secrets.key.clone()),
            ("good hashed API key", self.secrets.hashed_key.clone()),
            ("wrong API key", flipped(&self.secrets.key)),
            ("API key of nobody", format!("nobody.{}abM", random())),
        ] {
            asks.push((name, key.clone(), call().header("x-api-key", &key)));
        }
        let (one, two) = (self.secrets.key.clone(), corp().text());
        asks.push((
            "two credentials",
            two.clone(),
            call().header("x-api-key", &one).bearer(&two),
        ));
        let odd = random();
        asks.push((
            "odd scheme",
            odd.clone(),
            call().header("authorization", format!("Basic {odd}")),
        ));
        let odd = random();
        asks.push((
            "odd header",
            odd.clone(),
            call().header("authorization", format!("Bearer {odd} {odd}")),
        ));
        let odd = random();
        let query = format!("/mcp?access_token={odd}");
        asks.push((
            "token in the query",
            odd,
            call().at(crate::support::ask::HOST, &query),
        ));
        asks.extend(bound(&corp));
        asks
    }
}

/// A token that is bound to a key, beside proofs.
fn bound<'a>(corp: &dyn Fn() -> Token<'a>) -> Vec<(&'static str, String, Ask)> {
    let key = DpopKey::new();
    let token = corp()
        .claims(json!({"cnf": {"jkt": key.thumbprint()}}))
        .text();
    let ask = Ask::call("get_forecast").header("authorization", format!("DPoP {token}"));
    let good = key.proof("POST", RESOURCE, Some(&token), None);
    let bad = key.proof("GET", RESOURCE, Some(&token), None);
    vec![
        (
            "good bound token",
            token.clone(),
            ask.clone().header("dpop", &good),
        ),
        (
            "proof that was used",
            good.clone(),
            ask.clone().header("dpop", &good),
        ),
        (
            "proof of something else",
            bad.clone(),
            ask.clone().header("dpop", &bad),
        ),
        ("bound token without a proof", token.clone(), ask),
        (
            "bound token as a bearer token",
            token.clone(),
            Ask::call("get_forecast").bearer(&token),
        ),
    ]
}

impl Secrets {
    fn config(&self, corp: &Signer, introspection: &str, level: &str) -> String {
        let Self {
            hmac,
            client,
            key,
            token,
            admin,
            ..
        } = self;
        let hash = digest::digest(&digest::SHA256, self.hashed_key.as_bytes());
        let hash = hash.as_ref().iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string grows");
            hex
        });
        format!(
            "authenticators:
- {{name: corp, type: jwt, issuer: \"https://issuer.example\", keys: [{}]}}
- {{name: legacy, type: jwt, issuer: \"https://legacy.example\", roles: {{allow: [viewer]}},
   keys: [{{secret: \"{hmac}\", algorithm: HS256}}]}}
- {{name: opaque, type: introspection, endpoint: \"{introspection}\", client_id: rs,
   client_secret: \"{client}\", insecure_allow_http: true, roles: {{allow: []}}}}
- name: keys
  type: api_key
  keys: [{{id: front, secret: \"{key}\", roles: [viewer]}}, {{id: back, hash: \"sha256:{hash}\", roles: [viewer]}}]
- {{name: static, type: static_token, token: \"{token}\", subject: operator, roles: [viewer]}}
resources:
- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}
policies: {{dir: policies}}
limits: {{deadline: 2s}}
admin: {{token: \"{admin}\"}}
log: {{level: {level}}}
",
            corp.key("k1")
        )
    }
}

/// The last character changed.
fn flipped(text: &str) -> String {
    let mut text = text.to_owned();
    let last = text.pop();
    text.push(if last == Some('A') { 'Q' } else { 'A' });
    text
}
