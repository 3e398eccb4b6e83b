//! `DPoP` proofs (RFC 9449): that whoever sends a token holds the key that the token is bound to.

mod fault;
mod target;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

pub use self::fault::DpopError;
pub use self::fault::DpopFault;
use crate::config::Algorithm;
use crate::identity::credential::DpopProof;
use crate::identity::digest;
use crate::identity::gate;
use crate::identity::gate::Compact;
use crate::identity::key_set::KeyFault;
use crate::identity::key_set::PinnedKey;
use crate::identity::key_set::Thumbprint;
use crate::identity::key_set::jwk;
use crate::identity::nonce::Nonces;
use crate::identity::token_fault::Part;
use crate::identity::token_fault::TokenFault;
use crate::json::StrictValue;

/// Longest proof, in bytes: one with the largest RSA key that is accepted takes half of it.
pub const MAX_PROOF_BYTES: usize = 8 * 1024;

/// How far `iat` may be from now, in seconds, to either side. No leeway is added to it.
pub const WINDOW_S: i64 = 300;

/// Longest `jti`, in bytes.
const MAX_ID_BYTES: usize = 256;

/// The `typ` of every proof (RFC 9449, section 4.2).
const PROOF_TYPE: &str = "dpop+jwt";

/// Parameters that name extensions or keys elsewhere; none is honoured.
const REFUSED_PARAMETERS: [&str; 5] = ["crit", "b64", "jku", "x5u", "x5c"];

/// What a proof must say to prove anything for one request.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The method of the request, as it was sent.
    pub method: &'a str,
    /// The public URL of the request, as its sender knows it, without query and fragment.
    pub url: &'a str,
    /// The access token beside it.
    pub token: &'a str,
    /// The key that the token is bound to (`cnf.jkt`). Absent: the token is bound to none, and so
    /// no proof proves anything about it.
    pub jkt: Option<&'a [u8; 32]>,
    /// Now, in seconds since 1970.
    pub now_s: i64,
    /// Whose nonce the proof must carry. Absent: none is asked for, and one that is there is ignored.
    pub nonces: Option<&'a Nonces>,
}

/// What a proof that passed every check is remembered by. It proves nothing until the
/// [`ReplayGuard`](crate::identity::replay::ReplayGuard) has admitted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Its key and `jti`: the same for every use of one proof.
    pub id: ProofId,
    /// From this second since 1970 on the proof is refused for its age, and may be forgotten.
    pub expires_s: i64,
    /// The key that signed it (RFC 7638): equal to [`Expected::jkt`].
    pub thumbprint: Thumbprint,
}

/// The SHA-256 of the thumbprint of a proof's key and its `jti`. `htm` and `htu` are left out: a
/// `jti` names one proof (RFC 9449, section 4.2), so that a second one of that name is refused
/// wherever it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProofId(pub [u8; 32]);

/// Checks everything that RFC 9449, section 4.3, asks of one proof, except that there is only one
/// header, which the reader of headers has seen to. Whether it was used before is for the
/// [`ReplayGuard`](crate::identity::replay::ReplayGuard).
///
/// The key is compared before the signature is checked: a stranger's key costs no cryptography
/// beyond that of reading it.
///
/// # Errors
///
/// [`DpopFault`], the first that is met; a nonce is asked for last, of proofs that are good in all
/// else.
pub fn verify(proof: &DpopProof, expected: &Expected<'_>) -> Result<Proven, DpopFault> {
    let text = proof.as_str();
    if text.len() > MAX_PROOF_BYTES {
        return Err(DpopFault::Form(TokenFault::TooLong {
            length: text.len(),
            bound: MAX_PROOF_BYTES,
        }));
    }
    let compact = gate::split(text)?;
    let header = gate::object(compact.header, Part::Header)?;
    gate::decode(compact.signature, Part::Signature)?;
    let claims = gate::object(compact.claims, Part::Claims)?;

    let bound = expected.jkt.ok_or(DpopFault::TokenNotBound)?;
    let (algorithm, key) = read_header(&header)?;
    let thumbprint = key.thumbprint();
    if !digest::same(&thumbprint, bound) {
        return Err(DpopFault::KeyMismatch);
    }
    check_signature(&compact, algorithm, &key)?;

    let id = required(&claims, "jti")?;
    if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(DpopFault::ClaimMalformed("jti"));
    }
    check_request(&claims, expected)?;
    let expires_s = check_time(&claims, expected.now_s)?;
    check_token(&claims, expected.token)?;
    check_nonce(&claims, expected)?;
    Ok(Proven {
        // The thumbprint has one length, so that the two cannot be cut in another place.
        id: ProofId(digest::sha256(&[&thumbprint, id.as_bytes()])),
        expires_s,
        thumbprint,
    })
}

