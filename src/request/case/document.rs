//! A description in JSON, with everything that is wrong with it.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Case;
use super::CaseFault;
use super::Written;
use crate::json;
use crate::request::Arguments;

/// Reads a description that is written in JSON.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn from_json(text: &[u8]) -> Result<Case, Vec<String>> {
    // Nothing is read whose names stand twice, and of which readers make different things.
    json::parse(text, json::DEEPEST).map_err(|fault| vec![fault.to_string()])?;
    let one = |fault: serde_json::Error| vec![fault.to_string()];
    let Value::Object(members) = serde_json::from_slice(text).map_err(one)? else {
        return Err(vec!["not a JSON object".to_owned()]);
    };
    let mut faults = Vec::new();
    for (name, value) in members {
        match (name.as_str(), value) {
            ("principal" | "context", Value::Object(inner)) => {
                for (key, value) in inner {
                    let part = Map::from_iter([(key.clone(), value)]);
                    let whole = Map::from_iter([(name.clone(), Value::Object(part))]);
                    faults.extend(misfit(whole, &format!("{name}.{key}")));
                }
            }
            (_, value) => faults.extend(misfit(Map::from_iter([(name.clone(), value)]), &name)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let written: Written = serde_json::from_slice(text).map_err(one)?;
    let faults: Vec<String> = written.faults().iter().map(told).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut case = written.case().map_err(|fault| vec![told(&fault)])?;
    // As they were sent: a number has more readings than the one that a reader keeps.
    let sent: Sent<'_> = serde_json::from_slice(text).map_err(one)?;
    if let Some(arguments) = sent.arguments {
        let arguments = Bytes::copy_from_slice(arguments.get().as_bytes());
        case.request.operations.first.arguments = Arguments::Json(arguments);
    }
    Ok(case)
}

/// The arguments, as text.
#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// What is wrong with one member of a description.
fn misfit(member: Map<String, Value>, path: &str) -> Option<String> {
    let read: Result<Written, _> = serde_json::from_value(Value::Object(member));
    read.err().map(|fault| format!("`{path}`: {fault}"))
}

/// The fault where there are no flags to speak of.
fn told(fault: &CaseFault) -> String {
    match fault {
        CaseFault::NoTarget => {
            "name a target: one of tool, uri, prompt, server, task or route".to_owned()
        }
        CaseFault::TwoTargets
        | CaseFault::Target(_)
        | CaseFault::Resource { .. }
        | CaseFault::Action(_)
        | CaseFault::NoAction
        | CaseFault::PrincipalType(_)
        | CaseFault::Now(_)
        | CaseFault::Arguments => fault.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_document_is_told_at_once() {
        let faults = |text: &str| from_json(text.as_bytes()).unwrap_err();
        let misspelt = r#"{"tol": "a/b", "action": 1, "principal": {"roles": "x", "rols": [], "scopes": ["a"]},
            "context": {"client_ip": "here"}}"#;
        let told = faults(misspelt).join("\n");
        for part in [
            "`tol`: unknown",
            "`action`: invalid",
            "`principal.roles`: invalid",
            "`principal.rols`: unknown",
            "`context.client_ip`: ",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!(faults(misspelt).len(), 5);
        let wrong = r#"{"tool": "ab", "arguments": [], "principal": {"type": "Robot"}, "context": {"now": "soon"}}"#;
        assert_eq!(faults(wrong).len(), 4, "{:?}", faults(wrong));
        assert_eq!(
            faults("{}"),
            ["name a target: one of tool, uri, prompt, server, task or route"]
        );
        for text in [
            "",
            "[]",
            "{\"tool\": \"a/b\", \"tool\": \"a/c\"}",
            "{\"tool\": \"a/b\", \"arguments\": {\"n\": 1, \"n\": 2}}",
        ] {
            assert_eq!(faults(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn arguments_stay_as_they_were_sent() {
        let case = from_json(br#"{"tool": "a/b", "arguments": {"n": 1.00000000000000000001}}"#);
        let sent = case.unwrap().request.operations.first.arguments;
        let expected = Bytes::from_static(br#"{"n": 1.00000000000000000001}"#);
        assert_eq!(sent, Arguments::Json(expected));
        for text in [
            r#"{"tool": "a/b"}"#,
            r#"{"tool": "a/b", "arguments": null}"#,
        ] {
            let case = from_json(text.as_bytes()).unwrap();
            assert_eq!(case.request.operations.first.arguments, Arguments::None);
        }
    }
}
