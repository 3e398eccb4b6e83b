//! The introspection client against endpoints that are down, slow, busy or wrong.

mod circuit;
mod sharing;
mod words;

use std::sync::Mutex;

use secrecy::SecretString;

use super::*;
use crate::config::Remote;
use crate::identity::credential::Authorization;
use crate::identity::testing as tokens;
use crate::source::fetch::MAX_ANSWER_BYTES;
use crate::source::testing::Answer;
use crate::source::testing::HandClock;
use crate::source::testing::Server;
use crate::source::testing::ok;
use crate::source::testing::response;

const JSON: &str = "content-type: application/json";
const ACTIVE: &str = r#"{"active":true,"sub":"jane"}"#;
const LONG: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Seen {
    calls: Mutex<Vec<&'static str>>,
    circuit: Mutex<Vec<bool>>,
}

impl Seen {
    fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }

    fn circuit(&self) -> Vec<bool> {
        self.circuit.lock().unwrap().clone()
    }
}

impl IntrospectionObserver for Seen {
    fn called(&self, authenticator: &str, outcome: &'static str, _: Duration) {
        assert_eq!(authenticator, "opaque");
        self.calls.lock().unwrap().push(outcome);
    }

    fn circuit(&self, authenticator: &str, open: bool) {
        assert_eq!(authenticator, "opaque");
        self.circuit.lock().unwrap().push(open);
    }
}

/// A client with everything that it touches.
struct Rig {
    server: Server,
    oracle: Arc<Oracle>,
    clock: Arc<HandClock>,
    seen: Arc<Seen>,
}

impl Rig {
    async fn new(script: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let server = Server::start(script).await;
        let clock = Arc::new(HandClock::default());
        let seen = Arc::new(Seen::default());
        let endpoint = Endpoint::new(&rules(server.url("/introspect").as_str())).unwrap();
        let its_clock: Arc<HandClock> = Arc::clone(&clock);
        let its_seen: Arc<Seen> = Arc::clone(&seen);
        let oracle = Arc::new(Oracle::new(&"opaque".into(), endpoint, its_clock, its_seen));
        Self {
            server,
            oracle,
            clock,
            seen,
        }
    }

    async fn ask(&self, token: &str) -> Asked {
        self.ask_within(token, LONG).await
    }

    async fn ask_within(&self, token: &str, within: Duration) -> Asked {
        self.oracle.ask(&bearer(token), within).await
    }

    fn calls(&self) -> usize {
        self.server.heads().len()
    }

