//! The library behind `cedargate`: it turns facts about a request into a decision, and says why.
//!
//! A functional core decides and an async shell fetches, swaps, serves and records. Imports run one
//! way, and `tests/layers.rs` keeps them so:
//!
//! ```text
//! proto, fault, json, yaml, config -> identity -> request -> policy -> decision -> source
//!     -> telemetry -> authorizer -> transport -> shutdown -> app -> cli -> main
//! ```
//!
//! One request walks through the layers once. A transport turns the wire form into
//! [`request::Incoming`]; the [`authorizer`] loads one snapshot, reads the clock once, establishes
//! an [`identity::Identity`] and asks [`decision::decide`]; the transport renders the outcome.

pub mod app;
pub mod authorizer;
pub mod cli;
pub mod config;
pub mod decision;
pub mod fault;
pub mod identity;
pub mod json;
pub mod policy;
pub mod proto;
pub mod request;
pub mod shutdown;
pub mod source;
pub mod telemetry;
pub mod transport;
pub mod yaml;
