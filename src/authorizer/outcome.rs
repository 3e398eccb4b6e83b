//! What the authorizer hands to a transport.

use std::sync::Arc;

use bytes::Bytes;

use crate::decision::Denial;
use crate::decision::headers::Obligations;

/// The outcome of one check, before any wire form.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Ties the answer, the record and the log together.
    pub decision_id: String,
    /// What to answer.
    pub answer: Answer,
    /// What the proxy may log about it.
    pub notes: Notes,
}

/// The kinds of answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Let the request pass, changed so.
    Allow(Obligations),
    /// Refuse it.
    Deny(Box<Refusal>),
    /// Answer it with a public document, in the upstream's place.
    Document(Bytes),
    /// Answer a CORS preflight for a public document: any page may read it.
    DocumentPreflight,
    /// Answer a CORS preflight (Fetch standard, section 3.2.2) from this origin.
    Preflight(String),
}

/// A refusal with all that its rendering needs.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why, and what the client is told.
    pub denial: Denial,
    /// The whole `WWW-Authenticate` line.
    pub challenge: Option<String>,
    /// The `id` of the JSON-RPC request, as JSON text, where it is known.
    pub rpc_id: Option<Box<str>>,
    /// Whether a 400 is a JSON-RPC error, with a null id, even if the request's is not known (JSON-RPC
    /// 2.0, section 5).
    pub nameless: bool,
    /// The origin that may read the answer, where the request came from an accepted one.
    pub allow_origin: Option<String>,
}

/// Facts for the proxy's dynamic metadata.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// The caller's subject, or empty.
    pub subject: String,
    /// The determining policies.
    pub policies: Vec<Arc<str>>,
    /// Generation of the policies.
    pub generation: u64,
}
