//! Tokens of a form that no honest issuer makes: none of them opens anything, and none of them makes
//! the sidecar call anybody.

#![expect(
    clippy::string_slice,
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use support::ask::Ask;
use support::fake_issuer::FakeIssuer;
use support::scene::tokens::RESOURCE;
use support::scene::tokens::admin;
use support::scene::tokens::world;
use support::tokens::Key;

#[test]
fn no_spelling_of_no_signature_is_a_signature() {
    let world = world();
    world.honest();
    let claims = world.claims(&admin(json!({}))).to_string();
    let spellings = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "noNe",
        "nonE",
        "none ",
        " none",
        "none\\t",
        "none\\u0000",
        "\\u006eone",
        "n\\u004fne",
        "null",
        "",
        "no",
        "HS0",
        "unsecured",
        "nоne",
        "ｎone",
        "es256",
        "Es256",
        "ES256 ",
        " ES256",
        "ES256\\u0000",
        "ES256K",
        "ES224",
        "ES521",
        "ES512",
        "HS256",
        "HS384",
        "HS512",
        "hs256",
        "RS1",
        "RSA-OAEP",
        "dir",
        "A256GCM",
        "Ed448",
        "ML-DSA-44",
    ];
    for spelling in spellings {
        let header = format!(r#"{{"typ":"at+jwt","alg":"{spelling}"}}"#);
        let signed = world.key.sign_text(&header, &claims);
        world.refuses(spelling, &signed);
        let (input, signature) = signed.rsplit_once('.').expect("three parts");
        world.refuses(spelling, &format!("{input}."));
        world.refuses(spelling, input);
        world.refuses(spelling, &format!("{input}.{}", &signature[..43]));
        world.refuses(spelling, &format!("{input}.AA"));
    }
    for alg in [
        "null",
        "[]",
        "[\"ES256\"]",
        "{}",
        "256",
        "true",
        "\"ES256\",\"alg\":\"none\"",
    ] {
        let header = format!(r#"{{"typ":"at+jwt","alg":{alg}}}"#);
        world.refuses(alg, &world.key.sign_text(&header, &claims));
    }
    world.refuses(
        "no alg",
        &world.key.sign_text(r#"{"typ":"at+jwt"}"#, &claims),
    );
}

#[test]
fn the_public_key_is_no_secret_and_no_signature_is_worth_nothing() {
    let world = world();
    let claims = world.claims(&admin(json!({}))).to_string();
    let pem = world.key.pem().replace("\\n", "\n");
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(der).expect("base64");
    let secrets = [
        pem.clone().into_bytes(),
        pem.trim_end().into(),
        der,
        Vec::new(),
        vec![0],
    ];
    let families = [
        ("HS256", hmac::HMAC_SHA256),
        ("HS384", hmac::HMAC_SHA384),
        ("HS512", hmac::HMAC_SHA512),
        ("ES256", hmac::HMAC_SHA256),
        ("ES256", hmac::HMAC_SHA512),
    ];
    for (name, family) in families {
        for secret in &secrets {
            let header = format!(r#"{{"typ":"at+jwt","alg":"{name}"}}"#);
            let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
            let input = format!("{}.{}", encode(&header), encode(&claims));
            let tag = hmac::sign(&hmac::Key::new(family, secret), input.as_bytes());
            let token = format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag.as_ref()));
            world.refuses(name, &token);
        }
    }
    let good = world.key.token(RESOURCE, &admin(json!({})));
    let (input, _) = good.rsplit_once('.').expect("three parts");
    for (what, signature) in [
        ("psychic", vec![0; 64]),
        ("DER of zeros", vec![0x30, 6, 2, 1, 0, 2, 1, 0]),
        ("all ones", vec![0xff; 64]),
        ("short", vec![1; 63]),
        ("long", vec![1; 65]),
    ] {
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        world.refuses(what, &format!("{input}.{signature}"));
    }
    world.refuses(
        "another's key",
        &Key::new().token(RESOURCE, &admin(json!({}))),
    );
}

#[test]
fn a_header_that_names_keys_is_refused_and_followed_nowhere() {
    let world = world();
    let trap = FakeIssuer::start(|_, _| ());
    let url = format!("http://127.0.0.1:{}/keys", trap.port());
    let thief = Key::new();
    let (x, y) = thief.coordinates();
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    let claims = world.claims(&admin(json!({})));
    let extras = [
        json!({"jku": url}),
        json!({"x5u": url}),
        json!({"jwk": jwk}),
        json!({"x5c": [url]}),
        json!({"jku": null}),
        json!({"jwk": {}}),
        json!({"x5c": []}),
        json!({"kid": url}),
        json!({"crit": ["exp"]}),
        json!({"crit": []}),
        json!({"crit": null}),
        json!({"crit": "b64"}),
        json!({"b64": false, "crit": ["b64"]}),
        json!({"b64": true}),
        json!({"zip": "DEF"}),
        json!({"enc": "A256GCM"}),
        json!({"kid": 1}),
        json!({"kid": null}),
        json!({"kid": ["a"]}),
        json!({"kid": "k".repeat(257)}),
        json!({"kid": "a\0"}),
        json!({"kid": "a\nb"}),
        json!({"typ": ["at+jwt"]}),
        json!({"typ": null}),
        json!({"typ": 1}),
        json!({"typ": ""}),
        json!({"typ": "dpop+jwt"}),
        json!({"typ": "application/dpop+jwt"}),
        json!({"typ": "logout+jwt"}),
        json!({"typ": "id_token"}),
        json!({"typ": "at+jwt "}),
        json!({"typ": "secevent+jwt"}),
        json!({"typ": "at+jwt\0"}),
        json!({"typ": "token-introspection+jwt"}),
        json!({"typ": "JWE"}),
    ];
    for extra in extras {
        let mut header = json!({"typ": "at+jwt", "alg": "ES256"});
        header
            .as_object_mut()
            .expect("an object")
            .extend(extra.as_object().expect("one").clone());
        let is_refused_by_the_header_alone = extra.get("kid").is_none_or(|kid| !kid.is_string());
        if is_refused_by_the_header_alone {
            world.refuses(&extra.to_string(), &world.key.sign(&header, &claims));
        }
        world.refuses(&extra.to_string(), &thief.sign(&header, &claims));
    }
    for kid in [
        "../../dev/null",
        "/dev/null",
        "x' UNION SELECT '1';--",
        "|sleep 10",
        "%00",
        "*",
    ] {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": kid});
        world.refuses(kid, &thief.sign(&header, &claims));
    }
    assert_eq!(trap.asked(), 0, "somebody followed a header");
}

#[test]
fn only_the_compact_form_is_a_token() {
    let world = world();
    let good = world.key.token(RESOURCE, &admin(json!({})));
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let flattened = json!({"protected": header, "payload": claims, "signature": signature});
    let general =
        json!({"payload": claims, "signatures": [{"protected": header, "signature": signature}]});
    let rows = [
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{signature}."),
        format!("{good}.x"),
        format!("{good}.x.y"),
        format!(".{good}"),
        format!("{good}.x.y.z"),
        format!("..{good}"),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{good}="),
        format!("{good}=="),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}=.{signature}"),
        format!(
            "{header}.{claims}.{}",
            signature.replace(['-', '_'], "+") + "/"
        ),
        format!("{good}~"),
        format!("{good}A"),
        good[..good.len() - 1].to_owned(),
        good.to_uppercase(),
        ".".repeat(10_000),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "eyJ.eyJ.eyJ".to_owned(),
        "e".to_owned(),
        BASE64_URL_SAFE_NO_PAD.encode(&good),
        format!("{good}{good}"),
        "a".repeat(60_000),
        format!("{header}.{}.{signature}", "A".repeat(20_000)),
        format!("{good}{}", "A".repeat(16_384)),
    ];
    for row in &rows {
        world.refuses(&row.chars().take(80).collect::<String>(), row);
    }
    for row in [
        flattened.to_string(),
        general.to_string(),
        format!(" {good}"),
        format!("{good} "),
        format!("{good} x"),
        format!("\"{good}\""),
        format!("{good}\t"),
        format!("{good}\0"),
        format!("{good}\u{e9}"),
        String::new(),
    ] {
        // Bytes that no header line can carry are not sent over HTTP.
        let ask = Ask::call("get_forecast").header("authorization", format!("Bearer {row}"));
        let reason = world.asker.grpc(&ask).reason;
        let surrounding = row.trim() == good && !row.contains('\0');
        let expected = if surrounding {
            "allowed"
        } else {
            "invalid_credential"
        };
        assert_eq!(reason, expected, "{row:?}");
    }
    let twice =
        Ask::call("get_forecast").header("authorization", format!("Bearer {good}, Bearer {good}"));
    assert_eq!(world.asker.both(&twice).reason, "malformed_request");
}

#[test]
fn a_signature_covers_every_bit() {
    let world = world();
    let good = world.key.token(RESOURCE, &admin(json!({})));
    let step = (good.len() / 60).max(1);
    for at in (0..good.len()).step_by(step) {
        let mut bent = good.clone().into_bytes();
        bent[at] = match bent[at] {
            b'.' => continue,
            b'A' => b'B',
            _ => b'A',
        };
        let bent = String::from_utf8(bent).expect("ASCII");
        if bent != good {
            world.refuses(&format!("byte {at}"), &bent);
        }
    }
    // The last character of 86 carries four bits that stand for nothing.
    let last = good.chars().last().expect("not empty");
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        if other != last {
            world.refuses(
                &format!("ends in {other}"),
                &format!("{}{other}", &good[..good.len() - 1]),
            );
        }
    }
}
