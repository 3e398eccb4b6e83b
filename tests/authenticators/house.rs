//! The one sidecar that most tables are held against: an authenticator of every kind, and a token or
//! key of the test's own for each.

use std::fmt::Write as _;
use std::fs;
use std::sync::OnceLock;

use serde_json::Value;
use serde_json::json;

use crate::support::ask::Ask;
use crate::support::ask::Asker;
use crate::support::dpop::DpopKey;
use crate::support::fake_issuer::FakeIssuer;
use crate::support::fake_issuer::json_document;
use crate::support::introspector::Introspector;
use crate::support::introspector::Reply;
use crate::support::sidecar::Sidecar;
use crate::support::signer::Signer;
use crate::support::signer::Token;
use crate::support::tokens::now;
use crate::table::forecast;

/// What most rows ask for.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// The issuer whose tokens most rows bend.
pub(crate) const CORP: &str = "https://issuer.example";

/// A static token.
pub(crate) const SHARED: &str = "cold-harbour-lane-0123456789-0123456789";

/// API keys: `<id>.<43 characters>`, one for each header, and one of another form.
pub(crate) const KEY: &str = "front.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAM";
pub(crate) const BACK_KEY: &str = "back.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBM";
pub(crate) const OTHER_KEY: &str = "other.CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCM";
pub(crate) const LOOSE_KEY: &str = "a-key-that-was-made-elsewhere-0123456789";

/// Who is let in where roles say nothing.
const POLICIES: &str = r#"
@id("table-viewers")
permit (principal in Mcp::Role::"viewer", action in Mcp::Action::"http", resource);
@id("table-workloads")
permit (principal is Mcp::Client, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/get_forecast")
when { principal.issuer == "spiffe://example.org" };
@id("table-strangers")
permit (principal is Mcp::Anonymous, action == Mcp::Action::"GET", resource == Mcp::Route::"open/*");
@id("table-products")
permit (principal, action == Mcp::Action::"GET", resource == Mcp::Route::"presets/*")
unless { principal is Mcp::Anonymous };
"#;

/// The products whose tokens have a shape of their own.
pub(crate) const PRODUCTS: [&str; 5] = ["keycloak", "auth0", "entra", "okta", "cognito"];

/// The issuers with a key each, and what their entries say besides.
const ISSUERS: [(&str, &str, &str); 13] = [
    ("rs256", "RS256", ""),
    ("ps256", "PS256", ""),
    ("es384", "ES384", ""),
    ("eddsa", "EdDSA", ""),
    ("hs256", "HS256", ""),
    ("hs384", "HS384", ""),
    ("hs512", "HS512", ""),
    ("twin", "ES256", ""),
    ("profile", "ES256", ", rfc9068: true"),
    ("nonce", "ES256", ", dpop: {nonce: true}"),
    ("bound", "ES256", ", dpop: {required: true}"),
    (
        "short",
        "ES256",
        ", max_lifetime: 1h, leeway: 0s, token_types: [at+jwt]",
    ),
    ("any", "ES256", ", insecure_skip_issuer: true"),
];

/// The sidecar with everything that it is asked with.
pub(crate) struct House {
    pub(crate) corp: Signer,
    /// In the order of [`ISSUERS`].
    others: Vec<Signer>,
    /// Published as it should be by an issuer with discovery.
    pub(crate) published: Signer,
    /// Published in ways that make it useless.
    pub(crate) spoiled: Signer,
    pub(crate) spoiled_rsa: Signer,
    pub(crate) product: Signer,
    /// Known to nobody.
    pub(crate) thief: Signer,
    pub(crate) dpop: DpopKey,
    pub(crate) other_dpop: DpopKey,
    introspector: Introspector,
    far: FakeIssuer,
    pub(crate) sidecar: Sidecar,
    asker: Asker,
}

/// The one of this test binary.
pub(crate) fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(House::new)
}

