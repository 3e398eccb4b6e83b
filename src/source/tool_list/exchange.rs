//! One HTTP exchange with an MCP server: a message is posted, and its answer read within a budget.

use reqwest::Client;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

use super::MAX_ANSWERS_BYTES;
use super::challenge;
use super::fault::ToolListFault;
use super::message;
use super::message::Reply;
use super::sse::Events;
use crate::source::fetch;

/// Largest answer of a refusal that is looked into, in bytes.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// How many bytes the server may still send.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    pub(super) const FULL: Self = Self(MAX_ANSWERS_BYTES);

    fn spend(&mut self, bytes: usize) -> Result<(), ToolListFault> {
        let left = self.0.checked_sub(bytes);
        self.0 = left.ok_or(ToolListFault::TooLarge(MAX_ANSWERS_BYTES))?;
        Ok(())
    }
}

/// Posts a message; what is wanted beside the operator's own headers is in `headers`.
pub(super) async fn post(
    client: &Client,
    url: &Url,
    headers: HeaderMap,
    message: &Value,
) -> Result<Response, ToolListFault> {
    let request = client
        .post(url.clone())
        .headers(headers)
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::CONTENT_TYPE, "application/json")
        .body(message.to_string());
    let sent = request.send().await;
    Ok(sent.map_err(|error| fetch::sort(&error))?)
}

/// The result that answers the request `id`.
pub(super) async fn result(
    response: Response,
    id: u64,
    budget: &mut Budget,
) -> Result<crate::json::StrictValue, ToolListFault> {
    let status = response.status();
    if status != StatusCode::OK {
        return Err(refusal(response, budget).await);
    }
    if is_compressed(response.headers()) {
        return Err(ToolListFault::Encoding);
    }
    let reply = match essence(response.headers()).as_str() {
        "application/json" => {
            let body = whole(response, budget).await?;
            let reply = message::read(&body, id)?;
            reply.ok_or(ToolListFault::Malformed("it is no answer but a request"))?
        }
        "text/event-stream" => streamed(response, id, budget).await?,
        _ => return Err(not_mcp(status, response.headers())),
    };
    match reply {
        Reply::Result(result) => Ok(result),
        Reply::Error(error) => Err(ToolListFault::Refused {
            status: status.as_u16(),
            error: Some(error),
        }),
    }
}

/// What an answer says that is not a 200.
pub(super) async fn refusal(response: Response, budget: &mut Budget) -> ToolListFault {
    let status = response.status();
    if status.is_redirection() {
        let location = response.headers().get(header::LOCATION);
        let location = location.map_or("", |value| value.to_str().unwrap_or("?"));
        let location = location.split(['?', '#']).next().unwrap_or_default();
        return ToolListFault::Redirect {
            status: status.as_u16(),
            location: message::brief(location),
        };
    }
    let scope = challenge::scope(response.headers());
    if status == StatusCode::UNAUTHORIZED {
        return ToolListFault::Unauthorized { scope };
    }
    let kind = not_mcp(status, response.headers());
    let json = essence(response.headers()) == "application/json";
    let error = if json {
        error_of(response, budget).await
    } else {
        None
    };
    if status == StatusCode::FORBIDDEN {
        let message = error.map(|error| error.message);
        return ToolListFault::Forbidden { scope, message };
    }
    if status.is_success() {
        return kind;
    }
    ToolListFault::Refused {
        status: status.as_u16(),
        error,
    }
}

async fn error_of(response: Response, budget: &mut Budget) -> Option<message::RpcError> {
    let mut small = Budget(budget.0.min(MAX_REFUSAL_BYTES));
    let body = whole(response, &mut small).await.ok()?;
    budget.spend(body.len()).ok()?;
    let value = crate::json::parse(&body, crate::json::DEEPEST).ok()?;
    message::RpcError::read(value.get("error")?)
}

async fn whole(mut response: Response, budget: &mut Budget) -> Result<Vec<u8>, ToolListFault> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |length| length > budget.0) {
        return Err(ToolListFault::TooLarge(MAX_ANSWERS_BYTES));
    }
    let mut body = Vec::new();
    while let Some(chunk) = chunk(&mut response).await? {
        budget.spend(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The answer in a stream of events; others may come before it.
async fn streamed(
    mut response: Response,
    id: u64,
    budget: &mut Budget,
) -> Result<Reply, ToolListFault> {
    let mut events = Events::default();
    while let Some(chunk) = chunk(&mut response).await? {
        budget.spend(chunk.len())?;
        for data in events.push(&chunk) {
            if let Some(reply) = message::read(&data, id)? {
                return Ok(reply);
            }
        }
    }
    Err(ToolListFault::Malformed(
        "the stream of events ends before the answer",
    ))
}

async fn chunk(response: &mut Response) -> Result<Option<bytes::Bytes>, ToolListFault> {
    let chunk = response.chunk().await;
    Ok(chunk.map_err(|error| fetch::sort(&error))?)
}

fn is_compressed(headers: &HeaderMap) -> bool {
    let encoding = headers.get(header::CONTENT_ENCODING);
    encoding.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The media type without its parameters, in lower case.
fn essence(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.map_or("", |value| value.to_str().unwrap_or("?"));
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

fn not_mcp(status: StatusCode, headers: &HeaderMap) -> ToolListFault {
    ToolListFault::NotMcp {
        status: status.as_u16(),
        content_type: message::brief(&essence(headers)),
    }
}
