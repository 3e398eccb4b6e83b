//! What a server asks for in `WWW-Authenticate: Bearer` (RFC 6750, section 3).

use reqwest::header::HeaderMap;
use reqwest::header::WWW_AUTHENTICATE;

/// Longest parameter that is kept, in characters.
const MAX_VALUE: usize = 300;

/// The `scope` of the first Bearer challenge that has one.
pub(super) fn scope(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(WWW_AUTHENTICATE).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .find_map(|line| parameter(line, "scope"))
}

/// A parameter of a challenge; only a Bearer challenge is looked into.
fn parameter(line: &str, wanted: &str) -> Option<String> {
    let (scheme, mut rest) = line.trim_start().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_matches([' ', '\t', ',']);
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if name.eq_ignore_ascii_case(wanted) {
            let value: String = value.trim().chars().take(MAX_VALUE).collect();
            return (!value.is_empty()).then_some(value);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_of_a_bearer_challenge_is_found_and_nothing_else_is() {
        for (line, scope) in [
            (r#"Bearer scope="a b""#, Some("a b")),
            (
                r#"bearer error="insufficient_scope", scope="a", x="y""#,
                Some("a"),
            ),
            (
                r#"Bearer error_description="scope=x", SCOPE=a,b=c"#,
                Some("a"),
            ),
            ("Bearer scope=a", Some("a")),
            (r#"Bearer error_description="scope=x""#, None),
            (r#"Bearer scope="""#, None),
            (r#"Bearer scope="a"#, None),
            (r#"DPoP scope="a""#, None),
            ("Bearer", None),
            ("", None),
            ("====", None),
        ] {
            assert_eq!(parameter(line, "scope").as_deref(), scope, "{line}");
        }
        let long = format!(r#"Bearer scope="{}""#, "s".repeat(1_000));
        assert_eq!(
            parameter(&long, "scope").map(|scope| scope.len()),
            Some(300)
        );
    }
}