impl House {
    fn new() -> Self {
        let corp = Signer::new("ES256");
        let others: Vec<Signer> = ISSUERS.iter().map(|row| Signer::new(row.1)).collect();
        let (published, spoiled) = (Signer::new("ES256"), Signer::new("ES256"));
        let (product, spoiled_rsa) = (Signer::new("ES256"), Signer::new("RS256"));
        let far = publish(&published, &spoiled, &spoiled_rsa);
        let introspector = Introspector::start();
        let mut entries = format!(
            "- {{name: corp, type: jwt, issuer: \"{CORP}\", keys: [{}]}}\n",
            corp.key("k1")
        );
        for ((name, _, more), signer) in ISSUERS.iter().zip(&others) {
            writeln!(
                entries,
                "- {{name: {name}, type: jwt, issuer: \"https://{name}.example\", keys: [{}], \
                 roles: {{allow: [viewer]}}{more}}}",
                signer.key("k1")
            )
            .expect("a string grows");
        }
        for name in PRODUCTS {
            writeln!(
                entries,
                "- {{name: {name}, type: jwt, issuer: \"https://{name}.example\", keys: [{}], \
                 claims: {{preset: {name}}}, roles: {{prefix: \"{name}:\"}}, audiences: [api]}}",
                product.key("p1")
            )
            .expect("a string grows");
        }
        entries += &fixed(&introspector.url(), far.port());
        let config = format!("authenticators:\n{entries}{RESOURCES}");
        let listen = "  xfcc_peers: [127.0.0.1]\n";
        let sidecar = Sidecar::launch_listening(&config, listen, |dir| {
            fs::write(dir.join("50-table.cedar"), POLICIES).expect("a policy file");
        });
        let sidecar = sidecar.until_ready();
        Self {
            corp,
            others,
            published,
            spoiled,
            spoiled_rsa,
            product,
            thief: Signer::new("ES256"),
            dpop: DpopKey::new(),
            other_dpop: DpopKey::new(),
            introspector,
            far,
            asker: sidecar.asker(),
            sidecar,
        }
    }

    /// Asks it.
    pub(crate) fn asker(&self) -> &Asker {
        &self.asker
    }

    /// A good token of the first issuer.
    pub(crate) fn corp(&self) -> Token<'_> {
        Token::new(&self.corp, "k1", CORP, RESOURCE)
    }

    /// The key of another issuer.
    pub(crate) fn key(&self, name: &str) -> &Signer {
        let at = ISSUERS.iter().position(|row| row.0 == name);
        at.and_then(|at| self.others.get(at)).expect("an issuer")
    }

    /// A good token of another issuer.
    pub(crate) fn of(&self, name: &str) -> Token<'_> {
        let issuer = format!("https://{name}.example");
        Token::new(self.key(name), "k1", &issuer, RESOURCE)
    }

    /// A good token of the issuer with discovery, by the key of that name.
    pub(crate) fn far<'a>(&self, signer: &'a Signer, kid: &str) -> Token<'a> {
        let issuer = format!("http://127.0.0.1:{}", self.far.port());
        Token::new(signer, kid, &issuer, RESOURCE)
    }

    /// A token with these claims and no others but those of every product.
    pub(crate) fn product(&self, name: &str, claims: Value) -> Token<'_> {
        let issuer = format!("https://{name}.example");
        let token = Token::new(&self.product, "p1", &issuer, "api");
        token
            .claims(json!({"sub": null, "client_id": null, "roles": null}))
            .claims(claims)
    }

    /// A call with an opaque token of which the endpoint says this.
    pub(crate) fn opaque(&self, reply: Reply) -> Ask {
        forecast().bearer(&self.introspector.token(reply))
    }

    /// The same for a good answer with members on top; `null` takes one away.
    pub(crate) fn introspected(&self, more: Value) -> Ask {
        self.opaque(Reply::Json(answer(&more).to_string()))
    }

    /// A call with a token that is bound to the first key, in its own scheme.
    pub(crate) fn bound(&self) -> Bound<'_> {
        let cnf = json!({"cnf": {"jkt": self.dpop.thumbprint()}});
        let token = self.corp().claims(cnf).text();
        Bound { house: self, token }
    }

    /// The ask, after it has been allowed once over gRPC.
    pub(crate) fn used(&self, ask: Ask) -> Ask {
        let verdict = self.asker.grpc(&ask);
        assert_eq!(verdict.reason, "allowed", "the first time: {verdict:?}");
        ask
    }
}

/// A bound token beside proofs that a test bends.
pub(crate) struct Bound<'a> {
    house: &'a House,
    pub(crate) token: String,
}

impl<'a> Bound<'a> {
    /// The same for another token.
    pub(crate) fn with(house: &'a House, token: String) -> Self {
        Self { house, token }
    }

    /// The call without a proof.
    pub(crate) fn bare(&self) -> Ask {
        forecast().header("authorization", format!("DPoP {}", self.token))
    }

    /// The call with any text for a proof.
    pub(crate) fn proof(&self, proof: impl AsRef<[u8]>) -> Ask {
        self.bare().header("dpop", proof)
    }

