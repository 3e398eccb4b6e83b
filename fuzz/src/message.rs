//! Bodies of MCP requests.

use std::sync::Arc;

use bytes::Bytes;
use cedargate::config::McpRules;
use cedargate::request::Action;
use cedargate::request::Operation;
use cedargate::request::Thing;
use cedargate::request::incoming::Body;
use cedargate::request::incoming::Head;
use cedargate::request::message;
use cedargate::request::message::Message;
use cedargate::request::methods::MODERN;
use cedargate::request::methods::Method;
use cedargate::request::methods::TargetKind;
use cedargate::request::path::CanonicalPath;
use serde_json::Value;

use crate::arguments;
use crate::numbers;
use crate::rules;

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// What the first byte chooses: the version that the header states.
const VERSIONS: [Option<&str>; 4] = [None, Some("2025-06-18"), Some("2025-11-25"), Some(MODERN)];

/// The first byte chooses a version; the rest is the body. The headers that repeat the body say what
/// `serde_json` reads in it, where the version has them.
pub fn run(data: &[u8]) -> bool {
    let Some((version, body)) = rules::choose(&VERSIONS, data) else {
        return false;
    };
    let theirs = serde_json::from_slice::<Value>(body);
    let head = head(*version, theirs.as_ref().ok());
    let complete = Body::Complete(Bytes::copy_from_slice(body));
    let server: Arc<str> = Arc::from("server");
    let message = match message::read(&head, &complete, &McpRules::default(), &server) {
        Ok(message) => message,
        Err(fault) => {
            assert!(!fault.to_string().is_empty());
            if let (Some(id), Ok(body)) = (&fault.id, &theirs) {
                assert_eq!(Some(&value(id)), body.get("id"), "an id of another request");
            }
            return false;
        }
    };
    let theirs = match theirs {
        Ok(theirs) => theirs,
        // The one number of which `serde_json` thinks differently.
        Err(error) => {
            let text = std::str::from_utf8(body).expect("what was accepted is UTF-8");
            let is_number =
                |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
            let mut parts = text.split(|c: char| !is_number(c));
            assert!(parts.any(numbers::is_at_the_edge), "accepted, but: {error}");
            return true;
        }
    };
    envelope(&message, &theirs, *version);
    true
}

fn head(version: Option<&str>, body: Option<&Value>) -> Head {
    let (path, _) = CanonicalPath::parse("/mcp").expect("a path");
    let mirrored = body.filter(|_| version == Some(MODERN));
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let method = text(mirrored.and_then(|body| body.get("method")));
    let named = method.as_deref().and_then(Method::find);
    let member = match named.map(|method| method.target) {
        Some(TargetKind::Tool | TargetKind::Prompt) => "/params/name",
        Some(TargetKind::Resource) => "/params/uri",
        Some(TargetKind::Task) => "/params/taskId",
        Some(TargetKind::Server | TargetKind::Reference | TargetKind::Subscriptions) | None => "/-",
    };
    Head {
        method: "POST".to_owned(),
        scheme: "https".to_owned(),
        host: "mcp.example".to_owned(),
        path,
        origin: None,
        preflight: false,
        protocol_version: version.map(str::to_owned),
        mcp_name: text(mirrored.and_then(|body| body.pointer(member))),
        mcp_method: method,
        session: None,
        content_type: Some("application/json".to_owned()),
        content_encoding: None,
        request_id: String::new(),
        traceparent: None,
        client_ip: None,
        remove: Vec::new(),
    }
}

