//! Bodies of MCP requests.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use cedargate::config::Batches;
use cedargate::config::McpRules;
use cedargate::request::Action;
use cedargate::request::Arguments;
use cedargate::request::Operation;
use cedargate::request::Operations;
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
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The one version that has batches.
const WITH_BATCHES: &str = "2025-03-26";
/// Most messages in a batch, and most operations that they perform together.
const MAX_BATCH: (usize, usize) = (100, 256);

/// What the first byte chooses: the version that the header states, and whether batches are accepted.
const CHOICES: [(Option<&str>, Batches); 8] = [
    (None, Batches::Deny),
    (Some("2025-06-18"), Batches::Deny),
    (Some("2025-11-25"), Batches::Deny),
    (Some(MODERN), Batches::Deny),
    (None, Batches::Each),
    (Some(WITH_BATCHES), Batches::Each),
    (Some("2025-06-18"), Batches::Each),
    (Some(MODERN), Batches::Each),
];

/// An operation as `serde_json` reads it: the arguments where the method has any.
type Expected<'a> = (Action, Thing, Option<&'a Value>);

/// The first byte chooses a version and the rule for batches; the rest is the body. The headers that
/// repeat the body say what `serde_json` reads in it, where they must.
pub fn run(data: &[u8]) -> bool {
    let Some(((version, batches), body)) = rules::choose(&CHOICES, data) else {
        return false;
    };
    let theirs = serde_json::from_slice::<Value>(body);
    let head = head(*version, theirs.as_ref().ok());
    let complete = Body::Complete(Bytes::copy_from_slice(body));
    let rules = McpRules {
        batches: *batches,
        ..McpRules::default()
    };
    let server: Arc<str> = Arc::from("server");
    let message = match message::read(&head, &complete, &rules, &server) {
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
    assert_eq!(message.protocol_version, version.unwrap_or_default());
    if let Value::Array(members) = &theirs {
        assert_eq!(*batches, Batches::Each, "a batch");
        assert!(version.is_none_or(|version| version == WITH_BATCHES));
        batch(&message, members, *version);
    } else {
        let id = theirs.get("id").filter(|_| theirs.get("method").is_some());
        assert_eq!(message.id.as_deref().map(value).as_ref(), id, "another id");
        same(&message.operations, &expected(&theirs, *version));
    }
    true
}

fn head(version: Option<&str>, body: Option<&Value>) -> Head {
    let (path, _) = CanonicalPath::parse("/mcp").expect("a path");
    let stated = body.is_some_and(|body| in_meta(body, META_VERSION).is_some());
    let mirrored = body.filter(|_| stated || version == Some(MODERN));
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let method = text(mirrored.and_then(|body| body.get("method")));
    let named = method.as_deref().and_then(Method::find);
    let member = named.and_then(|method| name_of(method.target));
    let name = member.and_then(|member| mirrored?.pointer(&format!("/params/{member}")));
    Head {
        method: "POST".to_owned(),
        scheme: "https".to_owned(),
        host: "mcp.example".to_owned(),
        path,
        origin: None,
        preflight: false,
        protocol_version: version.map(str::to_owned),
        mcp_name: text(name),
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

/// The member of `params` that names what is acted on, and that a header repeats.
fn name_of(target: TargetKind) -> Option<&'static str> {
    match target {
        TargetKind::Tool | TargetKind::Prompt => Some("name"),
        TargetKind::Resource => Some("uri"),
        TargetKind::Task => Some("taskId"),
        TargetKind::Server | TargetKind::Reference | TargetKind::Subscriptions => None,
    }
}

fn in_meta<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    body.pointer("/params/_meta")?.get(name)
}

/// The operations of its messages in their order, and nothing that only one message can be.
fn batch(message: &Message, members: &[Value], version: Option<&str>) {
    let (most_members, most_operations) = MAX_BATCH;
    assert!((1..=most_members).contains(&members.len()));
    assert_eq!(message.id, None, "an id of one of several");
    let answers = members
        .iter()
        .filter(|member| member.get("method").is_none());
    let answers = answers.count();
    assert!(answers == 0 || answers == members.len(), "mixed");
    let mut ids = HashSet::new();
    let mut all = Vec::new();
    for member in members {
        assert_ne!(member.get("method"), Some(&Value::from("initialize")));
        if let Some(id) = member.get("id") {
            // An id is the same to somebody whether it is a number or text.
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            assert!(ids.insert(id), "two requests of one id");
        }
        all.extend(expected(member, version));
    }
    assert!(all.len() <= most_operations, "too much at once");
    same(&message.operations, &all);
}

/// The same operations, in the same order.
fn same(operations: &Operations, expected: &[Expected<'_>]) {
    let found: Vec<&Operation> = [&operations.first]
        .into_iter()
        .chain(&operations.rest)
        .collect();
    assert_eq!(found.len(), expected.len(), "{found:?} {expected:?}");
    for (operation, (action, thing, stated)) in found.into_iter().zip(expected) {
        assert_eq!(
            (operation.action, &operation.target.thing),
            (*action, thing)
        );
        assert_eq!(&*operation.target.server, "server");
        assert_ne!(operation.arguments, Arguments::Unknown);
        arguments::check(operation, *stated);
    }
}

/// What a message asks for: one request, notification or response, of that version, with nothing
/// beside it.
fn expected<'a>(body: &'a Value, version: Option<&str>) -> Vec<Expected<'a>> {
    let members = body.as_object().expect("one message");
    assert_eq!(body.get("jsonrpc"), Some(&Value::from("2.0")));
    let stated = in_meta(body, META_VERSION);
    if let Some(stated) = stated {
        assert_eq!(stated.as_str(), version, "another version");
    }
    let known = ["jsonrpc", "id", "method", "params", "result", "error"];
    assert!(members.keys().all(|name| known.contains(&name.as_str())));

    let id = members.get("id");
    assert!(id.is_none_or(|id| id.is_string() || id.is_i64()), "no id");
    let answers = ["result", "error"].map(|name| members.contains_key(name));
    let Some(method) = members.get("method") else {
        assert!(id.is_some() && answers[0] != answers[1], "no message");
        assert!(!members.contains_key("params") && version != Some(MODERN));
        return on_server(Action::ClientResponse);
    };
    let method = method.as_str().expect("a method is text");
    assert_eq!(answers, [false, false], "a request and a response");
    let params = members.get("params").unwrap_or(&Value::Null);
    assert!(params.is_object() || !members.contains_key("params"));
    if version == Some(MODERN) && id.is_some() {
        assert!(stated.is_some(), "no version in the body");
        assert!(in_meta(body, META_CAPABILITIES).is_some_and(Value::is_object));
    }
    match (Method::find(method), id) {
        (Some(found), Some(_)) if is_foreign(found, params, stated) => on_server(Action::Unknown),
        (Some(found), Some(_)) => request(found, params),
        (None, id) if method.starts_with("notifications/") => {
            assert_eq!(id, None, "a notification with an id");
            on_server(Action::Notifications)
        }
        (None, _) => on_server(Action::Unknown),
        (Some(_), None) => panic!("a request without an id"),
    }
}