    /// Nothing is left of any call.
    async fn is_idle(&self) -> bool {
        for _ in 0..200 {
            if self.oracle.flights.is_idle() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }
}

fn rules(endpoint: &str) -> IntrospectionRules {
    IntrospectionRules {
        tokens: tokens::rules().tokens,
        issuer_is_configured: false,
        endpoint: endpoint.parse().unwrap(),
        client_id: "rs:1".to_owned(),
        client_secret: SecretString::from("s3 cr3t"),
        remote: Remote {
            ca_pem: None,
            insecure_allow_http: true,
        },
    }
}

fn bearer(token: &str) -> BearerToken {
    let header = format!("Bearer {token}");
    match Authorization::from_authorization(Some(&header)).unwrap() {
        Authorization::Bearer(token) => token,
        other @ (Authorization::Absent | Authorization::Dpop(_)) => panic!("{other:?}"),
    }
}

fn answered(body: &str) -> Asked {
    Asked::Answer(body.to_owned().into())
}

fn later(pause: u64) -> Answer {
    let answer = response("200 OK", &[JSON], ACTIVE.as_bytes());
    Answer::After(Duration::from_millis(pause), answer)
}

async fn outcome(answer: Answer, within: Duration) -> Asked {
    let rig = Rig::new(move |_| answer.clone()).await;
    let asked = rig.ask_within("t", within).await;
    assert!(rig.is_idle().await);
    asked
}

#[tokio::test]
async fn the_question_is_a_form_and_the_token_is_nowhere_else() {
    let rig = Rig::new(|_| ok(ACTIVE)).await;
    assert_eq!(rig.ask("a+b/c~d==").await, answered(ACTIVE));
    assert_eq!(
        rig.server.bodies(),
        ["token=a%2Bb%2Fc%7Ed%3D%3D&token_type_hint=access_token"]
    );
    let head = rig.server.heads().concat();
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /introspect http/1.1\r\n"), "{head}");
    // `rs%3A1:s3+cr3t`
    let basic = "authorization: Basic cnMlM0ExOnMzK2NyM3Q=".to_ascii_lowercase();
    for line in [
        basic.as_str(),
        "accept: application/json",
        "accept-encoding: identity",
        "content-type: application/x-www-form-urlencoded",
    ] {
        assert!(head.contains(&format!("{line}\r\n")), "{line} of {head}");
    }
    assert!(!head.contains("a+b") && !head.contains("a%2bb"), "{head}");
    assert_eq!(rig.seen.calls(), ["ok"]);
}

#[tokio::test]
async fn every_answer_with_a_boolean_active_is_handed_on_whole() {
    for body in [
        r#"{"active":false}"#,
        r#"{"active":true,"exp":"not a number"}"#,
        r#" {"x":{"y":[1]}, "active" : true} "#,
    ] {
        assert_eq!(outcome(ok(body), LONG).await, answered(body));
    }
    let large = format!(r#"{{"active":true,"x":"{}"}}"#, "x".repeat(60_000));
    assert_eq!(outcome(ok(&large), LONG).await, answered(&large));
}

#[tokio::test]
async fn answers_that_say_nothing_of_the_token() {
    let large = format!(
        r#"{{"active":true,"x":"{}"}}"#,
        "x".repeat(MAX_ANSWER_BYTES)
    );
    let deep = format!(
        r#"{{"active":true,"x":{}1{}}}"#,
        "[".repeat(99),
        "]".repeat(99)
    );
    let json = |status: &str, body: &str| response(status, &[JSON], body.as_bytes());
    let of_type = |header: &str| response("200 OK", &[header], ACTIVE.as_bytes());
    let gzip = response(
        "200 OK",
        &[JSON, "content-encoding: gzip"],
        &[0x1f, 0x8b, 8, 0],
    );
    for (answer, why) in [
        (Vec::new(), "connect"),
        (b"\x16\x03\x01junk\r\n\r\n".to_vec(), "connect"),
        (json("200 OK", ""), "malformed"),
        (json("200 OK", "{}"), "malformed"),
        (json("200 OK", "true"), "malformed"),
        (json("200 OK", r#"[{"active":true}]"#), "malformed"),
        (json("200 OK", r#"{"active":"true"}"#), "malformed"),
        (json("200 OK", r#"{"active":1}"#), "malformed"),
        (json("200 OK", r#"{"active":null}"#), "malformed"),
        (json("200 OK", r#"{"Active":true}"#), "malformed"),
        (json("200 OK", r#"{"active":true"#), "malformed"),
        (
            json("200 OK", r#"{"active":true,"active":true}"#),
            "malformed",
        ),
        (json("200 OK", &deep), "malformed"),
        (json("200 OK", &large), "too_large"),
        (of_type("content-type: text/html"), "content_type"),
        (of_type("content-type: text/plain"), "content_type"),
        (
            of_type("content-type: application/token-introspection+jwt"),
            "content_type",
        ),
        (of_type("x-no-type: 1"), "content_type"),
        (gzip, "content_type"),
        (json("201 Created", ACTIVE), "status"),
        (json("204 No Content", ""), "status"),
        (json("400 Bad Request", ACTIVE), "credentials"),
        (json("401 Unauthorized", ACTIVE), "credentials"),
        (json("403 Forbidden", ACTIVE), "credentials"),
        (json("429 Too Many Requests", ACTIVE), "rate_limited"),
        (json("500 Internal Server Error", ACTIVE), "status"),
        (json("503 Service Unavailable", ACTIVE), "status"),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let found = outcome(Answer::Bytes(answer), LONG).await;
        assert_eq!(found, Asked::Unavailable(why), "{shown:.120}");
    }
}

#[tokio::test]
async fn slow_answers_are_cut_short() {
    let slow = response("200 OK", &[JSON], ACTIVE.as_bytes());
    let drip = Answer::Drip(slow, Duration::from_millis(20));
    let timeout = Asked::Unavailable("timeout");
    let short = Duration::from_millis(300);
    assert_eq!(outcome(Answer::Hang, short).await, timeout);
    assert_eq!(outcome(drip, short).await, timeout);
    // The call's own bound, however long the asker would wait.
    let rig = Rig::new(|_| Answer::Hang).await;
    let asked = tokio::time::timeout(CALL * 2, rig.ask("t")).await;
    assert_eq!(asked, Ok(timeout));
}

#[tokio::test]
async fn an_endpoint_that_is_down() {
    let rig = Rig::new(|_| Answer::Hang).await;
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", dead.local_addr().unwrap());
    drop(dead);
    let oracle = open(
        &"opaque".into(),
        &rules(&url),
        Arc::new(HandClock::default()),
        rig.seen,
    )
    .unwrap();
    let asked = oracle.ask(&bearer("t"), LONG).await;
    assert_eq!(asked, Asked::Unavailable("connect"));
}

#[tokio::test]
async fn credentials_are_sent_to_no_other_origin() {
    let target = Server::start(|_| ok(ACTIVE)).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let location = format!("location: {}", target.url("/introspect"));
        let answer = response(status, &[&location, JSON], ACTIVE.as_bytes());
        let found = outcome(Answer::Bytes(answer), LONG).await;
        assert_eq!(found, Asked::Unavailable("status"), "{status}");
    }
    assert_eq!(target.heads().len(), 0);
}

#[test]
fn endpoints_that_are_never_asked() {
    for (url, label) in [
        ("http://issuer.example/i", "url"),
        ("https://user@issuer.example/i", "url"),
        ("https://169.254.169.254/i", "address"),
        ("https://[::ffff:169.254.169.254]/i", "address"),
    ] {
        let mut rules = rules(url);
        rules.remote.insecure_allow_http = false;
        let seen = Arc::new(Seen::default());
        let opened = open(
            &"opaque".into(),
            &rules,
            Arc::new(HandClock::default()),
            seen,
        );
        let fault = opened.err().map(|fault| fault.label());
        assert_eq!(fault, Some(label), "{url}");
    }
}
