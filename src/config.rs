//! The configuration, validated and ready to use.
//!
//! [`load`] reads a file into these types and reports every fault in it, not only the first: the text
//! becomes a tree in which everything knows its place, variables are expanded in its values, flags
//! are put over it, and each section is read key by key.

mod algorithms;
mod api_key;
mod authenticator;
mod bundle;
mod claims;
mod danger;
mod describe;
mod dev_tokens;
mod emit;
mod expand;
mod files;
mod grants;
mod identity_headers;
mod introspection;
mod jwt;
mod keys;
mod listen;
mod mtls;
mod overrides;
mod policies;
mod reach;
mod reader;
mod redact;
mod remote;
mod resource;
mod scalar;
mod schema;
mod sessions;
mod settings;
mod static_token;
pub(crate) mod suggest;
mod token_rules;
mod written_secret;
mod yaml;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

pub use crate::config::api_key::ApiKey;
pub use crate::config::api_key::ApiKeyRules;
pub use crate::config::authenticator::Algorithm;
pub use crate::config::authenticator::Authenticator;
pub use crate::config::authenticator::AuthenticatorKind;
pub use crate::config::authenticator::JwtRules;
pub use crate::config::authenticator::KeyOrigin;
pub use crate::config::authenticator::LocalKey;
pub use crate::config::authenticator::LocalMaterial;
pub use crate::config::authenticator::Remote;
pub use crate::config::bundle::BundleKey;
pub use crate::config::bundle::BundlePlace;
pub use crate::config::bundle::BundleRules;
pub use crate::config::claims::Assertions;
pub use crate::config::claims::ClaimPath;
pub use crate::config::claims::ClaimPaths;
pub use crate::config::describe::describe;
pub use crate::config::dev_tokens::DEV_AUTHENTICATOR;
pub use crate::config::dev_tokens::DEV_ISSUER;
pub use crate::config::dev_tokens::DEV_TOKEN_TYPE;
pub use crate::config::dev_tokens::DevClient;
pub use crate::config::dev_tokens::DevTokens;
pub use crate::config::expand::Environment;
use crate::config::expand::Inputs;
pub use crate::config::expand::ProcessEnvironment;
pub use crate::config::grants::Grants;
pub use crate::config::identity_headers::IdentityField;
pub use crate::config::identity_headers::IdentityHeaders;
pub use crate::config::introspection::IntrospectionRules;
pub use crate::config::listen::Address;
pub use crate::config::listen::ClientIp;
pub use crate::config::listen::Listen;
pub use crate::config::mtls::MtlsRules;
pub use crate::config::overrides::Overrides;
pub use crate::config::policies::Policies;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
pub use crate::config::resource::Batches;
pub use crate::config::resource::McpRules;
pub use crate::config::resource::MessageFrom;
pub use crate::config::resource::Resource;
pub use crate::config::resource::ResourceKind;
pub use crate::config::resource::ResourceMetadata;
pub use crate::config::resource::Route;
pub use crate::config::resource::RouteSegment;
pub use crate::config::resource::SessionRule;
pub use crate::config::schema::json_schema;
pub use crate::config::sessions::RedisRules;
pub use crate::config::sessions::SessionStoreKind;
pub use crate::config::sessions::Sessions;
pub use crate::config::settings::DecisionLog;
pub use crate::config::settings::DecisionSink;
pub use crate::config::settings::Limits;
pub use crate::config::settings::Log;
pub use crate::config::settings::LogFormat;
pub use crate::config::static_token::StaticTokenRules;
pub use crate::config::token_rules::DpopRules;
pub use crate::config::token_rules::Preset;
pub use crate::config::token_rules::TokenRules;
use crate::config::yaml::Node;
use crate::fault::Fault;
use crate::fault::Severity;
use crate::fault::Source;

/// Largest configuration file, in bytes.
const LARGEST: u64 = 1 << 20;

/// Everything that one run needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen, and whom to trust there.
    pub listen: Listen,
    /// Where the caller's address is taken from.
    pub client_ip: ClientIp,
    /// How callers are recognised. Names are unique.
    pub authenticators: Vec<Arc<Authenticator>>,
    /// What is protected. Names are unique.
    pub resources: Vec<Arc<Resource>>,
    /// Where the policies live.
    pub policies: Policies,
    /// What the upstream is told about the caller.
    pub identity_headers: IdentityHeaders,
    /// Bounds on one request.
    pub limits: Limits,
    /// Where decisions are recorded.
    pub decision_log: DecisionLog,
    /// Who may read the admin listener's `/v1`.
    pub admin_token: Option<SecretString>,
    /// The program's own log.
    pub log: Log,
    /// Whether an anonymous caller is told the names of roles.
    pub explain_to_anonymous: bool,
    /// File of what has been revoked.
    pub revocations: Option<PathBuf>,
    /// How MCP sessions are bound.
    pub sessions: Sessions,
    /// Development tokens; their authenticator is the last of `authenticators`.
    pub dev_tokens: Option<DevTokens>,
}

