//! The course of the conversation: which revision is spoken, the pages one after the other, and the
//! end of a session.

use reqwest::Response;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use serde_json::Value;

use super::ToolServer;
use super::exchange;
use super::exchange::Budget;
use super::fault::ToolListFault;
use super::message;
use super::message::LEGACY;
use super::message::MODERN;
use super::message::Next;
use super::pages::Pages;
use super::tool::StatedTool;
use crate::json::StrictValue;

const VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD_HEADER: HeaderName = HeaderName::from_static("mcp-method");
const SESSION_HEADER: HeaderName = HeaderName::from_static("mcp-session-id");

/// Longest session id, in bytes.
const MAX_SESSION_BYTES: usize = 1024;

/// What has been agreed upon so far.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    server: &'a ToolServer,
    budget: Budget,
    last_id: u64,
    /// `None` until the server has agreed to an earlier revision.
    version: Option<&'static str>,
    session: Option<HeaderValue>,
    modern: bool,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(server: &'a ToolServer) -> Self {
        Self {
            server,
            budget: Budget::FULL,
            last_id: 0,
            version: None,
            session: None,
            modern: true,
        }
    }

    /// All tools.
    pub(super) async fn tools(&mut self) -> Result<Vec<StatedTool>, ToolListFault> {
        let mut pages = Pages::default();
        let first = match self.page(None).await {
            Err(ToolListFault::Refused { status, error }) => {
                match message::after_refusal(status, error.as_ref()) {
                    Next::Legacy(version) => {
                        self.shake_hands(version).await?;
                        self.page(None).await?
                    }
                    Next::Stop => return Err(final_refusal(status, error)),
                }
            }
            other => other?,
        };
        let mut cursor = pages.take(&first)?;
        while let Some(next) = cursor {
            let page = self.page(Some(&next)).await?;
            cursor = pages.take(&page)?;
        }
        Ok(pages.finish())
    }

    /// Ends the session, if one was opened. A server need not allow it.
    pub(super) async fn end(&mut self) {
        if let Some(session) = self.session.take() {
            let mut headers = self.headers("");
            headers.insert(SESSION_HEADER, session);
            let request = self.server.client.delete(self.server.url.clone());
            drop(request.headers(headers).send().await);
        }
    }

    async fn page(&mut self, cursor: Option<&str>) -> Result<StrictValue, ToolListFault> {
        let id = self.next_id();
        let request = message::tools_list(id, cursor, self.modern);
        let response = self.post("tools/list", &request).await?;
        exchange::result(response, id, &mut self.budget).await
    }

    /// `initialize`, and the word that it was understood.
    async fn shake_hands(&mut self, version: &'static str) -> Result<(), ToolListFault> {
        self.modern = false;
        let id = self.next_id();
        let request = message::initialize(id, version);
        let response = self.post("initialize", &request).await?;
        let session = response.headers().get(SESSION_HEADER).cloned();
        if let Some(mut session) = session.filter(is_sound) {
            session.set_sensitive(true);
            self.session = Some(session);
        }
        let agreed = exchange::result(response, id, &mut self.budget).await?;
        let agreed = agreed.get("protocolVersion");
        let agreed = agreed
            .and_then(StrictValue::as_text)
            .ok_or(ToolListFault::Malformed("it agrees to no revision of MCP"))?;
        let spoken = LEGACY.into_iter().find(|one| *one == agreed);
        self.version = Some(spoken.ok_or_else(|| ToolListFault::Version(message::brief(agreed)))?);
        let word = message::initialized();
        let told = self.post("notifications/initialized", &word).await?;
        if told.status().is_success() {
            return Ok(());
        }
        Err(exchange::refusal(told, &mut self.budget).await)
    }

    async fn post(&self, method: &'static str, body: &Value) -> Result<Response, ToolListFault> {
        let headers = self.headers(method);
        exchange::post(&self.server.client, &self.server.url, headers, body).await
    }

    fn headers(&self, method: &'static str) -> HeaderMap {
        let mut headers = self.server.headers.clone();
        if self.modern {
            headers.insert(VERSION_HEADER, HeaderValue::from_static(MODERN));
            headers.insert(METHOD_HEADER, HeaderValue::from_static(method));
        }
        if let Some(version) = self.version {
            headers.insert(VERSION_HEADER, HeaderValue::from_static(version));
        }
        if let Some(session) = &self.session {
            headers.insert(SESSION_HEADER, session.clone());
        }
        headers
    }

    fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }
}

/// A refusal after which nothing else is tried.
fn final_refusal(status: u16, error: Option<message::RpcError>) -> ToolListFault {
    match error {
        Some(error) if !error.supported.is_empty() => {
            ToolListFault::Version(error.supported.join(", "))
        }
        error => ToolListFault::Refused { status, error },
    }
}

/// MCP: visible ASCII.
fn is_sound(session: &HeaderValue) -> bool {
    let bytes = session.as_bytes();
    !bytes.is_empty() && bytes.len() <= MAX_SESSION_BYTES && bytes.iter().all(u8::is_ascii_graphic)
}
