//! Tokens of real authorization servers: signed with every kind of key, bound to keys and to
//! certificates, opaque, and of another maker's shape.

mod support;

#[path = "interop/bound_to_certificates.rs"]
mod bound_to_certificates;
#[path = "interop/bound_to_keys.rs"]
mod bound_to_keys;
#[path = "interop/introspected.rs"]
mod introspected;
#[path = "interop/nanoidp.rs"]
mod nanoidp;
#[path = "interop/signed.rs"]
mod signed;
#[path = "interop/through_envoy.rs"]
mod through_envoy;

use support::ask::Ask;
use support::ask::Verdict;
use support::sidecar::Sidecar;

/// What is asked for.
const RESOURCE: &str = "https://mcp.example.com/mcp";

/// What else tokens are issued for.
const OTHER: &str = "https://mcp.example.com/other";

/// A sidecar for [`RESOURCE`] with one authenticator, a flow mapping of the configuration.
fn sidecar(authenticator: &str) -> Sidecar {
    Sidecar::start(&format!(
        "authenticators:\n- {{{authenticator}}}\n\
         resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
         policies: {{dir: policies}}\nlimits: {{deadline: 2s}}\n"
    ))
}

/// An authenticator that finds the keys of an issuer by itself.
fn oidc(issuer: &str) -> String {
    format!("name: corp, type: oidc, issuer: \"{issuer}\", insecure_allow_http: true, leeway: 0s")
}

/// A call that any role permits.
fn forecast() -> Ask {
    Ask::call("get_forecast")
}

/// What the caller is told of a credential that does not hold.
fn refused(verdict: &Verdict, why: &str) {
    let found = (verdict.reason.as_str(), verdict.status);
    assert_eq!(found, ("invalid_credential", 401), "{why}: {verdict:?}");
}

/// What the upstream is told, over gRPC.
#[expect(clippy::expect_used, reason = "an allow always says who is calling")]
fn told<'a>(verdict: &'a Verdict, header: &str) -> &'a str {
    let ok = verdict.ok.as_ref().expect("an allow, over gRPC");
    let mut headers = ok
        .headers
        .iter()
        .filter_map(|option| option.header.as_ref());
    let found = headers.find(|told| told.key == header);
    found.map_or("", |told| told.value.as_str())
}
