//! Bearer tokens that the operator wrote down, and the callers who hold them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::config::Grants;
use crate::config::StaticTokenRules;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::identity::credential::BearerToken;
use crate::identity::digest;

/// One token, of which only the digest is kept, and its holder.
pub struct StaticToken {
    digest: [u8; 32],
    principal: Arc<Principal>,
}

impl StaticToken {
    /// The token of this authenticator. Its holder is a user, whom the authenticator vouches for.
    pub fn new(rules: &StaticTokenRules, authenticator: &Arc<str>) -> Self {
        let mut principal = granted(&rules.grants, authenticator);
        principal.kind = PrincipalKind::User;
        principal.id = format!("{authenticator}#{}", rules.subject);
        principal.issuer.push_str(authenticator);
        principal.subject.clone_from(&rules.subject);
        Self {
            digest: rules.digest,
            principal: Arc::new(principal),
        }
    }

    /// Whether this is the token. The time that it takes depends on the length of `token` alone.
    pub fn matches(&self, token: &BearerToken) -> bool {
        let digest = digest::sha256(&[token.as_str().as_bytes()]);
        digest::same(&digest, &self.digest)
    }

    /// Its holder.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }
}

impl fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticToken")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// A caller of whom no more is known yet than what the operator grants; of no name.
pub(super) fn granted(grants: &Grants, authenticator: &Arc<str>) -> Principal {
    Principal {
        kind: PrincipalKind::ApiKey,
        id: String::new(),
        authenticator: Arc::clone(authenticator),
        issuer: String::new(),
        subject: String::new(),
        client_id: String::new(),
        tenant: grants.tenant.clone(),
        email: String::new(),
        name: String::new(),
        roles: grants.roles.clone(),
        groups: grants.groups.clone(),
        scopes: grants.scopes.clone(),
        audience: BTreeSet::new(),
        claims: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::credential::Authorization;

    const TOKEN: &str = "s3cr3t-token";

    fn shared() -> StaticToken {
        let rules = StaticTokenRules {
            digest: digest::sha256(&[TOKEN.as_bytes()]),
            subject: "operator".into(),
            grants: Grants {
                roles: ["admin".to_owned()].into(),
                groups: ["ops".to_owned()].into(),
                scopes: ["all".to_owned()].into(),
                tenant: "t1".into(),
            },
        };
        StaticToken::new(&rules, &"shared".into())
    }

    fn bearer(text: &str) -> BearerToken {
        match Authorization::from_authorization(Some(&format!("Bearer {text}"))) {
            Ok(Authorization::Bearer(token)) => token,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_token_matches() {
        let shared = shared();
        assert!(shared.matches(&bearer(TOKEN)));
        for other in ["s3cr3t-tokem", "S3cr3t-token", "s3cr3t-token=", "s3cr3t"] {
            assert!(!shared.matches(&bearer(other)), "{other}");
        }
    }

    #[test]
    fn the_holder_is_a_user_of_the_authenticator() {
        let shared = shared();
        let principal = shared.principal();
        assert_eq!(principal.kind, PrincipalKind::User);
        assert_eq!(principal.id, "shared#operator");
        assert_eq!(principal.issuer, "shared");
        assert_eq!(principal.subject, "operator");
        assert_eq!(principal.client_id, "");
        assert_eq!(&*principal.authenticator, "shared");
        assert_eq!(principal.tenant, "t1");
        assert!(principal.roles.contains("admin") && principal.groups.contains("ops"));
        assert!(principal.scopes.contains("all"));
    }

    #[test]
    fn debug_does_not_show_the_digest() {
        let shown = format!("{:?}", shared());
        assert!(shown.contains("operator") && !shown.contains("digest"));
    }

    proptest! {
        #[test]
        fn no_other_token_matches(text in "[a-zA-Z0-9._~+/-]{1,30}") {
            prop_assert_eq!(shared().matches(&bearer(&text)), text == TOKEN);
        }
    }
}
