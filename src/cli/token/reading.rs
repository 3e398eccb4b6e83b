//! What can be read of a text that claims to be a token, however broken it is. Nothing is verified.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::Limits;
use crate::identity::gate::UnverifiedToken;
use crate::json;
use crate::json::DEEPEST;
use crate::json::JsonFault;
use crate::json::StrictValue;

/// Takes what canonical base64url does not allow, so that a broken token can still be shown.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a text turned out to be.
#[derive(Debug)]
pub(in crate::cli) enum Reading {
    /// Nothing that can be looked into.
    Opaque,
    /// A JSON document, such as the answer of a token endpoint.
    Document {
        /// Whether there is a token in it.
        has_token: bool,
    },
    /// A JWS, whole or broken, or a JWE.
    Jose(Box<Jose>),
}

/// The parts of a JWS (RFC 7515) or JWE (RFC 7516) in compact form.
#[derive(Debug)]
pub(in crate::cli) struct Jose {
    /// Five parts: the claims are encrypted.
    pub(in crate::cli) encrypted: bool,
    /// The header.
    pub(in crate::cli) header: Section,
    /// The claims; of a JWE, absent.
    pub(in crate::cli) claims: Section,
    /// How long the signature is, in characters; absent when the part is not there.
    pub(in crate::cli) signature: Option<usize>,
    /// What is wrong with each part, in words.
    pub(in crate::cli) faults: Vec<String>,
    /// Why `serve` refuses the token before its signature is looked at.
    pub(in crate::cli) refused: Option<String>,
}

/// One part.
#[derive(Debug)]
pub(in crate::cli) enum Section {
    /// Not there, or not to be decoded.
    Absent,
    /// Bytes that are no sound JSON object.
    Text(String),
    /// A sound JSON object.
    Object(StrictValue),
}

impl Section {
    /// A member of the object.
    pub(in crate::cli) fn get(&self, name: &str) -> Option<&StrictValue> {
        match self {
            Self::Object(value) => value.get(name),
            Self::Absent | Self::Text(_) => None,
        }
    }

    /// A member that is a string.
    pub(in crate::cli) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(StrictValue::as_text)
    }
}

/// Reads a token. A scheme or a header name in front of it is passed over.
pub(in crate::cli) fn read(text: &str) -> Reading {
    let token = bare(text);
    if token.starts_with('{') {
        let document = json::parse(token.as_bytes(), DEEPEST);
        return Reading::Document {
            has_token: document.is_ok_and(|document| document.get("access_token").is_some()),
        };
    }
    let parts: Vec<&str> = token.splitn(6, '.').collect();
    let first = parts.first().copied().unwrap_or_default();
    // Many a word decodes to something that begins with a brace; without dots it takes more.
    let (opening, alone) = match parts.len() {
        1 => (&b"{\""[..], true),
        _ => (&b"{"[..], false),
    };
    let opens_object = tolerant(first).is_some_and(|bytes| bytes.starts_with(opening));
    if !(opens_object || (!alone && first.starts_with("ey"))) {
        return Reading::Opaque;
    }
    Reading::Jose(Box::new(jose(token, &parts)))
}

fn bare(text: &str) -> &str {
    let mut rest = text.trim();
    for prefix in ["authorization:", "bearer ", "dpop "] {
        let start = rest.get(..prefix.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            rest = rest.get(prefix.len()..).unwrap_or_default().trim_start();
        }
    }
    rest
}

fn jose(token: &str, parts: &[&str]) -> Jose {
    let mut faults = Vec::new();
    let encrypted = parts.len() == 5;
    match parts.len() {
        3 | 5 => {}
        1 => faults.push("it ends after the header; was it cut off?".to_owned()),
        2 => faults.push("the signature is missing; was it cut off?".to_owned()),
        _ => faults.push("it has more parts than the three of a signed token".to_owned()),
    }
    let section = |index: usize, name: &str, faults: &mut Vec<String>| match parts.get(index) {
        Some(part) => section(part, name, faults),
        None => Section::Absent,
    };
    let header = section(0, "header", &mut faults);
    let claims = if encrypted {
        Section::Absent
    } else {
        section(1, "claims set", &mut faults)
    };
    let signature = parts.get(2).filter(|_| !encrypted).map(|part| {
        if !part.is_empty()
            && let Err(why) = strict(part)
        {
            faults.push(format!("the signature {why}"));
        }
        part.len()
    });
    let refused = UnverifiedToken::parse(token, Limits::default().token).err();
    Jose {
        encrypted,
        header,
        claims,
        signature,
        faults,
        refused: refused.map(|fault| fault.to_string()),
    }
}

fn section(part: &str, name: &str, faults: &mut Vec<String>) -> Section {
    let bytes = match strict(part) {
        Ok(bytes) => bytes,
        Err(why) => {
            faults.push(format!("the {name} {why}"));
            match tolerant(part) {
                Some(bytes) if !bytes.is_empty() => bytes,
                _ => return Section::Absent,
            }
        }
    };
    let why = match json::parse(&bytes, DEEPEST) {
        Ok(value) if value.as_object().is_some() => return Section::Object(value),
        Ok(_) => "is not a JSON object".to_owned(),
        Err(fault) => format!("is refused: {}", json_fault(fault, &bytes)),
    };
    faults.push(format!("the {name} {why}"));
    Section::Text(String::from_utf8_lossy(&bytes).into_owned())
}

/// Where the JSON breaks off, if that is what is wrong; the library's message quotes nothing.
fn json_fault(fault: JsonFault, bytes: &[u8]) -> String {
    match fault {
        JsonFault::Malformed if std::str::from_utf8(bytes).is_err() => "not UTF-8".to_owned(),
        JsonFault::Malformed => match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
            Err(error) => format!("{fault} (at character {})", error.column()),
            Ok(_) => fault.to_string(),
        },
        JsonFault::RepeatedMember | JsonFault::TooDeep => fault.to_string(),
    }
}

