//! Names in `entities.json` and `principals.yaml` that stand for nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use cedar_policy::EntityUid;

use super::known::Names;
use super::names::Name;
use super::world::Unknown;
use super::world::World;
use crate::config::suggest;
use crate::fault::Fault;
use crate::fault::Lint;
use crate::fault::Source;
use crate::policy::hierarchy::Hierarchy;
use crate::policy::hierarchy::Written;
use crate::policy::plain_yaml::shown;
use crate::policy::principals::Mentions;
use crate::policy::report;

/// Warns of groups without members, and of parents that mean nothing to any policy.
pub(super) fn entities(
    source: &Source,
    hierarchy: &Hierarchy,
    named: &BTreeSet<Name>,
    world: &World<'_>,
    faults: &mut Vec<Fault>,
) {
    let own: BTreeSet<&EntityUid> = hierarchy.written().iter().map(|one| &one.uid).collect();
    for written in hierarchy.written() {
        let kind = written.uid.type_name().to_string();
        if matches!(&*kind, "Mcp::ToolGroup" | "Mcp::ServerGroup")
            && let Some(unknown) = world.unknown(&kind, written.uid.id().unescaped())
        {
            let place = report::first_line(source, written.span.start);
            faults.push(warning(source, place, unknown));
        }
        for parent in &written.parents {
            let id: &str = parent.id().unescaped();
            if own.contains(parent) || named.contains(&Name::Entity(kind.clone(), id.to_owned())) {
                continue;
            }
            let by_policies = named.iter().filter_map(|name| match name {
                Name::Entity(of, id) if *of == kind => Some(&**id),
                Name::Entity(..) | Name::Scope(_) | Name::ClientId(_) | Name::Issuer(_) => None,
            });
            let siblings = own
                .iter()
                .filter(|uid| uid.type_name() == parent.type_name());
            let siblings = siblings.map(|uid| -> &str { uid.id().unescaped() });
            let known: Vec<&str> = siblings.chain(by_policies).collect();
            let near = suggest::nearest(id, &known);
            let unknown = Unknown {
                lint: match &*kind {
                    "Mcp::Role" => Lint::UnknownRole,
                    "Mcp::Group" => Lint::UnknownGroup,
                    "Mcp::ToolGroup" => Lint::UnknownToolGroup,
                    _ => Lint::UnknownServerGroup,
                },
                message: format!("no policy names `{kind}` {}, nor is it listed", shown(id)),
                help: near.map(|near| format!("did you mean {}?", shown(near))),
            };
            faults.push(warning(source, parent_place(source, written, id), unknown));
        }
    }
}

/// Warns of callers whom no authenticator could vouch for, and of roles and groups that mean nothing.
pub(super) fn principals(
    source: &Source,
    mentions: &Mentions,
    named: &BTreeSet<Name>,
    world: &World<'_>,
    faults: &mut Vec<Fault>,
) {
    let mut found: Vec<(Range<usize>, Unknown)> = Vec::new();
    let mut note = |span: &Range<usize>, unknown: Option<Unknown>| {
        found.extend(unknown.map(|unknown| (span.clone(), unknown)));
    };
    for (issuer, span) in &mentions.issuers {
        note(span, world.issuer(issuer));
    }
    for (id, span) in &mentions.api_keys {
        note(span, world.api_key(id));
    }
    if let Some(known) = &world.known {
        let role = (Lint::UnknownRole, "role");
        let group = (Lint::UnknownGroup, "group");
        for (kind, what, given, names) in [
            ("Mcp::Role", role, &mentions.roles, &known.roles),
            ("Mcp::Group", group, &mentions.groups, &known.groups),
        ] {
            for (name, span) in given {
                if !named.contains(&Name::Entity(kind.to_owned(), name.clone())) {
                    note(span, useless(what, name, names));
                }
            }
        }
    }
    found.sort_by_key(|(span, _)| span.start);
    let found = found.into_iter();
    faults.extend(found.map(|(span, unknown)| warning(source, span, unknown)));
}

fn useless((lint, what): (Lint, &str), name: &str, known: &Names) -> Option<Unknown> {
    known.are_without(name).then(|| {
        let near = suggest::nearest(name, &known.all());
        Unknown {
            lint,
            message: format!(
                "no policy names the {what} {}, nor does `entities.json`",
                shown(name)
            ),
            help: near.map(|near| format!("did you mean {}?", shown(near))),
        }
    })
}

fn warning(source: &Source, span: Range<usize>, unknown: Unknown) -> Fault {
    let mut fault = Fault::error(source, Some(span), unknown.message)
        .named(unknown.lint)
        .warning();
    fault.help = unknown.help;
    fault
}

/// Where the id of a parent stands, if it is written without escapes.
fn parent_place(source: &Source, written: &Written, id: &str) -> Range<usize> {
    let text = source.text.get(written.span.clone()).unwrap_or("");
    let quoted = format!("\"{id}\"");
    let found = text
        .find("\"parents\"")
        .and_then(|parents| Some((parents, text.get(parents..)?.find(&quoted)?)));
    match found {
        Some((parents, at)) => {
            let start = written
                .span
                .start
                .saturating_add(parents)
                .saturating_add(at);
            start..start.saturating_add(quoted.len())
        }
        None => report::first_line(source, written.span.start),
    }
}
