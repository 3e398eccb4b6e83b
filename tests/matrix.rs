//! Who may do what under the starter policies: every role and scope against every kind of request.

#![expect(
    clippy::expect_used,
    reason = "a test of the policies that ship with the program"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use cedargate::config;
use cedargate::config::Config;
use cedargate::decision::Decision;
use cedargate::decision::Reason;
use cedargate::decision::Telling;
use cedargate::decision::decide;
use cedargate::fault::Source;
use cedargate::identity::Identity;
use cedargate::identity::Principal;
use cedargate::identity::PrincipalKind;
use cedargate::policy::PolicyFiles;
use cedargate::policy::PolicySnapshot;
use cedargate::request::AccessRequest;
use cedargate::request::Action;
use cedargate::request::Arguments;
use cedargate::request::Operation;
use cedargate::request::Operations;
use cedargate::request::RequestContext;
use cedargate::request::Target;
use cedargate::request::Thing;

/// Everything may be told.
const TELLING: Telling = Telling {
    roles: true,
    has_issuer: true,
};

const ROLES: [&str; 4] = ["", "viewer", "editor", "admin"];
const SCOPES: [&str; 3] = ["", "weather:read", "weather:write"];

/// What the server has, and one tool that the catalogue has never heard of.
const TOOLS: [&str; 4] = ["get_forecast", "set_alert", "delete_station", "new_tool"];

const SERVER: [Action; 7] = [
    Action::Initialize,
    Action::Ping,
    Action::ToolsList,
    Action::ResourcesList,
    Action::PromptsList,
    Action::SessionStream,
    Action::Unknown,
];

fn config() -> Config {
    let source = Source {
        name: "cedargate.yaml".into(),
        text: "authenticators: [{name: a, type: oidc, issuer: https://a.example}]\n\
               resources: [{name: weather, url: https://mcp.example.com/mcp, kind: mcp}]\n"
            .into(),
    };
    let loaded = config::parse(&source, Path::new("."), &|_: &str| None);
    loaded.expect("a valid configuration").config
}

fn caller(role: &str, scope: &str) -> Identity {
    let set = |item: &str| -> BTreeSet<String> {
        Some(item.to_owned())
            .into_iter()
            .filter(|item| !item.is_empty())
            .collect()
    };
    Identity::Verified(Arc::new(Principal {
        kind: PrincipalKind::User,
        id: "https://a.example#alice".to_owned(),
        authenticator: "a".into(),
        issuer: "https://a.example".to_owned(),
        subject: "alice".to_owned(),
        client_id: "app".to_owned(),
        tenant: String::new(),
        email: String::new(),
        name: String::new(),
        roles: set(role),
        groups: BTreeSet::new(),
        scopes: set(scope),
        audience: BTreeSet::new(),
        claims: std::collections::BTreeMap::new(),
    }))
}

fn operations() -> Vec<(String, Operation)> {
    let operation = |action, thing| Operation {
        action,
        target: Target {
            server: "weather".into(),
            thing,
        },
        arguments: Arguments::None,
    };
    let server = SERVER.map(|action| {
        let name = action.as_str().to_owned();
        (name, operation(action, Thing::Server))
    });
    let tools = TOOLS.map(|tool| {
        let thing = Thing::Tool(tool.to_owned());
        (tool.to_owned(), operation(Action::ToolsCall, thing))
    });
    server.into_iter().chain(tools).collect()
}

/// `allow`, or the reason of the refusal and the scopes that would help.
fn cell(policies: &PolicySnapshot, identity: &Identity, operation: Operation) -> String {
    let request = AccessRequest {
        operations: Operations {
            first: operation,
            rest: Vec::new(),
        },
        context: RequestContext::default(),
    };
    let facts = policies.facts(identity);
    match decide(&request, identity, &facts, policies, TELLING) {
        Decision::Allow(_) => "allow".to_owned(),
        Decision::Deny(denial) => {
            let scopes = denial.required_scopes.join(" ");
            let reason = denial.reason();
            if reason == Reason::InsufficientScope {
                return format!("needs {scopes}");
            }
            format!("{} {scopes}", reason.as_str())
                .trim_end()
                .to_owned()
        }
    }
}

