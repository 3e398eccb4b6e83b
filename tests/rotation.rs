//! An issuer changes its keys while requests keep coming through a real Envoy.

mod support;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use support::ask::reason;
use support::authorization_server::AuthorizationServer;
use support::authorization_server::jwt_part;
use support::envoy::Envoy;
use support::envoy::EnvoyConfig;
use support::mcp;
use support::mcp::McpServer;
use support::sidecar::Sidecar;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// How long each step of a rotation is under load.
const STEP: Duration = Duration::from_millis(700);

/// Callers that send one request after the other, for each token.
const CALLERS: usize = 3;

struct Stack {
    issuer: AuthorizationServer,
    upstream: McpServer,
    _sidecar: Sidecar,
    envoy: Envoy,
}

impl Stack {
    fn start() -> Self {
        let issuer = AuthorizationServer::start(&["--resource", RESOURCE]);
        let upstream = McpServer::start();
        let config = format!(
            "authenticators:\n- {{name: corp, type: oidc, issuer: \"{}\", insecure_allow_http: true}}\n\
             resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             policies: {{dir: policies}}\nlimits: {{deadline: 1s}}\n",
            issuer.issuer()
        );
        let sidecar = Sidecar::start(&config);
        // A busy machine is not what is tested: more time than the shipped file gives.
        let shipped = EnvoyConfig::shipped(upstream.port(), sidecar.grpc);
        let envoy = Envoy::start(&shipped.replace("timeout: 0.25s", "timeout: 2s"));
        envoy.wait_for_authorizer(true);
        Self {
            issuer,
            upstream,
            _sidecar: sidecar,
            envoy,
        }
    }

    /// A token of the key that signs now. The old key's and the new key's are of different clients,
    /// so that an answer for the wrong one shows.
    fn token(&self, client: &str) -> Token<'_> {
        let token = self.issuer.token(client, "", RESOURCE);
        Token {
            kid: jwt_part(&token, 0).get("kid").cloned(),
            client: client.to_owned(),
            bearer: token,
            stack: self,
            answers: Mutex::default(),
        }
    }

    /// That every request that reached the upstream was for the client who sent it.
    fn nobody_was_taken_for_another(&self) {
        let seen = self.upstream.requests();
        assert!(!seen.is_empty());
        for request in seen {
            let sender = request.header("x-marker");
            assert_eq!(request.header("x-cedargate-subject"), sender);
        }
    }
}

/// A token, and what its callers were answered in the order of the answers.
struct Token<'a> {
    kid: Option<Value>,
    client: String,
    bearer: String,
    stack: &'a Stack,
    answers: Mutex<Vec<(usize, String)>>,
}

impl Token<'_> {
    /// Asks until `stop`, one request after the other.
    fn call(&self, caller: usize, stop: &AtomicBool) {
        let call = mcp::call("get_forecast", r#"{"city":"Oslo"}"#);
        let request = mcp::post(&call)
            .bearer(&self.bearer)
            .header("x-marker", &self.client);
        while !stop.load(Ordering::SeqCst) {
            let answer = self.stack.envoy.send(&request);
            let answer = match answer.status {
                200 => "allowed".to_owned(),
                _ => reason(&answer.text()),
            };
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.push((caller, answer));
        }
    }

    /// Runs callers of all tokens while `meanwhile` lasts.
    fn load(tokens: &[&Self], meanwhile: impl FnOnce()) {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for token in tokens {
                for caller in 0..CALLERS {
                    let stop = &stop;
                    scope.spawn(move || token.call(caller, stop));
                }
            }
            // A failure in between must not leave the callers running for ever.
            let _ended = Ended(&stop);
            meanwhile();
        });
    }

    /// What one caller after the other was answered, each answer once in a row.
    fn courses(&self) -> Vec<Vec<String>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |caller| {
            let own = answers.iter().filter(|(of, _)| *of == caller);
            let mut course: Vec<String> = own.map(|(_, answer)| answer.clone()).collect();
            course.dedup();
            course
        };
        (0..CALLERS).map(of).collect()
    }
}

/// What the callers with a token of the new key are answered. Until that key is there nothing can be
/// said of their tokens, which is a 503 and never a refusal; and once it is there it stays.
fn never_refused(course: &[String]) {
    let course: Vec<&str> = course.iter().map(String::as_str).collect();
    let good = course == ["allowed"] || course == ["issuer_unavailable", "allowed"];
    assert!(good, "{course:?}");
}

struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn with_notice_nobody_notices() {
    let stack = Stack::start();
    let fetched = stack.issuer.hits("jwks");
    let old = stack.token("svc-admin");
    let (mut old_ones, mut new_ones) = (Vec::new(), Vec::new());
    Token::load(&[&old], || {
        thread::sleep(STEP);
        stack.issuer.rotate("announce");
        let still = stack.token("svc-viewer");
        assert_eq!(still.kid, old.kid, "published, not used");
        thread::sleep(STEP);
        stack.issuer.rotate("promote");
        let new = stack.token("svc-viewer");
        assert_ne!(new.kid, old.kid);
        Token::load(&[&new], || thread::sleep(STEP));
        stack.issuer.rotate("withdraw");
        Token::load(&[&new, &still], || thread::sleep(STEP));
        (old_ones, new_ones) = (still.courses(), new.courses());
    });
    old_ones.extend(old.courses());
    for course in old_ones {
        assert_eq!(course, ["allowed"]);
    }
    for course in new_ones {
        never_refused(&course);
    }
    let asked = stack.issuer.hits("jwks");
    assert_eq!(asked, fetched + 1, "the new key was unknown once");
    stack.nobody_was_taken_for_another();
}

#[test]
fn without_notice_the_new_key_is_fetched_once_and_the_old_one_dies() {
    let stack = Stack::start();
    let fetched = stack.issuer.hits("jwks");
    let old = stack.token("svc-admin");
    let mut courses = Vec::new();
    Token::load(&[&old], || {
        thread::sleep(STEP);
        // Longer than a check waits for keys, so that it shows what is said meanwhile.
        stack.issuer.fault(0, 400);
        stack.issuer.rotate("");
        let new = stack.token("svc-viewer");
        assert_ne!(new.kid, old.kid);
        Token::load(&[&new], || thread::sleep(STEP * 3));
        courses = new.courses();
    });
    for course in &courses {
        never_refused(course);
    }
    let waited = |course: &Vec<String>| course.len() == 2;
    assert!(courses.iter().any(waited), "the wait shows: {courses:?}");
    // A token of the old key holds until its key is known to be gone, and never again after that.
    for course in old.courses() {
        let (first, last) = (course.first(), course.last());
        assert_eq!(first.map(String::as_str), Some("allowed"), "{course:?}");
        assert_eq!(
            last.map(String::as_str),
            Some("invalid_credential"),
            "{course:?}"
        );
        let between: Vec<_> = course
            .iter()
            .filter(|answer| *answer == "allowed")
            .collect();
        assert_eq!(between.len(), 1, "{course:?}");
        let known = ["allowed", "issuer_unavailable", "invalid_credential"];
        assert!(
            course.iter().all(|answer| known.contains(&answer.as_str())),
            "{course:?}"
        );
    }
    // The one that the new key's tokens asked for. What it brought is the answer to those of the old
    // key as well, however many ask.
    let asked = stack.issuer.hits("jwks") - fetched;
    assert_eq!(asked, 1, "fetches");
    stack.nobody_was_taken_for_another();
}
