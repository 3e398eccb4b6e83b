//! What holds for any file and any caller: facts only add up, and reach only whom they are about.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;

use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::policy::PolicySnapshot;
use crate::policy::facts::nobody;
use crate::policy::files::PRINCIPALS_FILE;
use crate::policy::fixtures::call;
use crate::policy::fixtures::context;
use crate::policy::fixtures::files;
use crate::policy::fixtures::resources;
use crate::policy::fixtures::verified;

/// Policies that roles, groups and tenants decide, in favour and against.
const POLICIES: &str = r#"
@id("a") permit(principal in Mcp::Role::"a", action, resource);
@id("b") permit(principal in Mcp::Group::"b", action, resource) when { principal.tenant == "a" };
@id("c") forbid(principal in Mcp::Role::"c", action, resource);
@id("d") forbid(principal, action, resource) when { principal.tenant == "b" };
"#;

/// The entries of one file: what is given, by section and id.
type Entries = BTreeMap<(&'static str, String), String>;

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["a", "b", "c"], 0..=2)
}

fn tenant() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "a", "b"])
}

fn entry() -> impl Strategy<Value = ((&'static str, String), String)> {
    let whom = (
        prop::sample::select(vec!["users", "clients", "api_keys"]),
        prop::sample::select(vec!["i", "j"]),
        prop::sample::select(vec!["x", "y", "x#y"]),
    );
    (whom, names(), names(), tenant()).prop_map(
        |((section, issuer, local), roles, groups, tenant)| {
            let id = if section == "api_keys" {
                local.to_owned()
            } else {
                format!("{issuer}#{local}")
            };
            let mut given = format!("roles: {roles:?}, groups: {groups:?}");
            if !tenant.is_empty() {
                write!(given, ", tenant: {tenant}").unwrap();
            }
            ((section, id), given)
        },
    )
}

fn entries() -> impl Strategy<Value = Entries> {
    prop::collection::vec(entry(), 0..6).prop_map(|entries| entries.into_iter().collect())
}

fn principal() -> impl Strategy<Value = Arc<Principal>> {
    let kind = prop::sample::select(vec![
        PrincipalKind::User,
        PrincipalKind::Client,
        PrincipalKind::ApiKey,
    ]);
    let issuer = prop::sample::select(vec!["i", "j"]);
    let local = prop::sample::select(vec!["x", "y", "x#y"]);
    let client = prop::sample::select(vec!["", "x", "y", "x#y"]);
    let said = (names(), names(), tenant());
    (kind, issuer, local, client, said).prop_map(|(kind, issuer, local, client, said)| {
        let (roles, groups, tenant) = said;
        let mut principal = nobody(kind);
        principal.tenant = tenant.to_owned();
        principal.roles = roles.into_iter().map(str::to_owned).collect();
        principal.groups = groups.into_iter().map(str::to_owned).collect();
        principal.issuer = issuer.to_owned();
        principal.id = match kind {
            PrincipalKind::User | PrincipalKind::Client => format!("{issuer}#{local}"),
            PrincipalKind::ApiKey => local.to_owned(),
        };
        principal.client_id = match kind {
            PrincipalKind::User | PrincipalKind::ApiKey => client.to_owned(),
            PrincipalKind::Client => local.to_owned(),
        };
        Arc::new(principal)
    })
}

/// Whether an entry is about this caller, or the client that it acts through.
fn concerns(section: &str, id: &str, principal: &Principal) -> bool {
    let through = format!("{}#{}", principal.issuer, principal.client_id);
    match section {
        "users" => principal.kind == PrincipalKind::User && principal.id == id,
        "clients" => principal.kind != PrincipalKind::ApiKey && through == id,
        _ => principal.kind == PrincipalKind::ApiKey && principal.id == id,
    }
}

fn compile(entries: &Entries) -> PolicySnapshot {
    let mut text = String::new();
    for section in ["users", "clients", "api_keys"] {
        writeln!(text, "{section}:").unwrap();
        for ((_, id), given) in entries.iter().filter(|((of, _), _)| *of == section) {
            writeln!(text, "  {id:?}: {{{given}}}").unwrap();
        }
    }
    let files = files(&[("x.cedar", POLICIES), (PRINCIPALS_FILE, &text)]);
    PolicySnapshot::compile(&files, &resources(&["s"]), 1)
        .unwrap_or_else(|faults| panic!("{faults:#?}\n{text}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn an_entry_changes_no_decision_about_another(
        entries in entries(),
        (whom, given) in entry(),
        principals in prop::collection::vec(principal(), 12),
    ) {
        let before = compile(&entries);
        let after = compile(&entries.into_iter().chain([(whom.clone(), given)]).collect());
        for principal in &principals {
            if concerns(whom.0, &whom.1, principal) {
                continue;
            }
            let decide = |snapshot: &PolicySnapshot| {
                let enriched = snapshot.enrich(principal);
                let facts = snapshot.facts(&verified((*enriched).clone()));
                (snapshot.evaluate(&call("s/x"), &context(), &facts), enriched)
            };
            prop_assert_eq!(decide(&before), decide(&after));
        }
    }

    #[test]
    fn nothing_is_taken_away_and_twice_is_once(
        entries in entries(),
        principals in prop::collection::vec(principal(), 12),
    ) {
        let snapshot = compile(&entries);
        for principal in &principals {
            let once = snapshot.enrich(principal);
            let twice = snapshot.enrich(&once);
            prop_assert!(Arc::ptr_eq(&once, &twice));
            prop_assert!(once.roles.is_superset(&principal.roles));
            prop_assert!(once.groups.is_superset(&principal.groups));
            prop_assert!(principal.tenant.is_empty() || principal.tenant == once.tenant);
            let mut rest = (*once).clone();
            rest.roles.clone_from(&principal.roles);
            rest.groups.clone_from(&principal.groups);
            rest.tenant.clone_from(&principal.tenant);
            prop_assert_eq!(&rest, &**principal, "and nothing else changes");
            prop_assert_eq!(rest == *once, Arc::ptr_eq(&once, principal), "no copy for nothing");
        }
    }
}
