//! What a row of the table is, and how a table is held against the program.

use crate::house::House;
use crate::support::ask::Ask;
use crate::support::ask::Verdict;
use crate::support::signer::Token;

/// One row: a request that is made anew for each dialect, and the answer that it must get.
pub(crate) struct Row {
    /// What is odd about the request, or `good`.
    pub(crate) name: &'static str,
    pub(crate) ask: fn(&House) -> Ask,
    pub(crate) expected: Expected,
}

/// Rows, one a line: `"name", request => answer;`
macro_rules! rows {
    ($house:ident: $($name:literal, $ask:expr => $expected:expr;)*) => {
        vec![$($crate::table::Row {
            name: $name,
            ask: |$house| {
                // Some rows need nothing of the house.
                let _: &$crate::house::House = $house;
                $crate::table::AsAsk::ask($ask)
            },
            expected: $expected,
        }),*]
    };
}
pub(crate) use rows;

/// What can stand for a request in a row.
pub(crate) trait AsAsk {
    /// The request.
    fn ask(self) -> Ask;
}

impl AsAsk for Ask {
    fn ask(self) -> Ask {
        self
    }
}

/// A bearer token in a call that every good caller may make.
impl AsAsk for Token<'_> {
    fn ask(self) -> Ask {
        forecast().bearer(&self.text())
    }
}

impl AsAsk for String {
    fn ask(self) -> Ask {
        forecast().bearer(&self)
    }
}

/// A call that any viewer may make.
pub(crate) fn forecast() -> Ask {
    Ask::call("get_forecast")
}

/// A GET below the same host.
pub(crate) fn get(path: &str) -> Ask {
    Ask::bare("GET").at(crate::support::ask::HOST, path)
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    reason: &'static str,
    status: i32,
    /// How `WWW-Authenticate` begins; empty: there is none.
    challenge: String,
    /// What stands in a later line of it.
    also: &'static str,
    /// Whether there is a `Retry-After`.
    retry: bool,
}

fn expected(reason: &'static str, status: i32, challenge: impl Into<String>) -> Expected {
    Expected {
        reason,
        status,
        challenge: challenge.into(),
        also: "",
        retry: status == 503,
    }
}

/// 200
pub(crate) fn allowed() -> Expected {
    expected("allowed", 200, "")
}

/// 401 `invalid_token`, with the reason that the client is given.
pub(crate) fn refused(why: &str) -> Expected {
    let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{why}\", ");
    expected("invalid_credential", 401, challenge)
}

/// 401 at a resource that takes nothing but keys, the first from `x-api-key`.
pub(crate) fn unkeyed() -> Expected {
    Expected {
        also: "\", header=\"x-api-key\"",
        ..expected(
            "invalid_credential",
            401,
            "Bearer error=\"invalid_token\", ",
        )
    }
}

/// 401 for a bound token that was sent as if it were not: what is wrong with it, then what it needs.
pub(crate) fn unbound(why: &str) -> Expected {
    let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{why}\", ");
    Expected {
        also: ", DPoP algs=\"",
        ..expected("invalid_credential", 401, challenge)
    }
}

/// 401 for a proof of possession, or for the lack of one.
pub(crate) fn unproved(error: &str, why: &str) -> Expected {
    let challenge = format!("DPoP error=\"{error}\", error_description=\"{why}\", algs=\"");
    expected("invalid_credential", 401, challenge)
}

/// 401 without an error: nothing was sent.
pub(crate) fn missing() -> Expected {
    expected("missing_credential", 401, "Bearer resource_metadata=\"")
}

/// 400 for two credentials, or for one in the wrong place.
pub(crate) fn several() -> Expected {
    expected("malformed_request", 400, "Bearer error=\"invalid_request\"")
}

/// 400 that has nothing to do with the caller's own credential.
pub(crate) fn malformed() -> Expected {
    expected("malformed_request", 400, "")
}

/// 403: a caller who is known, and lacks the role; this scope would help.
pub(crate) fn powerless(scope: &str) -> Expected {
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\", ");
    expected("insufficient_scope", 403, challenge)
}

