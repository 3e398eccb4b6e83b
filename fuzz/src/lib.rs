//! What the fuzz targets do with their bytes, and what must then hold.
//!
//! Each module is one target. Its `run` panics where a property is broken, and says whether anything
//! was accepted: a property of what is accepted means nothing if nothing ever is.

#![forbid(unsafe_code)]

mod arguments;
pub mod bundle;
pub mod claims;
pub mod discovery;
pub mod fold;
pub mod header;
pub mod introspection;
pub mod jwks;
mod keys;
pub mod message;
mod numbers;
pub mod path;
pub mod principals;
pub mod reader;
pub mod revocations;
mod rules;
mod sound;
pub mod spiffe;
pub mod token;

#[cfg(test)]
#[path = "../../tests/json_corpus/case.rs"]
mod case;
#[cfg(test)]
mod tests;
