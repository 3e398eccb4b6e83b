//! `cedargate token` and `cedargate apikey` as their users meet them; what they make is tried on the
//! real sidecar.

#![expect(
    clippy::expect_used,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::authorization_server::jwt_part;
use support::folder::Folder;
use support::sidecar::Sidecar;

const RESOURCE: &str = "https://mcp.example.com/mcp";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What makes keys and tokens.
trait Mint {
    fn new_key(&self, file: &str, algorithm: &str) -> String;
    fn mint(&self, flags: &[&str]) -> String;
}

impl Mint for Folder {
    /// Makes a key, and returns the public half.
    fn new_key(&self, file: &str, algorithm: &str) -> String {
        let arguments = ["token", "mint", "--new-key", file, "--algorithm", algorithm];
        let ran = self.run(&arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out
    }

    /// Mints with a key, and returns the token.
    fn mint(&self, flags: &[&str]) -> String {
        let mut arguments = vec!["token", "mint", "--issuer", "ci", "--audience", RESOURCE];
        arguments.extend(flags);
        let ran = self.run(&arguments);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{flags:?}");
        let token = ran.out.strip_suffix('\n').expect("a line");
        assert!(!token.contains('\n'), "one line: {token}");
        token.to_owned()
    }
}

#[test]
fn a_real_sidecar_accepts_what_is_minted_with_every_kind_of_key() {
    let folder = Folder::new();
    let mut keys = Vec::new();
    for algorithm in ["RS256", "PS512", "ES256", "ES384", "EdDSA"] {
        let public = folder.new_key(algorithm, algorithm);
        let pem = Value::from(public);
        keys.push(format!(
            "{{kid: {algorithm}, algorithm: {algorithm}, pem: {pem}}}"
        ));
    }
    let sidecar = Sidecar::start(&format!(
        "authenticators: [{{name: ci, type: jwt, issuer: ci, keys: [{}]}}]\n\
         resources: [{{name: weather, url: \"{RESOURCE}\", kind: mcp}}]\n",
        keys.join(", ")
    ));
    let asker = sidecar.asker();
    let verdict = |token: &str| asker.both(&Ask::call("get_forecast").bearer(token)).reason;
    for algorithm in ["RS256", "PS512", "ES256", "ES384", "EdDSA"] {
        let common = [
            "--key",
            algorithm,
            "--kid",
            algorithm,
            "--algorithm",
            algorithm,
            "--subject",
            "alice",
            "--client-id",
            "app",
            "--role",
            "viewer",
        ];
        let with = |more: &[&str]| folder.mint(&[&common[..], more].concat());
        assert_eq!(verdict(&with(&[])), "allowed", "{algorithm}");
        assert_eq!(
            verdict(&with(&["--expires-in", "-5m"])),
            "invalid_credential"
        );
        assert_eq!(verdict(&with(&["--without", "exp"])), "invalid_credential");
        assert_eq!(
            verdict(&with(&["--not-before", "5m"])),
            "invalid_credential"
        );
        assert_eq!(
            verdict(&with(&["--type", "dpop+jwt"])),
            "invalid_credential"
        );
        assert_eq!(verdict(&with(&["--claim", "aud=x"])), "invalid_credential");
        assert_eq!(
            verdict(&with(&["--claim", "roles=[]"])),
            "insufficient_scope"
        );
    }
}

#[test]
fn the_line_that_a_new_key_comes_with_configures_it() {
    let folder = Folder::new();
    let ran = folder.run(&["token", "mint", "--new-key", "ci.key"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    folder.write("ci.pem", &ran.out);
    let line = ran.err.lines().find(|line| line.contains("keys: ["));
    let line = line.expect("a line for the configuration");
    fs::create_dir(folder.path("policies")).expect("a folder");
    folder.write(
        "policies/a.cedar",
        "@id(\"a\") permit(principal is Mcp::User, action, resource);\n",
    );
    folder.write(
        "cedargate.yaml",
        &format!(
            "authenticators:\n{line}\n\
             resources: [{{name: weather, url: \"{RESOURCE}\", kind: mcp}}]\n"
        ),
    );
    let validated = folder.run(&["validate"]);
    assert_eq!(validated.code, 0, "{validated:?}");
    let mode = fs::metadata(folder.path("ci.key")).expect("a file");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = Folder::new();
    folder.write("k", "precious");
    let ran = folder.run(&["token", "mint", "--new-key", "k"]);
    assert_eq!((ran.code, &*ran.out), (1, ""));
    assert!(ran.err.contains("`k` exists"), "{}", ran.err);
    let kept = folder.path("").read_dir().expect("a folder").count();
    assert_eq!(kept, 1);
    let pair = folder.run(&["token", "mint", "--new-key", "h", "--algorithm", "HS256"]);
    assert_eq!(pair.code, 2, "{pair:?}");
    assert!(!folder.path("h").exists());
}

#[test]
fn a_secret_comes_from_a_file_or_a_variable() {
    let folder = Folder::new();
    folder.write("secret", &format!("{SECRET}\n"));
    folder.write("short", "short");
    let from_file = folder.mint(&["--secret-file", "secret"]);
    assert_eq!(
        jwt_part(&from_file, 0),
        json!({"alg": "HS256", "typ": "at+jwt"})
    );
    let arguments = [
        "token",
        "mint",
        "--issuer",
        "ci",
        "--audience",
        RESOURCE,
        "--jti",
        "1",
        "--without",
        "iat",
        "--claim",
        "exp=1",
    ];
    let by = |flags: &[&str], variables: &[(&str, &str)]| {
        folder.run_with(&[&arguments[..], flags].concat(), "", variables)
    };
    let variable = [("CEDARGATE_MINT_SECRET", SECRET)];
    let same = by(&["--secret-file", "secret"], &[]);
    assert_eq!(
        by(&[], &variable).out,
        same.out,
        "one line break is no part of a secret"
    );
    let larger = by(&["--algorithm", "hs512"], &variable);
    assert_eq!(jwt_part(&larger.out, 0)["alg"], "HS512");
    for (ran, code, said) in [
        (by(&[], &[]), 2, "nothing to sign with"),
        (
            by(&["--secret-file", "short"], &[]),
            1,
            "shorter than 32 bytes",
        ),
        (by(&["--secret-file", "gone"], &[]), 1, "cannot read `gone`"),
        (
            by(&["--algorithm", "ES256"], &variable),
            2,
            "HS256, HS384 and HS512",
        ),
        (by(&["--key", "secret"], &[]), 1, "PKCS#8"),
        (by(&["--secret", SECRET], &[]), 2, "unexpected argument"),
    ] {
        assert_eq!((ran.code, &*ran.out), (code, ""), "{said}: {}", ran.err);
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
        assert!(!ran.err.contains(SECRET) || said == "unexpected argument");
    }
}

#[test]
fn what_is_minted_can_be_inspected() {
    let folder = Folder::new();
    folder.new_key("k", "ES256");
    let token = folder.mint(&["--key", "k", "--subject", "alice", "--expires-in", "3h"]);
    let signature = token.rsplit('.').next().expect("three parts");
    for (arguments, input) in [
        (vec!["token", "inspect"], &*token),
        (vec!["token", "inspect", "-"], &*token),
        (vec!["token", "inspect", &token], ""),
    ] {
        let ran = folder.run_with(&arguments, input, &[]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.err.contains("nothing was verified"), "{}", ran.err);
        for text in [
            "an access token",
            "\"sub\": \"alice\"",
            "expires in 2 hours",
        ] {
            // Some seconds have gone by, so the third hour is not full any more.
            let later = text.replace("2 hours", "3 hours");
            assert!(
                ran.out.contains(text) || ran.out.contains(&later),
                "{}",
                ran.out
            );
        }
        assert!(!ran.out.contains(signature) && !ran.err.contains(signature));
    }
    let ran = folder.run_with(&["token", "inspect", "--json"], &token, &[]);
    let shown: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(shown["kind"], "access_token");
    assert_eq!(shown["claims"]["sub"], "alice");
    assert_eq!(shown["verified"], false);
    assert!(!ran.out.contains(signature));
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = Folder::new();
    let long = "a".repeat(64 * 1024 + 1);
    for (input, code, out, err) in [
        ("", 1, "", "the input is empty"),
        ("\n", 1, "", "the input is empty"),
        (&*long, 1, "", "longer than 65536 bytes"),
        (
            "gho_16C7e42F292c6912E7710c838347Ae178B4a",
            0,
            "an opaque token",
            "",
        ),
        (
            "{\"access_token\":\"x\"}",
            1,
            "",
            "its member `access_token`",
        ),
        (
            "eyJhbGciOiJub25lIn0.eyJpc3MiOiJpIn0.",
            0,
            "nobody has signed this",
            "nothing was",
        ),
        (
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpIn0",
            1,
            "\"iss\": \"i\"",
            "signature is missing",
        ),
        (
            "eyJhbGciOiJSUzI1NiJ9.e30=.AAAA",
            1,
            "{}",
            "the claims set is padded",
        ),
    ] {
        let ran = folder.run_with(&["token", "inspect"], input, &[]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(
            ran.out.contains(out) && (ran.out.is_empty() == out.is_empty()),
            "{ran:?}"
        );
        assert!(ran.err.contains(err), "{ran:?}");
    }
}

#[test]
fn an_api_key_is_shown_once_and_hashed_alike() {
    let folder = Folder::new();
    let new = ["apikey", "new", "--id", "frontend-app", "--role", "viewer"];
    let ran = folder.run(&new);
    assert_eq!(ran.code, 0, "{ran:?}");
    let key = ran.out.strip_suffix('\n').expect("a line");
    assert_eq!(key.len(), "frontend-app.".len() + 43);
    let hash = folder.run_with(&["apikey", "hash"], &ran.out, &[]).out;
    let hash = hash.trim_end();
    assert_eq!(hash.len(), "sha256:".len() + 64);
    let line = format!("- {{id: frontend-app, hash: \"{hash}\", roles: [viewer]}}");
    assert!(ran.err.contains(&line), "{}", ran.err);
    assert!(!ran.err.contains(key));
    folder.write("key", key);
    let from_file = folder.run(&["apikey", "hash", "--key-file", "key"]);
    assert_eq!(from_file.out.trim_end(), hash);

    let yaml = folder.run(&[&new[..], &["--format", "yaml"]].concat());
    assert!(
        yaml.out.starts_with("- {id: frontend-app, hash: \"sha256:"),
        "{yaml:?}"
    );
    let both = folder.run(&[&new[..], &["--format", "json"]].concat());
    let both: Value = serde_json::from_str(&both.out).expect("JSON");
    let key = both["key"].as_str().expect("a key");
    let hash = folder.run_with(&["apikey", "hash"], key, &[]).out;
    assert_eq!(both["hash"], hash.trim_end());

    for (arguments, input, code) in [
        (vec!["apikey", "hash"], "", 1),
        (vec!["apikey", "hash"], "too short", 1),
        (vec!["apikey", "hash"], "0123456789abcdef\n\n", 1),
        (vec!["apikey", "new"], "", 2),
        (vec!["apikey", "new", "--id", "a.b"], "", 2),
    ] {
        let ran = folder.run_with(&arguments, input, &[]);
        assert_eq!((ran.code, &*ran.out), (code, ""), "{arguments:?} {input:?}");
    }
}

/// What is longer than the sidecar reads is refused here as well, whatever its kind.
#[test]
fn a_token_beyond_the_limit_is_not_accepted() {
    let folder = Folder::new();
    let token = "a1".repeat(513);
    folder.write(
        "c.yaml",
        &format!(
            "authenticators:\n- {{name: shared, type: static_token, token: {token}, subject: operator}}\n\
             resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\nlimits: {{token: 1KiB}}\n"
        ),
    );
    let ran = folder.run_with(&["token", "verify", "--config", "c.yaml"], &token, &[]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.out.contains("the bound is 1024"), "{ran:?}");
}
