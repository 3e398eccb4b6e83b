//! `cedargate token inspect`

use std::io;
use std::io::IsTerminal as _;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap as _;
use serde::ser::SerializeSeq as _;
use serde_json::json;
use thiserror::Error;

use crate::cli::Exit;
use crate::cli::input;
use crate::cli::input::InputError;
use crate::cli::output::Output;
use crate::cli::printable;
use crate::cli::token::kind;
use crate::cli::token::reading;
use crate::cli::token::reading::Jose;
use crate::cli::token::reading::Reading;
use crate::cli::token::reading::Section;
use crate::cli::token::times;
use crate::json::StrictValue;
use crate::source::Clock as _;
use crate::source::clock::SystemClock;

/// Longest input, in bytes.
const LONGEST: u64 = 64 * 1024;

const UNVERIFIED: &str = "nothing was verified: anybody can write a token that says this";

/// Show what a token says, without believing it
///
/// Prints the header and the claims, the times in words, and what kind of token it looks like.
/// The signature is neither checked nor printed. A broken token is shown as far as it can be read,
/// with what is wrong with each part.
///
/// Give the token on standard input where you can: an argument stays in the history of the shell,
/// and other users of the machine can see it. `Bearer` in front of it is passed over.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cedargate token inspect < token.txt
  cedargate token mint --key ci.key --issuer test | cedargate token inspect
  cedargate token inspect --json < token.txt | jq .claims.sub

Exit codes: 0 shown, whatever it says; 1 malformed, or it could not be read; 2 wrong usage.")]
pub(in crate::cli) struct Inspect {
    /// The token; `-` or nothing reads standard input
    #[arg(value_name = "TOKEN", hide_default_value = true, default_value = "-")]
    token: String,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Error)]
pub(super) enum InspectError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the token is longer than {LONGEST} bytes")]
    Long,
    #[error("there is no token: the input is empty")]
    Empty,
    #[error("this is a JSON document, not a token; the token is its member `access_token`")]
    Document,
    #[error("this is a JSON document, not a token in compact form")]
    NoToken,
    #[error("the token is malformed: {0}")]
    Malformed(String),
}

impl Inspect {
    pub(super) fn run(self, output: Output) -> Exit {
        let text = match sent(&self.token, output) {
            Ok(text) => text,
            Err(error) => return output.failure(&error),
        };
        let now_s = SystemClock::new().now_ms().div_euclid(1000);
        match reading::read(&text) {
            Reading::Document { has_token: true } => output.failure(&InspectError::Document),
            Reading::Document { has_token: false } => output.failure(&InspectError::NoToken),
            Reading::Opaque => output.data(&self.opaque(text.trim())),
            Reading::Jose(jose) => {
                let shown = if self.json {
                    as_json(&jose, now_s)
                } else {
                    in_words(&jose, now_s)
                };
                let exit = output.data(&printable::lines(&shown));
                output.notice(UNVERIFIED);
                if jose.faults.is_empty() || exit != Exit::Done {
                    return exit;
                }
                output.failure(&InspectError::Malformed(jose.faults.join("; ")))
            }
        }
    }

    fn opaque(&self, text: &str) -> String {
        let length = text.chars().count();
        if self.json {
            let kind = kind::OPAQUE;
            return json!({
                "kind": kind.word,
                "meaning": kind.meaning,
                "length": length,
                "verified": false,
            })
            .to_string();
        }
        format!(
            "kind    {}\nlength  {length} characters; it is not a JWT, so there is nothing to show",
            kind::OPAQUE.meaning
        )
    }
}

/// The token of an argument, or of standard input where the argument is `-`.
pub(super) fn sent(argument: &str, output: Output) -> Result<String, InspectError> {
    let text = if argument == "-" {
        if io::stdin().is_terminal() {
            output.notice("paste the token, then end the input with Ctrl-D");
        }
        input::standard(LONGEST)?
    } else {
        argument.to_owned()
    };
    if u64::try_from(text.len()).map_or(true, |length| length > LONGEST) {
        return Err(InspectError::Long);
    }
    if text.trim().is_empty() {
        return Err(InspectError::Empty);
    }
    Ok(text)
}

fn as_json(jose: &Jose, now_s: i64) -> String {
    let kind = kind::of(jose);
    let times = times::of(&jose.claims, now_s);
    // Written by hand as far as the order and the repeated members of the token matter.
    let facts = [
        ("kind", json!(kind.word).to_string()),
        ("meaning", json!(kind.meaning).to_string()),
        ("header", compact(&jose.header)),
        ("claims", compact(&jose.claims)),
        ("bound_to", json!(kind::bindings(jose)).to_string()),
        ("times", json!(times).to_string()),
        ("faults", json!(jose.faults).to_string()),
        ("refused", json!(jose.refused).to_string()),
        ("verified", "false".to_owned()),
    ];
    let members = facts.map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", members.join(","))
}

fn in_words(jose: &Jose, now_s: i64) -> String {
    let mut lines = vec![format!("kind    {}", kind::of(jose).meaning)];
    for binding in kind::bindings(jose) {
        lines.push(format!("bound   to {binding}"));
    }
    for time in times::of(&jose.claims, now_s) {
        let at = time.at.map(|at| format!("  ({at})")).unwrap_or_default();
        lines.push(format!("time    `{}` {}{at}", time.claim, time.meaning));
    }
    for fault in &jose.faults {
        lines.push(format!("fault   {fault}"));
    }
    if let Some(refused) = &jose.refused {
        lines.push(format!(
            "refused by every sidecar, whoever signed it: {refused}"
        ));
    }
    lines.push(format!("header  {}", pretty(&jose.header)));
    if !jose.encrypted {
        lines.push(format!("claims  {}", pretty(&jose.claims)));
        lines.push(match jose.signature {
            None => "signature  missing".to_owned(),
            Some(0) => "signature  empty: nobody has signed this".to_owned(),
            Some(length) => format!("signature  {length} characters, neither shown nor checked"),
        });
    }
    lines.join("\n")
}

