//! What has come of the records so far: counts, and groups with a few examples each.

use std::collections::BTreeMap;

use crate::cli::replay::judge::Change;
use crate::cli::replay::judge::ChangeKind;
use crate::cli::replay::judge::Finding;
use crate::cli::replay::judge::Unclear;
use crate::telemetry::recorded::LineFault;
use crate::telemetry::recorded::Record;

/// Most groups that are kept apart: callers choose the names in them.
const MOST_GROUPS: usize = 10_000;

/// Most lines that are named as unreadable.
const MOST_BROKEN: usize = 20;

/// Counts and groups; those of several threads are added up.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) unchanged: u64,
    pub(super) changes: BTreeMap<ChangeKind, Groups<Change>>,
    pub(super) unclear: Groups<Unclear>,
    /// By reason.
    pub(super) not_by_policy: BTreeMap<String, u64>,
    pub(super) broken: u64,
    /// The first lines that could not be read, and why.
    pub(super) broken_lines: BTreeMap<u64, String>,
    /// Examples that a group keeps.
    examples: usize,
}

/// Things by what they have in common.
#[derive(Debug)]
pub(super) struct Groups<T> {
    pub(super) found: BTreeMap<T, Group>,
    /// Things of groups that there was no room for, where there are.
    pub(super) beyond: u64,
}

/// How many there are, and the first of them by line.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) count: u64,
    pub(super) examples: BTreeMap<u64, Example>,
}

/// A record to look up.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) timestamp: String,
    pub(super) decision_id: String,
}

impl Tally {
    /// Nothing yet; groups keep this many examples.
    pub(super) fn keeping(examples: usize) -> Self {
        Self {
            examples,
            ..Self::default()
        }
    }

    /// Counts one record.
    pub(super) fn add(&mut self, line: u64, record: &Record<'_>, finding: Finding) {
        let group = || {
            let example = Example {
                timestamp: record.timestamp.to_string(),
                decision_id: record.decision_id.to_string(),
            };
            Group {
                count: 1,
                examples: BTreeMap::from([(line, example)]),
            }
        };
        match finding {
            Finding::Unchanged => self.unchanged = self.unchanged.saturating_add(1),
            Finding::NotByPolicy => add(&mut self.not_by_policy, &record.reason, 1),
            Finding::Changed(change) => {
                let groups = self.changes.entry(change.kind).or_default();
                groups.add(change, group(), self.examples);
            }
            Finding::Unclear(unclear) => self.unclear.add(unclear, group(), self.examples),
        }
    }

    /// Counts a line that is no record.
    pub(super) fn broken(&mut self, line: u64, fault: &LineFault) {
        self.broken = self.broken.saturating_add(1);
        self.broken_lines.insert(line, fault.to_string());
        keep_first(&mut self.broken_lines, MOST_BROKEN);
    }

    /// Both together.
    pub(super) fn join(mut self, other: Self) -> Self {
        self.unchanged = self.unchanged.saturating_add(other.unchanged);
        for (kind, groups) in other.changes {
            let all = self.changes.entry(kind).or_default();
            all.join(groups, self.examples);
        }
        self.unclear.join(other.unclear, self.examples);
        for (reason, count) in other.not_by_policy {
            add(&mut self.not_by_policy, &reason, count);
        }
        self.broken = self.broken.saturating_add(other.broken);
        self.broken_lines.extend(other.broken_lines);
        keep_first(&mut self.broken_lines, MOST_BROKEN);
        self
    }

    /// Records with this kind of change.
    pub(super) fn changed(&self, kind: ChangeKind) -> u64 {
        self.changes.get(&kind).map_or(0, Groups::count)
    }

    /// Records that policies have no part in.
    pub(super) fn outside(&self) -> u64 {
        sum(self.not_by_policy.values().copied())
    }

    /// Everything that was read as a record.
    pub(super) fn records(&self) -> u64 {
        sum([
            self.unchanged,
            sum(self.changes.values().map(Groups::count)),
            self.unclear.count(),
            self.outside(),
        ])
    }
}

impl<T: Ord> Groups<T> {
    fn add(&mut self, key: T, group: Group, examples: usize) {
        if self.found.len() >= MOST_GROUPS && !self.found.contains_key(&key) {
            self.beyond = self.beyond.saturating_add(group.count);
            return;
        }
        let all = self.found.entry(key).or_default();
        all.count = all.count.saturating_add(group.count);
        all.examples.extend(group.examples);
        keep_first(&mut all.examples, examples);
    }

    fn join(&mut self, other: Self, examples: usize) {
        for (key, group) in other.found {
            self.add(key, group, examples);
        }
        self.beyond = self.beyond.saturating_add(other.beyond);
    }

    /// How many there are in all.
    pub(super) fn count(&self) -> u64 {
        sum(self.found.values().map(|group| group.count)).saturating_add(self.beyond)
    }
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Self {
            found: BTreeMap::new(),
            beyond: 0,
        }
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str, more: u64) {
    if let Some(count) = counts.get_mut(name) {
        *count = count.saturating_add(more);
    } else {
        counts.insert(name.to_owned(), more);
    }
}

fn keep_first<T>(by_line: &mut BTreeMap<u64, T>, most: usize) {
    while by_line.len() > most {
        by_line.pop_last();
    }
}

fn sum(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}
