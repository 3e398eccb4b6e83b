//! Turns an unverified token into a proved principal, or says why not.

use std::sync::Arc;

use crate::config::Algorithm;
use crate::config::JwtRules;
use crate::config::TokenRules;
use crate::identity::Principal;
use crate::identity::binding::Binding;
use crate::identity::claims;
use crate::identity::claims::Profile;
use crate::identity::claims::Speaker;
use crate::identity::claims::Statement;
use crate::identity::gate::UnverifiedToken;
use crate::identity::key_set::KeySet;
use crate::identity::key_set::PinnedKey;
use crate::identity::key_set::Selection;
use crate::identity::key_set::Thumbprint;
use crate::identity::kind;
use crate::identity::token_fault::TokenFault;
use crate::identity::window::Window;

/// The one type of the profile (RFC 9068, section 4).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// A token whose signature and claims were checked.
///
/// Whether it may be used *now* and *here* is not part of that: both change while the token stays
/// the same. [`VerifiedToken::admits`] answers it, for a fresh token and for a remembered one
/// alike, and must be asked on every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Who is calling. Names the authenticator as well.
    pub principal: Arc<Principal>,
    /// When the token may be used.
    pub window: Window,
    /// `jti`, for revocation; at most 256 bytes.
    pub token_id: Option<Box<str>>,
    /// What the caller must prove on every request.
    pub binding: Binding,
    /// What the proof rests on, and so what ends it.
    pub evidence: Evidence,
}

/// What a verified token rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A signature: good for as long as the key is one of the issuer's.
    Key(Thumbprint),
    /// The issuer's word (RFC 7662), good from one second since 1970 until another, exclusive. A
    /// clock that is set back must not make it good for longer.
    Introspection {
        /// When it was given, in seconds since 1970.
        from_s: i64,
        /// When it ends, in seconds since 1970.
        until_s: i64,
    },
    /// The configuration, or the proxy's word for a certificate.
    Configuration,
}

/// Why a token proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No key of the issuer has the token's `kid`. The keys may have changed since they were read.
    #[error("the token names a key that the issuer does not have")]
    UnknownKey,
    /// The signature does not verify with the key of that name. An issuer that started again with
    /// a new key under the old name looks like this too.
    #[error("the signature does not verify")]
    BadSignature,
    /// Other keys would not help.
    #[error(transparent)]
    Refused(#[from] TokenFault),
}

impl VerifyError {
    /// The text for the client, as [`TokenFault::public`].
    pub fn public(&self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown signing key",
            Self::BadSignature => "signature does not verify",
            Self::Refused(fault) => fault.public(),
        }
    }

    /// Whether fetching the issuer's keys again could change the answer.
    pub fn may_be_stale_keys(&self) -> bool {
        match self {
            Self::UnknownKey | Self::BadSignature => true,
            Self::Refused(_) => false,
        }
    }
}

/// Checks everything about a token that does not depend on the request: kind, issuer, type,
/// algorithm, key, signature, binding, window at `now_s` (seconds since 1970), and the claims that
/// become the principal, in the order of [`Step`](super::step::Step). The audience must be well-formed; whether it names the resource asked for is for
/// [`VerifiedToken::admits`].
///
/// # Errors
///
/// [`VerifyError`]; on [`VerifyError::may_be_stale_keys`] the keys may be fetched again, once.
pub fn verify(
    token: &UnverifiedToken<'_>,
    keys: &KeySet,
    rules: &JwtRules,
    authenticator: &Arc<str>,
    now_s: i64,
) -> Result<VerifiedToken, VerifyError> {
    let header = token.header();
    kind::refuse_for(rules.tokens.preset, token.claims())?;
    let issuer = vouching_issuer(token, rules)?;
    let profile = if rules.rfc9068 {
        Profile::Rfc9068
    } else {
        Profile::Jwt
    };
    let is_profiled = !rules.rfc9068 || header.token_type == ACCESS_TOKEN_TYPE;
    if !is_profiled || !rules.token_types.contains(&header.token_type) {
        return Err(TokenFault::TypeRefused.into());
    }
    if !rules.algorithms.contains(&header.algorithm) {
        return Err(TokenFault::AlgorithmRefused.into());
    }
    let key = keys
        .select(header.key_id.as_deref(), header.algorithm)
        .map_err(|selection| match selection {
            Selection::Unknown => VerifyError::UnknownKey,
            Selection::WrongAlgorithm => TokenFault::AlgorithmRefused.into(),
            Selection::Ambiguous => TokenFault::KeyAmbiguous.into(),
        })?;
    check_signature(token, key)?;

    let speaker = Speaker {
        issuer,
        tokens: &rules.tokens,
        authenticator,
    };
    let stated = claims::read(token.claims(), profile, speaker, now_s)?;
    Ok(VerifiedToken::new(stated, Evidence::Key(key.thumbprint())))
}

