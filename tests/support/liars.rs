//! Issuers that are good at first, and then tell one lie each, which must come to nothing.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use super::ask::Ask;
use super::ask::Asker;
use super::envoy::poll;
use super::fake_issuer;
use super::fake_issuer::FakeIssuer;
use super::fake_issuer::jwk;
use super::lies;
use super::lies::Lie;
use super::port;
use super::sidecar::Sidecar;
use super::tokens::Key;

/// For what comes by itself, after a wait between two attempts.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// What is asked for.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// The first phase: the key set is good, and has one key.
pub(crate) const GOOD: usize = 0;
/// The second.
pub(crate) const LYING: usize = 1;
/// The third: it is good again, and has one key more.
const REFORMED: usize = 2;

/// A sidecar's configuration with these authenticators.
pub(crate) fn config(authenticators: &str) -> String {
    format!(
        "authenticators:\n{authenticators}resources:\n\
         - {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\nlimits: {{deadline: 1s}}\n"
    )
}

/// Issuers that share a port: each has a path of its own, is good at first, and then tells one lie.
pub(crate) struct Liars {
    kind: &'static str,
    /// One for each.
    pub(crate) lies: Arc<Vec<Lie>>,
    /// How often each was told.
    told: Arc<Vec<AtomicU64>>,
    phase: Arc<AtomicUsize>,
    issuer: FakeIssuer,
    sidecar: Sidecar,
    asker: Asker,
    /// Published from the start.
    known: Key,
    /// What every lie holds beside it: a token of it shows that the lie was believed.
    new: Key,
}

impl Liars {
    /// `make` makes the lies, from the address of the issuers, the key that is known, and the new one.
    pub(crate) fn start(
        kind: &'static str,
        make: impl FnOnce(&str, &Key, &Key) -> Vec<Lie>,
    ) -> Self {
        let (known, new) = (Key::new(), Key::new());
        let port = port::free();
        let base = format!("http://127.0.0.1:{port}");
        let lies = Arc::new(make(&base, &known, &new));
        let told: Vec<AtomicU64> = lies.iter().map(|_| AtomicU64::new(0)).collect();
        let told = Arc::new(told);
        let phase = Arc::new(AtomicUsize::new(GOOD));
        let first = fake_issuer::key_set(&known, "known");
        let second = json!({"keys": [jwk(&known, "known"), jwk(&new, "new")]}).to_string();
        let issuer = FakeIssuer::start_at(port, {
            let (lies, told, phase) = (Arc::clone(&lies), Arc::clone(&told), Arc::clone(&phase));
            move |path, stream| {
                let number = path.split('/').find_map(|part| part.parse::<usize>().ok());
                let number = number.expect("every path has a number");
                let metadata = path.contains(".well-known");
                match phase.load(Ordering::SeqCst) {
                    LYING if metadata == (kind == "oidc") => {
                        if let (Some(told), Some(lie)) = (told.get(number), lies.get(number)) {
                            told.fetch_add(1, Ordering::SeqCst);
                            lie.tell(stream);
                        }
                    }
                    // So that the metadata is asked for again.
                    LYING => {
                        let gone = lies::answer("500 Internal Server Error", &[], "");
                        drop(stream.write_all(&gone));
                    }
                    _ if metadata => fake_issuer::json_document(
                        stream,
                        &json!({"issuer": format!("{base}/{number:03}"),
                            "jwks_uri": format!("{base}/{number:03}/keys")})
                        .to_string(),
                    ),
                    GOOD => fake_issuer::json_document(stream, &first),
                    _ => fake_issuer::json_document(stream, &second),
                }
            }
        });
        let base = format!("http://127.0.0.1:{port}");
        let authenticators: String = (0..lies.len())
            .map(|number| authenticator(kind, &base, number))
            .collect();
        let sidecar = Sidecar::launch(&config(&authenticators));
        let sidecar = sidecar.until_ready();
        let asker = sidecar.asker();
        Self {
            kind,
            lies,
            told,
            phase,
            issuer,
            sidecar,
            asker,
            known,
            new,
        }
    }

