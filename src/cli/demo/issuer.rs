//! The demo's issuer: discovery, one key made at start, and tokens signed with it.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair;
use axum::Router;
use axum::http::header;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use thiserror::Error;
use tokio::net::TcpListener;

const KEY_ID: &str = "demo";

/// How long a token is good for, in seconds.
const LIFETIME: i64 = 12 * 60 * 60;

/// The issuer could not be set up.
#[derive(Debug, Error)]
#[error("the demo's key could not be made or used")]
pub(super) struct IssuerError;

/// An issuer with its key.
#[derive(Debug)]
pub(super) struct Issuer {
    /// Its `iss`, which is also where its documents are.
    pub(super) url: String,
    key: EcdsaKeyPair,
}

impl Issuer {
    pub(super) fn new(url: &str) -> Result<Self, IssuerError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Ok(Self {
            url: url.to_owned(),
            key: key.map_err(|_| IssuerError)?,
        })
    }

    /// A signed access token (RFC 9068) for `audience`.
    pub(super) fn token(
        &self,
        audience: &str,
        subject: &str,
        roles: &[&str],
        now_s: i64,
    ) -> Result<String, IssuerError> {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": KEY_ID});
        let claims = json!({
            "iss": self.url,
            "sub": subject,
            "client_id": "curl",
            "aud": audience,
            "iat": now_s,
            "exp": now_s.saturating_add(LIFETIME),
            "jti": format!("{:016x}", fastrand::u64(..)),
            "roles": roles,
        });
        let signed = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| IssuerError)?;
        Ok(format!("{signed}.{}", encode(signature)))
    }

    /// Serves the discovery documents and the key set.
    pub(super) fn router(&self) -> Router {
        let metadata: Arc<str> = json!({
            "issuer": self.url,
            "jwks_uri": format!("{}/jwks", self.url),
            "authorization_endpoint": format!("{}/authorize", self.url),
            "token_endpoint": format!("{}/token", self.url),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
        .to_string()
        .into();
        let keys: Arc<str> = self.key_set().into();
        let document = |text: Arc<str>| {
            get(move || async move {
                (
                    [(header::CONTENT_TYPE, "application/json")],
                    text.to_string(),
                )
            })
        };
        Router::new()
            .route(
                "/.well-known/openid-configuration",
                document(Arc::clone(&metadata)),
            )
            .route(
                "/.well-known/oauth-authorization-server",
                document(metadata),
            )
            .route("/jwks", document(keys))
    }

    fn key_set(&self) -> String {
        // An uncompressed point (SEC 1, section 2.3.3): 4, then x and y of 32 bytes each.
        let point = self.key.public_key().as_ref();
        let (x, y) = (
            point.get(1..33).unwrap_or(&[]),
            point.get(33..).unwrap_or(&[]),
        );
        json!({"keys": [{
            "kty": "EC",
            "crv": "P-256",
            "alg": "ES256",
            "use": "sig",
            "kid": KEY_ID,
            "x": encode(x),
            "y": encode(y),
        }]})
        .to_string()
    }
}

pub(super) async fn serve(listener: TcpListener, router: Router) {
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the demo's issuer ended");
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
