//! The `WWW-Authenticate` line (RFC 6750, section 3; RFC 9728, section 5.1).

use super::Denial;
use super::status;
use super::status::ChallengeForm;

/// The challenge for `denial`, on one line, or nothing where a challenge would mislead the client.
///
/// `metadata` is the URL of the protected resource metadata; `fallback_scopes` are named when a
/// stranger's needs cannot be derived from the policies.
pub fn line(denial: &Denial, metadata: Option<&str>, fallback_scopes: &[String]) -> Option<String> {
    let mut parameters = Vec::new();
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
            parameters.push(r#"error="invalid_token""#.to_owned());
            parameters.extend(quoted("error_description", &denial.message));
            parameters.extend(metadata.and_then(|url| quoted("resource_metadata", url)));
        }
        ChallengeForm::InsufficientScope => {
            parameters.push(r#"error="insufficient_scope""#.to_owned());
            parameters.extend(scope(&denial.required_scopes));
            parameters.extend(metadata.and_then(|url| quoted("resource_metadata", url)));
        }
    }
    if parameters.is_empty() {
        return Some("Bearer".to_owned());
    }
    Some(format!("Bearer {}", parameters.join(", ")))
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
