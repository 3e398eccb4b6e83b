//! The `WWW-Authenticate` line (RFC 6750, section 3; RFC 9449, section 7.1; RFC 9728, section 5.1).
//!
//! Clients read it crudely: some take the first word for the only scheme, look for parameters
//! anywhere, and undo no escapes. So there is one line, `Bearer` comes first in it, every value is
//! quoted and holds nothing that has to be escaped, and no text of ours looks like a parameter.

use std::sync::Arc;

use super::Denial;
use super::Reason;
use super::status;
use super::status::ChallengeForm;
use crate::config::Algorithm;
use crate::config::Authenticator;
use crate::config::AuthenticatorKind;
use crate::config::Resource;
use crate::identity::dpop::DpopError;

/// Longest line, in bytes: proxies give all headers of an answer 4 KiB or little more. The
/// description is left out to keep to it, and nothing else.
const MAX_LINE: usize = 2_048;
/// Longest `error_description`, in bytes.
const MAX_DESCRIPTION: usize = 256;
/// Longest list of scopes, in bytes. A longer one is left out: half of it would lead nowhere.
const MAX_SCOPES: usize = 1_024;
/// A scope that is never asked for here: it is between the client and the authorization server.
const NEVER_ASKED_FOR: &str = "offline_access";

/// What is asked of a client whose proof of possession, or the lack of one, was the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopChallenge {
    /// What was wrong.
    pub error: DpopError,
    /// The nonce that the next proof must carry (RFC 9449, section 9).
    pub nonce: Option<String>,
    /// Whether the token was sent as if it needed no proof.
    pub as_bearer: bool,
}

/// What one resource asks of its callers (RFC 9110, section 11.5), whatever they did wrong; built
/// once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtectionSpace {
    /// URL of the metadata.
    metadata: String,
    /// Whether there is an issuer who gives tokens and scopes.
    has_issuer: bool,
    /// Named where the needs of a stranger cannot be derived from the policies.
    scopes_supported: Vec<String>,
    /// Whether some issuer's tokens need a proof of possession.
    wants_proofs: bool,
    /// Challenges for what is accepted where there is no issuer, beside `Bearer`.
    others: Vec<String>,
}

impl ProtectionSpace {
    /// What `resource` asks for; `metadata` is the URL of its protected resource metadata.
    pub fn of(resource: &Resource, authenticators: &[Arc<Authenticator>], metadata: &str) -> Self {
        let accepted = resource.authenticators.iter();
        let accepted = accepted.filter_map(|index| authenticators.get(*index));
        let mut space = Self {
            metadata: metadata.to_owned(),
            scopes_supported: resource.metadata.scopes_supported.clone(),
            ..Self::default()
        };
        for one in accepted {
            if let Some(rules) = one.kind.tokens() {
                space.has_issuer = true;
                space.wants_proofs |= rules.dpop.required;
            }
            let realm = format!("realm=\"{}\"", resource.name);
            let challenge = match &one.kind {
                // Neither scheme is registered; both are what others send who have no better.
                AuthenticatorKind::ApiKey(rules) => {
                    format!("ApiKey {realm}, header=\"{}\"", rules.header)
                }
                AuthenticatorKind::Mtls(_) => format!("ClientCertificate {realm}"),
                AuthenticatorKind::Jwt(_)
                | AuthenticatorKind::Introspection(_)
                | AuthenticatorKind::StaticToken(_)
                | AuthenticatorKind::Anonymous => continue,
            };
            if !space.others.contains(&challenge) {
                space.others.push(challenge);
            }
        }
        if space.has_issuer {
            space.others.clear();
        }
        space
    }

    /// The line for `denial`, or none where one would mislead the client.
    ///
    /// It begins with `Bearer` and the metadata. `DPoP` follows where some tokens need a proof (RFC
    /// 9449, section 7.1); what else is accepted follows where there is no issuer, and then no scope
    /// is named, for nobody could give it. Where the proof itself was the fault there is `DPoP`
    /// alone: its reader speaks it and is told what to mend.
    pub fn challenge(&self, denial: &Denial) -> Option<String> {
        let challenges = self.challenges(denial);
        (!challenges.is_empty()).then(|| challenges.join(", "))
    }

    fn challenges(&self, denial: &Denial) -> Vec<String> {
        match status::row(denial.reason()).challenge {
            ChallengeForm::None => Vec::new(),
            ChallengeForm::CredentialFaultOnly if !denial.credential_fault => Vec::new(),
            ChallengeForm::CredentialFaultOnly => {
                let mut bearer = Line::new("Bearer");
                bearer.push("error", "invalid_request");
                bearer.push("resource_metadata", &self.metadata);
                vec![bearer.text()]
            }
            ChallengeForm::Invitation => self.invitation(denial),
            ChallengeForm::InvalidToken => self.invalid_token(denial),
            ChallengeForm::InsufficientScope => self.insufficient_scope(denial),
        }
    }

