//! A request described by flags.

use std::net::IpAddr;

use crate::json;
use crate::request::case::Case;
use crate::request::case::CaseFault;
use crate::request::case::Written;
use crate::request::case::WrittenContext;
use crate::request::case::WrittenPrincipal;

/// The caller, the target and the circumstances.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "described", multiple = true)]
pub(super) struct Flags {
    /// `User`, `Client`, `ApiKey` or `Anonymous` [default: User]
    #[arg(long, value_name = "TYPE", help_heading = "Caller")]
    principal_type: Option<String>,
    /// The issuer that vouches for the caller
    #[arg(long, value_name = "URL", help_heading = "Caller")]
    issuer: Option<String>,
    /// The subject
    #[arg(long, value_name = "SUB", help_heading = "Caller")]
    subject: Option<String>,
    /// The OAuth client that the caller acts through
    #[arg(long, value_name = "ID", help_heading = "Caller")]
    client_id: Option<String>,
    /// A role; may be repeated
    #[arg(long, value_name = "ROLE", help_heading = "Caller")]
    role: Vec<String>,
    /// A group; may be repeated
    #[arg(long, value_name = "GROUP", help_heading = "Caller")]
    group: Vec<String>,
    /// A scope; may be repeated
    #[arg(long, value_name = "SCOPE", help_heading = "Caller")]
    scope: Vec<String>,
    /// The tenant
    #[arg(long, value_name = "TENANT", help_heading = "Caller")]
    tenant: Option<String>,
    /// The verified e-mail address
    #[arg(long, value_name = "ADDRESS", help_heading = "Caller")]
    email: Option<String>,
    /// Another claim, as NAME=VALUE; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim, help_heading = "Caller")]
    claim: Vec<(String, String)>,
    /// The action, where the target's usual one is not meant
    #[arg(long, value_name = "ACTION", help_heading = "Target")]
    action: Option<String>,
    /// A tool, as RESOURCE/NAME
    #[arg(long, value_name = "RESOURCE/NAME", help_heading = "Target")]
    tool: Option<String>,
    /// An MCP resource, as RESOURCE/URI
    #[arg(long, value_name = "RESOURCE/URI", help_heading = "Target")]
    uri: Option<String>,
    /// A prompt, as RESOURCE/NAME
    #[arg(long, value_name = "RESOURCE/NAME", help_heading = "Target")]
    prompt: Option<String>,
    /// A server, as RESOURCE; needs an action
    #[arg(long, value_name = "RESOURCE", help_heading = "Target")]
    server: Option<String>,
    /// A task, as RESOURCE/ID
    #[arg(long, value_name = "RESOURCE/ID", help_heading = "Target")]
    task: Option<String>,
    /// An HTTP route, as RESOURCE/NAME
    #[arg(long, value_name = "RESOURCE/NAME", help_heading = "Target")]
    route: Option<String>,
    /// The arguments of the call, as a JSON object
    #[arg(long, value_name = "JSON", help_heading = "Circumstances")]
    arguments: Option<String>,
    /// The caller's address [default: 192.0.2.1]
    #[arg(long, value_name = "IP", help_heading = "Circumstances")]
    client_ip: Option<IpAddr>,
    /// The time (RFC 3339) [default: 2026-01-01T12:00:00Z]
    #[arg(long, value_name = "TIME", help_heading = "Circumstances")]
    now: Option<String>,
    /// The origin of the page that asks
    #[arg(long, value_name = "ORIGIN", help_heading = "Circumstances")]
    origin: Option<String>,
}

fn claim(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Flags {
    pub(super) fn case(self) -> Result<Case, CaseFault> {
        let arguments = self
            .arguments
            .map(|text| {
                // What a check refuses is refused here.
                json::parse(text.as_bytes(), json::DEEPEST).map_err(|_| CaseFault::Arguments)?;
                serde_json::from_str(&text).map_err(|_| CaseFault::Arguments)
            })
            .transpose()?;
        let mut principal = WrittenPrincipal {
            kind: self.principal_type,
            issuer: self.issuer.unwrap_or_default(),
            subject: self.subject.unwrap_or_default(),
            client_id: self.client_id.unwrap_or_default(),
            roles: self.role.into_iter().collect(),
            groups: self.group.into_iter().collect(),
            scopes: self.scope.into_iter().collect(),
            tenant: self.tenant.unwrap_or_default(),
            email: self.email.unwrap_or_default(),
            ..WrittenPrincipal::default()
        };
        for (name, value) in self.claim {
            principal.claims.entry(name).or_default().insert(value);
        }
        let context = WrittenContext {
            client_ip: self.client_ip,
            now: self.now,
            origin: self.origin.unwrap_or_default(),
        };
        Written {
            principal,
            action: self.action,
            tool: self.tool,
            uri: self.uri,
            prompt: self.prompt,
            server: self.server,
            task: self.task,
            route: self.route,
            arguments,
            context,
        }
        .case()
    }
}
