//! Where a literal stands in the text of a policy: Cedar's syntax tree does not say.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use crate::policy::load::Loaded;

/// The words of a policy, comments left out.
pub(super) struct Tokens<'t> {
    tokens: Vec<Token<'t>>,
}

struct Token<'t> {
    kind: Kind<'t>,
    /// In bytes of the file.
    span: Range<usize>,
}

#[derive(PartialEq, Eq)]
enum Kind<'t> {
    Word(&'t str),
    /// A string, unescaped; absent where its escapes are not understood.
    Text(Option<String>),
    Mark(char),
}

impl<'t> Tokens<'t> {
    pub(super) fn of(loaded: &'t Loaded) -> Self {
        let text = loaded.source.text.get(loaded.span.clone()).unwrap_or("");
        let mut tokens = Vec::new();
        let mut characters = text.char_indices().peekable();
        while let Some((start, c)) = characters.next() {
            let kind = match c {
                '"' => Kind::Text(string(&mut characters)),
                '/' if characters.next_if(|(_, next)| *next == '/').is_some() => {
                    while characters.next_if(|(_, inside)| *inside != '\n').is_some() {}
                    continue;
                }
                c if is_word(c) => {
                    while characters.next_if(|(_, next)| is_word(*next)).is_some() {}
                    let end = characters.peek().map_or(text.len(), |(at, _)| *at);
                    Kind::Word(text.get(start..end).unwrap_or(""))
                }
                c if c.is_whitespace() => continue,
                c => Kind::Mark(c),
            };
            let end = characters.peek().map_or(text.len(), |(at, _)| *at);
            let at = |offset: usize| loaded.span.start.saturating_add(offset);
            tokens.push(Token {
                kind,
                span: at(start)..at(end),
            });
        }
        Self { tokens }
    }

    /// The first literal of this entity, its type included.
    pub(super) fn entity(&self, kind: &str, id: &str) -> Option<Range<usize>> {
        let path: Vec<&str> = kind.split("::").collect();
        let mut pattern = Vec::new();
        for part in path {
            pattern.extend([Kind::Word(part), Kind::Mark(':'), Kind::Mark(':')]);
        }
        pattern.push(Kind::Text(Some(id.to_owned())));
        let found = self.find(&pattern).next()?;
        Some(found.first()?.span.start..found.last()?.span.end)
    }

    /// Every place where `method` is called with this text: that of the text.
    pub(super) fn calls(&self, method: &str, text: &str) -> Vec<Range<usize>> {
        let pattern = [
            Kind::Word(method),
            Kind::Mark('('),
            Kind::Text(Some(text.to_owned())),
            Kind::Mark(')'),
        ];
        let text = |found: &[Token<'_>]| found.get(2).map(|token| token.span.clone());
        self.find(&pattern).filter_map(text).collect()
    }

    /// The first string literal of this text that is neither an entity's id nor an annotation.
    pub(super) fn text(&self, text: &str) -> Option<Range<usize>> {
        let wanted = Kind::Text(Some(text.to_owned()));
        let plain = |before: &[Token<'_>]| !matches!(before, [.., b] if b.kind == Kind::Mark(':'));
        let annotation = |before: &[Token<'_>]| {
            matches!(before, [.., at, _, open]
                if at.kind == Kind::Mark('@') && open.kind == Kind::Mark('('))
        };
        self.tokens.iter().enumerate().find_map(|(index, token)| {
            let before = self.tokens.get(..index)?;
            let found = token.kind == wanted && plain(before) && !annotation(before);
            found.then(|| token.span.clone())
        })
    }

    /// The text of an annotation.
    pub(super) fn annotation(&self, name: &str) -> Option<Range<usize>> {
        let is_text = |token: &Token<'_>| matches!(token.kind, Kind::Text(_));
        self.tokens.windows(4).find_map(|window| match window {
            [at, word, open, text]
                if at.kind == Kind::Mark('@')
                    && word.kind == Kind::Word(name)
                    && open.kind == Kind::Mark('(')
                    && is_text(text) =>
            {
                Some(text.span.clone())
            }
            _ => None,
        })
    }

    /// The first place where this attribute is matched with `like`: that of the attribute.
    pub(super) fn like(&self, attribute: &str) -> Option<Range<usize>> {
        let pattern = [Kind::Word(attribute), Kind::Word("like")];
        let found = self.find(&pattern).next()?;
        found.first().map(|token| token.span.clone())
    }

    fn find<'s>(&'s self, pattern: &'s [Kind<'_>]) -> impl Iterator<Item = &'s [Token<'t>]> {
        self.tokens.windows(pattern.len()).filter(|window| {
            let kinds = window.iter().map(|token| &token.kind);
            kinds.eq(pattern.iter())
        })
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The rest of a string that has begun.
fn string(characters: &mut Peekable<CharIndices<'_>>) -> Option<String> {
    let mut text = Some(String::new());
    while let Some((_, c)) = characters.next() {
        let unescaped = match c {
            '"' => break,
            '\\' => escape(characters),
            c => Some(c),
        };
        text = text.zip(unescaped).map(|(mut text, c)| {
            text.push(c);
            text
        });
    }
    text
}

/// What follows a backslash.
fn escape(characters: &mut Peekable<CharIndices<'_>>) -> Option<char> {
    let (_, c) = characters.next()?;
    match c {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '0' => Some('\0'),
        '\\' | '"' | '\'' => Some(c),
        'x' => {
            let digits: String = characters.take(2).map(|(_, c)| c).collect();
            char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
        }
        'u' => {
            characters.next_if(|(_, c)| *c == '{')?;
            let mut digits = String::new();
            while let Some((_, c)) = characters.next_if(|(_, c)| c.is_ascii_hexdigit()) {
                digits.push(c);
            }
            characters.next_if(|(_, c)| *c == '}')?;
            char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Source;
    use crate::policy::load;

    const TEXT: &str = r#"// Mcp::Role::"a"
@id("a")
permit(principal in Mcp :: Role:: // "a"
  "a", action, resource)
when { principal.scopes.contains("a") && context.args.hasTag ("\u{61}\"\\.b")
  && "b" == "\x61" && [context.args.getTag("a").long].contains(1) && "a" == "\n" };"#;

    #[test]
    fn literals_are_found_where_they_stand() {
        let source = Source {
            name: "x.cedar".into(),
            text: format!("\n{TEXT}").into(),
        };
        let loaded = load::policies(&[&source], &mut Vec::new());
        let tokens = Tokens::of(loaded.first().unwrap());
        let shown = |span: Range<usize>| source.text.get(span).unwrap().to_owned();
        let entity = tokens.entity("Mcp::Role", "a").map(shown).unwrap();
        assert!(entity.starts_with("Mcp :: Role") && entity.ends_with("\"a\""));
        assert_eq!(tokens.entity("Mcp::Role", "b"), None);
        assert_eq!(tokens.entity("Mcp::Group", "a"), None);
        let text = tokens.text("a").unwrap();
        assert!(
            source
                .text
                .get(..text.start)
                .unwrap()
                .ends_with("contains(")
        );
        let tags: Vec<_> = tokens.calls("hasTag", "a\"\\.b");
        assert_eq!(
            tags.into_iter().map(shown).collect::<Vec<_>>(),
            ["\"\\u{61}\\\"\\\\.b\""]
        );
        assert_eq!(tokens.calls("getTag", "a").len(), 1);
        assert!(tokens.calls("getTag", "b").is_empty());
        assert!(tokens.text("\n").is_some());
        assert_eq!(tokens.text("c"), None);
    }
}
