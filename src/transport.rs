//! The servers: listeners with their limits, and the wire forms of an answer.

pub mod admin;
pub mod budget;
pub mod connection;
pub mod dev_tokens;
pub mod grpc;
pub mod http;
pub mod limits;
pub mod listener;
pub mod public;
pub mod reply;
pub mod respond;
pub mod stream;
