//! A catalogue as it is read, updated and written: what an operator added to a tool stays.

use std::collections::BTreeMap;
use std::collections::HashSet;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use thiserror::Error;

use super::hints;
use crate::cli::printable;
use crate::json;
use crate::json::DEEPEST;
use crate::policy::files::MAX_FILE_BYTES;
use crate::source::tool_list::MAX_TOOLS;
use crate::source::tool_list::StatedHints;
use crate::source::tool_list::StatedTool;

/// The entries of a `tools.json`, by server and name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Catalogue {
    entries: BTreeMap<(String, String), Entry>,
}

/// What is written of a tool, beside its server and its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// MCP's hints.
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Map<String, Value>>,
    #[serde(rename = "inputSchema", skip_serializing_if = "Option::is_none")]
    pub(super) input_schema: Option<Value>,
    /// What the operator says: labels, groups and tenant, as they were.
    #[serde(flatten)]
    own: Map<String, Value>,
}

/// How an update deals with what it could do harm with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Permit {
    /// Hints that make a tool look safer than before are taken over too.
    pub(super) safer: bool,
    /// Tools that the server does not list any more are removed.
    pub(super) gone: bool,
}

/// Why a text is no catalogue.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum CatalogueFault {
    #[error("it is refused as JSON: {0}")]
    Json(json::JsonFault),
    #[error("it does not have the form of a catalogue: {0}")]
    Form(String),
    #[error("tool `{name}` of server `{server}` is listed twice")]
    Twice { server: String, name: String },
    #[error("`{hint}` of tool `{name}` of server `{server}` is neither true nor false")]
    Hint {
        server: String,
        name: String,
        hint: &'static str,
    },
    #[error("there are {0} tools; a catalogue holds {MAX_TOOLS}")]
    Many(usize),
    #[error("it would be {0} bytes long; a file of the policy directory holds {MAX_FILE_BYTES}")]
    Long(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tools: Vec<Listed>,
}

#[derive(Serialize, Deserialize)]
struct Listed {
    server: String,
    name: String,
    #[serde(flatten)]
    entry: Entry,
}

impl Entry {
    fn of(tool: &StatedTool, hints: StatedHints, own: Map<String, Value>) -> Self {
        Self {
            title: tool.title.clone(),
            annotations: Some(hints::annotations(hints)),
            input_schema: tool.input_schema.clone(),
            own,
        }
    }

    /// The hints that it states. Reading made sure that they are some.
    pub(super) fn hints(&self) -> StatedHints {
        let annotations = self.annotations.as_ref().map(hints::of);
        annotations.and_then(Result::ok).unwrap_or_default()
    }
}

