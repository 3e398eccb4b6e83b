//! Who is calling, as far as proved.
//!
//! A header becomes a [`credential`]; a bearer token passes the [`gate`], which leaves it one
//! reading; the [`verifier`] checks it against the [`key_set`] of its issuer and maps its claims to
//! a [`Principal`]. A token that only its issuer can read is judged by his answer
//! ([`introspection`]). The [`cache`] remembers the result, and a [`step::Step`] says how far a
//! token came. A caller without a token may be known by an [`api_key`], a [`static_token`] or a
//! [`spiffe`] ID. That a token is in the right hands is shown by a [`dpop`] proof, which the
//! [`replay`] guard admits once, or by a [`certificate`]. Whose an MCP [`session`] is, is remembered
//! by digests. Nothing here fetches, waits or reads a clock.

pub mod api_key;
pub mod binding;
pub mod cache;
pub mod certificate;
mod claims;
pub mod credential;
pub mod crypto;
pub mod detached;
pub mod digest;
pub mod dpop;
pub mod gate;
pub mod introspection;
pub mod key_set;
mod kind;
mod mapping;
pub mod nonce;
pub mod replay;
pub mod revocation;
pub mod session;
pub mod spiffe;
pub mod static_token;
pub mod step;
#[cfg(test)]
pub(crate) mod testing;
pub mod token_fault;
pub mod verifier;
pub mod window;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The caller of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// No credential was sent, and the resource accepts strangers.
    Anonymous,
    /// A credential was sent and every check on it passed.
    Verified(Arc<Principal>),
}

/// What kind of caller a principal is; the Cedar entity type of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// A person: a token with a subject that is not the client itself.
    User,
    /// A workload acting for itself (RFC 6749, section 4.4).
    Client,
    /// A static key.
    ApiKey,
}

/// A proved caller, in the terms that policies use. Absent facts are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The Cedar entity type.
    pub kind: PrincipalKind,
    /// The Cedar entity id: `<issuer>#<subject>` or `<issuer>#<client id>`.
    pub id: String,
    /// Name of the authenticator that proved this caller.
    pub authenticator: Arc<str>,
    /// The `iss` that vouches for the caller.
    pub issuer: String,
    /// The `sub` claim.
    pub subject: String,
    /// The OAuth client that the caller acts through.
    pub client_id: String,
    /// The tenant, where a claim names one.
    pub tenant: String,
    /// The e-mail address, only where the issuer says that it is verified.
    pub email: String,
    /// The display name.
    pub name: String,
    /// Roles, prefixed as the authenticator's configuration says.
    pub roles: BTreeSet<String>,
    /// Groups.
    pub groups: BTreeSet<String>,
    /// The scopes of this token, not of the user.
    pub scopes: BTreeSet<String>,
    /// Whom the token was issued for (RFC 7519, section 4.1.3).
    pub audience: BTreeSet<String>,
    /// Every other claim, normalised to a set of strings.
    pub claims: BTreeMap<String, BTreeSet<String>>,
}
