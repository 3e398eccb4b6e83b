//! Bindings in a Redis: replicas agree on them, and without it no session is let in.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::scene;
use crate::scene::Scene;
use crate::support::ask::Ask;
use crate::support::certificates::Certificates;
use crate::support::envoy::poll;
use crate::support::port;
use crate::support::process::READY;
use crate::support::redis::RedisServer;

/// What of a session a replica believes without asking again, and a little more.
const REMEMBERED: Duration = Duration::from_millis(5_200);

fn config(url: &str) -> String {
    format!("sessions: {{store: redis, idle: 1h, per_principal: 3, redis: {{url: \"{url}\"}}}}\n")
}

fn redis_and_scene() -> (RedisServer, Scene) {
    let redis = RedisServer::start();
    let scene = Scene::start(&config(&redis.url()));
    (redis, scene)
}

#[test]
fn replicas_agree_whose_a_session_is() {
    let (redis, scene) = redis_and_scene();
    let replica = scene.replica(&config(&redis.url()));
    let other = replica.asker();
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    let there = |session: &str, token: &str| other.both(&scene.call(session, token)).reason;
    assert_eq!(scene.reason("s", &alice), "allowed");
    assert_eq!(there("s", &bob), "session_mismatch");
    assert_eq!(there("s", &alice), "allowed");
    assert_eq!(there("t", &bob), "allowed");
    assert_eq!(scene.reason("t", &alice), "session_mismatch");
    drop((other, replica));
    let again = scene.restarted(&config(&redis.url()));
    assert_eq!(
        again.reason("s", &bob),
        "session_mismatch",
        "after a restart"
    );
    assert_eq!(again.reason("s", &alice), "allowed");

    let keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    assert_eq!(keys.len(), 4, "{keys:?}");
    for key in &keys {
        let left: i64 = redis.ask(&["PTTL", key]);
        assert!((3_500_000..=3_600_000).contains(&left), "{key}: {left}");
        assert!(key.starts_with("cedargate:session"), "{key}");
        let digest = key.rsplit(':').next().map_or(0, str::len);
        assert_eq!(digest, 43, "a digest and nothing else: {key}");
    }
}

#[test]
fn what_is_known_of_a_session_is_not_asked_for_again_at_once() {
    let (redis, scene) = redis_and_scene();
    let alice = scene.user("alice", "app");
    assert_eq!(scene.reason("s", &alice), "allowed");
    let questions = || -> u64 {
        let stats: String = redis.ask(&["INFO", "commandstats"]);
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_eval:calls="));
        let count = line.and_then(|line| line.split(',').next());
        count.expect("scripts ran").parse().expect("a number")
    };
    assert_eq!(questions(), 2, "to look, and to bind");
    for _ in 0..20 {
        assert_eq!(scene.reason("s", &alice), "allowed");
    }
    assert_eq!(questions(), 2);
    let without = Ask::call("get_forecast").bearer(&alice);
    assert_eq!(scene.asker.both(&without).reason, "allowed");
    assert_eq!(questions(), 2, "no session, no question");
}

