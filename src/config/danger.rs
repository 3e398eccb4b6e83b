//! What each weakened check means, in words for the operator.

use crate::config::Config;
use crate::config::authenticator::Authenticator;
use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::Remote;
use crate::config::bundle;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::resource::MessageFrom;
use crate::config::resource::Resource;
use crate::config::resource::ResourceKind;
use crate::config::scalar;
use crate::config::sessions::SessionStoreKind;
use crate::config::token_rules::TokenRules;

/// Where `message_from` takes the message from headers.
pub(super) const INSECURE_HEADERS: &str = "insecure_headers";

/// What happens while a switch is on.
pub(super) fn meaning(switch: &str) -> &'static str {
    match switch {
        "insecure_skip_audience" => "tokens that were issued for other services are accepted",
        "insecure_skip_expiry" => "expired tokens, and tokens that never expire, are accepted",
        "insecure_skip_issued_at" => "tokens that were issued in the future are accepted",
        "insecure_skip_issuer" => {
            "tokens of any issuer are accepted that no other authenticator has, if the keys fit"
        }
        "insecure_allow_http" => {
            "whoever is on the network path can replace what the issuer says, and read what it is asked"
        }
        "insecure_allow_plaintext" => {
            "whoever is on the network path to Redis can take over sessions, and read the password"
        }
        INSECURE_HEADERS => {
            "what a request asks for is taken from its headers, and only the server itself compares \
             them with the body"
        }
        _ => "a check is weaker than it should be",
    }
}

/// A switch that weakens a check: off unless written, and never without a warning.
pub(super) fn read(map: &mut Mapping<'_>, key: &'static str, faults: &mut Faults<'_>) -> bool {
    let Some(node) = map.optional(key) else {
        return false;
    };
    let on = scalar::switch(node, faults).unwrap_or(false);
    if on {
        let message = format!("`{key}` is on: {}", meaning(key));
        faults.warning(&node.place, message, "for experiments only");
    }
    on
}

impl Config {
    /// One sentence for each check that this configuration weakens, for the log at start.
    pub fn danger(&self) -> Vec<String> {
        let mut found: Vec<String> = self
            .authenticators
            .iter()
            .flat_map(|authenticator| of_authenticator(authenticator))
            .collect();
        if let SessionStoreKind::Redis(redis) = &self.sessions.store
            && redis.insecure_allow_plaintext
        {
            let switch = "insecure_allow_plaintext";
            found.push(format!(
                "`sessions.redis.{switch}` is on: {}",
                meaning(switch)
            ));
        }
        found.extend(self.policies.bundle.as_ref().and_then(bundle::danger));
        found.extend(self.resources.iter().filter_map(|one| of_resource(one)));
        if self.listen.trusts_everybody() {
            found.push(
                "`listen.trusted_peers` holds every address and there is no `shared_secret`: \
                 everybody may call the http listener"
                    .to_owned(),
            );
        }
        if let Some(net) = self.listen.broad_xfcc_peer() {
            found.push(format!(
                "`listen.xfcc_peers` holds `{net}`: whoever calls from there may claim any client \
                 certificate"
            ));
        }
        found
    }
}

fn of_authenticator(authenticator: &Authenticator) -> Vec<String> {
    switches(&authenticator.kind)
        .into_iter()
        .map(|switch| {
            format!(
                "authenticator `{}`: `{switch}` is on: {}",
                authenticator.name,
                meaning(switch)
            )
        })
        .collect()
}

fn of_resource(resource: &Resource) -> Option<String> {
    match &resource.kind {
        ResourceKind::Mcp(rules) if rules.message_from == MessageFrom::InsecureHeaders => {
            Some(format!(
                "resource `{}`: `message_from: {INSECURE_HEADERS}`: {}",
                resource.name,
                meaning(INSECURE_HEADERS)
            ))
        }
        ResourceKind::Mcp(_) | ResourceKind::Http { .. } => None,
    }
}

/// Every switch that is on and weakens a check.
pub(super) fn switches(kind: &AuthenticatorKind) -> Vec<&'static str> {
    match kind {
        AuthenticatorKind::Jwt(rules) => weakened(
            &rules.tokens,
            rules.insecure_skip_issuer,
            rules.keys.remote(),
        ),
        AuthenticatorKind::Introspection(rules) => {
            weakened(&rules.tokens, false, Some(&rules.remote))
        }
        AuthenticatorKind::ApiKey(_)
        | AuthenticatorKind::StaticToken(_)
        | AuthenticatorKind::Mtls(_)
        | AuthenticatorKind::Anonymous => Vec::new(),
    }
}

fn weakened(tokens: &TokenRules, skip_issuer: bool, remote: Option<&Remote>) -> Vec<&'static str> {
    [
        ("insecure_skip_audience", tokens.insecure_skip_audience),
        ("insecure_skip_expiry", tokens.insecure_skip_expiry),
        ("insecure_skip_issued_at", tokens.insecure_skip_issued_at),
        ("insecure_skip_issuer", skip_issuer),
        (
            "insecure_allow_http",
            remote.is_some_and(|remote| remote.insecure_allow_http),
        ),
    ]
    .into_iter()
    .filter_map(|(switch, on)| on.then_some(switch))
    .collect()
}
