//! Everything that ships to be copied is loaded: configurations, policies, and the examples of the
//! documents.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what the tests stand on fails them, and the message says why"
)]

#[path = "shipped/guide.rs"]
mod guide;
#[path = "shipped/mcp_guide.rs"]
mod mcp_guide;
mod support;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use cedargate::config;
use cedargate::config::Config;
use cedargate::fault::Source;
use cedargate::identity::Principal;
use cedargate::identity::PrincipalKind;
use cedargate::policy::PolicyFiles;
use cedargate::policy::PolicySnapshot;
use cedargate::policy::files::PRINCIPALS_FILE;
use cedargate::source::policy_files;
use support::sidecar::PROGRAM;

/// Every YAML file under `deploy/`, and the test that loads it. A file that is added needs a line
/// here, and the line a test.
const LOADED: [(&str, Loader); 18] = [
    ("deploy/envoy/cedargate.yaml", Loader::Validate),
    ("deploy/envoy/envoy.yaml", Loader::EnvoyTests),
    ("deploy/envoy/mcp-filter/cedargate.yaml", Loader::Validate),
    ("deploy/envoy/mcp-filter/envoy.yaml", Loader::EnvoyTests),
    ("deploy/envoy/mtls/cedargate.yaml", Loader::Validate),
    ("deploy/envoy/mtls/envoy.yaml", Loader::SameAsTested),
    ("deploy/examples/api-keys.yaml", Loader::Validate),
    ("deploy/examples/auth0.yaml", Loader::Validate),
    ("deploy/examples/cognito.yaml", Loader::Validate),
    ("deploy/examples/company/cedargate.yaml", Loader::GuideTests),
    (
        "deploy/examples/company/policies/principals.yaml",
        Loader::GuideTests,
    ),
    (
        "deploy/examples/company/policies/tests/what.yaml",
        Loader::GuideTests,
    ),
    (
        "deploy/examples/company/policies/tests/who.yaml",
        Loader::GuideTests,
    ),
    ("deploy/examples/entra.yaml", Loader::Validate),
    ("deploy/examples/introspection.yaml", Loader::Validate),
    ("deploy/examples/keycloak.yaml", Loader::Validate),
    ("deploy/examples/local-development.yaml", Loader::Validate),
    ("deploy/examples/okta.yaml", Loader::Validate),
];

/// The first line of a configuration of ours, for editors.
const FOR_EDITORS: &str = "# yaml-language-server: $schema=cedargate.schema.json\n";

/// The files that the examples of documents refer to.
const DOCUMENTS: &str = "tests/fixtures/documents";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loader {
    /// `cedargate validate`, here, beside the starter policies.
    Validate,
    /// A real Envoy, in `tests/envoy.rs` or `tests/envoy_metadata.rs`.
    EnvoyTests,
    /// `tests/policy_guide.rs`, with the policies beside it.
    GuideTests,
    /// A real Envoy, there, with the block of the README in the shipped file: that makes this one.
    SameAsTested,
}

