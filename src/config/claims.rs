//! Where facts are found in a token's claims, and which of them an issuer may assert.

mod preset;

pub(super) use crate::config::claims::preset::PRESETS;
use crate::config::claims::preset::names;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::token_rules::Preset;
use crate::config::yaml::Node;
use crate::config::yaml::Value;

/// Where facts are found in the claims: for each a list of paths, the first present wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPaths {
    /// Default `sub`.
    pub subject: Vec<ClaimPath>,
    /// Default `client_id`, `azp`.
    pub client_id: Vec<ClaimPath>,
    /// Default `roles`, `realm_access.roles`.
    pub roles: Vec<ClaimPath>,
    /// Default `groups`.
    pub groups: Vec<ClaimPath>,
    /// Default `scope`, `scp`.
    pub scopes: Vec<ClaimPath>,
    /// Default `tenant`, `tid`, `org_id`.
    pub tenant: Vec<ClaimPath>,
    /// Default `email`.
    pub email: Vec<ClaimPath>,
    /// Default `name`.
    pub name: Vec<ClaimPath>,
}

/// A place in a claims set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimPath {
    /// A name: a top-level claim of that exact name first, then the path split at dots.
    Name(String),
    /// An RFC 6901 pointer, as its unescaped reference tokens.
    Pointer(Vec<String>),
}

/// What an issuer may say of one kind of fact.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Assertions {
    /// The values that it may use; absent: any.
    pub allow: Option<Vec<String>>,
    /// What is put before each value.
    pub prefix: String,
}

/// Paths for one fact, and bytes of one path.
const MOST_PATHS: usize = 16;
const LONGEST_PATH: usize = 256;

impl Default for ClaimPaths {
    fn default() -> Self {
        Self {
            subject: names(&["sub"]),
            client_id: names(&["client_id", "azp"]),
            roles: names(&["roles", "realm_access.roles"]),
            groups: names(&["groups"]),
            scopes: names(&["scope", "scp"]),
            tenant: names(&["tenant", "tid", "org_id"]),
            email: names(&["email"]),
            name: names(&["name"]),
        }
    }
}

/// The path as it is written.
impl std::fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Pointer(tokens) => tokens.iter().try_for_each(|token| {
                write!(f, "/{}", token.replace('~', "~0").replace('/', "~1"))
            }),
        }
    }
}

impl Assertions {
    /// Whether the issuer may assert whatever it likes, under its own name for it.
    pub(super) fn is_unrestricted(&self) -> bool {
        self.allow.is_none() && self.prefix.is_empty()
    }
}

/// The paths, and the product that they come from; a path that is written wins over its.
pub(super) fn read(node: &Node, faults: &mut Faults<'_>) -> (ClaimPaths, Option<Preset>) {
    let Some(mut map) = Mapping::of(node, faults) else {
        return (ClaimPaths::default(), None);
    };
    let preset = map
        .optional("preset")
        .and_then(|node| scalar::word(node, &PRESETS, faults));
    let mut paths = preset.map(Preset::paths).unwrap_or_default();
    let ClaimPaths {
        subject,
        client_id,
        roles,
        groups,
        scopes,
        tenant,
        email,
        name,
    } = &mut paths;
    for (key, slot) in [
        ("subject", subject),
        ("client_id", client_id),
        ("roles", roles),
        ("groups", groups),
        ("scopes", scopes),
        ("tenant", tenant),
        ("email", email),
        ("name", name),
    ] {
        if let Some(node) = map.optional(key) {
            *slot = read_paths(node, faults);
        }
    }
    map.finish(faults);
    (paths, preset)
}

/// One path, or a list of them; an empty list means that the fact is never read.
fn read_paths(node: &Node, faults: &mut Faults<'_>) -> Vec<ClaimPath> {
    let Value::Sequence(items) = &node.value else {
        return read_path(node, faults).into_iter().collect();
    };
    if items.len() > MOST_PATHS {
        faults.error(&node.place, format!("more than {MOST_PATHS} claim paths"));
        return Vec::new();
    }
    items
        .iter()
        .filter_map(|item| read_path(item, faults))
        .collect()
}

fn read_path(node: &Node, faults: &mut Faults<'_>) -> Option<ClaimPath> {
    let text = scalar::filled(node, faults)?;
    if text.len() > LONGEST_PATH {
        faults.error(
            &node.place,
            format!("a claim path of more than {LONGEST_PATH} bytes"),
        );
        return None;
    }
    let Some(pointer) = text.strip_prefix('/') else {
        return Some(ClaimPath::Name(text.to_owned()));
    };
    let tokens: Option<Vec<String>> = pointer.split('/').map(unescaped).collect();
    if tokens.is_none() {
        let message = format!("{} is not a JSON pointer", shown(node, text));
        faults.error_help(
            &node.place,
            message,
            "`~` is written `~0`, and `/` in a name `~1`",
        );
    }
    tokens.map(ClaimPath::Pointer)
}

/// One reference token (RFC 6901, section 4); `None` for a `~` that escapes nothing.
fn unescaped(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix('0') {
            out.push('~');
            out.push_str(rest);
        } else {
            out.push('/');
            out.push_str(part.strip_prefix('1')?);
        }
    }
    Some(out)
}

pub(super) fn read_assertions(node: &Node, faults: &mut Faults<'_>) -> Assertions {
    let mut assertions = Assertions::default();
    let Some(mut map) = Mapping::of(node, faults) else {
        return assertions;
    };
    assertions.allow = map
        .optional("allow")
        .and_then(|node| scalar::texts(node, faults));
    if let Some(node) = map.optional("prefix")
        && let Some(prefix) = scalar::text(node, faults)
    {
        if prefix.chars().any(|c| c.is_control() || c.is_whitespace()) {
            faults.error(&node.place, "blanks or control characters in a prefix");
        }
        prefix.clone_into(&mut assertions.prefix);
    }
    map.finish(faults);
    assertions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_unescaped_and_print_as_they_are_read() {
        for (text, expected) in [
            ("", ""),
            ("a", "a"),
            ("~0", "~"),
            ("~1", "/"),
            ("~01", "~1"),
        ] {
            assert_eq!(unescaped(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["~", "~2", "a~", "~~0"] {
            assert_eq!(unescaped(text), None, "{text}");
        }
        let path = ClaimPath::Pointer(vec!["https://e.com/r".into(), "a~b".into()]);
        assert_eq!(path.to_string(), "/https:~1~1e.com~1r/a~0b");
    }
}
