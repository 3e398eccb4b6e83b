//! An explanation for people: the decision, what decided it, what nearly did, and what would help.

use std::sync::Arc;

use crate::cli::output::Output;
use crate::cli::output::Paint;
use crate::cli::printable;
use crate::decision::Decision;
use crate::decision::inquiry::Answer;
use crate::decision::inquiry::Asked;
use crate::decision::inquiry::Outcome;
use crate::decision::inquiry::document;
use crate::policy::Evaluation;
use crate::policy::Explanation;
use crate::policy::Inquiry;
use crate::policy::PolicyInfo;
use crate::policy::PolicySnapshot;
use crate::policy::Requirement;
use crate::policy::inquiry::Finding;
use crate::policy::inquiry::Found;
use crate::policy::inquiry::Weighed;

/// The whole explanation.
pub(super) fn text(
    asked: Asked<'_>,
    answer: &Answer,
    policies: &PolicySnapshot,
    output: Output,
) -> String {
    let mut page = Page {
        lines: Vec::new(),
        output,
    };
    page.decision(asked, &answer.outcome, policies);
    for (_, inquiry) in &answer.operations {
        page.inquiry(inquiry);
    }
    page.lines.join("\n")
}

struct Page {
    lines: Vec<String>,
    output: Output,
}

impl Page {
    /// A line; what callers chose in it is made harmless.
    fn line(&mut self, depth: usize, text: &str) {
        let indent = "  ".repeat(depth);
        self.lines
            .push(format!("{indent}{}", printable::line(text)));
    }

    fn decision(&mut self, asked: Asked<'_>, outcome: &Outcome, policies: &PolicySnapshot) {
        let first = &asked.request.operations.first;
        let (paint, word, message) = match outcome {
            Outcome::Decided(Decision::Allow(_)) => (Paint::Good, "allow".to_owned(), None),
            Outcome::Decided(Decision::Deny(denial)) => {
                let word = format!("deny: {}", denial.reason().as_str());
                (Paint::Bad, word, Some(&*denial.message))
            }
            Outcome::Foreseen { .. } | Outcome::Unclear { .. } => {
                (Paint::Bad, outcome.word().to_owned(), None)
            }
        };
        self.lines.push(self.output.paint(paint, &word));
        if let Some(message) = message {
            self.line(1, message);
        }
        self.line(1, &format!("action  {}", first.action.as_str()));
        self.line(1, &format!("target  {}", first.target));
        let (determining, failures) = match outcome {
            Outcome::Decided(Decision::Allow(grant)) => (&*grant.policies, &*grant.failures),
            Outcome::Decided(Decision::Deny(denial)) => (&*denial.forbidden_by, &*denial.failures),
            Outcome::Foreseen { .. } | Outcome::Unclear { .. } => (&[][..], &[][..]),
        };
        for id in determining {
            self.line(1, &format!("policy  {id}{}", place(policies, id)));
        }
        for failure in failures {
            let (id, message) = (&failure.policy, &failure.message);
            let text = if id.is_empty() {
                format!("failed  {message}")
            } else {
                format!("failed  {id}{}: {message}", place(policies, id))
            };
            self.line(1, &text);
        }
    }

    fn inquiry(&mut self, inquiry: &Inquiry) {
        let is_allowed = inquiry.evaluation.as_ref().is_some_and(Evaluation::allows);
        // The head names them all; here stand those with something to say of them.
        let decided = inquiry.determining.iter();
        let decided: Vec<&Weighed> = decided.filter(|one| !one.findings.is_empty()).collect();
        self.section("decided by", &decided);
        let overruled: Vec<&Weighed> = inquiry.overruled.iter().collect();
        self.section("permits that hold, and are overruled", &overruled);
        let title = if is_allowed {
            "forbids that do not hold, the nearest first"
        } else {
            "permits that do not hold, the nearest first"
        };
        let near: Vec<&Weighed> = inquiry.near.iter().collect();
        self.section(title, &near);
        if inquiry.more > 0 {
            self.line(1, &format!("and {} more", inquiry.more));
        }
        self.help(inquiry);
        if !inquiry.log_only.is_empty() {
            self.title("log_only, and so without a part in this");
            for policy in &inquiry.log_only {
                self.policy(policy);
            }
        }
        if !inquiry.is_complete {
            self.title("there is more than could be told");
        }
    }

