//! Keys that never change, so that a seed with a signature stays good.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The `kid` of the issuer's key.
pub(crate) const KEY_ID: &str = "ed";

/// The secret of the issuer of symmetric tokens.
pub(crate) const SECRET: &str = "a secret of the fuzz targets, 32 bytes and more";

/// Public keys whose private halves nobody has kept.
const ORPHANS: &str = r#"
  {"kty":"EC","crv":"P-256","kid":"ec","x":"w_j-msKzbYu0eHCuvTL8-wRT2qHg_2fuKnwXY7uwMMQ","y":"mDnOBQ05zDcD6KMQN2fl5C2jqb3733ZysEam-Nc0XtM"},
  {"kty":"RSA","kid":"rsa","e":"AQAB","n":"mOX-KHh8i36ng9sykYZ3PjnGHN4mMntdR4-uRRdXiV1v-MlLRybIFyrgOfRvQIbnzemd6igiYaIvlYp0H_tOfFoCozP9FRUnTHCWizgwE2WUFd-cCfqUKDR0z9GI-1YaDRTIh2N-OhhslkJ2EfdMDlwluOOQCCbmDY8gJWz82inithG8lSZK64oBmRXsZg_CX8V0G3WISu5dHQf72VPRAxraqGLZ9wiWn2Nmx2AmvwkKoauvGrFi84LplRDFBoZNkI1ZkRTynptwdX4faLv57-OYDV_Yd_OBI9BCz8YUF7ZE2Xkmwp_xuDnmamOpX_ce3-8Y2oQje7ylGdf39DQtNw"}"#;

/// Who signs.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    /// The issuer.
    Issuer,
    /// The holder of tokens that are bound to a key.
    Holder,
    /// Nobody whom anything here trusts.
    Stranger,
}

fn pair(who: Who) -> &'static Ed25519KeyPair {
    static PAIRS: LazyLock<[Ed25519KeyPair; 3]> = LazyLock::new(|| {
        [1, 2, 3].map(|seed| {
            Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes are a seed")
        })
    });
    let [issuer, holder, stranger] = &*PAIRS;
    match who {
        Who::Issuer => issuer,
        Who::Holder => holder,
        Who::Stranger => stranger,
    }
}

/// The public key, raw.
pub(crate) fn public(who: Who) -> &'static [u8] {
    pair(who).public_key().as_ref()
}

/// The public key, base64url: the member `x` of its JWK.
pub(crate) fn x(who: Who) -> String {
    encode(public(who))
}

/// The SHA-256 thumbprint of the public key (RFC 7638).
pub(crate) fn thumbprint(who: Who) -> [u8; 32] {
    let text = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, x(who));
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// What the issuer publishes: its key, and two that sign nothing.
pub(crate) fn jwks() -> String {
    let x = x(Who::Issuer);
    format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{KEY_ID}","x":"{x}"}},{ORPHANS}]}}"#)
}

/// A compact JWS of any header and any payload, with an Ed25519 signature.
pub(crate) fn sign(who: Who, header: &[u8], payload: &[u8]) -> String {
    let input = signing_input(header, payload);
    let signature = pair(who).sign(input.as_bytes());
    format!("{input}.{}", encode(signature.as_ref()))
}

/// A compact JWS of any header and any payload, with an HMAC of SHA-256.
pub(crate) fn mac(secret: &[u8], header: &[u8], payload: &[u8]) -> String {
    let input = signing_input(header, payload);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", encode(tag.as_ref()))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn signing_input(header: &[u8], payload: &[u8]) -> String {
    format!("{}.{}", encode(header), encode(payload))
}