impl VerifiedToken {
    /// A caller who is known for as long as the configuration stands, or the proxy's word.
    pub fn standing(principal: Arc<Principal>) -> Self {
        Self {
            principal,
            window: Window {
                expires_s: None,
                not_before_s: None,
                leeway_s: 0,
            },
            token_id: None,
            binding: Binding::default(),
            evidence: Evidence::Configuration,
        }
    }

    pub(super) fn new(stated: Statement, evidence: Evidence) -> Self {
        let Statement {
            principal,
            window,
            token_id,
            binding,
        } = stated;
        Self {
            principal: Arc::new(principal),
            window,
            token_id,
            binding,
            evidence,
        }
    }

    /// Whether the token may be used at `now_s` (seconds since 1970) for a resource whose accepted
    /// audiences are `resource_audiences`. The authenticator's own audiences, where it has any,
    /// take the place of the resource's. Audiences are compared byte for byte.
    ///
    /// # Errors
    ///
    /// [`TokenFault`]: expired, not valid yet, or meant for somebody else.
    pub fn admits(
        &self,
        rules: &TokenRules,
        resource_audiences: &[String],
        now_s: i64,
    ) -> Result<(), TokenFault> {
        self.window.admits(now_s)?;
        if rules.insecure_skip_audience {
            return Ok(());
        }
        let accepted = if rules.audiences.is_empty() {
            resource_audiences
        } else {
            &rules.audiences
        };
        if accepted
            .iter()
            .any(|audience| self.principal.audience.contains(audience))
        {
            Ok(())
        } else {
            Err(TokenFault::AudienceMismatch)
        }
    }

    /// Whether what proved this token still holds at `now_s`: its key is still one of `keys`, or its
    /// issuer's word is fresh.
    pub fn is_current(&self, keys: Option<&KeySet>, now_s: i64) -> bool {
        match self.evidence {
            Evidence::Key(thumbprint) => keys.is_some_and(|keys| keys.contains(&thumbprint)),
            Evidence::Introspection { from_s, until_s } => (from_s..until_s).contains(&now_s),
            Evidence::Configuration => true,
        }
    }
}

/// The issuer that the principal is named by: the configured one, or under `insecure_skip_issuer`
/// the token's own. A `#` ends an issuer in an id, so that no issuer may hold one.
fn vouching_issuer<'a>(
    token: &'a UnverifiedToken<'_>,
    rules: &JwtRules,
) -> Result<&'a str, TokenFault> {
    let issuer = token.issuer();
    if rules.insecure_skip_issuer {
        let is_sound = !issuer.is_empty() && !issuer.chars().any(|c| c == '#' || c.is_control());
        return is_sound
            .then_some(issuer)
            .ok_or(TokenFault::ClaimMalformed("iss"));
    }
    if issuer == rules.tokens.issuer {
        Ok(issuer)
    } else {
        Err(TokenFault::UnknownIssuer)
    }
}

fn check_signature(token: &UnverifiedToken<'_>, key: &PinnedKey) -> Result<(), VerifyError> {
    let verdict = jsonwebtoken::crypto::verify(
        token.signature(),
        token.signing_input().as_bytes(),
        key.decoding_key(),
        library_name(token.header().algorithm),
    );
    match verdict {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(VerifyError::BadSignature),
    }
}

/// The algorithm by the library's name for it.
pub(super) fn library_name(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Rs384 => jsonwebtoken::Algorithm::RS384,
        Algorithm::Rs512 => jsonwebtoken::Algorithm::RS512,
        Algorithm::Ps256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::Ps384 => jsonwebtoken::Algorithm::PS384,
        Algorithm::Ps512 => jsonwebtoken::Algorithm::PS512,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::Es384 => jsonwebtoken::Algorithm::ES384,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::Hs384 => jsonwebtoken::Algorithm::HS384,
        Algorithm::Hs512 => jsonwebtoken::Algorithm::HS512,
    }
}

#[cfg(test)]
mod tests;
