//! What the benchmark asks: a signed token, a set of policies, and one check message.

pub mod load;
pub mod scene;
