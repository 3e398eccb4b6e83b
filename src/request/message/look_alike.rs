//! Names that a careless parser takes for a name of the protocol.
//!
//! Parsers exist that match names without regard to case (also Unicode's), that strip a trailing
//! NUL or blank, or that accept `task_id` for `taskId`. The protocol's names are ASCII, so where they stand
//! every name must be, and none may differ from one of them in such a way only.

/// Members of `params` that some method gives a meaning.
pub(super) const PARAMS: &[&str] = &[
    "_meta",
    "argument",
    "arguments",
    "capabilities",
    "clientInfo",
    "context",
    "cursor",
    "inputResponses",
    "level",
    "name",
    "notifications",
    "progressToken",
    "protocolVersion",
    "ref",
    "requestId",
    "requestState",
    "task",
    "taskId",
    "uri",
];

/// Members of `params.ref`.
pub(super) const REFERENCE: &[&str] = &["name", "title", "type", "uri"];

/// Members of `params.notifications`.
pub(super) const NOTIFICATIONS: &[&str] = &[
    "promptsListChanged",
    "resourceSubscriptions",
    "resourcesListChanged",
    "taskIds",
    "toolsListChanged",
];

/// Members of `params.argument`.
pub(super) const ARGUMENT: &[&str] = &["name", "value"];

/// Members of the `params.context` of a completion.
pub(super) const CONTEXT: &[&str] = &["arguments"];

/// What the reserved names in `_meta` start with.
const RESERVED: &str = "io.modelcontextprotocol/";

/// Where `_meta` states the protocol version.
pub(super) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// Where `_meta` states what the client can do.
pub(super) const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// Names in `_meta` that the protocol gives a meaning.
const META: &[&str] = &[
    META_VERSION,
    META_CAPABILITIES,
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/related-task",
    "progressToken",
];

/// Whether `key` must not stand where `known` names do.
pub(super) fn is_refused(key: &str, known: &[&str]) -> bool {
    if known.contains(&key) {
        return false;
    }
    !is_plain(key) || known.iter().any(|name| folded(key).eq(folded(name)))
}

/// Whether `key` must not stand in `_meta`, where vendors have names of their own.
pub(super) fn is_refused_in_meta(key: &str) -> bool {
    let reserved = !key.starts_with(RESERVED) && {
        let mut start = folded(key);
        folded(RESERVED).all(|byte| start.next() == Some(byte))
    };
    reserved || is_refused(key, META)
}

fn is_plain(key: &str) -> bool {
    key.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn folded(key: &str) -> impl Iterator<Item = u8> {
    key.bytes()
        .filter(|byte| !matches!(byte, b'_' | b'-' | b' '))
        .map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_taken_for_another_is_refused() {
        for key in [
            "Name",
            "NAME",
            "name\0",
            "name ",
            " name",
            "uri\0\0",
            "\u{ff4e}ame",
            "ur\u{131}",
            "argument\u{17f}",
            "tas\u{212a}Id",
            "task_id",
            "TaskID",
            "meta",
            "_Meta",
            "Ref",
            "\u{2115}ame",
        ] {
            assert!(is_refused(key, PARAMS), "{key:?}");
        }
        for key in ["name", "names", "x-name", "zzz", "", "name2", "__proto__"] {
            assert!(!is_refused(key, PARAMS), "{key:?}");
        }
    }

    #[test]
    fn reserved_meta_names_have_one_spelling() {
        for key in [
            "IO.modelcontextprotocol/protocolVersion",
            "io.modelcontextprotocol/ProtocolVersion",
            "io.modelcontextprotocol/protocol_version",
            "Io.modelcontextprotocol/anything",
            "io.modelcontextprotocol/protocolVer\u{17f}ion",
            "io.modelcontextprotocol/protocolVersion\0",
        ] {
            assert!(is_refused_in_meta(key), "{key:?}");
        }
        for key in [
            META_VERSION,
            "io.modelcontextprotocol/subscriptionId",
            "com.example/protocolVersion",
            "progressToken",
            "traceparent",
        ] {
            assert!(!is_refused_in_meta(key), "{key:?}");
        }
    }
}
