//! Issuers that lie about their keys: none is believed, none costs the keys that are known, and every
//! lie is counted for what it is.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::envoy::poll;
use support::fake_issuer;
use support::fake_issuer::FakeIssuer;
use support::fake_issuer::jwk;
use support::liars::GOOD;
use support::liars::LYING;
use support::liars::Liars;
use support::liars::RESOURCE;
use support::liars::SOON;
use support::liars::authenticator;
use support::liars::config;
use support::lies;
use support::lies::Lie;
use support::sidecar::Sidecar;
use support::tokens::Key;

/// In KiB.
const MIB: u64 = 1024;

/// An RSA key of so many bits, which nobody has the other half of.
fn rsa(bits: usize, exponent: &str) -> Value {
    let modulus = BASE64_URL_SAFE_NO_PAD.encode(vec![0xc5; bits / 8]);
    json!({"kty": "RSA", "alg": "RS256", "kid": "new", "n": modulus, "e": exponent})
}

/// Keys that cannot be used, whoever has the other half.
fn unusable(new: &Key) -> Vec<(&'static str, Value)> {
    let with = |name: &str, value: Value| {
        let mut key = jwk(new, "new");
        key[name] = value;
        key
    };
    let secret = BASE64_URL_SAFE_NO_PAD.encode([7; 32]);
    let mut moved = jwk(new, "new");
    moved["y"] = moved["x"].clone();
    vec![
        ("a key that is null", Value::Null),
        ("a key that is a text", json!("x")),
        ("a secret", json!({"kty": "oct", "kid": "new", "k": secret})),
        ("a private half", with("d", json!(secret))),
        ("RSA of 1024 bits", rsa(1_024, "AQAB")),
        ("RSA of 16,384 bits", rsa(16_384, "AQAB")),
        ("RSA with 3", rsa(2_048, "Aw")),
        (
            "RSA with nothing in it",
            json!({"kty": "RSA", "kid": "new"}),
        ),
        ("a number for a kid", with("kid", json!(1))),
        ("a long kid", with("kid", json!("k".repeat(257)))),
        ("NUL in a kid", with("kid", json!("new\0"))),
        ("for encryption", with("use", json!("enc"))),
        ("to encrypt", with("key_ops", json!(["encrypt"]))),
        ("of another algorithm", with("alg", json!("ES384"))),
        ("of a symmetric algorithm", with("alg", json!("HS256"))),
        ("of an unknown algorithm", with("alg", json!("none"))),
        ("of another curve", with("crv", json!("P-384"))),
        ("of another kind", with("kty", json!("OKP"))),
        ("not on the curve", moved),
        ("a short coordinate", with("x", json!("AQAB"))),
    ]
}

