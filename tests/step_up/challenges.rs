//! The challenges of real answers, read by the functions that the clients read them with.

use serde_json::Value;
use serde_json::json;

use super::house;
use super::house::House;
use super::house::readings;
use super::support::dpop::DpopKey;
use super::support::http::Request;
use super::support::http::Response;
use super::support::mcp;
use super::support::tokens::Key;

/// What would mislead a reader that looks for parameters in the middle of a text.
const AWKWARD: [&str; 6] = [
    "scope=all",
    "\", scope=\"all\", resource_metadata=\"https://evil.example",
    "error=\"none\"",
    "back\\slash",
    "caf\u{e9} \u{1f600}",
    "line\r\nWWW-Authenticate: Bearer scope=all",
];

const READERS: [&str; 3] = ["python", "first", "second"];

/// A request that is refused, and what its challenge must be understood to say.
struct Case {
    name: String,
    request: Request,
    status: u16,
    error: Value,
    scope: Value,
}

impl House {
    fn post(&self, body: &str) -> Request {
        Request::new("POST", "/mcp")
            .header("host", format!("127.0.0.1:{}", self.envoy.port()))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body)
    }

    fn call(&self, tool: &str) -> Request {
        self.post(&mcp::call(tool, "{}"))
    }

    fn metadata(&self) -> String {
        let port = self.envoy.port();
        format!("http://127.0.0.1:{port}/.well-known/oauth-protected-resource/mcp")
    }

    /// A token of the authorization server that may greet, with roles of these names.
    fn token(&self, roles: &[&str]) -> String {
        let claims = json!({ "roles": roles }).to_string();
        let fields = [
            ("resource", &*self.url()),
            ("scope", "tool:greet"),
            ("test_claims", &claims),
        ];
        self.issuer.token_with("svc", &fields)
    }
}

/// Nobody's token, with this text wherever there is room for one.
fn strange_token(text: &str) -> String {
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": text});
    let claims = json!({"iss": text, "sub": text, "aud": text, "exp": 1, "scope": text});
    Key::new().sign(&header, &claims)
}

fn cases(house: &House) -> Vec<Case> {
    let case = |name: &str, request: Request, status: u16, error: Value, scope: Value| Case {
        name: name.to_owned(),
        request,
        status,
        error,
        scope,
    };
    let invited =
        |tool: &str, scope: &str| case(tool, house.call(tool), 401, Value::Null, scope.into());
    let prompt =
        house.post(r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"x"}}"#);
    let greeter = house.token(&[]);
    let mut cases = vec![
        invited("greet", "tool:greet"),
        invited("danger", "tool:danger"),
        case(
            "a tool that needs more",
            house.call("danger").bearer(&greeter),
            403,
            "insufficient_scope".into(),
            "tool:danger".into(),
        ),
        case(
            "a prompt whose refusal says a lot",
            prompt.bearer(&greeter),
            403,
            "insufficient_scope".into(),
            "prompt:read".into(),
        ),
        case(
            "an opaque token",
            house.call("greet").bearer("opaque"),
            401,
            "invalid_token".into(),
            Value::Null,
        ),
    ];
    for text in AWKWARD {
        cases.push(case(
            &format!("a token of {text:?}"),
            house.call("greet").bearer(&strange_token(text)),
            401,
            "invalid_token".into(),
            Value::Null,
        ));
        // A role with a control character is not accepted in the first place.
        if text.contains('\n') {
            continue;
        }
        cases.push(case(
            &format!("a role {text:?}"),
            house.call("danger").bearer(&house.token(&[text])),
            403,
            "insufficient_scope".into(),
            "tool:danger".into(),
        ));
    }
    cases
}

fn challenges(answers: &[Response]) -> Value {
    let answers = answers.iter();
    answers
        .map(|answer| json!([answer.status, answer.header("www-authenticate")]))
        .collect()
}

#[test]
fn every_client_reads_the_challenges_alike() {
    let house = house::shared();
    let cases = cases(house);
    let answers: Vec<Response> = cases
        .iter()
        .map(|case| house.envoy.send(&case.request))
        .collect();
    let read = readings(&challenges(&answers));
    assert_eq!(read.len(), cases.len());
    for ((case, answer), read) in cases.iter().zip(&answers).zip(read) {
        let name = &case.name;
        assert_eq!(answer.status, case.status, "{name}: {}", answer.text());
        let expected = json!({
            "metadata": house.metadata(), "scope": case.scope, "error": case.error,
        });
        for reader in READERS {
            let lines = answer.header("www-authenticate");
            assert_eq!(
                read.get(reader),
                Some(&expected),
                "{name}, {reader}: {lines:?}"
            );
        }
    }
}

#[test]
fn what_no_scope_cures_has_no_challenge() {
    let house = house::shared();
    let viewer = house
        .issuer
        .token("svc-viewer", "tool:greet tool:danger", &house.url());
    let answer = house.envoy.send(&house.call("danger").bearer(&viewer));
    assert_eq!(answer.status, 403, "{}", answer.text());
    let lines = answer.header("www-authenticate");
    assert!(lines.is_empty(), "{lines:?}");
}

#[test]
fn a_challenge_for_a_proof_hides_nothing_of_the_other() {
    let house = house::shared();
    let both = json!([[
        401,
        [format!(
            "Bearer error=\"invalid_token\", resource_metadata=\"{}\", scope=\"a b\", DPoP \
             algs=\"ES256 EdDSA\"",
            house.metadata()
        )]
    ]]);
    let key = DpopKey::new();
    let resource = house.url();
    let fields = [("resource", &*resource), ("scope", "tool:greet")];
    let bound = house.issuer.dpop_token("svc", &fields, &key);
    let as_proved = |proof: String| {
        let request = house
            .call("greet")
            .header("authorization", format!("DPoP {bound}"));
        request.header("dpop", proof)
    };
    let good = as_proved(key.proof("POST", &resource, Some(&bound), None));
    assert_eq!(house.envoy.send(&good).status, 200, "the control");
    let answers = [
        house.call("greet").bearer(&bound),
        house
            .call("greet")
            .header("authorization", format!("DPoP {bound}")),
        as_proved(key.proof("GET", &resource, Some(&bound), None)),
        as_proved("scope=all".to_owned()),
    ]
    .map(|request| house.envoy.send(&request));
    for answer in &answers {
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    let read = readings(&challenges(&answers));
    for (answer, read) in answers.iter().zip(read) {
        let lines = answer.header("www-authenticate");
        let bearer_first = lines
            .first()
            .is_some_and(|line| line.starts_with("Bearer "));
        for reader in READERS {
            // The first TypeScript SDK reads nothing of a header that begins with another scheme.
            let expected = if reader == "first" && !bearer_first {
                Value::Null
            } else {
                house.metadata().into()
            };
            let found = read.pointer(&format!("/{reader}/metadata"));
            assert_eq!(found, Some(&expected), "{reader}: {lines:?}");
        }
    }
    let expected = json!({"metadata": house.metadata(), "scope": "a b", "error": "invalid_token"});
    for read in readings(&both) {
        for reader in READERS {
            assert_eq!(read.get(reader), Some(&expected), "{reader}");
        }
    }
}
