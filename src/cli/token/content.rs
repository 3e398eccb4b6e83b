//! What a minted token says: its header and its claims, by flags.

use aws_lc_rs::rand;
use serde_json::Map;
use serde_json::Value;

use crate::cli::sign;
use crate::cli::sign::SignError;
use crate::cli::span;

/// The flags for claims and header.
#[derive(Debug, clap::Args)]
#[group(id = "content", multiple = true)]
pub(super) struct Content {
    /// `iss`: who the token says has issued it
    #[arg(
        long,
        value_name = "ISSUER",
        required_unless_present = "new_key",
        help_heading = "Claims"
    )]
    issuer: Option<String>,
    /// `sub`: whom it is about
    #[arg(long, value_name = "SUB", help_heading = "Claims")]
    subject: Option<String>,
    /// `client_id`: the OAuth client that asked for it
    #[arg(long, value_name = "ID", help_heading = "Claims")]
    client_id: Option<String>,
    /// `aud`: a resource that it is for; may be repeated
    #[arg(long, value_name = "URL", help_heading = "Claims")]
    audience: Vec<String>,
    /// A role, in `roles`; may be repeated
    #[arg(long, value_name = "ROLE", help_heading = "Claims")]
    role: Vec<String>,
    /// A group, in `groups`; may be repeated
    #[arg(long, value_name = "GROUP", help_heading = "Claims")]
    group: Vec<String>,
    /// A scope, in `scope`; may be repeated
    #[arg(long, value_name = "SCOPE", help_heading = "Claims")]
    scope: Vec<String>,
    /// `tenant`
    #[arg(long, value_name = "TENANT", help_heading = "Claims")]
    tenant: Option<String>,
    /// Any other claim; VALUE is JSON, or else text; wins over the other flags; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim, help_heading = "Claims")]
    claim: Vec<(String, Value)>,
    /// `jti` [default: a random one]
    #[arg(long, value_name = "ID", help_heading = "Claims")]
    jti: Option<String>,
    /// `exp`: how long it is good, as in `90s`, `5m`, `1h`, `7d`; `-5m` has expired [default: 1h]
    #[arg(long, value_name = "SPAN", value_parser = span::offset, allow_hyphen_values = true, help_heading = "Claims")]
    expires_in: Option<i64>,
    /// `nbf`: from when it is good, counted from now, as in `5m` or `-5m` [default: left out]
    #[arg(long, value_name = "SPAN", value_parser = span::offset, allow_hyphen_values = true, help_heading = "Claims")]
    not_before: Option<i64>,
    /// Leave a claim out, such as `exp`, to see it refused; may be repeated
    #[arg(long, value_name = "NAME", help_heading = "Claims")]
    without: Vec<String>,
    /// `kid`: the name of the key, where the configuration gives it one
    #[arg(long, value_name = "ID", help_heading = "Header")]
    kid: Option<String>,
    /// `typ`; empty leaves it out [default: at+jwt]
    #[arg(long = "type", value_name = "TYPE", help_heading = "Header")]
    token_type: Option<String>,
}

impl Content {
    /// The header, without `alg`.
    pub(super) fn header(&self) -> Map<String, Value> {
        let mut header = Map::new();
        let token_type = self.token_type.as_deref().unwrap_or("at+jwt");
        if !token_type.is_empty() {
            header.insert("typ".to_owned(), token_type.into());
        }
        if let Some(kid) = &self.kid {
            header.insert("kid".to_owned(), kid.as_str().into());
        }
        header
    }

