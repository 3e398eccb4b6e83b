//! `policies`: where the policies live.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::bundle;
use crate::config::bundle::BundleRules;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::scalar;
use crate::config::yaml::Node;

/// Files are looked at no more often than this.
const SHORTEST_RELOAD: Duration = Duration::from_millis(100);

/// Where the policies live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// The directory; not read where there is a bundle.
    pub dir: PathBuf,
    /// A signed bundle in place of the directory.
    pub bundle: Option<BundleRules>,
    /// How often it is looked at.
    pub reload_interval: Duration,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("policies"),
            bundle: None,
            reload_interval: Duration::from_secs(1),
        }
    }
}

/// The section, relative paths starting at `base`, and whether its directory is known: false when what
/// names it has a fault, and where there is a bundle instead.
pub(super) fn read(node: Option<&Node>, base: &Path, faults: &mut Faults<'_>) -> (Policies, bool) {
    let mut policies = Policies::default();
    let mut dir_is_known = node.is_none();
    if let Some(mut map) = node.and_then(|node| Mapping::of(node, faults)) {
        map = map.later(&["shadow_dir"]);
        let dir = map.optional("dir").map(|node| scalar::filled(node, faults));
        let dir_is_written = dir.is_some();
        dir_is_known = !matches!(dir, Some(None));
        if let Some(dir) = dir.flatten() {
            policies.dir = PathBuf::from(dir);
        }
        if let Some(interval) = map.optional("reload_interval").and_then(|node| {
            let bounds = SHORTEST_RELOAD..=*scalar::any_duration().end();
            scalar::duration(node, bounds, faults)
        }) {
            policies.reload_interval = interval;
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
    (policies, dir_is_known)
}
