//! The effective configuration as it is printed.

use std::fmt::Write as _;

use super::*;

#[test]
fn a_description_can_be_loaded_and_says_the_same() {
    let text = |name: &str| files::text(&fixtures().join(name), LARGEST).unwrap();
    let full = text("full.yaml").replace("ca_file: ca.pem", "ca_file: null");
    let loose = REST.replace("kind: mcp", "kind: mcp, mcp: {batches: each}");
    let told = REST.replace(
        "kind: mcp",
        "kind: mcp, mcp: {message_from: envoy_metadata}",
    );
    for (text, word) in [
        (&loose, "batches: each"),
        (&told, "message_from: envoy_metadata"),
    ] {
        assert!(
            describe(&parsed(text).unwrap().config).contains(word),
            "{text}"
        );
    }
    let bundle = text("bundle.yaml");
    let dangerous = bundle.replace("allow_http: false", "allow_http: true");
    let file = bundle
        .replace("url: https://policies", "file: https://policies")
        .replace("    ca_file: null\n    insecure_allow_http: false\n", "");
    for text in [
        full.as_str(),
        &text("dev.yaml"),
        REST,
        &loose,
        &told,
        &bundle,
        &dangerous,
        &file,
    ] {
        let described = describe(&parsed(text).unwrap().config);
        assert!(!described.contains("correct-horse"), "{described}");
        assert!(!described.contains("0123456789"), "{described}");
        assert!(!described.contains("hunter2"), "{described}");
        let again = parsed(&with_secrets(&described));
        let again = again.map_err(|faults| crate::fault::render::render(&faults, false));
        assert_eq!(describe(&again.unwrap().config), described);
    }
}

/// A description with a secret of its own for each that was left out.
fn with_secrets(described: &str) -> String {
    let mut parts = described.split("<redacted>");
    let mut text = parts.next().unwrap().to_owned();
    for (number, part) in parts.enumerate() {
        let kind = if text.ends_with("hash: \"") {
            "sha256:"
        } else {
            ""
        };
        write!(text, "{kind}{number:064x}{part}").unwrap();
    }
    text
}

#[test]
fn effective_listeners_and_authenticators_are_readable() {
    let described = describe(&parsed(REST).unwrap().config);
    let (head, _) = described.split_once("resources:").unwrap();
    insta::assert_snapshot!(head, @r#"
    listen:
      grpc: "127.0.0.1:9191"
      http: "127.0.0.1:9192"
      public: null
      admin: "127.0.0.1:9193"
      trusted_peers: ["127.0.0.0/8", "::1/128"]
      xfcc_peers: []
      shared_secret: null
      drain: "5s"
    client_ip:
      from: peer
    authenticators:
      - name: corp
        type: oidc
        issuer: "https://auth.example.com"
        ca_file: null
        algorithms: [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]
        token_types: ["at+jwt", jwt]
        rfc9068: false
        audiences: []
        claims:
          preset: null
          subject: [sub]
          client_id: [client_id, azp]
          roles: [roles, realm_access.roles]
          groups: [groups]
          scopes: [scope, scp]
          tenant: [tenant, tid, org_id]
          email: [email]
          name: [name]
        roles:
          allow: null
          prefix: ""
        groups:
          allow: null
          prefix: ""
        scopes:
          allow: null
          prefix: ""
        leeway: "30s"
        max_lifetime: "24h"
        dpop:
          required: false
          nonce: false
    "#);
}

#[test]
fn effective_resources_and_settings_are_readable() {
    let described = describe(&parsed(REST).unwrap().config);
    let (_, rest) = described.split_once("resources:").unwrap();
    let base = fixtures().display().to_string();
    insta::assert_snapshot!(rest.replace(&base, "BASE"), @r#"
      - name: weather
        url: "https://mcp.example.com/mcp"
        kind: mcp
        audiences: ["https://mcp.example.com/mcp"]
        authenticators: [corp]
        tenant: ""
        labels: []
        groups: []
        scopes:
          hierarchy: {}
        metadata:
          scopes_supported: []
          resource_name: ""
          resource_documentation: ""
          resource_policy_uri: ""
          resource_tos_uri: ""
        mcp:
          allowed_origins: []
          versions: []
          batches: deny
          message_from: body
          sessions: bind
    policies:
      dir: "BASE/policies"
      bundle: null
      shadow_dir: null
      reload_interval: "1s"
      require_manifest: false
      allow_warnings: []
    identity_headers:
      prefix: x-cedargate-
      send: [subject, client-id, roles, scopes, issuer, tenant]
    limits:
      body: "1MiB"
      token: "16KiB"
      deadline: "150ms"
    decision_log:
      to: stdout
      arguments: []
    admin:
      token: null
    log:
      level: info
      format: json
    explain_to_anonymous: false
    revocations: null
    sessions:
      store: memory
      idle: "24h"
      per_principal: "1000"
      redis: null
    dev_tokens: null
    "#);
}
