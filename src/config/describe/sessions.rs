//! The binding of sessions as the file would say it.

use crate::config::describe::duration;
use crate::config::emit::Out;
use crate::config::emit::map;
use crate::config::emit::text;
use crate::config::sessions::MEMORY;
use crate::config::sessions::REDIS;
use crate::config::sessions::RedisRules;
use crate::config::sessions::SessionStoreKind;
use crate::config::sessions::Sessions;

pub(super) fn section(sessions: &Sessions) -> Out {
    let (store, shared) = match &sessions.store {
        SessionStoreKind::Memory => (MEMORY, Out::Null),
        SessionStoreKind::Redis(rules) => (REDIS, redis(rules)),
    };
    map([
        ("store", text(store)),
        ("idle", duration(sessions.idle)),
        ("per_principal", text(&sessions.per_principal)),
        ("redis", shared),
    ])
}

fn redis(rules: &RedisRules) -> Out {
    let mut entries = vec![
        ("url", text(&rules.shown)),
        ("prefix", text(&rules.prefix)),
        (
            "ca_file",
            rules.ca_pem.as_ref().map_or(Out::Null, |_| text("<set>")),
        ),
    ];
    if rules.insecure_allow_plaintext {
        entries.push(("insecure_allow_plaintext", Out::Switch(true)));
    }
    map(entries)
}
