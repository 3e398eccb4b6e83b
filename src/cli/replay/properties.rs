//! What is said of a record holds of the request that it was made of, under any policies.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::judge::Change;
use super::judge::ChangeKind;
use super::judge::Finding;
use super::judge::Judge;
use crate::config;
use crate::config::Config;
use crate::decision::Decision;
use crate::decision::Telling;
use crate::decision::decide;
use crate::fault::Source;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::policy::PolicyFiles;
use crate::policy::PolicySnapshot;
use crate::request;
use crate::request::AccessRequest;
use crate::request::Action;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::RequestContext;
use crate::request::Target;
use crate::request::Thing;
use crate::telemetry::record;
use crate::telemetry::record::Arguments;
use crate::telemetry::record::Facts;
use crate::telemetry::record::HttpFacts;
use crate::telemetry::recorded::Record;

const CONFIG: &str = "
authenticators:
- {name: corp, type: introspection, endpoint: https://i.example/i, client_id: c, client_secret: '0123456789abcdef'}
- {name: keys, type: api_key, header: x-api-key, keys: [{id: app, secret: 0123456789abcdef0123456789abcdef}]}
resources:
- {name: s, url: 'https://s.example/mcp', kind: mcp, scopes: {hierarchy: {w: [r]}}}
- {name: site, url: 'https://www.example', kind: http}
";

/// A set is the first and any others.
const POLICIES: [&str; 18] = [
    r#"permit(principal in Mcp::Role::"a", action, resource);"#,
    r#"permit(principal in Mcp::Group::"g", action, resource in Mcp::Server::"s");"#,
    r#"permit(principal, action, resource) when { principal.scopes.contains("r") };"#,
    r#"permit(principal, action, resource) when { principal.audience.contains("aud") };"#,
    r#"permit(principal, action, resource) when { principal.hasTag("dept") && principal.getTag("dept").contains("ü\n") };"#,
    r#"permit(principal, action, resource) when { principal.tenant == "t" };"#,
    "permit(principal is Mcp::ApiKey, action, resource);",
    r#"permit(principal, action == Mcp::Action::"resources/read", resource) when { resource.uri like "*\"x*" };"#,
    r#"permit(principal, action, resource is Mcp::Route) when { resource.path like "/long*" && resource.host == "www.example" };"#,
    r#"permit(principal, action == Mcp::Action::"tools/call", resource) when { context.args.hasTag("n.m") && context.args.getTag("n.m") has decimal };"#,
    r#"permit(principal, action, resource) when { context.session == "known" };"#,
    r#"forbid(principal, action, resource) when { context.args.hasTag("secret") };"#,
    r#"forbid(principal, action == Mcp::Action::"tools/call", resource) when { context.args.hasTag("n") && context.args.getTag("n") has long && context.args.getTag("n").long * 2000000000000000000 > 5 };"#,
    r#"forbid(principal, action, resource) when { context.clientIp.isInRange(ip("10.0.0.0/8")) };"#,
    r#"forbid(principal, action, resource) when { context.now.toTime() < duration("6h") };"#,
    r#"forbid(principal, action, resource) unless { context.requestId == "r1" || context.protocolVersion == "" || context.http.origin == "" };"#,
    r#"forbid(principal, action, resource) when { context.session == "bad" };"#,
    r#"forbid(principal, action, resource) when { context.args == Mcp::Args::"call" && context.args.hasTag(principal.tenant) };"#,
];

const PRINCIPALS: [&str; 3] = [
    "{}",
    "users: {'i#u': {roles: [a, b], groups: [g], tenant: t}}\napi_keys: {app: {roles: [a]}}",
    "users: {'i#u': {roles: [b], tenant: other}}\nclients: {'i#app': {groups: [g]}}",
];

pub(super) fn config() -> Config {
    let source = Source {
        name: "cedargate.yaml".into(),
        text: CONFIG.into(),
    };
    let loaded = config::parse(&source, Path::new("."), &|_: &str| None);
    loaded.unwrap_or_else(|faults| panic!("{faults:#?}")).config
}

pub(super) fn snapshot(config: &Config, policies: &[usize], principals: usize) -> PolicySnapshot {
    let text: Vec<String> = policies
        .iter()
        .map(|n| format!("@id(\"p{n}\") {}\n", POLICIES[*n]))
        .collect();
    let source = |name: &str, text: &str| Source {
        name: name.into(),
        text: text.into(),
    };
    let files = PolicyFiles::new(vec![
        source("x.cedar", &text.concat()),
        source("principals.yaml", PRINCIPALS[principals]),
    ]);
    PolicySnapshot::compile(&files, &config.resources, 1)
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// A set of policies, and of facts beside them.
fn policies() -> impl Strategy<Value = (Vec<usize>, usize)> {
    let all: Vec<usize> = (1..POLICIES.len()).collect();
    let some = prop::sample::subsequence(all, 0..8);
    // What `principals.yaml` adds counts in the first.
    (
        some.prop_map(|some| [vec![0], some].concat()),
        0..PRINCIPALS.len(),
    )
}

fn names(of: &'static [&'static str]) -> impl Strategy<Value = BTreeSet<String>> {
    prop::sample::subsequence(of, 0..=of.len())
        .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

/// A caller, as the credential describes him.
fn caller() -> impl Strategy<Value = Identity> {
    let kind = prop::sample::select(vec![
        None,
        Some(PrincipalKind::User),
        Some(PrincipalKind::User),
        Some(PrincipalKind::Client),
        Some(PrincipalKind::ApiKey),
    ]);
    let sets = (
        names(&["a", "b", "\"\u{2028}"]),
        names(&["g", "h"]),
        names(&["w", "r", "x"]),
        names(&["aud", "other"]),
        names(&["ü\n", "y"]),
    );
    let texts = (
        prop::sample::select(vec!["", "t", "n"]),
        prop::sample::select(vec!["u", "u", "v\\\"\u{1f600}"]),
    );
    (kind, sets, texts).prop_map(|(kind, sets, (tenant, subject))| {
        let Some(kind) = kind else {
            return Identity::Anonymous;
        };
        let (roles, groups, scopes, audience, departments) = sets;
        let id = match kind {
            PrincipalKind::User => format!("i#{subject}"),
            PrincipalKind::Client => "i#app".to_owned(),
            PrincipalKind::ApiKey => "app".to_owned(),
        };
        let key = kind == PrincipalKind::ApiKey;
        Identity::Verified(Arc::new(Principal {
            kind,
            id,
            authenticator: if key { "keys" } else { "corp" }.into(),
            issuer: "i".to_owned(),
            subject: subject.to_owned(),
            client_id: "app".to_owned(),
            tenant: tenant.to_owned(),
            email: String::new(),
            name: String::new(),
            roles,
            groups,
            scopes,
            audience,
            claims: BTreeMap::from([("dept".to_owned(), departments)]),
        }))
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let arguments = prop::sample::select(vec![
        "",
        "{}",
        r#"{"n":7}"#,
        r#"{"n":{"m":1.25}}"#,
        r#"{"n":{"m":"1.2500"},"secret":true}"#,
        r#"{"n.m":[1,2],"t":["a"]}"#,
        r#"{"n":1,"n":2}"#,
        r#"{"n":"LONG","t":0.1}"#,
        r#"{"n":9007199254740993,"t":[100.00000000000000001]}"#,
        "UNKNOWN",
    ]);
    let name = prop_oneof![
        any::<String>(),
        "x|a/b|file:///\"x\"|\u{301}\u{0}\n",
        "\\PC{300}"
    ];
    (0..5, name, arguments).prop_map(|(kind, name, arguments)| {
        let (server, action, thing) = match kind {
            0 => ("s", Action::ToolsList, Thing::Server),
            1 => ("s", Action::ResourcesRead, Thing::Resource(name)),
            2 => ("s", Action::PromptsGet, Thing::Prompt(name)),
            3 => ("site", Action::Get, Thing::Route("*".into())),
            _ => ("s", Action::ToolsCall, Thing::Tool(name)),
        };
        let takes = matches!(action, Action::ToolsCall | Action::PromptsGet);
        let arguments = arguments.replace("LONG", &"l".repeat(300));
        Operation {
            action,
            target: Target {
                server: server.into(),
                thing,
            },
            arguments: match (takes, &*arguments) {
                (true, "UNKNOWN") => request::Arguments::Unknown,
                (false, _) | (true, "") => request::Arguments::None,
                (true, _) => request::Arguments::Json(arguments.into()),
            },
        }
    })
}

fn context() -> impl Strategy<Value = RequestContext> {
    let ip = prop::sample::select(vec![
        None,
        Some("10.1.2.3"),
        Some("::ffff:10.1.2.3"),
        Some("2001:db8::1"),
    ]);
    (
        ip,
        prop::sample::select(vec!["", "known", "bad"]),
        prop::sample::select(vec!["", "https://a.example"]),
        prop::sample::select(vec!["", "2025-11-25"]),
        prop::sample::select(vec!["r1", "r2"]),
        1_767_225_600_000_i64..1_767_398_400_000,
        any::<bool>(),
    )
        .prop_map(|(ip, session, origin, version, request_id, now_ms, long)| {
            let path = if long {
                format!("/long/{}", "p".repeat(300))
            } else {
                "/long".to_owned()
            };
            RequestContext {
                method: "POST".to_owned(),
                host: "www.example".to_owned(),
                path,
                origin: origin.to_owned(),
                client_ip: ip.and_then(|ip| ip.parse::<IpAddr>().ok()),
                now_ms,
                protocol_version: version.to_owned(),
                session: session.to_owned(),
                request_id: request_id.to_owned(),
            }
        })
}

fn decided(request: &AccessRequest, own: &Identity, policies: &PolicySnapshot) -> Decision {
    let identity = policies.enrich_identity(own);
    let has_issuer = match &identity {
        Identity::Anonymous => false,
        Identity::Verified(principal) => principal.kind != PrincipalKind::ApiKey,
    };
    let telling = Telling {
        roles: true,
        has_issuer,
    };
    decide(
        request,
        &identity,
        &policies.facts(&identity),
        policies,
        telling,
    )
}

/// The record that `serve` makes.
fn line(
    request: &AccessRequest,
    own: &Identity,
    decision: &Decision,
    policies: &PolicySnapshot,
    recorded: &[String],
) -> Vec<u8> {
    let context = &request.context;
    let who = record::principal(&policies.enrich_identity(own), own);
    let first = &request.operations.first;
    Facts {
        now_ms: context.now_ms,
        decision_id: "d",
        decision,
        transport: "grpc",
        resource: &first.target.server,
        request: Some(request),
        http: HttpFacts {
            method: &context.method,
            host: &context.host,
            path: &context.path,
            origin: &context.origin,
            // Recorded of every request, and given to policies of MCP only.
            protocol_version: if context.protocol_version.is_empty() && first.action.is_http() {
                "2025-11-25"
            } else {
                &context.protocol_version
            },
            client_ip: context.client_ip,
            request_id: &context.request_id,
            trace_id: "",
        },
        principal: who.as_deref(),
        policy_generation: 1,
        key_generation: 1,
        duration_us: 1,
        arguments: &Arguments::of(&first.arguments, recorded),
        shadow: &[],
    }
    .line()
    .unwrap()
}

type Asked = (Identity, Operation, RequestContext, usize);

/// The same asked twice, once under other circumstances.
fn again_elsewhere(asked: Asked) -> [Asked; 2] {
    let (own, operation, context, several) = asked.clone();
    let elsewhere = RequestContext {
        client_ip: Some(IpAddr::from([10, 9, 8, 7])),
        now_ms: 1_767_225_600_000,
        request_id: "r3".to_owned(),
        path: "/other".to_owned(),
        session: "bad".to_owned(),
        ..context
    };
    [asked, (own, operation, elsewhere, several)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_record_is_never_told_wrong(
        (before, principals) in policies(),
        (after, other_principals) in policies(),
        requests in prop::collection::vec((caller(), operation(), context(), prop::sample::select(vec![0, 0, 1, 20])), 16),
        recorded in names(&["n", "n.m", "n\\.m", "t"]),
    ) {
        let config = config();
        let before = snapshot(&config, &before, principals);
        let after = snapshot(&config, &after, other_principals);
        let recorded: Vec<String> = recorded.into_iter().collect();
        // What a judge remembers of one record must not be said of another.
        let mut same_judge = Judge::new(&config, &before);
        let mut other_judge = Judge::new(&config, &after);
        let allows = |decision: &Decision| matches!(decision, Decision::Allow(_));
        for (own, first, mut context, several) in requests.into_iter().flat_map(again_elsewhere) {
            context.protocol_version.truncate(if first.action.is_http() { 0 } else { 99 });
            let thing = |n: usize| Thing::Resource(format!("file:///{n}\"x"));
            let target = |n: usize| Target { server: "s".into(), thing: thing(n) };
            let read = Action::ResourcesRead;
            let another = |n: usize| Operation { action: read, target: target(n), arguments: request::Arguments::None };
            let rest = (0..several).map(another).collect();
            let request = AccessRequest { operations: Operations { first, rest }, context };
            let was = decided(&request, &own, &before);
            let line = line(&request, &own, &was, &before, &recorded);
            let record = Record::parse(&line).unwrap();
            let same = same_judge.judge(&record).unwrap();
            prop_assert!(matches!(same, Finding::Unchanged | Finding::Unclear(_)), "{:?}", same);
            let truth = decided(&request, &own, &after);
            match other_judge.judge(&record).unwrap() {
                Finding::Unclear(_) => {}
                Finding::NotByPolicy => prop_assert!(false, "policies decided it"),
                Finding::Unchanged => prop_assert_eq!(allows(&was), allows(&truth)),
                Finding::Changed(Change { kind, now, .. }) => {
                    let changed = (allows(&was), allows(&truth));
                    let expected = match kind {
                        ChangeKind::DenyToAllow => (false, true),
                        ChangeKind::AllowToDeny => (true, false),
                        ChangeKind::Reason => (allows(&was), allows(&was)),
                    };
                    prop_assert_eq!(changed, expected);
                    let told = now.is_empty() || now == truth.reason().as_str();
                    prop_assert!(told, "{} for {}", now, truth.reason().as_str());
                }
            }
        }
    }

    /// Nothing is missing, so everything is told.
    #[test]
    fn a_whole_record_is_always_told(
        (policies, principals) in policies(),
        own in caller(),
        context in context(),
    ) {
        let config = config();
        let policies = snapshot(&config, &policies.into_iter().filter(|n| ![10, 16].contains(n)).collect::<Vec<_>>(), principals);
        let first = Operation {
            action: Action::ToolsCall,
            target: Target { server: "s".into(), thing: Thing::Tool("\"é\n".to_owned()) },
            arguments: request::Arguments::Json(r#"{"n":{"m":0.5},"t":"x"}"#.into()),
        };
        let context = RequestContext { path: "/mcp".to_owned(), ..context };
        let request = AccessRequest { operations: Operations { first, rest: Vec::new() }, context };
        let recorded = ["n", "n.m", "t"].map(str::to_owned);
        let was = decided(&request, &own, &policies);
        let line = line(&request, &own, &was, &policies, &recorded);
        let record = Record::parse(&line).unwrap();
        prop_assert_eq!(Judge::new(&config, &policies).judge(&record).unwrap(), Finding::Unchanged);
    }
}
