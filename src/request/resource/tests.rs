//! Which resource a request is for, as tables.

use bytes::Bytes;

use super::*;
use crate::config::McpRules;
use crate::config::ResourceMetadata;
use crate::identity::credential::Presented;
use crate::request::incoming::Body;
use crate::request::incoming::Described;
use crate::request::path::CanonicalPath;

fn resource(name: &str, authority: &str, path: &str, kind: ResourceKind) -> Arc<Resource> {
    Arc::new(Resource {
        name: name.into(),
        url: format!("https://{authority}{path}"),
        scheme: "https".to_owned(),
        authority: authority.to_owned(),
        path: path.to_owned(),
        kind,
        audiences: Vec::new(),
        authenticators: Vec::new(),
        tenant: String::new(),
        labels: Vec::new(),
        groups: Vec::new(),
        scope_hierarchy: Vec::new(),
        metadata: ResourceMetadata::default(),
    })
}

fn mcp(name: &str, authority: &str, path: &str) -> Arc<Resource> {
    resource(
        name,
        authority,
        path,
        ResourceKind::Mcp(McpRules::default()),
    )
}

fn site(name: &str, authority: &str, path: &str) -> Arc<Resource> {
    resource(
        name,
        authority,
        path,
        ResourceKind::Http { routes: Vec::new() },
    )
}

fn resources() -> Vec<Arc<Resource>> {
    vec![
        mcp("weather", "a.example", "/mcp"),
        mcp("upper", "a.example", "/MCP"),
        site("root", "a.example", "/"),
        site("api", "a.example", "/api"),
        site("v2", "a.example", "/api/v2/"),
        mcp("alone", "b.example:8443", "/mcp"),
    ]
}

fn incoming(host: &str, path: &str, resource: Option<&str>) -> Incoming {
    Incoming {
        head: Head {
            method: "GET".to_owned(),
            scheme: "http".to_owned(),
            host: host.to_owned(),
            path: CanonicalPath::parse(path).unwrap().0,
            origin: None,
            preflight: false,
            protocol_version: None,
            mcp_method: None,
            mcp_name: None,
            session: None,
            content_type: None,
            content_encoding: None,
            request_id: String::new(),
            traceparent: None,
            client_ip: None,
            remove: Vec::new(),
        },
        presented: Presented::default(),
        body: Body::Complete(Bytes::new()),
        described: Described::Absent,
        resource: resource.map(str::to_owned),
    }
}

fn chosen(host: &str, path: &str, name: Option<&str>) -> Result<String, ResourceFault> {
    choose(&resources(), &incoming(host, path, name)).map(|found| found.name.to_string())
}

#[test]
fn host_and_path_choose() {
    use ResourceFault::*;
    for (host, path, expected) in [
        ("a.example", "/mcp", Ok("weather")),
        ("a.example", "/mcp?x=1", Ok("weather")),
        ("a.example:443", "/mcp", Ok("weather")),
        ("a.example:80", "/mcp", Err(Unknown)),
        ("a.example", "/MCP", Ok("upper")),
        ("a.example", "/Mcp", Err(NearSpelling)),
        ("a.example", "/mcp/", Err(NearSpelling)),
        ("a.example", "/%6dcp", Err(NearSpelling)),
        ("a.example", "/mcp%3bx", Err(NearSpelling)),
        ("a.example", "/mcp/x", Ok("root")),
        ("a.example", "/mcp2", Ok("root")),
        ("a.example", "/", Ok("root")),
        ("a.example", "/api", Ok("api")),
        ("a.example", "/api/", Ok("api")),
        ("a.example", "/%61pi/x", Ok("api")),
        ("a.example", "/apix", Ok("root")),
        ("a.example", "/api/v2", Ok("v2")),
        ("a.example", "/api/v2/x", Ok("v2")),
        ("a.example", "/api/v22", Ok("api")),
        ("b.example:8443", "/mcp", Ok("alone")),
        ("b.example:8443", "/MCP", Err(NearSpelling)),
        ("b.example:8443", "/", Err(Unknown)),
        ("b.example", "/mcp", Err(Unknown)),
        ("c.example", "/mcp", Err(Unknown)),
    ] {
        let expected = expected.map(str::to_owned);
        assert_eq!(chosen(host, path, None), expected, "{host}{path}");
    }
}

