//! The demo's issuer: discovery, one key made at start, and tokens signed with it.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use serde_json::Map;
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::sign::SignError;
use crate::cli::sign::SigningKey;
use crate::config::Algorithm;

const KEY_ID: &str = "demo";

/// How long a token is good for, in seconds.
const LIFETIME: i64 = 12 * 60 * 60;

/// An issuer with its key.
#[derive(Debug)]
pub(super) struct Issuer {
    /// Its `iss`, which is also where its documents are.
    pub(super) url: String,
    key: SigningKey,
}

impl Issuer {
    pub(super) fn new(url: &str) -> Result<Self, SignError> {
        Ok(Self {
            url: url.to_owned(),
            key: SigningKey::generate(Algorithm::Es256)?,
        })
    }

    /// A signed access token (RFC 9068) for `audience`.
    pub(super) fn token(
        &self,
        audience: &str,
        subject: &str,
        roles: &[&str],
        now_s: i64,
    ) -> Result<String, SignError> {
        let header = Map::from_iter([
            ("typ".to_owned(), json!("at+jwt")),
            ("kid".to_owned(), json!(KEY_ID)),
        ]);
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
        self.key.compact(Algorithm::Es256, header, &claims)
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
        let coordinates = self.key.p256_coordinates();
        let keys = coordinates.into_iter().map(|(x, y)| {
            json!({
                "kty": "EC",
                "crv": "P-256",
                "alg": "ES256",
                "use": "sig",
                "kid": KEY_ID,
                "x": x,
                "y": y,
            })
        });
        json!({"keys": keys.collect::<Vec<_>>()}).to_string()
    }
}

pub(super) async fn serve(listener: TcpListener, router: Router) {
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the demo's issuer ended");
    }
}
