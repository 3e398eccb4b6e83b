//! MCP sessions as they are remembered: by digests that give away neither the session nor its owner.
//!
//! Whoever knows a session id can use it, so an id is a secret, and it is kept nowhere. Until revision
//! 2025-11-25 a server gives each client an id in `Mcp-Session-Id` ("Session Management" of the
//! transport's page); the sidecar sees requests only, so that it learns of a session when it is first
//! used.

use std::fmt;

use thiserror::Error;

use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::identity::digest;

/// Longest accepted session id, in bytes.
pub const MAX_SESSION_ID: usize = 2_048;

/// Why a session id is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SessionFault {
    /// Nothing stands there, or something other than visible ASCII, 0x21 to 0x7E.
    #[error("the session id is not of visible ASCII characters")]
    Characters,
    /// Longer than [`MAX_SESSION_ID`].
    #[error("the session id is longer than {MAX_SESSION_ID} bytes")]
    TooLong,
}

/// One session at one resource: a SHA-256 of both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey([u8; 32]);

/// Who holds a session: a SHA-256 of what names a principal. Two clients of one user are two owners.
///
/// It spares memory and keeps names out of a shared store, but hides nobody for certain: whoever can
/// guess issuer, subject and client can compute it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionOwner([u8; 32]);

impl SessionKey {
    /// The key of the session `id` at the resource of this configured name.
    ///
    /// # Errors
    ///
    /// [`SessionFault`]: the id is none that the protocol knows.
    pub fn of(resource: &str, id: &str) -> Result<Self, SessionFault> {
        if id.len() > MAX_SESSION_ID {
            return Err(SessionFault::TooLong);
        }
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SessionFault::Characters);
        }
        let parts = ["session", resource, id];
        Ok(Self(digest_of(&parts)))
    }

    /// The bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl SessionOwner {
    /// The owner that a principal is.
    pub fn of(principal: &Principal) -> Self {
        let kind = match principal.kind {
            PrincipalKind::User => "user",
            PrincipalKind::Client => "client",
            PrincipalKind::ApiKey => "api_key",
        };
        // The Cedar id is there for callers who have neither an issuer nor a subject.
        let parts = [
            "owner",
            kind,
            &principal.id,
            &principal.issuer,
            &principal.subject,
            &principal.client_id,
        ];
        Self(digest_of(&parts))
    }

    /// The owner of a digest that was kept elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey").finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOwner").finish_non_exhaustive()
    }
}

/// Each part goes in with its length, so that no two lists of parts are one text. The form is the same
/// on every machine: replicas share it.
fn digest_of(parts: &[&str]) -> [u8; 32] {
    let lengths: Vec<[u8; 8]> = parts
        .iter()
        .map(|part| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes())
        .collect();
    let pieces: Vec<&[u8]> = lengths
        .iter()
        .zip(parts)
        .flat_map(|(length, part)| [length.as_slice(), part.as_bytes()])
        .collect();
    digest::sha256(&pieces)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::identity::testing;

    #[test]
    fn a_session_id_is_visible_ascii_and_short() {
        for id in ["a", "!~", &"x".repeat(MAX_SESSION_ID), "a,b"] {
            assert!(SessionKey::of("weather", id).is_ok(), "{id}");
        }
        for id in ["", " ", "a b", "a\tb", "a\u{7f}", "\u{e9}", "a\n"] {
            assert_eq!(
                SessionKey::of("weather", id),
                Err(SessionFault::Characters),
                "{id}"
            );
        }
        let long = "x".repeat(MAX_SESSION_ID + 1);
        assert_eq!(SessionKey::of("weather", &long), Err(SessionFault::TooLong));
    }

    #[test]
    fn nothing_but_the_same_parts_is_the_same_session() {
        let keys: HashSet<SessionKey> = [("a", "bc"), ("ab", "c"), ("b", "bc"), ("a", "bcd")]
            .iter()
            .map(|(resource, id)| SessionKey::of(resource, id).unwrap())
            .collect();
        assert_eq!(keys.len(), 4);
        assert_eq!(SessionKey::of("a", "bc"), SessionKey::of("a", "bc"));
    }

    #[test]
    fn every_name_of_a_principal_counts_and_nothing_else_does() {
        let alice = (*testing::verified(&[]).principal).clone();
        let with = |change: fn(&mut Principal)| {
            let mut other = alice.clone();
            change(&mut other);
            SessionOwner::of(&other)
        };
        let owners: HashSet<SessionOwner> = [
            with(|_| ()),
            with(|p| p.kind = PrincipalKind::ApiKey),
            with(|p| p.kind = PrincipalKind::Client),
            with(|p| p.id.push('x')),
            with(|p| p.issuer.push('x')),
            with(|p| p.subject.push('x')),
            with(|p| p.client_id.push('x')),
            with(|p| std::mem::swap(&mut p.subject, &mut p.client_id)),
        ]
        .into();
        assert_eq!(owners.len(), 8);
        let another_token = with(|p| {
            p.roles.insert("admin".to_owned());
            p.scopes.insert("files:read".to_owned());
            p.email.push('x');
        });
        assert_eq!(another_token, SessionOwner::of(&alice));
    }

    #[test]
    fn neither_prints_what_it_is_made_of() {
        let key = SessionKey::of("weather", "secret").unwrap();
        let owner = SessionOwner::from_bytes([7; 32]);
        assert_eq!(
            format!("{key:?} {owner:?}"),
            "SessionKey { .. } SessionOwner { .. }"
        );
    }

    proptest! {
        #[test]
        fn lists_that_differ_have_digests_that_differ(
            one in proptest::collection::vec("[ab]{0,3}", 0..4),
            other in proptest::collection::vec("[ab]{0,3}", 0..4),
        ) {
            let of = |list: &[String]| {
                let parts: Vec<&str> = list.iter().map(String::as_str).collect();
                digest_of(&parts)
            };
            prop_assert_eq!(one == other, of(&one) == of(&other));
        }
    }
}
