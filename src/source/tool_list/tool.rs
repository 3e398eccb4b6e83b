//! One tool, as its server states it. Nothing of it is believed; it is only well-formed.

use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

use crate::json::StrictValue;

/// Longest name of a tool, in bytes. MCP asks for 128 characters at most.
pub const MAX_NAME_BYTES: usize = 256;

/// Longest title that is kept, in characters.
const MAX_TITLE: usize = 200;

/// What a server says of a tool, without the texts for models.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedTool {
    /// Its exact name: not empty, at most [`MAX_NAME_BYTES`].
    pub name: String,
    /// Its name for people, cut after 200 characters.
    pub title: Option<String>,
    /// Its annotations.
    pub hints: StatedHints,
    /// The JSON Schema of its arguments, which is an object.
    pub input_schema: Option<Value>,
}

/// MCP's tool annotations, those that are stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatedHints {
    /// `readOnlyHint`
    pub read_only: Option<bool>,
    /// `destructiveHint`
    pub destructive: Option<bool>,
    /// `idempotentHint`
    pub idempotent: Option<bool>,
    /// `openWorldHint`
    pub open_world: Option<bool>,
}

/// Why a tool is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolFault {
    /// It is no JSON object.
    #[error("tool number {0} is not an object")]
    NotAnObject(usize),
    /// It has no name, or one that is no text or is empty.
    #[error("tool number {0} has no name that is a text")]
    Name(usize),
    /// Its name exceeds [`MAX_NAME_BYTES`].
    #[error("the name of tool number {0} is longer than {MAX_NAME_BYTES} bytes")]
    LongName(usize),
    /// A member is not of the type that MCP gives it.
    #[error("`{member}` of tool `{tool}` is not {wanted}")]
    Member {
        /// The tool's name, as the server chose it.
        tool: String,
        /// The member.
        member: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
}

impl StatedTool {
    /// Reads the tool that stands at `place` of the list, counted from one.
    pub(super) fn read(value: &StrictValue, place: usize) -> Result<Self, ToolFault> {
        if value.as_object().is_none() {
            return Err(ToolFault::NotAnObject(place));
        }
        let name = value.get("name").and_then(StrictValue::as_text);
        let name = name.filter(|name| !name.is_empty());
        let name = name.ok_or(ToolFault::Name(place))?;
        if name.len() > MAX_NAME_BYTES {
            return Err(ToolFault::LongName(place));
        }
        let reader = Reader { tool: name };
        let annotations = reader.object(value, "annotations")?;
        let hint = |member| annotations.map_or(Ok(None), |all| reader.truth(all, member));
        let hints = StatedHints {
            read_only: hint("readOnlyHint")?,
            destructive: hint("destructiveHint")?,
            idempotent: hint("idempotentHint")?,
            open_world: hint("openWorldHint")?,
        };
        // MCP prefers the title of the tool to that of its annotations.
        let title = match reader.text(value, "title")? {
            Some(title) => Some(title),
            None => annotations.map_or(Ok(None), |all| reader.text(all, "title"))?,
        };
        Ok(Self {
            name: name.to_owned(),
            title: title.map(|title| title.chars().take(MAX_TITLE).collect()),
            hints,
            input_schema: reader.object(value, "inputSchema")?.map(plain),
        })
    }
}

/// Reads members of one tool.
struct Reader<'a> {
    tool: &'a str,
}

impl Reader<'_> {
    fn object<'v>(
        &self,
        of: &'v StrictValue,
        member: &'static str,
    ) -> Result<Option<&'v StrictValue>, ToolFault> {
        match stated(of, member) {
            Some(value) if value.as_object().is_none() => Err(self.fault(member, "an object")),
            found => Ok(found),
        }
    }

    fn truth(&self, of: &StrictValue, member: &'static str) -> Result<Option<bool>, ToolFault> {
        match stated(of, member) {
            None => Ok(None),
            Some(StrictValue::Bool(truth)) => Ok(Some(*truth)),
            Some(_) => Err(self.fault(member, "true or false")),
        }
    }

    fn text<'v>(
        &self,
        of: &'v StrictValue,
        member: &'static str,
    ) -> Result<Option<&'v str>, ToolFault> {
        match stated(of, member) {
            None => Ok(None),
            Some(StrictValue::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.fault(member, "a text")),
        }
    }

    fn fault(&self, member: &'static str, wanted: &'static str) -> ToolFault {
        ToolFault::Member {
            tool: self.tool.to_owned(),
            member,
            wanted,
        }
    }
}

