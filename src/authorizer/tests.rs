//! What a check answers, and records, when something goes wrong in the middle of it.

mod shadow;

use std::path::Path;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prometheus_client::metrics::counter::Counter;
use serde_json::Value;
use serde_json::json;

use super::outcome::Answer;
use super::*;
use crate::config;
use crate::config::DecisionSink;
use crate::fault::Source;
use crate::policy::PolicyFiles;
use crate::policy::PolicySnapshot;
use crate::proto::envoy::service::auth::v3::AttributeContext;
use crate::proto::envoy::service::auth::v3::CheckRequest;
use crate::proto::envoy::service::auth::v3::attribute_context::HttpRequest;
use crate::proto::envoy::service::auth::v3::attribute_context::Request;
use crate::request::envoy;
use crate::source::BoxFuture;
use crate::source::KeySource;
use crate::source::KeyStatus;
use crate::source::Refresh;
use crate::source::SessionObserver;
use crate::source::sessions;
use crate::telemetry::decision_log::DecisionLogWriter;

/// A clock that says what the test wants at each look, and panics where it wants that.
#[derive(Debug)]
struct Script(Mutex<Vec<Option<u64>>>);

impl Clock for Script {
    fn now_ms(&self) -> i64 {
        1_767_268_800_000
    }

    fn monotonic(&self) -> Duration {
        let next = self.0.lock().unwrap().pop().unwrap_or(Some(0));
        Duration::from_millis(next.expect("the clock is told to panic"))
    }
}

/// An issuer that answers like this, or never.
#[derive(Debug)]
struct Keys(Option<Refresh>);

impl KeySource for Keys {
    fn refresh(&self, _within: Duration) -> BoxFuture<'_, Refresh> {
        let answer = self.0;
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }

    fn status(&self) -> KeyStatus {
        KeyStatus::Loading
    }

    fn age(&self) -> Option<Duration> {
        None
    }
}

#[derive(Debug)]
struct Unobserved;

