//! What conditions on the circumstances ask for, in words.

use super::ask;
use crate::policy::fixtures::call;
use crate::policy::fixtures::context;
use crate::policy::fixtures::snapshot;
use crate::policy::fixtures::user;
use crate::policy::fixtures::verified;
use crate::policy::fixtures::with_arguments;
use crate::policy::inquiry::Finding;
use crate::policy::inquiry::turn;

/// The innermost of the last.
fn last(finding: &Finding) -> &Finding {
    finding.within.last().map_or(finding, last)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn circumstances_are_put_into_words() {
    let sent = "{\"n\": 3, \"s\": \"a\", \"b\": false, \"d\": 0.5}";
    let said = |conditions: &str| {
        let policies = format!("@id(\"p\") permit (principal, action, resource) {conditions};");
        let call = with_arguments(call("s/x"), sent);
        let snapshot = snapshot(&policies, &["s"]);
        let inquiry = ask(&snapshot, &verified(user("", "")), &call, &context());
        let finding = &inquiry.near[0].findings[0];
        (
            last(finding).must.clone().unwrap_or_default(),
            !turn::any(&inquiry.near[0].findings).is_empty(),
        )
    };
    // As the validator wants it: nothing is read that may not be there.
    let read = |name: &str, field: &str, rest: &str| {
        let value = format!("context.args.getTag(\"{name}\")");
        let there = format!("context.args.hasTag(\"{name}\") && {value} has {field}");
        format!(
            "{there} && {}",
            rest.replace("IT", &format!("{value}.{field}"))
        )
    };
    let n = |rest: &str| read("n", "long", rest);
    for (conditions, must) in [
        (
            "when { context.args.hasTag(\"m\") }".to_owned(),
            "the argument `m` must be sent",
        ),
        (
            "unless { context.args.hasTag(\"n\") }".to_owned(),
            "the argument `n` must not be sent",
        ),
        (
            format!("when {{ {} }}", n("IT > 5")),
            "the argument `n` must be more than 5",
        ),
        (
            format!("unless {{ {} }}", n("IT <= 5")),
            "the argument `n` must be more than 5",
        ),
        (
            format!("when {{ {} }}", n("5 < IT")),
            "the argument `n` must be more than 5",
        ),
        (
            format!("when {{ {} }}", n("IT != 3")),
            "the argument `n` must be other than 3",
        ),
        (format!("when {{ {} }}", n("IT * 2 > 60")), ""),
        (
            format!("when {{ {} }}", read("n", "string", "IT == \"\"")),
            "the argument `n` must be a string",
        ),
        (
            format!("when {{ {} }}", read("b", "bool", "IT")),
            "the argument `b` must be true",
        ),
        (
            format!(
                "when {{ {} }}",
                read("d", "decimal", "IT.greaterThan(decimal(\"0.5\"))")
            ),
            "the argument `d` must be more than 0.5",
        ),
        (
            format!(
                "when {{ {} }}",
                read("s", "string", "[\"b\", \"c\"].contains(IT)")
            ),
            "the argument `s` must be one of [\"b\", \"c\"]",
        ),
        (
            format!("when {{ {} }}", read("s", "string", "IT like \"b*\"")),
            "the argument `s` must be like `b*`",
        ),
        (
            "when { context.now.toTime() < duration(\"9h\") }".to_owned(),
            "the time of day must be before 9h",
        ),
        (
            "when { context.now >= datetime(\"2027-01-01\") }".to_owned(),
            "the time must be no earlier than 2027-01-01",
        ),
        (
            "unless { context.clientIp.isInRange(ip(\"10.0.0.0/8\")) }".to_owned(),
            "the client's address must be outside 10.0.0.0/8",
        ),
        (
            "when { context.clientIp.isLoopback() }".to_owned(),
            "the client's address must be a loopback address",
        ),
        (
            "when { context.http.method == \"GET\" }".to_owned(),
            "the HTTP method must be \"GET\"",
        ),
    ] {
        let expected = (must.to_owned(), !must.is_empty());
        assert_eq!(said(&conditions), expected, "{conditions}");
    }
    for (conditions, circumstantial) in [
        ("when { principal.tenant == \"a\" }", false),
        ("when { principal.tenant == context.http.host }", false),
        (
            "when { context.http.host == \"a\" || principal.tenant == \"a\" }",
            true,
        ),
        (
            "when { context.http.host == \"a\" && principal.tenant == \"a\" }",
            true,
        ),
    ] {
        assert_eq!(said(conditions).1, circumstantial, "{conditions}");
    }
}
