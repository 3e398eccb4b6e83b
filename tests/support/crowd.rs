//! A crowd of strangers who send one bad token after the other, as fast as they are answered, and
//! what becomes of honest callers meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cedargate::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use serde_json::json;
use tonic::transport::Endpoint;

use super::ask::Ask;
use super::ask::Asker;
use super::ask::Verdict;
use super::sidecar::Sidecar;
use super::tokens::now;

/// Connections of the crowd, as an Envoy with as many threads has.
const CONNECTIONS: usize = 4;

/// Checks under way on each.
const EACH: usize = 16;

/// How a flood went.
pub(crate) struct Flood {
    /// How many were answered how.
    pub(crate) answers: BTreeMap<String, u64>,
    /// How long it took.
    pub(crate) lasted: Duration,
    /// How long each honest check took meanwhile, shortest first.
    pub(crate) honest: Vec<Duration>,
    /// The most memory that was held beyond that before, in KiB.
    pub(crate) grown_kib: u64,
}

/// Ends what runs beside, also when a test fails.
pub(crate) struct Over<'a>(pub(crate) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// How many tokens a flood has: `FLOOD` in the environment, or so many.
#[expect(
    clippy::disallowed_methods,
    reason = "how much is asked of the machine is its owner's to say"
)]
pub(crate) fn size(default: u64) -> u64 {
    let given = std::env::var("FLOOD").ok();
    given.map_or(default, |count| count.parse().expect("a number"))
}

/// Sends `count` tokens, which are made from their number, while `honest` is asked over and over and is
/// each time to be answered as it says.
#[expect(clippy::disallowed_methods, reason = "figures of floods")]
pub(crate) fn flood(
    sidecar: &Sidecar,
    count: u64,
    token: impl Fn(u64) -> String + Send + Sync + 'static,
    honest: &[(Ask, &str)],
) -> Flood {
    let (next, token) = (Arc::new(AtomicU64::new(0)), Arc::new(token));
    let over = AtomicBool::new(false);
    let before = sidecar.resident_kib();
    let mut grown_kib = 0;
    let mut flood = thread::scope(|scope| {
        let watched = scope.spawn(|| {
            let asker = sidecar.asker();
            let mut times = Vec::new();
            while !over.load(Ordering::SeqCst) {
                for (ask, expected) in honest {
                    let began = Instant::now();
                    let verdict = asker.grpc(ask);
                    times.push(began.elapsed());
                    assert_eq!(verdict.reason, *expected, "{}", verdict.body);
                }
                grown_kib = grown_kib.max(sidecar.resident_kib().saturating_sub(before));
                thread::sleep(Duration::from_millis(5));
            }
            times
        });
        let ended = Over(&over);
        let began = Instant::now();
        let answers = send(&sidecar.asker(), sidecar.grpc, count, &next, &token);
        let lasted = began.elapsed();
        drop(ended);
        Flood {
            answers,
            lasted,
            honest: watched
                .join()
                .expect("every honest check is answered as it should be"),
            grown_kib: 0,
        }
    });
    flood.honest.sort();
    flood.grown_kib = grown_kib.max(sidecar.resident_kib().saturating_sub(before));
    flood
}

fn send<T: Fn(u64) -> String + Send + Sync + 'static>(
    asker: &Asker,
    port: u16,
    count: u64,
    next: &Arc<AtomicU64>,
    token: &Arc<T>,
) -> BTreeMap<String, u64> {
    let runtime = asker.runtime();
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).expect("a URL");
        let channel = runtime.block_on(endpoint.connect()).expect("it listens");
        for _ in 0..EACH {
            let (next, token) = (Arc::clone(next), Arc::clone(token));
            let mut client = AuthorizationClient::new(channel.clone());
            tasks.push(runtime.spawn(async move {
                let mut answers = BTreeMap::new();
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= count {
                        return answers;
                    }
                    let ask = Ask::call("get_forecast").bearer(&token(number)).grpc();
                    let answer = client.check(ask).await;
                    let answer = answer.expect("a check is never an RPC error").into_inner();
                    let reason = Verdict::grpc(answer).reason;
                    let counted: &mut u64 = answers.entry(reason).or_default();
                    *counted = counted.saturating_add(1);
                }
            }));
        }
    }
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for task in tasks {
        for (reason, count) in runtime.block_on(task).expect("no panic") {
            let sum = all.entry(reason).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    all
}

impl Flood {
    /// Prints what there is to say.
    #[expect(clippy::print_stderr, reason = "figures of floods")]
    pub(crate) fn figures(&self, what: &str) {
        let count: u64 = self.answers.values().sum();
        let rate = u128::from(count)
            .saturating_mul(1_000)
            .checked_div(self.lasted.as_millis())
            .unwrap_or(0);
        eprintln!(
            "{what}: {count} in {:?}, {rate}/s, {:?}; grew {} KiB at most; {} honest checks between \
             them, median {:?}, p99 {:?}",
            self.lasted,
            self.answers,
            self.grown_kib,
            self.honest.len(),
            self.quantile(50),
            self.quantile(99)
        );
    }

    /// How long so many in a hundred honest checks took at most.
    pub(crate) fn quantile(&self, percent: usize) -> Duration {
        let last = self.honest.len().saturating_sub(1);
        let place = last.saturating_mul(percent).checked_div(100);
        let found = place.and_then(|place| self.honest.get(place));
        found.copied().unwrap_or_default()
    }
}

/// Makes tokens that nobody has signed, each with another `kid` if it has one.
pub(crate) fn unsigned(
    issuer: &str,
    kid: Option<&str>,
    audience: &str,
) -> impl Fn(u64) -> String + use<> {
    let claims = json!({"iss": issuer, "sub": "mallory", "aud": audience,
        "exp": now().saturating_add(300), "scope": "weather:read"});
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let kid = kid.map(ToOwned::to_owned);
    move |number| {
        let kid = kid.clone().unwrap_or_else(|| format!("kid-{number}"));
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}).to_string();
        // Within the group's order in any case, and distinct.
        let mut signature = [0x11; 64];
        for (to, from) in signature.iter_mut().skip(8).zip(number.to_be_bytes()) {
            *to = from;
        }
        let header = BASE64_URL_SAFE_NO_PAD.encode(header);
        format!(
            "{header}.{claims}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(signature)
        )
    }
}
