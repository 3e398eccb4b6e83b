//! The sidecars that the tables of attacks are held against, one kind a file.

pub(crate) mod bodies;
pub(crate) mod paths;
pub(crate) mod tokens;
