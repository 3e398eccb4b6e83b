//! The configuration, validated and ready to use.
//!
//! [`load`](loader) reads a file into these types and reports every fault in it, not only the
//! first. What users write is documented on the types of the submodules, one a concern; the types
//! here are what the rest of the program runs on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

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
}

/// The listeners.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Envoy `ext_authz` and gRPC health.
    pub grpc: Address,
    /// Checks for other gateways.
    pub http: Address,
    /// Resource metadata and health for strangers.
    pub public: Option<Address>,
    /// Probes, metrics and status.
    pub admin: Address,
    /// Who may call `http`, and whose forwarded headers are believed.
    pub trusted_peers: Vec<IpNet>,
    /// What callers of `http` must send in `x-cedargate-secret`.
    pub shared_secret: Option<SecretString>,
    /// How long to serve on after readiness has been withdrawn.
    pub drain: Duration,
}

/// One place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host:port`, an IP address and a port.
    Tcp(SocketAddr),
    /// `unix:/path`
    Unix(PathBuf),
}

/// Where the caller's address is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIp {
    /// The peer that the proxy saw.
    Peer,
    /// The header that Envoy sets when `use_remote_address` is on.
    EnvoyExternalAddress,
    /// The right-most untrusted hop of `x-forwarded-for`.
    ForwardedFor,
}

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

/// Where facts are found in the claims: for each a list of paths, the first present wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPaths {
    /// Default `sub`.
    pub subject: Vec<ClaimPath>,
    /// Default `client_id`, `azp`.
    pub client_id: Vec<ClaimPath>,
    /// Default `roles`, `realm_access.roles`.
    pub roles: Vec<ClaimPath>,
    /// Default `groups`.
    pub groups: Vec<ClaimPath>,
    /// Default `scope`, `scp`.
    pub scopes: Vec<ClaimPath>,
    /// Default `tenant`, `tid`, `org_id`.
    pub tenant: Vec<ClaimPath>,
    /// Default `email`.
    pub email: Vec<ClaimPath>,
    /// Default `name`.
    pub name: Vec<ClaimPath>,
}

/// A place in a claims set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimPath {
    /// A name: a top-level claim of that exact name first, then the path split at dots.
    Name(String),
    /// An RFC 6901 pointer, as its unescaped reference tokens.
    Pointer(Vec<String>),
}

/// What an issuer may say of one kind of fact.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Assertions {
    /// The values that it may use; absent: any.
    pub allow: Option<Vec<String>>,
    /// What is put before each value.
    pub prefix: String,
}

/// Something that is protected.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name in the file; the id of the Cedar entity `Mcp::Server`.
    pub name: Arc<str>,
    /// The canonical URI (RFC 8707, section 2; RFC 9728, `resource`), exactly as written.
    pub url: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host of the URL, lower case, with the port unless it is the scheme's default.
    pub authority: String,
    /// Path of the URL, canonical; `/` when it has none.
    pub path: String,
    /// What it speaks.
    pub kind: ResourceKind,
    /// Accepted audiences; never empty.
    pub audiences: Vec<String>,
    /// Indices into [`Config::authenticators`] of the ones that it accepts.
    pub authenticators: Vec<usize>,
    /// The tenant that it belongs to.
    pub tenant: String,
    /// Labels for policies.
    pub labels: Vec<String>,
    /// Server groups that it is in.
    pub groups: Vec<String>,
    /// Scopes that imply others, broad to narrow.
    pub scope_hierarchy: Vec<(String, Vec<String>)>,
    /// What the protected resource metadata says beside the obvious (RFC 9728, section 2).
    pub metadata: ResourceMetadata,
}

/// What a resource speaks.
#[derive(Clone, Debug)]
pub enum ResourceKind {
    /// Model Context Protocol over streamable HTTP; the path matches exactly.
    Mcp(McpRules),
    /// Anything else; the path matches as a prefix of whole segments.
    Http {
        /// Names for paths, first match wins.
        routes: Vec<Route>,
    },
}

/// How strictly an MCP endpoint is read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct McpRules {
    /// Accepted `Origin` values; a request without one is always accepted.
    pub allowed_origins: Vec<String>,
    /// Accepted protocol revisions; empty: all that are known.
    pub versions: Vec<String>,
}

/// A name for the paths that match a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The id of the Cedar entity `Mcp::Route`.
    pub name: Arc<str>,
    /// The pattern, segment by segment.
    pub pattern: Vec<RouteSegment>,
}

/// One segment of a route's pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteSegment {
    /// Exactly this text.
    Literal(String),
    /// `{name}`: any one segment.
    One,
    /// `{*name}`, last only: one segment or more.
    Rest,
}

/// Optional members of the protected resource metadata (RFC 9728, section 2).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ResourceMetadata {
    /// `scopes_supported`
    pub scopes_supported: Vec<String>,
    /// `resource_name`
    pub resource_name: String,
    /// `resource_documentation`
    pub resource_documentation: String,
    /// `resource_policy_uri`
    pub resource_policy_uri: String,
    /// `resource_tos_uri`
    pub resource_tos_uri: String,
}

/// Where the policies live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// The directory.
    pub dir: PathBuf,
    /// How often it is looked at.
    pub reload_interval: Duration,
}

/// What the upstream is told about the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// What every header's name starts with, lower case, ending in `-`.
    pub prefix: String,
    /// The facts that are sent, each as `<prefix><field>`.
    pub send: Vec<IdentityField>,
}

/// A fact about the caller that an upstream may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityField {
    /// `subject`
    Subject,
    /// `client-id`
    ClientId,
    /// `roles`
    Roles,
    /// `groups`
    Groups,
    /// `scopes`
    Scopes,
    /// `issuer`
    Issuer,
    /// `tenant`
    Tenant,
    /// `email`
    Email,
    /// `name`
    Name,
}

/// Bounds on one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest accepted request body, in bytes.
    pub body: usize,
    /// Longest accepted token, in bytes.
    pub token: usize,
    /// Longest time that one check may take.
    pub deadline: Duration,
}

/// Where decisions are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionLog {
    /// The sink.
    pub to: DecisionSink,
    /// Names of the arguments whose values may be recorded.
    pub arguments: Vec<String>,
}

/// A sink for decision records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecisionSink {
    /// Standard output.
    Stdout,
    /// Appended to a file.
    File(PathBuf),
    /// Nowhere.
    None,
}

/// The program's own log, on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter in the syntax of `RUST_LOG`.
    pub level: String,
    /// One JSON object a line, or text for people.
    pub format: LogFormat,
}

/// The form of the program's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text for people.
    Text,
}
