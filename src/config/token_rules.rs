//! What holds for every token of one issuer, however it is verified.

use std::time::Duration;

use crate::config::claims;
use crate::config::claims::Assertions;
use crate::config::claims::ClaimPaths;
use crate::config::danger;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::yaml::Node;

/// The rules for the tokens of one issuer, whether they are signed or introspected.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// The exact `iss`. Of an introspection without a configured issuer: the authenticator's name.
    pub issuer: String,
    /// Accepted audiences; empty: those of the resource asked for.
    pub audiences: Vec<String>,
    /// The product whose tokens these are.
    pub preset: Option<Preset>,
    /// Where facts are found in the claims.
    pub claims: ClaimPaths,
    /// What the issuer may assert as roles.
    pub roles: Assertions,
    /// What the issuer may assert as groups.
    pub groups: Assertions,
    /// What the issuer may assert as scopes.
    pub scopes: Assertions,
    /// Tolerated difference of clocks, 0 to 300 s.
    pub leeway: Duration,
    /// Longest accepted time from now to `exp`.
    pub max_lifetime: Duration,
    /// Proofs of possession (RFC 9449).
    pub dpop: DpopRules,
    /// `insecure_skip_audience`: accept any audience.
    pub insecure_skip_audience: bool,
    /// `insecure_skip_expiry`: accept tokens without `exp` and expired ones.
    pub insecure_skip_expiry: bool,
    /// `insecure_skip_issued_at`: accept an `iat` in the future.
    pub insecure_skip_issued_at: bool,
}

/// What is asked of DPoP (RFC 9449). A token that is bound to a key always needs a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DpopRules {
    /// `required`: tokens that are not bound to a key are refused.
    pub required: bool,
    /// `nonce`: proofs must carry a nonce of ours (RFC 9449, section 9).
    pub nonce: bool,
}

/// Products whose tokens have a shape of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Keycloak
    Keycloak,
    /// Auth0
    Auth0,
    /// Microsoft Entra ID
    Entra,
    /// Okta
    Okta,
    /// Amazon Cognito
    Cognito,
}

/// RFC 7519, section 4.1.4 allows "a few minutes".
const LONGEST_LEEWAY: Duration = Duration::from_secs(300);

const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

impl TokenRules {
    /// The rules of an issuer of whom the file says no more than its name.
    pub(super) fn of(issuer: String) -> Self {
        Self {
            issuer,
            audiences: Vec::new(),
            preset: None,
            claims: ClaimPaths::default(),
            roles: Assertions::default(),
            groups: Assertions::default(),
            scopes: Assertions::default(),
            leeway: DEFAULT_LEEWAY,
            max_lifetime: DEFAULT_LIFETIME,
            dpop: DpopRules::default(),
            insecure_skip_audience: false,
            insecure_skip_expiry: false,
            insecure_skip_issued_at: false,
        }
    }
}

/// Reads everything but the issuer, which is left empty.
pub(super) fn read(map: &mut Mapping<'_>, faults: &mut Faults<'_>) -> TokenRules {
    let mut tokens = TokenRules::of(String::new());
    if let Some(audiences) = map
        .optional("audiences")
        .and_then(|node| scalar::texts(node, faults))
    {
        tokens.audiences = audiences;
    }
    if let Some(node) = map.optional("claims") {
        (tokens.claims, tokens.preset) = claims::read(node, faults);
    }
    for (key, slot) in [
        ("roles", &mut tokens.roles),
        ("groups", &mut tokens.groups),
        ("scopes", &mut tokens.scopes),
    ] {
        if let Some(node) = map.optional(key) {
            *slot = claims::read_assertions(node, faults);
        }
    }
    if let Some(leeway) = map
        .optional("leeway")
        .and_then(|node| scalar::duration(node, Duration::ZERO..=LONGEST_LEEWAY, faults))
    {
        tokens.leeway = leeway;
    }
    if let Some(lifetime) = map.optional("max_lifetime").and_then(|node| {
        let bounds = Duration::from_secs(1)..=*scalar::any_duration().end();
        scalar::duration(node, bounds, faults)
    }) {
        tokens.max_lifetime = lifetime;
    }
    if let Some(node) = map.optional("dpop") {
        tokens.dpop = read_dpop(node, faults);
    }
    tokens.insecure_skip_audience = danger::read(map, "insecure_skip_audience", faults);
    tokens.insecure_skip_expiry = danger::read(map, "insecure_skip_expiry", faults);
    tokens.insecure_skip_issued_at = danger::read(map, "insecure_skip_issued_at", faults);
    tokens
}

/// The text of an issuer: what stands before the `#` in the ids of its principals.
pub(super) fn read_issuer<'t>(node: &'t Node, faults: &mut Faults<'_>) -> Option<&'t str> {
    let text = scalar::filled(node, faults)?;
    if text.contains('#') || text.chars().any(char::is_whitespace) {
        let message = format!("{} cannot be an issuer", shown(node, text));
        faults.error_help(&node.place, message, "no blanks, and no `#`");
        return None;
    }
    Some(text)
}

fn read_dpop(node: &Node, faults: &mut Faults<'_>) -> DpopRules {
    let mut rules = DpopRules::default();
    let Some(mut map) = Mapping::of(node, faults) else {
        return rules;
    };
    for (key, slot) in [
        ("required", &mut rules.required),
        ("nonce", &mut rules.nonce),
    ] {
        if let Some(on) = map
            .optional(key)
            .and_then(|node| scalar::switch(node, faults))
        {
            *slot = on;
        }
    }
    map.finish(faults);
    rules
}