    /// A token that was never seen before.
    fn token(&self, number: usize, kid: &str) -> String {
        let key = if kid == "known" {
            &self.known
        } else {
            &self.new
        };
        let issuer = format!("http://127.0.0.1:{}/{number:03}", self.issuer.port());
        key.token_of(&issuer, kid, RESOURCE)
    }

    fn ask(&self, number: usize, kid: &str) -> (String, i32, String) {
        let verdict = self
            .asker
            .both(&Ask::call("get_forecast").bearer(&self.token(number, kid)));
        let retry = verdict.header("retry-after").to_owned();
        (verdict.reason, verdict.status, retry)
    }

    /// That every key that was known before still is.
    fn nothing_is_lost(&self, when: &str) {
        for (number, lie) in self.lies.iter().enumerate() {
            assert_eq!(
                self.ask(number, "known").0,
                "allowed",
                "{}: {when}",
                lie.what
            );
        }
    }

    /// Lies to each, and shows that it costs nothing; and that the truth is believed afterwards.
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stderr,
        reason = "figures of the lies"
    )]
    pub(crate) fn come_to_nothing(&self) {
        let began = Instant::now();
        self.nothing_is_lost("before");
        self.phase.store(LYING, Ordering::SeqCst);
        for (number, lie) in self.lies.iter().enumerate() {
            let said = self.ask(number, "new");
            let expected = ("issuer_unavailable".to_owned(), 503, "1".to_owned());
            assert_eq!(said, expected, "{}", lie.what);
            assert_eq!(self.ask(number, "known").0, "allowed", "{}", lie.what);
        }
        let failures: u64 = self
            .lies
            .iter()
            .enumerate()
            .map(|(number, lie)| self.counted(number, lie))
            .sum();
        self.nothing_is_lost("after");
        self.phase.store(REFORMED, Ordering::SeqCst);
        for (number, lie) in self.lies.iter().enumerate() {
            let believed = poll(SOON, || {
                let ask = Ask::call("get_forecast").bearer(&self.token(number, "new"));
                self.asker.grpc(&ask).reason == "allowed"
            });
            assert!(believed, "{}: the truth is not believed", lie.what);
        }
        let told = self.told.iter().map(|told| told.load(Ordering::SeqCst));
        eprintln!(
            "{}: {} kinds of lies, told {} times, {failures} failures counted, 0 keys lost, {:?}",
            self.kind,
            self.lies.len(),
            told.sum::<u64>(),
            began.elapsed()
        );
    }

    /// That a lie was told, and was counted as what it is and as nothing else; how many failures there
    /// were.
    fn counted(&self, number: usize, lie: &Lie) -> u64 {
        let mut found = BTreeMap::new();
        let name = format!("far-{number}");
        let told = || {
            self.told
                .get(number)
                .map(|told| told.load(Ordering::SeqCst))
        };
        let counted = poll(SOON, || {
            found = self.sidecar.outcomes("jwks_refresh", &name);
            told() > Some(0) && found.contains_key(lie.outcome)
        });
        assert!(counted, "{}: {found:?}, not {}", lie.what, lie.outcome);
        assert_eq!(found.remove("changed"), Some(1), "{}: {found:?}", lie.what);
        let failures = found.values().sum();
        found.remove(lie.outcome);
        if self.kind == "oidc" {
            // The keys themselves, which made it ask for the metadata again.
            found.remove("status");
        }
        assert!(found.is_empty(), "{}: also {found:?}", lie.what);
        failures
    }
}

/// An issuer with a path of its own, as an item of the configuration's list.
pub(crate) fn authenticator(kind: &str, base: &str, number: usize) -> String {
    let keys = match kind {
        "oidc" => String::new(),
        _ => format!(", jwks_uri: \"{base}/{number:03}/keys\""),
    };
    format!(
        "- {{name: far-{number}, type: {kind}, issuer: \"{base}/{number:03}\"{keys}, \
         insecure_allow_http: true, roles: {{prefix: \"p{number}:\"}}, \
         groups: {{prefix: \"p{number}:\"}}}}\n"
    )
}
