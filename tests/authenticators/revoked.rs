//! Who has been revoked, and what becomes of that when the file of revocations is broken.

use std::fs;
use std::thread;

use serde_json::json;

use crate::changing::Changing;
use crate::changing::KEPT_KEY;
use crate::changing::KEY;
use crate::changing::QUALIFIED_KEY;
use crate::changing::SHARED;
use crate::changing::SOON;
use crate::support::ask::Ask;
use crate::support::ask::Shown;
use crate::table::forecast;

/// Everything that the next callers are taken back by.
const REVOKED: &str = "
jti: [stolen-1, stolen-2]
subjects: [mallory, 'https://issuer.example#trent', front, 'keys#back', operator,
  'spiffe://example.org#spiffe://example.org/gone', 'https://issuer.example#robot',
  'https://issuer.example#job']
client_ids: [rogue, 'https://issuer.example#broken']
";

fn workload(id: &str) -> Ask {
    forecast().certificate(Shown {
        principal: id.to_owned(),
        xfcc: format!("URI={id}"),
        ..Shown::default()
    })
}

#[test]
fn whoever_is_revoked_is_refused_and_nobody_else() {
    let house = Changing::new("jti: [stolen-0]\n");
    let gone = [
        ("a token by its jti", house.corp(json!({"jti": "stolen-1"}))),
        (
            "the other issuer's by its jti",
            house.partner(json!({"jti": "stolen-2"})),
        ),
        ("a subject", house.corp(json!({"sub": "mallory"}))),
        (
            "the other issuer's of that name",
            house.partner(json!({"sub": "mallory"})),
        ),
        ("an opaque token's subject", house.opaque("mallory")),
        (
            "a subject of one issuer",
            house.corp(json!({"sub": "trent"})),
        ),
        ("a client", house.corp(json!({"client_id": "rogue"}))),
        (
            "a client of one issuer",
            house.corp(json!({"client_id": "broken"})),
        ),
        (
            "a client that is its own subject",
            house.corp(json!({"sub": "robot", "client_id": "robot"})),
        ),
        (
            "a client by the id that records give it",
            house.corp(json!({"sub": "f00", "client_id": "job", "gty": "client-credentials"})),
        ),
        ("a key by its id", forecast().header("x-api-key", KEY)),
        (
            "a key by authenticator and id",
            forecast().header("x-api-key", QUALIFIED_KEY),
        ),
        ("a static token by its subject", forecast().bearer(SHARED)),
        ("a workload", workload("spiffe://example.org/gone")),
    ];
    let stay = [
        ("another jti", house.corp(json!({"jti": "stolen-11"}))),
        (
            "a jti of another case",
            house.corp(json!({"jti": "Stolen-1"})),
        ),
        ("no jti", house.corp(json!({"jti": null}))),
        (
            "a subject named as a jti",
            house.corp(json!({"sub": "stolen-1"})),
        ),
        (
            "a jti named as a subject",
            house.corp(json!({"jti": "mallory"})),
        ),
        (
            "a client named as a subject",
            house.corp(json!({"client_id": "mallory"})),
        ),
        (
            "a user of a client whose own id is revoked",
            house.corp(json!({"sub": "f00", "client_id": "job"})),
        ),
        (
            "a subject named as a client",
            house.corp(json!({"sub": "rogue"})),
        ),
        (
            "the same subject of the other issuer",
            house.partner(json!({"sub": "trent"})),
        ),
        (
            "the same client of the other issuer",
            house.partner(json!({"client_id": "broken"})),
        ),
        ("another opaque token", house.opaque("alice")),
        (
            "a key with another id",
            forecast().header("x-api-key", KEPT_KEY),
        ),
        ("another workload", workload("spiffe://example.org/here")),
    ];
    let revoked = "invalid_credential revoked";
    let from_the_start = [(
        "revoked at the start",
        house.corp(json!({"jti": "stolen-0"})),
    )];
    house.all("at first", &from_the_start, revoked);
    house.all("at first", &gone, "allowed");
    house.all("at first", &stay, "allowed");

    house.revoke(REVOKED);
    house.becomes("remembered, and then revoked", &gone, revoked);
    house.all("while others are revoked", &stay, "allowed");
    house.all("no longer in the list", &from_the_start, "allowed");
    let fresh = [
        (
            "a new token by its jti",
            house.corp(json!({"jti": "stolen-1"})),
        ),
        (
            "a new token by its subject",
            house.corp(json!({"sub": "mallory"})),
        ),
        ("a new opaque token by its subject", house.opaque("mallory")),
        (
            "a new token by its client",
            house.corp(json!({"client_id": "rogue"})),
        ),
    ];
    house.all("never seen before", &fresh, revoked);

    for (what, broken) in [
        ("cut off", "jti: [stolen"),
        ("empty", ""),
        ("of another shape", "- stolen-1\n"),
        ("with an unknown key", "jtis: []\n"),
    ] {
        house.revoke(broken);
        thread::sleep(SOON);
        house.all(what, &gone, revoked);
        house.all(what, &stay, "allowed");
    }
    fs::remove_file(house.sidecar.folder().join("revoked.yaml")).expect("it was there");
    thread::sleep(SOON);
    house.all("the file is gone", &gone, revoked);
    assert!(
        house
            .sidecar
            .printed()
            .contains("revocations were not reloaded"),
        "the operator must be told"
    );

    house.revoke("{}\n");
    house.becomes("taken back", &gone, "allowed");
}
