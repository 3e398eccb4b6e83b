//! Certificates of an authority that lives as long as a test.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::process::Process;
use super::tools::tools;

/// The authority's certificate and those that it has issued, by name.
#[derive(Debug)]
pub(crate) struct Certificates(BTreeMap<String, Issued>);

/// A certificate with its key.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Issued {
    /// PEM
    pub(crate) certificate: String,
    /// PEM; empty for the authority, which issues no more.
    #[serde(default)]
    pub(crate) key: String,
}

impl Certificates {
    /// Issues one for each name: a SPIFFE ID is a client's, anything else a server's, which is also
    /// good for 127.0.0.1.
    pub(crate) fn issue(names: &[&str]) -> Self {
        let mut command = tools().python("certificates.py");
        let process = Process::spawn("certificates", command.args(names));
        Self(serde_json::from_value(process.ready("ca")).expect("certificates by name"))
    }

    /// The one for a name, or that of the authority: `ca`.
    pub(crate) fn of(&self, name: &str) -> &Issued {
        let issued = self.0.get(name);
        issued.unwrap_or_else(|| panic!("no certificate for {name}"))
    }
}

impl Issued {
    /// The certificate as DER.
    pub(crate) fn der(&self) -> Vec<u8> {
        let lines = self.certificate.lines();
        let body: String = lines.filter(|line| !line.starts_with("-----")).collect();
        BASE64_STANDARD.decode(body).expect("base64 inside of PEM")
    }

    /// The certificate as Envoy puts it into a check: PEM, percent-encoded.
    pub(crate) fn as_in_a_check(&self) -> String {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        };
        self.certificate.bytes().map(byte).collect()
    }
}
