//! The strict gate that every token passes before its signature is looked at: one reading, or none.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::Algorithm;
use crate::identity::kind;
use crate::identity::token_fault::Part;
use crate::identity::token_fault::TokenFault;
use crate::json;
use crate::json::StrictValue;

/// How deep header and claims may be nested.
const MAX_DEPTH: usize = 16;

/// Longest `kid`, in bytes.
const MAX_KEY_ID_BYTES: usize = 256;

/// Parameters that name extensions, other keys, or another form of token; nothing here honours
/// them, so a token that carries one was made for somebody else.
const REFUSED_PARAMETERS: [&str; 8] = ["crit", "b64", "jku", "x5u", "jwk", "x5c", "zip", "enc"];

/// A compact JWS (RFC 7515) whose form is sound and whose content nobody has vouched for.
#[derive(Clone, PartialEq)]
pub struct UnverifiedToken<'a> {
    signing_input: &'a str,
    signature: &'a str,
    header: UnverifiedHeader,
    claims: StrictValue,
    issuer: String,
}

/// The JOSE header of an [`UnverifiedToken`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedHeader {
    /// `alg`: one that is known here; whether it is accepted is for the key to say.
    pub algorithm: Algorithm,
    /// `kid`: an opaque name, at most 256 printable bytes.
    pub key_id: Option<String>,
    /// `typ`, lower case, without `application/`; `jwt` when absent.
    pub token_type: String,
}

impl<'a> UnverifiedToken<'a> {
    /// Reads a token of at most `max_len` bytes. Costs at most the length of the token, and
    /// nothing at all for one that is too long.
    ///
    /// # Errors
    ///
    /// [`TokenFault`], the first that is met.
    pub fn parse(token: &'a str, max_len: usize) -> Result<Self, TokenFault> {
        if token.len() > max_len {
            return Err(TokenFault::TooLong {
                length: token.len(),
                bound: max_len,
            });
        }
        let compact = split(token)?;
        let header = object(compact.header, Part::Header)?;
        let claims = object(compact.claims, Part::Claims)?;
        decode(compact.signature, Part::Signature)?;
        let header = read_header(&header)?;
        kind::refuse_type(&header.token_type)?;
        kind::refuse_claims(&claims)?;
        let issuer = read_issuer(&claims)?;
        Ok(Self {
            signing_input: compact.signing_input,
            signature: compact.signature,
            header,
            claims,
            issuer,
        })
    }

    /// The header.
    pub fn header(&self) -> &UnverifiedHeader {
        &self.header
    }

    /// The `iss` claim, for choosing whose keys to try.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The claims, always an object.
    pub(super) fn claims(&self) -> &StrictValue {
        &self.claims
    }

    /// What the signature covers.
    pub(super) fn signing_input(&self) -> &'a str {
        self.signing_input
    }

    /// The signature, base64url.
    pub(super) fn signature(&self) -> &'a str {
        self.signature
    }
}

impl fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedToken")
            .field("algorithm", &self.header.algorithm)
            .finish_non_exhaustive()
    }
}