fn on_server(action: Action) -> Vec<Expected<'static>> {
    vec![(action, Thing::Server, None)]
}

/// Whether the version that the body states has no such method, and nothing is named that it could
/// act on.
fn is_foreign(method: &Method, params: &Value, stated: Option<&Value>) -> bool {
    let Some(version) = stated.and_then(Value::as_str) else {
        return false;
    };
    let is_unnamed = |member| params.get(member).is_none();
    !method.revisions.contains(&version) && name_of(method.target).is_some_and(is_unnamed)
}

fn request<'a>(method: &Method, params: &'a Value) -> Vec<Expected<'a>> {
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
    let stated = params.get("arguments").filter(|_| method.arguments);
    let mut operations = vec![(method.action, thing, stated)];
    if method.target == TargetKind::Subscriptions {
        operations.extend(subscribed(params));
    }
    operations
}

/// What else must be allowed: the same for each thing that a subscription names.
fn subscribed(params: &Value) -> impl Iterator<Item = Expected<'_>> {
    let named = |list: &str| {
        let list = params.get("notifications").expect("a list").get(list);
        let list = list.map_or(&[][..], |list| list.as_array().expect("a list"));
        let text = |name: &Value| name.as_str().expect("a name").to_owned();
        list.iter().map(text).collect::<Vec<_>>()
    };
    let uris = named("resourceSubscriptions")
        .into_iter()
        .map(|uri| (Action::ResourcesSubscribe, Thing::Resource(uri), None));
    let tasks = named("taskIds")
        .into_iter()
        .map(|task| (Action::TasksGet, Thing::Task(task), None));
    uris.chain(tasks)
}

fn value(raw: &str) -> Value {
    serde_json::from_str(raw).expect("an id is JSON")
}