impl Config {
    /// The headers that carry API keys, lower case, each once.
    pub fn key_headers(&self) -> Vec<String> {
        let mut headers: Vec<String> = Vec::new();
        for authenticator in &self.authenticators {
            if let Some(rules) = authenticator.kind.api_key()
                && !headers.contains(&rules.header)
            {
                headers.push(rules.header.clone());
            }
        }
        headers
    }

    /// The same for one resource.
    pub fn key_headers_of(&self, resource: &Resource) -> Vec<String> {
        let accepted = resource.authenticators.iter();
        let accepted = accepted.filter_map(|index| self.authenticators.get(*index));
        accepted
            .filter_map(|one| one.kind.api_key())
            .map(|rules| rules.header.clone())
            .collect()
    }
}

/// A configuration, and what is doubtful about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Ready to use.
    pub config: Config,
    /// Warnings, in the order of the file.
    pub warnings: Vec<Fault>,
}

/// A file that was looked at as a whole, valid or not.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The configuration, or every fault of the file and the overrides; warnings are among them.
    pub outcome: Result<Loaded, Vec<Fault>>,
    /// Where the policies are, also when the rest of the file is not usable; absent when what the
    /// file says about it is not.
    pub policies_dir: Option<PathBuf>,
}

/// Reads a file and what it refers to, with the environment of this process.
///
/// # Errors
///
/// Every fault in the file, in its order; warnings are among them.
pub fn load(path: &Path) -> Result<Loaded, Vec<Fault>> {
    load_with(path, &Overrides::default())
}

/// As [`load`], with values that win over those of the file.
///
/// # Errors
///
/// Every fault in the file and in the overrides; warnings are among them.
pub fn load_with(path: &Path, overrides: &Overrides) -> Result<Loaded, Vec<Fault>> {
    examine(path, overrides).outcome
}

/// As [`load_with`], for a reader who goes on when the file is not usable.
pub fn examine(path: &Path, overrides: &Overrides) -> Examined {
    let name: Arc<str> = path.display().to_string().into();
    let text = match files::text(path, LARGEST) {
        Ok(text) => text.into(),
        Err(error) => {
            let text = "".into();
            let source = Source { name, text };
            return Examined {
                outcome: Err(vec![Fault::error(&source, None, error.to_string())]),
                policies_dir: overrides.policies_dir.clone(),
            };
        }
    };
    let source = Source { name, text };
    let base = path.parent().unwrap_or(Path::new(""));
    examine_text(&source, base, &ProcessEnvironment, overrides)
}

/// Reads a text. Relative paths in it start at `base`.
///
/// # Errors
///
/// Every fault in the text, in its order; warnings are among them.
pub fn parse(
    source: &Source,
    base: &Path,
    environment: &dyn Environment,
) -> Result<Loaded, Vec<Fault>> {
    parse_with(source, base, environment, &Overrides::default())
}

/// As [`parse`], with values that win over those of the text.
///
/// # Errors
///
/// Every fault in the text and in the overrides; warnings are among them.
pub fn parse_with(
    source: &Source,
    base: &Path,
    environment: &dyn Environment,
    overrides: &Overrides,
) -> Result<Loaded, Vec<Fault>> {
    examine_text(source, base, environment, overrides).outcome
}

fn examine_text(
    source: &Source,
    base: &Path,
    environment: &dyn Environment,
    overrides: &Overrides,
) -> Examined {
    let mut faults = Faults::new(source);
    let read = yaml::tree(source, &mut faults).and_then(|mut root| {
        yaml::hide_secrets(&mut root, "", &mut faults);
        let inputs = Inputs { environment, base };
        expand::expand(&mut root, &inputs, &mut faults);
        overrides::apply(&mut root, overrides);
        read(&root, base, &mut faults)
    });
    let (config, policies_dir) = read.unzip();
    let policies_dir = overrides.policies_dir.clone().or(policies_dir.flatten());
    let mut found = faults.finish();
    let failed = found.iter().any(|fault| fault.severity == Severity::Error);
    let outcome = match config {
        Some(mut config) if !failed => {
            if let Some(dir) = &policies_dir {
                config.policies.dir.clone_from(dir);
            }
            found.extend(overrides::drop_bundle(&mut config, overrides, source));
            Ok(Loaded {
                config,
                warnings: found,
            })
        }
        Some(_) => Err(found),
        None => {
            if !failed {
                // An empty report would look like success.
                found.push(Fault::error(source, None, "the file cannot be used"));
            }
            Err(found)
        }
    };
    Examined {
        outcome,
        policies_dir,
    }
}