/// 403: a caller who is known, and whom no scope would help.
pub(crate) fn forbidden() -> Expected {
    expected("not_permitted", 403, "")
}

/// 503 with `Retry-After`: nobody can judge the credential now.
pub(crate) fn unavailable() -> Expected {
    expected("issuer_unavailable", 503, "")
}

impl Expected {
    /// Whether `verdict` is something else, and what.
    fn contradicts(&self, verdict: &Verdict) -> Option<String> {
        let found = Self {
            reason: self.reason,
            status: verdict.status,
            challenge: all(verdict, "www-authenticate"),
            also: "",
            retry: !all(verdict, "retry-after").is_empty(),
        };
        let challenge = if self.challenge.is_empty() {
            found.challenge.is_empty()
        } else {
            found.challenge.starts_with(&self.challenge) && found.challenge.contains(self.also)
        };
        let same = verdict.reason == self.reason
            && found.status == self.status
            && found.retry == self.retry
            && challenge;
        (!same).then(|| {
            format!(
                "expected {} {} `{}`\n        found    {} {} `{}`{}",
                self.status,
                self.reason,
                self.challenge,
                found.status,
                verdict.reason,
                found.challenge,
                if found.retry {
                    " and a Retry-After"
                } else {
                    ""
                },
            )
        })
    }
}

/// Every value of a header, so that two of them are never taken for one.
fn all(verdict: &Verdict, name: &str) -> String {
    let lines = verdict.headers.iter().filter(|(key, _)| key == name);
    let values: Vec<&str> = lines.map(|(_, value)| value.as_str()).collect();
    values.join(" AND ")
}

/// Asks every row over gRPC and over HTTP, and reports all that were answered otherwise. After each
/// row `between` is done.
pub(crate) fn hold(house: &House, rows: &[Row], between: impl Fn(&House)) {
    hold_by(house, rows, &["gRPC", "HTTP"], between);
}

/// The same in some dialects only.
pub(crate) fn hold_by(house: &House, rows: &[Row], dialects: &[&str], between: impl Fn(&House)) {
    let mut failures = Vec::new();
    for row in rows {
        for dialect in dialects {
            let ask = (row.ask)(house);
            let verdict = match *dialect {
                "gRPC" => house.asker().grpc(&ask),
                _ => house.asker().http(&ask),
            };
            if let Some(why) = row.expected.contradicts(&verdict) {
                failures.push(format!("{dialect} {}:\n        {why}", row.name));
            }
            between(house);
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} answers are not as the table says:\n{}",
        failures.len(),
        rows.len().saturating_mul(dialects.len()),
        failures.join("\n")
    );
}

#[test]
fn an_answer_that_differs_in_anything_fails_its_row() {
    let good = Verdict {
        code: 16,
        reason: "invalid_credential".to_owned(),
        status: 401,
        body: String::new(),
        headers: vec![(
            "www-authenticate".to_owned(),
            "Bearer error=\"invalid_token\", error_description=\"why\", x".to_owned(),
        )],
        ok: None,
    };
    assert_eq!(refused("why").contradicts(&good), None);
    for wrong in [
        refused("what"),
        unproved("invalid_token", "why"),
        unbound("why"),
        unkeyed(),
        missing(),
        several(),
        malformed(),
        allowed(),
        unavailable(),
        forbidden(),
        powerless("x"),
        expected("invalid_credential", 401, ""),
        expected("invalid_credential", 403, "Bearer"),
        expected("missing_credential", 401, "Bearer"),
    ] {
        assert!(wrong.contradicts(&good).is_some(), "{wrong:?}");
    }
    let mut bare = good.clone();
    bare.headers.clear();
    assert!(refused("why").contradicts(&bare).is_some());
    let mut delayed = good;
    let header = ("retry-after".to_owned(), "1".to_owned());
    delayed.headers.push(header);
    assert!(refused("why").contradicts(&delayed).is_some());
}
