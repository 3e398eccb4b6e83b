//! What stands between the bytes and the text: content types, character sets, compression, chunks.

use super::bodies::call;
use super::headers::modern;
use super::support::http::Request;
use super::world::Row;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = types();
    rows.extend(character_sets());
    rows.extend(compressions());
    rows
}

/// A POST without a content type.
fn untyped(body: impl AsRef<[u8]>) -> Request {
    Request::new("POST", "/mcp")
        .header("accept", "application/json, text/event-stream")
        .body(body)
}

fn typed(content_type: &str, body: impl AsRef<[u8]>) -> Request {
    untyped(body).header("content-type", content_type)
}

fn types() -> Vec<Row> {
    let honest = |content_type: &str, direct: &str| {
        Row::honest(
            format!("greet, {content_type:?}"),
            typed(content_type, call("greet")),
            direct,
        )
    };
    let refused = |content_type: &str, direct: &str| {
        Row::refused(
            format!("danger, {content_type:?}"),
            typed(content_type, call("danger")),
            400,
            direct,
        )
    };
    let json = "application/json";
    vec![
        honest("application/json; charset=utf-8", "greet greet greet"),
        honest("application/json;charset=UTF-8", "greet greet greet"),
        honest("application/json; charset=\"utf-8\"", "greet greet greet"),
        honest("application/json ;\tcharset=utf-8", "greet greet greet"),
        honest("  application/json  ", "greet greet greet"),
        honest("APPLICATION/JSON", "- greet greet"),
        honest("Application/Json; Charset=UTF-8", "- greet greet"),
        refused("application/json; charset=iso-8859-1", "danger - -"),
        refused(
            "application/json; charset=utf-8; charset=utf-7",
            "danger danger danger",
        ),
        refused("application/json; boundary=x", "danger danger danger"),
        refused("application/json, text/plain", "danger - -"),
        refused("application/vnd.api+json", "- - -"),
        refused("text/json", "- - -"),
        refused("text/plain", "- - -"),
        refused("application/x-www-form-urlencoded", "- - -"),
        refused("multipart/form-data; boundary=x", "- - -"),
        refused("", "- - -"),
        Row::refused("no content type", untyped(call("danger")), 400, "- - -"),
        Row::refused(
            "two content types, the second UTF-7",
            typed(json, utf7()).header("content-type", "application/json; charset=utf-7"),
            400,
            "- - -",
        ),
        Row::refused(
            "two content types, the first UTF-7",
            typed("application/json; charset=utf-7", utf7()).header("content-type", json),
            400,
            "- - danger",
        ),
    ]
}

/// Plain ASCII, and a call of `danger` for a reader of UTF-7.
fn utf7() -> String {
    call("+AGQ-anger")
}

fn utf16(text: &str, encode: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(encode).collect()
}

fn utf32(text: &str, encode: fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.chars()
        .flat_map(|letter| encode(u32::from(letter)))
        .collect()
}

fn character_sets() -> Vec<Row> {
    let danger = call("danger");
    let marked = format!("\u{feff}{danger}");
    let json = "application/json";
    let refused = |name: &str, content_type: &str, body: &[u8], direct: &str| {
        Row::refused(name, typed(content_type, body), 400, direct)
    };
    let charset = |name: &str| format!("application/json; charset={name}");
    let new = |name: &str, body: Vec<u8>, direct: &str| {
        let request = modern("danger", "danger").body(body);
        Row::refused(format!("2026-07-28, {name}"), request, 400, direct)
    };
    let modern_danger = super::headers::body("danger");
    let modern_marked = format!("\u{feff}{modern_danger}");
    vec![
        refused(
            "UTF-8 with a mark",
            json,
            marked.as_bytes(),
            "- danger danger",
        ),
        new(
            "UTF-8 with a mark",
            modern_marked.clone().into_bytes(),
            "danger - danger",
        ),
        refused("UTF-16LE", json, &utf16(&danger, u16::to_le_bytes), "- - -"),
        refused("UTF-16BE", json, &utf16(&danger, u16::to_be_bytes), "- - -"),
        refused(
            "UTF-16LE with a mark",
            json,
            &utf16(&marked, u16::to_le_bytes),
            "- - -",
        ),
        new(
            "UTF-16LE",
            utf16(&modern_danger, u16::to_le_bytes),
            "danger - -",
        ),
        new(
            "UTF-16BE",
            utf16(&modern_danger, u16::to_be_bytes),
            "danger - -",
        ),
        new(
            "UTF-16LE with a mark",
            utf16(&modern_marked, u16::to_le_bytes),
            "danger - -",
        ),
        new(
            "UTF-32BE",
            utf32(&modern_danger, u32::to_be_bytes),
            "danger - -",
        ),
        refused(
            "UTF-16LE, said so",
            &charset("utf-16le"),
            &utf16(&danger, u16::to_le_bytes),
            "- danger danger",
        ),
        refused(
            "UTF-16 with a mark, said so",
            &charset("utf-16"),
            &utf16(&marked, u16::to_le_bytes),
            "- danger danger",
        ),
        refused(
            "UTF-16BE, said so",
            &charset("utf-16be"),
            &utf16(&danger, u16::to_be_bytes),
            "- danger danger",
        ),
        refused(
            "UTF-32LE, said so",
            &charset("utf-32le"),
            &utf32(&danger, u32::to_le_bytes),
            "- danger danger",
        ),
        refused(
            "UTF-32 with a mark, said so",
            &charset("utf-32"),
            &utf32(&marked, u32::to_be_bytes),
            "- danger danger",
        ),
        refused(
            "UTF-7, said so",
            &charset("utf-7"),
            utf7().as_bytes(),
            "- danger danger",
        ),
        refused(
            "UTF-7, said in quotes and capitals",
            &charset("\"UTF-7\""),
            utf7().as_bytes(),
            "- danger danger",
        ),
        refused(
            "UTF-7 as IMAP has it, said so",
            &charset("utf-7-imap"),
            call("&AGQ-anger").as_bytes(),
            "- danger danger",
        ),
        Row::honest("UTF-7, not said", typed(json, utf7()), "- - -"),
    ]
}

