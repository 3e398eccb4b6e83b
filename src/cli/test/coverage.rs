//! What the tests do not show: policies that never decided, actions and tools that nobody asked for.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::Resource;
use crate::config::ResourceKind;
use crate::policy::PolicySnapshot;
use crate::request::Action;
use crate::request::Operation;
use crate::request::Thing;

/// What has been asked for, and what decided.
#[derive(Clone, Debug)]
pub(super) struct Coverage {
    /// The policies in force, and whether each decided any test.
    policies: BTreeMap<Arc<str>, bool>,
    /// The actions that the configured resources know.
    actions: BTreeSet<Action>,
    /// The tools of the catalogue, `<server>/<name>`.
    tools: BTreeSet<String>,
}

impl Coverage {
    /// Nothing has been asked yet.
    pub(super) fn of(policies: &PolicySnapshot, resources: &[Arc<Resource>]) -> Self {
        let any = |mcp: bool| {
            let is =
                |resource: &Arc<Resource>| matches!(resource.kind, ResourceKind::Mcp(_)) == mcp;
            resources.iter().any(is)
        };
        let (mcp, http) = (any(true), any(false));
        let known = |action: &Action| if action.is_http() { http } else { mcp };
        let enforced = policies.policies().filter(|policy| policy.enforced);
        Self {
            policies: enforced
                .map(|policy| (Arc::clone(&policy.id), false))
                .collect(),
            actions: Action::ALL.into_iter().filter(known).collect(),
            tools: policies
                .tools()
                .map(|(server, tool)| format!("{server}/{tool}"))
                .collect(),
        }
    }

    /// Notes one decision.
    pub(super) fn saw(&mut self, operation: &Operation, determining: &[Arc<str>]) {
        for id in determining {
            if let Some(decided) = self.policies.get_mut(id) {
                *decided = true;
            }
        }
        self.actions.remove(&operation.action);
        if let (Action::ToolsCall, Thing::Tool(name)) = (operation.action, &operation.target.thing)
        {
            self.tools
                .remove(&format!("{}/{name}", operation.target.server));
        }
    }

    /// Policies in force.
    pub(super) fn policies(&self) -> usize {
        self.policies.len()
    }

    /// Policies that decided no test, sorted.
    pub(super) fn undecisive(&self) -> impl Iterator<Item = &str> {
        let idle = self.policies.iter().filter(|(_, decided)| !**decided);
        idle.map(|(id, _)| &**id)
    }

    /// Actions that no test asked for.
    pub(super) fn actions(&self) -> impl Iterator<Item = &'static str> {
        self.actions.iter().map(|action| action.as_str())
    }

    /// Tools of the catalogue that no test called, sorted.
    pub(super) fn tools(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(String::as_str)
    }

    /// Policies that decided some test, in percent, rounded down; 100 when there are none.
    pub(super) fn percent(&self) -> u8 {
        let decided = self.policies.values().filter(|decided| **decided).count();
        let percent = decided.saturating_mul(100).checked_div(self.policies.len());
        percent.map_or(100, |percent| u8::try_from(percent).unwrap_or(100))
    }
}