    /// A proof with claims and members of the header on top; `null` takes one away.
    pub(crate) fn text(&self, claims: &Value, header: &Value) -> String {
        let key = &self.house.dpop;
        let mut all = key.claims("POST", RESOURCE, Some(&self.token), None);
        let members = all.as_object_mut().expect("an object");
        for (name, value) in claims.as_object().expect("an object") {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        key.sign(&all, header)
    }

    /// The call with such a proof.
    pub(crate) fn claims(&self, claims: Value) -> Ask {
        self.proof(self.text(&claims, &json!({})))
    }

    /// The call with a proof of another header.
    pub(crate) fn header(&self, header: Value) -> Ask {
        self.proof(self.text(&json!({}), &header))
    }

    /// The call with a good proof.
    pub(crate) fn good(&self) -> Ask {
        self.claims(json!({}))
    }
}

/// A good answer of an introspection.
fn answer(more: &Value) -> Value {
    let mut answer = json!({
        "active": true, "sub": "alice", "client_id": "app", "aud": RESOURCE,
        "scope": "weather:read", "exp": now().saturating_add(300), "iss": "https://opaque.example",
    });
    let members = answer.as_object_mut().expect("an object");
    for (name, value) in more.as_object().expect("an object") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    answer
}

/// An issuer with discovery whose key set holds one good key, and the others in every way in which a
/// key must not be published.
fn publish(good: &Signer, spoiled: &Signer, rsa: &Signer) -> FakeIssuer {
    let (twice, weak) = (Signer::new("ES256"), "AQAB".repeat(42) + "AQ");
    let keys = json!({"keys": [
        good.jwk("good", &json!({"use": "sig"})),
        spoiled.jwk("for-encryption", &json!({"use": "enc"})),
        spoiled.jwk("for-wrapping", &json!({"key_ops": ["wrapKey"]})),
        spoiled.jwk("private", &json!({"d": "AQAB"})),
        spoiled.jwk("other-curve", &json!({"crv": "P-384"})),
        spoiled.jwk("other-label", &json!({"alg": "ES384"})),
        spoiled.jwk("other-family", &json!({"kty": "OKP"})),
        spoiled.jwk("unknown-algorithm", &json!({"alg": "ES521"})),
        spoiled.jwk("twice", &json!({})),
        twice.jwk("twice", &json!({})),
        rsa.jwk("for-pss", &json!({"alg": "PS512"})),
        rsa.jwk("unlabelled", &json!({"alg": null})),
        rsa.jwk("even-exponent", &json!({"e": "AQAA"})),
        rsa.jwk("small-exponent", &json!({"e": "Aw"})),
        rsa.jwk("1024-bits", &json!({"n": weak})),
        Signer::secret("HS256", HMAC).jwk("symmetric", &json!({})),
        {"kty": "AKP", "kid": "unknown-kind", "alg": "ML-DSA-44"},
    ]});
    FakeIssuer::start(move |path, stream| {
        let host = stream.local_addr().expect("an address");
        let issuer = format!("http://{host}");
        let metadata = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")});
        match path {
            "/keys" => json_document(stream, &keys.to_string()),
            _ => json_document(stream, &metadata.to_string()),
        }
    })
}

/// The secret that the issuer with discovery publishes.
pub(crate) const HMAC: &str = "published-published-published-published-published";

/// The authenticators that need no key of the test's making.
fn fixed(introspection: &str, far: u16) -> String {
    format!(
        "- {{name: far, type: oidc, issuer: \"http://127.0.0.1:{far}\", insecure_allow_http: true, \
            roles: {{allow: [viewer]}}}}\n\
         - {{name: opaque, type: introspection, issuer: \"https://opaque.example\", \
            endpoint: \"{introspection}\", client_id: rs, client_secret: s3cr3t-of-rs, \
            insecure_allow_http: true, roles: {{allow: []}}}}\n\
         - {{name: keys, type: api_key, keys: [{{id: front, secret: \"{KEY}\", roles: [viewer]}}, \
            {{id: back, secret: \"{BACK_KEY}\"}}, {{id: loose, secret: \"{LOOSE_KEY}\", roles: [viewer]}}]}}\n\
         - {{name: other-keys, type: api_key, header: x-other-key, \
            keys: [{{id: other, secret: \"{OTHER_KEY}\", roles: [viewer]}}]}}\n\
         - {{name: shared, type: static_token, token: \"{SHARED}\", subject: operator, roles: [viewer]}}\n\
         - {{name: mesh, type: mtls, trust_domains: [example.org]}}\n\
         - {{name: strangers, type: anonymous}}\n"
    )
}

const RESOURCES: &str = "resources:
- {name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp, authenticators: [corp, rs256, ps256,
   es384, eddsa, hs256, hs384, hs512, twin, profile, nonce, bound, short, far, opaque, keys, shared, mesh]}
- {name: other, url: \"https://mcp.example.com/other\", kind: http, authenticators: [corp, opaque, other-keys]}
- {name: both, url: \"https://mcp.example.com/both\", kind: http, authenticators: [keys, other-keys]}
- {name: open, url: \"https://mcp.example.com/open\", kind: http, authenticators: [strangers, corp, keys, mesh]}
- {name: any, url: \"https://mcp.example.com/any\", kind: http, authenticators: [any, corp],
   audiences: [\"https://mcp.example.com/mcp\"]}
- {name: presets, url: \"https://mcp.example.com/presets\", kind: http,
   authenticators: [keycloak, auth0, entra, okta, cognito]}
policies: {dir: policies}
limits: {deadline: 2s}
";
