//! `principals.yaml`: what the operator adds to callers.

use std::sync::Arc;

use cedargate::fault::Source;
use cedargate::fault::render;
use cedargate::identity::Principal;
use cedargate::identity::PrincipalKind;
use cedargate::policy::files::PRINCIPALS_FILE;
use cedargate::policy::principals::Principals;

use crate::rules::ISSUER;

/// The text is the file.
pub fn run(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let source = Source {
        name: PRINCIPALS_FILE.into(),
        text: text.into(),
    };
    let mut faults = Vec::new();
    let table = Principals::read(&source, &mut faults);
    if !faults.is_empty() {
        let shown = render::render(&faults, false);
        assert!(
            shown.contains(PRINCIPALS_FILE),
            "a fault of no file: {shown}"
        );
        return false;
    }
    for kind in [
        PrincipalKind::User,
        PrincipalKind::Client,
        PrincipalKind::ApiKey,
    ] {
        enriched(&table, kind);
    }
    true
}

/// Nothing is taken away, nobody becomes somebody else, and what is added is fit for a log.
fn enriched(table: &Principals, kind: PrincipalKind) {
    for tenant in ["", "acme"] {
        let said = Arc::new(principal(kind, tenant));
        let more = table.enrich(&said);
        assert_eq!(table.enrich(&more), more, "twice is more than once");
        assert!(said.roles.is_subset(&more.roles), "a role was taken away");
        assert!(
            said.groups.is_subset(&more.groups),
            "a group was taken away"
        );
        assert!(tenant.is_empty() || more.tenant == tenant, "another tenant");
        // Two entries may add to one caller: his own and that of his client.
        assert!(
            more.roles.len() <= 513 && more.groups.len() <= 513,
            "too many names"
        );
        for name in more.roles.iter().chain(&more.groups).chain([&more.tenant]) {
            assert!(name.len() <= 256 && !name.chars().any(char::is_control));
        }
        let rest = Principal {
            roles: said.roles.clone(),
            groups: said.groups.clone(),
            tenant: said.tenant.clone(),
            ..(*more).clone()
        };
        assert_eq!(rest, *said, "somebody else");
    }
}

fn principal(kind: PrincipalKind, tenant: &str) -> Principal {
    let (id, subject) = match kind {
        PrincipalKind::User => (format!("{ISSUER}#alice"), "alice"),
        PrincipalKind::Client => (format!("{ISSUER}#app"), "app"),
        PrincipalKind::ApiKey => ("frontend".to_owned(), "frontend"),
    };
    Principal {
        kind,
        id,
        authenticator: "corp".into(),
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        client_id: "app".to_owned(),
        tenant: tenant.to_owned(),
        email: String::new(),
        name: String::new(),
        roles: ["viewer".to_owned()].into(),
        groups: ["web".to_owned()].into(),
        scopes: [].into(),
        audience: [].into(),
        claims: [].into(),
    }
}
