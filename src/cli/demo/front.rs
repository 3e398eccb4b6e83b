//! The demo server's port: asks the sidecar about each request, as Envoy's `ext_authz` filter would.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::UnixStream;
use tonic::transport::Channel;
use tonic::transport::Endpoint;
use tonic::transport::Uri;
use tower::service_fn;

use crate::cli::demo::upstream;
use crate::config::Address;
use crate::proto::envoy::config::core::v3::HeaderMap as WireHeaders;
use crate::proto::envoy::config::core::v3::HeaderValue as WireHeader;
use crate::proto::envoy::config::core::v3::HeaderValueOption;
use crate::proto::envoy::service::auth::v3::AttributeContext;
use crate::proto::envoy::service::auth::v3::CheckRequest;
use crate::proto::envoy::service::auth::v3::CheckResponse;
use crate::proto::envoy::service::auth::v3::attribute_context::HttpRequest;
use crate::proto::envoy::service::auth::v3::attribute_context::Request as WireRequest;
use crate::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use crate::proto::envoy::service::auth::v3::check_response::HttpResponse;

/// The sidecar's address is not one that can be asked.
#[derive(Debug, Error)]
#[error("the sidecar's address cannot be asked")]
pub(super) struct FrontError(#[from] tonic::transport::Error);

#[derive(Clone)]
struct Front {
    sidecar: AuthorizationClient<Channel>,
    own: SocketAddr,
}

/// The server: every request is checked first.
pub(super) fn router(sidecar: &Address, own: SocketAddr) -> Result<Router, FrontError> {
    let channel = match sidecar {
        Address::Tcp(address) => Endpoint::from_shared(format!("http://{address}"))?.connect_lazy(),
        Address::Unix(path) => {
            let path: PathBuf = path.clone();
            Endpoint::from_static("http://sidecar").connect_with_connector_lazy(service_fn(
                move |_: Uri| {
                    let path = path.clone();
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }
                },
            ))
        }
    };
    let front = Front {
        sidecar: AuthorizationClient::new(channel),
        own,
    };
    Ok(Router::new().fallback(answer).with_state(front))
}

async fn answer(State(mut front): State<Front>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, upstream::LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let question = question(&head, &body, front.own);
    let Ok(answer) = front.sidecar.check(question).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let CheckResponse {
        status,
        http_response,
        ..
    } = answer.into_inner();
    match (status.map(|status| status.code), http_response) {
        (Some(0), Some(HttpResponse::OkResponse(changes))) => {
            apply(&mut head.headers, changes.headers);
            for name in changes.headers_to_remove {
                head.headers.remove(name);
            }
            upstream::answer(&head, &body)
        }
        (_, Some(HttpResponse::DeniedResponse(denied))) => {
            let status = denied
                .status
                .and_then(|status| u16::try_from(status.code).ok());
            let status = status.and_then(|status| StatusCode::from_u16(status).ok());
            let mut response = Response::new(Body::from(denied.body));
            *response.status_mut() = status.unwrap_or(StatusCode::FORBIDDEN);
            apply(response.headers_mut(), denied.headers);
            response
        }
        (_, _) => StatusCode::FORBIDDEN.into_response(),
    }
}

fn question(head: &Parts, body: &Bytes, own: SocketAddr) -> CheckRequest {
    let headers = head.headers.iter().map(|(name, value)| WireHeader {
        key: name.as_str().to_owned(),
        value: String::new(),
        raw_value: value.as_bytes().to_vec(),
    });
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = head.headers.get("host").and_then(|host| host.to_str().ok());
    let http = HttpRequest {
        method: head.method.as_str().to_owned(),
        path: path.to_owned(),
        host: host.map_or_else(|| own.to_string(), ToOwned::to_owned),
        scheme: "http".to_owned(),
        protocol: "HTTP/1.1".to_owned(),
        size: i64::try_from(body.len()).unwrap_or(-1),
        raw_body: body.clone(),
        header_map: Some(WireHeaders {
            headers: headers.collect(),
        }),
        ..HttpRequest::default()
    };
    CheckRequest {
        attributes: Some(AttributeContext {
            request: Some(WireRequest { http: Some(http) }),
            ..AttributeContext::default()
        }),
    }
}

fn apply(headers: &mut HeaderMap, changes: Vec<HeaderValueOption>) {
    for change in changes {
        let Some(header) = change.header else {
            continue;
        };
        let name = HeaderName::try_from(header.key);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(header.value)) {
            headers.insert(name, value);
        }
    }
}