    fn title(&mut self, title: &str) {
        self.lines.push(String::new());
        self.lines.push(title.to_owned());
    }

    fn section(&mut self, title: &str, weighed: &[&Weighed]) {
        if weighed.is_empty() {
            return;
        }
        self.title(title);
        for one in weighed {
            self.policy(&one.policy);
            for finding in &one.findings {
                self.finding(finding, 2);
            }
        }
    }

    fn policy(&mut self, policy: &PolicyInfo) {
        let (effect, id) = (document::effect(policy), &policy.id);
        let id = self.output.paint(Paint::Name, id);
        let place = format!("({}:{})", policy.file, policy.line);
        let place = self.output.paint(Paint::Aside, &printable::line(&place));
        self.lines.push(format!("  {effect} {id} {place}"));
        if let Some(reason) = &policy.reason {
            self.line(2, &format!("\"{reason}\""));
        }
    }

    fn finding(&mut self, finding: &Finding, depth: usize) {
        let condition = &finding.condition;
        let text = match &finding.found {
            Found::True => format!("{condition} is true"),
            Found::False => format!("{condition} is false"),
            Found::Failed(message) => format!("{condition} fails: {message}"),
        };
        self.line(depth, &text);
        let deeper = depth.saturating_add(1);
        let widest = finding
            .values
            .iter()
            .map(|value| value.of.chars().count())
            .max();
        let widest = widest.unwrap_or_default();
        for value in &finding.values {
            self.line(deeper, &format!("{:<widest$}  {}", value.of, value.is));
        }
        for part in &finding.within {
            self.finding(part, deeper);
        }
    }

    fn help(&mut self, inquiry: &Inquiry) {
        let mut lines = about_caller(&inquiry.remedy);
        for turn in &inquiry.turns {
            lines.push(format!("{}: {}", turn.policy.id, turn.must.join(", and ")));
        }
        if lines.is_empty() {
            return;
        }
        self.title("what would help");
        for line in lines {
            self.line(1, &line);
        }
    }
}

/// What the caller could have instead, each a line.
fn about_caller(remedy: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    for (kind, names) in [
        ("role", &remedy.roles_any),
        ("group", &remedy.groups_any),
        ("scope", &remedy.scopes_any),
        ("client", &remedy.clients_any),
    ] {
        match names.as_slice() {
            [] => {}
            [name] => lines.push(format!("the {kind} {name}")),
            several => lines.push(format!("any of the {kind}s {}", several.join(", "))),
        }
    }
    for rule in &remedy.rules {
        let parts = rule.missing.iter().map(|part| match part {
            Requirement::Role(name) => format!("the role {name}"),
            Requirement::Group(name) => format!("the group {name}"),
            Requirement::Scope(name) => format!("the scope {name}"),
            Requirement::Client(name) => format!("the client {name}"),
        });
        let parts: Vec<String> = parts.collect();
        lines.push(parts.join(" and "));
    }
    if remedy.credential_suffices {
        lines.push("any credential of a user or a client".to_owned());
    }
    if remedy.nothing_helps {
        lines.push("of roles, groups, scopes and clients, none".to_owned());
    }
    lines
}

fn place(policies: &PolicySnapshot, id: &Arc<str>) -> String {
    policies
        .policies()
        .find(|policy| policy.id == *id)
        .map(|policy| format!(" ({}:{})", policy.file, policy.line))
        .unwrap_or_default()
}