/// What is wrong about a key set, or with all of its keys.
fn of_key_sets(known: &Key, new: &Key) -> Vec<Lie> {
    let set = |keys: Vec<Value>| json!({"keys": keys}).to_string();
    let unread = |what: &str, body: &str| Lie::body(what, "key_set", body);
    let many = |count| (0..count).map(|n| jwk(new, &format!("n{n}"))).collect();
    let twice = vec![jwk(new, "new"), jwk(known, "new")];
    let mut lies = vec![
        unread("no keys member", "{}"),
        unread(
            "keys in capitals",
            &set(vec![jwk(new, "new")]).replace("keys", "KEYS"),
        ),
        unread("keys: null", r#"{"keys":null}"#),
        unread(
            "keys: an object",
            &format!(r#"{{"keys":{}}}"#, jwk(new, "new")),
        ),
        unread("keys: a text", r#"{"keys":"x"}"#),
        unread("101 keys", &set(many(101))),
        Lie::body("10,000 keys", "too_large", set(many(10_000))),
        Lie::body("no keys", "no_usable_key", r#"{"keys":[]}"#),
        Lie::body("two keys with one kid", "no_usable_key", set(twice)),
    ];
    for (what, key) in unusable(new) {
        lies.push(Lie::body(what, "no_usable_key", set(vec![key])));
    }
    lies
}

#[test]
fn no_lie_about_keys_costs_a_key() {
    let trap = FakeIssuer::start(|_, stream| fake_issuer::json_document(stream, "{}"));
    let elsewhere = format!("http://127.0.0.1:{}/", trap.port());
    let liars = Liars::start("jwt", |_, known, new| {
        let good = json!({"keys": [jwk(known, "known"), jwk(new, "new")]}).to_string();
        let mut all = lies::of_transport(&good, &elsewhere);
        all.extend(lies::of_bodies(&good, "key_set"));
        all.extend(of_key_sets(known, new));
        all
    });
    assert!(liars.lies.len() >= 40);
    liars.come_to_nothing();
    assert_eq!(trap.asked(), 0, "somebody was sent elsewhere");
}

#[test]
fn a_bad_key_costs_no_other() {
    let (known, new) = (Key::new(), Key::new());
    let mut keys = vec![jwk(&known, "known")];
    keys.extend(unusable(&new).into_iter().map(|(_, key)| key));
    let set = json!({"keys": keys}).to_string();
    let issuer = FakeIssuer::start(move |_, stream| fake_issuer::json_document(stream, &set));
    let base = format!("http://127.0.0.1:{}", issuer.port());
    let sidecar = Sidecar::start(&config(&authenticator("jwt", &base, 0)));
    let asker = sidecar.asker();
    for (key, kid, reason) in [
        (&known, "known", "allowed"),
        (&new, "new", "invalid_credential"),
        (&new, "known", "invalid_credential"),
        (&known, "new", "invalid_credential"),
    ] {
        let token = key.token_of(&format!("{base}/000"), kid, RESOURCE);
        let verdict = asker.both(&Ask::call("get_forecast").bearer(&token));
        assert_eq!(verdict.reason, reason, "{kid}");
    }
    let told = sidecar.printed();
    let secrets = told.matches("the issuer publishes a secret").count();
    assert_eq!(secrets, 2, "{told}");
    assert!(!told.contains("BwcHBwcHBwcH"), "a secret is in the log");
}

/// What is offered beyond all bounds is let go of at once.
#[test]
fn however_much_an_issuer_sends_little_is_kept() {
    let key = Key::new();
    // As large as a set may be, so that what it takes to read one is there already.
    let padding = "x".repeat(250_000);
    let good = json!({"keys": [jwk(&key, "known")], "padding": padding}).to_string();
    let json = lies::JSON;
    let chunked = "transfer-encoding: chunked";
    let spaces = " ".repeat(200_000);
    let wide = format!("{{\"keys\":[\"{}\"]}}", "k".repeat(250_000));
    let offers = [
        Lie::endless(
            "announced",
            "too_large",
            lies::head("200 OK", &[json, "content-length: 104857600"]),
            " ",
        ),
        Lie::endless(
            "not announced",
            "too_large",
            lies::head("200 OK", &[json]),
            " ",
        ),
        Lie::endless(
            "in chunks",
            "too_large",
            lies::head("200 OK", &[json, chunked]),
            "4\r\n    \r\n",
        ),
        Lie::endless(
            "in one chunk",
            "too_large",
            [&lies::head("200 OK", &[json, chunked])[..], b"6400000\r\n"].concat(),
            " ",
        ),
        Lie::endless(
            "in headers",
            "connect",
            "HTTP/1.1 200 OK\r\n",
            "x-a: aaaaaaaaaaaaaaaaaaaaaa\r\n",
        ),
        Lie::endless(
            "in one header",
            "connect",
            "HTTP/1.1 200 OK\r\nx: ",
            "aaaaaaaaaaaaaaaa",
        ),
        Lie::endless(
            "in the status",
            "connect",
            "HTTP/1.1 200 ",
            "aaaaaaaaaaaaaaaa",
        ),
        Lie::body("in brackets", "key_set", "[".repeat(250_000)),
        Lie::body("in one text", "no_usable_key", wide),
        Lie::body("in spaces", "key_set", spaces),
        Lie::new(
            "in a bomb",
            "content_type",
            lies::answer(
                "200 OK",
                &[json, "content-encoding: gzip"],
                lies::bomb("{}"),
            ),
        ),
    ];
    for offer in offers {
        let what = offer.what.clone();
        let outcome = offer.outcome;
        let state = Arc::new((AtomicUsize::new(GOOD), AtomicUsize::new(0)));
        let issuer = FakeIssuer::start({
            let (state, good) = (Arc::clone(&state), good.clone());
            move |_, stream| {
                if state.0.load(Ordering::SeqCst) == GOOD {
                    fake_issuer::json_document(stream, &good);
                } else {
                    state.1.fetch_max(offer.tell(stream), Ordering::SeqCst);
                }
            }
        });
        let base = format!("http://127.0.0.1:{}", issuer.port());
        let sidecar = Sidecar::start_measured(&config(&authenticator("jwt", &base, 0)));
        let asker = sidecar.asker();
        let ask = |kid: &str| {
            let token = key.token_of(&format!("{base}/000"), kid, RESOURCE);
            asker.grpc(&Ask::call("get_forecast").bearer(&token)).reason
        };
        assert_eq!(ask("known"), "allowed", "{what}");
        let before = sidecar.resident_kib();
        state.0.store(LYING, Ordering::SeqCst);
        let began = Instant::now();
        let mut peak = before;
        let refused = poll(SOON, || {
            ask("new");
            peak = peak.max(sidecar.resident_kib());
            sidecar
                .outcomes("jwks_refresh", "far-0")
                .contains_key(outcome)
        });
        let lasted = began.elapsed();
        thread::sleep(Duration::from_millis(300));
        peak = peak.max(sidecar.resident_kib());
        let found = sidecar.outcomes("jwks_refresh", "far-0");
        assert!(refused, "{what}: {found:?}");
        assert_eq!(ask("known"), "allowed", "{what}");
        let (grown, sent) = (peak.saturating_sub(before), state.1.load(Ordering::SeqCst));
        eprintln!(
            "too much {what}: refused after {lasted:?} as {outcome}, {sent} bytes taken, grew {grown} KiB at most"
        );
        assert!(grown < 4 * MIB, "{what}: grew {grown} KiB");
        assert!(lasted < Duration::from_secs(7), "{what}: {lasted:?}");
    }
}