/// One request, notification or response, of that version, with nothing beside it.
fn envelope(message: &Message, body: &Value, version: Option<&str>) {
    let members = body.as_object().expect("one message");
    assert_eq!(body.get("jsonrpc"), Some(&Value::from("2.0")));
    assert_eq!(message.protocol_version, version.unwrap_or_default());
    if let Some(stated) = body
        .pointer("/params/_meta")
        .and_then(|meta| meta.get(META_VERSION))
    {
        assert_eq!(stated.as_str(), version, "another version");
    }
    let known = ["jsonrpc", "id", "method", "params", "result", "error"];
    assert!(members.keys().all(|name| known.contains(&name.as_str())));

    let first = &message.operations.first;
    let id = members.get("id");
    assert!(id.is_none_or(|id| id.is_string() || id.is_i64()), "no id");
    let answers = ["result", "error"].map(|name| members.contains_key(name));
    let Some(method) = members.get("method") else {
        assert!(id.is_some() && answers[0] != answers[1], "no message");
        assert!(!members.contains_key("params") && version != Some(MODERN));
        assert_eq!((first.action, &message.id), (Action::ClientResponse, &None));
        assert_eq!(*message, only_on_server(message));
        return;
    };
    let method = method.as_str().expect("a method is text");
    assert_eq!(answers, [false, false], "a request and a response");
    assert_eq!(message.id.as_deref().map(value).as_ref(), id, "another id");
    let params = members.get("params").unwrap_or(&Value::Null);
    assert!(params.is_object() || !members.contains_key("params"));
    match (Method::find(method), id) {
        (Some(found), Some(_)) => known_request(message, found, params),
        (None, id) => {
            let notification = method.starts_with("notifications/");
            assert!(!notification || id.is_none(), "a notification with an id");
            let action = if notification {
                Action::Notifications
            } else {
                Action::Unknown
            };
            assert_eq!(first.action, action);
            assert_eq!(*message, only_on_server(message));
        }
        (Some(_), None) => panic!("a request without an id"),
    }
}

fn known_request(message: &Message, method: &Method, params: &Value) {
    let first = &message.operations.first;
    assert_eq!(first.action.as_str(), method.name);
    let text = |pointer: &str| {
        let text = params.pointer(pointer).and_then(Value::as_str);
        let text = text.filter(|text| !text.is_empty());
        text.expect("what is acted on has a name").to_owned()
    };
    let thing = match method.target {
        TargetKind::Server | TargetKind::Subscriptions => Thing::Server,
        TargetKind::Tool => Thing::Tool(text("/name")),
        TargetKind::Prompt => Thing::Prompt(text("/name")),
        TargetKind::Resource => Thing::Resource(text("/uri")),
        TargetKind::Task => Thing::Task(text("/taskId")),
        TargetKind::Reference => match &*text("/ref/type") {
            "ref/prompt" => Thing::Prompt(text("/ref/name")),
            "ref/resource" => Thing::Resource(text("/ref/uri")),
            other => panic!("`{other}` was referred to"),
        },
    };
    assert_eq!(first.target.thing, thing);
    let stated = params.get("arguments").filter(|_| method.arguments);
    arguments::check(first, stated);
    let rest: Vec<_> = message.operations.rest.iter().map(implied).collect();
    assert_eq!(rest, expected_rest(method, params));
}

/// What else must be allowed: the same for each thing that a subscription names.
fn expected_rest(method: &Method, params: &Value) -> Vec<(Action, Thing)> {
    if method.target != TargetKind::Subscriptions {
        return Vec::new();
    }
    let named = |list: &str| {
        let list = params.get("notifications").expect("a list").get(list);
        let list = list.map_or(&[][..], |list| list.as_array().expect("a list"));
        let text = |name: &Value| name.as_str().expect("a name").to_owned();
        list.iter().map(text).collect::<Vec<_>>()
    };
    let uris = named("resourceSubscriptions")
        .into_iter()
        .map(|uri| (Action::ResourcesSubscribe, Thing::Resource(uri)));
    let tasks = named("taskIds")
        .into_iter()
        .map(|task| (Action::TasksGet, Thing::Task(task)));
    uris.chain(tasks).collect()
}

fn implied(operation: &Operation) -> (Action, Thing) {
    arguments::check(operation, None);
    (operation.action, operation.target.thing.clone())
}

/// The same message, if it acts on the server and on nothing else.
fn only_on_server(message: &Message) -> Message {
    let mut message = message.clone();
    message.operations.rest.clear();
    message.operations.first.target.thing = Thing::Server;
    arguments::check(&message.operations.first, None);
    message
}

fn value(raw: &str) -> Value {
    serde_json::from_str(raw).expect("an id is JSON")
}
