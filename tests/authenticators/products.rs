//! Who the holder of a product's token is: for the upstream, and in the record of the decision.

use serde_json::Value;
use serde_json::json;

use crate::house::House;
use crate::house::PRODUCTS;
use crate::house::house;
use crate::support::ask::Ask;
use crate::support::tokens::now;
use crate::table::forecast;
use crate::table::get;

/// A product, its token, and what must be known of the holder.
struct Product {
    name: &'static str,
    claims: Value,
    kind: &'static str,
    id: &'static str,
    client: &'static str,
    roles: &'static [&'static str],
    groups: &'static [&'static str],
    scopes: &'static [&'static str],
    tenant: &'static str,
}

const NOBODY: Product = Product {
    name: "",
    claims: Value::Null,
    kind: "User",
    id: "",
    client: "",
    roles: &[],
    groups: &[],
    scopes: &[],
    tenant: "",
};

fn users() -> [Product; 5] {
    [
        Product {
            name: "keycloak",
            claims: json!({"sub": "u-1", "typ": "Bearer", "azp": "Web", "scope": "openid email",
                "realm_access": {"roles": ["editor"]}, "preferred_username": "ada",
                "resource_access": {"account": {"roles": ["admin"]}}}),
            id: "https://keycloak.example#u-1",
            client: "Web",
            roles: &["keycloak:editor"],
            scopes: &["email", "openid"],
            ..NOBODY
        },
        Product {
            name: "auth0",
            claims: json!({"sub": "auth0|65f0", "azp": "kRz3", "scope": "read:files",
                "org_id": "org_9", "permissions": ["write:files"], "aud": ["api", "userinfo"]}),
            id: "https://auth0.example#auth0|65f0",
            client: "kRz3",
            scopes: &["read:files"],
            tenant: "org_9",
            ..NOBODY
        },
        Product {
            name: "entra",
            claims: json!({"sub": "pairwise", "azp": "1111", "scp": "Files.Read Files.Write",
                "tid": "t-1", "oid": "o-1", "roles": ["Files.Editor"], "groups": ["g-1"],
                "idtyp": "user", "ver": "2.0"}),
            id: "https://entra.example#pairwise",
            client: "1111",
            roles: &["entra:Files.Editor"],
            groups: &["g-1"],
            scopes: &["Files.Read", "Files.Write"],
            tenant: "t-1",
            ..NOBODY
        },
        Product {
            name: "okta",
            claims: json!({"sub": "ada@example.com", "cid": "0oaWeb", "uid": "00u",
                "scp": ["openid", "files.read"], "groups": ["Editors"]}),
            id: "https://okta.example#ada@example.com",
            client: "0oaWeb",
            groups: &["Editors"],
            scopes: &["files.read", "openid"],
            ..NOBODY
        },
        Product {
            name: "cognito",
            claims: json!({"sub": "aaaa-bbbb", "client_id": "api", "token_use": "access",
                "scope": "files/read", "cognito:groups": ["admins"], "aud": null}),
            id: "https://cognito.example#aaaa-bbbb",
            client: "api",
            roles: &["cognito:admins"],
            groups: &["admins"],
            scopes: &["files/read"],
            ..NOBODY
        },
    ]
}

fn clients() -> [Product; 5] {
    [
        Product {
            name: "keycloak",
            claims: json!({"sub": "u-2", "typ": "Bearer", "azp": "Batch-Job", "scope": "email",
                "realm_access": {"roles": ["runner"]}, "client_id": "Batch-Job",
                "preferred_username": "service-account-batch-job"}),
            kind: "Client",
            id: "https://keycloak.example#Batch-Job",
            client: "Batch-Job",
            roles: &["keycloak:runner"],
            scopes: &["email"],
            ..NOBODY
        },
        Product {
            name: "auth0",
            claims: json!({"sub": "m2m@clients", "azp": "m2m", "gty": "client-credentials",
                "scope": "read:files"}),
            kind: "Client",
            id: "https://auth0.example#m2m",
            client: "m2m",
            scopes: &["read:files"],
            ..NOBODY
        },
        Product {
            name: "entra",
            claims: json!({"sub": "o-2", "appid": "2222", "idtyp": "app", "tid": "t-1",
                "oid": "o-2", "roles": ["Files.Run"]}),
            kind: "Client",
            id: "https://entra.example#2222",
            client: "2222",
            roles: &["entra:Files.Run"],
            tenant: "t-1",
            ..NOBODY
        },
        Product {
            name: "okta",
            claims: json!({"sub": "0oaBatch", "cid": "0oaBatch", "scp": ["files.run"]}),
            kind: "Client",
            id: "https://okta.example#0oaBatch",
            client: "0oaBatch",
            scopes: &["files.run"],
            ..NOBODY
        },
        Product {
            name: "cognito",
            claims: json!({"sub": "api", "client_id": "api", "token_use": "access",
                "scope": "files/run", "aud": null}),
            kind: "Client",
            id: "https://cognito.example#api",
            client: "api",
            scopes: &["files/run"],
            ..NOBODY
        },
    ]
}