impl Catalogue {
    /// Reads a file. What only `validate` would find fault with is kept as it is.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, CatalogueFault> {
        json::parse(bytes, DEEPEST).map_err(CatalogueFault::Json)?;
        let file: File = serde_json::from_slice(bytes)
            .map_err(|error| CatalogueFault::Form(error.to_string()))?;
        let mut entries = BTreeMap::new();
        for Listed {
            server,
            name,
            entry,
        } in file.tools
        {
            if let Some(Err(hint)) = entry.annotations.as_ref().map(hints::of) {
                return Err(CatalogueFault::Hint { server, name, hint });
            }
            let key = (server, name);
            if entries.contains_key(&key) {
                let (server, name) = key;
                return Err(CatalogueFault::Twice { server, name });
            }
            entries.insert(key, entry);
        }
        Ok(Self { entries })
    }

    /// The tools of a server.
    pub(super) fn of_server<'a>(
        &'a self,
        server: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        let all = self.entries.iter();
        all.filter(move |((of, _), _)| of == server)
            .map(|((_, name), entry)| (name.as_str(), entry))
    }

    /// Takes over what a server states now. Entries of other servers stay as they are, and what an
    /// operator added to a tool that is still there stays too.
    pub(super) fn update(&mut self, server: &str, stated: &[StatedTool], permit: Permit) {
        if permit.gone {
            let names: HashSet<&str> = stated.iter().map(|tool| tool.name.as_str()).collect();
            self.entries
                .retain(|(of, name), _| of != server || names.contains(name.as_str()));
        }
        for tool in stated {
            let key = (server.to_owned(), tool.name.clone());
            let entry = match self.entries.get(&key) {
                None => Entry::of(tool, tool.hints, invitation()),
                Some(known) if permit.safer => Entry::of(tool, tool.hints, known.own.clone()),
                Some(known) => {
                    let hints = hints::never_safer(known.hints(), tool.hints);
                    Entry::of(tool, hints, known.own.clone())
                }
            };
            self.entries.insert(key, entry);
        }
    }

    /// The text of the file, with nothing in it that a terminal would act upon. One that is too long
    /// with an indent has a line for each tool.
    pub(super) fn text(&self) -> Result<String, CatalogueFault> {
        if self.entries.len() > MAX_TOOLS {
            return Err(CatalogueFault::Many(self.entries.len()));
        }
        let listed: Vec<Listed> = self.entries.iter().map(listed).collect();
        let unforeseen = |error: serde_json::Error| CatalogueFault::Form(error.to_string());
        let wide = serde_json::to_string_pretty(&BTreeMap::from([("tools", &listed)]));
        let wide = printable::lines(&wide.map_err(unforeseen)?);
        if wide.len() < MAX_FILE_BYTES {
            return Ok(wide + "\n");
        }
        let lines: Result<Vec<String>, _> = listed.iter().map(serde_json::to_string).collect();
        let lines = lines.map_err(unforeseen)?.join(",\n");
        let narrow = printable::lines(&format!("{{\"tools\": [\n{lines}\n]}}\n"));
        if narrow.len() > MAX_FILE_BYTES {
            return Err(CatalogueFault::Long(narrow.len()));
        }
        Ok(narrow)
    }
}

fn listed(((server, name), entry): (&(String, String), &Entry)) -> Listed {
    Listed {
        server: server.clone(),
        name: name.clone(),
        entry: entry.clone(),
    }
}