    /// The claims of a token that is issued at `now_s`, seconds since 1970.
    pub(super) fn claims(&self, now_s: i64) -> Result<Value, SignError> {
        let mut claims = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value);
            }
        };
        let text = |flag: &Option<String>| flag.as_deref().map(Value::from);
        let list = |flag: &[String]| (!flag.is_empty()).then(|| Value::from(flag.to_vec()));
        set("iss", text(&self.issuer));
        set("sub", text(&self.subject));
        set("client_id", text(&self.client_id));
        set(
            "aud",
            match &*self.audience {
                [one] => Some(one.as_str().into()),
                several => list(several),
            },
        );
        set("roles", list(&self.role));
        set("groups", list(&self.group));
        set(
            "scope",
            list(&self.scope).map(|_| self.scope.join(" ").into()),
        );
        set("tenant", text(&self.tenant));
        set("iat", Some(now_s.into()));
        let expires_in = self.expires_in.unwrap_or(3_600);
        set("exp", Some(now_s.saturating_add(expires_in).into()));
        let not_before = self.not_before.map(|from| now_s.saturating_add(from));
        set("nbf", not_before.map(Value::from));
        let jti = match &self.jti {
            Some(jti) => jti.clone(),
            None => random_id()?,
        };
        set("jti", Some(jti.into()));
        for (name, value) in &self.claim {
            set(name, Some(value.clone()));
        }
        for name in &self.without {
            claims.remove(name);
        }
        Ok(Value::Object(claims))
    }

    /// Nobody has said whom the token is for, nor that it should be for nobody.
    pub(super) fn lacks_audience(&self) -> bool {
        let claimed = self.claim.iter().map(|(name, _)| name);
        self.audience.is_empty() && !claimed.chain(&self.without).any(|name| name == "aud")
    }
}

/// 128 random bits, so that no two tokens share one.
fn random_id() -> Result<String, SignError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| SignError::Failed)?;
    Ok(sign::encode(bytes))
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name is missing; write it as NAME=VALUE".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        /// The claims are for the other way of using the command.
        #[arg(long)]
        new_key: Option<String>,
        #[command(flatten)]
        content: Content,
    }

    fn content(flags: &[&str]) -> Content {
        let line = ["mint", "--issuer", "i"].iter().chain(flags);
        Line::try_parse_from(line).unwrap().content
    }

    fn claims(flags: &[&str]) -> Value {
        content(flags).claims(1_000).unwrap()
    }

    #[test]
    fn a_token_has_what_rfc_9068_asks_for() {
        let mut said = claims(&[
            "--subject",
            "alice",
            "--client-id",
            "app",
            "--audience",
            "a",
            "--role",
            "r1",
            "--role",
            "r2",
            "--group",
            "g",
            "--scope",
            "s1",
            "--scope",
            "s2",
            "--tenant",
            "t",
        ]);
        let jti = said.as_object_mut().unwrap().remove("jti").unwrap();
        assert_eq!(jti.as_str().unwrap().len(), 22);
        assert_ne!(claims(&[])["jti"], claims(&[])["jti"]);
        assert_eq!(
            said,
            json!({
                "iss": "i", "sub": "alice", "client_id": "app", "aud": "a", "roles": ["r1", "r2"],
                "groups": ["g"], "scope": "s1 s2", "tenant": "t", "iat": 1_000, "exp": 4_600,
            })
        );
    }

    #[test]
    fn flags_change_one_thing_each() {
        for (flags, name, value) in [
            (
                &["--audience", "a", "--audience", "b"][..],
                "aud",
                json!(["a", "b"]),
            ),
            (&[], "aud", Value::Null),
            (&["--jti", "1"], "jti", json!("1")),
            (&["--expires-in", "-5m"], "exp", json!(700)),
            (&["--expires-in", "1d"], "exp", json!(87_400)),
            (&["--not-before", "5m"], "nbf", json!(1_300)),
            (&[], "nbf", Value::Null),
            (&["--claim", "x=1"], "x", json!(1)),
            (&["--claim", "x=a=b"], "x", json!("a=b")),
            (&["--claim", "x=\"1\""], "x", json!("1")),
            (
                &["--claim", "x={\"roles\":[\"r\"]}"],
                "x",
                json!({"roles": ["r"]}),
            ),
            (&["--claim", "iss=other"], "iss", json!("other")),
            (
                &["--claim", "exp=1", "--without", "exp"],
                "exp",
                Value::Null,
            ),
        ] {
            assert_eq!(claims(flags)[name], value, "{flags:?}");
        }
        let header = |flags| Value::Object(content(flags).header());
        assert_eq!(header(&[]), json!({"typ": "at+jwt"}));
        assert_eq!(
            header(&["--type", "JWT", "--kid", "k"]),
            json!({"typ": "JWT", "kid": "k"})
        );
        assert_eq!(header(&["--type", ""]), json!({}));
    }
}
