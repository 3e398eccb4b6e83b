//! The usual check, taken off the wire without building the message first.
//!
//! It reads what a proxy sends on almost every request: each field once, the headers one by one, the body as
//! bytes. Whatever else a message may hold is not read here at all: the generated code reads it.

use std::ops::Range;

use bytes::Bytes;
use prost::Message;
use prost::encoding::encode_varint;

use super::surroundings;
use crate::proto::envoy::service::auth::v3::AttributeContext;
use crate::proto::envoy::service::auth::v3::CheckRequest;
use crate::request::headers::HeaderBag;
use crate::request::headers::MAX_HEADERS;
use crate::request::headers::Span;
use crate::request::wire::Wire;

/// The key of `CheckRequest.attributes`: field 1, with a length.
const ATTRIBUTES: u8 = 0x0a;

/// What stands in the bytes is not the usual check. It may still be a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusual;

/// Reads the usual `CheckRequest`.
pub(super) fn read(message: &Bytes) -> Result<Wire, Unusual> {
    let mut fields = Fields::all(message);
    let Some((1, Value::Span(attributes))) = fields.next()? else {
        return Err(Unusual);
    };
    let (None, mut fields) = (fields.next()?, fields.inside(attributes)) else {
        return Err(Unusual);
    };
    let mut request = None;
    let mut rest = Vec::new();
    loop {
        let start = fields.at;
        match fields.next()? {
            Some((4, Value::Span(span))) => once(&mut request, span)?,
            Some(_) => rest.extend_from_slice(message.get(start..fields.at).ok_or(Unusual)?),
            None => break,
        }
    }
    let mut wire = http(message, fields.inside(request.ok_or(Unusual)?))?;
    surroundings(&mut wire, attributes_of(&rest)?);
    Ok(wire)
}

/// The attributes within their message: how deep they may nest is counted from there.
fn attributes_of(fields: &[u8]) -> Result<AttributeContext, Unusual> {
    if fields.is_empty() {
        return Ok(AttributeContext::default());
    }
    let mut message = vec![ATTRIBUTES];
    encode_varint(
        u64::try_from(fields.len()).map_err(|_| Unusual)?,
        &mut message,
    );
    message.extend_from_slice(fields);
    let request = CheckRequest::decode(&*message).map_err(|_| Unusual)?;
    request.attributes.ok_or(Unusual)
}

/// `AttributeContext.Request`; Envoy also says there when the request came.
fn http(message: &Bytes, mut request: Fields<'_>) -> Result<Wire, Unusual> {
    let mut http = None;
    while let Some((number, value)) = request.next()? {
        match (number, value) {
            (2, Value::Span(span)) => once(&mut http, span)?,
            (2, Value::Number(_)) => return Err(Unusual),
            _ => {}
        }
    }
    let mut fields = request.inside(http.ok_or(Unusual)?);
    let mut texts = [const { None }; 4];
    let [method, path, host, scheme] = &mut texts;
    let (mut size, mut body, mut headers) = (None, None, None);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (2, Value::Span(span)) => once(method, fields.text(span)?)?,
            (4, Value::Span(span)) => once(path, fields.text(span)?)?,
            (5, Value::Span(span)) => once(host, fields.text(span)?)?,
            (6, Value::Span(span)) => once(scheme, fields.text(span)?)?,
            // The stream's id, the query, the fragment and the protocol: not read, but texts.
            (1 | 7 | 8 | 10, Value::Span(span)) => drop(fields.text(span)?),
            (9, Value::Number(number)) => once(&mut size, number)?,
            (12, Value::Span(span)) => once(&mut body, span)?,
            (13, Value::Span(span)) => once(&mut headers, span)?,
            _ => return Err(Unusual),
        }
    }
    let [Some(method), Some(path), Some(host), scheme] = texts else {
        return Err(Unusual);
    };
    if method.is_empty() || path.is_empty() {
        return Err(Unusual);
    }
    Ok(Wire {
        method: method.to_owned(),
        scheme: scheme.unwrap_or_default().to_owned(),
        host: host.to_owned(),
        target: path.to_owned(),
        headers: bag(message, fields.inside(headers.ok_or(Unusual)?))?,
        own_head: true,
        body: body.map_or_else(Bytes::new, |span| message.slice(span)),
        size: super::known_size(size.unwrap_or_default().cast_signed()),
        ..Wire::default()
    })
}