#[test]
fn the_name_that_the_route_gives_wins() {
    use ResourceFault::*;
    for (name, host, path, expected) in [
        ("weather", "elsewhere.example", "/mcp", Ok("weather")),
        ("weather", "a.example", "/api", Err(Unknown)),
        ("weather", "a.example", "/mcp/", Err(NearSpelling)),
        ("weather", "a.example", "/%6dcp", Err(NearSpelling)),
        (
            "weather",
            "a.example",
            "/.well-known/oauth-protected-resource/mcp",
            Err(Unknown),
        ),
        (
            "weather",
            "a.example",
            "/.well-known/oauth-protected-resource/other",
            Err(Unknown),
        ),
        ("api", "a.example", "/elsewhere", Ok("api")),
        ("api", "a.example", "/mcp/", Err(NearSpelling)),
        ("nobody", "a.example", "/mcp", Err(Unknown)),
        ("Weather", "a.example", "/mcp", Err(Unknown)),
        ("", "a.example", "/mcp", Err(Unknown)),
    ] {
        let expected = expected.map(str::to_owned);
        assert_eq!(chosen(host, path, Some(name)), expected, "{name} {path}");
    }
}

#[test]
fn metadata_is_found_below_its_path_and_at_the_root_of_a_single_owner() {
    let found = |host: &str, path: &str, name: Option<&str>| {
        let resources = resources();
        let path = format!("{METADATA_PATH}{path}");
        metadata_for(&resources, &incoming(host, &path, name)).map(|it| it.name.to_string())
    };
    for (host, path, name, expected) in [
        ("a.example", "/mcp", None, Some("weather")),
        ("a.example", "/MCP", None, Some("upper")),
        ("a.example", "/Mcp", None, None),
        ("a.example", "", None, Some("root")),
        ("a.example", "/", None, Some("root")),
        ("a.example", "/api/", None, None),
        ("a.example", "/api/v2", None, Some("v2")),
        ("a.example", "/api/v2/", None, Some("v2")),
        ("a.example", "/mcp/", None, None),
        ("a.example", "/api", None, Some("api")),
        ("a.example", "x", None, None),
        ("b.example:8443", "/mcp", None, Some("alone")),
        ("b.example:8443", "", None, Some("alone")),
        ("c.example", "/mcp", None, None),
        ("elsewhere", "/mcp", Some("weather"), Some("weather")),
        ("elsewhere", "", Some("weather"), None),
        ("elsewhere", "", Some("alone"), Some("alone")),
        ("a.example", "/mcp", Some("api"), None),
    ] {
        let found = found(host, path, name);
        assert_eq!(found.as_deref(), expected, "{host} {path} {name:?}");
    }
    for (method, expected) in [("HEAD", true), ("OPTIONS", true), ("POST", false)] {
        let mut asked = incoming("b.example:8443", METADATA_PATH, None);
        method.clone_into(&mut asked.head.method);
        let found = metadata_for(&resources(), &asked).is_some();
        assert_eq!(found, expected, "{method}");
    }
    assert!(metadata_for(&resources(), &incoming("a.example", "/mcp", None)).is_none());
}

#[test]
fn on_our_own_listener_the_host_is_that_of_the_configuration() {
    let mut resources = resources();
    resources.push(mcp("slash", "c.example", "/mcp/"));
    resources.push(mcp("bare", "c.example", "/mcp"));
    for (host, path, expected) in [
        ("a.example", "/mcp", Some("weather")),
        ("A.Example.:443", "/mcp", Some("weather")),
        ("a.example:80", "/mcp", None),
        ("a.example:8443", "/mcp", None),
        ("evil.example", "/mcp", None),
        ("127.0.0.1:9194", "", None),
        ("", "", None),
        ("a.example, b.example", "/mcp", None),
        ("b.example:8443", "", Some("alone")),
        ("b.example:8443", "/", None),
        ("b.example", "", None),
        ("c.example", "/mcp", Some("bare")),
        ("c.example", "/mcp/", Some("slash")),
        ("c.example", "", None),
    ] {
        let path = format!("{METADATA_PATH}{path}");
        let found = metadata_at(&resources, host, &path).map(|it| it.name.to_string());
        assert_eq!(found.as_deref(), expected, "{host} {path}");
    }
}
