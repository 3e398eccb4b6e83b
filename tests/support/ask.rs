//! A request in parts, asked in either dialect, and what the sidecar said to it.

use std::net::Ipv4Addr;

use cedargate::proto::envoy::config::core::v3::HeaderMap;
use cedargate::proto::envoy::config::core::v3::HeaderValue;
use cedargate::proto::envoy::service::auth::v3::AttributeContext;
use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::CheckResponse;
use cedargate::proto::envoy::service::auth::v3::OkHttpResponse;
use cedargate::proto::envoy::service::auth::v3::attribute_context::HttpRequest;
use cedargate::proto::envoy::service::auth::v3::attribute_context::Peer;
use cedargate::proto::envoy::service::auth::v3::attribute_context::Request as Asked;
use cedargate::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use cedargate::proto::envoy::service::auth::v3::check_response::HttpResponse;
use serde_json::Value;
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use tonic::transport::Endpoint;

use super::http::Request;
use super::mcp;

/// The host of the shipped configuration.
pub(crate) const HOST: &str = "mcp.example.com";

/// A request, by default to `/mcp`.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// What the proxy says of the body's length; none: the truth.
    pub(crate) size: Option<i64>,
    /// The context extension `resource`.
    pub(crate) resource: Option<String>,
    /// The client's certificate, as the proxy tells of it.
    pub(crate) certificate: Option<Shown>,
}

/// A client certificate in the words of either dialect. An empty text is not sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// `source.principal`
    pub(crate) principal: String,
    /// `source.certificate`: PEM, percent-encoded.
    pub(crate) pem: String,
    /// `x-forwarded-client-cert`
    pub(crate) xfcc: String,
}

impl Ask {
    /// A POST of JSON.
    pub(crate) fn post(body: impl AsRef<[u8]>) -> Self {
        Self {
            method: "POST".to_owned(),
            scheme: "https".to_owned(),
            host: HOST.to_owned(),
            path: "/mcp".to_owned(),
            headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
            body: body.as_ref().to_vec(),
            size: None,
            resource: None,
            certificate: None,
        }
    }

    /// A request without a body.
    pub(crate) fn bare(method: &str) -> Self {
        let mut ask = Self::post("");
        method.clone_into(&mut ask.method);
        ask.headers.clear();
        ask
    }

    /// A call of a tool.
    pub(crate) fn call(tool: &str) -> Self {
        Self::post(mcp::call(tool, r#"{"city":"Oslo"}"#))
    }

    /// Adds a header; one of the same name stays.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Takes every header of that name away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    /// Adds `Authorization: Bearer`.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sends it elsewhere.
    pub(crate) fn at(mut self, host: &str, path: &str) -> Self {
        host.clone_into(&mut self.host);
        path.clone_into(&mut self.path);
        self
    }

    /// Shows a certificate.
    pub(crate) fn certificate(mut self, shown: Shown) -> Self {
        self.certificate = Some(shown);
        self
    }

    /// As Envoy asks with `encode_raw_headers` and `pack_as_bytes`.
    pub(crate) fn grpc(&self) -> CheckRequest {
        let header = |(key, value): &(String, Vec<u8>)| HeaderValue {
            key: key.clone(),
            value: String::new(),
            raw_value: value.clone(),
        };
        let length = i64::try_from(self.body.len()).expect("a small body");
        let http = HttpRequest {
            method: self.method.clone(),
            host: self.host.clone(),
            path: self.path.clone(),
            scheme: self.scheme.clone(),
            size: self.size.unwrap_or(length),
            raw_body: self.body.clone().into(),
            header_map: Some(HeaderMap {
                headers: self.headers.iter().map(header).collect(),
            }),
            ..HttpRequest::default()
        };
        let source = |shown: &Shown| Peer {
            principal: shown.principal.clone(),
            certificate: shown.pem.clone(),
            ..Peer::default()
        };
        let extension = |name: &String| ("resource".to_owned(), name.clone());
        CheckRequest {
            attributes: Some(AttributeContext {
                request: Some(Asked { http: Some(http) }),
                source: self.certificate.as_ref().map(source),
                context_extensions: self.resource.iter().map(extension).collect(),
                ..AttributeContext::default()
            }),
        }
    }

    /// As Traefik asks.
    pub(crate) fn http(&self) -> Request {
        let mut request = Request::new("POST", "/check")
            .header("x-forwarded-method", &self.method)
            .header("x-forwarded-proto", &self.scheme)
            .header("x-forwarded-host", &self.host)
            .header("x-forwarded-uri", &self.path)
            .body(&self.body);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match &self.certificate {
            Some(shown) if !shown.xfcc.is_empty() => {
                request.header("x-forwarded-client-cert", &shown.xfcc)
            }
            _ => request,
        }
    }
}

/// What was decided.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// The code of the check, or the HTTP status of the answer in the other dialect.
    pub(crate) code: i32,
    /// `allowed`, or the reason of the refusal.
    pub(crate) reason: String,
    /// The status that the client sees, 200 for an allow.
    pub(crate) status: i32,
    /// The body of a refusal.
    pub(crate) body: String,
    /// The headers of a refusal.
    pub(crate) headers: Vec<(String, String)>,
    /// The changes of an allow, over gRPC.
    pub(crate) ok: Option<OkHttpResponse>,
}

impl Verdict {
    pub(crate) fn grpc(answer: CheckResponse) -> Self {
        let code = answer.status.expect("a status is always set").code;
        match answer.http_response.expect("an answer is always set") {
            HttpResponse::OkResponse(ok) => {
                assert_eq!(code, 0, "an ok_response beside a code");
                Self {
                    code,
                    reason: "allowed".to_owned(),
                    status: 200,
                    body: String::new(),
                    headers: Vec::new(),
                    ok: Some(ok),
                }
            }
            HttpResponse::DeniedResponse(denied) => {
                assert_ne!(code, 0, "Envoy would let it pass");
                let headers = denied
                    .headers
                    .into_iter()
                    .filter_map(|option| option.header);
                Self {
                    code,
                    reason: reason(&denied.body),
                    status: denied.status.expect("a status").code,
                    headers: headers.map(|h| (h.key, h.value)).collect(),
                    body: denied.body,
                    ok: None,
                }
            }
        }
    }

