//! `policies.bundle`: policies that somebody has signed, from a file or a URL.

use std::ops::RangeInclusive;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::config::algorithms;
use crate::config::authenticator::Algorithm;
use crate::config::authenticator::LocalKey;
use crate::config::authenticator::LocalMaterial;
use crate::config::authenticator::Remote;
use crate::config::danger;
use crate::config::keys;
use crate::config::policies;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::remote;
use crate::config::scalar;
use crate::config::yaml::Node;

/// How often a URL is asked, where nothing is said.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);

/// Shorter ones would be no more than a burden to the server; longer ones keep what was taken away.
const INTERVAL: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);

const OVER_HTTP: &str = "policies would be fetched over plain http";

/// A signed bundle of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleRules {
    /// Where it is.
    pub place: BundlePlace,
    /// Who may sign it: at least one key. Of two keys for one algorithm, each has a `kid`.
    pub keys: Vec<BundleKey>,
    /// The directory in which the last good one is kept. Always there beside a URL.
    pub keep: Option<PathBuf>,
    /// How often it is looked for.
    pub interval: Duration,
}

/// Where a bundle is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundlePlace {
    /// A tarball, or a directory.
    File(PathBuf),
    /// A tarball.
    Url(Url, Remote),
}

/// A public key that verifies bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleKey {
    /// The key, PEM.
    pub pem: Vec<u8>,
    /// The one algorithm that it verifies; none that is symmetric.
    pub algorithm: Algorithm,
    /// The `kid` that signatures name it by; absent: they need none.
    pub kid: Option<String>,
}

impl From<&BundleKey> for LocalKey {
    fn from(key: &BundleKey) -> Self {
        Self {
            material: LocalMaterial::Pem(key.pem.clone()),
            algorithm: key.algorithm,
            kid: key.kid.clone(),
        }
    }
}

impl BundleRules {
    /// `insecure_allow_http`.
    pub(super) fn allows_http(&self) -> bool {
        matches!(&self.place, BundlePlace::Url(_, remote) if remote.insecure_allow_http)
    }
}

/// Reads the section. Relative paths start at `base`; a file is looked at every `reload_interval`.
pub(super) fn read(
    node: &Node,
    base: &Path,
    reload_interval: Duration,
    faults: &mut Faults<'_>,
) -> Option<BundleRules> {
    let mut map = Mapping::of(node, faults)?;
    let keys = map.required("keys", faults);
    let keys = keys.and_then(|node| read_keys(node, base, faults));
    let keep = map.optional("keep");
    let is_kept = keep.is_some();
    let keep_place = keep.map(|node| &node.place);
    let keep = keep.and_then(|node| scalar::filled(node, faults));
    let keep = keep.map(|path| base.join(path));
    let interval = map.optional("interval");
    let interval = interval.map(|node| scalar::duration(node, INTERVAL, faults));
    let place = read_place(&mut map, base, faults);
    if map.place_of("url").is_some() && !is_kept {
        faults.error_help(
            map.place(),
            "a `url` without `keep`",
            "name a directory for the last good bundle: a start while the server is down needs it, and so \
             does the refusal of older bundles",
        );
    }
    map.finish(faults);
    let place = place?;
    if let (BundlePlace::File(file), Some(keep), Some(at)) = (&place, &keep, keep_place)
        && policies::overlap(file, keep)
    {
        faults.error_help(
            at,
            "`keep` and `file` lie in each other",
            "name another directory: what is kept would become part of what is read",
        );
    }
    let usual = match &place {
        BundlePlace::File(_) => reload_interval,
        BundlePlace::Url(..) => DEFAULT_INTERVAL,
    };
    Some(BundleRules {
        place,
        keys: keys?,
        keep,
        interval: interval.flatten().unwrap_or(usual),
    })
}

fn read_place(map: &mut Mapping<'_>, base: &Path, faults: &mut Faults<'_>) -> Option<BundlePlace> {
    let (file, url) = (map.optional("file"), map.optional("url"));
    let remote = remote::read(map, base, faults);
    match (file, url) {
        (Some(file), None) => {
            for key in ["ca_file", "insecure_allow_http"] {
                if let Some(place) = map.place_of(key) {
                    let message = format!("`{key}` without `url` has no effect");
                    faults.error(place, message);
                }
            }
            scalar::filled(file, faults).map(|path| BundlePlace::File(base.join(path)))
        }
        (None, Some(url)) => {
            let url = remote::read_url(url, remote.insecure_allow_http, OVER_HTTP, faults)?;
            Some(BundlePlace::Url(url, remote))
        }
        (Some(_), Some(url)) => {
            faults.error(&url.place, "`file` and `url`: only one of them");
            None
        }
        (None, None) => {
            faults.error_help(map.place(), "no place of the bundle", "set `file` or `url`");
            None
        }
    }
}

fn read_keys(node: &Node, base: &Path, faults: &mut Faults<'_>) -> Option<Vec<BundleKey>> {
    let items = scalar::list(node, faults)?;
    if items.is_empty() {
        faults.error(&node.place, "at least one key is needed");
        return None;
    }
    let mut found: Vec<BundleKey> = Vec::new();
    for item in items {
        let Some(key) = read_key(item, base, faults) else {
            continue;
        };
        if key.kid.is_some() && found.iter().any(|other| other.kid == key.kid) {
            faults.error(&item.place, "a second key with the same `kid`");
        }
        let unnamed = |other: &BundleKey| {
            other.algorithm == key.algorithm && (key.kid.is_none() || other.kid.is_none())
        };
        if found.iter().any(unnamed) {
            faults.error_help(
                &item.place,
                "two keys for one algorithm, and not both with a `kid`",
                "give each a `kid`, and sign with it: `cedargate bundle build --kid`",
            );
        }
        found.push(key);
    }
    Some(found)
}

fn read_key(node: &Node, base: &Path, faults: &mut Faults<'_>) -> Option<BundleKey> {
    let mut map = Mapping::of(node, faults)?;
    let algorithm_node = map.required("algorithm", faults);
    let algorithm = algorithm_node.and_then(|node| algorithms::read(node, faults));
    let kid = map.optional("kid");
    let kid = kid.and_then(|node| scalar::filled(node, faults));
    let (file, pem) = (map.optional("file"), map.optional("pem"));
    let place = map.place();
    map.finish(faults);
    let (source, base) = match (file, pem) {
        (Some(file), None) => (file, Some(base)),
        (None, Some(pem)) => (pem, None),
        (Some(_), Some(pem)) => {
            faults.error(&pem.place, "`file` and `pem`: only one of them");
            return None;
        }
        (None, None) => {
            faults.error_help(place, "no key", "set `file` or `pem`");
            return None;
        }
    };
    let algorithm = algorithm?;
    if algorithm.is_symmetric() {
        let help = algorithms::one_of(&Algorithm::ASYMMETRIC);
        let message = format!(
            "`{}` is symmetric: who can verify a bundle could also sign one",
            algorithm.name()
        );
        faults.error_help(&algorithm_node?.place, message, help);
        return None;
    }
    Some(BundleKey {
        pem: keys::read_pem(source, base, algorithm, faults)?,
        algorithm,
        kid: kid.map(str::to_owned),
    })
}

/// What the switch means here, for the log at start.
pub(super) fn danger(rules: &BundleRules) -> Option<String> {
    let switch = "insecure_allow_http";
    rules.allows_http().then(|| {
        format!(
            "`policies.bundle.{switch}` is on: {}",
            danger::meaning(switch)
        )
    })
}
