//! Floods of bad tokens: they cost an issuer nothing, honest callers little, and leave nothing behind.
//!
//! `FLOOD` in the environment says how many tokens each has.

#![expect(clippy::print_stderr, reason = "figures of floods")]

mod support;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::json;
use support::ask::Ask;
use support::crowd;
use support::crowd::unsigned;
use support::fake_issuer;
use support::fake_issuer::FakeIssuer;
use support::sidecar::Sidecar;
use support::tokens::ISSUER;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// In KiB.
const MIB: u64 = 1024;

/// One flood at a time, so that each has the machine for itself.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A local issuer and a far one.
struct Scene {
    near: Key,
    far: Key,
    issuer: FakeIssuer,
    sidecar: Sidecar,
}

impl Scene {
    fn start() -> Self {
        let (near, far) = (Key::new(), Key::new());
        let set = fake_issuer::key_set(&far, "k1");
        let issuer = FakeIssuer::start(move |_, stream| fake_issuer::json_document(stream, &set));
        let url = format!("http://127.0.0.1:{}", issuer.port());
        let config = format!(
            "authenticators:\n{}- {{name: far, type: jwt, issuer: \"{url}\", \
             jwks_uri: \"{url}/keys\", insecure_allow_http: true, roles: {{prefix: \"far:\"}}, \
             groups: {{prefix: \"far:\"}}}}\nresources:\n\
             - {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\nlimits: {{deadline: 1s}}\n",
            near.authenticator()
        );
        let sidecar = Sidecar::start_measured(&config);
        Self {
            near,
            far,
            issuer,
            sidecar,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.issuer.port())
    }

    /// Tokens that are good, and one that is not.
    fn honest(&self) -> Vec<(Ask, &'static str)> {
        let forecast = |token: &str| Ask::call("get_forecast").bearer(token);
        let mut asks = vec![
            (
                forecast(&self.near.token(RESOURCE, &json!({"roles": ["viewer"]}))),
                "allowed",
            ),
            (
                forecast(&self.near.token(RESOURCE, &json!({"exp": 1}))),
                "invalid_credential",
            ),
        ];
        // Enough that not every one is remembered from the last time.
        for _ in 0..50 {
            asks.push((
                forecast(&self.far.token_of(&self.url(), "k1", RESOURCE)),
                "allowed",
            ));
        }
        asks
    }

    /// Two fetches on demand, and one more for each half a minute that a flood lasts.
    fn was_asked_twice_at_most(&self, what: &str, lasted: Duration) {
        let asked = self.issuer.asked();
        eprintln!("{what}: {asked} fetches, one of them at the start");
        let most = lasted.as_secs().checked_div(30).unwrap_or(0);
        assert!((2..=most.saturating_add(3)).contains(&asked), "{asked}");
    }

    /// Runs a flood of tokens that are all refused; how long it lasted.
    fn survives(
        &self,
        what: &str,
        count: u64,
        token: impl Fn(u64) -> String + Send + Sync + 'static,
    ) -> Duration {
        let honest = self.honest();
        // Whatever is held for this many callers is there before the count.
        crowd::flood(
            &self.sidecar,
            500,
            |number| format!("a.b.{number}"),
            &honest,
        );
        let flood = crowd::flood(&self.sidecar, count, token, &honest);
        flood.figures(what);
        let refused = flood
            .answers
            .get("invalid_credential")
            .copied()
            .unwrap_or(0);
        let unknown = flood
            .answers
            .get("issuer_unavailable")
            .copied()
            .unwrap_or(0);
        // Those who wait for the fetch when it ends late.
        assert!(unknown <= 128, "{:?}", flood.answers);
        assert_eq!(
            refused.saturating_add(unknown),
            count,
            "{:?}",
            flood.answers
        );
        assert!(
            flood.grown_kib < 8 * MIB,
            "{what}: grew {} KiB",
            flood.grown_kib
        );
        assert!(
            flood.quantile(99) < Duration::from_millis(500),
            "{what}: {:?}",
            flood.quantile(99)
        );
        flood.lasted
    }
}

#[test]
fn unknown_keys_cause_two_fetches_at_most() {
    let _turn = turn();
    let scene = Scene::start();
    let count = crowd::size(12_000);
    let lasted = scene.survives(
        "unknown keys",
        count,
        unsigned(&scene.url(), None, RESOURCE),
    );
    scene.was_asked_twice_at_most("unknown keys", lasted);
}

#[test]
fn bad_signatures_of_a_known_key_cause_two_fetches_at_most() {
    let _turn = turn();
    let scene = Scene::start();
    let count = crowd::size(12_000);
    let lasted = scene.survives(
        "bad signatures",
        count,
        unsigned(&scene.url(), Some("k1"), RESOURCE),
    );
    scene.was_asked_twice_at_most("bad signatures", lasted);
}

/// Makes tokens from their number.
type Maker = Box<dyn Fn(u64) -> String + Send + Sync>;

#[test]
fn bad_tokens_of_every_kind_leave_nothing_behind() {
    let _turn = turn();
    let scene = Scene::start();
    let kinds: [(&str, Maker); 5] = [
        ("a local issuer", Box::new(unsigned(ISSUER, None, RESOURCE))),
        (
            "strange issuers",
            Box::new({
                let of =
                    |number: u64| unsigned(&format!("https://{number}.example"), None, RESOURCE);
                move |number| of(number)(number)
            }),
        ),
        (
            "no tokens at all",
            Box::new(|number| format!("{number}.{number}.{number}")),
        ),
        ("opaque ones", Box::new(|number| format!("opaque-{number}"))),
        (
            "long ones",
            Box::new(|number| format!("{number}{}", "x".repeat(15_000))),
        ),
    ];
    let of = move |number: u64| {
        let kind = usize::try_from(number % 5).unwrap_or_default();
        kinds
            .get(kind)
            .map_or_else(String::new, |(_, token)| token(number))
    };
    scene.survives("every kind", crowd::size(10_000), of);
    let metrics = scene.sidecar.ask_admin("/metrics").text();
    assert!(
        !metrics.contains("mallory") && !metrics.contains("kid-"),
        "{metrics}"
    );
    assert_eq!(
        scene.issuer.asked(),
        1,
        "nothing of it was the far issuer's"
    );
}
