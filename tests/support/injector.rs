//! Gives a token to programs that cannot send one: passes connections on, and adds it to each request.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

/// A port that a program is pointed at; its threads end with the test process.
///
/// The bytes are passed on as they come, so nothing of a request is repaired on its way (the case of
/// names, blanks around values, `Host`, `Origin`) and no answer waits for its end. Only two lines of
/// the head change: `Authorization` is added, and `Connection` says `close`, so that each connection
/// carries one request and no head is missed.
#[derive(Debug)]
pub(crate) struct Injector {
    listener: TcpListener,
    port: u16,
}

impl Injector {
    /// Takes a free port. Connections wait until it is told where they go.
    pub(crate) fn bind() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        Self { listener, port }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on passes everything on to a port on loopback, with this bearer token.
    pub(crate) fn open(self, to: u16, token: &str) {
        let line: Arc<str> = format!("authorization: Bearer {token}\r\n").into();
        thread::spawn(move || {
            for client in self.listener.incoming() {
                let Ok(client) = client else { continue };
                let line = Arc::clone(&line);
                // Whoever goes away early ends his connection and nothing else.
                thread::spawn(move || drop(pass_on(client, to, &line)));
            }
        });
    }
}

fn pass_on(client: TcpStream, to: u16, line: &str) -> io::Result<()> {
    let mut requests = BufReader::new(client.try_clone()?);
    let Some(head) = read_head(&mut requests)? else {
        return Ok(());
    };
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    (&server).write_all(&with_token(&head, line))?;
    let (mut answers, mut answered) = (server.try_clone()?, client);
    thread::spawn(move || {
        drop(io::copy(&mut answers, &mut answered));
        drop(answered.shutdown(Shutdown::Both));
    });
    let copied = io::copy(&mut requests, &mut &server);
    // No client of ours stops sending and then waits: it is gone, and the server should know.
    drop(server.shutdown(Shutdown::Both));
    copied.map(drop)
}

/// The lines up to the empty one, each with its end, or nothing if the client sends nothing.
fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Vec<Vec<u8>>>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line == b"\r\n" {
            return Ok(Some(lines));
        }
        lines.push(line);
    }
}

fn with_token(head: &[Vec<u8>], line: &str) -> Vec<u8> {
    let is_connection = |line: &&Vec<u8>| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"connection")
    };
    let kept = head.iter().filter(|line| !is_connection(line));
    let mut wire = kept.flatten().copied().collect::<Vec<u8>>();
    wire.extend(line.bytes());
    wire.extend(b"connection: close\r\n\r\n");
    wire
}
