//! Floods of frames and headers: after each of them an honest check is answered within a second, and
//! the process has not grown beyond a stated bound.

#![expect(
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use std::time::Duration;
use support::h2;
use support::h2::Connection;
use support::h2::END_HEADERS;
use support::h2::END_STREAM;
use support::h2::Kind;
use support::siege::streams;
use support::siege::world;

#[test]
fn floods_of_frames_are_cut_off() {
    let world = world();
    let sent = |connection: &mut Connection| connection.flush();
    world.survives("rapid reset", 16, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        for stream in streams(100_000) {
            connection.check(stream, END_STREAM);
            connection.frame(Kind::Reset, 0, stream, &8_u32.to_be_bytes());
            if stream % 100 == 1 && !connection.flush() {
                break;
            }
        }
        assert!(
            connection.is_closed_within(Duration::from_secs(2)),
            "it is let go on"
        );
    });
    world.survives("resets forced by our own errors", 16, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        for stream in streams(100_000) {
            connection.check(stream, 0);
            // A window update of zero is an error of the stream.
            connection.frame(Kind::WindowUpdate, 0, stream, &[0; 4]);
            if stream % 100 == 1 && !connection.flush() {
                break;
            }
        }
        assert!(
            connection.is_closed_within(Duration::from_secs(2)),
            "it is let go on"
        );
    });
    world.survives("PING flood", 16, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        for _ in 0..1_000 {
            (0..200).for_each(|_| connection.frame(Kind::Ping, 0, 0, &[7; 8]));
            if !sent(&mut connection) {
                break;
            }
        }
        connection
    });
    world.survives("SETTINGS flood", 16, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        for n in 0..1_000_u32 {
            let payload = [&4_u16.to_be_bytes()[..], &(65_535 + n).to_be_bytes()].concat();
            (0..200).for_each(|_| connection.frame(Kind::Settings, 0, 0, &payload));
            if !sent(&mut connection) {
                break;
            }
        }
        connection
    });
    world.survives("empty DATA, PRIORITY and unknown frames", 16, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        connection.check(1, 0);
        for _ in 0..1_000 {
            for _ in 0..100 {
                connection.frame(Kind::Data, 0, 1, &[]);
                connection.frame(Kind::Priority, 0, 3, &[0, 0, 0, 0, 1]);
                connection.frame(Kind::Unknown, 0, 0, &[1; 16]);
            }
            if !sent(&mut connection) {
                break;
            }
        }
        connection
    });
}

#[test]
fn header_blocks_are_bounded() {
    let world = world();
    world.survives("CONTINUATION flood", 16, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        connection.frame(Kind::Headers, 0, 1, &h2::check_headers());
        let piece = h2::headers(&[("x-flood", &"a".repeat(8_000))]);
        for _ in 0..20_000 {
            connection.frame(Kind::Continuation, 0, 1, &piece);
            if !connection.flush() {
                break;
            }
        }
        assert!(
            connection.is_closed_within(Duration::from_secs(2)),
            "it is let go on"
        );
    });
    world.survives("empty CONTINUATION frames", 16, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        connection.frame(Kind::Headers, 0, 1, &h2::check_headers());
        for _ in 0..1_000 {
            (0..1_000).for_each(|_| connection.frame(Kind::Continuation, 0, 1, &[]));
            if !connection.flush() {
                break;
            }
        }
        assert!(
            connection.is_closed_within(Duration::from_secs(2)),
            "it is let go on"
        );
    });
    world.survives("HPACK bomb", 16, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        // One entry of 3,900 bytes in the dynamic table (index 62), then thousands of references.
        let mut block = h2::check_headers();
        let mut entry = h2::headers(&[("x-bomb", &"b".repeat(3_900))]);
        entry[0] = 0x40;
        block.extend(entry);
        block.extend([0x80 | 0x3e; 8_000]);
        for stream in streams(200) {
            connection.frame(Kind::Headers, END_HEADERS, stream, &block);
        }
        connection.flush();
        connection
    });
    world.survives("a huge header list", 16, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        let many: Vec<String> = (0..1_200).map(|n| format!("x-{n}")).collect();
        let fields: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "v")).collect();
        let mut block = h2::check_headers();
        block.extend(h2::headers(&fields));
        for stream in streams(500) {
            connection.frame(Kind::Headers, END_HEADERS, stream, &block);
        }
        connection.flush();
        connection
    });
}