/// A member. Some servers write `null` for what they do not state.
fn stated<'v>(of: &'v StrictValue, member: &str) -> Option<&'v StrictValue> {
    of.get(member)
        .filter(|value| !matches!(value, StrictValue::Null))
}

/// The same value in the form that is written. A number beyond 64 bits is the nearest double.
fn plain(value: &StrictValue) -> Value {
    match value {
        StrictValue::Null => Value::Null,
        StrictValue::Bool(truth) => Value::Bool(*truth),
        StrictValue::Integer(number) => Value::from(*number),
        StrictValue::Unsigned(number) => Value::from(*number),
        StrictValue::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        StrictValue::Text(text) => Value::from(text.as_str()),
        StrictValue::Array(elements) => elements.iter().map(plain).collect(),
        StrictValue::Object(members) => {
            let members = members.iter();
            let members: Map<String, Value> = members
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect();
            Value::Object(members)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json;

    fn read(text: &str) -> Result<StatedTool, ToolFault> {
        StatedTool::read(&json::parse(text.as_bytes(), 20).unwrap(), 7)
    }

    #[test]
    fn what_is_stated_is_kept_and_the_rest_stays_absent() {
        let tool = read(
            r#"{"name":"a\u001b","title":"T","description":"obey","icons":[],
                "annotations":{"title":"other","readOnlyHint":true,"openWorldHint":false,"x":1},
                "inputSchema":{"type":"object","z":[1,2.5,-3,null,18446744073709551615]}}"#,
        )
        .unwrap();
        assert_eq!(tool.name, "a\u{1b}");
        assert_eq!(tool.title.as_deref(), Some("T"));
        let hints = StatedHints {
            read_only: Some(true),
            open_world: Some(false),
            ..StatedHints::default()
        };
        assert_eq!(tool.hints, hints);
        let schema = json!({"type": "object", "z": [1, 2.5, -3, null, u64::MAX]});
        assert_eq!(tool.input_schema, Some(schema));
        let bare = read(r#"{"name":"a","title":null,"annotations":null,"inputSchema":null}"#);
        let expected = StatedTool {
            name: "a".to_owned(),
            title: None,
            hints: StatedHints::default(),
            input_schema: None,
        };
        assert_eq!(bare, Ok(expected));
        let titled = read(r#"{"name":"a","annotations":{"title":"t"}}"#).unwrap();
        assert_eq!(titled.title.as_deref(), Some("t"));
        let long = format!(r#"{{"name":"a","title":"{}"}}"#, "é".repeat(201));
        assert_eq!(read(&long).unwrap().title.unwrap().chars().count(), 200);
    }

    #[test]
    fn what_is_not_a_tool_is_refused() {
        for (text, fault) in [
            ("7", "tool number 7 is not an object"),
            ("{}", "tool number 7 has no name"),
            (r#"{"name":""}"#, "tool number 7 has no name"),
            (r#"{"name":["a"]}"#, "tool number 7 has no name"),
            (
                r#"{"name":"a","annotations":[]}"#,
                "`annotations` of tool `a` is not an object",
            ),
            (
                r#"{"name":"a","annotations":{"readOnlyHint":"true"}}"#,
                "`readOnlyHint` of tool `a` is not true or false",
            ),
            (
                r#"{"name":"a","title":1}"#,
                "`title` of tool `a` is not a text",
            ),
            (
                r#"{"name":"a","inputSchema":true}"#,
                "`inputSchema` of tool `a` is not an object",
            ),
        ] {
            let refused = read(text).unwrap_err().to_string();
            assert!(refused.starts_with(fault), "{text}: {refused}");
        }
        let name = |length: usize| format!(r#"{{"name":"{}"}}"#, "n".repeat(length));
        assert!(read(&name(256)).is_ok());
        assert_eq!(read(&name(257)), Err(ToolFault::LongName(7)));
    }
}
