//! What `token verify` found, in words and as JSON.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::identity::step::Step;

/// The way of one token through the checks.
pub(super) struct Report {
    resource: String,
    authenticator: Option<Arc<str>>,
    /// What it has passed, in the order of the checks.
    passed: Vec<&'static str>,
    notes: Vec<&'static str>,
    end: End,
}

enum End {
    Open,
    Failed(Option<Step>, String),
    Accepted(Arc<Principal>),
}

impl Report {
    pub(super) fn new(resource: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            authenticator: None,
            passed: Vec::new(),
            notes: Vec::new(),
            end: End::Open,
        }
    }

    /// The authenticator that answers for the token.
    pub(super) fn chose(&mut self, name: &Arc<str>) {
        self.authenticator = Some(Arc::clone(name));
    }

    /// Something that the reader should know.
    pub(super) fn note(&mut self, text: &'static str) {
        self.notes.push(text);
    }

    /// Something that it has passed and that is no step of a signed token.
    pub(super) fn passed(&mut self, what: &'static str) {
        self.passed.push(what);
    }

    /// It has passed every step of a signed token.
    pub(super) fn passed_all(&mut self) {
        self.passed = Step::ALL.map(Step::describes).to_vec();
    }

    /// It is a signed token and failed at this step, and so passed all before.
    pub(super) fn fail(&mut self, step: Step, text: String) {
        let before = Step::ALL.into_iter().take_while(|one| *one < step);
        self.passed = before.map(Step::describes).collect();
        self.end = End::Failed(Some(step), text);
    }

    /// It is refused for something that is no step of a signed token.
    pub(super) fn refuse(&mut self, text: String) {
        self.end = End::Failed(None, text);
    }

    /// It is accepted, for this caller.
    pub(super) fn accept(&mut self, principal: &Arc<Principal>) {
        self.end = End::Accepted(Arc::clone(principal));
    }

    pub(super) fn is_accepted(&self) -> bool {
        matches!(self.end, End::Accepted(_))
    }

    pub(super) fn in_words(&self) -> String {
        let mut lines = Vec::new();
        match &self.end {
            End::Accepted(_) => lines.push(format!("accepted by resource {}", self.resource)),
            End::Failed(..) | End::Open => {
                lines.push(format!("not accepted by resource {}", self.resource));
            }
        }
        if let Some(name) = &self.authenticator {
            lines.push(format!("  authenticator  {name}"));
        }
        for what in &self.passed {
            lines.push(format!("  passed  {what}"));
        }
        for note in &self.notes {
            lines.push(format!("  note    {note}"));
        }
        match &self.end {
            End::Failed(Some(step), text) => {
                lines.push(format!("  FAILED  {text}"));
                lines.push(format!("          wanted: {}", step.describes()));
            }
            End::Failed(None, text) => lines.push(format!("  FAILED  {text}")),
            End::Accepted(principal) => lines.extend(caller(principal)),
            End::Open => {}
        }
        lines.join("\n")
    }

    pub(super) fn as_json(&self) -> String {
        let (failed, principal) = match &self.end {
            End::Failed(_, text) => (Value::from(text.as_str()), Value::Null),
            End::Accepted(principal) => (
                Value::Null,
                json!({
                    "type": kind(principal.kind),
                    "id": principal.id,
                    "subject": principal.subject,
                    "client_id": principal.client_id,
                    "tenant": principal.tenant,
                    "roles": principal.roles,
                    "groups": principal.groups,
                    "scopes": principal.scopes,
                    "audience": principal.audience,
                    "claims": principal.claims,
                }),
            ),
            End::Open => (Value::Null, Value::Null),
        };
        json!({
            "accepted": self.is_accepted(),
            "resource": self.resource,
            "authenticator": self.authenticator,
            "passed": self.passed,
            "notes": self.notes,
            "failed": failed,
            "principal": principal,
        })
        .to_string()
    }
}

fn caller(principal: &Principal) -> Vec<String> {
    let mut lines = vec![format!(
        "  caller  Mcp::{}::{:?}",
        kind(principal.kind),
        principal.id
    )];
    let sets = [
        ("roles", &principal.roles),
        ("groups", &principal.groups),
        ("scopes", &principal.scopes),
    ];
    for (name, set) in sets {
        if !set.is_empty() {
            let items: Vec<&str> = set.iter().map(String::as_str).collect();
            lines.push(format!("  {name:<6}  {}", items.join(", ")));
        }
    }
    for (name, text) in [
        ("client", &principal.client_id),
        ("tenant", &principal.tenant),
    ] {
        if !text.is_empty() {
            lines.push(format!("  {name:<6}  {text}"));
        }
    }
    lines
}

fn kind(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::User => "User",
        PrincipalKind::Client => "Client",
        PrincipalKind::ApiKey => "ApiKey",
    }
}
