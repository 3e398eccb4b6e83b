//! What would change, for people and for programs: the worst first.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use crate::cli::printable;
use crate::cli::replay::judge::Change;
use crate::cli::replay::judge::ChangeKind;
use crate::cli::replay::judge::Unclear;
use crate::cli::replay::tally::Example;
use crate::cli::replay::tally::Group;
use crate::cli::replay::tally::Groups;
use crate::cli::replay::tally::Tally;

/// Most groups of a kind that people are shown.
const MOST_SHOWN: usize = 50;

/// The results as text for people; `verbose` adds those whose reason alone would change.
pub(super) fn text(tally: &Tally, verbose: bool) -> String {
    let mut lines = Vec::new();
    for (kind, title, shown) in [
        (ChangeKind::DenyToAllow, "deny -> allow", true),
        (ChangeKind::AllowToDeny, "allow -> deny", true),
        (
            ChangeKind::Reason,
            "the same decision for another reason",
            verbose,
        ),
    ] {
        if let Some(groups) = tally.changes.get(&kind).filter(|_| shown) {
            section(title, groups, changed, &mut lines);
        }
    }
    if tally.unclear.count() > 0 {
        section("cannot tell", &tally.unclear, unclear, &mut lines);
    }
    lines.push(sums(tally));
    if tally.outside() > 0 {
        let counts = tally.not_by_policy.iter();
        let counts: Vec<String> = counts.map(|(name, n)| format!("{name} {n}")).collect();
        lines.push(format!("not decided by policies: {}", counts.join(", ")));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

/// The results as a JSON object.
pub(super) fn json(tally: &Tally) -> String {
    let changes = |kind| {
        let groups = tally.changes.get(&kind);
        let groups = groups.into_iter().flat_map(|groups| &groups.found);
        let written = |(change, group): (&Change, &Group)| {
            json!({
                "count": group.count,
                "principal": change.principal,
                "action": change.action,
                "target": change.target,
                "was": {"reason": change.was, "policies": change.was_by},
                "now": {"reason": change.now, "policies": change.now_by},
                "examples": examples(&group.examples),
            })
        };
        groups.map(written).collect::<Vec<Value>>()
    };
    let unclear = |(unclear, group): (&Unclear, &Group)| {
        json!({
            "count": group.count,
            "why": unclear.why,
            "policies": unclear.policies,
            "action": unclear.action,
            "target": unclear.target,
            "examples": examples(&group.examples),
        })
    };
    let broken = |(line, why): (&u64, &String)| json!({"line": line, "why": why});
    let document = json!({
        "records": tally.records(),
        "counts": {
            "deny_to_allow": tally.changed(ChangeKind::DenyToAllow),
            "allow_to_deny": tally.changed(ChangeKind::AllowToDeny),
            "other_reason": tally.changed(ChangeKind::Reason),
            "unchanged": tally.unchanged,
            "cannot_tell": tally.unclear.count(),
            "not_by_policy": tally.outside(),
            "broken_lines": tally.broken,
        },
        "deny_to_allow": changes(ChangeKind::DenyToAllow),
        "allow_to_deny": changes(ChangeKind::AllowToDeny),
        "other_reason": changes(ChangeKind::Reason),
        "cannot_tell": tally.unclear.found.iter().map(unclear).collect::<Vec<_>>(),
        "not_by_policy": tally.not_by_policy,
        "broken_lines": tally.broken_lines.iter().map(broken).collect::<Vec<_>>(),
    });
    printable::lines(&format!("{document}\n"))
}

fn examples(all: &BTreeMap<u64, Example>) -> Vec<Value> {
    let written = |(line, example): (&u64, &Example)| {
        json!({
            "line": line,
            "timestamp": example.timestamp,
            "decision_id": example.decision_id,
        })
    };
    all.iter().map(written).collect()
}

/// The groups of a kind, the largest first.
fn section<T: Ord>(
    title: &str,
    groups: &Groups<T>,
    describe: fn(&T) -> [String; 2],
    lines: &mut Vec<String>,
) {
    lines.push(format!("{title}: {}", groups.count()));
    let mut sorted: Vec<(&T, &Group)> = groups.found.iter().collect();
    sorted.sort_by_key(|(_, group)| std::cmp::Reverse(group.count));
    for (thing, group) in sorted.iter().take(MOST_SHOWN) {
        let [what, why] = describe(thing);
        lines.push(format!(
            "{:>7}  {}",
            group.count,
            printable::cut(&what, 400)
        ));
        lines.push(format!("         {}", printable::cut(&why, 400)));
        for (line, example) in &group.examples {
            let (at, id) = (&example.timestamp, &example.decision_id);
            let example = format!("line {line}, {at}, decision {id}");
            lines.push(format!("         {}", printable::cut(&example, 200)));
        }
    }
    let more = sorted.len().saturating_sub(MOST_SHOWN);
    if more > 0 {
        lines.push(format!(
            "         and {more} more groups, which `--format json` names"
        ));
    }
    if groups.beyond > 0 {
        let beyond = groups.beyond;
        lines.push(format!("{beyond:>7}  in groups beyond the first"));
    }
    lines.push(String::new());
}

fn changed(change: &Change) -> [String; 2] {
    let Change {
        principal,
        action,
        target,
        ..
    } = change;
    let by = |ids: &[String]| {
        if ids.is_empty() {
            String::new()
        } else {
            format!(" by {}", ids.join(", "))
        }
    };
    let now = match (change.kind, change.now.as_str()) {
        (ChangeKind::DenyToAllow, "") => "allowed",
        (ChangeKind::AllowToDeny, "") => "denied",
        (ChangeKind::DenyToAllow | ChangeKind::AllowToDeny | ChangeKind::Reason, reason) => reason,
    };
    [
        format!("{principal}  {action}  {target}"),
        format!(
            "was {}{}, would be {now}{}",
            change.was,
            by(&change.was_by),
            by(&change.now_by)
        ),
    ]
}

fn unclear(unclear: &Unclear) -> [String; 2] {
    let Unclear {
        why,
        policies,
        action,
        target,
    } = unclear;
    let readers = if policies.is_empty() {
        String::new()
    } else {
        format!(", read by {}", policies.join(", "))
    };
    [format!("{action}  {target}"), format!("{why}{readers}")]
}

fn sums(tally: &Tally) -> String {
    let reasons = tally.changed(ChangeKind::Reason);
    let unchanged = tally.unchanged.saturating_add(reasons);
    let other = if reasons > 0 {
        format!(" ({reasons} for another reason)")
    } else {
        String::new()
    };
    format!(
        "{} decisions: {} deny -> allow, {} allow -> deny, {unchanged} unchanged{other}, \
         {} cannot tell, {} not decided by policies",
        tally.records(),
        tally.changed(ChangeKind::DenyToAllow),
        tally.changed(ChangeKind::AllowToDeny),
        tally.unclear.count(),
        tally.outside(),
    )
}