#[test]
fn every_yaml_file_under_deploy_has_a_loader() {
    let mut found: Vec<_> = files(Path::new("deploy"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .map(|path| path.display().to_string())
        .collect();
    found.sort();
    assert_eq!(found, LOADED.map(|(file, _)| file.to_owned()));
    for (file, loader) in LOADED {
        if loader == Loader::EnvoyTests {
            let name = file.strip_prefix("deploy/").expect("a file under deploy");
            let tests = [
                "tests/envoy.rs",
                "tests/envoy_metadata.rs",
                "tests/support/envoy.rs",
            ];
            let tests = tests.map(text).concat();
            assert!(tests.contains(name), "no test of Envoy loads {file}");
        }
    }
}

#[test]
fn the_shipped_configurations_are_valid_beside_the_starter_policies() {
    for (file, loader) in LOADED {
        if loader != Loader::Validate {
            continue;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let copy = folder.path().join("cedargate.yaml");
        fs::copy(file, &copy).expect("the file is there");
        let shipped = text(file);
        assert!(shipped.starts_with(FOR_EDITORS), "{file}");
        for path in files(Path::new("policies")) {
            let to = folder.path().join(&path);
            fs::create_dir_all(to.parent().expect("a folder")).expect("a folder can be made");
            fs::copy(&path, to).expect("a policy file can be copied");
        }
        let secret = "a-secret-that-is-long-enough-for-any-use";
        let output = Command::new(PROGRAM)
            .arg("validate")
            .arg("--config")
            .arg(&copy)
            .envs(variables(&shipped).map(|name| (name, secret)))
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{file}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.ends_with("valid, 7 policies\n"), "{said}");
    }
}

#[test]
fn an_example_of_a_product_has_its_preset() {
    for product in ["auth0", "cognito", "entra", "keycloak", "okta"] {
        let shipped = text(format!("deploy/examples/{product}.yaml"));
        let preset = format!("preset: {product}");
        assert!(shipped.contains(&preset), "{product}");
    }
}

/// `tests/envoy.rs` puts the block into the shipped file, with certificates of its own, and runs it.
#[test]
fn the_envoy_with_client_certificates_is_the_shipped_one_with_the_listener_of_the_readme() {
    let readme = text("deploy/envoy/README.md");
    let listener = blocks(&readme)
        .into_iter()
        .find(|block| block.language == "yaml")
        .expect("the README shows a listener");
    let shipped = text("deploy/envoy/envoy.yaml");
    let (_, shipped) = without_comment(&shipped);
    let plain = "    filter_chains:\n    - filters:\n";
    assert!(shipped.contains(plain));
    let expected = shipped.replace(plain, &listener.text);
    let found = text("deploy/envoy/mtls/envoy.yaml");
    let (comment, found) = without_comment(&found);
    assert!(comment.starts_with("# envoy.yaml of the folder above"));
    assert_eq!(found, expected);
}

#[test]
fn the_starter_policies_are_those_that_are_built_in_and_raise_no_warning() {
    let shipped = policy_files::read(Path::new("policies")).expect("the policies are readable");
    assert_eq!(shipped.digest(), PolicyFiles::embedded().digest());
    assert_eq!(compile(&shipped, &weather()).warnings(), []);
}

#[test]
fn the_example_of_the_principals_holds_once_it_is_uncommented() {
    let shipped = text("policies/principals.yaml");
    let entries: String = shipped
        .split_inclusive('\n')
        .skip_while(|line| !line.starts_with("# users:"))
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .collect();
    let alice = enriched(
        &entries,
        PrincipalKind::User,
        "https://auth.example.com#alice",
    );
    assert_eq!((alice.roles.len(), &*alice.tenant), (1, "acme"));
    let inspector = "https://auth.example.com#inspector";
    let inspector = enriched(&entries, PrincipalKind::Client, inspector);
    assert!(inspector.roles.contains("viewer"));
    let key = enriched(&entries, PrincipalKind::ApiKey, "frontend-app");
    assert!(key.groups.contains("web"));
    let nobody = enriched(&shipped, PrincipalKind::ApiKey, "frontend-app");
    assert!(nobody.groups.is_empty(), "as it ships, it says nothing");
}

#[test]
fn the_policies_of_the_fixtures_compile() {
    let files = policy_files::read(Path::new("tests/fixtures/policies"));
    compile(&files.expect("the fixtures are readable"), &weather());
}

#[test]
fn the_examples_of_the_documents_are_valid() {
    // A README at the top may come later; those of folders are there.
    for document in files(Path::new(".")) {
        if document
            .extension()
            .is_some_and(|extension| extension == "md")
        {
            let name = document.display().to_string();
            for block in blocks(&text(&document)) {
                check(&name, &block);
            }
        }
    }
}

#[test]
fn a_broken_example_is_noticed() {
    let document =
        "a\n```yaml\nauthenticators: []\n```\n- b\n  ```cedar\n  permit(;\n  ```\n```sh\nls\n```\n";
    let found = blocks(document);
    let seen: Vec<_> = found
        .iter()
        .map(|b| (b.line, &*b.language, &*b.text))
        .collect();
    assert_eq!(
        seen,
        [
            (2, "yaml", "authenticators: []\n"),
            (6, "cedar", "permit(;\n"),
            (9, "sh", "ls\n")
        ]
    );
    for block in &found[..2] {
        let outcome = std::panic::catch_unwind(|| check("x.md", block));
        assert!(outcome.is_err(), "{block:?}");
    }
    assert!(!check("x.md", &found[2]));
    let bare = "```yaml\nusers: {alice: {}}\napi_keys:\n```\n";
    let outcome = std::panic::catch_unwind(|| check("x.md", &blocks(bare)[0]));
    assert!(outcome.is_err(), "{bare}");
    let good = "```cedar\n@id(\"a\") permit(principal, action, resource);\n```\n";
    assert!(check("x.md", &blocks(good)[0]));
}

/// Checks a block that is a whole configuration or a policy; says whether it is one.
fn check(document: &str, block: &Block) -> bool {
    let source = Source {
        name: format!("{document}, block at line {}", block.line).into(),
        text: block.text.as_str().into(),
    };
    match &*block.language {
        "yaml" if block.text.contains("authenticators:") => {
            let secret = "a-secret-that-is-long-enough-for-any-use";
            let environment = |_: &str| Some(secret.into());
            if let Err(faults) = config::parse(&source, Path::new(DOCUMENTS), &environment) {
                panic!("{faults:#?}");
            }
            true
        }
        "yaml" if block.text.contains("api_keys:") => {
            enriched(&block.text, PrincipalKind::User, "");
            true
        }
        "cedar" => {
            let text = if block.text.contains("@id(") {
                block.text.clone()
            } else {
                format!("@id(\"example\")\n{}", block.text)
            };
            let file = Source {
                name: "example.cedar".into(),
                text: text.into(),
            };
            if let Err(faults) =
                PolicySnapshot::compile(&PolicyFiles::new(vec![file]), &weather().resources, 1)
            {
                panic!("{}: {faults:#?}", source.name);
            }
            true
        }
        _ => false,
    }
}

/// The names in every `${NAME}` of a text.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    let rest = text.split("${").skip(1);
    rest.filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// The comment at the top, and what follows the empty line behind it.
fn without_comment(text: &str) -> (&str, &str) {
    text.split_once("\n\n").expect("a comment at the top")
}

/// A fenced code block.
#[derive(Debug)]
struct Block {
    /// Where it opens, from 1.
    line: usize,
    language: String,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(Block, usize)> = None;
    for (number, line) in (1..).zip(document.lines()) {
        let words = line.trim_start();
        match (&mut open, words.strip_prefix("```")) {
            (None, Some(language)) => {
                let block = Block {
                    line: number,
                    language: language.trim().to_owned(),
                    text: String::new(),
                };
                open = Some((block, line.len().saturating_sub(words.len())));
            }
            (Some(_), Some(_)) => found.extend(open.take().map(|(block, _)| block)),
            (Some((block, indent)), None) => {
                block.text.push_str(line.get(*indent..).unwrap_or(words));
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

fn weather() -> Config {
    let source = Source {
        name: "cedargate.yaml".into(),
        text: text("deploy/envoy/cedargate.yaml").into(),
    };
    let loaded = config::parse(&source, Path::new("."), &|_: &str| None);
    loaded.expect("a valid configuration").config
}

fn compile(files: &PolicyFiles, config: &Config) -> PolicySnapshot {
    PolicySnapshot::compile(files, &config.resources, 1)
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// A caller of this id with what a `principals.yaml` of this text adds, beside the starter policies.
fn enriched(principals: &str, kind: PrincipalKind, id: &str) -> Arc<Principal> {
    let mut files = PolicyFiles::embedded().files;
    files.retain(|file| &*file.name != PRINCIPALS_FILE);
    files.push(Source {
        name: PRINCIPALS_FILE.into(),
        text: principals.into(),
    });
    let caller = Principal {
        kind,
        id: id.to_owned(),
        authenticator: "".into(),
        issuer: String::new(),
        subject: String::new(),
        client_id: String::new(),
        tenant: String::new(),
        email: String::new(),
        name: String::new(),
        roles: BTreeSet::new(),
        groups: BTreeSet::new(),
        scopes: BTreeSet::new(),
        audience: BTreeSet::new(),
        claims: BTreeMap::new(),
    };
    compile(&PolicyFiles::new(files), &weather()).enrich(&Arc::new(caller))
}

/// Every file below a folder, but for what is built or hidden.
#[expect(clippy::disallowed_methods, reason = "walks the files that ship")]
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder is readable") {
        let path = entry.expect("an entry is readable").path();
        let path = path.strip_prefix(".").unwrap_or(&path).to_owned();
        let name = path.file_name().expect("a name").to_string_lossy();
        if name.starts_with('.') || name == "target" || name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "reads the files that ship")]
fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("a file of the tree is readable")
}
