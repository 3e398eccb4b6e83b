//! Envoy's question, `envoy.service.auth.v3.CheckRequest`, read into our model.
//!
//! The message is taken apart whole, so that a field added to the definitions breaks the build
//! here and gets looked at.

mod usual;

use std::net::IpAddr;

use bytes::Bytes;
use prost::Message;

use crate::proto::envoy::config::core::v3::Address;
use crate::proto::envoy::config::core::v3::HeaderMap;
use crate::proto::envoy::config::core::v3::HeaderValue;
use crate::proto::envoy::config::core::v3::Metadata;
use crate::proto::envoy::config::core::v3::address;
use crate::proto::envoy::service::auth::v3::AttributeContext;
use crate::proto::envoy::service::auth::v3::CheckRequest;
use crate::proto::envoy::service::auth::v3::attribute_context::HttpRequest;
use crate::proto::envoy::service::auth::v3::attribute_context::Peer;
use crate::proto::envoy::service::auth::v3::attribute_context::Request;
use crate::request::client_ip;
use crate::request::headers::HeaderBag;
use crate::request::headers::HeaderText;
use crate::request::incoming::Described;
use crate::request::incoming::Incoming;
use crate::request::incoming::ReadOptions;
use crate::request::incoming::Refused;
use crate::request::incoming::RequestError;
use crate::request::peer_certificate;
use crate::request::wire;
use crate::request::wire::Wire;

/// Reads a check off the wire, `message` being an encoded `CheckRequest`.
///
/// # Errors
///
/// As [`read`], and [`RequestError::Unreadable`] for what is no such message.
pub fn decode(message: Bytes, options: &ReadOptions) -> Result<Incoming, Box<Refused>> {
    let wire = if let Ok(wire) = usual::read(&message) {
        wire
    } else {
        let request = CheckRequest::decode(message).map_err(|_| {
            let fault = "the check message cannot be decoded";
            Refused::from(RequestError::Unreadable(fault))
        })?;
        taken_apart(request)
    };
    wire::assemble(wire, options)
}

/// Reads a check.
///
/// # Errors
///
/// Whatever has two readings, or is not there; with the parts that an answer needs.
pub fn read(request: CheckRequest, options: &ReadOptions) -> Result<Incoming, Box<Refused>> {
    wire::assemble(taken_apart(request), options)
}

fn taken_apart(request: CheckRequest) -> Wire {
    let Some(mut attributes) = request.attributes else {
        return missing("attributes");
    };
    let mut wire = match attributes.request.take() {
        Some(Request { http: Some(http) }) => http_request(http),
        Some(Request { http: None }) => missing("request.http"),
        None => missing("request"),
    };
    surroundings(&mut wire, attributes);
    wire
}

/// What a check says beside the request itself.
fn surroundings(wire: &mut Wire, attributes: AttributeContext) {
    let AttributeContext {
        source,
        destination: _,
        request: _,
        mut context_extensions,
        metadata_context,
    } = attributes;
    wire.resource = context_extensions.remove("resource");
    wire.described = metadata_context.map_or(Described::Absent, description);
    let Some(Peer {
        address,
        service: _,
        labels: _,
        principal,
        certificate,
    }) = source
    else {
        return;
    };
    wire.peer = address.and_then(ip);
    match peer_certificate::from_attributes(principal, &certificate) {
        Ok(certificate) => wire.certificate = certificate,
        Err(fault) => wire.fault = wire.fault.take().or(Some(fault.into())),
    }
}

fn http_request(http: HttpRequest) -> Wire {
    let HttpRequest {
        // Envoy's stream id, not the request id.
        id: _,
        method,
        headers,
        path,
        host,
        scheme,
        // Always empty: the query is part of `path`.
        query: _,
        fragment: _,
        size,
        protocol: _,
        body,
        raw_body,
        header_map,
    } = http;
    let mut fault = None;
    for (name, value) in [("method", &method), ("path", &path)] {
        if value.is_empty() {
            fault = fault.or(Some(RequestError::MissingAttribute(name)));
        }
    }
    let bag = match header_map {
        Some(HeaderMap { headers: separate }) if !separate.is_empty() => {
            if !headers.is_empty() {
                fault = fault.or(Some(RequestError::TwoHeaderSets));
            }
            HeaderBag::separate(separate.into_iter().map(entry))
        }
        Some(_) | None => HeaderBag::joined(headers),
    };
    if !body.is_empty() && !raw_body.is_empty() && *body.as_bytes() != raw_body {
        fault = fault.or(Some(RequestError::TwoBodies));
    }
    let headers = match bag {
        Ok(bag) => bag,
        Err(error) => {
            fault = fault.or(Some(error.into()));
            HeaderBag::default()
        }
    };
    Wire {
        method,
        scheme,
        host,
        target: path,
        headers,
        own_head: true,
        peer: None,
        certificate: None,
        body: if raw_body.is_empty() {
            Bytes::from(body)
        } else {
            raw_body
        },
        size: known_size(size),
        described: Described::Absent,
        resource: None,
        fault,
    }
}

/// Zero and below stand for unknown.
fn known_size(size: i64) -> Option<u64> {
    u64::try_from(size).ok().filter(|size| *size > 0)
}

/// What the MCP filter says: under its own name, or in Envoy 1.37 under another.
fn description(metadata: Metadata) -> Described {
    let Metadata {
        mut filter_metadata,
    } = metadata;
    let mut found = ["envoy.filters.http.mcp", "mcp_proxy"]
        .into_iter()
        .filter_map(|name| filter_metadata.remove(name));
    match (found.next(), found.next()) {
        (None, _) => Described::Absent,
        (Some(fields), None) => Described::Fields(Box::new(fields)),
        (Some(_), Some(_)) => Described::Twice,
    }
}

fn entry(header: HeaderValue) -> (String, HeaderText) {
    let HeaderValue {
        key,
        value,
        raw_value,
    } = header;
    if raw_value.is_empty() {
        (key, HeaderText::Text(value))
    } else {
        (key, HeaderText::Raw(raw_value))
    }
}

fn ip(address: Address) -> Option<IpAddr> {
    match address.address? {
        address::Address::SocketAddress(socket) => client_ip::address(&socket.address),
        address::Address::Pipe(_) => None,
    }
}

fn missing(what: &'static str) -> Wire {
    Wire {
        fault: Some(RequestError::MissingAttribute(what)),
        ..Wire::default()
    }
}

#[cfg(test)]
mod tests;