fn table(callers: &[(String, Identity)]) -> String {
    let policies = PolicySnapshot::compile(&PolicyFiles::embedded(), &config().resources, 1);
    let policies = policies.expect("the starter policies compile");
    let mut text = format!("{:26}", "");
    for (name, _) in callers {
        write!(text, "{name:22}").expect("a string takes everything");
    }
    text.truncate(text.trim_end().len());
    for (name, operation) in operations() {
        let mut line = format!("\n{name:26}");
        for (_, identity) in callers {
            let cell = cell(&policies, identity, operation.clone());
            write!(line, "{cell:22}").expect("a string takes everything");
        }
        text.push_str(line.trim_end());
    }
    text
}

/// One column for each role, the caller's token having `scope`.
fn with_scope(scope: &str) -> String {
    let name = |role: &str| if role.is_empty() { "no role" } else { role }.to_owned();
    table(&ROLES.map(|role| (name(role), caller(role, scope))))
}

#[test]
fn roles_alone() {
    insta::assert_snapshot!(with_scope(SCOPES[0]), @r"
                              no role               viewer                editor                admin
    initialize                allow                 allow                 allow                 allow
    ping                      allow                 allow                 allow                 allow
    tools/list                allow                 allow                 allow                 allow
    resources/list            allow                 allow                 allow                 allow
    prompts/list              allow                 allow                 allow                 allow
    session/stream            allow                 allow                 allow                 allow
    unknown                   not_permitted         not_permitted         not_permitted         not_permitted
    get_forecast              needs weather:read    allow                 allow                 allow
    set_alert                 needs weather:write   needs weather:write   allow                 allow
    delete_station            not_permitted         not_permitted         not_permitted         allow
    new_tool                  not_permitted         not_permitted         not_permitted         allow
    ");
}

#[test]
fn roles_with_the_scope_to_read() {
    insta::assert_snapshot!(with_scope(SCOPES[1]), @r"
                              no role               viewer                editor                admin
    initialize                allow                 allow                 allow                 allow
    ping                      allow                 allow                 allow                 allow
    tools/list                allow                 allow                 allow                 allow
    resources/list            allow                 allow                 allow                 allow
    prompts/list              allow                 allow                 allow                 allow
    session/stream            allow                 allow                 allow                 allow
    unknown                   not_permitted         not_permitted         not_permitted         not_permitted
    get_forecast              allow                 allow                 allow                 allow
    set_alert                 needs weather:write   needs weather:write   allow                 allow
    delete_station            not_permitted         not_permitted         not_permitted         allow
    new_tool                  not_permitted         not_permitted         not_permitted         allow
    ");
}

#[test]
fn roles_with_the_scope_to_write() {
    insta::assert_snapshot!(with_scope(SCOPES[2]), @r"
                              no role               viewer                editor                admin
    initialize                allow                 allow                 allow                 allow
    ping                      allow                 allow                 allow                 allow
    tools/list                allow                 allow                 allow                 allow
    resources/list            allow                 allow                 allow                 allow
    prompts/list              allow                 allow                 allow                 allow
    session/stream            allow                 allow                 allow                 allow
    unknown                   not_permitted         not_permitted         not_permitted         not_permitted
    get_forecast              needs weather:read    allow                 allow                 allow
    set_alert                 allow                 allow                 allow                 allow
    delete_station            not_permitted         not_permitted         not_permitted         allow
    new_tool                  not_permitted         not_permitted         not_permitted         allow
    ");
}

#[test]
fn strangers_get_nothing() {
    insta::assert_snapshot!(table(&[("stranger".to_owned(), Identity::Anonymous)]), @r"
                              stranger
    initialize                missing_credential
    ping                      missing_credential
    tools/list                missing_credential
    resources/list            missing_credential
    prompts/list              missing_credential
    session/stream            missing_credential
    unknown                   missing_credential
    get_forecast              missing_credential weather:read
    set_alert                 missing_credential weather:write
    delete_station            missing_credential
    new_tool                  missing_credential
    ");
}
