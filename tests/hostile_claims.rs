//! Claims that no honest issuer makes: they have one reading or none, and open what they were made for.

#![expect(
    clippy::needless_raw_string_hashes,
    clippy::string_slice,
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::fake_issuer;
use support::fake_issuer::FakeIssuer;
use support::scene::tokens::OTHER;
use support::scene::tokens::RESOURCE;
use support::scene::tokens::admin;
use support::scene::tokens::world;
use support::sidecar::Sidecar;
use support::tokens::ISSUER;
use support::tokens::Key;
use support::tokens::now;

const TWIN: &str = "https://twin.example";

#[test]
fn claims_have_one_reading_or_none() {
    let world = world();
    let header = r#"{"typ":"at+jwt","alg":"ES256"}"#;
    let now = now();
    let exp = now + 300;
    let whole = |more: &str| {
        format!(r#"{{"iss":"{ISSUER}","sub":"alice","aud":"{RESOURCE}","exp":{exp}{more}}}"#)
    };
    let good = world.key.sign_text(header, whole(r#","roles":["viewer"]"#));
    assert_eq!(world.verdict(&good).0, "allowed", "the control");
    let deep = format!(r#","x":{}1{}"#, "[".repeat(17), "]".repeat(17));
    let deeper = format!(r#","x":{}1{}"#, "[".repeat(1500), "]".repeat(1500));
    let texts = [
        whole(r#","roles":["viewer"],"roles":["admin"]"#),
        whole(r#","\u0073ub":"root""#),
        whole(r#","iss":"x""#),
        whole(r#","aud":"x""#),
        whole(r#","exp":1"#),
        whole(r#","x":{"a":1,"a":2}"#),
        whole(&deep),
        whole(&deeper),
        whole(r#","x":1e999"#),
        whole(r#","x":"\ud800""#),
        whole(",}"),
        whole(r#"} {"a":1"#),
        String::new(),
        format!(r#"["{ISSUER}","alice","{RESOURCE}",{exp}]"#),
        format!(r#"[{}]"#, whole("")),
        format!("\u{feff}{}", whole("")),
        "null".to_owned(),
        "1".to_owned(),
        "\"x\"".to_owned(),
    ];
    for text in &texts {
        world.refuses(text, &world.key.sign_text(header, text));
    }
    for header in [
        r#"{"typ":"at+jwt","alg":"ES256","alg":"ES256"}"#,
        r#"{"typ":"at+jwt","alg":"ES256","\u0061lg":"none"}"#,
        r#"{"typ":"at+jwt","alg":"ES256","x":{"a":1,"a":1}}"#,
        r#"["ES256"]"#,
        "null",
        "",
        "{}",
        r#"{"alg":"ES256""#,
    ] {
        world.refuses(header, &world.key.sign_text(header, whole("")));
    }
    world.refuses("UTF-16", &world.key.sign_text(header, utf16(&whole(""))));
    world.refuses(
        "not UTF-8",
        &world.key.sign_text(header, b"{\"sub\":\"\xff\"}"),
    );
}

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn issuer_audience_and_times_are_exact() {
    let world = world();
    let now = now();
    let huge = "a".repeat(2000);
    let many: Vec<String> = (0..17)
        .map(|n| format!("{RESOURCE}/{n}"))
        .chain([RESOURCE.into()])
        .collect();
    let rows = [
        json!({"iss": null}),
        json!({"iss": [ISSUER]}),
        json!({"iss": ["https://evil.example", ISSUER]}),
        json!({"iss": 1}),
        json!({"iss": {"iss": ISSUER}}),
        json!({"iss": format!("{ISSUER}/")}),
        json!({"iss": ISSUER.to_uppercase()}),
        json!({"iss": format!(" {ISSUER}")}),
        json!({"iss": format!("{ISSUER}\0")}),
        json!({"iss": &ISSUER[..ISSUER.len() - 1]}),
        json!({"iss": format!("{ISSUER}.evil.example")}),
        json!({"iss": "https://evil.example"}),
        json!({"aud": null}),
        json!({"aud": 1}),
        json!({"aud": {"aud": RESOURCE}}),
        json!({"aud": []}),
        json!({"aud": ""}),
        json!({"aud": ["a", 5]}),
        json!({"aud": [RESOURCE, 5]}),
        json!({"aud": [null]}),
        json!({"aud": true}),
        json!({"aud": [[RESOURCE]]}),
        json!({"aud": format!("{RESOURCE}/")}),
        json!({"aud": &RESOURCE[..RESOURCE.len() - 1]}),
        json!({"aud": format!("{RESOURCE}s")}),
        json!({"aud": "https://mcp.example.com"}),
        json!({"aud": "*"}),
        json!({"aud": many}),
        json!({"aud": RESOURCE.to_uppercase()}),
        json!({"aud": format!("{RESOURCE} x")}),
        json!({"aud": OTHER}),
        json!({"aud": format!("x,{RESOURCE}")}),
        json!({"aud": format!("{RESOURCE}?")}),
        json!({"exp": null}),
        json!({"exp": (now + 300).to_string()}),
        json!({"exp": 1.5e9}),
        json!({"exp": -1}),
        json!({"exp": f64::from(u32::try_from(now).expect("before 2106")) + 300.5}),
        json!({"exp": u64::MAX}),
        json!({"exp": 1_000_000_000_000_000_000_u64}),
        json!({"exp": 1_u64 << 53}),
        json!({"exp": now - 60}),
        json!({"exp": now + 90_000}),
        json!({"exp": 0}),
        json!({"exp": [now + 300]}),
        json!({"exp": true}),
        json!({"exp": {}}),
        json!({"exp": f64::MAX}),
        json!({"nbf": now + 60}),
        json!({"nbf": now.to_string()}),
        json!({"nbf": -1}),
        json!({"nbf": 1.5}),
        json!({"nbf": u64::MAX}),
        json!({"nbf": []}),
        json!({"iat": now + 60}),
        json!({"iat": "x"}),
        json!({"iat": -5}),
        json!({"iat": 0.5}),
        json!({"iat": u64::MAX}),
        json!({"nonce": "n"}),
        json!({"at_hash": "x"}),
        json!({"c_hash": "x"}),
        json!({"nonce": []}),
        json!({"token_use": "id"}),
        json!({"typ": "ID"}),
        json!({"typ": "Refresh"}),
        json!({"typ": "offline"}),
        json!({"cnf": {"jkt": "x"}}),
        json!({"cnf": {}}),
        json!({"cnf": "x"}),
        json!({"cnf": []}),
        json!({"cnf": {"x5t#S256": "x"}}),
        json!({"sub": "a\0b"}),
        json!({"sub": "a\nb"}),
        json!({"sub": "a\u{7f}"}),
        json!({"sub": "a\u{85}"}),
        json!({"sub": ""}),
        json!({"sub": 1}),
        json!({"sub": ["alice"]}),
        json!({"sub": {"a": 1}}),
        json!({"sub": true}),
        json!({"client_id": ""}),
        json!({"client_id": ["app"]}),
        json!({"client_id": "a\rb"}),
        json!({"sub": null, "client_id": null}),
        json!({"roles": {"admin": true}}),
        json!({"roles": ["admin", 1]}),
        json!({"roles": [["admin"]]}),
        json!({"roles": 1}),
        json!({"roles": ["ad\0min"]}),
        json!({"scope": ["a", {}]}),
        json!({"scope": 1}),
        json!({"scope": {"a": 1}}),
        json!({"groups": [null]}),
        json!({"groups": true}),
        json!({"tenant": 1}),
        json!({"tenant": ["t"]}),
        json!({"x": huge}),
        json!({"a.b": 1, "a": {"b": 2}}),
        json!({"roles": (0..300).map(|n| n.to_string()).collect::<Vec<_>>()}),
        json!({"x": (0..70).map(|n| n.to_string()).collect::<Vec<_>>()}),
    ];
    for row in rows {
        // `token` takes a null for an absence, and so do the rows above.
        world.refuses(
            &row.to_string(),
            &world.key.token(RESOURCE, &admin(row.clone())),
        );
    }
    for name in ["iss", "sub", "aud", "exp", "nbf", "iat", "roles", "cnf"] {
        let mut claims = world.claims(&admin(json!({})));
        claims
            .as_object_mut()
            .expect("an object")
            .insert(name.to_owned(), Value::Null);
        let header = json!({"typ": "at+jwt", "alg": "ES256"});
        world.refuses(&format!("null {name}"), &world.key.sign(&header, &claims));
    }
}

#[test]
fn a_claim_in_cedars_own_form_is_only_a_claim() {
    let world = world();
    let entity = |kind: &str| json!({"__entity": {"type": kind, "id": "admin"}});
    let alert = |claims: Value| {
        let token = world.key.token(RESOURCE, &claims);
        world
            .asker
            .both(&Ask::call("set_alert").bearer(&token))
            .reason
    };
    assert_eq!(alert(json!({"dept": "admin"})), "allowed", "the control");
    for claims in [
        json!({"dept": entity("Mcp::Role")}),
        json!({"dept": [entity("Mcp::Role")]}),
        json!({"dept": {"__extn": {"fn": "ip", "arg": "admin"}}}),
        json!({"dept": {"__expr": "admin"}}),
        json!({"__entity": {"type": "Mcp::Role", "id": "admin"}}),
        json!({"dept.__entity.id": "admin"}),
        json!({"dept": {"": "admin"}}),
        json!({"sub": "alice\" in Mcp::Role::\"admin"}),
        json!({"parents": [entity("Mcp::Role")]}),
        json!({"scope": "Mcp::Role::\"admin\""}),
        json!({"uid": entity("Mcp::Role"), "attrs": {"scopes": ["weather:write"]}}),
        json!({"iss ": "x", "roles ": ["admin"], "Roles": ["admin"], "ROLES": ["admin"]}),
    ] {
        // The one tag of a literal name is what it says: a string under that name.
        let literal = claims.get("dept.__entity.id").is_some();
        let expected = if literal {
            "allowed"
        } else {
            "insufficient_scope"
        };
        assert_eq!(alert(claims.clone()), expected, "{claims}");
    }
    for claims in [
        json!({"roles": entity("Mcp::Role")}),
        json!({"roles": [entity("Mcp::Role")]}),
    ] {
        assert_eq!(alert(claims.clone()), "invalid_credential", "{claims}");
    }
}

#[test]
fn a_cached_token_opens_only_what_it_was_made_for() {
    let world = world();
    let token = world.key.token(RESOURCE, &admin(json!({})));
    let elsewhere = Ask::call("get_forecast")
        .bearer(&token)
        .at("mcp.example.com", "/other");
    for round in 0..3 {
        assert_eq!(world.verdict(&token).0, "allowed", "round {round}");
        assert_eq!(
            world.asker.both(&elsewhere).reason,
            "invalid_credential",
            "round {round}"
        );
    }
    let mut short = json!({"exp": now().saturating_sub(28)});
    short["roles"] = json!(["viewer"]);
    let short = world.key.token(RESOURCE, &short);
    assert_eq!(world.verdict(&short).0, "allowed", "within the leeway");
    std::thread::sleep(std::time::Duration::from_millis(3_100));
    world.refuses("expired in the cache", &short);
    let printed = world.sidecar.printed();
    for part in token.split('.').skip(1) {
        assert!(
            !printed.contains(part),
            "a token was printed, at the level debug"
        );
    }
}

#[test]
fn two_issuers_with_one_key_name_are_two_issuers() {
    let (first, second) = (Key::new(), Key::new());
    let sets = [
        fake_issuer::key_set(&first, "k1"),
        fake_issuer::key_set(&second, "k1"),
    ];
    let issuer = FakeIssuer::start(move |path, stream| {
        let set = if path == "/first" { &sets[0] } else { &sets[1] };
        fake_issuer::json_document(stream, set);
    });
    let authenticator = |name: &str, issuer_name: &str, path: &str| {
        let port = issuer.port();
        format!(
            "- {{name: {name}, type: jwt, issuer: \"{issuer_name}\", \
             jwks_uri: \"http://127.0.0.1:{port}{path}\", insecure_allow_http: true, \
             roles: {{prefix: \"{name}:\"}}}}\n"
        )
    };
    let config = format!(
        "authenticators:\n{}{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n",
        authenticator("first", ISSUER, "/first"),
        authenticator("second", TWIN, "/second"),
    );
    let sidecar = Sidecar::start(&config);
    let asker = sidecar.asker();
    let ask = |key: &Key, issuer: &str, kid: &str| {
        let claims = json!({"iss": issuer, "sub": "alice", "aud": RESOURCE, "exp": now() + 300,
            "scope": "weather:read"});
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": kid});
        let token = key.sign(&header, &claims);
        asker.both(&Ask::call("get_forecast").bearer(&token)).reason
    };
    for _ in 0..2 {
        assert_eq!(ask(&first, ISSUER, "k1"), "allowed");
        assert_eq!(ask(&second, TWIN, "k1"), "allowed");
        assert_eq!(ask(&second, ISSUER, "k1"), "invalid_credential");
        assert_eq!(ask(&first, TWIN, "k1"), "invalid_credential");
    }
    let before = issuer.asked();
    for n in 0..300 {
        assert_eq!(
            ask(&Key::new(), ISSUER, &format!("k{n}x")),
            "invalid_credential"
        );
    }
    let fetched = issuer.asked() - before;
    assert!(fetched <= 2, "{fetched} fetches for 300 unknown keys");
}