/// Canonical base64url, or what is wrong with it.
fn strict(part: &str) -> Result<Vec<u8>, &'static str> {
    if part.is_empty() {
        return Err("is empty");
    }
    URL_SAFE_NO_PAD.decode(part).map_err(|_| {
        if part.contains(char::is_whitespace) {
            "has white space or a line break in it"
        } else if part.contains('=') {
            "is padded with `=`; base64url in tokens is not"
        } else if part.contains(['+', '/']) {
            "is in the base64 of e-mail (`+` and `/`), not in base64url"
        } else if !part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        {
            "has characters that are not base64url"
        } else {
            "does not end as canonical base64url does; was it cut off or changed?"
        }
    })
}

fn tolerant(part: &str) -> Option<Vec<u8>> {
    let mut cleaned: String = part
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '=')
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    // One character over holds less than a byte.
    if cleaned.len().checked_rem(4) == Some(1) {
        cleaned.pop();
    }
    TOLERANT.decode(cleaned).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"alg":"ES256"}"#;
    const CLAIMS: &str = r#"{"iss":"i","sub":"alice"}"#;

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.AAAA", encode(header), encode(claims))
    }

    fn parts(text: &str) -> Jose {
        match read(text) {
            Reading::Jose(jose) => *jose,
            other @ (Reading::Opaque | Reading::Document { .. }) => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_sound_token_has_no_faults() {
        let token = token(HEADER, CLAIMS);
        for text in [
            token.clone(),
            format!(" {token}\n"),
            format!("Bearer {token}"),
            format!("authorization: DPoP {token}"),
        ] {
            let jose = parts(&text);
            assert_eq!(jose.header.text("alg"), Some("ES256"));
            assert_eq!(jose.claims.text("sub"), Some("alice"));
            assert_eq!(jose.signature, Some(4));
            assert!(jose.faults.is_empty() && jose.refused.is_none());
        }
    }

    #[test]
    fn each_part_says_what_is_wrong_with_it_and_the_rest_is_shown() {
        let (header, claims) = (encode(HEADER), encode(CLAIMS));
        let cut = claims.strip_suffix('Q').unwrap();
        for (text, fault) in [
            (format!("{header}.{claims}"), "the signature is missing"),
            (header.clone(), "it ends after the header"),
            (format!("{header}.{claims}.A.B"), "it has more parts"),
            (
                format!("{header}.{claims}.A A"),
                "the signature has white space",
            ),
            (
                format!("{header}.{claims}=.AAAA"),
                "the claims set is padded",
            ),
            (format!("{header}..AAAA"), "the claims set is empty"),
            (
                format!("{header}.{claims}é.AAAA"),
                "the claims set has characters",
            ),
            (
                format!("{header}.{cut}.AAAA"),
                "the claims set does not end",
            ),
            (
                format!("{header}+/.{claims}.AAAA"),
                "the header is in the base64 of e-mail",
            ),
            (
                token("{", CLAIMS),
                "the header is refused: not well-formed JSON (at character 1)",
            ),
            (token(HEADER, "[]"), "the claims set is not a JSON object"),
            (
                token(HEADER, r#"{"a":1,"a":2}"#),
                "the claims set is refused: an object repeats a member",
            ),
        ] {
            let jose = parts(&text);
            assert!(
                jose.faults.iter().any(|said| said.starts_with(fault)),
                "{text}: {:?}",
                jose.faults
            );
            assert!(jose.refused.is_some(), "{text}");
        }
        let shortened = parts(&format!("{header}.{cut}"));
        assert!(
            matches!(&shortened.claims, Section::Text(text) if text.starts_with(r#"{"iss":"i""#))
        );
        let padded = parts(&format!("{header}=.{claims}==.AAAA"));
        assert_eq!(padded.header.text("alg"), Some("ES256"));
        assert_eq!(padded.claims.text("iss"), Some("i"));
    }

    #[test]
    fn what_the_gate_refuses_is_shown_all_the_same() {
        let jose = parts(&token(r#"{"alg":"ES256","jku":"https://e"}"#, CLAIMS));
        assert!(jose.faults.is_empty());
        assert_eq!(
            jose.refused.as_deref(),
            Some("the header parameter `jku` is refused")
        );
        assert_eq!(jose.claims.text("sub"), Some("alice"));
        let long = token(HEADER, &format!(r#"{{"iss":"{}"}}"#, "x".repeat(20_000)));
        assert!(parts(&long).refused.unwrap().contains("the bound is 16384"));
    }

    #[test]
    fn other_things_are_told_apart() {
        for opaque in [
            "",
            "abc",
            "a.b.c",
            "v4.public.abc",
            "ghp_0123456789",
            "eyebrow",
        ] {
            assert!(matches!(read(opaque), Reading::Opaque), "{opaque}");
        }
        let jwe = parts("eyJhbGciOiJkaXIifQ..a.b.c");
        assert!(jwe.encrypted && jwe.faults.is_empty() && jwe.signature.is_none());
        assert_eq!(jwe.header.text("alg"), Some("dir"));
        for (text, expected) in [
            (r#"{"access_token":"x"}"#, true),
            (r#"{"error":"x"}"#, false),
            ("{", false),
        ] {
            let read = read(text);
            assert!(
                matches!(read, Reading::Document { has_token } if has_token == expected),
                "{text}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in "(ey)?[a-zA-Z0-9_.=+/{}\\- é\\n]{0,200}") {
            drop(read(&text));
        }
    }
}
