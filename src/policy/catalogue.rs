//! `tools.json`: what the operator says of each tool. A server's own word is never taken for it.

pub(super) mod inputs;

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::inputs::Inputs;

use super::report;
use super::strict_json;
use super::strict_json::Placed;
use crate::fault::Fault;
use crate::fault::Lint;
use crate::fault::Source;

/// The tools that are listed, by server and name.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    servers: HashMap<String, HashMap<String, Tool>>,
}

/// What is known of a tool.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) hints: Hints,
    pub(super) labels: Vec<String>,
    pub(super) groups: Vec<String>,
    /// Absent: the server's.
    pub(super) tenant: Option<String>,
    /// Absent: nothing is known of its arguments.
    pub(super) inputs: Option<Inputs>,
}

/// MCP's tool annotations, complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent yes-or-no hints, named as MCP names them"
)]
pub(super) struct Hints {
    pub(super) read_only: bool,
    pub(super) destructive: bool,
    pub(super) idempotent: bool,
    pub(super) open_world: bool,
}

impl Hints {
    /// What MCP tells a client to assume of a tool that says nothing.
    pub(super) const UNKNOWN: Self = Self {
        read_only: false,
        destructive: true,
        idempotent: false,
        open_world: true,
    };
}

impl Catalogue {
    /// Reads the file; faults are collected. A tool of a server that is not among `servers` is
    /// worth a warning: it can never be called.
    pub(super) fn read(
        source: &Source,
        servers: &HashSet<Arc<str>>,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let mut catalogue = Self::default();
        for Placed { mut value, span } in strict_json::tools::<Listed>(source, faults) {
            let schema = value.input_schema.take();
            let (server, name, mut tool) = value.known();
            tool.inputs = schema.and_then(|schema| {
                let read = Inputs::read(schema.get());
                read.inspect_err(|error| {
                    let text = source.text.get(span.clone()).unwrap_or("");
                    let at = text.find(schema.get()).unwrap_or(0);
                    let line = report::first_line(source, span.start.saturating_add(at));
                    let message =
                        format!("the `inputSchema` of tool `{name}` cannot be used: {error}");
                    let help = "policies that read its arguments are not checked against it";
                    faults.push(
                        Fault::error(source, Some(line), message)
                            .help(help)
                            .named(Lint::InvalidInputSchema)
                            .warning(),
                    );
                })
                .ok()
            });
            if !servers.contains(&*server) {
                let message = format!("no resource of the configuration is named `{server}`");
                faults.push(
                    Fault::error(source, Some(span.clone()), message)
                        .named(Lint::UnknownServer)
                        .warning(),
                );
            }
            let tools = catalogue.servers.entry(server.clone()).or_default();
            if tools.insert(name.clone(), tool).is_some() {
                let message = format!("tool `{name}` of server `{server}` is listed twice");
                faults.push(Fault::error(source, Some(span), message));
            }
        }
        catalogue
    }

    /// Every tool with its server and its name, in their order.
    pub(super) fn tools(&self) -> Vec<(&str, &str, &Tool)> {
        let mut all: Vec<_> = self
            .servers
            .iter()
            .flat_map(|(server, tools)| {
                let tools = tools.iter();
                tools.map(|(name, tool)| (&**server, &**name, tool))
            })
            .collect();
        all.sort_by_key(|(server, name, _)| (*server, *name));
        all
    }

