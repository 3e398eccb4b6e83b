//! What stands in challenges, and what never does.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::fault::Source;

const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
const ALGS: &str = "algs=\"RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA\"";

/// What a resource with these authenticators asks for.
fn space(authenticators: &str) -> ProtectionSpace {
    let text = format!(
        "authenticators:\n{authenticators}\nresources:\n\
         - {{name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp}}\n"
    );
    let source = Source {
        name: "cedargate.yaml".into(),
        text: text.into(),
    };
    let config = crate::config::parse(&source, Path::new("."), &|_: &str| None)
        .unwrap()
        .config;
    ProtectionSpace::of(&config.resources[0], &config.authenticators, METADATA)
}

const CORP: &str = "- {name: corp, type: oidc, issuer: \"https://a.example\"}\n";
const BOUND: &str = "- {name: bound, type: oidc, issuer: \"https://b.example\", \
     dpop: {required: true}, roles: {prefix: \"b:\"}, groups: {prefix: \"b:\"}}\n";
const KEYS: &str = "- {name: keys, type: api_key, header: x-api-key, \
     keys: [{id: a, secret: 0123456789abcdef0123456789abcdef}]}\n";
const SHARED: &str = "- {name: shared, type: static_token, subject: o, \
     token: 0123456789abcdef0123456789abcdef}\n";
const MESH: &str = "- {name: mesh, type: mtls, trust_domains: [example.org]}\n";

fn denial(reason: Reason, scopes: &[&str]) -> Denial {
    let required_scopes = scopes.iter().map(ToString::to_string).collect();
    Denial {
        required_scopes,
        ..Denial::plain(reason)
    }
}

fn of_proof(error: DpopError, as_bearer: bool) -> Denial {
    Denial {
        dpop: Some(DpopChallenge {
            error,
            nonce: None,
            as_bearer,
        }),
        ..Denial::new(Reason::InvalidCredential, "the proof is old")
    }
}

#[test]
fn a_stranger_is_told_where_to_go_and_no_error() {
    let mut corp = space(CORP);
    let lines = corp.challenges(&denial(Reason::MissingCredential, &["a:read"]));
    let invited = |scope: &str| format!("Bearer resource_metadata=\"{METADATA}\"{scope}");
    assert_eq!(lines, [invited(", scope=\"a:read\"")]);
    let underived = denial(Reason::MissingCredential, &[]);
    assert_eq!(corp.challenges(&underived), [invited("")]);
    corp.scopes_supported = vec!["x".to_owned(), "y".to_owned()];
    assert_eq!(corp.challenges(&underived), [invited(", scope=\"x y\"")]);
}

#[test]
fn all_scopes_of_the_operation_stand_in_one_challenge() {
    let lines = space(CORP).challenges(&denial(Reason::InsufficientScope, &["a", "b"]));
    let expected = format!(
        "Bearer error=\"insufficient_scope\", scope=\"a b\", resource_metadata=\"{METADATA}\""
    );
    assert_eq!(lines, [expected]);
}

#[test]
fn half_a_list_of_scopes_is_none() {
    let corp = space(CORP);
    let long = "s".repeat(MAX_SCOPES);
    for scopes in [
        &["a\"b", "ok"][..],
        &["c d"],
        &["\u{e9}"],
        &["ok", ""],
        &[&long, "x"],
        &[],
        &["offline_access"],
    ] {
        let lines = corp.challenges(&denial(Reason::InsufficientScope, scopes));
        assert_eq!(lines, [""; 0], "{scopes:?}");
    }
    let fits = corp.challenges(&denial(Reason::InsufficientScope, &[&long]));
    assert!(fits[0].len() < MAX_LINE);
    let lines = corp.challenges(&denial(Reason::InsufficientScope, &["a", "offline_access"]));
    assert!(lines[0].contains("scope=\"a\","), "{lines:?}");
}