fn compressions() -> Vec<Row> {
    let danger = call("danger");
    let body = danger.as_bytes();
    let json = "application/json";
    let refused = |name: &str, encoding: &str, body: &[u8], direct: &str| {
        let request = typed(json, body).header("content-encoding", encoding);
        Row::refused(name, request, 400, direct)
    };
    let greet = |encoding: &str| typed(json, call("greet")).header("content-encoding", encoding);
    let chunked = |tool: &str| {
        let call = call(tool);
        let (first, second) = call.split_at(40);
        let body = format!(
            "28;x=y\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
            second.len()
        );
        typed(json, body).header("transfer-encoding", "chunked")
    };
    vec![
        refused("gzip", "gzip", &gzip(body), "- danger danger"),
        refused("GZIP", "GZIP", &gzip(body), "- danger danger"),
        refused("deflate", "deflate", &deflate(body), "- danger danger"),
        refused("br", "br", &brotli(body), "- danger danger"),
        refused("x-gzip", "x-gzip", &gzip(body), "- - -"),
        refused("gzip that is not said", "identity", &gzip(body), "- - -"),
        refused("gzip that is not there", "gzip", body, "danger - -"),
        refused("an encoding that nobody knows", "zzz", body, "danger - -"),
        refused(
            "identity, then gzip",
            "identity, gzip",
            &gzip(body),
            "- - -",
        ),
        Row::refused(
            "identity, then gzip, on two lines",
            typed(json, gzip(body))
                .header("content-encoding", "identity")
                .header("content-encoding", "gzip"),
            400,
            "- - -",
        ),
        Row::honest("greet, identity", greet("identity"), "greet greet greet"),
        Row::honest("greet, Identity", greet("Identity"), "greet greet greet"),
        Row::honest("greet, in chunks", chunked("greet"), "greet greet greet"),
        Row::refused(
            "danger, in chunks",
            chunked("danger"),
            403,
            "danger danger danger",
        ),
        Row::refused(
            "gzip as a transfer coding",
            typed(json, gzip(body)).header("transfer-encoding", "gzip, chunked"),
            501,
            "- - -",
        ),
    ]
}

/// A gzip file (RFC 1952) of one stored block.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    file.extend(stored(body));
    let crc = body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    file.extend((!crc).to_le_bytes());
    file.extend(
        u32::try_from(body.len())
            .expect("a short body")
            .to_le_bytes(),
    );
    file
}

/// A zlib stream (RFC 1950), which is what `deflate` means in HTTP, of one stored block.
fn deflate(body: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    stream.extend(stored(body));
    let (low, high) = body.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = low.wrapping_add(u32::from(*byte)) % 65_521;
        (low, low.wrapping_add(high) % 65_521)
    });
    stream.extend((high << 16 | low).to_be_bytes());
    stream
}

/// One stored block (RFC 1951, section 3.2.4), the last.
fn stored(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a short body");
    let mut block = vec![1];
    block.extend(length.to_le_bytes());
    block.extend((!length).to_le_bytes());
    block.extend(body);
    block
}

/// A brotli stream (RFC 7932, section 9.2) of one uncompressed block and an empty last one.
fn brotli(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len())
        .expect("a short body")
        .saturating_sub(1);
    let [first, second, third, _] = (length << 4 | 1 << 20).to_le_bytes();
    let mut stream = vec![first, second, third];
    stream.extend(body);
    stream.push(3);
    stream
}
