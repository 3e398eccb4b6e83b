//! A TLS client with a certificate of its own, for a listener that asks for one.

use std::io;
use std::io::BufReader;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::StreamOwned;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;

use super::http::Request;
use super::http::Response;
use super::http::read_response;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A file of `tests/fixtures/tls`: `ca.pem` signed `server.pem`, for `mcp.example.com`, and
/// `client.pem`, for `spiffe://example.org/agent`. The keys open nothing but tests.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");
    PathBuf::from(folder).join(name)
}

/// The client's certificate, DER.
pub(crate) fn client_certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_file(fixture("client.pem")).expect("a certificate")
}

/// Sends a request to `mcp.example.com` at a port on loopback, with the client's certificate or
/// without one, and reads the answer.
pub(crate) fn send(request: &Request, port: u16, with_certificate: bool) -> io::Result<Response> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(fixture("ca.pem")).expect("a certificate");
    roots.add(authority).expect("an authority");
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.3")
        .with_root_certificates(roots);
    let config = if with_certificate {
        let key = PrivateKeyDer::from_pem_file(fixture("client.key")).expect("a key");
        let chain = vec![client_certificate()];
        builder.with_client_auth_cert(chain, key).expect("a pair")
    } else {
        builder.with_no_client_auth()
    };
    let name = ServerName::try_from("mcp.example.com").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    let mut stream = StreamOwned::new(connection, socket);
    stream.write_all(&request.encode(port))?;
    read_response(&mut BufReader::new(stream))
}
