//! The issuer of development tokens: one key, made at every start, and tokens for the clients that
//! the configuration names.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;
use serde_json::Value;
use serde_json::json;
use thiserror::Error;

use crate::config::Config;
use crate::config::DEV_AUTHENTICATOR;
use crate::config::DEV_ISSUER;
use crate::config::DEV_TOKEN_TYPE;
use crate::config::DevClient;
use crate::config::DevTokens;
use crate::config::JwtRules;
use crate::identity::digest;
use crate::identity::key_set::KeySet;
use crate::source::Clock;

/// Most audiences of one token; a verifier reads no more.
const MOST_AUDIENCES: usize = 16;

/// Issues development tokens.
pub struct DevIssuer {
    /// Its place among the authenticators.
    index: usize,
    rules: JwtRules,
    key: EcdsaKeyPair,
    /// Another one at every start, so that a token of an earlier one names a key that is unknown.
    key_id: String,
    tokens: DevTokens,
    /// For each resource that accepts development tokens, its URL and its first audience.
    targets: Vec<(String, String)>,
    clock: Arc<dyn Clock>,
}

/// What a client asks for (RFC 6749, section 4.4.2; RFC 8707, section 2).
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    /// Who asks.
    pub client_id: &'a str,
    /// The proof of it.
    pub client_secret: &'a str,
    /// The resources that the token is for; none: all that accept it.
    pub resources: &'a [String],
    /// The scopes that it shall have; absent: all that the client may have.
    pub scope: Option<&'a str>,
}

impl fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest").finish_non_exhaustive()
    }
}

/// A token and what there is to say about it (RFC 6749, section 5.1).
pub struct Issued {
    /// The token: a secret.
    pub access_token: String,
    /// Seconds.
    pub expires_in: u64,
    /// The scopes that it has, separated by spaces.
    pub scope: String,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").finish_non_exhaustive()
    }
}

/// Why no token is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IssueFault {
    /// No client has this id and this secret (RFC 6749, section 5.2).
    #[error("the client is unknown, or its secret is another")]
    InvalidClient,
    /// A scope that the client may not have (RFC 6749, section 5.2).
    #[error("the client may not have one of the scopes")]
    InvalidScope,
    /// A resource that accepts no development tokens (RFC 8707, section 2).
    #[error("one of the resources accepts no development tokens")]
    InvalidTarget,
    /// The token could not be signed.
    #[error("the token could not be signed")]
    Unsigned,
}

/// The key could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the key for development tokens could not be made")]
pub struct DevKeyFault;

impl fmt::Debug for DevIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevIssuer").finish_non_exhaustive()
    }
}