/// Reads every section, and says where the policies are, if that could be read. `None` only where the
/// file as a whole is not a mapping.
fn read(root: &Node, base: &Path, faults: &mut Faults<'_>) -> Option<(Config, Option<PathBuf>)> {
    let mut map = Mapping::of(root, faults)?;
    let listen = map
        .optional("listen")
        .map(|node| listen::read(node, faults))
        .unwrap_or_default();
    let client_ip = map
        .optional("client_ip")
        .map(|node| listen::read_client_ip(node, faults));
    let (authenticators, dev_tokens) = read_authenticators(&mut map, &listen, base, faults);
    let mut resources = map
        .required("resources", faults)
        .map(|node| resource::read_all(node, faults))
        .unwrap_or_default();
    reach::connect(&mut resources, &authenticators, faults);
    let (policies, dir_is_known) = policies::read(map.optional("policies"), base, faults);
    let policies_dir = dir_is_known.then(|| policies.dir.clone());
    let identity_headers = map
        .optional("identity_headers")
        .map(|node| identity_headers::read(node, faults))
        .unwrap_or_default();
    reach::refuse_identity_headers(&authenticators, &identity_headers.prefix, faults);
    let limits = map
        .optional("limits")
        .map(|node| settings::read_limits(node, faults));
    let decision_log = map
        .optional("decision_log")
        .map(|node| settings::read_decision_log(node, base, faults));
    let admin_token = map
        .optional("admin")
        .and_then(|node| settings::read_admin(node, faults));
    let log = map
        .optional("log")
        .map(|node| settings::read_log(node, faults));
    let explain_to_anonymous = map
        .optional("explain_to_anonymous")
        .and_then(|node| scalar::switch(node, faults));
    let revocations = map
        .optional("revocations")
        .and_then(|node| settings::read_revocations(node, base, faults));
    let config = Config {
        listen,
        client_ip: client_ip.unwrap_or(ClientIp::Peer),
        authenticators: authenticators.into_iter().filter_map(complete).collect(),
        resources: resources
            .into_iter()
            .map(|declared| Arc::new(declared.resource))
            .collect(),
        policies,
        identity_headers,
        limits: limits.unwrap_or_default(),
        decision_log: decision_log.unwrap_or_default(),
        admin_token,
        log: log.unwrap_or_default(),
        explain_to_anonymous: explain_to_anonymous.unwrap_or(false),
        revocations,
        sessions: sessions::read(map.optional("sessions"), base, faults),
        dev_tokens,
    };
    map.finish(faults);
    Some((config, policies_dir))
}

/// The authenticators of the file and, last, the one of the development tokens: one of the two there
/// must be.
fn read_authenticators(
    map: &mut Mapping<'_>,
    listen: &Listen,
    base: &Path,
    faults: &mut Faults<'_>,
) -> (Vec<authenticator::Declared>, Option<DevTokens>) {
    let dev_tokens = map.optional("dev_tokens");
    let written = match dev_tokens {
        Some(_) => map.optional("authenticators"),
        None => map.required("authenticators", faults),
    };
    let mut declared = written
        .map(|node| authenticator::read_all(node, base, faults))
        .unwrap_or_default();
    let Some(node) = dev_tokens else {
        return (declared, None);
    };
    let dev_tokens = dev_tokens::read(node, faults);
    let place = map.place_of("dev_tokens").unwrap_or(&node.place);
    let own = dev_tokens::declare(place, listen, &declared, faults);
    declared.push(own);
    (declared, dev_tokens)
}

/// An authenticator that was read without a fault. Indices of resources hold because a file with any
/// other is refused.
fn complete(declared: authenticator::Declared) -> Option<Arc<Authenticator>> {
    let authenticator::Declared { name, kind, .. } = declared;
    kind.map(|kind| Arc::new(Authenticator { name, kind }))
}

#[cfg(test)]
mod tests;
