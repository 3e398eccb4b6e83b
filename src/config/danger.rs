//! What each weakened check means, in words for the operator.

use crate::config::Config;
use crate::config::authenticator::Authenticator;
use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::JwtRules;
use crate::config::authenticator::KeyOrigin;

/// What happens while a switch is on.
pub(super) fn meaning(switch: &str) -> &'static str {
    match switch {
        "insecure_skip_audience" => "tokens that were issued for other services are accepted",
        "insecure_skip_expiry" => "expired tokens, and tokens that never expire, are accepted",
        "insecure_skip_issued_at" => "tokens that were issued in the future are accepted",
        "insecure_allow_http" => "whoever is on the network path can replace the keys",
        _ => "a check is weaker than it should be",
    }
}

impl Config {
    /// One sentence for each check that this configuration weakens, for the log at start.
    pub fn danger(&self) -> Vec<String> {
        let mut found: Vec<String> = self
            .authenticators
            .iter()
            .flat_map(|authenticator| of_authenticator(authenticator))
            .collect();
        if self.listen.trusts_everybody() {
            found.push(
                "`listen.trusted_peers` holds every address and there is no `shared_secret`: \
                 everybody may call the http listener"
                    .to_owned(),
            );
        }
        found
    }
}

fn of_authenticator(authenticator: &Authenticator) -> Vec<String> {
    let AuthenticatorKind::Jwt(rules) = &authenticator.kind else {
        return Vec::new();
    };
    switches(rules)
        .into_iter()
        .filter(|(_, on)| *on)
        .map(|(switch, _)| {
            format!(
                "authenticator `{}`: `{switch}` is on: {}",
                authenticator.name,
                meaning(switch)
            )
        })
        .collect()
}

/// Every switch that weakens a check, and whether it is on.
pub(super) fn switches(rules: &JwtRules) -> [(&'static str, bool); 4] {
    let http = match &rules.keys {
        KeyOrigin::Discovery(remote) | KeyOrigin::JwksUri(_, remote) => remote.insecure_allow_http,
        KeyOrigin::Local(_) | KeyOrigin::Development => false,
    };
    [
        (
            "insecure_skip_audience",
            rules.tokens.insecure_skip_audience,
        ),
        ("insecure_skip_expiry", rules.tokens.insecure_skip_expiry),
        (
            "insecure_skip_issued_at",
            rules.tokens.insecure_skip_issued_at,
        ),
        ("insecure_allow_http", http),
    ]
}
