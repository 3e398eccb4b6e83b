//! The pages of `tools/list`, put together: bounded in number, each name and each cursor once.

use std::collections::HashSet;

use super::tool::StatedTool;
use super::tool::ToolFault;
use crate::json::StrictValue;

/// Most tools of one server: as many as a catalogue may have entries.
pub const MAX_TOOLS: usize = 10_000;

/// Most pages, however few tools there are on each.
pub const MAX_PAGES: usize = 1_000;

/// Longest cursor, in bytes.
const MAX_CURSOR_BYTES: usize = 4 * 1024;

/// Why a list of tools is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// There is no list.
    #[error("the result has no list of `tools`")]
    NoList,
    /// One of its tools is none.
    #[error(transparent)]
    Tool(#[from] ToolFault),
    /// Two tools have the same name, so that nobody knows which one is meant.
    #[error("two tools are named `{0}`")]
    Twice(String),
    /// There are more than [`MAX_TOOLS`].
    #[error("there are more than {MAX_TOOLS} tools")]
    TooManyTools,
    /// There are more than [`MAX_PAGES`].
    #[error("there are more than {MAX_PAGES} pages")]
    TooManyPages,
    /// The cursor is no text, or an endless one.
    #[error("`nextCursor` is not a text of at most {MAX_CURSOR_BYTES} bytes")]
    Cursor,
    /// The server leads in a circle.
    #[error("`nextCursor` leads back to a page that was read before")]
    Circle,
    /// A saved page is not the last one.
    #[error("it has a `nextCursor`: it is one page of several")]
    Incomplete,
}

/// The pages so far.
#[derive(Debug, Default)]
pub(super) struct Pages {
    tools: Vec<StatedTool>,
    names: HashSet<String>,
    cursors: HashSet<String>,
    read: usize,
}

impl Pages {
    /// Reads the result of one request, and returns the cursor of the next page, if there is one. MCP
    /// says nothing of what a cursor looks like: an empty one is one.
    pub(super) fn take(&mut self, result: &StrictValue) -> Result<Option<String>, PageFault> {
        self.read = self.read.saturating_add(1);
        if self.read > MAX_PAGES {
            return Err(PageFault::TooManyPages);
        }
        let list = result.get("tools").and_then(StrictValue::as_array);
        self.add(list.ok_or(PageFault::NoList)?)?;
        let cursor = match result.get("nextCursor") {
            None | Some(StrictValue::Null) => return Ok(None),
            Some(StrictValue::Text(cursor)) if cursor.len() <= MAX_CURSOR_BYTES => cursor,
            Some(_) => return Err(PageFault::Cursor),
        };
        if !self.cursors.insert(cursor.clone()) {
            return Err(PageFault::Circle);
        }
        Ok(Some(cursor.clone()))
    }

    /// Adds the tools of a list.
    pub(super) fn add(&mut self, list: &[StrictValue]) -> Result<(), PageFault> {
        for value in list {
            if self.tools.len() >= MAX_TOOLS {
                return Err(PageFault::TooManyTools);
            }
            let tool = StatedTool::read(value, self.tools.len().saturating_add(1))?;
            if !self.names.insert(tool.name.clone()) {
                return Err(PageFault::Twice(tool.name));
            }
            self.tools.push(tool);
        }
        Ok(())
    }

    /// Everything that has been read.
    pub(super) fn finish(self) -> Vec<StatedTool> {
        self.tools
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn take(pages: &mut Pages, text: &str) -> Result<Option<String>, PageFault> {
        pages.take(&json::parse(text.as_bytes(), 20).unwrap())
    }

    fn one(text: &str) -> Result<Option<String>, PageFault> {
        take(&mut Pages::default(), text)
    }

    #[test]
    fn pages_are_put_together_in_order() {
        let mut pages = Pages::default();
        let page = r#"{"tools":[{"name":"b"},{"name":"a"}],"nextCursor":""}"#;
        assert_eq!(take(&mut pages, page), Ok(Some(String::new())));
        let page = r#"{"tools":[],"nextCursor":"2"}"#;
        assert_eq!(take(&mut pages, page), Ok(Some("2".to_owned())));
        let page = r#"{"tools":[{"name":"A"}],"nextCursor":null}"#;
        assert_eq!(take(&mut pages, page), Ok(None));
        let names: Vec<String> = pages.finish().into_iter().map(|tool| tool.name).collect();
        assert_eq!(names, ["b", "a", "A"]);
    }

    #[test]
    fn a_circle_is_left_at_once() {
        let mut pages = Pages::default();
        let leads = |to: &str| format!(r#"{{"tools":[],"nextCursor":"{to}"}}"#);
        for cursor in ["a", "b", "c"] {
            assert!(take(&mut pages, &leads(cursor)).is_ok());
        }
        assert_eq!(take(&mut pages, &leads("b")), Err(PageFault::Circle));
    }

    #[test]
    fn everything_is_bounded() {
        let mut pages = Pages::default();
        for number in 0..MAX_PAGES {
            let page = format!(r#"{{"tools":[],"nextCursor":"{number}"}}"#);
            assert!(take(&mut pages, &page).is_ok());
        }
        let last = take(&mut pages, r#"{"tools":[]}"#);
        assert_eq!(last, Err(PageFault::TooManyPages));

        let many = |count: usize| {
            let tools: Vec<String> = (0..count).map(|n| format!(r#"{{"name":"{n}"}}"#)).collect();
            format!(r#"{{"tools":[{}]}}"#, tools.join(","))
        };
        assert_eq!(one(&many(MAX_TOOLS)), Ok(None));
        assert_eq!(one(&many(MAX_TOOLS + 1)), Err(PageFault::TooManyTools));
        let cursor = |length: usize| {
            let cursor = "c".repeat(length);
            format!(r#"{{"tools":[],"nextCursor":"{cursor}"}}"#)
        };
        assert!(one(&cursor(MAX_CURSOR_BYTES)).is_ok());
        assert_eq!(one(&cursor(MAX_CURSOR_BYTES + 1)), Err(PageFault::Cursor));
    }

    #[test]
    fn what_is_no_list_of_tools_is_refused() {
        for (text, fault) in [
            ("{}", PageFault::NoList),
            (r#"{"tools":{}}"#, PageFault::NoList),
            (r#"{"tools":[],"nextCursor":1}"#, PageFault::Cursor),
            (
                r#"{"tools":[{"name":"a"},7]}"#,
                PageFault::Tool(ToolFault::NotAnObject(2)),
            ),
            (
                r#"{"tools":[{"name":"a"},{"name":"\u0061"}]}"#,
                PageFault::Twice("a".to_owned()),
            ),
        ] {
            assert_eq!(one(text), Err(fault), "{text}");
        }
        let mut pages = Pages::default();
        assert!(take(&mut pages, r#"{"tools":[{"name":"a"}],"nextCursor":"2"}"#).is_ok());
        let again = take(&mut pages, r#"{"tools":[{"name":"a"}]}"#);
        assert_eq!(again, Err(PageFault::Twice("a".to_owned())));
    }
}
