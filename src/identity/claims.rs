//! What a claims set states, whether it was signed or introspected, in the order of [`Step`].
//!
//! [`Step`]: super::step::Step

use std::sync::Arc;

use crate::config::Preset;
use crate::config::TokenRules;
use crate::identity::Principal;
use crate::identity::binding::Binding;
use crate::identity::mapping;
use crate::identity::token_fault::TokenFault;
use crate::identity::window::Expiry;
use crate::identity::window::Window;
use crate::json::StrictValue;

/// Most audiences of one token.
const MAX_AUDIENCES: usize = 16;

/// Longest `jti`, in bytes.
const MAX_TOKEN_ID_BYTES: usize = 256;

/// Who speaks, and what holds for his tokens.
#[derive(Clone, Copy)]
pub(super) struct Speaker<'a> {
    /// The issuer that the principal is named by.
    pub(super) issuer: &'a str,
    pub(super) tokens: &'a TokenRules,
    /// Name of the authenticator.
    pub(super) authenticator: &'a Arc<str>,
}

/// What must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// RFC 7519, with `exp` and `aud`.
    Jwt,
    /// RFC 9068, section 2.2.
    Rfc9068,
    /// RFC 7662, section 2.2, with `aud`.
    Introspection,
}

/// What was stated.
pub(super) struct Statement {
    pub(super) principal: Principal,
    pub(super) window: Window,
    pub(super) token_id: Option<Box<str>>,
    pub(super) binding: Binding,
}

/// Reads the claims and checks them at `now_s` (seconds since 1970).
///
/// # Errors
///
/// [`TokenFault`], the first that is met.
pub(super) fn read(
    claims: &StrictValue,
    profile: Profile,
    speaker: Speaker<'_>,
    now_s: i64,
) -> Result<Statement, TokenFault> {
    let tokens = speaker.tokens;
    let binding = Binding::read(claims)?;
    binding.fits(tokens.dpop)?;

    profile.demands(claims, &["exp", "iat"])?;
    let window = Window::read(claims, tokens, profile.expiry(), now_s)?;

    profile.demands(claims, &["sub", "client_id", "jti"])?;
    if profile == Profile::Rfc9068 {
        for name in ["sub", "client_id"] {
            let text = claims.get(name).and_then(StrictValue::as_text);
            text.filter(|text| !text.is_empty())
                .ok_or(TokenFault::ClaimMalformed(name))?;
        }
    }
    let token_id = read_token_id(claims)?;
    let mut principal = mapping::principal(claims, speaker)?;

    profile.demands(claims, &["aud"])?;
    let audience = read_audience(claims, tokens, &principal.client_id)?;
    principal.audience = audience.into_iter().collect();
    Ok(Statement {
        principal,
        window,
        token_id,
        binding,
    })
}

impl Profile {
    /// RFC 9068 asks for these; the others leave it to whoever reads them.
    fn demands(self, claims: &StrictValue, names: &[&'static str]) -> Result<(), TokenFault> {
        match self {
            Self::Rfc9068 => names.iter().try_for_each(|name| {
                claims
                    .get(name)
                    .map(|_| ())
                    .ok_or(TokenFault::ClaimMissing(name))
            }),
            Self::Jwt | Self::Introspection => Ok(()),
        }
    }

    fn expiry(self) -> Expiry {
        match self {
            Self::Jwt | Self::Rfc9068 => Expiry::Required,
            Self::Introspection => Expiry::Optional,
        }
    }
}

/// `jti`, by which a token can be revoked: a name that cannot be read must not be one that nobody
/// can write down.
fn read_token_id(claims: &StrictValue) -> Result<Option<Box<str>>, TokenFault> {
    let Some(value) = claims.get("jti") else {
        return Ok(None);
    };
    value
        .as_text()
        .filter(|id| {
            (1..=MAX_TOKEN_ID_BYTES).contains(&id.len()) && !id.chars().any(char::is_control)
        })
        .map(|id| Some(id.into()))
        .ok_or(TokenFault::ClaimMalformed("jti"))
}

/// RFC 7519, section 4.1.3: a string or an array of strings. Required, unless the operator has
/// said that audiences do not matter; well-formed in any case. Cognito's access tokens have none,
/// and are meant for whoever knows the client.
fn read_audience(
    claims: &StrictValue,
    rules: &TokenRules,
    client_id: &str,
) -> Result<Vec<String>, TokenFault> {
    let malformed = TokenFault::ClaimMalformed("aud");
    let read = |value: &StrictValue| {
        value
            .as_text()
            .filter(|audience| !audience.is_empty())
            .map(str::to_owned)
            .ok_or(malformed)
    };
    match claims.get("aud") {
        None if rules.preset == Some(Preset::Cognito) && !client_id.is_empty() => {
            Ok(vec![client_id.to_owned()])
        }
        None if rules.insecure_skip_audience => Ok(Vec::new()),
        None => Err(TokenFault::ClaimMissing("aud")),
        Some(StrictValue::Array(listed)) => {
            if listed.is_empty() {
                return Err(malformed);
            }
            if listed.len() > MAX_AUDIENCES {
                return Err(TokenFault::TooMany("audiences"));
            }
            listed.iter().map(read).collect()
        }
        Some(one) => Ok(vec![read(one)?]),
    }
}
