//! A sidecar that is attacked over and over, and judged after each attack: does it still answer, and
//! how much has it grown.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use super::ask::Ask;
use super::ask::Asker;
use super::http::Request;
use super::sidecar::Sidecar;
use super::tokens::Key;

/// In KiB.
const MIB: u64 = 1024;

/// What is asked for.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// A sidecar under siege.
pub(crate) struct World {
    key: Key,
    /// What is attacked.
    pub(crate) sidecar: Sidecar,
    /// Asks it, in both dialects.
    pub(crate) asker: Asker,
}

/// One attack at a time, so that memory can be told apart.
pub(crate) fn world() -> MutexGuard<'static, World> {
    static WORLD: OnceLock<Mutex<World>> = OnceLock::new();
    let world = WORLD.get_or_init(|| {
        let key = Key::new();
        let config = format!(
            "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             limits: {{deadline: 1s}}\n",
            key.authenticator()
        );
        let sidecar = Sidecar::start(&config);
        let asker = sidecar.asker();
        Mutex::new(World {
            key,
            sidecar,
            asker,
        })
    });
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A check that is allowed.
    pub(crate) fn honest(&self) -> Ask {
        let token = self.key.token(RESOURCE, &json!({"roles": ["viewer"]}));
        Ask::call("get_forecast").bearer(&token)
    }

    /// Runs an attack and then judges; `bound` is in MiB. The attack returns what it holds open.
    #[expect(
        clippy::print_stderr,
        clippy::disallowed_methods,
        clippy::arithmetic_side_effects,
        reason = "figures of the attacks"
    )]
    pub(crate) fn survives<T>(&self, what: &str, bound: u64, attack: impl FnOnce(&Sidecar) -> T) {
        assert_eq!(self.asker.both(&self.honest()).reason, "allowed", "{what}");
        let before = self.sidecar.resident_kib();
        let began = Instant::now();
        let held = attack(&self.sidecar);
        let lasted = began.elapsed();
        let grown = self.sidecar.resident_kib().saturating_sub(before);
        let honest = self.honest();
        for fresh in [false, true] {
            let asker = fresh.then(|| self.sidecar.asker());
            let start = Instant::now();
            let verdict = asker.as_ref().unwrap_or(&self.asker).both(&honest);
            let waited = start.elapsed();
            assert_eq!(verdict.reason, "allowed", "{what}: {}", verdict.body);
            assert!(waited < Duration::from_secs(1), "{what}: {waited:?}");
        }
        for (port, path) in [
            (self.sidecar.admin, "/metrics"),
            (self.sidecar.public, "/livez"),
        ] {
            let answer = Request::new("GET", path).send(port);
            assert_eq!(answer.expect("an answer").status, 200, "{what}");
        }
        eprintln!("{what}: {lasted:?}, grew {grown} KiB");
        assert!(grown < bound * MIB, "{what}: grew {grown} KiB");
        drop(held);
    }
}

/// Stream numbers of a client.
pub(crate) fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|n| n.saturating_mul(2).saturating_add(1))
}
