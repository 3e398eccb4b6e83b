//! Asks an MCP server for its tools: stateless as revision 2026-07-28 has it, or else with the
//! handshake of the revisions before.

mod challenge;
mod conversation;
mod exchange;
mod fault;
mod message;
mod pages;
mod sse;
mod tool;

use std::time::Duration;

use reqwest::Client;
use reqwest::header::HeaderMap;
use url::Host;
use url::Url;

use self::conversation::Conversation;
pub use self::fault::ToolListFault;
pub use self::message::RpcError;
pub use self::pages::MAX_PAGES;
pub use self::pages::MAX_TOOLS;
pub use self::pages::PageFault;
use self::pages::Pages;
pub use self::tool::MAX_NAME_BYTES;
pub use self::tool::StatedHints;
pub use self::tool::StatedTool;
pub use self::tool::ToolFault;
use super::fetch;
use super::fetch::FetchFault;
use crate::config::Remote;
use crate::json;
use crate::json::DEEPEST;

/// Most bytes of all answers of a server together.
pub const MAX_ANSWERS_BYTES: usize = 8 * 1024 * 1024;

/// Longest time to a connection, names and TLS included.
const CONNECT: Duration = Duration::from_secs(5);

/// Longest time for taking leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// An MCP server over Streamable HTTP.
#[derive(Debug)]
pub struct ToolServer {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

impl ToolServer {
    /// The server at `url`, which is sent `headers` with every request. It is reached as `remote` says;
    /// without TLS also where its host is a loopback address.
    ///
    /// # Errors
    ///
    /// [`FetchFault`].
    pub fn new(url: Url, headers: HeaderMap, remote: &Remote) -> Result<Self, FetchFault> {
        let remote = Remote {
            ca_pem: remote.ca_pem.clone(),
            insecure_allow_http: remote.insecure_allow_http || is_loopback(&url),
        };
        fetch::check_url(&url, remote.insecure_allow_http)?;
        let client = fetch::builder(&remote)?.connect_timeout(CONNECT).build();
        Ok(Self {
            client: client.map_err(|error| fetch::sort(&error))?,
            url,
            headers,
        })
    }

    /// All its tools, in the order of the server, within `total`. A session that had to be opened for it
    /// is ended, also where it fails.
    ///
    /// # Errors
    ///
    /// [`ToolListFault`].
    pub async fn list(&self, total: Duration) -> Result<Vec<StatedTool>, ToolListFault> {
        let mut conversation = Conversation::new(self);
        let listed = tokio::time::timeout(total, conversation.tools()).await;
        // Nobody waits for what becomes of it.
        drop(tokio::time::timeout(FAREWELL, conversation.end()).await);
        listed.unwrap_or(Err(FetchFault::TimedOut.into()))
    }
}

/// The tools in a saved answer to `tools/list`: the whole JSON-RPC message, its `result`, or the list
/// alone.
///
/// # Errors
///
/// [`ToolListFault`], also where the answer is not the last page.
pub fn read_saved(bytes: &[u8]) -> Result<Vec<StatedTool>, ToolListFault> {
    let value = json::parse(bytes, DEEPEST).map_err(ToolListFault::Json)?;
    let mut pages = Pages::default();
    if let Some(list) = value.as_array() {
        pages.add(list)?;
        return Ok(pages.finish());
    }
    if value.get("error").is_some() && value.get("result").is_none() {
        let error = value.get("error").and_then(RpcError::read);
        let error = error.ok_or(ToolListFault::Malformed("its `error` is none of JSON-RPC"))?;
        return Err(ToolListFault::Refused {
            status: 200,
            error: Some(error),
        });
    }
    match pages.take(value.get("result").unwrap_or(&value))? {
        None => Ok(pages.finish()),
        Some(_) => Err(PageFault::Incomplete.into()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
