//! Peers that stop half-way, or make no sense: after each of them an honest check is answered within a
//! second, and the process has not grown beyond a stated bound.

#![expect(
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use prost::Message as _;
use std::convert::Infallible;
use std::io::Read as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use support::ask::Ask;
use support::h2::Connection;
use support::h2::END_HEADERS;
use support::h2::Kind;
use support::sidecar::Sidecar;
use tokio::task::JoinSet;

use support::siege::World;
use support::siege::streams;
use support::siege::world;

#[test]
fn whoever_stops_half_way_holds_little() {
    let world = world();
    world.survives("1,000 streams that never send a message", 48, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        streams(1_000).for_each(|stream| connection.check(stream, 0));
        assert!(connection.flush());
        std::thread::sleep(Duration::from_millis(300));
        connection
    });
    world.survives("2,000 streams of which 1,024 may be open", 48, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        streams(2_000).for_each(|stream| connection.check(stream, 0));
        connection.flush();
        std::thread::sleep(Duration::from_millis(300));
        connection
    });
    let honest = Bytes::from(framed(&world.honest()));
    world.survives("4,000 answers into a window of zero", 64, |sidecar| {
        let answers: Vec<_> = (0..4)
            .map(|_| {
                polite(
                    &world,
                    sidecar,
                    Some(0),
                    1_000,
                    &Sent::Whole(honest.clone()),
                )
            })
            .collect();
        std::thread::sleep(Duration::from_secs(1));
        answers
    });
    let mut long = vec![0];
    long.extend((1_u32 << 20).to_be_bytes());
    long.resize(1 << 20, b' ');
    let long = Bytes::from(long);
    world.survives(
        "1,000 messages of a mebibyte, all but the end",
        160,
        |sidecar| {
            let answers = polite(&world, sidecar, None, 1_000, &Sent::Unfinished(long));
            std::thread::sleep(Duration::from_secs(2));
            answers
        },
    );
    world.survives("a message of 100 MiB", 16, |sidecar| {
        let mut connection = Connection::open(sidecar.grpc, &[]);
        connection.check(1, 0);
        let mut prefix = vec![0];
        prefix.extend((100_u32 << 20).to_be_bytes());
        connection.frame(Kind::Data, 0, 1, &prefix);
        let piece = vec![b' '; 16 * 1024];
        for _ in 0..6_400 {
            connection.frame(Kind::Data, 0, 1, &piece);
            if !connection.flush() {
                break;
            }
        }
        connection
    });
}

/// What is sent on a stream.
#[derive(Clone)]
enum Sent {
    Whole(Bytes),
    /// And then nothing, for ever.
    Unfinished(Bytes),
    Nothing,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match std::mem::replace(&mut *self, Self::Nothing) {
            Self::Whole(data) => {
                *self = Self::Whole(Bytes::new());
                Poll::Ready((!data.is_empty()).then(|| Ok(Frame::data(data))))
            }
            Self::Unfinished(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Self::Nothing => Poll::Pending,
        }
    }
}

/// Checks on one connection of a client that keeps every rule of flow control, with a stream window
/// of its own choice. Nobody reads what is answered; it ends with the value.
fn polite(
    world: &World,
    sidecar: &Sidecar,
    window: Option<u32>,
    count: u32,
    message: &Sent,
) -> JoinSet<()> {
    let port = sidecar.grpc;
    let mut tasks = JoinSet::new();
    let runtime = world.asker.runtime();
    let sender = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("connects");
        let executor = hyper_util::rt::TokioExecutor::new();
        let (sender, connection) = hyper::client::conn::http2::Builder::new(executor)
            .initial_stream_window_size(window)
            .handshake(hyper_util::rt::TokioIo::new(stream))
            .await
            .expect("HTTP/2");
        tasks.spawn(async { drop(connection.await) });
        sender
    });
    let _inside = runtime.enter();
    for _ in 0..count {
        let mut sender = sender.clone();
        let message = message.clone();
        tasks.spawn(async move {
            let uri = format!("http://127.0.0.1:{port}/envoy.service.auth.v3.Authorization/Check");
            let request = http::Request::post(uri).header("content-type", "application/grpc");
            let request = request.body(message).expect("a request");
            let answer = sender.send_request(request).await;
            // Holding the answer without reading it holds the stream.
            std::future::pending::<()>().await;
            drop(answer);
        });
    }
    tasks
}

/// A check as a gRPC message.
fn framed(ask: &Ask) -> Vec<u8> {
    let message = ask.grpc().encode_to_vec();
    let length = u32::try_from(message.len()).expect("a small message");
    [&[0][..], &length.to_be_bytes(), &message].concat()
}

