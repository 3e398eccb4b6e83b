//! How callers are recognised.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use crate::config::api_key;
use crate::config::api_key::ApiKeyRules;
use crate::config::introspection;
use crate::config::introspection::IntrospectionRules;
use crate::config::jwt;
use crate::config::mtls;
use crate::config::mtls::MtlsRules;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::Place;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::static_token;
use crate::config::static_token::StaticTokenRules;
use crate::config::suggest;
use crate::config::token_rules::TokenRules;
use crate::config::yaml::Node;

/// One way of recognising callers.
#[derive(Clone, Debug)]
pub struct Authenticator {
    /// Its name in the file, in logs and in metrics.
    pub name: Arc<str>,
    /// How it works.
    pub kind: AuthenticatorKind,
}

/// The ways of recognising callers.
#[derive(Clone, Debug)]
pub enum AuthenticatorKind {
    /// A JWT (RFC 7519) of one issuer; `type: oidc` and `type: jwt`.
    Jwt(Box<JwtRules>),
    /// A token that its issuer is asked about (RFC 7662).
    Introspection(Box<IntrospectionRules>),
    /// A key in a header of its own.
    ApiKey(Box<ApiKeyRules>),
    /// One bearer token that the operator wrote down.
    StaticToken(Box<StaticTokenRules>),
    /// A client certificate that the proxy verified.
    Mtls(MtlsRules),
    /// No credential at all.
    Anonymous,
}

impl AuthenticatorKind {
    /// Its `type` in the file; `jwt` for both types that verify signatures, unless the keys are
    /// discovered.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Jwt(rules) if matches!(rules.keys, KeyOrigin::Discovery(_)) => "oidc",
            Self::Jwt(_) => "jwt",
            Self::Introspection(_) => "introspection",
            Self::ApiKey(_) => "api_key",
            Self::StaticToken(_) => "static_token",
            Self::Mtls(_) => "mtls",
            Self::Anonymous => "anonymous",
        }
    }

    /// The rules of signed tokens.
    pub fn jwt(&self) -> Option<&JwtRules> {
        match self {
            Self::Jwt(rules) => Some(rules),
            Self::Introspection(_)
            | Self::ApiKey(_)
            | Self::StaticToken(_)
            | Self::Mtls(_)
            | Self::Anonymous => None,
        }
    }

    /// The rules of introspected tokens.
    pub fn introspection(&self) -> Option<&IntrospectionRules> {
        match self {
            Self::Introspection(rules) => Some(rules),
            Self::Jwt(_)
            | Self::ApiKey(_)
            | Self::StaticToken(_)
            | Self::Mtls(_)
            | Self::Anonymous => None,
        }
    }

    /// The rules of keys in a header.
    pub fn api_key(&self) -> Option<&ApiKeyRules> {
        match self {
            Self::ApiKey(rules) => Some(rules),
            Self::Jwt(_)
            | Self::Introspection(_)
            | Self::StaticToken(_)
            | Self::Mtls(_)
            | Self::Anonymous => None,
        }
    }

    /// What holds for the tokens of an issuer, however they are verified.
    pub fn tokens(&self) -> Option<&TokenRules> {
        let signed = self.jwt().map(|rules| &rules.tokens);
        signed.or_else(|| self.introspection().map(|rules| &rules.tokens))
    }
}

/// What a JWT must satisfy, and where the keys are.
#[derive(Clone, Debug)]
pub struct JwtRules {
    /// What holds for every token of the issuer.
    pub tokens: TokenRules,
    /// Where the keys come from.
    pub keys: KeyOrigin,
    /// Accepted algorithms (RFC 7518, section 3.1).
    pub algorithms: Vec<Algorithm>,
    /// Accepted `typ` values, lower case, without `application/`.
    pub token_types: Vec<String>,
    /// `rfc9068`: the profile of RFC 9068 is demanded whole: `typ` and every required claim.
    pub rfc9068: bool,
    /// `insecure_skip_issuer`: accept any `iss` that no other authenticator speaks for.
    pub insecure_skip_issuer: bool,
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug)]
pub enum KeyOrigin {
    /// RFC 8414 or `OpenID` Connect discovery at the issuer.
    Discovery(Remote),
    /// A JWK set at a fixed URL.
    JwksUri(Url, Remote),
    /// Keys in the configuration.
    Local(Vec<LocalKey>),
    /// The key that signs development tokens, made anew at every start.
    Development,
}

/// How a remote issuer is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Extra certificate authorities, PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// `insecure_allow_http`: plain http is accepted.
    pub insecure_allow_http: bool,
}

/// A key that the operator wrote down.
#[derive(Clone, Debug)]
pub struct LocalKey {
    /// The key itself.
    pub material: LocalMaterial,
    /// The one algorithm that it verifies.
    pub algorithm: Algorithm,
    /// The `kid` that tokens name it by; absent: tokens need none.
    pub kid: Option<String>,
}

/// What a [`LocalKey`] is made of.
#[derive(Clone, Debug)]
pub enum LocalMaterial {
    /// `SubjectPublicKeyInfo` or a certificate, PEM.
    Pem(Vec<u8>),
    /// A shared secret for HS256 to HS512, at least as long as the hash (RFC 7518, section 3.2).
    Secret(SecretString),
}

