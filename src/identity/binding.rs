//! The key or certificate that a token is bound to (RFC 7800; RFC 9449, section 6.1; RFC 8705,
//! section 3.1).

/// What the holder of a token must prove beside having it. Empty for a bearer token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// `cnf.jkt`: the SHA-256 thumbprint (RFC 7638) of the key that signs `DPoP` proofs.
    pub jkt: Option<[u8; 32]>,
    /// `cnf.x5t#S256`: the SHA-256 of the client certificate, DER.
    pub x5t_s256: Option<[u8; 32]>,
}