#[test]
fn a_principal_has_so_many_sessions_at_all_replicas_together() {
    let (redis, scene) = redis_and_scene();
    let replica = scene.replica(&config(&redis.url()));
    let other = replica.asker();
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    for session in ["1", "2", "3", "4"] {
        assert_eq!(scene.reason(session, &alice), "allowed");
    }
    let there = |session: &str, token: &str| other.both(&scene.call(session, token)).reason;
    for session in ["2", "3", "4"] {
        assert_eq!(there(session, &bob), "session_mismatch");
    }
    assert_eq!(there("1", &bob), "allowed", "her oldest");
    let metrics = scene.sidecar.ask_admin("/metrics").text();
    for line in [
        "cedargate_session_bindings_total{outcome=\"evicted\"} 1",
        "cedargate_session_store_total{outcome=\"ok\"} 8",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    let books: Vec<String> = redis.ask(&["KEYS", "cedargate:sessions-of:*"]);
    let sizes: BTreeMap<u64, &String> = books
        .iter()
        .map(|key| (redis.ask(&["ZCARD", key]), key))
        .collect();
    let sizes: Vec<u64> = sizes.into_keys().collect();
    assert_eq!(sizes, [1, 3]);
}

#[test]
fn a_binding_in_redis_ends_some_time_after_its_last_use() {
    let redis = RedisServer::start();
    let short = config(&redis.url()).replace("1h", "8s");
    let scene = Scene::start(&short);
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    for _ in 0..5 {
        assert_eq!(scene.reason("s", &alice), "allowed", "each use is noted");
        thread::sleep(Duration::from_secs(2));
    }
    assert_eq!(scene.reason("s", &bob), "session_mismatch");
    thread::sleep(Duration::from_secs(8));
    assert_eq!(scene.reason("s", &bob), "allowed");
    assert_eq!(scene.reason("s", &alice), "session_mismatch");
}

#[test]
fn of_a_thousand_first_uses_at_two_replicas_one_principal_wins() {
    let redis = RedisServer::start();
    let config = config(&redis.url()) + "limits: {deadline: 20s}\n";
    let scene = Scene::start(&config);
    let replica = scene.replica(&config);
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    scene::one_owner(&[&scene.asker, &replica.asker()], |n| {
        scene.call("s", if n % 2 == 0 { &alice } else { &bob })
    });
}

#[test]
fn without_redis_no_session_is_let_in_and_everything_else_is() {
    let (mut redis, scene) = redis_and_scene();
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    assert_eq!(scene.reason("s", &alice), "allowed");
    redis.kill();
    let refused = scene.asker.both(&scene.call("t", &alice));
    assert_eq!((&*refused.reason, refused.status), ("internal_error", 503));
    let record = scene
        .sidecar
        .record(|record| record["reason"] == "internal_error");
    let message = record["message"].as_str().expect("a message");
    assert!(message.starts_with("the session store"), "{message}");
    assert_eq!(
        scene.reason("s", &bob),
        "session_mismatch",
        "it was seen lately"
    );
    thread::sleep(REMEMBERED);
    for token in [&alice, &bob] {
        assert_eq!(
            scene.reason("s", token),
            "internal_error",
            "nobody knows any more"
        );
        let without = Ask::call("get_forecast").bearer(token);
        assert_eq!(scene.asker.both(&without).reason, "allowed");
    }
    assert_eq!(scene.sidecar.ask_admin("/readyz").status, 200);
    let metrics = scene.sidecar.ask_admin("/metrics").text();
    let line = "cedargate_session_store_total{outcome=\"error\"}";
    assert!(metrics.contains(line), "{metrics}");
    redis.restart();
    let back = poll(READY, || asked_once(&scene, &bob) == "allowed");
    assert!(back, "Redis is there again, with nothing in it");
    assert_eq!(scene.reason("s", &alice), "session_mismatch");
}

#[test]
fn a_redis_that_stops_in_the_middle_costs_no_more_than_the_deadline() {
    let redis = RedisServer::start();
    let config = config(&redis.url()) + "limits: {deadline: 400ms}\n";
    let scene = Scene::start(&config);
    let alice = scene.user("alice", "app");
    redis.freeze(true);
    hangs(&scene, &alice);
    redis.freeze(false);
    let back = poll(READY, || asked_once(&scene, &alice) == "allowed");
    assert!(back, "it goes on");
}

#[test]
fn what_says_nothing_at_all_costs_no_more_than_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let kept: Vec<_> = listener.incoming().collect();
        drop(kept);
    });
    let config = config(&format!("redis://127.0.0.1:{port}")) + "limits: {deadline: 400ms}\n";
    let scene = Scene::start(&config);
    hangs(&scene, &scene.user("alice", "app"));
}

/// What is said over gRPC, where a moment later another answer may be right.
fn asked_once(scene: &Scene, token: &str) -> String {
    scene.asker.grpc(&scene.call("s", token)).reason
}

/// Requests with a session are refused in time, and the others do not notice.
#[expect(clippy::disallowed_methods, reason = "the promise is about time")]
fn hangs(scene: &Scene, token: &str) {
    for n in 0..5 {
        let began = Instant::now();
        let refused = scene.asker.grpc(&scene.call(&format!("s{n}"), token));
        let took = began.elapsed();
        assert_eq!((&*refused.reason, refused.status), ("internal_error", 503));
        assert!(took < Duration::from_millis(400 + 300), "{took:?}");
        let without = Ask::call("get_forecast").bearer(token);
        assert_eq!(scene.asker.grpc(&without).reason, "allowed");
    }
}