    /// The names of the tools of a server.
    pub(super) fn names(&self, server: &str) -> Vec<&str> {
        let tools = self.servers.get(server).into_iter();
        let mut names: Vec<&str> = tools.flat_map(HashMap::keys).map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Whether any tool of the server is listed.
    pub(super) fn lists(&self, server: &str) -> bool {
        self.servers.contains_key(server)
    }

    /// The tool, if it is listed.
    pub(super) fn tool(&self, server: &str, name: &str) -> Option<&Tool> {
        self.servers.get(server)?.get(name)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Listed {
    server: String,
    name: String,
    #[serde(rename = "title")]
    _title: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    input_schema: Option<Box<RawValue>>,
    #[serde(default)]
    annotations: Annotations,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    tenant: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Annotations {
    #[serde(rename = "title")]
    _title: Option<String>,
    read_only_hint: Option<bool>,
    destructive_hint: Option<bool>,
    idempotent_hint: Option<bool>,
    open_world_hint: Option<bool>,
}

impl Listed {
    fn known(self) -> (String, String, Tool) {
        let unknown = Hints::UNKNOWN;
        let said = self.annotations;
        let read_only = said.read_only_hint.unwrap_or(unknown.read_only);
        let hints = Hints {
            read_only,
            // MCP: the hint has a meaning only where the tool is not read-only.
            destructive: said
                .destructive_hint
                .unwrap_or(unknown.destructive && !read_only),
            idempotent: said.idempotent_hint.unwrap_or(unknown.idempotent),
            open_world: said.open_world_hint.unwrap_or(unknown.open_world),
        };
        let tool = Tool {
            hints,
            labels: self.labels,
            groups: self.groups,
            tenant: self.tenant,
            inputs: None,
        };
        (self.server, self.name, tool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Catalogue, Vec<String>) {
        let source = Source {
            name: "tools.json".into(),
            text: text.into(),
        };
        let mut faults = Vec::new();
        let servers = HashSet::from(["s".into()]);
        let catalogue = Catalogue::read(&source, &servers, &mut faults);
        (catalogue, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn absent_hints_are_the_worst() {
        let (catalogue, faults) = read(
            "{\"tools\": [{\"server\": \"s\", \"name\": \"plain\"},
              {\"server\": \"s\", \"name\": \"read\", \"annotations\": {\"readOnlyHint\": true}},
              {\"server\": \"s\", \"name\": \"both\",
               \"annotations\": {\"readOnlyHint\": true, \"destructiveHint\": true}}]}",
        );
        assert_eq!(faults, Vec::<String>::new());
        let hints = |name| catalogue.tool("s", name).map(|tool| tool.hints);
        assert_eq!(hints("plain"), Some(Hints::UNKNOWN));
        let read = Hints {
            read_only: true,
            destructive: false,
            ..Hints::UNKNOWN
        };
        assert_eq!(hints("read"), Some(read));
        assert!(hints("both").is_some_and(|hints| hints.destructive));
        assert_eq!(hints("Plain"), None);
    }

    #[test]
    fn mistakes_have_a_place() {
        let (_, faults) = read(
            "{\"tools\": [\n{\"server\": \"s\", \"name\": \"a\"},\n{\"server\": \"s\", \"name\": \"a\"},\n\
             {\"server\": \"x\", \"name\": \"a\"},\n{\"server\": \"s\", \"nmae\": \"b\"},\n\
             {\"server\": \"s\", \"name\": \"c\", \"annotations\": {\"readOnly\": true}},\n\
             {\"server\": \"s\", \"name\": \"d\", \"labels\": \"x\"}]}",
        );
        let expected = [
            "tools.json:5:22: error: unknown field `nmae`",
            "tools.json:6:55: error: unknown field `readOnly`",
            "tools.json:7:42: error: invalid type: string",
            "tools.json:3:1: error: tool `a` of server `s` is listed twice",
            "tools.json:4:1: warning[unknown-server]: no resource of the configuration is named `x`",
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault} is not {expected}");
        }
        assert_eq!(read("{\"tools\": [], \"more\": 1}").1.len(), 1);
        assert_eq!(read("[]").1.len(), 1);
    }

    #[test]
    fn a_schema_that_cannot_be_used_is_a_warning() {
        let (catalogue, faults) = read(
            "{\"tools\": [\n{\"server\": \"s\", \"name\": \"a\", \"title\": \"A\", \"description\": \"?\",\n\
             \"inputSchema\": {\"type\": \"object\"}},\n{\"server\": \"s\", \"name\": \"b\",\n\
             \"inputSchema\": {\"type\": \"text\"}},\n{\"server\": \"s\", \"name\": \"c\"}]}",
        );
        assert_eq!(
            faults,
            [
                "tools.json:5:16: warning[invalid-input-schema]: the `inputSchema` of tool `b` cannot be used: `type` has \
                 a value that it cannot have (policies that read its arguments are not checked \
                 against it)"
            ]
        );
        let has = |name| {
            catalogue
                .tool("s", name)
                .is_some_and(|tool| tool.inputs.is_some())
        };
        assert_eq!((has("a"), has("b"), has("c")), (true, false, false));
        let (_, faults) = read(
            "{\"tools\": [{\"server\": \"s\", \"name\": \"a\", \"title\": 1}, \
             {\"server\": \"s\", \"name\": \"b\", \"inputSchema\": {]}]}",
        );
        assert_eq!(faults.len(), 1, "not JSON at all: {faults:?}");
    }
}