/// Whether a bearer token has the shape of a signed JWT: three parts in the base64url alphabet, the
/// first of which begins, decoded, with `{`. The shape decides which authenticator answers, so that
/// it never depends on the success of another.
pub fn looks_like_jws(token: &str) -> bool {
    let mut bytes = token.bytes();
    let opens_object = bytes.next() == Some(b'e')
        && bytes
            .next()
            .is_some_and(|second| matches!(second, b'w'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    opens_object
        && split(token).is_ok_and(|compact| {
            [compact.header, compact.claims, compact.signature]
                .iter()
                .all(|part| !part.is_empty() && part.bytes().all(is_base64url))
        })
}

/// The value of `typ` in the form in which types are compared: RFC 7515, section 4.1.9, lets the
/// prefix `application/` be left out, and media types have no case.
pub fn canonical_type(typ: &str) -> String {
    let lower = typ.to_ascii_lowercase();
    lower
        .strip_prefix("application/")
        .map_or_else(|| lower.clone(), str::to_owned)
}

pub(super) struct Compact<'a> {
    pub(super) signing_input: &'a str,
    pub(super) header: &'a str,
    pub(super) claims: &'a str,
    pub(super) signature: &'a str,
}

/// Looks for at most five parts, so that a token of dots alone costs no more than any other.
pub(super) fn split(token: &str) -> Result<Compact<'_>, TokenFault> {
    let mut parts = token.splitn(6, '.');
    let found = (parts.next(), parts.next(), parts.next());
    let rest = (parts.next(), parts.next(), parts.next());
    let (Some(header), Some(claims), Some(signature)) = found else {
        return Err(TokenFault::NotCompact);
    };
    match rest {
        (None, _, _) => {}
        (Some(_), Some(_), None) => return Err(TokenFault::Encrypted),
        (Some(_), _, _) => return Err(TokenFault::NotCompact),
    }
    let (signing_input, _) = token.rsplit_once('.').ok_or(TokenFault::NotCompact)?;
    Ok(Compact {
        signing_input,
        header,
        claims,
        signature,
    })
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The engine refuses padding, other alphabets, white space and non-zero trailing bits.
pub(super) fn decode(text: &str, part: Part) -> Result<Vec<u8>, TokenFault> {
    if text.is_empty() {
        return Err(TokenFault::Encoding(part));
    }
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| TokenFault::Encoding(part))
}

pub(super) fn object(text: &str, part: Part) -> Result<StrictValue, TokenFault> {
    let bytes = decode(text, part)?;
    let value = json::parse(&bytes, MAX_DEPTH).map_err(|fault| TokenFault::Json(part, fault))?;
    if value.as_object().is_none() {
        return Err(TokenFault::NotAnObject(part));
    }
    Ok(value)
}

/// What a header says, unless it asks for something that is not done here.
pub(super) fn read_header(header: &StrictValue) -> Result<UnverifiedHeader, TokenFault> {
    for name in REFUSED_PARAMETERS {
        if header.get(name).is_some() {
            return Err(TokenFault::HeaderRefused(name));
        }
    }
    let algorithm = header
        .get("alg")
        .and_then(StrictValue::as_text)
        .and_then(known_algorithm)
        .ok_or(TokenFault::AlgorithmUnknown)?;
    let key_id = match header.get("kid") {
        None => None,
        Some(value) => Some(
            value
                .as_text()
                .filter(|kid| is_sound_key_id(kid))
                .ok_or(TokenFault::HeaderMalformed("kid"))?
                .to_owned(),
        ),
    };
    let token_type = match header.get("typ") {
        None => "jwt".to_owned(),
        Some(value) => canonical_type(value.as_text().ok_or(TokenFault::HeaderMalformed("typ"))?),
    };
    Ok(UnverifiedHeader {
        algorithm,
        key_id,
        token_type,
    })
}

/// The algorithm of this exact name (RFC 7518, section 3.1; RFC 8037 and RFC 9864 for `EdDSA` and
/// its fully specified name). That it is known says nothing about whether it is accepted.
pub(super) fn known_algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::Rs256,
        "RS384" => Algorithm::Rs384,
        "RS512" => Algorithm::Rs512,
        "PS256" => Algorithm::Ps256,
        "PS384" => Algorithm::Ps384,
        "PS512" => Algorithm::Ps512,
        "ES256" => Algorithm::Es256,
        "ES384" => Algorithm::Es384,
        "EdDSA" | "Ed25519" => Algorithm::EdDsa,
        "HS256" => Algorithm::Hs256,
        "HS384" => Algorithm::Hs384,
        "HS512" => Algorithm::Hs512,
        _ => return None,
    })
}

/// Whether a `kid` is short and printable: it is only ever compared, and sometimes logged.
pub(super) fn is_sound_key_id(kid: &str) -> bool {
    kid.len() <= MAX_KEY_ID_BYTES && kid.chars().all(|c| !c.is_control())
}

/// Only a string names an issuer: an array or a number that merely contains it does not.
fn read_issuer(claims: &StrictValue) -> Result<String, TokenFault> {
    let issuer = claims.get("iss").ok_or(TokenFault::UnknownIssuer)?;
    issuer
        .as_text()
        .map(str::to_owned)
        .ok_or(TokenFault::ClaimMalformed("iss"))
}

#[cfg(test)]
mod tests;
