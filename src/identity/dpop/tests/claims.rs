//! For which request, at what time and beside which token a proof proves something.

#![expect(clippy::arithmetic_side_effects, reason = "small numbers in tests")]

use super::*;

#[test]
fn claims_are_required() {
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        assert_eq!(
            with_claims(&json!({name: null})),
            Err(DpopFault::ClaimMissing(name))
        );
        for value in [json!(["x"]), json!(1.5), json!({}), json!(true)] {
            let found = with_claims(&json!({name: value}));
            assert_eq!(
                found,
                Err(DpopFault::ClaimMalformed(name)),
                "{name} {value}"
            );
        }
    }
    for id in [
        String::new(),
        "a b".into(),
        "\u{e9}".into(),
        "a".repeat(257),
    ] {
        let found = with_claims(&json!({"jti": id}));
        assert_eq!(found, Err(DpopFault::ClaimMalformed("jti")), "{id}");
    }
    assert!(with_claims(&json!({"jti": "~".repeat(256)})).is_ok());
}

#[test]
fn another_request() {
    for method in ["GET", "post", "POST ", ""] {
        let found = with_claims(&json!({"htm": method}));
        assert_eq!(found, Err(DpopFault::MethodMismatch), "{method}");
    }
    for (url, fault) in [
        ("https://mcp.example/mcp/", DpopFault::UrlMismatch),
        ("https://mcp.example/MCP", DpopFault::UrlMismatch),
        ("https://mcp.example/", DpopFault::UrlMismatch),
        ("http://mcp.example/mcp", DpopFault::UrlMismatch),
        ("https://mcp.example:8443/mcp", DpopFault::UrlMismatch),
        ("https://other.example/mcp", DpopFault::UrlMismatch),
        ("https://mcp.example/?/mcp", DpopFault::UrlMismatch),
        ("/mcp", DpopFault::ClaimMalformed("htu")),
    ] {
        assert_eq!(with_claims(&json!({"htu": url})), Err(fault), "{url}");
    }
    for url in [
        "HTTPS://MCP.example:443/mcp",
        "https://mcp.example/mcp?a=b",
        "https://mcp.example/mcp#a",
        "https://mcp.example/%6Dcp",
        "https://mcp.example/a/../mcp",
    ] {
        assert!(with_claims(&json!({"htu": url})).is_ok(), "{url}");
    }
    let scene = Scene::of(testing::p256());
    let proof = DpopProof::new(proof(&header(), &claims())).unwrap();
    for url in ["", "https://mcp.example/mcp/a"] {
        let expected = Expected {
            url,
            ..scene.expected()
        };
        assert_eq!(
            verify(&proof, &expected),
            Err(DpopFault::UrlMismatch),
            "{url}"
        );
    }
}

#[test]
fn times() {
    use DpopFault::FromTheFuture;
    use DpopFault::TooOld;
    for (changes, expected) in [
        (json!({"iat": NOW - 300}), Ok(NOW + 1)),
        (json!({"iat": NOW - 301}), Err(TooOld)),
        (json!({"iat": NOW + 300}), Ok(NOW + 601)),
        (json!({"iat": NOW + 301}), Err(FromTheFuture)),
        (json!({"iat": i64::MIN}), Err(TooOld)),
        (json!({"iat": i64::MAX}), Err(FromTheFuture)),
        (
            json!({"iat": u64::MAX}),
            Err(DpopFault::ClaimMalformed("iat")),
        ),
        (
            json!({"iat": NOW.to_string()}),
            Err(DpopFault::ClaimMalformed("iat")),
        ),
        (json!({"exp": NOW + 1}), Ok(NOW + 1)),
        (json!({"exp": NOW}), Err(TooOld)),
        (json!({"exp": NOW + 86_400}), Ok(NOW + 301)),
        (json!({"exp": "1"}), Err(DpopFault::ClaimMalformed("exp"))),
        (json!({"nbf": NOW}), Ok(NOW + 301)),
        (json!({"nbf": NOW + 1}), Err(FromTheFuture)),
        (json!({"nbf": 1.5}), Err(DpopFault::ClaimMalformed("nbf"))),
    ] {
        let found = with_claims(&changes).map(|proven| proven.expires_s);
        assert_eq!(found, expected, "{changes}");
    }
}

#[test]
fn another_token() {
    let hash = |token: &str| URL_SAFE_NO_PAD.encode(digest::sha256(&[token.as_bytes()]));
    for ath in [
        hash("the-tokem"),
        format!("{}=", hash(TOKEN)),
        String::new(),
        hash(""),
    ] {
        let found = with_claims(&json!({"ath": ath}));
        assert_eq!(found, Err(DpopFault::TokenMismatch), "{ath}");
    }
}

#[test]
fn nonces() {
    let mut scene = Scene::of(testing::p256());
    let ask = |scene: &Scene, nonce: Value| {
        scene.verify(&proof(&header(), &with(claims(), &json!({"nonce": nonce}))))
    };
    let ours = Nonces::new([1; 32]);
    let good = json!(ours.issue(NOW));
    assert!(ask(&scene, json!("whatever")).is_ok(), "not asked for");
    scene.nonces = Some(ours);
    assert!(ask(&scene, good.clone()).is_ok());
    let foreign = json!(Nonces::new([2; 32]).issue(NOW));
    for nonce in [json!(null), json!(""), json!(1), json!([good]), foreign] {
        assert_eq!(
            ask(&scene, nonce.clone()),
            Err(DpopFault::NonceWanted),
            "{nonce}"
        );
    }
    // Asked for last: a proof that is bad otherwise is told so.
    let bad = proof(&header(), &with(claims(), &json!({"htm": "GET"})));
    assert_eq!(scene.verify(&bad), Err(DpopFault::MethodMismatch));
}

proptest! {
    #[test]
    fn a_proof_is_good_for_its_window_and_no_longer(off in -400..400_i64, exp in proptest::option::of(-400..400_i64)) {
        let mut scene = Scene::of(testing::p256());
        scene.now_s = NOW + off;
        let text = proof(&header(), &with(claims(), &json!({"exp": exp.map(|exp| NOW + exp)})));
        let inside = off.abs() <= WINDOW_S && exp.is_none_or(|exp| off < exp);
        let verdict = scene.verify(&text);
        prop_assert_eq!(verdict.is_ok(), inside);
        if let Ok(proven) = verdict {
            // It can be forgotten exactly when it is refused for its age.
            prop_assert!(proven.expires_s > scene.now_s);
            scene.now_s = proven.expires_s;
            prop_assert_eq!(scene.verify(&text), Err(DpopFault::TooOld));
            scene.now_s -= 1;
            prop_assert!(scene.verify(&text).is_ok());
        }
    }
}
