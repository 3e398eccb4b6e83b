//! What `token verify` found, in words and as JSON.

use std::fmt::Display;
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
    /// The last step that is known to be passed.
    passed: Option<Step>,
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
            passed: None,
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

    /// It has passed this step, and with it all before.
    pub(super) fn passed(&mut self, step: Step) {
        self.passed = Some(step);
    }

    /// It failed at this step, and so passed all before.
    pub(super) fn fail(&mut self, step: Step, fault: &impl Display) {
        self.fail_with(step, fault.to_string());
    }

    /// The same, with more to say.
    pub(super) fn fail_with(&mut self, step: Step, text: String) {
        let before = Step::ALL.into_iter().take_while(|one| *one < step);
        self.passed = before.last();
        self.end = End::Failed(Some(step), text);
    }

    /// It passed every check of the token itself, and is refused all the same.
    pub(super) fn refuse(&mut self, text: &str) {
        self.end = End::Failed(None, text.to_owned());
    }

    /// It is accepted, for this caller.
    pub(super) fn accept(&mut self, principal: &Arc<Principal>) {
        self.end = End::Accepted(Arc::clone(principal));
    }

    pub(super) fn is_accepted(&self) -> bool {
        matches!(self.end, End::Accepted(_))
    }

    fn steps(&self) -> impl Iterator<Item = Step> {
        let last = self.passed;
        Step::ALL
            .into_iter()
            .take_while(move |step| last.is_some_and(|last| *step <= last))
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
        for step in self.steps() {
            lines.push(format!("  passed  {}", step.describes()));
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
        let passed: Vec<&str> = self.steps().map(Step::describes).collect();
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
            "passed": passed,
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
