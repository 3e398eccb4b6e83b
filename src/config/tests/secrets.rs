//! What no report may show.

use super::*;
use crate::fault::render::render;
use crate::fault::render::render_json;

/// Every way of putting `hunter2` into a file that is wrong somewhere near it.
#[test]
fn no_fault_shows_a_secret() {
    for text in [
        "admin: {token: hunter2, bogus: 1}",
        "admin: {bogus: 1, token: hunter2}",
        "admin: {token: [hunter2]}",
        "admin: {token: {a: hunter2}}",
        "admin: {token: {hunter2: a}}",
        "admin:\n  token: |\n    hunter2\n    hunter2\n",
        "admin: {token: \"hunter2 \\u00e9\"}",
        "admin: {tokne: hunter2}",
        "admin: {Token: hunter2}",
        "admin: {tokens: hunter2}",
        "admin_password: hunter2",
        "listen: {shared_secret: hunter2, grpc: nowhere}",
        "listen: {sharedsecret: hunter2}",
        "listen: {grpc: \"${WORD}\"}",
        "listen: {grpc: \"${NONE:-hunter2}\", drain: x}",
        "listen: {grpc: \"unix:${WORD}\"}",
        "limits: {body: \"${WORD}\"}",
        "log: {level: \"${WORD}\"}",
        "log: {format: \"${WORD}\"}",
        "explain_to_anonymous: ${WORD}",
        "client_ip: {from: \"${WORD}\"}",
        "identity_headers: {prefix: \"${WORD}\", send: [\"${WORD}\"]}",
        "decision_log: {to: \"${WORD}\", arguments: \"${WORD}\"}",
        "admin: {token: \"hunter2}",
        "admin: {token: hunter2",
        "admin:\n  token: 'hunter2\n bogus: [",
        "log: {level: \"${WORD-hunter2}\"}",
        "x: [{name: a, client_secret: hunter2, b}]",
        "dev_tokens: {secret: hunter2}",
        "dev_tokens: {clients: [{client_id: a, client_secret: hunter2}]}",
        "dev_tokens: {clients: [{client_id: \"${WORD}#\", client_secret: x}]}",
        "dev_tokens: {clients: [{client_id: a, client_secrets: hunter2}]}",
        "revocations: \"${WORD}\"",
        "listen: {xfcc_peers: [\"${WORD}\"]}",
    ] {
        hides(text);
    }
}

#[test]
fn no_fault_shows_the_password_of_a_redis() {
    for text in [
        "sessions: redis://:hunter2@127.0.0.1",
        "sessions: [redis://:hunter2@127.0.0.1]",
        "sessions: {url: redis://:hunter2@127.0.0.1}",
        "sessions: {store: redis, redis: redis://:hunter2@127.0.0.1}",
        "sessions: {store: redis, redis: [redis://:hunter2@127.0.0.1]}",
        "sessions: {store: redis, redis: {url: [redis://:hunter2@127.0.0.1]}}",
        "sessions: {store: redis, redis: {ulr: ':hunter2@127.0.0.1'}}",
        "sessions: {store: redis, redis: {url: ':hunter2@127.0.0.1'}}",
        "sessions: {store: redis, redis: {url: 'http://:hunter2@127.0.0.1'}}",
        "sessions: {store: redis, redis: {url: 'redis://:hunter2@redis.example'}}",
        "sessions: {store: redis, redis: {url: 'redis://hunter2@127.0.0.1/x'}}",
        "sessions: {store: redis, redis: {url: 'redis://127.0.0.1/?password=hunter2'}}",
        "sessions: {store: redis, redis: {url: 'rediss://${WORD}@127.0.0.1/#insecure'}}",
        "sessions: {store: redis, redis: {prefix: '${WORD} ', url: 'redis://127.0.0.1'}}",
        "sessions: {store: redis, redis: {url: 'redis://:hunter2@127.0.0.1', bogus: 1}}",
        "sessions: {store: redis, redis: {url: 'redis://:hunter2@127.0.0.1'",
        "session: {store: redis, redis: {url: 'redis://:hunter2@127.0.0.1'}}",
        "sessions: {store: memory, redis: {url: 'redis://:hunter2@127.0.0.1'}}",
    ] {
        hides(text);
    }
}

