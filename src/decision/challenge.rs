//! The `WWW-Authenticate` line (RFC 6750, section 3; RFC 9449, section 7.1; RFC 9728, section 5.1).

use super::Denial;
use super::Reason;
use super::status;
use super::status::ChallengeForm;
use crate::config::Algorithm;
use crate::identity::dpop::DpopError;

/// What is asked of a client whose proof of possession, or the lack of one, was the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopChallenge {
    /// What was wrong.
    pub error: DpopError,
    /// The nonce that the next proof must carry (RFC 9449, section 9).
    pub nonce: Option<String>,
}

/// The challenge for `denial`, on one line, or nothing where a challenge would mislead the client.
///
/// There is one scheme on it, since some clients read no further: `DPoP` where the proof was the
/// fault, else `Bearer`. A stranger is invited with `Bearer` even where tokens must be bound to a
/// key: that they must is in the metadata to which the invitation leads.
///
/// `metadata` is the URL of the protected resource metadata; `fallback_scopes` are named when a
/// stranger's needs cannot be derived from the policies.
pub fn line(denial: &Denial, metadata: Option<&str>, fallback_scopes: &[String]) -> Option<String> {
    let mut parameters = Vec::new();
    let mut scheme = "Bearer";
    match status::row(denial.reason()).challenge {
        ChallengeForm::None => return None,
        ChallengeForm::CredentialFaultOnly if !denial.credential_fault => return None,
        ChallengeForm::CredentialFaultOnly => {
            parameters.push(r#"error="invalid_request""#.to_owned());
            parameters.extend(metadata.and_then(|url| quoted("resource_metadata", url)));
        }
        ChallengeForm::Invitation => {
            parameters.extend(metadata.and_then(|url| quoted("resource_metadata", url)));
            let derived = scope(&denial.required_scopes);
            parameters.extend(derived.or_else(|| scope(fallback_scopes)));
        }
        ChallengeForm::InvalidToken => {
            let dpop = denial.dpop.as_ref();
            let error = dpop.map_or("invalid_token", |dpop| dpop.error.as_str());
            parameters.push(format!("error=\"{error}\""));
            parameters.extend(quoted("error_description", &denial.message));
            if dpop.is_some() {
                scheme = "DPoP";
                parameters.push(format!("algs=\"{}\"", proof_algorithms().join(" ")));
            }
            parameters.extend(metadata.and_then(|url| quoted("resource_metadata", url)));
        }
        ChallengeForm::InsufficientScope => {
            parameters.push(r#"error="insufficient_scope""#.to_owned());
            parameters.extend(scope(&denial.required_scopes));
            parameters.extend(metadata.and_then(|url| quoted("resource_metadata", url)));
        }
    }
    if parameters.is_empty() {
        return Some(scheme.to_owned());
    }
    Some(format!("{scheme} {}", parameters.join(", ")))
}

/// The value of `DPoP-Nonce` (RFC 9449, section 8.1), where the next proof must carry one.
pub fn nonce(denial: &Denial) -> Option<&str> {
    let challenge = denial.dpop.as_ref()?;
    let nonce = challenge.nonce.as_deref()?;
    let asked = denial.reason() == Reason::InvalidCredential;
    // The same characters as in a scope.
    (asked && is_scope_token(nonce)).then_some(nonce)
}

/// The algorithms that a proof may be signed with: asymmetric ones only (RFC 9449, section 4.3,
/// rule 5).
pub(super) fn proof_algorithms() -> [&'static str; 9] {
    Algorithm::ASYMMETRIC.map(Algorithm::name)
}

/// `name="value"`, or nothing when the value cannot stand in a quoted string as it is: clients read
/// it without undoing escapes, and some look for parameters inside it.
fn quoted(name: &str, value: &str) -> Option<String> {
    let plain = value
        .bytes()
        .all(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\'));
    let confusing = name == "error_description" && value.contains('=');
    (plain && !confusing && !value.is_empty()).then(|| format!("{name}=\"{value}\""))
}

/// `scope="..."` with the values that are scope tokens (RFC 6749, section 3.3).
fn scope(scopes: &[String]) -> Option<String> {
    let tokens: Vec<&str> = scopes
        .iter()
        .map(String::as_str)
        .filter(|s| is_scope_token(s))
        .collect();
    (!tokens.is_empty()).then(|| format!("scope=\"{}\"", tokens.join(" ")))
}

fn is_scope_token(scope: &str) -> bool {
    let allowed = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !scope.is_empty() && scope.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::super::Reason;
    use super::*;

    const METADATA: Option<&str> = Some("https://h/.well-known/oauth-protected-resource/mcp");

    fn denial(reason: Reason, scopes: &[&str]) -> Denial {
        let required_scopes = scopes.iter().map(ToString::to_string).collect();
        Denial {
            required_scopes,
            ..Denial::plain(reason)
        }
    }

    #[test]
    fn a_stranger_is_told_where_to_go_and_no_error() {
        let line = line(
            &denial(Reason::MissingCredential, &["a:read"]),
            METADATA,
            &[],
        );
        assert_eq!(
            line.as_deref(),
            Some(
                "Bearer resource_metadata=\"https://h/.well-known/oauth-protected-resource/mcp\", \
                 scope=\"a:read\""
            )
        );
    }

    #[test]
    fn the_supported_scopes_stand_in_when_none_is_derived() {
        let line = line(
            &denial(Reason::MissingCredential, &[]),
            None,
            &["x".to_owned()],
        );
        assert_eq!(line.as_deref(), Some("Bearer scope=\"x\""));
    }

    #[test]
    fn all_scopes_of_the_operation_stand_in_one_challenge() {
        let line = line(
            &denial(Reason::InsufficientScope, &["a", "b"]),
            METADATA,
            &[],
        );
        assert!(line.is_some_and(|l| l.starts_with(
            "Bearer error=\"insufficient_scope\", scope=\"a b\", resource_metadata="
        )));
    }

    #[test]
    fn nothing_that_breaks_the_quotes_is_sent() {
        let bad = denial(Reason::InsufficientScope, &["a\"b", "c d", "ok", "\u{e9}"]);
        assert_eq!(
            line(&bad, None, &[]).as_deref(),
            Some("Bearer error=\"insufficient_scope\", scope=\"ok\"")
        );
        let sly = Denial::new(Reason::InvalidCredential, "x scope=\"all\"");
        assert_eq!(
            line(&sly, None, &[]).as_deref(),
            Some("Bearer error=\"invalid_token\"")
        );
    }

    #[test]
    fn a_fault_of_the_proof_is_answered_in_its_own_scheme() {
        for (error, name) in [
            (DpopError::InvalidProof, "invalid_dpop_proof"),
            (DpopError::UseNonce, "use_dpop_nonce"),
            (DpopError::InvalidToken, "invalid_token"),
        ] {
            let denial = Denial {
                dpop: Some(DpopChallenge { error, nonce: None }),
                ..Denial::new(Reason::InvalidCredential, "the proof is old")
            };
            assert_eq!(
                line(&denial, METADATA, &[]).unwrap(),
                format!(
                    "DPoP error=\"{name}\", error_description=\"the proof is old\", \
                     algs=\"RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA\", \
                     resource_metadata=\"https://h/.well-known/oauth-protected-resource/mcp\""
                )
            );
            let scope = Denial {
                dpop: denial.dpop,
                ..Denial::plain(Reason::InsufficientScope)
            };
            let scope = line(&scope, None, &[]).unwrap();
            assert_eq!(
                scope, "Bearer error=\"insufficient_scope\"",
                "no proof would help"
            );
        }
    }

    #[test]
    fn a_nonce_is_sent_where_a_proof_must_carry_it() {
        let with = |reason, text: &str| {
            let dpop = DpopChallenge {
                error: DpopError::UseNonce,
                nonce: Some(text.to_owned()),
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
    fn no_challenge_where_no_token_would_help() {
        for reason in [
            Reason::NotPermitted,
            Reason::PolicyError,
            Reason::IssuerUnavailable,
        ] {
            assert_eq!(
                line(&denial(reason, &["a"]), METADATA, &[]),
                None,
                "{reason:?}"
            );
        }
        assert_eq!(
            line(&denial(Reason::MalformedRequest, &[]), METADATA, &[]),
            None
        );
        let twice = Denial {
            credential_fault: true,
            ..denial(Reason::MalformedRequest, &[])
        };
        assert!(line(&twice, None, &[]).is_some_and(|l| l.contains("invalid_request")));
    }
}
