//! The table of credentials: what is wrong with a credential, and the reason, the status and the
//! challenge that its sender is given for it, asked over gRPC and over HTTP.

#![expect(
    clippy::expect_used,
    reason = "a wrong assumption about the tests' own tools fails the test"
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
#[path = "authenticators/table.rs"]
mod table;