/// `HeaderMap`
fn bag(message: &Bytes, mut map: Fields<'_>) -> Result<HeaderBag, Unusual> {
    let mut entries = Vec::with_capacity(24);
    while let Some(field) = map.next()? {
        let (1, Value::Span(header)) = field else {
            return Err(Unusual);
        };
        entries.push(header_value(map.inside(header))?);
        if entries.len() > MAX_HEADERS {
            return Err(Unusual);
        }
    }
    if entries.is_empty() {
        return Err(Unusual);
    }
    HeaderBag::within(message.clone(), entries).map_err(|_| Unusual)
}

/// `HeaderValue`: the value is text or bytes, of which the bytes count.
fn header_value(mut fields: Fields<'_>) -> Result<Span, Unusual> {
    let (mut name, mut text, mut raw) = (None, None, None);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Span(span)) => {
                fields.text(span.clone())?;
                once(&mut name, span)?;
            }
            (2, Value::Span(span)) => {
                fields.text(span.clone())?;
                once(&mut text, span)?;
            }
            (3, Value::Span(span)) => once(&mut raw, span)?,
            _ => return Err(Unusual),
        }
    }
    Ok(Span {
        name: name.ok_or(Unusual)?,
        value: raw
            .filter(|raw| !raw.is_empty())
            .or(text)
            .unwrap_or_default(),
    })
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Unusual> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Unusual),
    }
}

/// The value of a field: a number, or where its bytes stand in the whole message.
enum Value {
    Number(u64),
    Span(Range<usize>),
}

/// The fields of a message of which all numbers are below 16 (Protocol Buffers, encoding).
struct Fields<'a> {
    /// The whole message.
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Fields<'a> {
    fn all(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            end: bytes.len(),
        }
    }

    /// Those of the message that stands in `span`.
    fn inside(&self, span: Range<usize>) -> Self {
        Self {
            bytes: self.bytes,
            at: span.start,
            end: span.end,
        }
    }

    fn next(&mut self) -> Result<Option<(u8, Value)>, Unusual> {
        if self.at >= self.end {
            return Ok(None);
        }
        let key = self.byte()?;
        let number = key >> 3;
        if number == 0 || key >= 0x80 {
            return Err(Unusual);
        }
        let value = self.varint()?;
        match key & 7 {
            0 => Ok(Some((number, Value::Number(value)))),
            2 => {
                let start = self.at;
                let length = usize::try_from(value).map_err(|_| Unusual)?;
                let end = start.checked_add(length).ok_or(Unusual)?;
                if end > self.end {
                    return Err(Unusual);
                }
                self.at = end;
                Ok(Some((number, Value::Span(start..end))))
            }
            _ => Err(Unusual),
        }
    }

    fn text(&self, span: Range<usize>) -> Result<&'a str, Unusual> {
        let bytes = self.bytes.get(span).ok_or(Unusual)?;
        std::str::from_utf8(bytes).map_err(|_| Unusual)
    }

    /// At most ten bytes of seven bits each, of which the last byte holds one.
    fn varint(&mut self) -> Result<u64, Unusual> {
        let mut value = 0;
        for shift in (0_u32..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(Unusual);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Unusual)
    }

    fn byte(&mut self) -> Result<u8, Unusual> {
        if self.at >= self.end {
            return Err(Unusual);
        }
        let byte = *self.bytes.get(self.at).ok_or(Unusual)?;
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }
}

#[cfg(test)]
mod tests;
