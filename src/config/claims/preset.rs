//! Where the tokens of well-known products carry which facts.

use crate::config::claims::ClaimPath;
use crate::config::claims::ClaimPaths;
use crate::config::token_rules::Preset;

/// The products by the names that operators write.
pub(in crate::config) const PRESETS: [(&str, Preset); 5] = [
    ("keycloak", Preset::Keycloak),
    ("auth0", Preset::Auth0),
    ("entra", Preset::Entra),
    ("okta", Preset::Okta),
    ("cognito", Preset::Cognito),
];

impl Preset {
    /// Where the access tokens of the product carry facts. What is not named here is where it is by
    /// default.
    ///
    /// - Keycloak names the client `azp`, and `client_id` in the tokens of service accounts. Roles
    ///   are those of the realm; those of a client need a path of their own, such as
    ///   `/resource_access/my-client/roles`.
    /// - Auth0 names the client `azp`, or `client_id` in its RFC 9068 profile. Its `permissions`
    ///   say what the user may do at most, `scope` what this client may do for him: scopes are read
    ///   from `scope` only. Roles that an Action adds have a name with a URL in it and need a path of
    ///   their own; `roles` is a name that no Action may use.
    /// - Microsoft Entra ID names the client `azp` (version 2) or `appid` (version 1), and delegated
    ///   permissions `scp`, in one string. `sub` is kept as the subject: it is never reassigned, but it is
    ///   another for each registered API. Whoever needs one id across several sets `subject: oid`, which
    ///   is unique within one tenant only.
    /// - Okta names the client `cid` and carries scopes in a list, `scp`.
    /// - Amazon Cognito carries `cognito:groups`, which stand for groups and for roles, and no `aud` in
    ///   access tokens.
    pub(super) fn paths(self) -> ClaimPaths {
        let mut paths = ClaimPaths::default();
        match self {
            Self::Keycloak => {
                paths.client_id = names(&["azp", "client_id"]);
                paths.roles = names(&["realm_access.roles"]);
                paths.scopes = names(&["scope"]);
            }
            Self::Auth0 => {
                paths.client_id = names(&["azp", "client_id"]);
                paths.roles = names(&["roles"]);
                paths.scopes = names(&["scope"]);
                paths.tenant = names(&["org_id"]);
            }
            Self::Entra => {
                paths.client_id = names(&["azp", "appid"]);
                paths.roles = names(&["roles"]);
                paths.scopes = names(&["scp"]);
                paths.tenant = names(&["tid"]);
            }
            Self::Okta => {
                paths.client_id = names(&["cid"]);
                paths.roles = names(&["roles"]);
                paths.scopes = names(&["scp"]);
            }
            Self::Cognito => {
                paths.client_id = names(&["client_id"]);
                paths.roles = names(&["cognito:groups"]);
                paths.groups = names(&["cognito:groups"]);
                paths.scopes = names(&["scope"]);
            }
        }
        paths
    }
}

/// Paths that are names.
pub(super) fn names(names: &[&str]) -> Vec<ClaimPath> {
    names
        .iter()
        .map(|name| ClaimPath::Name((*name).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_has_its_own_shape() {
        let shown = |paths: Vec<ClaimPath>| {
            let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
            paths.join(" ")
        };
        let rows: Vec<String> = PRESETS
            .into_iter()
            .map(|(name, preset)| {
                let paths = preset.paths();
                assert_eq!(paths.subject, ClaimPaths::default().subject, "{name}");
                assert_eq!(paths.email, ClaimPaths::default().email, "{name}");
                [
                    name.to_owned(),
                    shown(paths.client_id),
                    shown(paths.roles),
                    shown(paths.groups),
                    shown(paths.scopes),
                    shown(paths.tenant),
                ]
                .join(" | ")
            })
            .collect();
        insta::assert_snapshot!(rows.join("\n"), @r"
        keycloak | azp client_id | realm_access.roles | groups | scope | tenant tid org_id
        auth0 | azp client_id | roles | groups | scope | org_id
        entra | azp appid | roles | groups | scp | tid
        okta | cid | roles | groups | scp | tenant tid org_id
        cognito | client_id | cognito:groups | cognito:groups | scope | tenant tid org_id
        ");
    }
}
