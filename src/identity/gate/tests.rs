//! What the gate lets through, and what it does not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;
use crate::json::JsonFault;

const MAX: usize = 16 * 1024;
const HEADER: &str = r#"{"alg":"ES256"}"#;
const CLAIMS: &str = r#"{"iss":"i"}"#;

fn token(header: &str, claims: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", encode(header), encode(claims), "AAAA")
}

fn fault(token: &str) -> Option<TokenFault> {
    UnverifiedToken::parse(token, MAX).err()
}

fn header_fault(header: &str) -> Option<TokenFault> {
    fault(&token(header, CLAIMS))
}

fn claims_fault(claims: &str) -> Option<TokenFault> {
    fault(&token(HEADER, claims))
}

#[test]
fn a_sound_token_is_read() {
    let text = token(
        r#"{"alg":"RS256","kid":"k","typ":"application/AT+JWT","x5t":"ignored"}"#,
        r#"{"iss":"https://i","sub":"s"}"#,
    );
    let read = UnverifiedToken::parse(&text, MAX).unwrap();
    assert_eq!(read.issuer(), "https://i");
    assert_eq!(read.header().algorithm, Algorithm::Rs256);
    assert_eq!(read.header().key_id.as_deref(), Some("k"));
    assert_eq!(read.header().token_type, "at+jwt");
    assert_eq!(read.signature(), "AAAA");
    assert_eq!(format!("{}.AAAA", read.signing_input()), text);
    let plain = token(HEADER, CLAIMS);
    let plain = UnverifiedToken::parse(&plain, MAX).unwrap();
    assert_eq!(plain.header().token_type, "jwt");
}

#[test]
fn length_comes_first() {
    let long = ".".repeat(MAX + 1);
    assert_eq!(
        fault(&long),
        Some(TokenFault::TooLong {
            length: MAX + 1,
            bound: MAX
        })
    );
    let text = token(HEADER, CLAIMS);
    assert!(UnverifiedToken::parse(&text, text.len()).is_ok());
    assert!(UnverifiedToken::parse(&text, text.len() - 1).is_err());
}

