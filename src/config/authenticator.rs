//! How callers are recognised.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::config::claims::Assertions;
use crate::config::claims::ClaimPaths;
use crate::config::jwt;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::Place;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::suggest;
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
    /// No credential at all.
    Anonymous,
}

/// What a JWT must satisfy, and where the keys are.
#[derive(Clone, Debug)]
pub struct JwtRules {
    /// The exact `iss`.
    pub issuer: String,
    /// Where the keys come from.
    pub keys: KeyOrigin,
    /// Accepted audiences; empty: those of the resource asked for.
    pub audiences: Vec<String>,
    /// Accepted algorithms (RFC 7518, section 3.1).
    pub algorithms: Vec<Algorithm>,
    /// Accepted `typ` values, lower case, without `application/`.
    pub token_types: Vec<String>,
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
    /// `insecure_skip_audience`: accept any audience.
    pub insecure_skip_audience: bool,
    /// `insecure_skip_expiry`: accept tokens without `exp` and expired ones.
    pub insecure_skip_expiry: bool,
    /// `insecure_skip_issued_at`: accept an `iat` in the future.
    pub insecure_skip_issued_at: bool,
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug)]
pub enum KeyOrigin {
    /// RFC 8414 or `OpenID` Connect discovery at the issuer.
    Discovery(Remote),
    /// A JWK set at a fixed URL.
    JwksUri(Url, Remote),
    /// Public keys in the configuration.
    Local(Vec<LocalKey>),
}

/// How a remote issuer is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Extra certificate authorities, PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// `insecure_allow_http`: plain http is accepted.
    pub insecure_allow_http: bool,
}

/// A public key that the operator wrote down.
#[derive(Clone, Debug)]
pub struct LocalKey {
    /// `SubjectPublicKeyInfo` or a certificate, PEM.
    pub pem: Vec<u8>,
    /// The one algorithm that it verifies.
    pub algorithm: Algorithm,
    /// The `kid` that tokens name it by; absent: tokens need none.
    pub kid: Option<String>,
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
}

impl Algorithm {
    /// All of them, in the order of the contract.
    pub const ALL: [Self; 9] = [
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
        }
    }
}

/// What the file says of one authenticator, complete or not: its name is known to the resources
/// even when the rest is wrong.
pub(super) struct Declared {
    pub(super) name: Arc<str>,
    /// Whether it is `type: anonymous`.
    pub(super) anonymous: bool,
    /// Absent: it was reported as faulty.
    pub(super) kind: Option<AuthenticatorKind>,
    /// Where its issuer stands, or its name when it has none.
    pub(super) place: Place,
}

const TYPES: [&str; 3] = ["oidc", "jwt", "anonymous"];

/// Types that a later version will know.
const LATER_TYPES: [&str; 4] = ["introspection", "api_key", "static_token", "mtls"];

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
        kind: None,
        place: place.clone(),
    };
    match kind {
        Some("oidc") => jwt::read(map, jwt::Type::Oidc, base, &mut declared, faults),
        Some("jwt") => jwt::read(map, jwt::Type::Jwt, base, &mut declared, faults),
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
    let help = if LATER_TYPES.contains(&text) && !node.place.is_hidden() {
        format!("`{text}` is not supported by this version")
    } else if let Some(near) = suggest::nearest(text, &TYPES) {
        format!("did you mean `{near}`?")
    } else {
        format!("one of: {}", TYPES.join(", "))
    };
    let message = format!("{} is not a type of authenticator", shown(node, text));
    faults.error_help(&node.place, message, help);
}
