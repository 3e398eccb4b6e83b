//! Authenticators of type `oidc` and `jwt`: the rules for the signed tokens of one issuer.

use std::path::Path;

use crate::config::algorithms;
use crate::config::authenticator::Algorithm;
use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::Declared;
use crate::config::authenticator::JwtRules;
use crate::config::authenticator::KeyOrigin;
use crate::config::authenticator::Remote;
use crate::config::danger;
use crate::config::keys;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::remote;
use crate::config::scalar;
use crate::config::token_rules;
use crate::config::token_rules::TokenRules;
use crate::config::yaml::Node;

/// Where the keys come from, as the operator said it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// By discovery at the issuer.
    Oidc,
    /// From a fixed URL, or from the file.
    Jwt,
}

/// RFC 9068, section 2.1, and what most issuers write.
const DEFAULT_TOKEN_TYPES: [&str; 2] = ["at+jwt", "jwt"];

/// RFC 9068, section 2.1.
const PROFILE_TOKEN_TYPE: &str = "at+jwt";

const OVER_HTTP: &str = "keys would be fetched over plain http";

/// Reads the rest of an authenticator into `declared`.
pub(super) fn read(
    mut map: Mapping<'_>,
    kind: Type,
    base: &Path,
    declared: &mut Declared,
    faults: &mut Faults<'_>,
) {
    let issuer = map.required("issuer", faults);
    if let Some(node) = issuer {
        declared.place = node.place.clone();
    }
    let written = map.optional("algorithms");
    let keys = read_keys(&mut map, kind, base, faults);
    let is_local = matches!(keys, Some(KeyOrigin::Local(_))) || map.place_of("keys").is_some();
    let written = written.map(|node| algorithms::read_list(node, is_local, faults));
    let algorithms = read_algorithms(&map, written, keys.as_ref(), faults);
    let issuer = issuer.and_then(|node| read_issuer(node, kind, keys.as_ref(), faults));
    let rfc9068 = map
        .optional("rfc9068")
        .and_then(|node| scalar::switch(node, faults))
        .unwrap_or(false);
    let token_types = read_token_types(&mut map, rfc9068, faults);
    let tokens = token_rules::read(&mut map, faults);
    let insecure_skip_issuer = danger::read(&mut map, "insecure_skip_issuer", faults);
    map.finish(faults);
    if let (Some(issuer), Some(keys)) = (issuer, keys) {
        declared.kind = Some(AuthenticatorKind::Jwt(Box::new(JwtRules {
            tokens: TokenRules { issuer, ..tokens },
            keys,
            algorithms,
            token_types,
            rfc9068,
            insecure_skip_issuer,
        })));
    }
}

fn read_issuer(
    node: &Node,
    kind: Type,
    keys: Option<&KeyOrigin>,
    faults: &mut Faults<'_>,
) -> Option<String> {
    let text = token_rules::read_issuer(node, faults)?;
    if kind == Type::Oidc {
        let allow_http = keys.and_then(KeyOrigin::remote);
        let allow_http = allow_http.is_some_and(|remote| remote.insecure_allow_http);
        let url = remote::read_url(node, allow_http, OVER_HTTP, faults)?;
        if url.query().is_some() {
            // RFC 8414, section 2
            faults.error(&node.place, "an issuer has no query");
            return None;
        }
    }
    Some(text.to_owned())
}

fn read_keys(
    map: &mut Mapping<'_>,
    kind: Type,
    base: &Path,
    faults: &mut Faults<'_>,
) -> Option<KeyOrigin> {
    let remote = remote::read(map, base, faults);
    if kind == Type::Oidc {
        return Some(KeyOrigin::Discovery(remote));
    }
    let uri = map.optional("jwks_uri");
    let local = map.optional("keys");
    match (uri, local) {
        (Some(uri), None) => {
            let url = remote::read_url(uri, remote.insecure_allow_http, OVER_HTTP, faults)?;
            Some(KeyOrigin::JwksUri(url, remote))
        }
        (None, Some(local)) => {
            for key in ["ca_file", "insecure_allow_http"] {
                if let Some(place) = map.place_of(key) {
                    let message = format!("`{key}` without `jwks_uri` has no effect");
                    faults.error(place, message);
                }
            }
            keys::read_local(local, base, faults).map(KeyOrigin::Local)
        }
        (Some(_), Some(local)) => {
            faults.error(&local.place, "`jwks_uri` and `keys`: only one of them");
            None
        }
        (None, None) => {
            faults.error_help(
                map.place(),
                "no keys to verify tokens with",
                "set `jwks_uri` or `keys`",
            );
            None
        }
    }
}

/// What was written, or else every asymmetric algorithm and those of the secrets in the file.
fn read_algorithms(
    map: &Mapping<'_>,
    written: Option<Vec<Algorithm>>,
    keys: Option<&KeyOrigin>,
    faults: &mut Faults<'_>,
) -> Vec<Algorithm> {
    let local = match keys {
        Some(KeyOrigin::Local(local)) => local.as_slice(),
        Some(KeyOrigin::Discovery(_) | KeyOrigin::JwksUri(..) | KeyOrigin::Development) | None => {
            &[]
        }
    };
    let of_keys = local.iter().map(|key| key.algorithm);
    let Some(written) = written else {
        let mut default = Algorithm::ASYMMETRIC.to_vec();
        let symmetric = Algorithm::SYMMETRIC.into_iter();
        default.extend(symmetric.filter(|one| of_keys.clone().any(|other| other == *one)));
        return default;
    };
    let mut missing: Vec<Algorithm> = of_keys.filter(|one| !written.contains(one)).collect();
    missing.sort_unstable();
    missing.dedup();
    if let Some(place) = map.place_of("algorithms") {
        for algorithm in missing {
            let message = format!(
                "`{}` is not among `algorithms`, and one of `keys` is for it",
                algorithm.name()
            );
            faults.error(place, message);
        }
    }
    written
}

fn read_token_types(map: &mut Mapping<'_>, rfc9068: bool, faults: &mut Faults<'_>) -> Vec<String> {
    let Some(node) = map.optional("token_types") else {
        let default: &[&str] = if rfc9068 {
            &[PROFILE_TOKEN_TYPE]
        } else {
            &DEFAULT_TOKEN_TYPES
        };
        return default.iter().map(|one| (*one).to_owned()).collect();
    };
    let types = canonical_types(node, faults);
    if rfc9068 && types.iter().any(|one| one != PROFILE_TOKEN_TYPE) {
        let message = format!("`rfc9068` knows the token type `{PROFILE_TOKEN_TYPE}` only");
        faults.error_help(&node.place, message, "leave `token_types` out");
    }
    types
}

/// Media types without `application/`, lower case (RFC 7515, section 4.1.9).
fn canonical_types(node: &Node, faults: &mut Faults<'_>) -> Vec<String> {
    let types = scalar::texts(node, faults).unwrap_or_default();
    if types.is_empty() {
        faults.error(&node.place, "at least one token type is needed");
    }
    let mut short: Vec<String> = Vec::new();
    for written in types {
        let lower = written.to_ascii_lowercase();
        let name = lower.strip_prefix("application/").unwrap_or(&lower);
        if !short.iter().any(|other| other == name) {
            short.push(name.to_owned());
        }
    }
    short
}

impl KeyOrigin {
    /// How the keys are reached, where they come over the network.
    pub(super) fn remote(&self) -> Option<&Remote> {
        match self {
            Self::Discovery(remote) | Self::JwksUri(_, remote) => Some(remote),
            Self::Local(_) | Self::Development => None,
        }
    }
}
