//! Issuers whose metadata lies about who they are or where their keys are: nobody is sent anywhere, and no
//! key that is known is lost.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use serde_json::Value;
use serde_json::json;
use support::fake_issuer;
use support::fake_issuer::FakeIssuer;
use support::liars::Liars;
use support::lies;
use support::lies::Lie;

/// What a document calls the issuer, from the issuer's own name.
type Named = fn(&str) -> Value;

/// Documents that are another issuer's, or name keys where none are to be fetched.
fn of_metadata(base: &str, trap: u16, plain: u16) -> Vec<Lie> {
    let mut number = 0;
    let mut lies = Vec::new();
    let mut lie = |what: &str, outcome, make: &dyn Fn(&str) -> String| {
        let issuer = format!("{base}/{number:03}");
        lies.push(Lie::body(what, outcome, make(&issuer)));
        number += 1;
    };
    let keys = format!("http://127.0.0.1:{trap}/keys");
    let refused = "discovery";
    let issuers: [(&str, Named); 10] = [
        ("another issuer", |_| json!("http://127.0.0.1/")),
        ("a slash more", |own| json!(format!("{own}/"))),
        ("capitals", |own| json!(own.replace("http", "HTTP"))),
        ("a list of issuers", |own| json!([own])),
        ("no issuer", |_| Value::Null),
        ("a number for an issuer", |_| json!(1)),
        ("a space more", |own| json!(format!("{own} "))),
        ("NUL in the issuer", |own| json!(format!("{own}\0"))),
        ("a prefix", |own| json!(own.split_at(own.len() - 1).0)),
        ("another host", |own| {
            json!(own.replace("127.0.0.1", "localhost"))
        }),
    ];
    for (what, issuer) in issuers {
        lie(what, refused, &|own| {
            json!({"issuer": issuer(own), "jwks_uri": keys}).to_string()
        });
    }
    lie("two issuers", refused, &|own| {
        format!(r#"{{"issuer":"x","issuer":"{own}","jwks_uri":"{keys}"}}"#)
    });
    lie("the issuer's name in capitals", refused, &|own| {
        format!(r#"{{"Issuer":"{own}","jwks_uri":"{keys}"}}"#)
    });
    let text = |uri: &str| json!(uri);
    for (what, outcome, uri) in [
        ("no keys", refused, Value::Null),
        ("a number for the keys", refused, json!(1)),
        ("a list for the keys", refused, json!([keys])),
        ("an empty place", refused, text("")),
        ("a relative place", refused, text("/keys")),
        (
            "a place without a scheme",
            refused,
            text(&keys.replace("http:", "")),
        ),
        ("a fragment", refused, text(&format!("{keys}#x"))),
        (
            "cloud metadata",
            "address",
            text("http://169.254.169.254/latest/"),
        ),
        (
            "cloud metadata in decimal",
            "address",
            text("http://2852039166/latest/"),
        ),
        (
            "cloud metadata in IPv6",
            "address",
            text("http://[::ffff:169.254.169.254]/"),
        ),
        (
            "cloud metadata over TLS",
            "address",
            text("https://100.100.100.200/"),
        ),
        ("nowhere", "address", text("http://0.0.0.0/")),
        ("everybody", "address", text("http://255.255.255.255/")),
        ("a file", "url", text("file:///etc/passwd")),
        ("another protocol", "url", text("ftp://127.0.0.1/keys")),
        (
            "no protocol",
            "url",
            text("data:application/json,{\"keys\":[]}"),
        ),
        ("a socket", "url", text("unix:/run/docker.sock")),
        (
            "a user",
            "url",
            text(&keys.replace("127.0.0.1", "user@127.0.0.1")),
        ),
        ("a closed port", "connect", text("http://127.0.0.1:1/")),
        (
            "plain text where TLS is said",
            "tls",
            text(&format!("https://127.0.0.1:{plain}/")),
        ),
    ] {
        lie(what, outcome, &|own| {
            json!({"issuer": own, "jwks_uri": uri}).to_string()
        });
    }
    lies
}

#[test]
fn no_lie_about_the_place_of_keys_costs_a_key() {
    // Nobody is to be sent there.
    let trap = FakeIssuer::start(|_, stream| fake_issuer::json_document(stream, "{}"));
    let plain = FakeIssuer::start_rude(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let elsewhere = format!("http://127.0.0.1:{}/", trap.port());
    let liars = Liars::start("oidc", |base, _, _| {
        let mut all = of_metadata(base, trap.port(), plain.port());
        let good = json!({"issuer": format!("{base}/999"), "jwks_uri": elsewhere}).to_string();
        let more = lies::of_transport(&good, &elsewhere);
        let more = more.into_iter().chain(lies::of_bodies(&good, "discovery"));
        // Each names its own issuer, so that nothing but its form is wrong.
        for lie in more {
            let number = format!("/{:03}", all.len());
            all.push(lie.naming("/999", &number));
        }
        all
    });
    assert!(liars.lies.len() >= 40);
    liars.come_to_nothing();
    assert_eq!(trap.asked(), 0, "somebody was sent elsewhere");
    assert!(plain.asked() > 0, "only for TLS");
}