/// The algorithm, and the key that the sender says he holds, pinned to it.
fn read_header(header: &StrictValue) -> Result<(Algorithm, PinnedKey), DpopFault> {
    for name in REFUSED_PARAMETERS {
        if header.get(name).is_some() {
            return Err(DpopFault::HeaderRefused(name));
        }
    }
    let typ = header.get("typ").and_then(StrictValue::as_text);
    if typ.map(gate::canonical_type).as_deref() != Some(PROOF_TYPE) {
        return Err(DpopFault::TypeRefused);
    }
    let algorithm = header
        .get("alg")
        .and_then(StrictValue::as_text)
        .and_then(gate::known_algorithm)
        .filter(|algorithm| Algorithm::ASYMMETRIC.contains(algorithm))
        .ok_or(DpopFault::AlgorithmRefused)?;
    let key = header.get("jwk").ok_or(KeyFault::NotAKey)?;
    Ok((algorithm, jwk::read(key, &[algorithm])?))
}

fn check_signature(
    compact: &Compact<'_>,
    algorithm: Algorithm,
    key: &PinnedKey,
) -> Result<(), DpopFault> {
    let algorithm = algorithm
        .name()
        .parse()
        .map_err(|_| DpopFault::AlgorithmRefused)?;
    let verdict = jsonwebtoken::crypto::verify(
        compact.signature,
        compact.signing_input.as_bytes(),
        key.decoding_key(),
        algorithm,
    );
    match verdict {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(DpopFault::BadSignature),
    }
}

/// Methods have a case (RFC 9110, section 9.1); URLs are compared in their normal form.
fn check_request(claims: &StrictValue, expected: &Expected<'_>) -> Result<(), DpopFault> {
    if required(claims, "htm")? != expected.method {
        return Err(DpopFault::MethodMismatch);
    }
    let target =
        target::normal(required(claims, "htu")?).ok_or(DpopFault::ClaimMalformed("htu"))?;
    if target::normal(expected.url).is_some_and(|url| url == target) {
        Ok(())
    } else {
        Err(DpopFault::UrlMismatch)
    }
}

/// The first second at which the proof is too old.
fn check_time(claims: &StrictValue, now_s: i64) -> Result<i64, DpopFault> {
    let issued_s = integer(claims, "iat")?.ok_or(DpopFault::ClaimMissing("iat"))?;
    if issued_s < now_s.saturating_sub(WINDOW_S) {
        return Err(DpopFault::TooOld);
    }
    if issued_s > now_s.saturating_add(WINDOW_S) {
        return Err(DpopFault::FromTheFuture);
    }
    if integer(claims, "nbf")?.is_some_and(|not_before_s| now_s < not_before_s) {
        return Err(DpopFault::FromTheFuture);
    }
    let too_old_s = issued_s.saturating_add(WINDOW_S).saturating_add(1);
    let expires_s = integer(claims, "exp")?.map_or(too_old_s, |exp| exp.min(too_old_s));
    if now_s < expires_s {
        Ok(expires_s)
    } else {
        Err(DpopFault::TooOld)
    }
}

fn check_token(claims: &StrictValue, token: &str) -> Result<(), DpopFault> {
    let expected = URL_SAFE_NO_PAD.encode(digest::sha256(&[token.as_bytes()]));
    let found = required(claims, "ath")?;
    if found.as_bytes().ct_eq(expected.as_bytes()).into() {
        Ok(())
    } else {
        Err(DpopFault::TokenMismatch)
    }
}

fn check_nonce(claims: &StrictValue, expected: &Expected<'_>) -> Result<(), DpopFault> {
    let Some(nonces) = expected.nonces else {
        return Ok(());
    };
    let ours = claims
        .get("nonce")
        .and_then(StrictValue::as_text)
        .is_some_and(|nonce| nonces.accepts(nonce, expected.now_s));
    if ours {
        Ok(())
    } else {
        Err(DpopFault::NonceWanted)
    }
}

fn required<'a>(claims: &'a StrictValue, name: &'static str) -> Result<&'a str, DpopFault> {
    let value = claims.get(name).ok_or(DpopFault::ClaimMissing(name))?;
    value.as_text().ok_or(DpopFault::ClaimMalformed(name))
}

fn integer(claims: &StrictValue, name: &'static str) -> Result<Option<i64>, DpopFault> {
    claims
        .get(name)
        .map(|value| value.as_integer().ok_or(DpopFault::ClaimMalformed(name)))
        .transpose()
}

impl std::fmt::Debug for Expected<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expected")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("jkt", &self.jkt)
            .field("now_s", &self.now_s)
            .field("nonces", &self.nonces)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
