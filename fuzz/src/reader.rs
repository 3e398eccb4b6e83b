//! JSON documents.

use cedargate::request::json::Event;
use cedargate::request::json::JsonFault;
use cedargate::request::json::MAX_DEPTH;
use cedargate::request::json::Reader;
use cedargate::request::json::Token;
use serde_json::Map;
use serde_json::Value;

use crate::numbers;

/// The bytes are a document.
pub fn run(data: &[u8]) -> bool {
    let skipped = skip(data);
    let read = read(data);
    assert_eq!(
        skipped.err(),
        read.as_ref().err().copied(),
        "what is skipped is judged in another way"
    );
    let (ours, numbers) = match read {
        Ok(read) => read,
        Err(fault) => {
            assert!(fault.offset <= data.len(), "a fault beyond the document");
            return false;
        }
    };
    for text in &numbers {
        numbers::check(text);
    }
    match serde_json::from_slice::<Value>(data) {
        Ok(theirs) => assert_eq!(ours, Some(theirs), "two readings"),
        Err(error) => assert!(
            numbers.iter().any(|text| numbers::is_at_the_edge(text)),
            "accepted, and `serde_json` says: {error}"
        ),
    }
    true
}

/// The same document, without looking at anything in it.
fn skip(data: &[u8]) -> Result<(), JsonFault> {
    let mut reader = Reader::new(data)?;
    reader.whole()?;
    assert_eq!(reader.next()?, None);
    Ok(())
}

/// The tree, without the numbers that only the text of can be compared, and every number.
fn read(data: &[u8]) -> Result<(Option<Value>, Vec<&str>), JsonFault> {
    let mut reader = Reader::new(data)?;
    let (mut open, mut numbers): (Vec<Open>, _) = (Vec::new(), Vec::new());
    let (mut steps, mut end, mut tree) = (0_usize, 0, None);
    while let Some(Event { token, span }) = reader.next()? {
        steps += 1;
        assert!(end <= span.start && span.start < span.end, "no step ahead");
        assert!(span.end <= data.len() && steps <= data.len(), "too long");
        end = span.end;
        let text = reader.text(span);
        let value = match token {
            Token::ObjectStart => {
                open.push(Open::Object(Map::new(), None));
                continue;
            }
            Token::ArrayStart => {
                open.push(Open::Array(Vec::new()));
                continue;
            }
            Token::Key(name) => {
                let Some(Open::Object(_, key)) = open.last_mut() else {
                    panic!("a name outside an object");
                };
                assert_eq!(key.replace(name.into_owned()), None, "a name after a name");
                continue;
            }
            Token::ObjectEnd | Token::ArrayEnd => match open.pop() {
                Some(Open::Object(members, None)) if text == "}" => Value::Object(members),
                Some(Open::Array(elements)) if text == "]" => Value::Array(elements),
                other => panic!("{text} ends {other:?}"),
            },
            Token::String(value) => {
                assert!(text.starts_with('"') && text.ends_with('"'));
                Value::String(value.into_owned())
            }
            Token::Number(number) => {
                assert_eq!(number, text);
                numbers.push(number);
                serde_json::from_str(number).unwrap_or_default()
            }
            Token::Bool(value) => Value::Bool(value),
            Token::Null => Value::Null,
        };
        assert!(open.len() <= MAX_DEPTH, "too deep");
        match open.last_mut() {
            Some(Open::Object(members, key)) => {
                let key = key.take().expect("a value without a name");
                assert_eq!(members.insert(key, value), None, "the same name twice");
            }
            Some(Open::Array(elements)) => elements.push(value),
            None => assert_eq!(tree.replace(value), None, "two documents"),
        }
    }
    Ok((tree, numbers))
}

#[derive(Debug)]
enum Open {
    Object(Map<String, Value>, Option<String>),
    Array(Vec<Value>),
}
