//! The scene: an issuer's key, a token, policies of which few matter, and a check as Envoy sends it.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::PublicKeyX509Der;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cedargate::fault::Source;
use cedargate::proto::envoy::config::core::v3::HeaderMap;
use cedargate::proto::envoy::config::core::v3::HeaderValue;
use cedargate::proto::envoy::service::auth::v3::AttributeContext;
use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::attribute_context::HttpRequest;
use cedargate::proto::envoy::service::auth::v3::attribute_context::Request;
use prost::Message;
use serde_json::json;

/// Issuer of the token.
const ISSUER: &str = "https://bench.example";

/// Resource that is asked for, and audience of the token.
const RESOURCE: &str = "https://mcp.example.com/mcp";

/// A file that is longer gets no more policies.
const FILE_BYTES: usize = 500_000;

/// Files on disk and a message to send.
#[derive(Debug)]
pub struct Scene {
    /// The configuration of the sidecar.
    pub config: PathBuf,
    /// The check, with the gRPC length prefix.
    pub message: Vec<u8>,
}

impl Scene {
    /// Writes a configuration with `policies` policies below `dir`, listening at `grpc`.
    pub fn write(dir: &Path, policies: usize, grpc: &str) -> Result<Self, Box<dyn Error>> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let der = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key())?;
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        fs::write(dir.join("issuer.pem"), pem)?;
        let policy_dir = dir.join("policies");
        fs::create_dir_all(&policy_dir)?;
        for file in policy_files(&policy_text(policies)?) {
            fs::write(policy_dir.join(&*file.name), &*file.text)?;
        }
        let config = dir.join("cedargate.yaml");
        fs::write(&config, config_text(grpc))?;
        let token = token(&key)?;
        Ok(Self {
            config,
            message: message(&token),
        })
    }
}

fn config_text(grpc: &str) -> String {
    format!(
        "listen: {{grpc: \"{grpc}\", http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", drain: 0s}}\n\
         authenticators:\n\
         \x20 - name: bench\n\
         \x20   type: jwt\n\
         \x20   issuer: {ISSUER}\n\
         \x20   keys: [{{file: issuer.pem, algorithm: ES256, kid: bench}}]\n\
         resources:\n\
         \x20 - {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
         policies: {{dir: policies, allow_warnings: [unknown-server]}}\n\
         decision_log: {{to: {{file: /dev/null}}}}\n\
         log: {{level: error}}\n"
    )
}

/// Role-based policies over many servers and tools; one permits the check, and two forbids read what
/// a deployment's forbids read.
pub fn policy_text(count: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    text.push_str(
        "@id(\"suspended\") forbid (principal in Mcp::Group::\"suspended\", action, resource);\n\
         @id(\"destructive\") forbid (principal, action == Mcp::Action::\"tools/call\", resource)\n\
         when { resource.destructiveHint && principal.tenant == \"guest\" };\n\
         @id(\"forecast\") permit (principal in Mcp::Role::\"viewer\",\n\
         action == Mcp::Action::\"tools/call\", resource == Mcp::Tool::\"weather/get_forecast\");\n",
    );
    for number in 3..count {
        let (server, tool, role) = (number % 50, number % 400, number % 97);
        writeln!(
            text,
            "@id(\"p{number}\") permit (principal in Mcp::Role::\"role-{role}\", \
             action == Mcp::Action::\"tools/call\", \
             resource == Mcp::Tool::\"server-{server}/tool-{tool}\");"
        )?;
    }
    Ok(text)
}

/// The policies in files that are not too large, each policy beginning a line with its `@id`.
pub fn policy_files(text: &str) -> Vec<Source> {
    let mut texts = vec![String::new()];
    for policy in text
        .split_inclusive(";\n@id")
        .filter(|policy| !policy.is_empty())
    {
        let (policy, is_more) = match policy.strip_suffix("@id") {
            Some(policy) => (policy, true),
            None => (policy, false),
        };
        if let Some(file) = texts.last_mut() {
            file.push_str(policy);
            if is_more && file.len() < FILE_BYTES {
                file.push_str("@id");
            } else if is_more {
                texts.push("@id".to_owned());
            }
        }
    }
    let numbered = texts.into_iter().enumerate();
    numbered
        .map(|(number, text)| Source {
            name: format!("{number:03}.cedar").into(),
            text: text.into(),
        })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "the token is issued now")]
fn token(key: &EcdsaKeyPair) -> Result<String, Box<dyn Error>> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_secs();
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": "bench"});
    let claims = json!({
        "iss": ISSUER, "sub": "alice", "client_id": "bench", "aud": RESOURCE,
        "iat": now, "exp": now.saturating_add(12 * 3600), "jti": "1",
        "scope": "weather:read weather:write openid profile",
        "roles": ["viewer", "reader", "member", "employee", "berne"],
        "groups": ["staff"], "department": "forecast", "tenant": "acme",
    });
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// What Envoy sends for a tool call, with `encode_raw_headers` and the body as bytes, and the gRPC length
/// prefix.
pub fn message(token: &str) -> Vec<u8> {
    let body = br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get_forecast","arguments":{"city":"Berne"}}}"#;
    let bearer = format!("Bearer {token}");
    let length = body.len().to_string();
    let headers = [
        (":authority", "mcp.example.com"),
        (":path", "/mcp"),
        (":method", "POST"),
        (":scheme", "https"),
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("content-length", length.as_str()),
        ("mcp-protocol-version", "2025-11-25"),
        ("user-agent", "mcp-client/1.0"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "0b9d2f4e-2f0a-4f0e-9a2e-5d1f5f2f8c11"),
        ("x-envoy-auth-partial-body", "false"),
    ];
    let headers = headers.map(|(key, value)| HeaderValue {
        key: key.to_owned(),
        value: String::new(),
        raw_value: value.as_bytes().to_vec(),
    });
    let http = HttpRequest {
        id: "1234567890".to_owned(),
        method: "POST".to_owned(),
        path: "/mcp".to_owned(),
        host: "mcp.example.com".to_owned(),
        scheme: "https".to_owned(),
        protocol: "HTTP/1.1".to_owned(),
        size: i64::try_from(body.len()).unwrap_or(-1),
        raw_body: body.as_slice().into(),
        header_map: Some(HeaderMap {
            headers: headers.to_vec(),
        }),
        ..HttpRequest::default()
    };
    let request = CheckRequest {
        attributes: Some(AttributeContext {
            request: Some(Request { http: Some(http) }),
            ..AttributeContext::default()
        }),
    };
    let encoded = request.encode_to_vec();
    let mut message = vec![0];
    message.extend(
        u32::try_from(encoded.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    message.extend(encoded);
    message
}
