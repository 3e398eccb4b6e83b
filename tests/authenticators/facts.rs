//! What is said of callers beside their tokens, and what an issuer may say at all.

use std::fs;
use std::thread;

use serde_json::Value;
use serde_json::json;

use crate::changing::Changing;
use crate::changing::KEPT_KEY;
use crate::changing::PRINCIPALS;
use crate::changing::SOON;
use crate::support::ask::Ask;
use crate::table::forecast;

#[test]
fn facts_of_the_policy_folder_hold_as_long_as_they_stand_there() {
    let house = Changing::new("{}\n");
    let none = json!({"roles": null});
    let with = |claims: Value| {
        let mut all = none.clone();
        let members = all.as_object_mut().expect("an object");
        members.extend(claims.as_object().expect("an object").clone());
        all
    };
    let named = [
        ("a user", house.corp(with(json!({"sub": "dora"})))),
        (
            "a user of a client",
            house.corp(with(json!({"client_id": "batch"}))),
        ),
        (
            "a client",
            house.corp(with(json!({"sub": "batch", "client_id": "batch"}))),
        ),
        ("a key", forecast().header("x-api-key", KEPT_KEY)),
    ];
    let others = [
        ("another user", house.corp(with(json!({"sub": "Dora"})))),
        (
            "a user named as the client",
            house.corp(with(json!({"sub": "batch"}))),
        ),
        (
            "the other issuer's",
            house.partner(json!({"sub": "dora", "scope": null, "roles": null})),
        ),
        (
            "a client named as the user",
            house.corp(with(json!({"client_id": "dora"}))),
        ),
    ];
    let powerless = {
        let verdicts = house.verdicts(&others[..1]);
        verdicts.first().expect("one").1.clone()
    };
    assert!(powerless.starts_with("insufficient_scope "), "{powerless}");
    house.all("with the file", &named, "allowed");
    house.all("with the file", &others, &powerless);

    let file = house.sidecar.policies().join("principals.yaml");
    fs::write(&file, "users: [").expect("a file");
    thread::sleep(SOON);
    house.all("with a broken file", &named, "allowed");

    fs::write(&file, "users: {}\n").expect("a file");
    let (tokens, key) = named.split_at(3);
    house.becomes("without their lines", tokens, &powerless);
    let of_a_key = powerless.replace("insufficient_scope", "not_permitted");
    house.becomes("without its line", key, &of_a_key);
    fs::write(&file, PRINCIPALS).expect("a file");
    house.becomes("with their lines again", &named, "allowed");
}

/// What one issuer may say is nothing that the other one said.
#[test]
fn a_partners_words_are_not_ours() {
    let house = Changing::new("{}\n");
    let with = |ask: Ask, tool: &str| {
        let mut other = Ask::call(tool);
        other.headers = ask.headers;
        other
    };
    let rows = [
        (
            "our admin",
            with(house.corp(json!({"roles": ["admin"]})), "delete_station"),
            "allowed",
        ),
        (
            "a partner's admin",
            with(house.partner(json!({"roles": ["admin"]})), "delete_station"),
            "not_permitted",
        ),
        (
            "a partner who names our prefix",
            with(
                house.partner(json!({"roles": ["partner:admin"]})),
                "delete_station",
            ),
            "not_permitted",
        ),
        (
            "a partner's viewer, without the scope",
            house.partner(json!({"roles": ["viewer"], "scope": null})),
            "insufficient_scope",
        ),
        (
            "a scope that the partner may give",
            house.partner(json!({})),
            "allowed",
        ),
        (
            "a scope that only we may give, from us",
            with(
                house.corp(json!({"roles": null, "scope": "weather:write"})),
                "set_alert",
            ),
            "allowed",
        ),
        (
            "a scope that only we may give, from the partner",
            with(
                house.partner(json!({"scope": "weather:read weather:write"})),
                "set_alert",
            ),
            "insufficient_scope",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, ask, expected) in &rows {
        let verdict = house.asker.both(ask);
        if verdict.reason != *expected {
            wrong.push(format!("{name}: {verdict:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let claims = json!({"groups": ["staff", "root"], "roles": ["admin", "viewer"]});
    let ask = house.partner(claims).header("x-request-id", "words");
    assert_eq!(house.asker.grpc(&ask).reason, "allowed");
    let record = house
        .sidecar
        .record(|record| record["request_id"] == "words");
    let principal = &record["principal"];
    assert_eq!(principal["groups"], json!(["partner:staff"]), "{record}");
    let roles = json!(["partner:admin", "partner:viewer"]);
    assert_eq!(principal["roles"], roles, "{record}");
}
