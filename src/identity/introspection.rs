//! What an issuer answers about a token (RFC 7662): believed as far as a signed token would be.

use std::sync::Arc;

use crate::config::IntrospectionRules;
use crate::identity::claims;
use crate::identity::claims::Profile;
use crate::identity::claims::Speaker;
use crate::identity::kind;
use crate::identity::token_fault::TokenFault;
use crate::identity::verifier::Evidence;
use crate::identity::verifier::VerifiedToken;
use crate::json;
use crate::json::StrictValue;

/// Longest answer that is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How long an answer is believed at most, in seconds.
pub const BELIEVED_S: i64 = 60;

/// An answer also counts for requests that came in by so many seconds before it was asked for.
const EARLIER_S: i64 = 5;

const MAX_DEPTH: usize = 16;

/// Members that speak of the answer or of how the token is sent, not of the caller.
const NOT_CLAIMS: [&str; 2] = ["active", "token_type"];

/// An answer that says `true`.
struct Answer {
    /// The members of [`NOT_CLAIMS`].
    about: StrictValue,
    /// The others.
    claims: StrictValue,
}

/// Why an answer proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntrospectionFault {
    /// The issuer does not know the token, or no longer.
    #[error("the issuer says that the token is not active")]
    Inactive,
    /// The token is active, and is not accepted all the same.
    #[error(transparent)]
    Refused(#[from] TokenFault),
    /// Not an answer at all: the fault is the issuer's, and the token may be good.
    #[error("the answer cannot be read: {0}")]
    Malformed(&'static str),
}

impl IntrospectionFault {
    /// The text for the client, as [`TokenFault::public`].
    pub fn public(&self) -> &'static str {
        match self {
            Self::Inactive => "token not active",
            Self::Refused(fault) => fault.public(),
            Self::Malformed(_) => "issuer gave no usable answer",
        }
    }
}

/// Reads the body of a 200 answer at `now_s` (seconds since 1970). The issuer has vouched for the
/// token and for nothing else: audience, window, binding and claims are checked as those of a
/// signed token, save that `exp` may be absent. The answer is evidence until `exp`, and for
/// [`BELIEVED_S`] at most.
///
/// # Errors
///
/// [`IntrospectionFault`], the first that is met.
pub fn read(
    body: &[u8],
    rules: &IntrospectionRules,
    authenticator: &Arc<str>,
    now_s: i64,
) -> Result<VerifiedToken, IntrospectionFault> {
    let Answer { about, claims } = read_active(body)?;
    refuse_other_kinds(&about, &claims, rules)?;
    check_issuer(&claims, rules)?;
    let speaker = Speaker {
        issuer: &rules.tokens.issuer,
        tokens: &rules.tokens,
        authenticator,
    };
    let stated = claims::read(&claims, Profile::Introspection, speaker, now_s)?;
    if says(&about, "token_type", "dpop") && stated.binding.jkt.is_none() {
        return Err(TokenFault::BoundToken.into());
    }
    let furthest = now_s.saturating_add(BELIEVED_S);
    let until_s = stated
        .window
        .expires_s
        .map_or(furthest, |expires| expires.min(furthest));
    Ok(VerifiedToken::new(
        stated,
        Evidence::Introspection {
            from_s: now_s.saturating_sub(EARLIER_S),
            until_s,
        },
    ))
}

/// The answer, if it is one and says `true`: RFC 7662, section 2.2, asks for a JSON boolean, and
/// a text or a number that looks like one is not.
fn read_active(body: &[u8]) -> Result<Answer, IntrospectionFault> {
    if body.len() > MAX_ANSWER_BYTES {
        return Err(IntrospectionFault::Malformed("it is too long"));
    }
    let answer = json::parse(body, MAX_DEPTH)
        .map_err(|_| IntrospectionFault::Malformed("it is not strict JSON"))?;
    let StrictValue::Object(members) = answer else {
        return Err(IntrospectionFault::Malformed("it is not an object"));
    };
    let (about, claims) = members
        .into_iter()
        .partition(|(name, _)| NOT_CLAIMS.contains(&name.as_str()));
    let about = StrictValue::Object(about);
    match about.get("active") {
        Some(StrictValue::Bool(true)) => Ok(Answer {
            about,
            claims: StrictValue::Object(claims),
        }),
        Some(StrictValue::Bool(false)) => Err(IntrospectionFault::Inactive),
        Some(_) => Err(IntrospectionFault::Malformed(
            "`active` is neither `true` nor `false`",
        )),
        None => Err(IntrospectionFault::Malformed("`active` is missing")),
    }
}

/// Some issuers answer about refresh tokens too, and say so.
fn refuse_other_kinds(
    about: &StrictValue,
    claims: &StrictValue,
    rules: &IntrospectionRules,
) -> Result<(), TokenFault> {
    let is_access = about.get("token_type").is_none()
        || says(about, "token_type", "bearer")
        || says(about, "token_type", "dpop");
    if !is_access {
        return Err(TokenFault::NotAnAccessToken("token_type"));
    }
    kind::refuse_claims(claims)?;
    kind::refuse_for(rules.tokens.preset, claims)
}

fn says(object: &StrictValue, name: &str, expected: &str) -> bool {
    let text = object.get(name).and_then(StrictValue::as_text);
    text.is_some_and(|text| text.eq_ignore_ascii_case(expected))
}

fn check_issuer(answer: &StrictValue, rules: &IntrospectionRules) -> Result<(), TokenFault> {
    let Some(value) = answer.get("iss") else {
        return Ok(());
    };
    let issuer = value.as_text().ok_or(TokenFault::ClaimMalformed("iss"))?;
    if rules.issuer_is_configured && issuer != rules.tokens.issuer {
        return Err(TokenFault::UnknownIssuer);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
