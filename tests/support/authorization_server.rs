//! A real OAuth authorization server, and the ways that tests get tokens from it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use url::Url;

use super::dpop::DpopKey;
use super::http::Request;
use super::http::Response;
use super::process::Process;
use super::tools::tools;

/// RFC 7636, appendix B: a code verifier and its challenge.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1/callback";

/// A running authorization server; `tests/tools/authorization-server.mjs` says what it can do.
///
/// Clients that act for themselves: `svc` (no roles), `svc-admin`, `svc-viewer`, `svc-bound` (whose
/// tokens are bound to its certificate). People: `alice` (admin), `bob` (viewer), `mallory` (admin of
/// another tenant, suspended).
#[derive(Debug)]
pub(crate) struct AuthorizationServer {
    _process: Process,
    port: u16,
}

impl AuthorizationServer {
    /// Starts it with the arguments of the program, such as `["--resource", url]`.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = tools().node("authorization-server.mjs");
        let process = Process::spawn("authorization server", command.args(arguments));
        let port = process.ready_port();
        Self {
            _process: process,
            port,
        }
    }

    /// Its issuer identifier.
    pub(crate) fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends it a request.
    pub(crate) fn send(&self, request: &Request) -> Response {
        request
            .send(self.port)
            .expect("the authorization server must answer")
    }

    /// An access token for a client that acts for itself (RFC 6749, section 4.4).
    pub(crate) fn token(&self, client: &str, scope: &str, resource: &str) -> String {
        self.token_with(client, &[("scope", scope), ("resource", resource)])
    }

    /// The same with any form fields: `test_claims`, `test_algorithm`, `test_ttl` shape the token.
    pub(crate) fn token_with(&self, client: &str, fields: &[(&str, &str)]) -> String {
        access_token(&self.request_token(client, fields))
    }

    /// The whole answer of the token endpoint.
    pub(crate) fn request_token(&self, client: &str, fields: &[(&str, &str)]) -> Response {
        self.send(&token_request(client, fields))
    }

    /// An access token that is bound to a key (RFC 9449, section 5).
    pub(crate) fn dpop_token(
        &self,
        client: &str,
        fields: &[(&str, &str)],
        key: &DpopKey,
    ) -> String {
        let url = format!("{}/token", self.issuer());
        let proof = key.proof("POST", &url, None, None);
        let answer = self.send(&token_request(client, fields).header("dpop", proof));
        let kind = answer.json().get("token_type").cloned();
        assert_eq!(kind, Some("DPoP".into()), "{}", answer.text());
        access_token(&answer)
    }

    /// An access token of the client `svc-bound` that is bound to a certificate, DER (RFC 8705,
    /// section 3).
    pub(crate) fn certificate_token(&self, fields: &[(&str, &str)], certificate: &[u8]) -> String {
        let presented = BASE64_STANDARD.encode(certificate);
        let request = token_request("svc-bound", fields);
        access_token(&self.send(&request.header("x-test-client-certificate", presented)))
    }

    /// What the resource server `rs` is told of a token (RFC 7662).
    pub(crate) fn introspect(&self, token: &str) -> Value {
        let request = Request::new("POST", "/token/introspection").form(&[("token", token)]);
        self.send(&request.header("authorization", basic("rs")))
            .json()
    }

    /// Has a client take its token back (RFC 7009).
    pub(crate) fn revoke(&self, client: &str, token: &str) {
        let request = Request::new("POST", "/token/revocation").form(&[("token", token)]);
        let answer = self.send(&request.header("authorization", basic(client)));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// An access token for a person, by authorization code and PKCE as the client `app`.
    pub(crate) fn user_token(&self, person: &str, scope: &str, resource: &str) -> String {
        let mut url = Url::parse(&format!("{}/auth", self.issuer())).expect("a fixed URL");
        url.query_pairs_mut()
            .extend_pairs([("client_id", "app"), ("response_type", "code")])
            .extend_pairs([("redirect_uri", REDIRECT), ("scope", scope)])
            .extend_pairs([
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ])
            .extend_pairs([("resource", resource), ("login_hint", person)]);
        let back = self.browse(&url);
        let code = back.query_pairs().find(|(name, _)| name == "code");
        let (_, code) = code.unwrap_or_else(|| panic!("no code in {back}"));
        let request = Request::new("POST", "/token").form(&[
            ("grant_type", "authorization_code"),
            ("client_id", "app"),
            ("code", &code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", REDIRECT),
            ("resource", resource),
        ]);
        access_token(&self.send(&request))
    }

    /// Plays the browser: follows an authorization URL with its cookies until it leaves the
    /// server, and returns where to.
    pub(crate) fn browse(&self, start: &Url) -> Url {
        let mut url = start.clone();
        let mut cookies: Vec<(String, String)> = Vec::new();
        for _ in 0..10 {
            let query = url.query().map(|query| format!("?{query}"));
            let target = format!("{}{}", url.path(), query.unwrap_or_default());
            let jar: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            let request = Request::new("GET", &target).header("cookie", jar.join("; "));
            let answer = self.send(&request);
            for cookie in answer.header("set-cookie") {
                let pair = cookie.split(';').next().unwrap_or_default();
                let (name, value) = pair.split_once('=').unwrap_or_default();
                cookies.retain(|(known, _)| known != name);
                cookies.push((name.to_owned(), value.to_owned()));
            }
            let [location] = *answer.header("location") else {
                panic!(
                    "no redirect from {url}: {} {}",
                    answer.status,
                    answer.text()
                );
            };
            url = url.join(location).expect("a redirect leads to a URL");
            if url.port() != Some(self.port) {
                return url;
            }
        }
        panic!("too many redirects from {start}");
    }

    /// The `kid` of every published key.
    pub(crate) fn published_keys(&self) -> Vec<String> {
        let set = self.send(&Request::new("GET", "/jwks")).json();
        let keys = set.pointer("/keys").and_then(Value::as_array);
        let kids = keys.into_iter().flatten();
        kids.filter_map(|key| Some(key.get("kid")?.as_str()?.to_owned()))
            .collect()
    }

    /// Replaces the signing keys; `how` is `""`, `"keep"` (the old ones stay published),
    /// `"same_kid"` (the new ones take their names), or one step of a rotation that gives notice:
    /// `"announce"`, `"promote"`, `"withdraw"`.
    pub(crate) fn rotate(&self, how: &str) {
        let answer = self.send(&Request::new("POST", &format!("/_test/rotate?{how}")));
        assert_eq!(answer.status, 200, "the keys must rotate");
    }

    /// How often an endpoint was asked: `discovery`, `jwks`, `token` or `introspection`.
    pub(crate) fn hits(&self, endpoint: &str) -> u64 {
        let hits = self.send(&Request::new("GET", "/_test/hits")).json();
        let count = hits.get(endpoint).and_then(Value::as_u64);
        count.unwrap_or_else(|| panic!("nothing counts `{endpoint}`"))
    }

    /// From now on discovery and JWKS wait and then answer with a status; 0 and 0 end that.
    pub(crate) fn fault(&self, status: u16, delay_ms: u64) {
        let target = format!("/_test/fault?status={status}&delay={delay_ms}");
        assert_eq!(self.send(&Request::new("POST", &target)).status, 200);
    }
}

/// A part of a JWT, unverified: 0 the header, 1 the claims.
pub(crate) fn jwt_part(token: &str, part: usize) -> Value {
    let text = token.split('.').nth(part).expect("a JWT has three parts");
    let json = BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url");
    serde_json::from_slice(&json).expect("a JWT holds JSON")
}

fn token_request(client: &str, fields: &[(&str, &str)]) -> Request {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(fields);
    let request = Request::new("POST", "/token").form(&form);
    request.header("authorization", basic(client))
}

fn access_token(answer: &Response) -> String {
    let json = answer.json();
    let token = json.get("access_token").and_then(Value::as_str);
    token
        .unwrap_or_else(|| panic!("no token: {json}"))
        .to_owned()
}

fn basic(client: &str) -> String {
    let pair = BASE64_STANDARD.encode(format!("{client}:{client}-secret"));
    format!("Basic {pair}")
}
