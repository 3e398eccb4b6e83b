//! The seams to the outside: where policies come from.

pub mod policy_files;
