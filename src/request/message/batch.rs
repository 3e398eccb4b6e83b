//! What a batch may hold (JSON-RPC 2.0, section 6), which only revision 2025-03-26 knows.

use std::collections::HashSet;

use super::MessageFaultKind;
use super::envelope::Envelope;
use super::envelope::Kind;
use super::malformed;

/// Most messages in a batch.
pub(super) const MAX_MEMBERS: usize = 100;

/// Most operations that the messages of a batch perform together.
pub(super) const MAX_OPERATIONS: usize = 256;

/// Checks the members against each other; each by itself has been read.
pub(super) fn check(members: &[Envelope<'_>]) -> Result<(), MessageFaultKind> {
    if members.is_empty() {
        return Err(malformed("the batch is empty"));
    }
    if members.len() > MAX_MEMBERS {
        return Err(malformed("the batch has too many members"));
    }
    let responses = members
        .iter()
        .filter(|member| matches!(member.kind, Kind::Response))
        .count();
    if responses != 0 && responses != members.len() {
        return Err(malformed("the batch holds both requests and responses"));
    }
    // It begins the session that the others would need (2025-03-26, lifecycle).
    if members.iter().any(Envelope::is_initialize) {
        return Err(malformed("`initialize` does not belong in a batch"));
    }
    let mut seen = HashSet::new();
    for member in members {
        if let Some(id) = &member.id
            && !seen.insert(&*id.value)
        {
            return Err(malformed("two members of the batch have the same `id`"));
        }
    }
    Ok(())
}
