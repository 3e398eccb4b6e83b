//! Tool and prompt arguments as the values that policies can compare.

use bytes::Bytes;

/// One argument, in every reading that a policy may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentValue {
    /// Something that policies can only see the presence of.
    Empty,
    /// A string.
    Text(String),
    /// An integer that fits 64 bits.
    Integer {
        /// The number.
        long: i64,
        /// The same in Cedar's decimal notation, where it fits.
        decimal: Option<String>,
    },
    /// Another number, exact to four digits after the point, in Cedar's notation.
    Decimal(String),
    /// `true` or `false`
    Bool(bool),
    /// A list of strings.
    Texts(Vec<String>),
    /// A list of integers.
    Integers(Vec<i64>),
}

/// Why arguments could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentFault {
    /// The bytes are not a JSON object.
    #[error("the arguments are not a JSON object")]
    NotAnObject,
    /// There are too many.
    #[error("there are too many arguments")]
    TooMany,
}

/// Most arguments of one call.
const MAX_ARGUMENTS: usize = 256;

/// Reads the members of a JSON object.
pub fn read(bytes: &Bytes) -> Result<Vec<(String, ArgumentValue)>, ArgumentFault> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(bytes).map_err(|_| ArgumentFault::NotAnObject)?;
    if object.len() > MAX_ARGUMENTS {
        return Err(ArgumentFault::TooMany);
    }
    Ok(object
        .into_iter()
        .map(|(name, value)| (name, argument(&value)))
        .collect())
}

fn argument(value: &serde_json::Value) -> ArgumentValue {
    use serde_json::Value;
    match value {
        Value::Bool(value) => ArgumentValue::Bool(*value),
        Value::String(value) => ArgumentValue::Text(value.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(long) => ArgumentValue::Integer {
                long,
                decimal: (long.unsigned_abs() < 900_000_000_000_000).then(|| format!("{long}.0")),
            },
            None => ArgumentValue::Empty,
        },
        Value::Array(items) => {
            let texts: Option<Vec<_>> = items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect();
            let integers: Option<Vec<_>> = items.iter().map(Value::as_i64).collect();
            match (texts, integers) {
                (Some(texts), _) => ArgumentValue::Texts(texts),
                (None, Some(integers)) => ArgumentValue::Integers(integers),
                (None, None) => ArgumentValue::Empty,
            }
        }
        Value::Null | Value::Object(_) => ArgumentValue::Empty,
    }
}