    fn invitation(&self, denial: &Denial) -> Vec<String> {
        let mut bearer = Line::new("Bearer");
        bearer.push("resource_metadata", &self.metadata);
        if self.has_issuer {
            let derived = scope(&denial.required_scopes);
            let scope = derived.or_else(|| scope(&self.scopes_supported));
            bearer.push_some("scope", scope.as_deref());
        }
        let mut challenges = vec![bearer.text()];
        challenges.extend(self.wants_proofs.then(proofs));
        challenges.extend(self.others.iter().cloned());
        challenges
    }

    fn invalid_token(&self, denial: &Denial) -> Vec<String> {
        let error = match &denial.dpop {
            Some(dpop) if !dpop.as_bearer => {
                let mut line = Line::new("DPoP");
                line.push("error", dpop.error.as_str());
                line.push("algs", &proof_algorithms().join(" "));
                line.push("resource_metadata", &self.metadata);
                return vec![line.describe(&denial.message)];
            }
            Some(dpop) => dpop.error.as_str(),
            None => "invalid_token",
        };
        let mut bearer = Line::new("Bearer");
        bearer.push("error", error);
        bearer.push("resource_metadata", &self.metadata);
        let mut challenges = vec![bearer.describe(&denial.message)];
        challenges.extend((self.wants_proofs || denial.dpop.is_some()).then(proofs));
        challenges.extend(self.others.iter().cloned());
        challenges
    }

    fn insufficient_scope(&self, denial: &Denial) -> Vec<String> {
        let Some(scope) = scope(&denial.required_scopes) else {
            return Vec::new();
        };
        let mut bearer = Line::new("Bearer");
        bearer.push("error", "insufficient_scope");
        bearer.push("scope", &scope);
        bearer.push("resource_metadata", &self.metadata);
        vec![bearer.text()]
    }
}

/// The value of `DPoP-Nonce` (RFC 9449, section 8.1), where the next proof must carry one.
pub fn nonce(denial: &Denial) -> Option<&str> {
    let challenge = denial.dpop.as_ref()?;
    let nonce = challenge.nonce.as_deref()?;
    let asked = denial.reason() == Reason::InvalidCredential;
    // The same characters as in a scope.
    (asked && is_scope_token(nonce)).then_some(nonce)
}

/// The algorithms that a proof may be signed with: asymmetric ones only (RFC 9449, section 4.3,
/// rule 5).
pub(super) fn proof_algorithms() -> [&'static str; 9] {
    Algorithm::ASYMMETRIC.map(Algorithm::name)
}

fn proofs() -> String {
    let mut line = Line::new("DPoP");
    line.push("algs", &proof_algorithms().join(" "));
    line.text()
}

/// One challenge: a scheme and its parameters, each `name="value"`.
struct Line {
    scheme: &'static str,
    parameters: Vec<String>,
}

impl Line {
    fn new(scheme: &'static str) -> Self {
        Self {
            scheme,
            parameters: Vec::new(),
        }
    }

    /// Adds a parameter, unless its value cannot stand in a quoted string as it is.
    fn push(&mut self, name: &str, value: &str) {
        if is_plain(value) {
            self.parameters.push(format!("{name}=\"{value}\""));
        }
    }

    fn push_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    /// With the text beside `error`, if it is one that nobody takes for parameters and there is room.
    fn describe(mut self, text: &str) -> String {
        let short = self.text();
        if text.len() > MAX_DESCRIPTION || text.contains('=') || !is_plain(text) {
            return short;
        }
        let after_error = self.parameters.len().min(1);
        let description = format!("error_description=\"{text}\"");
        self.parameters.insert(after_error, description);
        let long = self.text();
        if long.len() > MAX_LINE { short } else { long }
    }

    fn text(&self) -> String {
        if self.parameters.is_empty() {
            return self.scheme.to_owned();
        }
        format!("{} {}", self.scheme, self.parameters.join(", "))
    }
}

/// What stands between quotes without an escape (RFC 6750, section 3).
fn is_plain(value: &str) -> bool {
    let plain = |byte: u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
    !value.is_empty() && value.bytes().all(plain)
}

/// The value of `scope`; nothing if one of them is no scope token (RFC 6749, section 3.3) or the list
/// is too long, since the others alone would not be enough.
fn scope(scopes: &[String]) -> Option<String> {
    let asked = scopes.iter().filter(|scope| *scope != NEVER_ASKED_FOR);
    let tokens: Vec<&str> = asked.map(String::as_str).collect();
    let list = tokens.join(" ");
    let fits = tokens.iter().all(|token| is_scope_token(token)) && list.len() <= MAX_SCOPES;
    (fits && !list.is_empty()).then_some(list)
}

fn is_scope_token(scope: &str) -> bool {
    let allowed = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !scope.is_empty() && scope.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
