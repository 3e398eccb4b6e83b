//! Authenticators of type `oidc` and `jwt`: the rules for the tokens of one issuer.

use std::path::Path;
use std::time::Duration;

use url::Url;

use crate::config::authenticator::Algorithm;
use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::Declared;
use crate::config::authenticator::JwtRules;
use crate::config::authenticator::KeyOrigin;
use crate::config::authenticator::Remote;
use crate::config::claims;
use crate::config::danger;
use crate::config::keys;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::suggest;
use crate::config::token_rules::DpopRules;
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

/// RFC 7519, section 4.1.4 allows "a few minutes".
const LONGEST_LEEWAY: Duration = Duration::from_secs(300);

const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// RFC 9068, section 2.1, and what most issuers write.
pub(super) const DEFAULT_TOKEN_TYPES: [&str; 2] = ["at+jwt", "jwt"];

/// Reads the rest of an authenticator into `declared`.
pub(super) fn read(
    map: Mapping<'_>,
    kind: Type,
    base: &Path,
    declared: &mut Declared,
    faults: &mut Faults<'_>,
) {
    let mut map = map.later(&["insecure_skip_issuer", "revocations"]);
    let issuer = map.required("issuer", faults);
    if let Some(node) = issuer {
        declared.place = node.place.clone();
    }
    let algorithms = map.optional("algorithms");
    let algorithms = algorithms.map(|node| read_algorithms(node, faults));
    let keys = read_keys(&mut map, kind, algorithms.as_deref(), base, faults);
    let allow_http = keys.as_ref().is_some_and(Origin::allows_http);
    let issuer = issuer.and_then(|node| read_issuer(node, kind, allow_http, faults));
    let rules = read_rules(&mut map, faults);
    map.finish(faults);
    if let (Some(issuer), Some(Origin(keys))) = (issuer, keys) {
        declared.kind = Some(AuthenticatorKind::Jwt(Box::new(JwtRules {
            tokens: TokenRules {
                issuer,
                ..rules.tokens
            },
            keys,
            algorithms: algorithms.unwrap_or_else(|| Algorithm::ASYMMETRIC.to_vec()),
            ..rules
        })));
    }
}

/// Everything but the issuer, the keys and the algorithms, which are filled in by the caller.
fn read_rules(map: &mut Mapping<'_>, faults: &mut Faults<'_>) -> JwtRules {
    let texts = |node: Option<&Node>, faults: &mut Faults<'_>| {
        node.and_then(|node| scalar::texts(node, faults))
    };
    let audiences = texts(map.optional("audiences"), faults).unwrap_or_default();
    let token_types = map
        .optional("token_types")
        .map(|node| read_token_types(node, faults));
    let claims = map.optional("claims");
    let mut assertions = |map: &mut Mapping<'_>, key| {
        map.optional(key)
            .map(|node| claims::read_assertions(node, faults))
            .unwrap_or_default()
    };
    let roles = assertions(map, "roles");
    let groups = assertions(map, "groups");
    let scopes = assertions(map, "scopes");
    let leeway = map
        .optional("leeway")
        .and_then(|node| scalar::duration(node, Duration::ZERO..=LONGEST_LEEWAY, faults));
    let max_lifetime = map.optional("max_lifetime").and_then(|node| {
        let bounds = Duration::from_secs(1)..=*scalar::any_duration().end();
        scalar::duration(node, bounds, faults)
    });
    let tokens = TokenRules {
        issuer: String::new(),
        audiences,
        preset: None,
        claims: claims
            .map(|node| claims::read(node, faults))
            .unwrap_or_default(),
        roles,
        groups,
        scopes,
        leeway: leeway.unwrap_or(DEFAULT_LEEWAY),
        max_lifetime: max_lifetime.unwrap_or(DEFAULT_LIFETIME),
        insecure_skip_audience: read_danger(map, "insecure_skip_audience", faults),
        insecure_skip_expiry: read_danger(map, "insecure_skip_expiry", faults),
        dpop: DpopRules::default(),
        insecure_skip_issued_at: read_danger(map, "insecure_skip_issued_at", faults),
    };
    JwtRules {
        tokens,
        keys: KeyOrigin::Local(Vec::new()),
        algorithms: Vec::new(),
        token_types: token_types.unwrap_or_else(|| DEFAULT_TOKEN_TYPES.map(str::to_owned).to_vec()),
        rfc9068: false,
        insecure_skip_issuer: false,
    }
}

/// A switch that weakens a check: off unless written, and never without a warning.
fn read_danger(map: &mut Mapping<'_>, key: &'static str, faults: &mut Faults<'_>) -> bool {
    let Some(node) = map.optional(key) else {
        return false;
    };
    let on = scalar::switch(node, faults).unwrap_or(false);
    if on {
        let message = format!("`{key}` is on: {}", danger::meaning(key));
        faults.warning(&node.place, message, "for experiments only");
    }
    on
}