#[test]
fn what_is_no_binding_lets_nobody_in() {
    let (redis, scene) = redis_and_scene();
    let alice = scene.user("alice", "app");
    assert_eq!(scene.reason("probe", &alice), "allowed");
    let keys: Vec<String> = redis.ask(&["KEYS", "cedargate:session:*"]);
    let key = keys.first().expect("the probe's");
    thread::sleep(REMEMBERED);
    let spoil: [&[&str]; 8] = [
        &["SET", key, "alice"],
        &["SET", key, "\u{1}"],
        &["HSET", key, "a", "b"],
        &["RPUSH", key, "a"],
        &["SADD", key, "a"],
        &["ZADD", key, "1", "a"],
        &["XADD", key, "*", "a", "b"],
        &["SETBIT", key, "8000000", "1"],
    ];
    for words in spoil {
        redis.ask::<()>(&["DEL", key]);
        redis.ask::<redis::Value>(words);
        let refused = scene.asker.both(&scene.call("probe", &alice));
        assert_eq!(
            (&*refused.reason, refused.status),
            ("internal_error", 503),
            "{words:?}"
        );
    }
    redis.ask::<()>(&["FLUSHALL"]);
    assert_eq!(scene.reason("probe", &alice), "allowed", "it does not last");
    let books: Vec<String> = redis.ask(&["KEYS", "cedargate:sessions-of:*"]);
    let book = books.first().expect("hers");
    redis.ask::<()>(&["DEL", book]);
    redis.ask::<()>(&["SET", book, "x"]);
    assert_eq!(scene.reason("next", &alice), "internal_error");
    let keys: Vec<String> = redis.ask(&["KEYS", "cedargate:session:*"]);
    assert_eq!(keys.len(), 1, "what cannot be counted is not bound");
}

#[test]
fn a_password_is_sent_and_never_shown() {
    let redis = RedisServer::start_at(port::free(), Some("hunter2-hunter2"));
    let scene = Scene::start(&config(&redis.url()));
    let alice = scene.user("alice", "app");
    assert_eq!(scene.reason("s", &alice), "allowed");
    let wrong = redis.url().replace("hunter2-hunter2", "hunter2-wrong");
    let locked_out = scene.replica(&config(&wrong));
    let asker = locked_out.asker();
    assert_eq!(
        asker.both(&scene.call("s", &alice)).reason,
        "internal_error"
    );
    for printed in [scene.sidecar.printed(), locked_out.printed()] {
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}

#[test]
fn over_tls_it_must_be_the_server_that_is_meant() {
    let redis = RedisServer::start();
    let ours = Certificates::issue(&["redis.example"]);
    let others = Certificates::issue(&["redis.example"]);
    let runtime = Runtime::new().expect("a runtime");
    let port = tls_in_front(&runtime, &ours, redis.port());
    let trusting = |authority: &Certificates| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, &authority.of("ca").certificate).expect("a file");
        let config = format!(
            "sessions: {{store: redis, redis: {{url: \"rediss://127.0.0.1:{port}\", ca_file: {}}}}}\n",
            file.display()
        );
        Scene::start(&config)
    };
    let scene = trusting(&ours);
    assert_eq!(scene.reason("s", &scene.user("alice", "app")), "allowed");
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    assert_eq!(keys.len(), 2);
    let scene = trusting(&others);
    let refused = scene.reason("s", &scene.user("alice", "app"));
    assert_eq!(refused, "internal_error", "another authority's certificate");
}

/// Ends TLS in front of a port.
fn tls_in_front(runtime: &Runtime, certificates: &Certificates, to: u16) -> u16 {
    let issued = certificates.of("redis.example");
    let chain: Vec<_> = CertificateDer::pem_slice_iter(issued.certificate.as_bytes())
        .map(|one| one.expect("a certificate"))
        .collect();
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut inside) = acceptor.accept(stream).await else {
                    return;
                };
                let mut outside = TcpStream::connect(("127.0.0.1", to)).await.expect("Redis");
                drop(copy_bidirectional(&mut inside, &mut outside).await);
            });
        }
    });
    port
}
