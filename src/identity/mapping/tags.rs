//! Every claim that nothing else reads, as a set of strings under a flat name.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::identity::token_fault::TokenFault;
use crate::json::StrictValue;

/// How many members deep objects are followed.
const MAX_STEPS: usize = 4;
/// Most tags of one token.
const MAX_TAGS: usize = 64;
/// Most values of one tag.
const MAX_VALUES: usize = 64;
/// Longest value, in bytes.
const MAX_VALUE_BYTES: usize = 1024;
/// Whole numbers beyond this are not exact as doubles.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

type Tags = BTreeMap<String, BTreeSet<String>>;

/// Reads all claims but those that `used` leads to. A scalar is a set of one; an array of scalars a
/// set; an object its members, the names joined with dots. What has no such form (`null`, arrays
/// of arrays or of objects, deeper objects) has no tag, and neither has a member whose name starts
/// with `__`, which Cedar's JSON form gives a meaning to. Of a chain of actors only the outermost is
/// told: the others are history (RFC 8693, section 4.1); and who *may* act (section 4.4) is the
/// issuer's affair.
///
/// # Errors
///
/// [`TokenFault`] when a bound is exceeded or two claims have one flat name: which facts survive
/// must not be for the holder of the token to choose.
pub(super) fn read(claims: &StrictValue, used: &[Vec<&str>]) -> Result<Tags, TokenFault> {
    let mut tags = Tags::new();
    let mut steps = Vec::new();
    flatten(claims, &mut steps, used, &mut tags)?;
    Ok(tags)
}

/// Recursion ends at [`MAX_STEPS`].
fn flatten<'a>(
    object: &'a StrictValue,
    steps: &mut Vec<&'a str>,
    used: &[Vec<&str>],
    tags: &mut Tags,
) -> Result<(), TokenFault> {
    for (name, value) in object.as_object().unwrap_or_default() {
        if name.starts_with("__") || steps.len() >= MAX_STEPS {
            continue;
        }
        steps.push(name);
        if !used.contains(steps) && !is_no_fact(steps) {
            if let StrictValue::Object(_) = value {
                flatten(value, steps, used, tags)?;
            } else if let Some(values) = values(value)? {
                if tags.insert(steps.join("."), values).is_some() {
                    return Err(TokenFault::ClaimsCollide);
                }
                if tags.len() > MAX_TAGS {
                    return Err(TokenFault::TooMany("claims"));
                }
            }
        }
        steps.pop();
    }
    Ok(())
}

/// Whether the flat name is one of an actor before the last, or of one who may act but does not,
/// however it is spelled.
fn is_no_fact(steps: &[&str]) -> bool {
    let mut parts = steps.iter().flat_map(|step| step.split('.'));
    match parts.next() {
        Some("may_act") => true,
        Some("act") => parts.next() == Some("act"),
        Some(_) | None => false,
    }
}

fn values(value: &StrictValue) -> Result<Option<BTreeSet<String>>, TokenFault> {
    let Some(elements) = value.as_array() else {
        return Ok(scalar(value)?.map(|text| BTreeSet::from([text])));
    };
    let mut values = BTreeSet::new();
    for element in elements {
        let Some(text) = scalar(element)? else {
            return Ok(None);
        };
        values.insert(text);
        if values.len() > MAX_VALUES {
            return Err(TokenFault::TooMany("values of a claim"));
        }
    }
    Ok(Some(values))
}

fn scalar(value: &StrictValue) -> Result<Option<String>, TokenFault> {
    let text = match value {
        StrictValue::Text(text) => text.clone(),
        StrictValue::Bool(value) => value.to_string(),
        StrictValue::Integer(value) => value.to_string(),
        StrictValue::Unsigned(value) => value.to_string(),
        StrictValue::Float(value) if value.abs() <= MAX_EXACT => value.to_string(),
        StrictValue::Float(_) => return Err(TokenFault::TooMany("digits of a number")),
        StrictValue::Null | StrictValue::Array(_) | StrictValue::Object(_) => return Ok(None),
    };
    if text.len() > MAX_VALUE_BYTES {
        return Err(TokenFault::TooMany("bytes of a value"));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str, used: &[Vec<&str>]) -> Result<Vec<String>, TokenFault> {
        let claims = crate::json::parse(text.as_bytes(), 16).unwrap();
        let shown = |(name, values): (String, BTreeSet<String>)| {
            let values: Vec<String> = values.into_iter().collect();
            format!("{name}={}", values.join(","))
        };
        Ok(read(&claims, used)?.into_iter().map(shown).collect())
    }

    #[test]
    fn shapes() {
        for (text, expected) in [
            (r#"{"a":"x"}"#, &["a=x"][..]),
            (
                r#"{"a":true,"b":-1,"c":18446744073709551615,"d":1.5,"e":2.0}"#,
                &["a=true", "b=-1", "c=18446744073709551615", "d=1.5", "e=2"],
            ),
            (r#"{"a":["y","x",1,"x"]}"#, &["a=1,x,y"]),
            (r#"{"a":[],"b":""}"#, &["a=", "b="]),
            (r#"{"a":null,"b":[null],"c":[["x"]],"d":[{"e":1}]}"#, &[]),
            (
                r#"{"a":{"b":{"c":{"d":1,"e":{"f":2}}},"g":3}}"#,
                &["a.b.c.d=1", "a.g=3"],
            ),
            (
                r#"{"a":{"__entity":{"type":"Role","id":"admin"}},"__extn":1,"b":{"__x":1,"y":2}}"#,
                &["b.y=2"],
            ),
        ] {
            assert_eq!(tags(text, &[]).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_used_elsewhere_is_left_out() {
        let text = r#"{"a":1,"b":{"c":2,"d":3},"b.c":4}"#;
        let used = [vec!["a"], vec!["b", "c"]];
        assert_eq!(tags(text, &used).unwrap(), ["b.c=4", "b.d=3"]);
    }

    #[test]
    fn only_the_last_actor_is_told() {
        let text = r#"{"act":{"sub":"b","iss":"i","client_id":"c",
            "act":{"sub":"evil","act":{"sub":"older"}}},
            "may_act":{"sub":"m"},"may_act.sub":"m","act.act":"x","act.act.sub":"y","x":{"act":{"act":"z"}}}"#;
        assert_eq!(
            tags(text, &[]).unwrap(),
            ["act.client_id=c", "act.iss=i", "act.sub=b", "x.act.act=z"]
        );
    }

    #[test]
    fn bounds_refuse_and_never_drop() {
        let object = |n: usize| {
            let members: Vec<String> = (0..n).map(|i| format!(r#""k{i}":1"#)).collect();
            format!("{{{}}}", members.join(","))
        };
        let array = |n: usize| {
            let elements: Vec<String> = (0..n).map(|i| i.to_string()).collect();
            format!(r#"{{"a":[{}]}}"#, elements.join(","))
        };
        let text = |n: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(n));
        for within in [object(64), array(64), text(1024)] {
            assert!(tags(&within, &[]).is_ok());
        }
        for over in [object(65), array(65), text(1025), r#"{"a":1e17}"#.into()] {
            assert!(
                matches!(tags(&over, &[]), Err(TokenFault::TooMany(_))),
                "{over:.60}"
            );
        }
    }

    #[test]
    fn one_flat_name_has_one_claim() {
        for text in [
            r#"{"a.b":1,"a":{"b":2}}"#,
            r#"{"a":{"b.c":1},"a.b":{"c":2}}"#,
        ] {
            assert_eq!(tags(text, &[]), Err(TokenFault::ClaimsCollide), "{text}");
        }
    }
}