/// The text has a fault, and no report of it shows the secret.
fn hides(text: &str) {
    let outcome = parsed(&format!("{text}\n{REST}"));
    let faults = outcome.expect_err(text);
    let shown = format!(
        "{}{}{faults:?}",
        render(&faults, false),
        render_json(&faults)
    );
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let shown = format!("{shown}{}", lines.join("\n"));
    assert!(!shown.contains("hunter2"), "{text}\n{shown}");
}

#[test]
fn secrets_near_issuers_and_keys_stay_hidden_too() {
    for text in [
        "{name: a, type: oidc, issuer: \"${WORD}#\"}",
        "{name: a, type: oidc, issuer: \"https://u:hunter2@a.example\"}",
        "{name: a, type: \"${WORD}\", issuer: x}",
        "{name: \"${WORD} \", type: oidc, issuer: https://a.example}",
        "{name: a, type: jwt, issuer: x, keys: [{secret: hunter2, algorithm: HS256}]}",
        "{name: a, type: jwt, issuer: x, keys: [{pem: hunter2, algorithm: RS256}]}",
        "{name: a, type: jwt, issuer: x, keys: [{file: \"${WORD}\", algorithm: \"${WORD}\"}]}",
        "{name: a, type: static_token, token: hunter2}",
        "{name: a, type: static_token, token: \"hunter2 hunter2\", subject: a}",
        "{name: a, type: static_token, token: [hunter2], subject: a}",
        "{name: a, type: static_token, tokn: hunter2, subject: a}",
        "{name: a, type: static_token, token: eyJ0.hunter2.hunter2, subject: a}",
        "{name: a, type: static_token, token: x, subject: \"${WORD}#\"}",
        "{name: a, type: api_key, keys: [{id: a, secret: hunter2}]}",
        "{name: a, type: api_key, keys: [{id: a, secret: \"hunter2 hunter2\"}]}",
        "{name: a, type: api_key, keys: [{id: a, hash: hunter2}]}",
        "{name: a, type: api_key, keys: [{id: a, hsah: hunter2}]}",
        "{name: a, type: api_key, keys: [{id: a, key: hunter2}]}",
        "{name: a, type: api_key, keys: [{id: a, value: hunter2}]}",
        "{name: a, type: static_token, subject: a, bearer: hunter2}",
        "{name: a, type: static_token, subject: a, key: hunter2}",
        "{name: a, type: api_key, keys: hunter2}",
        "{name: a, type: api_key, keys: [[hunter2]]}",
        "{name: a, type: api_key, keys: [hunter2]}",
        "{name: a, type: api_key, keys: {a: hunter2}}",
        "{name: a, type: api_key, keys: {hunter2+: a}}",
        "{name: a, type: api_key, kyes: {a: hunter2}}",
        "{name: a, type: api_key, keys: {a: [hunter2]}}",
        "{name: a, type: api_key, keys: {a: {secret: hunter2}}}",
        "{name: a, type: api_key, header: \"${WORD}-\", keys: {}}",
        "{name: a, type: mtls, trust_domains: [\"${WORD}/\"]}",
        "{name: a, type: mtls, trust_domains: [\"spiffe://${WORD}\"]}",
        "{name: a, type: introspection, endpoint: https://a.example, client_id: a, client_secret: \"hunter2\\n\"}",
        "{name: a, type: introspection, endpoint: \"https://a:hunter2@a.example\", client_id: a, client_secret: b}",
        "{name: a, type: introspection, endpoint: https://a.example, client_secert: hunter2}",
        "{name: a, type: jwt, issuer: x, keys: [{secret: hunter2hunter2hunter2hunter2hunter2, algorithm: RS256}]}",
        "{name: a, type: oidc, issuer: https://a.example, claims: {preset: \"${WORD}\"}}",
        "{name: a, type: oidc, issuer: https://a.example, rfc9068: true, token_types: [\"${WORD}\"]}",
        "{name: a, type: oidc, issuer: https://a.example, ca_file: \"${WORD}\"}",
        "{name: a, type: oidc, issuer: https://a.example, claims: {roles: \"/~${WORD}\"}}",
        "{name: a, type: oidc, issuer: https://a.example, algorithms: [\"${WORD}\"]}",
        "{name: a, type: oidc, issuer: https://a.example, leeway: \"${WORD}\"}",
    ] {
        let text = format!(
            "authenticators: [{text}]\nresources: [{{name: w, url: https://a.example, kind: mcp}}]\n"
        );
        let faults = parsed(&text).expect_err(&text);
        let shown = format!(
            "{}{}{faults:?}",
            render(&faults, false),
            render_json(&faults)
        );
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
    }
}