fn pretty(section: &Section) -> String {
    match section {
        Section::Absent => "cannot be read".to_owned(),
        Section::Text(text) => format!("is not sound JSON: {}", printable::line(text)),
        Section::Object(value) => serde_json::to_string_pretty(&Shown(value)).unwrap_or_default(),
    }
}

fn compact(section: &Section) -> String {
    match section {
        Section::Absent => "null".to_owned(),
        Section::Text(text) => json!(text).to_string(),
        Section::Object(value) => serde_json::to_string(&Shown(value)).unwrap_or_default(),
    }
}

/// A value in the order in which it was written.
struct Shown<'a>(&'a StrictValue);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            StrictValue::Null => to.serialize_unit(),
            StrictValue::Bool(value) => to.serialize_bool(*value),
            StrictValue::Integer(value) => to.serialize_i64(*value),
            StrictValue::Unsigned(value) => to.serialize_u64(*value),
            StrictValue::Float(value) => to.serialize_f64(*value),
            StrictValue::Text(value) => to.serialize_str(value),
            StrictValue::Array(items) => {
                let mut array = to.serialize_seq(Some(items.len()))?;
                for item in items {
                    array.serialize_element(&Shown(item))?;
                }
                array.end()
            }
            StrictValue::Object(members) => {
                let mut object = to.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    object.serialize_entry(name, &Shown(value))?;
                }
                object.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::Value;

    use super::*;

    fn jose(header: &str, claims: &str) -> Jose {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let text = format!("{}.{}.c2lnbmF0dXJl", encode(header), encode(claims));
        match reading::read(&text) {
            Reading::Jose(jose) => *jose,
            other @ (Reading::Opaque | Reading::Document { .. }) => panic!("{other:?}"),
        }
    }

    const CLAIMS: &str = r#"{"sub":"alice","iss":"i","z":[1.5,null,{"b":1,"a":true}],
        "exp":1000,"iat":700,"cnf":{"jkt":"x"}}"#;

    #[test]
    fn a_token_is_shown_for_people() {
        let shown = in_words(&jose(r#"{"typ":"at+jwt","alg":"ES256"}"#, CLAIMS), 880);
        insta::assert_snapshot!(shown, @r#"
        kind    an access token (RFC 9068)
        bound   to a DPoP key (RFC 9449): each request needs a proof made with that key
        time    `iat` was issued 3 minutes ago  (1970-01-01T00:11:40Z)
        time    `exp` expires in 2 minutes  (1970-01-01T00:16:40Z)
        header  {
          "typ": "at+jwt",
          "alg": "ES256"
        }
        claims  {
          "sub": "alice",
          "iss": "i",
          "z": [
            1.5,
            null,
            {
              "b": 1,
              "a": true
            }
          ],
          "exp": 1000,
          "iat": 700,
          "cnf": {
            "jkt": "x"
          }
        }
        signature  12 characters, neither shown nor checked
        "#);
    }

    #[test]
    fn a_token_is_shown_for_programs() {
        let text = as_json(&jose(r#"{"typ":"at+jwt","alg":"ES256"}"#, CLAIMS), 880);
        let shown: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(shown["kind"], "access_token");
        assert_eq!(shown["header"], json!({"typ": "at+jwt", "alg": "ES256"}));
        assert_eq!(shown["claims"]["z"][2], json!({"b": 1, "a": true}));
        assert_eq!(shown["times"][1]["meaning"], "expires in 2 minutes");
        assert_eq!(shown["faults"], json!([]));
        assert_eq!(shown["refused"], Value::Null);
        assert_eq!(shown["verified"], false);
        assert!(!text.contains("c2lnbmF0dXJl") && !text.contains("signature\":"));
        assert!(text.find("alice") < text.find("\"iss\""), "the order stays");
    }

    #[test]
    fn a_refused_token_is_shown_with_the_reason() {
        let refused = jose(r#"{"alg":"none"}"#, r#"{"iss":"i","exp":1}"#);
        let shown = in_words(&refused, 2);
        assert!(
            shown.contains(
                "refused by every sidecar, whoever signed it: the algorithm is not known"
            ),
            "{shown}"
        );
        assert!(shown.contains("`exp` expired 1 second ago"), "{shown}");
    }

    #[test]
    fn a_token_cannot_write_to_the_terminal() {
        let hostile = "{\"iss\":\"\u{1b}[2J\u{9b}\u{202e}\\u001b[2J\",\"exp\":1}";
        for header in [r#"{"alg":"ES256"}"#, "{\u{1b}]0;\u{7}"] {
            let jose = jose(header, &hostile.replace('\u{1b}', "\\u001b"));
            for shown in [in_words(&jose, 2), as_json(&jose, 2)] {
                let shown = printable::lines(&shown);
                let loud = shown.chars().find(|c| c.is_control() && *c != '\n');
                assert_eq!(loud, None, "{shown}");
                assert!(!shown.contains('\u{202e}'), "{shown}");
            }
        }
    }
}