#[test]
fn exactly_three_parts() {
    for (text, expected) in [
        ("", TokenFault::NotCompact),
        ("a", TokenFault::NotCompact),
        ("a.b", TokenFault::NotCompact),
        ("a.b.c.d", TokenFault::NotCompact),
        ("a.b.c.d.e", TokenFault::Encrypted),
        ("....", TokenFault::Encrypted),
        ("a.b.c.d.e.f", TokenFault::NotCompact),
        ("..", TokenFault::Encoding(Part::Header)),
        (r#"{"payload":"x"}"#, TokenFault::NotCompact),
    ] {
        assert_eq!(fault(text), Some(expected), "{text}");
    }
    assert_eq!(fault(&".".repeat(MAX)), Some(TokenFault::NotCompact));
}

#[test]
fn base64url_is_canonical() {
    let good = token(HEADER, CLAIMS);
    let (input, _) = good.rsplit_once('.').unwrap();
    for signature in [
        "", "AAA=", "AAAA====", "AA+A", "AA/A", "AA A", "AB", "A", "AAA\n", "\u{e9}",
    ] {
        assert_eq!(
            fault(&format!("{input}.{signature}")),
            Some(TokenFault::Encoding(Part::Signature)),
            "{signature}"
        );
    }
    // "eyJhIjoxfQ" ends in zero bits; "eyJhIjoxfR" says the same with others.
    assert_eq!(
        fault("eyJhIjoxfR.e30.AAAA"),
        Some(TokenFault::Encoding(Part::Header))
    );
}

#[test]
fn algorithms_are_known_by_exact_name() {
    for name in [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        " ",
        "hs256",
        "HS1",
        "HS224",
        "rs256",
        "es256",
        "ES256 ",
        " ES256",
        "ES256\\u0000",
        "ES512",
        "ES521",
        "ES224",
        "ES256K",
        "RS1",
        "RS256,HS256",
        "eddsa",
        "ED25519",
        "Ed448",
        "A256GCM",
        "RSA-OAEP",
        "dir",
        "PBES2-HS256+A128KW",
    ] {
        let header = format!(r#"{{"alg":"{name}"}}"#);
        assert_eq!(
            header_fault(&header),
            Some(TokenFault::AlgorithmUnknown),
            "{name}"
        );
    }
    for header in [
        "{}",
        r#"{"alg":null}"#,
        r#"{"alg":1}"#,
        r#"{"alg":["ES256"]}"#,
        r#"{"ALG":"ES256"}"#,
    ] {
        assert_eq!(
            header_fault(header),
            Some(TokenFault::AlgorithmUnknown),
            "{header}"
        );
    }
    for name in ["RS256", "PS512", "ES384", "EdDSA", "Ed25519", "HS512"] {
        assert_eq!(
            header_fault(&format!(r#"{{"alg":"{name}"}}"#)),
            None,
            "{name}"
        );
    }
}

#[test]
fn header_parameters_that_nobody_honours() {
    for (name, value) in [
        ("crit", r#"["exp"]"#),
        ("crit", "[]"),
        ("b64", "false"),
        ("b64", "true"),
        ("jku", r#""https://evil""#),
        ("x5u", r#""https://evil""#),
        ("jwk", "{}"),
        ("x5c", "[]"),
        ("zip", r#""DEF""#),
        ("enc", r#""A256GCM""#),
        ("crit", "null"),
    ] {
        let header = format!(r#"{{"alg":"ES256","{name}":{value}}}"#);
        assert_eq!(
            header_fault(&header),
            Some(TokenFault::HeaderRefused(name)),
            "{header}"
        );
    }
}

#[test]
fn kid_is_short_and_printable() {
    let sound = |kid: &str| header_fault(&format!(r#"{{"alg":"ES256","kid":{kid}}}"#)).is_none();
    assert!(sound(r#""../../dev/null""#), "an opaque name");
    assert!(sound(r#""x' UNION SELECT '1';--""#));
    assert!(sound(&format!(r#""{}""#, "k".repeat(256))));
    for kid in [
        "1",
        "null",
        "[]",
        "{}",
        r#""a\u0000""#,
        r#""a\nb""#,
        r#""\u007f""#,
    ] {
        assert!(!sound(kid), "{kid}");
    }
    assert!(!sound(&format!(r#""{}""#, "k".repeat(257))));
}

#[test]
fn types_that_are_never_access_tokens() {
    for typ in kind::REFUSED_TYPES {
        for spelling in [
            typ.to_owned(),
            typ.to_uppercase(),
            format!("application/{typ}"),
        ] {
            let header = format!(r#"{{"alg":"ES256","typ":"{spelling}"}}"#);
            assert_eq!(
                header_fault(&header),
                Some(TokenFault::NotAnAccessToken("typ")),
                "{spelling}"
            );
        }
    }
    for typ in ["1", "null", r#"["at+jwt"]"#] {
        assert_eq!(
            header_fault(&format!(r#"{{"alg":"ES256","typ":{typ}}}"#)),
            Some(TokenFault::HeaderMalformed("typ"))
        );
    }
}

#[test]
fn other_kinds_of_token_are_refused_by_their_claims() {
    for (claims, name) in [
        (r#"{"iss":"i","nonce":"n"}"#, "nonce"),
        (r#"{"iss":"i","at_hash":"n"}"#, "at_hash"),
        (r#"{"iss":"i","c_hash":null}"#, "c_hash"),
        (r#"{"iss":"i","token_use":"id"}"#, "token_use"),
        (r#"{"iss":"i","typ":"ID"}"#, "typ"),
        (r#"{"iss":"i","typ":"Refresh"}"#, "typ"),
    ] {
        assert_eq!(
            claims_fault(claims),
            Some(TokenFault::NotAnAccessToken(name))
        );
    }
    for claims in [
        r#"{"iss":"i","token_use":"access"}"#,
        r#"{"iss":"i","typ":"Bearer"}"#,
    ] {
        assert_eq!(claims_fault(claims), None);
    }
}

#[test]
fn header_and_claims_are_strict_objects() {
    let deep = format!(r#"{{"iss":"i","x":{}{}}}"#, "[".repeat(16), "]".repeat(16));
    for (text, header, claims) in [
        (
            "[]",
            TokenFault::NotAnObject(Part::Header),
            TokenFault::NotAnObject(Part::Claims),
        ),
        (
            r#"{"iss":"i","alg":"ES256","iss":"i"}"#,
            TokenFault::Json(Part::Header, JsonFault::RepeatedMember),
            TokenFault::Json(Part::Claims, JsonFault::RepeatedMember),
        ),
        (
            r#"{"iss":"i","role":{"a":1,"a":2}}"#,
            TokenFault::Json(Part::Header, JsonFault::RepeatedMember),
            TokenFault::Json(Part::Claims, JsonFault::RepeatedMember),
        ),
        (
            deep.as_str(),
            TokenFault::Json(Part::Header, JsonFault::TooDeep),
            TokenFault::Json(Part::Claims, JsonFault::TooDeep),
        ),
        (
            "{} x",
            TokenFault::Json(Part::Header, JsonFault::Malformed),
            TokenFault::Json(Part::Claims, JsonFault::Malformed),
        ),
    ] {
        assert_eq!(header_fault(text), Some(header), "{text}");
        assert_eq!(claims_fault(text), Some(claims), "{text}");
    }
}

#[test]
fn only_a_string_is_an_issuer() {
    for (claims, expected) in [
        ("{}", TokenFault::UnknownIssuer),
        (r#"{"iss":null}"#, TokenFault::ClaimMalformed("iss")),
        (r#"{"iss":1}"#, TokenFault::ClaimMalformed("iss")),
        (
            r#"{"iss":["https://evil","i"]}"#,
            TokenFault::ClaimMalformed("iss"),
        ),
        (r#"{"iss":{"i":1}}"#, TokenFault::ClaimMalformed("iss")),
    ] {
        assert_eq!(claims_fault(claims), Some(expected), "{claims}");
    }
}

#[test]
fn shape_decides_who_answers() {
    assert!(looks_like_jws(&token(HEADER, CLAIMS)));
    assert!(looks_like_jws("eyJ.x.y"));
    assert!(
        looks_like_jws("ewo.x.y"),
        "a header that begins with a line break"
    );
    for other in [
        "",
        "opaque",
        "a.b.c",
        "eyJ..y",
        "eyJ.x.",
        "eyJ.x",
        "eyJ.a.b.c.d",
        "eyJ.x.y=",
        "eaJ.x.y",
        "eyJ.x.y+",
        "e",
        "v4.public.abc",
    ] {
        assert!(!looks_like_jws(other), "{other}");
    }
}

#[test]
fn debug_shows_no_claims() {
    let text = token(HEADER, r#"{"iss":"s3cr3t"}"#);
    let shown = format!("{:?}", UnverifiedToken::parse(&text, MAX).unwrap());
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-zA-Z0-9_.=+/{}\\-]{0,200}") {
        let read = UnverifiedToken::parse(&text, MAX);
        prop_assert!(read.is_err() || looks_like_jws(&text));
    }

    #[test]
    fn whatever_is_accepted_looks_like_a_jws(
        header in "\\{\"alg\":\"(ES256|none|RS256)\"(,\"typ\":\"[a-z+]{0,8}\")?\\}",
        claims in "\\{\"iss\":\"[a-z]{0,9}\"\\}",
    ) {
        let text = token(&header, &claims);
        if UnverifiedToken::parse(&text, MAX).is_ok() {
            prop_assert!(looks_like_jws(&text));
        }
    }
}