#[test]
fn a_secret_in_a_resource_stays_hidden() {
    for text in [
        "{name: \"${WORD}!\", url: \"${WORD}\", kind: \"${WORD}\"}",
        "{name: w, url: \"https://u:hunter2@a.example\", kind: mcp}",
        "{name: w, url: https://a.example, kind: mcp, authenticators: [\"${WORD}\"]}",
        "{name: w, url: https://a.example, kind: mcp, mcp: {allowed_origins: [\"${WORD}\"]}}",
        "{name: w, url: https://a.example, kind: mcp, mcp: {versions: [\"${WORD}\"]}}",
        "{name: w, url: https://a.example, kind: mcp, mcp: {batches: \"${WORD}\"}}",
        "{name: w, url: https://a.example, kind: http, routes: [{name: \"${WORD}!\", path: \"${WORD}\"}]}",
        "{name: w, url: https://a.example, kind: mcp, scopes: {hierarchy: {a: [\"${WORD} x\"]}}}",
        "{name: w, url: https://a.example, kind: mcp, metadata: {resource_tos_uri: \"${WORD}\"}}",
    ] {
        let text = format!(
            "authenticators: [{{name: a, type: oidc, issuer: https://a.example}}]\nresources: [{text}]\n"
        );
        let faults = parsed(&text).expect_err(&text);
        let shown = format!(
            "{}{}{faults:?}",
            render(&faults, false),
            render_json(&faults)
        );
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
    }
}

#[test]
fn what_stands_in_an_address_or_in_a_digest_is_not_shown() {
    let text = "authenticators:
- {name: opaque, type: introspection, endpoint: 'https://a.example/i?key=hunter2', client_id: rs, client_secret: s}
- {name: keys, type: api_key, keys: [{id: a, secret: 'a-secret-of-thirty-two-bytes-0000'}]}
- {name: shared, type: static_token, token: a-token-of-thirty-two-bytes-00000, subject: operator}
- {name: tokens, type: jwt, issuer: 'https://b.example', jwks_uri: 'https://b.example/jwks?code=hunter2', roles: {prefix: 'b:'}, groups: {prefix: 'b:'}, scopes: {prefix: 'b:'}}
resources: [{name: w, url: 'https://w.example/mcp', kind: mcp}]
policies:
  bundle:
    url: 'https://c.example/p.tar.gz?signature=hunter2'
    keep: kept
    keys: [{file: p256.pem, algorithm: ES256}]
";
    let config = parsed(text).unwrap().config;
    let described = describe(&config);
    assert!(
        described.contains("https://a.example/i?redacted"),
        "{described}"
    );
    assert!(!described.contains("hunter2"), "{described}");
    for authenticator in &config.authenticators {
        let shown = format!("{authenticator:?}");
        assert!(!shown.contains("digest"), "{shown}");
    }
}

#[test]
fn a_configuration_does_not_print_its_secrets() {
    let dev = files::text(&fixtures().join("dev.yaml"), LARGEST).unwrap();
    let dev = parsed(&dev).unwrap().config;
    let shown = format!("{:?}{dev:?}", full().config);
    assert!(!shown.contains("correct-horse"), "{shown}");
    assert!(!shown.contains("0123456789"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
