//! From the text of a Cedar entity back to the target that it names.

use std::sync::Arc;

use crate::request::Target;
use crate::request::Thing;

/// The target that is written so; absent for any other text.
pub(super) fn parse(text: &str) -> Option<Target> {
    let (kind, rest) = text.strip_prefix("Mcp::")?.split_once("::\"")?;
    let quoted = rest.strip_suffix('"')?;
    let id = unescaped(quoted)?;
    if kind == "Server" {
        return (!id.contains('/')).then(|| Target {
            server: Arc::from(id),
            thing: Thing::Server,
        });
    }
    let (server, name) = id.split_once('/')?;
    let thing = match kind {
        "Tool" => Thing::Tool(name.to_owned()),
        "Resource" => Thing::Resource(name.to_owned()),
        "Prompt" => Thing::Prompt(name.to_owned()),
        "Task" => Thing::Task(name.to_owned()),
        "Route" => Thing::Route(Arc::from(name)),
        _ => return None,
    };
    Some(Target {
        server: Arc::from(server),
        thing,
    })
}

/// What stands between the quotes of a Cedar string. Cedar itself reads an entity only as it would
/// have written it, and where a mark joins the character before it, that is not how it was recorded.
fn unescaped(quoted: &str) -> Option<String> {
    let mut text = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(character) = rest.next() {
        text.push(match character {
            '"' => return None,
            '\\' => match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                same @ ('\\' | '\'' | '"') => same,
                'u' => {
                    let (digits, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
                    rest = after.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_whole_target_is_read() {
        for text in [
            "",
            "Mcp::Tool::\"weather",
            "Mcp::Tool::\"weather\"",
            "Mcp::Server::\"weather/x\"",
            "Mcp::Role::\"weather/x\"",
            "Mcp::Tool::\"weather/x\u{2026}",
            "Mcp::Tool::\"weather/x\" || Mcp::Tool::\"y/z\"",
            "Mcp::Tool::\"weather/\\q\"",
            "Mcp::Tool::\"weather/\\u{d800}\"",
            "Mcp::Tool::\"weather/\\\"",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in any::<String>(), slash in "[/\"\\\\\u{0}-\u{20}]{0,3}", kind in 0..6) {
            let name = format!("{slash}{name}{slash}");
            let thing = match kind {
                0 => Thing::Server,
                1 => Thing::Tool(name),
                2 => Thing::Resource(name),
                3 => Thing::Prompt(name),
                4 => Thing::Task(name),
                _ => Thing::Route(Arc::from(name)),
            };
            let target = Target { server: "a-1".into(), thing };
            prop_assert_eq!(parse(&target.to_string()), Some(target));
        }
    }
}