/// A claim of a request's record, after the request has been allowed.
fn recorded(house: &House, ask: Ask, id: &str) -> Value {
    let ask = ask.header("x-request-id", id);
    for verdict in [house.asker().grpc(&ask), house.asker().http(&ask)] {
        assert_eq!(verdict.reason, "allowed", "{id}: {verdict:?}");
    }
    let record = house.sidecar.record(|record| record["request_id"] == id);
    record["principal"].clone()
}

#[test]
fn each_product_names_its_users_and_its_clients() {
    let house = house();
    let mut wrong = Vec::new();
    let all: Vec<Product> = users().into_iter().chain(clients()).collect();
    assert_eq!(all.len(), PRODUCTS.len().saturating_mul(2));
    for product in &all {
        let Product { name, kind, .. } = product;
        let token = house.product(name, product.claims.clone()).text();
        let ask = get("/presets").bearer(&token);
        let found = recorded(house, ask.clone(), &format!("{name}-{kind}"));
        let expected = json!({
            "type": kind, "id": product.id, "client_id": product.client, "roles": product.roles,
            "groups": product.groups, "scopes": product.scopes, "tenant": product.tenant,
            "authenticator": name,
        });
        for (member, value) in expected.as_object().expect("an object") {
            if found[member] != *value {
                wrong.push(format!(
                    "{name} {kind} {member}: {} is not {value}",
                    found[member]
                ));
            }
        }
        let verdict = house.asker().grpc(&ask);
        let ok = verdict.ok.as_ref().expect("an allow");
        let headers = ok
            .headers
            .iter()
            .filter_map(|option| option.header.as_ref());
        let told: Vec<_> = headers
            .map(|h| (h.key.as_str(), h.value.as_str()))
            .collect();
        let issuer = format!("https://{name}.example");
        for (header, value) in [
            ("x-cedargate-client-id", product.client),
            ("x-cedargate-issuer", &issuer),
            ("x-cedargate-roles", &product.roles.join(",")),
            ("x-cedargate-scopes", &product.scopes.join(",")),
            ("x-cedargate-tenant", product.tenant),
        ] {
            // What nobody knows is not said.
            let found = told.iter().find(|(key, _)| *key == header);
            if found.map_or("", |(_, value)| *value) != value {
                wrong.push(format!(
                    "{name} {kind}: {header} is not {value} in {told:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_id_tokens_of_products_are_refused() {
    let house = house();
    let rows = [
        ("keycloak", json!({"sub": "u", "azp": "Web", "typ": "ID"})),
        (
            "keycloak",
            json!({"sub": "u", "azp": "Web", "typ": "Refresh"}),
        ),
        ("auth0", json!({"sub": "u", "nonce": "n"})),
        ("entra", json!({"sub": "u", "nonce": "n", "tid": "t"})),
        ("okta", json!({"sub": "u", "at_hash": "h"})),
        (
            "cognito",
            json!({"sub": "u", "token_use": "id", "client_id": "api"}),
        ),
        ("cognito", json!({"sub": "u", "client_id": "api"})),
    ];
    for (name, claims) in rows {
        let token = house.product(name, claims.clone()).text();
        let verdict = house.asker().both(&get("/presets").bearer(&token));
        assert_eq!(verdict.reason, "invalid_credential", "{name} {claims}");
        let challenge = verdict.header("www-authenticate");
        assert!(challenge.contains("not an access token"), "{challenge}");
    }
}

/// RFC 8693, section 4.1: only the outermost actor counts.
#[test]
fn of_a_chain_of_actors_only_the_last_one_is_told() {
    let house = house();
    let actors = json!({"act": {"sub": "agent", "act": {"sub": "older", "act": {"sub": "oldest"}}},
        "may_act": {"sub": "somebody"}, "exp": now().saturating_add(200)});
    let token = house.corp().claims(actors).text();
    let found = recorded(house, forecast().bearer(&token), "actors");
    assert_eq!(found["claims"]["act.sub"], json!(["agent"]), "{found}");
    let shown = found.to_string();
    for word in ["older", "oldest", "may_act", "somebody"] {
        assert!(!shown.contains(word), "{word}: {shown}");
    }
    assert_eq!(found["id"], "https://issuer.example#alice", "{found}");
}

/// What looks like an entity of Cedar's is nobody's role and no tag.
#[test]
fn a_claim_in_cedars_own_form_is_nothing() {
    let house = house();
    let odd = json!({"dept": {"__entity": {"type": "Mcp::Role", "id": "admin"}},
        "when": {"__extn": {"fn": "ip", "arg": "10.0.0.1"}}, "plain": "kept"});
    let token = house.corp().claims(odd).text();
    let found = recorded(house, forecast().bearer(&token), "odd");
    assert_eq!(found["claims"], json!({"plain": ["kept"]}), "{found}");
    assert_eq!(found["roles"], json!(["viewer"]), "{found}");
}