impl DevIssuer {
    /// The issuer that the configuration asks for, with a key of its own; `None` where it asks for
    /// none.
    ///
    /// # Errors
    ///
    /// [`DevKeyFault`]: there is no randomness to be had.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Option<Self>, DevKeyFault> {
        let Some(tokens) = &config.dev_tokens else {
            return Ok(None);
        };
        let all = config.authenticators.iter().enumerate();
        let found = all
            .filter(|(_, one)| &*one.name == DEV_AUTHENTICATOR)
            .find_map(|(index, one)| one.kind.jwt().map(|rules| (index, rules)));
        let (index, rules) = found.ok_or(DevKeyFault)?;
        let targets = config.resources.iter();
        let targets = targets
            .filter(|resource| resource.authenticators.contains(&index))
            .filter_map(|resource| {
                Some((resource.url.clone(), resource.audiences.first()?.clone()))
            })
            .collect();
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Ok(Some(Self {
            index,
            rules: rules.clone(),
            key: key.map_err(|_| DevKeyFault)?,
            key_id: identifier().map_err(|_| DevKeyFault)?,
            tokens: tokens.clone(),
            targets,
            clock,
        }))
    }

    /// The place of its authenticator, and the keys that verify its tokens.
    ///
    /// # Errors
    ///
    /// [`DevKeyFault`], never for a key that was made here.
    pub fn keys(&self) -> Result<(usize, KeySet), DevKeyFault> {
        // An uncompressed point (SEC 1, section 2.3.3): 4, then x and y of 32 bytes each.
        let point = self.key.public_key().as_ref();
        let (x, y) = (point.get(1..33), point.get(33..));
        let set = json!({"keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.key_id,
            "x": x.map(encode), "y": y.map(encode),
        }]});
        KeySet::from_jwks(set.to_string().as_bytes(), &self.rules, 1)
            .map(|(keys, _)| (self.index, keys))
            .map_err(|_| DevKeyFault)
    }

    /// A token for a client.
    ///
    /// # Errors
    ///
    /// [`IssueFault`]
    pub fn issue(&self, asked: &TokenRequest<'_>) -> Result<Issued, IssueFault> {
        let client = self.client(asked).ok_or(IssueFault::InvalidClient)?;
        let audiences = self.audiences(asked.resources)?;
        let scopes = scopes(client, asked.scope)?;
        let now_s = self.clock.now_ms().div_euclid(1000);
        let expires_in = self.tokens.lifetime.as_secs();
        let lifetime_s = i64::try_from(expires_in).unwrap_or(i64::MAX);
        let grants = &client.grants;
        let mut claims = json!({
            "iss": DEV_ISSUER,
            "sub": client.subject.as_ref().unwrap_or(&client.client_id),
            "client_id": client.client_id,
            "aud": audiences,
            "iat": now_s,
            "exp": now_s.saturating_add(lifetime_s),
            "jti": identifier()?,
            "roles": grants.roles,
            "groups": grants.groups,
        });
        if let Some(claims) = claims.as_object_mut() {
            for (name, text) in [("scope", &scopes), ("tenant", &grants.tenant)] {
                if !text.is_empty() {
                    claims.insert(name.to_owned(), Value::from(text.clone()));
                }
            }
        }
        let header = json!({"typ": DEV_TOKEN_TYPE, "alg": "ES256", "kid": self.key_id});
        let signed = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_err(|_| IssueFault::Unsigned)?;
        Ok(Issued {
            access_token: format!("{signed}.{}", encode(signature)),
            expires_in,
            scope: scopes,
        })
    }

    /// The client, if its secret is the one that was sent. An unknown client takes as long as a wrong
    /// secret.
    fn client(&self, asked: &TokenRequest<'_>) -> Option<&DevClient> {
        let known = self
            .tokens
            .clients
            .iter()
            .find(|client| client.client_id == asked.client_id);
        let expected = known.map_or("", |client| client.client_secret.expose_secret());
        let sent = digest::sha256(&[asked.client_secret.as_bytes()]);
        let same = digest::same(&digest::sha256(&[expected.as_bytes()]), &sent);
        known.filter(|_| same)
    }

    fn audiences(&self, resources: &[String]) -> Result<Vec<&str>, IssueFault> {
        let audiences: BTreeSet<&str> = if resources.is_empty() {
            self.targets
                .iter()
                .map(|(_, audience)| audience.as_str())
                .collect()
        } else {
            resources
                .iter()
                .map(|wanted| {
                    self.targets
                        .iter()
                        .find(|(url, audience)| url == wanted || audience == wanted)
                        .map(|(_, audience)| audience.as_str())
                        .ok_or(IssueFault::InvalidTarget)
                })
                .collect::<Result<_, _>>()?
        };
        if audiences.is_empty() || audiences.len() > MOST_AUDIENCES {
            return Err(IssueFault::InvalidTarget);
        }
        Ok(audiences.into_iter().collect())
    }
}

fn scopes(client: &DevClient, asked: Option<&str>) -> Result<String, IssueFault> {
    let granted = &client.grants.scopes;
    let Some(asked) = asked else {
        let all: Vec<&str> = granted.iter().map(String::as_str).collect();
        return Ok(all.join(" "));
    };
    let wanted: Vec<&str> = asked.split(' ').filter(|scope| !scope.is_empty()).collect();
    if wanted.iter().any(|scope| !granted.contains(*scope)) {
        return Err(IssueFault::InvalidScope);
    }
    Ok(wanted.join(" "))
}

fn identifier() -> Result<String, IssueFault> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| IssueFault::Unsigned)?;
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    Ok(id.to_string())
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