impl SessionObserver for Unobserved {
    fn asked(&self, _outcome: &'static str) {}
}

struct Stage {
    authorizer: Arc<Authorizer>,
    metrics: Arc<Metrics>,
    writer: DecisionLogWriter,
    log: tempfile::TempDir,
}

fn stage(clock: Vec<Option<u64>>, keys: Option<Refresh>) -> Stage {
    stage_under(PERMIT, None, clock, keys)
}

const PERMIT: &str = "@id(\"all\") permit (principal, action, resource);";

/// A stage with these policies in force, and those tried beside them.
fn stage_under(
    live: &str,
    shadow: Option<&str>,
    clock: Vec<Option<u64>>,
    keys: Option<Refresh>,
) -> Stage {
    let source = Source {
        name: "test.yaml".into(),
        text: CONFIG.into(),
    };
    let config = config::parse(&source, Path::new("."), &|_: &str| None)
        .unwrap()
        .config;
    let compile = |text: &str| {
        let files = PolicyFiles::new(vec![Source {
            name: "a.cedar".into(),
            text: text.into(),
        }]);
        Arc::new(PolicySnapshot::compile(&files, &config.resources, 1).unwrap())
    };
    let snapshot = SnapshotCell::new(compile(live), config.authenticators.len());
    if let Some(shadow) = shadow {
        snapshot.publish_shadow(compile(shadow));
    }
    let log = tempfile::tempdir().unwrap();
    let sink = DecisionSink::File(log.path().join("log"));
    let (decision_log, writer) = DecisionLog::open(&sink, Counter::default()).unwrap();
    let metrics = Arc::new(Metrics::new(&["open".into()]));
    let parts = Parts {
        snapshot: Arc::new(snapshot),
        config: Arc::new(config),
        sources: Sources {
            keys: vec![Some(Arc::new(Keys(keys))), None],
            oracles: vec![None, None],
        },
        sessions: sessions::open(
            &config::Sessions::default(),
            Arc::new(Script(Mutex::default())),
            Arc::new(Unobserved),
        )
        .unwrap(),
        nonce_key: [7; 32],
        clock: Arc::new(Script(Mutex::new(clock.into_iter().rev().collect()))),
        metrics: Arc::clone(&metrics),
        decision_log,
    };
    Stage {
        authorizer: Arc::new(Authorizer::new(parts).unwrap()),
        metrics,
        writer,
        log,
    }
}

const CONFIG: &str = "authenticators:
- {name: corp, type: oidc, issuer: 'https://issuer.example'}
- {name: strangers, type: anonymous}
resources:
- name: open
  url: https://mcp.example.com/mcp
  kind: mcp
  authenticators: [corp, strangers]
";

impl Stage {
    fn ask(&self, token: Option<&str>) -> Result<Incoming, Box<Refused>> {
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        headers.extend(token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
        let http = HttpRequest {
            method: "POST".to_owned(),
            host: "mcp.example.com".to_owned(),
            path: "/mcp".to_owned(),
            headers: headers.into_iter().collect(),
            size: i64::try_from(body.len()).unwrap(),
            raw_body: body.as_slice().into(),
            ..HttpRequest::default()
        };
        let request = Some(Request { http: Some(http) });
        let attributes = Some(AttributeContext {
            request,
            ..AttributeContext::default()
        });
        envoy::read(CheckRequest { attributes }, self.authorizer.read_options())
    }

    /// Checks as far as it goes without waiting.
    fn check(&self, token: Option<&str>) -> Option<Outcome> {
        let arrival = self.authorizer.arrive(Transport::Grpc, None, None);
        let read = self.ask(token);
        let mut checked = std::pin::pin!(self.authorizer.check(arrival, read));
        match checked
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    /// The records that were made.
    #[expect(clippy::disallowed_methods, reason = "reads back what was written")]
    fn records(self) -> Vec<Value> {
        self.writer.finish();
        let text = std::fs::read_to_string(self.log.path().join("log")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn token() -> String {
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(json!({"alg": "ES256", "typ": "at+jwt", "kid": "k"}));
    let claims = encode(json!({"iss": "https://issuer.example", "sub": "alice"}));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([1; 64]))
}

fn reason(outcome: &Outcome) -> Reason {
    match &outcome.answer {
        Answer::Deny(refusal) => refusal.denial.reason(),
        Answer::Allow(_)
        | Answer::Document(_)
        | Answer::DocumentPreflight
        | Answer::Preflight(_) => Reason::Allowed,
    }
}

#[test]
fn in_time_it_is_allowed_and_recorded_once() {
    let stage = stage(vec![], None);
    let outcome = stage.check(None).unwrap();
    assert_eq!(reason(&outcome), Reason::Allowed);
    let records = stage.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["decision_id"], *outcome.decision_id);
    assert_eq!(records[0]["policies"], json!(["all"]));
}

#[test]
fn an_allow_after_the_deadline_is_none() {
    let stage = stage(vec![Some(0), Some(0), Some(10_000)], None);
    assert_eq!(reason(&stage.check(None).unwrap()), Reason::InternalError);
    assert_eq!(stage.records()[0]["reason"], "internal_error");
}

#[test]
fn a_panic_is_a_deny_and_is_recorded() {
    let stage = stage(vec![Some(0), Some(0), None], None);
    let outcome = stage.check(None).unwrap();
    assert_eq!(reason(&outcome), Reason::InternalError);
    let counted = r#"resource="open",decision="deny",reason="internal_error"} 1"#;
    assert!(stage.metrics.text().unwrap().contains(counted));
    let records = stage.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["decision_id"], *outcome.decision_id);
    assert_eq!(records[0]["reason"], "internal_error");
}

#[test]
fn a_panic_while_a_panic_is_recorded_is_still_a_deny() {
    let stage = stage(vec![Some(0), Some(0), None, None], None);
    assert_eq!(reason(&stage.check(None).unwrap()), Reason::InternalError);
}

#[test]
fn a_check_whose_caller_has_gone_is_recorded() {
    let stage = stage(vec![], None);
    assert!(stage.check(Some(&token())).is_none(), "it waits for keys");
    let records = stage.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["reason"], "internal_error");
}

#[test]
fn a_bad_credential_never_makes_a_stranger() {
    let stage = stage(vec![], Some(Refresh::Fetched));
    for token in ["opaque", "a.b.c", "", &token().replace('.', "x")] {
        let outcome = stage.check(Some(token)).unwrap();
        assert_eq!(reason(&outcome), Reason::InvalidCredential, "{token}");
    }
}

#[test]
fn without_keys_the_client_is_asked_to_keep_its_token() {
    for refresh in [
        Refresh::Failed,
        Refresh::TimedOut,
        Refresh::CoolingDown,
        Refresh::Fetched,
    ] {
        let stage = stage(vec![], Some(refresh));
        let outcome = stage.check(Some(&token())).unwrap();
        assert_eq!(reason(&outcome), Reason::IssuerUnavailable, "{refresh:?}");
        let Answer::Deny(refusal) = outcome.answer else {
            panic!("a deny")
        };
        assert!(refusal.denial.retry_after.is_some() && refusal.challenge.is_none());
    }
}
