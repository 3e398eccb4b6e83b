//! Real clients that are given a URL and credentials, and nothing else: they find the token by the
//! answers of the front door, and get a better one when an operation needs more.

#![expect(clippy::expect_used, reason = "a wrong assumption fails the test")]

mod support;

#[path = "step_up/challenges.rs"]
mod challenges;
#[path = "step_up/house.rs"]
mod house;

use self::house::Client;
use self::house::House;
use self::house::Journey;

/// What every journey starts with: told to log in, led to a token, and let in.
const LOG_IN: [(&str, &str, u16); 5] = [
    ("POST", "/mcp", 401),
    ("GET", "/.well-known/oauth-protected-resource/mcp", 200),
    ("GET", "/.well-known/oauth-authorization-server", 200),
    ("POST", "/token", 200),
    ("POST", "/mcp", 200),
];

fn log_in_and(
    more: &[(&'static str, &'static str, u16)],
) -> Vec<(&'static str, &'static str, u16)> {
    LOG_IN.iter().chain(more).copied().collect()
}

#[test]
fn a_client_finds_its_token_and_steps_up_when_a_tool_needs_more() {
    let house = house::shared();
    for client in Client::ALL {
        let journey = house.send(client, "svc", &["--tool", "danger", "--list"]);
        let outcome = &journey.outcome;
        assert!(outcome.ok, "{client:?}: {outcome:?}");
        assert_eq!(outcome.text, "ran danger");
        assert_eq!(outcome.tools, ["greet", "danger"], "{client:?}");
        journey.went(&log_in_and(&[
            ("POST", "/mcp", 403),
            ("POST", "/token", 200),
            ("POST", "/mcp", 200),
        ]));
        assert_eq!(journey.answers(401), 1, "{client:?}: {outcome:?}");
        assert_eq!(journey.answers(403), 1, "{client:?}: {outcome:?}");
        assert_eq!(
            journey.tokens, 2,
            "{client:?}: one for the start, one for the tool"
        );
        let [run] = &*journey.runs else {
            panic!("{client:?}: it ran once: {:?}", journey.runs);
        };
        assert_eq!((&*run.tool, &*run.subject), ("danger", "svc"));
        assert_eq!(
            sorted(&run.scopes),
            ["tool:danger", "tool:greet"],
            "{client:?}"
        );
    }
}

#[test]
fn a_client_that_may_do_it_asks_for_one_token() {
    let house = house::shared();
    for client in Client::ALL {
        let journey = house.send(client, "svc", &["--tool", "greet"]);
        assert!(journey.outcome.ok, "{client:?}: {:?}", journey.outcome);
        journey.went(&log_in_and(&[]));
        assert_eq!(journey.tokens, 1, "{client:?}");
        let [run] = &*journey.runs else {
            panic!("{client:?}: it ran once: {:?}", journey.runs);
        };
        assert_eq!(run.scopes, "tool:greet", "what the first challenge names");
    }
}

#[test]
fn what_no_scope_cures_sends_nobody_for_another_token() {
    let house = house::shared();
    for client in Client::ALL {
        let journey = house.send(client, "svc-viewer", &["--tool", "danger"]);
        let outcome = &journey.outcome;
        assert!(!outcome.ok, "{client:?}: {outcome:?}");
        journey.went(&log_in_and(&[("POST", "/mcp", 403)]));
        assert_eq!(journey.answers(403), 1, "{client:?}: {outcome:?}");
        assert_eq!(journey.tokens, 1, "{client:?}: {outcome:?}");
        assert!(journey.runs.is_empty(), "{client:?}: {:?}", journey.runs);
    }
}

#[test]
fn an_expired_token_is_replaced() {
    let house = House::start(&["--ttl", "3"]);
    for client in Client::ALL {
        let journey = house.send(client, "svc", &["--tool", "greet", "--until", "401"]);
        assert!(journey.outcome.ok, "{client:?}: {:?}", journey.outcome);
        journey.went(&log_in_and(&[
            ("POST", "/mcp", 401),
            ("POST", "/token", 200),
            ("POST", "/mcp", 200),
        ]));
        assert!(journey.tokens >= 2, "{client:?}: {}", journey.tokens);
        let greeted = journey.runs.iter().all(|run| run.tool == "greet");
        assert!(
            greeted && journey.runs.len() >= 2,
            "{client:?}: {:?}",
            journey.runs
        );
    }
}

impl Journey {
    /// Asserts that these exchanges happened in this order, whatever came between them.
    fn went(&self, steps: &[(&str, &str, u16)]) {
        let mut exchanges = self.outcome.requests.iter();
        for (method, path, status) in steps {
            let found = exchanges.any(|(had, url, got)| {
                let url = url::Url::parse(url).expect("a URL");
                had == method && url.path() == *path && got == status
            });
            assert!(
                found,
                "no {method} {path} {status} in its turn: {:?}",
                self.outcome
            );
        }
    }

    /// How many answers had this status.
    fn answers(&self, status: u16) -> usize {
        let answers = self.outcome.requests.iter();
        answers.filter(|(_, _, got)| *got == status).count()
    }
}

fn sorted(list: &str) -> Vec<&str> {
    let mut items: Vec<&str> = list.split(',').collect();
    items.sort_unstable();
    items
}
