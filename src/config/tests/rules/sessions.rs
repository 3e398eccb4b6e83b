//! Rules of the section about sessions.

use super::*;

const SESSIONS: Cases = &[
    ("sessions: {}", ""),
    ("sessions: null", ""),
    ("sessions: {store: memory, idle: 1s, per_principal: 1}", ""),
    ("sessions: {idle: 720h, per_principal: 10000}", ""),
    ("sessions: bind", "expected a mapping, found `bind`"),
    ("sessions: {store: file}", "`file` is not known here"),
    ("sessions: {idle: 999ms}", "between 1s and 720h"),
    ("sessions: {idle: 721h}", "between 1s and 720h"),
    ("sessions: {per_principal: 0}", "between 1 and 10000"),
    ("sessions: {per_principal: 10001}", "between 1 and 10000"),
    (
        "sessions: {per_principal: -1}",
        "expected a whole number, found `-1`",
    ),
    (
        "sessions: {per_principal: 1.5}",
        "expected a whole number, found `1.5`",
    ),
    ("sessions: {store: redis}", "missing key `redis`"),
    ("sessions: {store: redis, redis: {}}", "missing key `url`"),
    (
        "sessions: {redis: {url: 'redis://127.0.0.1'}}",
        "a `redis` that is not used (set `store: redis`",
    ),
    (
        "sessions: {store: redis, redis: {url: 'redis://127.0.0.1'}}",
        "",
    ),
    (
        "sessions: {store: redis, redis: {url: 'redis://u:p@[::1]:7000/3', prefix: a}}",
        "",
    ),
    (
        "sessions: {store: redis, redis: {url: 'rediss://redis.example', ca_file: ca.pem}}",
        "",
    ),
    (
        "sessions: {store: redis, redis: {url: 'redis://redis.example'}}",
        "would be sent in plain text (use `rediss://`; for experiments only",
    ),
    (
        "sessions: {store: redis, redis: {url: 'redis://redis.example', insecure_allow_plaintext: true}}",
        "warning: `insecure_allow_plaintext` is on: whoever is on the network path",
    ),
    (
        "sessions: {store: redis, redis: {url: 'redis://localhost', ca_file: ca.pem}}",
        "`ca_file` has no meaning without TLS",
    ),
    (
        "sessions: {store: redis, redis: {url: 'rediss://h', ca_file: rsa.pem}}",
        "holds no certificates",
    ),
    (
        "sessions: {store: redis, redis: {url: 'http://127.0.0.1'}}",
        "not the URL of a Redis",
    ),
    (
        "sessions: {store: redis, redis: {url: 'rediss://h/#insecure'}}",
        "a query or a fragment",
    ),
    (
        "sessions: {store: redis, redis: {url: 'redis://127.0.0.1', prefix: 'a b'}}",
        "`a b` is not a prefix of keys",
    ),
    (
        "sessions: {store: redis, redis: {url: 'redis://127.0.0.1', prefix: ''}}",
        "empty text",
    ),
];

#[test]
fn sessions() {
    check(SESSIONS, beside_the_rest);
}

#[test]
fn a_password_may_come_from_the_environment() {
    let text = "sessions: {store: redis, redis: {url: 'redis://:${WORD}@127.0.0.1'}}";
    let config = parsed(&beside_the_rest(text)).unwrap().config;
    let SessionStoreKind::Redis(redis) = &config.sessions.store else {
        panic!("a Redis");
    };
    assert_eq!(redis.url.expose_secret(), "redis://:hunter2@127.0.0.1");
    assert_eq!(redis.shown, "redis://<redacted>@127.0.0.1:6379/0");
    assert!(!format!("{config:?}").contains("hunter2"));
}
