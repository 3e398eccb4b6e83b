//! The same documents as the arguments of a call: what is refused alone is refused there.

use std::sync::Arc;

use bytes::Bytes;
use cedargate::config::McpRules;
use cedargate::request::Arguments;
use cedargate::request::Thing;
use cedargate::request::incoming::Body;
use cedargate::request::incoming::Head;
use cedargate::request::json::Event;
use cedargate::request::json::MAX_DEPTH;
use cedargate::request::json::Reader;
use cedargate::request::json::Token;
use cedargate::request::message;
use cedargate::request::message::Message;
use cedargate::request::message::MessageFaultKind;
use cedargate::request::path::CanonicalPath;
use serde_json::Value;

use crate::case::Case;
use crate::case::Verdict;

/// The arguments stand inside two objects.
const DEEPEST: usize = MAX_DEPTH - 2;

fn head() -> Head {
    let (path, _) = CanonicalPath::parse("/mcp").expect("a path");
    Head {
        method: "POST".to_owned(),
        scheme: "https".to_owned(),
        host: "mcp.example.com".to_owned(),
        path,
        origin: None,
        preflight: false,
        protocol_version: Some("2025-06-18".to_owned()),
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

fn read(body: &Bytes) -> Result<Message, MessageFaultKind> {
    let server: Arc<str> = "weather".into();
    let body = Body::Complete(body.clone());
    message::read(&head(), &body, &McpRules::default(), &server).map_err(|fault| fault.kind)
}

/// The bytes of the arguments that policies are given.
fn arguments(message: &Message) -> Option<&[u8]> {
    match &message.operations.first.arguments {
        Arguments::Json(sent) => Some(sent),
        Arguments::None | Arguments::Unknown => None,
    }
}

/// Whether a document that is accepted alone is an object, and how deep it nests.
fn shape(document: &[u8]) -> (bool, usize) {
    let mut reader = Reader::new(document).expect("accepted");
    let (mut depth, mut deepest) = (0, 0);
    while let Some(Event { token, .. }) = reader.next().expect("accepted") {
        match token {
            Token::ObjectStart | Token::ArrayStart => depth += 1,
            Token::ObjectEnd | Token::ArrayEnd => depth -= 1,
            Token::Key(_) | Token::String(_) | Token::Number(_) | Token::Bool(_) | Token::Null => {}
        }
        deepest = deepest.max(depth);
    }
    (document.trim_ascii().starts_with(b"{"), deepest)
}

fn check(case: &Case) -> Result<(), String> {
    let body = case.body().into();
    let message = read(&body);
    let fault = match case.verdict {
        Verdict::Accept | Verdict::Rounds => match shape(&case.document) {
            (_, depth) if depth > DEEPEST => Some("not acceptable JSON: nesting"),
            (false, _) => Some("`params.arguments` is not an object"),
            (true, _) => None,
        },
        Verdict::Profile(_) => Some("not acceptable JSON"),
        Verdict::Refuse(_) => Some(""),
        Verdict::RefuseAlone(_) => None,
    };
    match (fault, message) {
        (Some(text), Err(MessageFaultKind::Malformed(fault))) if fault.contains(text) => Ok(()),
        (None, Ok(message)) => agreement(&message, &body),
        (_, other) => Err(format!("{other:.200?}")),
    }
}

/// An accepted message says what `serde_json` reads in the same body.
fn agreement(message: &Message, body: &[u8]) -> Result<(), String> {
    let theirs: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let params = &theirs["params"];
    let operation = &message.operations.first;
    let method = theirs["method"].as_str() == Some(operation.action.as_str());
    let Thing::Tool(name) = &operation.target.thing else {
        return Err(format!("{operation:?} of a tool"));
    };
    let name = params["name"].as_str() == Some(name);
    let sent = arguments(message).ok_or("no arguments")?;
    let sent: Value = serde_json::from_slice(sent).map_err(|error| error.to_string())?;
    if method && name && sent == params["arguments"] && message.operations.rest.is_empty() {
        Ok(())
    } else {
        Err(format!("{operation:?} of {theirs}"))
    }
}

#[test]
fn every_document_is_judged_alike_inside_a_message() {
    crate::each(check);
}