/// Signature algorithms (RFC 7518, section 3.1; RFC 8037, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512
    Rs512,
    /// RSASSA-PSS with SHA-256
    Ps256,
    /// RSASSA-PSS with SHA-384
    Ps384,
    /// RSASSA-PSS with SHA-512
    Ps512,
    /// ECDSA on P-256 with SHA-256
    Es256,
    /// ECDSA on P-384 with SHA-384
    Es384,
    /// Ed25519
    EdDsa,
    /// HMAC with SHA-256; only with a secret from the configuration
    Hs256,
    /// HMAC with SHA-384; only with a secret from the configuration
    Hs384,
    /// HMAC with SHA-512; only with a secret from the configuration
    Hs512,
}

impl Authenticator {
    /// Whether the ids of its callers begin with `issuer`: the one who speaks for them, or the name
    /// that stands in for him.
    pub fn vouches_as(&self, issuer: &str) -> bool {
        match &self.kind {
            AuthenticatorKind::Jwt(rules) => rules.tokens.issuer == issuer,
            AuthenticatorKind::Introspection(rules) => rules.tokens.issuer == issuer,
            AuthenticatorKind::StaticToken(_) => *self.name == *issuer,
            AuthenticatorKind::Mtls(rules) => issuer
                .strip_prefix("spiffe://")
                .is_some_and(|domain| rules.trust_domains.iter().any(|one| one == domain)),
            AuthenticatorKind::ApiKey(_) | AuthenticatorKind::Anonymous => false,
        }
    }
}

impl Algorithm {
    /// The asymmetric ones, in the order of the contract: the only ones for keys that are published.
    pub const ASYMMETRIC: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The symmetric ones.
    pub const SYMMETRIC: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    /// The `alg` value (RFC 7518, section 3.1).
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// Whether whoever can verify can also sign.
    pub fn is_symmetric(self) -> bool {
        Self::SYMMETRIC.contains(&self)
    }
}

/// What the file says of one authenticator, complete or not: its name is known to the resources
/// even when the rest is wrong.
pub(super) struct Declared {
    pub(super) name: Arc<str>,
    /// Whether it is `type: anonymous`.
    pub(super) anonymous: bool,
    /// Whether somebody else issues the tokens that it accepts.
    pub(super) has_issuer: bool,
    /// Absent: it was reported as faulty.
    pub(super) kind: Option<AuthenticatorKind>,
    /// Where that stands which tells it from others of its type, or else its name: the issuer, the
    /// header, the trust domains.
    pub(super) place: Place,
}

const TYPES: [&str; 7] = [
    "oidc",
    "jwt",
    "introspection",
    "api_key",
    "static_token",
    "mtls",
    "anonymous",
];

/// Relative paths start at `base`.
pub(super) fn read_all(node: &Node, base: &Path, faults: &mut Faults<'_>) -> Vec<Declared> {
    let Some(items) = scalar::list(node, faults) else {
        return Vec::new();
    };
    if items.is_empty() {
        faults.error(&node.place, "at least one authenticator is needed");
    }
    let mut declared: Vec<Declared> = Vec::new();
    for item in items {
        let Some(one) = read(item, base, faults) else {
            continue;
        };
        if declared.iter().any(|other| other.name == one.0.name) {
            faults.second("authenticator", &one.0.name, &one.1);
        } else {
            declared.push(one.0);
        }
    }
    declared
}

/// The authenticator, and where its name stands.
fn read(node: &Node, base: &Path, faults: &mut Faults<'_>) -> Option<(Declared, Place)> {
    let mut map = Mapping::of(node, faults)?;
    let name_node = map.required("name", faults);
    let name = name_node.and_then(|node| scalar::name(node, faults));
    let type_node = map.required("type", faults);
    let kind = type_node.and_then(|node| scalar::text(node, faults));
    let place = name_node.map_or(map.place(), |node| &node.place).clone();
    let mut declared = Declared {
        name: name.unwrap_or_default().into(),
        anonymous: kind == Some("anonymous"),
        has_issuer: matches!(kind, Some("oidc" | "jwt" | "introspection")),
        kind: None,
        place: place.clone(),
    };
    match kind {
        Some("oidc") => jwt::read(map, jwt::Type::Oidc, base, &mut declared, faults),
        Some("jwt") => jwt::read(map, jwt::Type::Jwt, base, &mut declared, faults),
        Some("introspection") => introspection::read(map, base, &mut declared, faults),
        Some("api_key") => api_key::read(map, &mut declared, faults),
        Some("static_token") => static_token::read(map, &mut declared, faults),
        Some("mtls") => mtls::read(map, &mut declared, faults),
        Some("anonymous") => {
            declared.kind = Some(AuthenticatorKind::Anonymous);
            map.finish(faults);
        }
        Some(other) => {
            if let Some(node) = type_node {
                unknown_type(node, other, faults);
            }
        }
        None => {}
    }
    name.map(|_| (declared, place))
}

fn unknown_type(node: &Node, text: &str, faults: &mut Faults<'_>) {
    let help = if let Some(near) = suggest::nearest(text, &TYPES) {
        format!("did you mean `{near}`?")
    } else {
        format!("one of: {}", TYPES.join(", "))
    };
    let message = format!("{} is not a type of authenticator", shown(node, text));
    faults.error_help(&node.place, message, help);
}