/// What an operator may want to fill in. A tenant is not among it: an empty one would be one.
fn invitation() -> Map<String, Value> {
    ["labels", "groups"]
        .into_iter()
        .map(|name| (name.to_owned(), Value::Array(Vec::new())))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, read_only: Option<bool>) -> StatedTool {
        StatedTool {
            name: name.to_owned(),
            title: None,
            hints: StatedHints {
                read_only,
                ..StatedHints::default()
            },
            input_schema: Some(json!({"type": "object"})),
        }
    }

    fn read(value: &Value) -> Result<Catalogue, CatalogueFault> {
        Catalogue::read(value.to_string().as_bytes())
    }

    fn written(catalogue: &Catalogue) -> Value {
        serde_json::from_str(&catalogue.text().unwrap()).unwrap()
    }

    #[test]
    fn a_new_catalogue_is_sorted_and_invites() {
        let mut catalogue = Catalogue::default();
        let mut titled = tool("b", Some(true));
        titled.title = Some("T".to_owned());
        catalogue.update("s", &[titled, tool("a\u{1b}", None)], Permit::default());
        let text = catalogue.text().unwrap();
        assert!(!text.contains('\u{1b}'));
        let at = |part: &str| text.find(part).unwrap();
        assert!(at("\"server\"") < at("\"name\"") && at("\"name\"") < at("\"annotations\""));
        let schema = json!({"type": "object"});
        let expected = json!({"tools": [
            {"server": "s", "name": "a\u{1b}", "annotations": {}, "inputSchema": schema,
             "labels": [], "groups": []},
            {"server": "s", "name": "b", "title": "T", "annotations": {"readOnlyHint": true},
             "inputSchema": schema, "labels": [], "groups": []},
        ]});
        assert_eq!(written(&catalogue), expected);
    }

    fn known() -> Value {
        json!({"tools": [
            {"server": "other", "name": "a", "annotations": {"readOnlyHint": true}, "x": [1]},
            {"server": "s", "name": "a", "labels": ["l"], "groups": ["g"], "tenant": "t",
             "inputSchema": {"old": 1}},
            {"server": "s", "name": "gone", "groups": ["g"]},
            {"server": "s", "name": "worse", "annotations": {"readOnlyHint": true}},
        ]})
    }

    #[test]
    fn an_update_keeps_what_is_not_the_servers_and_makes_nothing_safer() {
        let mut catalogue = read(&known()).unwrap();
        let stated = [tool("a", Some(true)), tool("worse", None)];
        catalogue.update("s", &stated, Permit::default());
        let schema = json!({"type": "object"});
        let expected = json!({"tools": [
            {"server": "other", "name": "a", "annotations": {"readOnlyHint": true}, "x": [1]},
            {"server": "s", "name": "a", "annotations": {}, "labels": ["l"], "groups": ["g"],
             "tenant": "t", "inputSchema": schema},
            {"server": "s", "name": "gone", "groups": ["g"]},
            {"server": "s", "name": "worse", "annotations": {}, "inputSchema": schema},
        ]});
        assert_eq!(written(&catalogue), expected);
        let again = catalogue.clone();
        catalogue.update("s", &stated, Permit::default());
        assert_eq!(catalogue, again);
    }

    #[test]
    fn what_is_permitted_is_taken_over() {
        let mut catalogue = read(&known()).unwrap();
        let permit = Permit {
            safer: true,
            gone: true,
        };
        catalogue.update("s", &[tool("a", Some(true))], permit);
        let names: Vec<&str> = catalogue.of_server("s").map(|(name, _)| name).collect();
        assert_eq!(names, ["a"]);
        assert_eq!(catalogue.of_server("other").count(), 1);
        let (_, entry) = catalogue.of_server("s").next().unwrap();
        assert_eq!(entry.hints().read_only, Some(true));
        assert_eq!(entry.own["tenant"], "t");
    }

    #[test]
    fn what_is_no_catalogue_is_refused() {
        for (text, fault) in [
            ("", "it is refused as JSON"),
            (r#"{"tools":[],"tools":[]}"#, "it is refused as JSON"),
            ("[]", "it does not have the form"),
            ("{}", "it does not have the form"),
            (r#"{"tools":[],"x":1}"#, "it does not have the form"),
            (r#"{"tools":[{"server":"s"}]}"#, "it does not have the form"),
            (
                r#"{"tools":[{"server":"s","name":"a"},{"server":"s","name":"a"}]}"#,
                "tool `a` of server `s` is listed twice",
            ),
            (
                r#"{"tools":[{"server":"s","name":"a","annotations":{"readOnlyHint":1}}]}"#,
                "`readOnlyHint` of tool `a`",
            ),
        ] {
            let refused = Catalogue::read(text.as_bytes()).unwrap_err().to_string();
            assert!(refused.starts_with(fault), "{text}: {refused}");
        }
    }

    #[test]
    fn what_the_policy_directory_would_refuse_is_not_written() {
        let tools = |count: usize, name: usize| {
            let mut catalogue = Catalogue::default();
            let name = "n".repeat(name);
            let tools: Vec<StatedTool> = (0..count)
                .map(|number| tool(&format!("{name}{number}"), None))
                .collect();
            catalogue.update("s", &tools, Permit::default());
            catalogue
        };
        let long = tools(8_000, 1).text().unwrap();
        assert!(long.len() <= MAX_FILE_BYTES && long.lines().count() == 8_002);
        assert_eq!(Catalogue::read(long.as_bytes()), Ok(tools(8_000, 1)));
        assert!(matches!(
            tools(8_000, 200).text(),
            Err(CatalogueFault::Long(_))
        ));
        assert_eq!(tools(10_001, 1).text(), Err(CatalogueFault::Many(10_001)));
    }
}
