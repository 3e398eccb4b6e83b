//! What a policy means by itself, whatever else there is: it is worked out once for each text.
//!
//! Nothing in here may depend on anything but the text of the policy and the built-in schema, for it is
//! kept for as long as that text is there.

use std::sync::Arc;

use cedar_policy::Schema;
use cedar_policy::pst;

use super::gaps::Reading;
use super::guard;
use super::guard::Clause;
use super::load::Loaded;
use super::reach;
use super::reads;
use super::reads::Reads;
use super::validate;
use crate::fault;
use crate::fault::Fault;
use crate::fault::Source;

/// A policy, worked out.
#[derive(Debug)]
pub(super) struct Worked {
    pub(super) tree: pst::Policy,
    /// What it asks of its caller.
    pub(super) clauses: Vec<Clause>,
    pub(super) reads: Reads,
    pub(super) reading: Reading,
    /// Whether it looks into an entity that no request brings.
    pub(super) strays: bool,
    findings: Vec<Finding>,
}

/// A fault that validation found, without the file; the span is in bytes from the start of the policy.
#[derive(Debug)]
struct Finding(Fault);

impl Worked {
    /// Works some policies out, in their order; why not, for one that has no syntax tree.
    pub(super) fn of(policies: &[&Loaded], schema: &Schema) -> Vec<Result<Self, String>> {
        let mut faults = Vec::new();
        // All at once, because each validator begins with a copy of the schema.
        validate::policies(schema, policies, &mut faults);
        let of = |loaded: &&Loaded| {
            let own = faults.iter().filter(|fault| is_about(loaded, fault));
            let findings = own.map(|fault| Finding::of(loaded, fault)).collect();
            Ok(Self {
                findings,
                ..Self::unvalidated(loaded)?
            })
        };
        policies.iter().map(of).collect()
    }

    /// Works a policy out as if validation had found nothing.
    pub(super) fn unvalidated(loaded: &Loaded) -> Result<Self, String> {
        let tree = loaded.policy.to_pst().map_err(|error| error.to_string())?;
        let body = tree.body();
        Ok(Self {
            clauses: guard::of_policy(body),
            reads: reads::of_policy(body),
            reading: Reading::of(body),
            strays: reach::strays(body),
            tree,
            findings: Vec::new(),
        })
    }

    /// What validation found, where the policy is now.
    pub(super) fn faults<'a>(&'a self, loaded: &'a Loaded) -> impl Iterator<Item = Fault> + 'a {
        self.findings.iter().map(|finding| finding.at(loaded))
    }
}

/// Every fault that validation finds is within the text of a policy.
fn is_about(loaded: &Loaded, fault: &Fault) -> bool {
    let start = fault.span.as_ref().map_or(0, |span| span.start);
    fault.file == loaded.source.name && loaded.span.contains(&start)
}

impl Finding {
    fn of(loaded: &Loaded, fault: &Fault) -> Self {
        let start = loaded.span.start;
        let from = |at: usize| at.saturating_sub(start);
        let mut fault = fault.clone();
        fault.span = fault.span.map(|at| from(at.start)..from(at.end));
        fault.file = "".into();
        fault.text = None;
        Self(fault)
    }

    fn at(&self, loaded: &Loaded) -> Fault {
        let Source { name, text } = &loaded.source;
        let start = loaded.span.start;
        let to = |at: usize| at.saturating_add(start);
        let mut fault = self.0.clone();
        fault.span = fault.span.map(|at| to(at.start)..to(at.end));
        let span = fault.span.as_ref();
        fault.position = span.map(|span| fault::position(text, span.start));
        fault.file = Arc::clone(name);
        fault.text = Some(Arc::clone(text));
        fault
    }
}
