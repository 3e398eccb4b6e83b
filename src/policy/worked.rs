//! What a policy means by itself, whatever else there is: it is worked out once for each text.
//!
//! Nothing in here may depend on anything but the text of the policy and the built-in schema, for it is
//! kept for as long as that text is there.

use std::ops::Range;

use cedar_policy::Schema;
use cedar_policy::pst;

use super::gaps::Reading;
use super::guard;
use super::guard::Need;
use super::load::Loaded;
use super::reach;
use super::reads;
use super::reads::Reads;
use super::validate;
use crate::fault::Fault;
use crate::fault::Severity;

/// A policy, worked out.
#[derive(Debug)]
pub(super) struct Worked {
    pub(super) tree: pst::Policy,
    /// What a caller needs for it to hold.
    pub(super) needs: Option<Vec<Need>>,
    pub(super) reads: Reads,
    pub(super) reading: Reading,
    /// Whether it looks into an entity that no request brings.
    pub(super) strays: bool,
    findings: Vec<Finding>,
}

/// A fault that validation found, without the file.
#[derive(Debug)]
struct Finding {
    severity: Severity,
    /// In bytes from the start of the policy.
    span: Option<Range<usize>>,
    message: String,
    help: Option<String>,
}

impl Worked {
    /// Works some policies out, in their order; why not, for one that has no syntax tree.
    pub(super) fn of(policies: &[&Loaded], schema: &Schema) -> Vec<Result<Self, String>> {
        let mut faults = Vec::new();
        // All at once, because each validator begins with a copy of the schema.
        validate::policies(schema, policies, &mut faults);
        let of = |loaded: &&Loaded| {
            let own = faults.iter().filter(|fault| is_about(loaded, fault));
            let findings = own.map(|fault| Finding::of(loaded, fault)).collect();
            let tree = loaded.policy.to_pst().map_err(|error| error.to_string())?;
            let body = tree.body();
            Ok(Self {
                needs: guard::of_policy(body),
                reads: reads::of_policy(body),
                reading: Reading::of(body),
                strays: reach::strays(body),
                tree,
                findings,
            })
        };
        policies.iter().map(of).collect()
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
        Self {
            severity: fault.severity,
            span: fault.span.clone().map(|at| from(at.start)..from(at.end)),
            message: fault.message.clone(),
            help: fault.help.clone(),
        }
    }

    fn at(&self, loaded: &Loaded) -> Fault {
        let start = loaded.span.start;
        let to = |at: usize| at.saturating_add(start);
        let span = self.span.clone().map(|at| to(at.start)..to(at.end));
        let mut fault = Fault::error(&loaded.source, span, self.message.clone());
        fault.severity = self.severity;
        fault.help.clone_from(&self.help);
        fault
    }
}