#[test]
fn a_description_that_could_mislead_is_left_out() {
    let mut corp = space(CORP);
    let said = |space: &ProtectionSpace, text: &str| {
        let lines = space.challenges(&Denial::new(Reason::InvalidCredential, text.to_owned()));
        assert_eq!(lines.len(), 1);
        lines[0].clone()
    };
    let plain = format!("Bearer error=\"invalid_token\", resource_metadata=\"{METADATA}\"");
    assert_eq!(
        said(&corp, "token expired"),
        plain.replace(", r", ", error_description=\"token expired\", r")
    );
    let long = "x".repeat(MAX_DESCRIPTION + 1);
    for text in [
        "x scope=\"all\"",
        "scope=all",
        "a\\b",
        "\u{e9}",
        "a\r\nb",
        "",
        &long,
    ] {
        assert_eq!(said(&corp, text), plain, "{text:?}");
    }
    let path = "p".repeat(MAX_LINE - 60);
    corp.metadata = format!("https://h/{path}");
    let line = said(&corp, "token expired");
    assert!(!line.contains("expired") && line.contains(&path));
}

#[test]
fn a_second_challenge_says_that_proofs_are_wanted() {
    let both = space(&format!("{CORP}{BOUND}"));
    for reason in [Reason::MissingCredential, Reason::InvalidCredential] {
        let lines = both.challenges(&Denial::plain(reason));
        assert!(lines[0].starts_with("Bearer "), "{lines:?}");
        assert_eq!(lines[1..], [format!("DPoP {ALGS}")], "{reason:?}");
        assert_eq!(space(CORP).challenges(&Denial::plain(reason)).len(), 1);
    }
    let scopes = both.challenges(&denial(Reason::InsufficientScope, &["a"]));
    assert_eq!(scopes.len(), 1, "no proof would help");
    let line = both.challenge(&denial(Reason::MissingCredential, &["a"]));
    let expected = format!("Bearer resource_metadata=\"{METADATA}\", scope=\"a\", DPoP {ALGS}");
    assert_eq!(line, Some(expected), "one line");
    assert_eq!(both.challenge(&denial(Reason::NotPermitted, &["a"])), None);
}

#[test]
fn a_fault_of_the_proof_is_answered_in_its_own_scheme() {
    for (error, name) in [
        (DpopError::InvalidProof, "invalid_dpop_proof"),
        (DpopError::UseNonce, "use_dpop_nonce"),
        (DpopError::InvalidToken, "invalid_token"),
    ] {
        let lines = space(CORP).challenges(&of_proof(error, false));
        let expected = format!(
            "DPoP error=\"{name}\", error_description=\"the proof is old\", {ALGS}, \
             resource_metadata=\"{METADATA}\""
        );
        assert_eq!(lines, [expected]);
    }
    let lines = space(CORP).challenges(&of_proof(DpopError::InvalidToken, true));
    let bearer = format!(
        "Bearer error=\"invalid_token\", error_description=\"the proof is old\", \
         resource_metadata=\"{METADATA}\""
    );
    assert_eq!(lines, [bearer, format!("DPoP {ALGS}")]);
}

#[test]
fn without_an_issuer_nobody_is_sent_to_one() {
    let bearer = &*format!("Bearer resource_metadata=\"{METADATA}\"");
    let key = "ApiKey realm=\"weather\", header=\"x-api-key\"";
    let certificate = "ClientCertificate realm=\"weather\"";
    let refused = &*format!(
        "Bearer error=\"invalid_token\", error_description=\"the credential is not valid\", \
         resource_metadata=\"{METADATA}\""
    );
    for (accepted, invited, told) in [
        (KEYS.to_owned(), vec![bearer, key], vec![refused, key]),
        (
            MESH.to_owned(),
            vec![bearer, certificate],
            vec![refused, certificate],
        ),
        (SHARED.to_owned(), vec![bearer], vec![refused]),
        (
            format!("{KEYS}{MESH}{SHARED}"),
            vec![bearer, key, certificate],
            vec![refused, key, certificate],
        ),
        (
            format!("{KEYS}{MESH}"),
            vec![bearer, key, certificate],
            vec![refused, key, certificate],
        ),
    ] {
        let space = space(&accepted);
        let lines = space.challenges(&denial(Reason::MissingCredential, &["a"]));
        assert_eq!(lines, invited, "{accepted}");
        let lines = space.challenges(&Denial::plain(Reason::InvalidCredential));
        assert_eq!(lines, told, "{accepted}");
    }
    let mixed = space(&format!("{KEYS}{CORP}"));
    let lines = mixed.challenges(&denial(Reason::MissingCredential, &["a"]));
    assert_eq!(
        lines,
        space(CORP).challenges(&denial(Reason::MissingCredential, &["a"]))
    );
}