fn read_issuer(
    node: &Node,
    kind: Type,
    allow_http: bool,
    faults: &mut Faults<'_>,
) -> Option<String> {
    let text = scalar::filled(node, faults)?;
    if text.contains('#') || text.chars().any(char::is_whitespace) {
        let message = format!("{} cannot be an issuer", shown(node, text));
        faults.error_help(&node.place, message, "no blanks, and no `#`");
        return None;
    }
    if kind == Type::Oidc {
        let url = remote_url(node, allow_http, faults)?;
        if url.query().is_some() {
            // RFC 8414, section 2
            faults.error(&node.place, "an issuer has no query");
            return None;
        }
    }
    Some(text.to_owned())
}

/// A URL that keys are fetched from.
fn remote_url(node: &Node, allow_http: bool, faults: &mut Faults<'_>) -> Option<Url> {
    let text = scalar::filled(node, faults)?;
    let url = match Url::parse(text) {
        Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => url,
        Ok(_) | Err(_) => {
            let message = format!("{} is not an absolute URL", shown(node, text));
            faults.error_help(&node.place, message, "as in `https://auth.example.com`");
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        faults.hide_lines(node.place.span());
        faults.error(&node.place, "credentials in a URL");
        return None;
    }
    if url.fragment().is_some() {
        faults.error(&node.place, "a URL with a fragment");
        return None;
    }
    if url.scheme() == "http" && !allow_http {
        faults.error_help(
            &node.place,
            "keys would be fetched over plain http",
            "use https; for experiments only, `insecure_allow_http: true`",
        );
        return None;
    }
    Some(url)
}

/// A complete origin of keys.
struct Origin(KeyOrigin);

impl Origin {
    fn allows_http(&self) -> bool {
        match &self.0 {
            KeyOrigin::Discovery(remote) | KeyOrigin::JwksUri(_, remote) => {
                remote.insecure_allow_http
            }
            KeyOrigin::Local(_) | KeyOrigin::Development => false,
        }
    }
}

fn read_keys(
    map: &mut Mapping<'_>,
    kind: Type,
    algorithms: Option<&[Algorithm]>,
    base: &Path,
    faults: &mut Faults<'_>,
) -> Option<Origin> {
    let remote = Remote {
        ca_pem: map
            .optional("ca_file")
            .and_then(|node| keys::read_authorities(node, base, faults)),
        insecure_allow_http: read_danger(map, "insecure_allow_http", faults),
    };
    if kind == Type::Oidc {
        return Some(Origin(KeyOrigin::Discovery(remote)));
    }
    let uri = map.optional("jwks_uri");
    let local = map.optional("keys");
    match (uri, local) {
        (Some(uri), None) => {
            let url = remote_url(uri, remote.insecure_allow_http, faults)?;
            Some(Origin(KeyOrigin::JwksUri(url, remote)))
        }
        (None, Some(local)) => {
            for key in ["ca_file", "insecure_allow_http"] {
                if let Some(place) = map.place_of(key) {
                    let message = format!("`{key}` without `jwks_uri` has no effect");
                    faults.error(place, message);
                }
            }
            let allowed = algorithms.unwrap_or(&Algorithm::ASYMMETRIC);
            let keys = keys::read_local(local, allowed, base, faults)?;
            Some(Origin(KeyOrigin::Local(keys)))
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

fn read_algorithms(node: &Node, faults: &mut Faults<'_>) -> Vec<Algorithm> {
    let mut found = Vec::new();
    let Some(items) = scalar::list(node, faults) else {
        return found;
    };
    if items.is_empty() {
        faults.error(&node.place, "at least one algorithm is needed");
    }
    for item in items {
        let Some(algorithm) = read_algorithm(item, faults) else {
            continue;
        };
        if found.contains(&algorithm) {
            let message = format!("`{}` is listed twice", algorithm.name());
            faults.error(&item.place, message);
        } else {
            found.push(algorithm);
        }
    }
    found
}

/// An asymmetric algorithm by its `alg` name.
pub(super) fn read_algorithm(node: &Node, faults: &mut Faults<'_>) -> Option<Algorithm> {
    let text = scalar::filled(node, faults)?;
    if let Some(known) = Algorithm::ASYMMETRIC
        .iter()
        .find(|known| known.name() == text)
    {
        return Some(*known);
    }
    let names = Algorithm::ASYMMETRIC.map(Algorithm::name);
    if matches!(text, "HS256" | "HS384" | "HS512") {
        faults.error_help(
            &node.place,
            format!(
                "{} is symmetric: who can verify a token could also forge one",
                shown(node, text)
            ),
            format!("one of: {}", names.join(", ")),
        );
    } else if text.eq_ignore_ascii_case("none") {
        let message = format!("{} means tokens without a signature", shown(node, text));
        faults.error_help(
            &node.place,
            message,
            format!("one of: {}", names.join(", ")),
        );
    } else {
        let near = names.iter().find(|name| name.eq_ignore_ascii_case(text));
        let help = match near.copied().or_else(|| suggest::nearest(text, &names)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", names.join(", ")),
        };
        let message = format!("unknown algorithm {}", shown(node, text));
        faults.error_help(&node.place, message, help);
    }
    None
}

/// Media types without `application/`, lower case (RFC 7515, section 4.1.9).
fn read_token_types(node: &Node, faults: &mut Faults<'_>) -> Vec<String> {
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
