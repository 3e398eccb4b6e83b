//! From claims to a principal: what the configuration names becomes a fact, the rest a tag.

mod path;
mod sign;
mod tags;

use std::collections::BTreeSet;
use std::sync::Arc;

use self::path::Found;
use self::path::find;
use crate::config::Assertions;
use crate::config::ClaimPath;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::identity::claims::Speaker;
use crate::identity::token_fault::TokenFault;
use crate::json::StrictValue;

/// Most roles, groups and scopes, of each, after the issuer's allow-list has been applied.
const MAX_NAMES: usize = 256;

/// Claims with a meaning of their own (RFC 7519, section 4.1; RFC 7800), never tags.
const REGISTERED: [&str; 8] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf"];

/// Builds the principal that `claims` describe, as the issuer's rules say. A claim that the rules
/// name and that has the wrong type is a refusal, never an absence: a policy that forbids something
/// to a role must not be silenced by a malformed role. The audience is left empty.
///
/// # Errors
///
/// [`TokenFault`]: a malformed claim, too much of something, or nobody at all.
pub(super) fn principal(
    claims: &StrictValue,
    speaker: Speaker<'_>,
) -> Result<Principal, TokenFault> {
    let Speaker {
        issuer,
        tokens,
        authenticator,
    } = speaker;
    let mut reader = Reader {
        claims,
        used: REGISTERED.iter().map(|name| vec![*name]).collect(),
    };
    refuse_odd_actor(claims)?;
    let paths = &tokens.claims;
    let subject = reader.required_text(&paths.subject, "subject")?;
    let client_id = reader.required_text(&paths.client_id, "client_id")?;
    let tenant = reader.text(&paths.tenant, "tenant")?.unwrap_or_default();
    let name = reader.text(&paths.name, "name")?.unwrap_or_default();
    let email = reader.text(&paths.email, "email")?.unwrap_or_default();
    let verified = claims.get("email_verified") == Some(&StrictValue::Bool(true));
    let roles = reader.names(&paths.roles, "roles", &tokens.roles, Split::No)?;
    let groups = reader.names(&paths.groups, "groups", &tokens.groups, Split::No)?;
    let scopes = reader.names(&paths.scopes, "scopes", &tokens.scopes, Split::AtSpaces)?;
    let tags = tags::read(claims, &reader.used)?;
    let signed = sign::is_client(
        claims,
        tokens.preset,
        subject.as_deref(),
        client_id.as_deref(),
    );
    let (kind, id) = who(signed, subject.as_deref(), client_id.as_deref())?;
    Ok(Principal {
        kind,
        id: format!("{issuer}#{id}"),
        authenticator: Arc::clone(authenticator),
        issuer: issuer.to_owned(),
        subject: subject.unwrap_or_default(),
        client_id: client_id.unwrap_or_default(),
        tenant,
        email: if verified { email } else { String::new() },
        name,
        roles,
        groups,
        scopes,
        audience: BTreeSet::new(),
        claims: tags,
    })
}

/// `act` (RFC 8693, section 4.1) is an object. A policy that forbids something to whoever acts for
/// another must not be silenced by an actor of another form.
fn refuse_odd_actor(claims: &StrictValue) -> Result<(), TokenFault> {
    match claims.get("act") {
        Some(actor) if actor.as_object().is_none() => Err(TokenFault::ClaimMalformed("act")),
        Some(_) | None => Ok(()),
    }
}

/// A client acts for itself when it is the subject or there is none, or when the issuer says so
/// (RFC 9700, section 4.15: a client must not be taken for a user of the same name).
fn who<'a>(
    signed_as_client: bool,
    subject: Option<&'a str>,
    client_id: Option<&'a str>,
) -> Result<(PrincipalKind, &'a str), TokenFault> {
    match (subject, client_id) {
        (None, None) => Err(TokenFault::NoPrincipal),
        (None, Some(client)) => Ok((PrincipalKind::Client, client)),
        (Some(subject), Some(client)) if subject == client || signed_as_client => {
            Ok((PrincipalKind::Client, client))
        }
        (Some(subject), None) if signed_as_client => Ok((PrincipalKind::Client, subject)),
        (Some(subject), _) => Ok((PrincipalKind::User, subject)),
    }
}

/// Whether a string is one name or several.
#[derive(Clone, Copy)]
enum Split {
    No,
    AtSpaces,
}

/// Looks claims up and remembers which were used.
struct Reader<'a> {
    claims: &'a StrictValue,
    used: Vec<Vec<&'a str>>,
}

impl<'a> Reader<'a> {
    fn find(&mut self, paths: &'a [ClaimPath]) -> Option<&'a StrictValue> {
        let Found { value, steps } = paths.iter().find_map(|path| find(self.claims, path))?;
        self.used.push(steps);
        Some(value)
    }

    fn text(
        &mut self,
        paths: &'a [ClaimPath],
        what: &'static str,
    ) -> Result<Option<String>, TokenFault> {
        self.find(paths)
            .map(|value| plain_text(value, what).map(str::to_owned))
            .transpose()
    }

    /// A text that names somebody: absent, or not empty.
    fn required_text(
        &mut self,
        paths: &'a [ClaimPath],
        what: &'static str,
    ) -> Result<Option<String>, TokenFault> {
        match self.text(paths, what)? {
            Some(text) if text.is_empty() => Err(TokenFault::ClaimMalformed(what)),
            found => Ok(found),
        }
    }

    fn names(
        &mut self,
        paths: &'a [ClaimPath],
        what: &'static str,
        assertions: &Assertions,
        split: Split,
    ) -> Result<BTreeSet<String>, TokenFault> {
        let mut names = BTreeSet::new();
        for name in listed(self.find(paths), what, split)? {
            let allowed = assertions
                .allow
                .as_ref()
                .is_none_or(|allow| allow.iter().any(|allowed| allowed == name));
            if !name.is_empty() && allowed {
                names.insert(format!("{}{name}", assertions.prefix));
            }
            if names.len() > MAX_NAMES {
                return Err(TokenFault::TooMany(what));
            }
        }
        Ok(names)
    }
}

/// A string or an array of strings, as names.
fn listed<'a>(
    value: Option<&'a StrictValue>,
    what: &'static str,
    split: Split,
) -> Result<Vec<&'a str>, TokenFault> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    if let Some(elements) = value.as_array() {
        return elements
            .iter()
            .map(|element| plain_text(element, what))
            .collect();
    }
    let text = plain_text(value, what)?;
    Ok(match split {
        Split::No => vec![text],
        Split::AtSpaces => text.split(' ').collect(),
    })
}

fn plain_text<'a>(value: &'a StrictValue, what: &'static str) -> Result<&'a str, TokenFault> {
    let text = value.as_text().ok_or(TokenFault::ClaimMalformed(what))?;
    if text.chars().any(char::is_control) {
        return Err(TokenFault::ControlCharacters(what));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
