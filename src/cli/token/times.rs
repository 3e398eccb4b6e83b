//! The times in a token, as dates and in words.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::span;
use crate::cli::token::reading::Section;
use crate::json::StrictValue;

/// Seconds since 1970 that lie in the year 5138: milliseconds, most likely.
const FAR_S: i64 = 100_000_000_000;

/// One time of a token.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Time {
    /// The claim.
    pub(super) claim: &'static str,
    /// RFC 3339, UTC; absent where it is no time.
    pub(super) at: Option<String>,
    /// As in `expired 3 hours ago`.
    pub(super) meaning: String,
}

/// The times of a claims set, in the order in which they come to pass.
pub(super) fn of(claims: &Section, now_s: i64) -> Vec<Time> {
    let found = ["auth_time", "iat", "nbf", "exp"].into_iter();
    let mut times: Vec<Time> = found
        .filter_map(|claim| Some(read(claim, claims.get(claim)?, now_s)))
        .collect();
    if matches!(claims, Section::Object(_)) && claims.get("exp").is_none() {
        times.push(Time {
            claim: "exp",
            at: None,
            meaning: "is missing: the token never expires, and is refused for that".to_owned(),
        });
    }
    times
}

fn read(claim: &'static str, value: &StrictValue, now_s: i64) -> Time {
    let Some(seconds) = value.as_integer() else {
        return Time {
            claim,
            at: None,
            meaning: "is not a whole number of seconds since 1970".to_owned(),
        };
    };
    if !(0..FAR_S).contains(&seconds) {
        return Time {
            claim,
            at: None,
            meaning: "is far from now; it counts seconds since 1970, not milliseconds".to_owned(),
        };
    }
    let span = span::words(seconds.abs_diff(now_s));
    let to_come = seconds > now_s;
    let meaning = match claim {
        "exp" if to_come => format!("expires in {span}"),
        "exp" => format!("expired {span} ago"),
        "nbf" if to_come => format!("is not valid yet, but will be in {span}"),
        "nbf" => format!("has been valid for {span}"),
        "iat" if to_come => format!("was issued in the future, {span} from now"),
        "iat" => format!("was issued {span} ago"),
        _ if to_come => format!("the login is {span} from now"),
        _ => format!("the login was {span} ago"),
    };
    let at = OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok());
    Time { claim, at, meaning }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn times(claims: &str) -> Vec<String> {
        let claims = Section::Object(json::parse(claims.as_bytes(), 16).unwrap());
        of(&claims, 1_767_268_800)
            .into_iter()
            .map(|time| {
                format!(
                    "{} {} {}",
                    time.claim,
                    time.at.unwrap_or_default(),
                    time.meaning
                )
            })
            .collect()
    }

    #[test]
    fn times_are_said_in_words() {
        insta::assert_snapshot!(
            times(r#"{"exp":1767269100,"nbf":1767268800,"iat":1767268680,"auth_time":1767000000}"#)
                .join("\n"),
            @r"
        auth_time 2025-12-29T09:20:00Z the login was 3 days ago
        iat 2026-01-01T11:58:00Z was issued 2 minutes ago
        nbf 2026-01-01T12:00:00Z has been valid for 0 seconds
        exp 2026-01-01T12:05:00Z expires in 5 minutes
        "
        );
        insta::assert_snapshot!(
            times(r#"{"exp":1767258000,"nbf":1767268802,"iat":1767268900,"auth_time":1767269000}"#)
                .join("\n"),
            @r"
        auth_time 2026-01-01T12:03:20Z the login is 3 minutes from now
        iat 2026-01-01T12:01:40Z was issued in the future, 100 seconds from now
        nbf 2026-01-01T12:00:02Z is not valid yet, but will be in 2 seconds
        exp 2026-01-01T09:00:00Z expired 3 hours ago
        "
        );
    }

    #[test]
    fn what_is_no_time_is_said_to_be_none() {
        for value in ["\"1767269100\"", "1767269100.0", "null", "[]", "1e300"] {
            let said = times(&format!(r#"{{"exp":{value}}}"#));
            assert_eq!(said, ["exp  is not a whole number of seconds since 1970"]);
        }
        for value in ["1767269100000", "-1", "9223372036854775807"] {
            let said = times(&format!(r#"{{"exp":{value}}}"#));
            assert!(said[0].contains("milliseconds"), "{said:?}");
        }
        assert!(times("{}")[0].contains("never expires"));
        assert!(of(&Section::Absent, 0).is_empty());
    }
}
