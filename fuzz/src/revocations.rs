//! Lists of what has been revoked.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedargate::fault::Source;
use cedargate::fault::render;
use cedargate::identity::Principal;
use cedargate::identity::PrincipalKind;
use cedargate::identity::revocation::MAX_ENTRIES;
use cedargate::identity::revocation::Revocations;
use cedargate::identity::verifier::VerifiedToken;
use serde_json::Value;

use crate::rules;
use crate::rules::ISSUER;

/// The text is the file of revocations.
pub fn run(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let source = Source {
        name: "revoked.yaml".into(),
        text: text.into(),
    };
    let read = Revocations::parse(&source);
    assert_eq!(read, Revocations::parse(&source), "two readings");
    let list = match read {
        Ok(list) => list,
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a reason");
            let shown = render::render(&faults, false);
            assert!(shown.contains("revoked.yaml"), "a fault of no file");
            return false;
        }
    };
    assert!(list.len() <= MAX_ENTRIES, "too many entries");
    assert!(!list.revokes(&token("", "", "")), "somebody without a name");
    if let Ok(Value::Object(lists)) = serde_json::from_str(text) {
        same(&list, &lists);
    }
    true
}

/// Where the text is JSON as well, every name in it is revoked, and nothing else.
fn same(list: &Revocations, lists: &serde_json::Map<String, Value>) {
    let mut count = 0;
    for (kind, names) in lists {
        let names = names.as_array().expect("a list");
        let names: BTreeSet<&str> = names.iter().filter_map(Value::as_str).collect();
        count += names.len();
        for name in names {
            let revoked = match kind.as_str() {
                "jti" => token(name, "", ""),
                "subjects" => token("", name, ""),
                "client_ids" => token("", "", name),
                other => panic!("`{other}` was let through"),
            };
            assert!(list.revokes(&revoked), "`{name}` is still good");
        }
    }
    assert_eq!(list.len(), count, "two readings");
}

/// A token with these names, an empty one being none.
fn token(id: &str, subject: &str, client_id: &str) -> VerifiedToken {
    let principal = Principal {
        kind: PrincipalKind::User,
        id: String::new(),
        authenticator: Arc::clone(rules::authenticator()),
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        client_id: client_id.to_owned(),
        tenant: String::new(),
        email: String::new(),
        name: String::new(),
        roles: [].into(),
        groups: [].into(),
        scopes: [].into(),
        audience: [].into(),
        claims: [].into(),
    };
    let mut token = VerifiedToken::standing(Arc::new(principal));
    token.token_id = Some(id).filter(|id| !id.is_empty()).map(Into::into);
    token
}
