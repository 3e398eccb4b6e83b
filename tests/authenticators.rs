//! The table of credentials: what is wrong with a credential, and the reason, the status and the
//! challenge that its sender is given for it, asked over gRPC and over HTTP.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::too_many_lines,
    reason = "tables, in which a wrong assumption fails the test and a row is short"
)]

mod support;

#[path = "authenticators/carried.rs"]
mod carried;
#[path = "authenticators/changing.rs"]
mod changing;
#[path = "authenticators/claims.rs"]
mod claims;
#[path = "authenticators/development.rs"]
mod development;
#[path = "authenticators/facts.rs"]
mod facts;
#[path = "authenticators/forms.rs"]
mod forms;
#[path = "authenticators/house.rs"]
mod house;
#[path = "authenticators/introspected.rs"]
mod introspected;
#[path = "authenticators/keys.rs"]
mod keys;
#[path = "authenticators/products.rs"]
mod products;
#[path = "authenticators/proofs.rs"]
mod proofs;
#[path = "authenticators/revoked.rs"]
mod revoked;
#[path = "authenticators/table.rs"]
mod table;

/// The parts of the table, by name.
fn tables() -> [(&'static str, Vec<table::Row>); 6] {
    [
        ("forms", forms::rows()),
        ("claims", claims::rows()),
        ("keys", keys::rows()),
        ("introspected", introspected::rows()),
        ("carried", carried::rows()),
        ("proofs", proofs::rows()),
    ]
}

#[test]
fn each_row_has_a_name_of_its_own() {
    let mut count = 0_usize;
    for (part, rows) in tables() {
        let mut names = std::collections::BTreeSet::new();
        for row in &rows {
            assert!(names.insert(row.name), "{part}: {} twice", row.name);
        }
        count = count.saturating_add(rows.len());
    }
    assert!(count >= 300, "rows have been lost: {count}");
}
