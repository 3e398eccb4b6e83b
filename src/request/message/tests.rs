//! The profile against the rows in which upstreams were seen to disagree.

mod batches;
mod bodies;
mod described;
mod headers;
mod mirrored;

use super::*;
use crate::identity::credential::Presented;
use crate::request::incoming::Described;
use crate::request::path::CanonicalPath;

fn post() -> Head {
    Head {
        method: "POST".to_owned(),
        scheme: "https".to_owned(),
        host: "mcp.example.com".to_owned(),
        path: CanonicalPath::parse("/mcp").unwrap().0,
        origin: None,
        preflight: false,
        protocol_version: None,
        mcp_method: None,
        mcp_name: None,
        session: None,
        content_type: Some("application/json".to_owned()),
        content_encoding: None,
        request_id: String::new(),
        traceparent: None,
        client_ip: None,
        remove: Vec::new(),
    }
}

fn complete(bytes: &[u8]) -> Body {
    Body::Complete(Bytes::copy_from_slice(bytes))
}

fn read_with(head: &Head, body: &[u8]) -> Result<Message, MessageFault> {
    read(
        head,
        &complete(body),
        &McpRules::default(),
        &"weather".into(),
    )
}

fn read_body(body: &str) -> Result<Message, MessageFault> {
    read_with(&post(), body.as_bytes())
}

fn is_malformed(result: &Result<Message, MessageFault>) -> bool {
    matches!(
        result,
        Err(MessageFault {
            kind: MessageFaultKind::Malformed(_),
            ..
        })
    )
}

/// The action and the name of each operation.
fn decided(message: &Message) -> Vec<(&'static str, String)> {
    let operations = &message.operations;
    std::iter::once(&operations.first)
        .chain(&operations.rest)
        .map(|operation| {
            assert_eq!(&*operation.target.server, "weather");
            let thing = match &operation.target.thing {
                Thing::Server => String::new(),
                Thing::Tool(name) => format!("tool {name}"),
                Thing::Resource(name) => format!("resource {name}"),
                Thing::Prompt(name) => format!("prompt {name}"),
                Thing::Task(name) => format!("task {name}"),
                Thing::Route(name) => format!("route {name}"),
            };
            (operation.action.as_str(), thing)
        })
        .collect()
}

fn incoming(head: Head, body: Body, described: Described) -> Incoming {
    Incoming {
        head,
        presented: Presented::default(),
        body,
        described,
        resource: None,
    }
}

fn rules(message_from: MessageFrom) -> McpRules {
    McpRules {
        message_from,
        ..McpRules::default()
    }
}

/// Version, method and name as headers; an empty text is an absent header.
fn head(version: &str, method: &str, name: &str) -> Head {
    let header = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    Head {
        protocol_version: header(version),
        mcp_method: header(method),
        mcp_name: header(name),
        ..post()
    }
}
