//! Where the policies live, as the file would say it.

use crate::config::bundle::BundleKey;
use crate::config::bundle::BundlePlace;
use crate::config::bundle::BundleRules;
use crate::config::describe::authenticator;
use crate::config::describe::duration;
use crate::config::emit::Out;
use crate::config::emit::list;
use crate::config::emit::map;
use crate::config::emit::text;
use crate::config::policies::Policies;

pub(super) fn section(policies: &Policies) -> Out {
    let (dir, signed) = match &policies.bundle {
        None => (text(&policies.dir.display()), Out::Null),
        Some(rules) => (Out::Null, bundle(rules)),
    };
    let shadow_dir = policies.shadow_dir.as_ref();
    map([
        ("dir", dir),
        ("bundle", signed),
        (
            "shadow_dir",
            shadow_dir.map_or(Out::Null, |path| text(&path.display())),
        ),
        ("reload_interval", duration(policies.reload_interval)),
        ("require_manifest", Out::Switch(policies.require_manifest)),
        (
            "allow_warnings",
            list(policies.allow_warnings.iter().map(|lint| lint.name())),
        ),
    ])
}

fn bundle(rules: &BundleRules) -> Out {
    let mut entries = match &rules.place {
        BundlePlace::File(path) => vec![("file", text(&path.display()))],
        BundlePlace::Url(url, remote) => {
            vec![
                ("url", text(&authenticator::without_query(url))),
                authenticator::ca_file(remote),
            ]
        }
    };
    let keep = rules.keep.as_ref();
    entries.extend([
        ("keys", Out::List(rules.keys.iter().map(key).collect())),
        ("keep", keep.map_or(Out::Null, |path| text(&path.display()))),
        ("interval", duration(rules.interval)),
    ]);
    if rules.allows_http() {
        entries.push(("insecure_allow_http", Out::Switch(true)));
    }
    map(entries)
}

fn key(key: &BundleKey) -> Out {
    map([
        ("pem", text(&String::from_utf8_lossy(&key.pem))),
        ("algorithm", text(key.algorithm.name())),
        ("kid", key.kid.as_ref().map_or(Out::Null, text)),
    ])
}
