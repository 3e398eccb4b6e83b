//! `policies`: where the policies live.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::bundle;
use crate::config::bundle::BundleRules;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::scalar;
use crate::config::yaml::Node;
use crate::fault::Lint;

/// Files are looked at no more often than this.
const SHORTEST_RELOAD: Duration = Duration::from_millis(100);

/// Where the policies live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// The directory; not read where there is a bundle.
    pub dir: PathBuf,
    /// A signed bundle in place of the directory.
    pub bundle: Option<BundleRules>,
    /// A directory whose policies are tried beside those in force, and never enforced.
    pub shadow_dir: Option<PathBuf>,
    /// How often they are looked at.
    pub reload_interval: Duration,
    /// Whether it must hold a list of its files with their hashes.
    pub require_manifest: bool,
    /// The warnings about policies that are no reason to refuse them.
    pub allow_warnings: Vec<Lint>,
}

impl Policies {
    /// Whether one of the two directories lies in the other, or is it; links are not followed. Beside a
    /// bundle there is only one.
    pub fn overlap(&self) -> bool {
        let shadow = self.shadow_dir.as_deref();
        let shadow = shadow.filter(|_| self.bundle.is_none());
        shadow.is_some_and(|shadow| overlap(&self.dir, shadow))
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("policies"),
            bundle: None,
            shadow_dir: None,
            reload_interval: Duration::from_secs(1),
            require_manifest: false,
            allow_warnings: Vec::new(),
        }
    }
}

/// The section, relative paths starting at `base`, and whether its directory is known: false when what
/// names it has a fault, and where there is a bundle instead.
pub(super) fn read(node: Option<&Node>, base: &Path, faults: &mut Faults<'_>) -> (Policies, bool) {
    let mut policies = Policies::default();
    let mut dir_is_known = node.is_none();
    if let Some(mut map) = node.and_then(|node| Mapping::of(node, faults)) {
        let dir = map.optional("dir").map(|node| scalar::filled(node, faults));
        let dir_is_written = dir.is_some();
        dir_is_known = !matches!(dir, Some(None));
        if let Some(dir) = dir.flatten() {
            policies.dir = PathBuf::from(dir);
        }
        if let Some(node) = map.optional("shadow_dir") {
            policies.shadow_dir = scalar::filled(node, faults).map(PathBuf::from);
            if map.place_of("bundle").is_none() && policies.overlap() {
                let message = "`shadow_dir` and `dir` lie in each other";
                faults.error_help(&node.place, message, APART);
            }
        }
        if let Some(interval) = map.optional("reload_interval").and_then(|node| {
            let bounds = SHORTEST_RELOAD..=*scalar::any_duration().end();
            scalar::duration(node, bounds, faults)
        }) {
            policies.reload_interval = interval;
        }
        let required = map.optional("require_manifest");
        if let Some(required) = required.and_then(|node| scalar::switch(node, faults)) {
            policies.require_manifest = required;
        }
        if let Some(node) = map.optional("allow_warnings") {
            policies.allow_warnings = warnings(node, faults);
        }
        if let Some(node) = map.optional("bundle") {
            dir_is_known = false;
            policies.bundle = bundle::read(node, base, policies.reload_interval, faults);
            if let Some(place) = map.place_of("dir").filter(|_| dir_is_written) {
                faults.error_help(
                    place,
                    "`dir` and `bundle`: only one of them",
                    "take `dir` out: the policies come from the bundle",
                );
            }
        }
        map.finish(faults);
    }
    policies.dir = base.join(&policies.dir);
    policies.shadow_dir = policies.shadow_dir.map(|dir| base.join(dir));
    (policies, dir_is_known)
}

/// Every name with its kind.
pub(super) fn lints() -> [(&'static str, Lint); Lint::ALL.len()] {
    Lint::ALL.map(|lint| (lint.name(), lint))
}

/// Names of warnings, none twice.
fn warnings(node: &Node, faults: &mut Faults<'_>) -> Vec<Lint> {
    let mut found = Vec::new();
    for item in scalar::list(node, faults).unwrap_or_default() {
        let Some(lint) = scalar::word(item, &lints(), faults) else {
            continue;
        };
        if found.contains(&lint) {
            let message = format!("`{}` is listed twice", lint.name());
            faults.error(&item.place, message);
        } else {
            found.push(lint);
        }
    }
    found
}

/// Why `shadow_dir` and `dir` are kept apart.
const APART: &str =
    "a directory is read with all below it, so what is only tried would be in force";

/// Whether one of the paths lies below the other, or is it; links are not followed.
pub(super) fn overlap(one: &Path, other: &Path) -> bool {
    let (one, other) = (plain(one), plain(other));
    one.starts_with(&other) || other.starts_with(&one)
}

/// The path without detours.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            Component::Prefix(_)
            | Component::RootDir
            | Component::ParentDir
            | Component::Normal(_) => plain.push(component),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_in_each_other_are_told_from_neighbours() {
        for (one, other, expected) in [
            ("policies", "policies", true),
            ("policies", "policies/next", true),
            ("a/policies", "a", true),
            ("a/b", "a/../a/./b/c", true),
            ("policies", "policies.next", false),
            ("policies", "next", false),
            ("../policies", "policies", false),
            ("../a", "../../a", false),
            ("/etc/policies", "/etc/next", false),
        ] {
            let (one, other) = (Path::new(one), Path::new(other));
            assert_eq!(overlap(one, other), expected, "{one:?} {other:?}");
        }
    }
}