#[test]
fn idle_slow_and_senseless_peers_are_outlived() {
    let world = world();
    let ports = |sidecar: &Sidecar| [sidecar.grpc, sidecar.http, sidecar.admin, sidecar.public];
    let connect = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connects");
    world.survives("200 idle connections on each port", 48, |sidecar| {
        let all = ports(sidecar).into_iter().flat_map(|port| [port; 200]);
        all.map(connect).collect::<Vec<_>>()
    });
    world.survives("slow heads and bodies on each port", 32, |sidecar| {
        let mut held = Vec::new();
        for port in ports(sidecar) {
            for wire in [
                "G",
                "GET /livez HTTP/1.1\r\nhost: x\r\nx-a: ",
                "POST /check HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{",
                "POST /check HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nfffff\r\n{",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n",
            ] {
                for _ in 0..20 {
                    let mut stream = connect(port);
                    stream.write_all(wire.as_bytes()).expect("sent");
                    held.push(stream);
                }
            }
        }
        held
    });
    world.survives("garbage on each port", 16, |sidecar| {
        for port in ports(sidecar) {
            for seed in 0..50_u8 {
                let mut stream = connect(port);
                let bytes: Vec<u8> = (0..2_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1] ^ seed).collect();
                drop(stream.write_all(&bytes));
            }
            for wire in [
                &b"GET / HTTP/1.1\r\n"[..], b"\0\0\0\0\0", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"GET /check HTTP/9.9\r\n\r\n",
                b"GET  /check HTTP/1.1\r\n\r\n", b"GET /check HTTP/1.1\r\nhost : x\r\n\r\n", b"GET /check HTTP/1.1\r\n x: y\r\n\r\n",
                b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", b"GET http://[::1 HTTP/1.1\r\n\r\n",
                b"POST /check HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", b"POST /check HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcde",
                b"POST /check HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"GET /livez HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x01\x04\0\0\0\x01",
            ] {
                drop(connect(port).write_all(wire));
            }
        }
    });
    world.survives("bad frames", 16, |sidecar| {
        for (kind, flags, stream, payload) in [
            (Kind::Data, 0, 0, &b"x"[..]),
            (Kind::Data, 0, 1, b"x"),
            (Kind::Headers, END_HEADERS, 0, b""),
            (Kind::Headers, END_HEADERS, 2, b"\x82"),
            (Kind::Headers, END_HEADERS, 1, b"\xff\xff\xff\xff\xff"),
            (Kind::Settings, 1, 0, b"x"),
            (Kind::Settings, 0, 1, b""),
            (Kind::Settings, 0, 0, b"\0\x04\xff\xff\xff\xff"),
            (Kind::Ping, 0, 0, b"short"),
            (Kind::WindowUpdate, 0, 0, b"\0\0\0\0"),
            (Kind::WindowUpdate, 0, 0, b"\x7f\xff\xff\xff"),
            (Kind::Push, 4, 1, b"\0\0\0\x02"),
            (Kind::Continuation, 4, 1, b""),
            (Kind::GoAway, 0, 0, b"\0\0\0\0\0\0\0\0"),
            (Kind::Reset, 0, 1, b"\0\0\0\0"),
            (Kind::Headers, END_HEADERS | 8, 1, b"\xff\x82"),
        ] {
            let mut connection = Connection::open(sidecar.grpc, &[]);
            connection.frame(kind, flags, stream, payload);
            connection.flush();
        }
    });
}

#[test]
fn whoever_asks_and_never_reads_is_given_up() {
    let world = world();
    world.survives("callers that do not read", 48, |sidecar| {
        let mut held = Vec::new();
        for _ in 0..8 {
            let mut stream =
                TcpStream::connect((Ipv4Addr::LOCALHOST, sidecar.admin)).expect("connects");
            stream.set_nonblocking(true).expect("a socket");
            let ask = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(200);
            for _ in 0..200 {
                if stream.write(&ask).is_err() {
                    break;
                }
            }
            held.push(stream);
        }
        std::thread::sleep(Duration::from_secs(1));
        held
    });
    let mut stream =
        TcpStream::connect((Ipv4Addr::LOCALHOST, world.sidecar.http)).expect("connects");
    stream
        .write_all(b"GET /check HTTP/1.1\r\nhost: x\r\n\r\n")
        .expect("sent");
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .expect("a socket");
    let mut first = [0; 12];
    stream.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 400");
}
