//! The Cedar context of a request, holding only what its policies read.

use cedar_policy::Context;
use cedar_policy::Entity;
use cedar_policy::EntityUid;
use cedar_policy::RestrictedExpression;

use super::facts::text;
use super::facts::texts;
use super::reads::Fields;
use super::reads::Names;
use crate::request::Arguments;
use crate::request::RequestContext;
use crate::request::arguments;
use crate::request::arguments::ArgumentValue;
use crate::request::arguments::Flat;

/// Why a request could not be put into Cedar's terms. Nothing can then be said about its
/// policies, so it is denied.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// The arguments are over a bound, or not an object.
    #[error("the arguments cannot be read: {0}")]
    Arguments(#[from] arguments::ArgumentsFault),
    /// A policy reads an argument of which the upstream may make another value.
    #[error("readers differ on a number in the argument `{0}`")]
    AmbiguousNumber(String),
    /// A policy asks whether there are arguments, and nobody can tell.
    #[error("the arguments are not known")]
    UnknownArguments,
    /// A policy asks whether there is an address, and there always is one: it is only not known.
    #[error("the client's address is not known")]
    UnknownAddress,
    /// Cedar refused a value.
    #[error("the request has no form in Cedar: {0}")]
    Value(String),
    /// The resource is not one of the configuration's.
    #[error("`{0}` is not a configured resource")]
    UnknownServer(String),
}

/// The context, with `fields` only; `args` is the entity of the arguments, where they are known.
pub(super) fn context(
    fields: Fields,
    request: &RequestContext,
    args: Option<&EntityUid>,
) -> Result<Context, Unusable> {
    if fields == Fields::NONE {
        return Ok(Context::empty());
    }
    let mut pairs = Vec::with_capacity(7);
    let mut add = |field: Fields, name: &str, value: &dyn Fn() -> Option<RestrictedExpression>| {
        if fields.contains(field)
            && let Some(value) = value()
        {
            pairs.push((name.to_owned(), value));
        }
    };
    add(Fields::HTTP, "http", &|| http(request));
    // Left out when it is not known, so that whatever compares it fails: a permit then has no
    // effect, and a forbid denies.
    add(Fields::CLIENT_IP, "clientIp", &|| {
        request
            .client_ip
            .map(|ip| RestrictedExpression::new_ip(ip.to_string()))
    });
    add(Fields::NOW, "now", &|| {
        datetime(request.now_ms).map(RestrictedExpression::new_datetime)
    });
    add(Fields::PROTOCOL_VERSION, "protocolVersion", &|| {
        Some(text(&request.protocol_version))
    });
    add(Fields::SESSION, "session", &|| Some(text(&request.session)));
    add(Fields::REQUEST_ID, "requestId", &|| {
        Some(text(&request.request_id))
    });
    // As with the address: whatever reads arguments that are not known fails.
    add(Fields::ARGS, "args", &|| {
        args.cloned().map(RestrictedExpression::new_entity_uid)
    });
    Context::from_pairs(pairs).map_err(|error| Unusable::Value(error.to_string()))
}

/// The entity whose tags are the arguments; none where they are not known. Policies read those in
/// `names`, so no other can keep them from an answer.
pub(super) fn args(
    sent: &Arguments,
    uid: &EntityUid,
    names: &Names,
) -> Result<Option<Entity>, Unusable> {
    let Flat { values, ambiguous } = match sent {
        Arguments::Json(bytes) => arguments::read(bytes)?,
        Arguments::None => Flat::default(),
        Arguments::Unknown => return Ok(None),
    };
    if let Some(name) = ambiguous.into_iter().find(|name| names.contains(name)) {
        return Err(Unusable::AmbiguousNumber(name));
    }
    let mut tags = Vec::with_capacity(values.len());
    for (name, value) in values {
        tags.push((name, argument(value)?));
    }
    Entity::new_with_tags(uid.clone(), [], [], tags)
        .map(Some)
        .map_err(|error| Unusable::Value(error.to_string()))
}

fn argument(value: ArgumentValue) -> Result<RestrictedExpression, Unusable> {
    let mut fields = Vec::with_capacity(2);
    let mut add = |name: &str, value| fields.push((name.to_owned(), value));
    match value {
        ArgumentValue::Empty => {}
        ArgumentValue::String(value) => add("string", RestrictedExpression::new_string(value)),
        ArgumentValue::Number { long, decimal } => {
            if let Some(long) = long {
                add("long", RestrictedExpression::new_long(long));
            }
            if let Some(decimal) = decimal {
                add("decimal", RestrictedExpression::new_decimal(decimal));
            }
        }
        ArgumentValue::Bool(value) => add("bool", RestrictedExpression::new_bool(value)),
        ArgumentValue::Strings(values) => add("strings", texts(&values)),
        ArgumentValue::Longs(values) => {
            let values = values.into_iter().map(RestrictedExpression::new_long);
            add("longs", RestrictedExpression::new_set(values));
        }
        ArgumentValue::EmptyArray => {
            add("strings", RestrictedExpression::new_set([]));
            add("longs", RestrictedExpression::new_set([]));
        }
    }
    RestrictedExpression::new_record(fields).map_err(|error| Unusable::Value(error.to_string()))
}

fn http(request: &RequestContext) -> Option<RestrictedExpression> {
    RestrictedExpression::new_record([
        ("method".to_owned(), text(&request.method)),
        ("host".to_owned(), text(&request.host)),
        ("path".to_owned(), text(&request.path)),
        ("origin".to_owned(), text(&request.origin)),
    ])
    // Four different names: there is nothing to refuse.
    .ok()
}

/// `2026-01-01T12:00:00.000Z`, the only notation that Cedar takes for milliseconds; absent where
/// the year has more than four digits.
fn datetime(milliseconds: i64) -> Option<String> {
    let seconds = milliseconds.div_euclid(1_000);
    let rest = milliseconds.rem_euclid(1_000);
    let at = time::OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    let year = u16::try_from(at.year()).ok().filter(|year| *year <= 9999)?;
    Some(format!(
        "{year:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{rest:03}Z",
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_cedar_reads_them() {
        for (milliseconds, expected) in [
            (0, Some("1970-01-01T00:00:00.000Z")),
            (-1, Some("1969-12-31T23:59:59.999Z")),
            (1_767_268_800_123, Some("2026-01-01T12:00:00.123Z")),
            (253_402_300_799_999, Some("9999-12-31T23:59:59.999Z")),
            (253_402_300_800_000, None),
            (i64::MIN, None),
            (i64::MAX, None),
        ] {
            assert_eq!(datetime(milliseconds).as_deref(), expected);
            if let Some(text) = expected {
                let pairs = [("now".to_owned(), RestrictedExpression::new_datetime(text))];
                assert!(Context::from_pairs(pairs).is_ok(), "{text}");
            }
        }
    }
}