#[test]
fn a_nonce_is_sent_where_a_proof_must_carry_it() {
    let with = |reason, text: &str| {
        let dpop = DpopChallenge {
            error: DpopError::UseNonce,
            nonce: Some(text.to_owned()),
            as_bearer: false,
        };
        let denial = Denial {
            dpop: Some(dpop),
            ..Denial::plain(reason)
        };
        nonce(&denial).map(str::to_owned)
    };
    let found = with(Reason::InvalidCredential, "eyJ7S_zG.eyJH0-Z");
    assert_eq!(found.as_deref(), Some("eyJ7S_zG.eyJH0-Z"));
    assert_eq!(with(Reason::NotPermitted, "abc"), None);
    for bad in ["", "a b", "a\"b", "a\\b", "a\r\nb", "\u{e9}"] {
        assert_eq!(with(Reason::InvalidCredential, bad), None, "{bad:?}");
    }
    assert_eq!(nonce(&Denial::plain(Reason::InvalidCredential)), None);
}

#[test]
fn a_challenge_where_a_credential_would_help_and_only_there() {
    for accepted in [CORP, BOUND, KEYS, SHARED, MESH] {
        let space = space(accepted);
        for reason in Reason::ALL {
            let lines = space.challenges(&denial(reason, &["a"]));
            let wanted = matches!(
                reason,
                Reason::MissingCredential | Reason::InvalidCredential | Reason::InsufficientScope
            );
            assert_eq!(!lines.is_empty(), wanted, "{accepted} {reason:?}");
        }
        let twice = Denial {
            credential_fault: true,
            ..denial(Reason::MalformedRequest, &[])
        };
        let lines = space.challenges(&twice);
        assert_eq!(lines.len(), 1, "{accepted}");
        assert!(lines[0].starts_with("Bearer error=\"invalid_request\""));
    }
    let unread = Denial {
        credential_fault: true,
        ..Denial::plain(Reason::MalformedRequest)
    };
    let lines = ProtectionSpace::default().challenges(&unread);
    assert_eq!(lines, ["Bearer error=\"invalid_request\""]);
}

/// The parameters of a line as a strict reader finds them; nothing if it is not well formed.
fn parameters(line: &str) -> Option<Vec<(String, String)>> {
    let (_, mut rest) = line.split_once(' ')?;
    let mut found = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        found.push((name.to_owned(), value.to_owned()));
        match after.strip_prefix(", ") {
            Some(more) => rest = more,
            None => return after.is_empty().then_some(found),
        }
    }
}

static SPACES: LazyLock<[ProtectionSpace; 5]> =
    LazyLock::new(|| [CORP, BOUND, KEYS, SHARED, MESH].map(space));

proptest! {
    #[test]
    fn no_text_and_no_scope_is_taken_for_anything_else(
        message in prop_oneof![
            any::<String>(),
            "[ -~]{0,40}(scope|error|resource_metadata)=\"?[a-z\\\\]{0,8}[ -~]{0,300}",
        ],
        scopes in prop::collection::vec(
            prop_oneof![any::<String>(), "[!-~]{1,20}", "[a-z:]{1,600}"], 0..6),
        which in 0_usize..13,
        as_bearer in any::<Option<bool>>(),
        accepted in 0_usize..5,
    ) {
        let denial = Denial {
            required_scopes: scopes.clone(),
            dpop: as_bearer.map(|as_bearer| DpopChallenge {
                error: DpopError::InvalidToken,
                nonce: None,
                as_bearer,
            }),
            credential_fault: true,
            ..Denial::new(Reason::ALL[which], message)
        };
        for line in SPACES[accepted].challenges(&denial) {
            prop_assert!(line.len() <= MAX_LINE);
            prop_assert!(line.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) && !line.contains('\\'));
            let parameters = parameters(&line).expect("a well formed line");
            for (name, value) in &parameters {
                let once = parameters.iter().filter(|(other, _)| other == name).count();
                prop_assert_eq!(once, 1);
                for sly in ["scope=", "error=", "resource_metadata="] {
                    prop_assert!(!value.contains(sly) || name == "scope", "{}", line);
                }
                if name == "scope" {
                    let asked: Vec<_> = value.split(' ').collect();
                    let all: Vec<_> = scopes.iter().map(String::as_str).collect();
                    prop_assert_eq!(asked, all, "all of them or none");
                }
            }
        }
    }
}