    /// The one value of a header of a refusal, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let first = found.next().map_or("", |(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} twice");
        first
    }
}

/// The `error` in the body of a refusal.
pub(crate) fn reason(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let facts = json.pointer("/error/data").unwrap_or(&json);
    let error = facts.get("error").and_then(Value::as_str);
    error.unwrap_or("no reason").to_owned()
}

/// Asks a sidecar, over one gRPC channel and as many HTTP connections as there are questions.
pub(crate) struct Asker {
    runtime: Runtime,
    channel: Channel,
    http: u16,
}

impl Asker {
    /// Connects.
    pub(crate) fn new(grpc: u16, http: u16) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let url = format!("http://{}:{grpc}", Ipv4Addr::LOCALHOST);
        let endpoint = Endpoint::from_shared(url).expect("a URL");
        let channel = runtime
            .block_on(async { endpoint.connect().await })
            .expect("the sidecar listens");
        Self {
            runtime,
            channel,
            http,
        }
    }

    /// Asks over gRPC, in any form.
    pub(crate) fn check(&self, request: CheckRequest) -> Verdict {
        let mut client = AuthorizationClient::new(self.channel.clone());
        let answer = self.runtime.block_on(client.check(request));
        Verdict::grpc(answer.expect("a check is never an RPC error").into_inner())
    }

    /// Asks over gRPC.
    pub(crate) fn grpc(&self, ask: &Ask) -> Verdict {
        self.check(ask.grpc())
    }

    /// Asks all at the same time over gRPC; the answers are in the order of the questions.
    pub(crate) fn all(&self, asks: &[Ask]) -> Vec<Verdict> {
        let tasks: Vec<_> = asks
            .iter()
            .map(|ask| {
                let mut client = AuthorizationClient::new(self.channel.clone());
                let request = ask.grpc();
                self.runtime
                    .spawn(async move { client.check(request).await })
            })
            .collect();
        self.runtime.block_on(async {
            let mut verdicts = Vec::new();
            for task in tasks {
                let answer = task.await.expect("no panic");
                let answer = answer.expect("a check is never an RPC error");
                verdicts.push(Verdict::grpc(answer.into_inner()));
            }
            verdicts
        })
    }

    /// Asks over HTTP.
    pub(crate) fn http(&self, ask: &Ask) -> Verdict {
        let answer = ask.http().send(self.http).expect("an answer");
        let allowed = answer.status == 200;
        Verdict {
            code: i32::from(answer.status),
            reason: if allowed {
                "allowed".to_owned()
            } else {
                reason(&answer.text())
            },
            status: i32::from(answer.status),
            body: answer.text(),
            headers: answer.headers,
            ok: None,
        }
    }

    /// Asks both ways, which must agree; returns what gRPC said.
    pub(crate) fn both(&self, ask: &Ask) -> Verdict {
        let (grpc, http) = (self.grpc(ask), self.http(ask));
        let shown = (&grpc.reason, grpc.status);
        assert_eq!(shown, (&http.reason, http.status), "{ask:?}");
        grpc
    }

    /// The runtime that the channel lives on.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The channel.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }
}
