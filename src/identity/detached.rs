//! Detached signatures: a compact JWS whose content is kept beside it (RFC 7515, appendix F).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::Algorithm;
use crate::identity::digest;
use crate::identity::gate;
use crate::identity::key_set::KeySet;
use crate::identity::key_set::Selection;
use crate::identity::token_fault::Part;
use crate::identity::token_fault::TokenFault;
use crate::identity::verifier;
use crate::json::StrictValue;

/// Longest accepted signature, in bytes: one of RSA with 8192 bits is 1,366 characters long, and a
/// header may hold a `kid` of 256 bytes.
pub const MAX_BYTES: usize = 4_096;

/// The parameters that a header may have. What is not understood must not be passed over.
const PARAMETERS: [&str; 3] = ["alg", "kid", "typ"];

/// Who signed: what the header said, and the key confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// By which algorithm.
    pub algorithm: Algorithm,
    /// The key's name, where the signature gives one.
    pub key_id: Option<String>,
    /// The start of the key's thumbprint (RFC 7638), in hexadecimal, to tell it from others in a log.
    pub thumbprint: String,
}

/// Why a signature proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// Longer than [`MAX_BYTES`].
    #[error("the signature is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Not a header and a signature with nothing between them.
    #[error("the signature is not a compact JWS with detached content (`header..signature`)")]
    NotDetached,
    /// The header cannot be read, or asks for something that is not done here.
    #[error("the header of the signature is refused: {0}")]
    Header(TokenFault),
    /// A parameter that nobody here knows.
    #[error("the header of the signature has a parameter that is not known")]
    Parameter,
    /// It was made for something else.
    #[error("the signature is not one for this kind of content (`typ`)")]
    Type,
    /// None of the keys has the name that the signature gives.
    #[error("the signature names a key that is not configured")]
    UnknownKey,
    /// No key is for the algorithm.
    #[error("the algorithm of the signature is not the one that its key is for")]
    Algorithm,
    /// Several keys fit, and the signature names none.
    #[error("the signature names no key (`kid`), and several fit")]
    Ambiguous,
    /// The content, the signature or the key is another one.
    #[error("the signature does not verify")]
    BadSignature,
}

/// Checks that `signature` was made over exactly `content`, as content of the type `typ`, by one of
/// the `keys`.
///
/// # Errors
///
/// [`SignatureFault`]: nobody has vouched for the content.
pub fn verify(
    signature: &str,
    content: &[u8],
    typ: &str,
    keys: &KeySet,
) -> Result<SignedBy, SignatureFault> {
    if signature.len() > MAX_BYTES {
        return Err(SignatureFault::TooLong);
    }
    let compact = gate::split(signature).map_err(|_| SignatureFault::NotDetached)?;
    if !compact.claims.is_empty() {
        return Err(SignatureFault::NotDetached);
    }
    let members = gate::object(compact.header, Part::Header).map_err(SignatureFault::Header)?;
    gate::decode(compact.signature, Part::Signature).map_err(SignatureFault::Header)?;
    // The known refusals come first, because they say more.
    let header = gate::read_header(&members).map_err(SignatureFault::Header)?;
    let mut names = members.as_object().into_iter().flatten();
    if names.any(|(name, _)| !PARAMETERS.contains(&name.as_str())) {
        return Err(SignatureFault::Parameter);
    }
    if members.get("typ").and_then(StrictValue::as_text) != Some(typ) {
        return Err(SignatureFault::Type);
    }
    let key = keys
        .select(header.key_id.as_deref(), header.algorithm)
        .map_err(|selection| match selection {
            Selection::Unknown if header.key_id.is_none() => SignatureFault::Algorithm,
            Selection::Unknown => SignatureFault::UnknownKey,
            Selection::WrongAlgorithm => SignatureFault::Algorithm,
            Selection::Ambiguous => SignatureFault::Ambiguous,
        })?;
    let input = signing_input(compact.header, content);
    let verdict = jsonwebtoken::crypto::verify(
        compact.signature,
        input.as_bytes(),
        key.decoding_key(),
        verifier::library_name(header.algorithm),
    );
    match verdict {
        Ok(true) => Ok(SignedBy {
            algorithm: header.algorithm,
            key_id: header.key_id,
            thumbprint: digest::hex(key.thumbprint().get(..8).unwrap_or_default()),
        }),
        Ok(false) | Err(_) => Err(SignatureFault::BadSignature),
    }
}

/// What is signed: the header, base64url as it is sent, and the content.
pub fn signing_input(header: &str, content: &[u8]) -> String {
    format!("{header}.{}", URL_SAFE_NO_PAD.encode(content))
}
