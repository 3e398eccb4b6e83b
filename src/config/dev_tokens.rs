//! Development tokens: an issuer inside the sidecar, for a machine of one's own.

use std::ops::RangeInclusive;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use secrecy::SecretString;

use crate::config::authenticator::Algorithm;
use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::Declared;
use crate::config::authenticator::JwtRules;
use crate::config::authenticator::KeyOrigin;
use crate::config::grants;
use crate::config::grants::Grants;
use crate::config::introspection;
use crate::config::listen::Listen;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::Place;
use crate::config::scalar;
use crate::config::static_token;
use crate::config::token_rules::TokenRules;
use crate::config::yaml::Node;

/// The `iss` of development tokens.
pub const DEV_ISSUER: &str = "urn:cedargate:dev";

/// The `typ` of development tokens.
pub const DEV_TOKEN_TYPE: &str = "dev+jwt";

/// Name of the authenticator that accepts development tokens.
pub const DEV_AUTHENTICATOR: &str = "dev-tokens";

/// Who may fetch development tokens.
#[derive(Clone, Debug)]
pub struct DevTokens {
    /// How long a token is good for.
    pub lifetime: Duration,
    /// The clients; their ids are unique.
    pub clients: Vec<DevClient>,
}

/// A client that may fetch a token.
#[derive(Clone, Debug)]
pub struct DevClient {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// The subject of its tokens; absent: the client itself.
    pub subject: Option<String>,
    /// What its tokens say.
    pub grants: Grants,
}

/// How long a token may be good for.
const LIFETIMES: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);

const DEFAULT_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Fewer bytes are no secret at all.
const SHORTEST_SECRET: usize = 8;

/// The section; absent when it has a fault that leaves nothing to use.
pub(super) fn read(node: &Node, faults: &mut Faults<'_>) -> Option<DevTokens> {
    let mut map = Mapping::of(node, faults)?;
    let lifetime = map
        .optional("lifetime")
        .and_then(|node| scalar::duration(node, LIFETIMES, faults));
    let clients = map
        .required("clients", faults)
        .and_then(|node| read_clients(node, faults));
    map.finish(faults);
    clients.map(|clients| DevTokens {
        lifetime: lifetime.unwrap_or(DEFAULT_LIFETIME),
        clients,
    })
}

/// The authenticator that accepts what the section issues, and what must hold around it: these
/// tokens are as good as their clients' secrets, so that they must not mix with anybody else's.
pub(super) fn declare(
    place: &Place,
    listen: &Listen,
    others: &[Declared],
    faults: &mut Faults<'_>,
) -> Declared {
    for other in others {
        if other.has_issuer {
            let message = format!("`dev_tokens` beside another issuer, `{}`", other.name);
            faults.error_help(
                place,
                message,
                "they are for experiments: take one of them out",
            );
        } else if *other.name == *DEV_AUTHENTICATOR {
            let message =
                format!("an authenticator named `{DEV_AUTHENTICATOR}` beside `dev_tokens`");
            faults.error_help(
                &other.place,
                message,
                "it is the name of theirs: take another",
            );
        }
    }
    for (key, address) in listen.addresses() {
        if !address.is_local() {
            let message = format!("`dev_tokens` while others can reach `listen.{key}`");
            let help = "they are for experiments: let every listener be loopback or `unix:`";
            faults.error_help(place, message, help);
        }
    }
    Declared {
        name: DEV_AUTHENTICATOR.into(),
        anonymous: false,
        has_issuer: true,
        kind: Some(AuthenticatorKind::Jwt(Box::new(JwtRules {
            tokens: TokenRules::of(DEV_ISSUER.to_owned()),
            keys: KeyOrigin::Development,
            algorithms: vec![Algorithm::Es256],
            token_types: vec![DEV_TOKEN_TYPE.to_owned()],
            rfc9068: false,
            insecure_skip_issuer: false,
        }))),
        place: place.clone(),
    }
}

fn read_clients(node: &Node, faults: &mut Faults<'_>) -> Option<Vec<DevClient>> {
    let items = scalar::list(node, faults)?;
    if items.is_empty() {
        faults.error(&node.place, "at least one client is needed");
    }
    let mut clients: Vec<DevClient> = Vec::new();
    for item in items {
        let Some((client, place)) = read_client(item, faults) else {
            continue;
        };
        if clients
            .iter()
            .any(|other| other.client_id == client.client_id)
        {
            faults.second("client", &client.client_id, &place);
        } else {
            clients.push(client);
        }
    }
    Some(clients)
}

/// The client, and where its id stands.
fn read_client(node: &Node, faults: &mut Faults<'_>) -> Option<(DevClient, Place)> {
    let mut map = Mapping::of(node, faults)?;
    let id_node = map.required("client_id", faults);
    let client_id = id_node.and_then(|node| {
        introspection::read_client_id(node, faults)?;
        static_token::read_subject(node, faults)
    });
    let client_secret = map
        .required("client_secret", faults)
        .and_then(|node| read_secret(node, faults));
    let subject = map
        .optional("subject")
        .and_then(|node| static_token::read_subject(node, faults));
    let grants = grants::read(&mut map, faults);
    map.finish(faults);
    let client = DevClient {
        client_id: client_id?,
        client_secret: client_secret?,
        subject,
        grants,
    };
    Some((client, id_node?.place.clone()))
}

fn read_secret(node: &Node, faults: &mut Faults<'_>) -> Option<SecretString> {
    let secret = introspection::read_client_secret(node, faults)?;
    if secret.expose_secret().len() < SHORTEST_SECRET {
        let message = format!("a secret of less than {SHORTEST_SECRET} bytes");
        faults.error_help(&node.place, message, "make one with `openssl rand -hex 32`");
        return None;
    }
    Some(secret)
}
