//! Tokens that a real authorization server has bound to the client's certificate (RFC 8705).

use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::attribute_context::Peer;

use crate::RESOURCE;
use crate::forecast;
use crate::oidc;
use crate::refused;
use crate::sidecar;
use crate::support::authorization_server::AuthorizationServer;
use crate::support::certificates::Certificates;

const OWNER: &str = "spiffe://example.org/owner";
const OTHER_CLIENT: &str = "spiffe://example.org/other";

/// A check with what Envoy says of the client's certificate.
#[expect(clippy::expect_used, reason = "every check has attributes")]
fn with_certificate(token: &str, certificate: String) -> CheckRequest {
    let mut check = forecast().bearer(token).grpc();
    let attributes = check.attributes.as_mut().expect("attributes");
    attributes.source = Some(Peer {
        certificate,
        ..Peer::default()
    });
    check
}

#[test]
fn a_token_holds_only_beside_its_certificate() {
    let issuer = AuthorizationServer::start(&["--resource", RESOURCE]);
    let sidecar = sidecar(&oidc(&issuer.issuer()));
    let asker = sidecar.asker();
    let certificates = Certificates::issue(&[OWNER, OTHER_CLIENT]);
    let (owner, other) = (certificates.of(OWNER), certificates.of(OTHER_CLIENT));
    let bound = issuer.certificate_token(&[("resource", RESOURCE)], &owner.der());
    for _ in 0..2 {
        refused(&asker.both(&forecast().bearer(&bound)), "no certificate");
        let check = with_certificate(&bound, other.as_in_a_check());
        refused(&asker.check(check), "another certificate");
        let check = with_certificate(&bound, owner.as_in_a_check());
        let verdict = asker.check(check);
        assert_eq!(verdict.reason, "allowed", "{verdict:?}");
    }
    let unbound = issuer.token("svc-viewer", "", RESOURCE);
    let check = with_certificate(&unbound, other.as_in_a_check());
    let verdict = asker.check(check);
    assert_eq!(verdict.reason, "allowed", "bound to none: {verdict:?}");
}
