//! The text of a policy directory, whole: what a snapshot is compiled from.

use std::sync::Arc;

use aws_lc_rs::digest;

use super::manifest;
use super::manifest::Manifest;
use crate::fault::Fault;
use crate::fault::Source;
use crate::identity::digest::sha256;

/// The built-in Cedar schema; a copy in a policy directory must say the same.
pub const SCHEMA: &str = include_str!("../../policies/schema.cedarschema");

/// Name of the optional copy of the schema.
pub const SCHEMA_FILE: &str = "schema.cedarschema";
/// Name of the file that holds the hierarchy of roles and groups.
pub const ENTITIES_FILE: &str = "entities.json";
/// Name of the tool catalogue.
pub const TOOLS_FILE: &str = "tools.json";
/// Name of the file with facts about principals.
pub const PRINCIPALS_FILE: &str = "principals.yaml";
/// Nearly the name of that file. Nothing may be passed over in silence that was meant to have an effect.
const NEARLY_PRINCIPALS: &str = "principals.yml";
/// Name of the optional list of all files with their hashes.
pub const MANIFEST_FILE: &str = manifest::MANIFEST_FILE;
/// The subdirectory that holds tests, and therefore no policies.
pub const TESTS_DIRECTORY: &str = "tests";
/// What the name of a file with policies ends in.
pub const POLICY_SUFFIX: &str = ".cedar";

/// Largest accepted file, in bytes, but for [`PRINCIPALS_FILE`].
pub const MAX_FILE_BYTES: usize = 1024 * 1024;
/// Largest accepted [`PRINCIPALS_FILE`], in bytes.
pub const MAX_PRINCIPALS_BYTES: usize = 8 * 1024 * 1024;
/// Most files in one directory.
pub const MAX_FILES: usize = 1_000;

/// Largest accepted file of this name, in bytes.
pub fn max_bytes(name: &str) -> usize {
    if name == PRINCIPALS_FILE {
        MAX_PRINCIPALS_BYTES
    } else {
        MAX_FILE_BYTES
    }
}

/// Whether a file of this name, in whatever case, is worth handing over. A name that is right but for
/// its case is handed over too, so that compiling can refuse it.
pub fn has_meaning(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let names = [
        SCHEMA_FILE,
        ENTITIES_FILE,
        TOOLS_FILE,
        PRINCIPALS_FILE,
        NEARLY_PRINCIPALS,
    ];
    lower.ends_with(POLICY_SUFFIX)
        || names.contains(&&*lower)
        || name.eq_ignore_ascii_case(MANIFEST_FILE)
}

/// The text of a policy directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFiles {
    /// The files, sorted by name; a name is relative to the directory, with `/` between its parts.
    pub files: Vec<Source>,
}

impl PolicyFiles {
    /// These files, sorted by name.
    pub fn new(mut files: Vec<Source>) -> Self {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Self { files }
    }

    /// The starter set that ships with the program.
    pub fn embedded() -> Self {
        let files = [
            (
                "00-handshake.cedar",
                include_str!("../../policies/00-handshake.cedar"),
            ),
            (
                "10-roles.cedar",
                include_str!("../../policies/10-roles.cedar"),
            ),
            (
                "20-scopes.cedar",
                include_str!("../../policies/20-scopes.cedar"),
            ),
            (
                "90-forbid.cedar",
                include_str!("../../policies/90-forbid.cedar"),
            ),
            (ENTITIES_FILE, include_str!("../../policies/entities.json")),
            (
                PRINCIPALS_FILE,
                include_str!("../../policies/principals.yaml"),
            ),
            (SCHEMA_FILE, SCHEMA),
            (TOOLS_FILE, include_str!("../../policies/tools.json")),
        ];
        Self::new(
            files
                .into_iter()
                .map(|(name, text)| Source {
                    name: name.into(),
                    text: text.into(),
                })
                .collect(),
        )
    }

    /// SHA-256 over names and texts; equal only for equal files.
    pub fn digest(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        for file in &self.files {
            for part in [&file.name, &file.text] {
                // The length in front keeps `a` + `bc` apart from `ab` + `c`.
                context.update(part.len().to_string().as_bytes());
                context.update(b":");
                context.update(part.as_bytes());
            }
        }
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        bytes
    }
}

/// The files by what they hold.
#[derive(Debug, Default)]
pub(super) struct Sorted<'a> {
    pub(super) policies: Vec<&'a Source>,
    pub(super) schema: Option<&'a Source>,
    pub(super) entities: Option<&'a Source>,
    pub(super) tools: Option<&'a Source>,
    pub(super) principals: Option<&'a Source>,
    pub(super) manifest: Option<&'a Source>,
}

/// Tells the files apart by name. A name that means nothing here is a fault, not a shrug: what an
/// operator put there was meant to have an effect.
pub(super) fn sort<'a>(files: &'a PolicyFiles, faults: &mut Vec<Fault>) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    let mut previous: Option<&Arc<str>> = None;
    for file in &files.files {
        if previous == Some(&file.name) {
            faults.push(Fault::error(file, None, "the file is given twice"));
        }
        previous = Some(&file.name);
        let most = max_bytes(&file.name);
        if file.text.len() > most {
            faults.push(
                Fault::error(file, None, format!("the file is larger than {most} bytes"))
                    .hide_excerpt(),
            );
            continue;
        }
        match &*file.name {
            SCHEMA_FILE => sorted.schema = Some(file),
            ENTITIES_FILE => sorted.entities = Some(file),
            TOOLS_FILE => sorted.tools = Some(file),
            PRINCIPALS_FILE => sorted.principals = Some(file),
            MANIFEST_FILE => sorted.manifest = Some(file),
            name if name.ends_with(POLICY_SUFFIX) => sorted.policies.push(file),
            _ => faults.push(
                Fault::error(file, None, "a file of this name has no meaning here").help(format!(
                    "policies end in `{POLICY_SUFFIX}`; `{ENTITIES_FILE}`, `{TOOLS_FILE}`, \
                     `{PRINCIPALS_FILE}`, `{SCHEMA_FILE}` and `{MANIFEST_FILE}` are read beside them"
                )),
            ),
        }
    }
    if sorted.policies.is_empty() {
        faults.push(no_policies());
    }
    sorted
}

/// Holds the files against their manifest, where there is one or has to be.
pub(super) fn check_manifest(
    files: &PolicyFiles,
    sorted: &Sorted<'_>,
    is_required: bool,
    faults: &mut Vec<Fault>,
) {
    let Some(source) = sorted.manifest else {
        faults.extend(is_required.then(manifest::missing));
        return;
    };
    let manifest = match Manifest::read(source) {
        Ok(manifest) => manifest,
        Err(found) => return faults.extend(found),
    };
    let others = files.files.iter().filter(|file| file.name != source.name);
    let hashes: Vec<_> = others
        .map(|file| (&*file.name, sha256(&[file.text.as_bytes()])))
        .collect();
    faults.extend(manifest.check(&hashes, is_read));
}

/// Whether a file of this path below the directory would be among those that are handed over.
fn is_read(path: &str) -> bool {
    let is_test = path
        .split_once('/')
        .is_some_and(|(first, _)| first == TESTS_DIRECTORY);
    let is_hidden = path.split('/').any(|part| part.starts_with('.'));
    let name = path.rsplit('/').next().unwrap_or(path);
    has_meaning(name) && path != MANIFEST_FILE && !is_test && !is_hidden
}

fn no_policies() -> Fault {
    let nowhere = Source {
        name: "policies".into(),
        text: "".into(),
    };
    Fault::error(
        &nowhere,
        None,
        format!("there is no policy: no file ends in `{POLICY_SUFFIX}`"),
    )
    .help("without a policy nobody may do anything; add one, if only a `forbid`")
    .hide_excerpt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source {
            name: name.into(),
            text: text.into(),
        }
    }

    #[test]
    fn digests_tell_names_and_texts_apart() {
        let of = |files: &[(&str, &str)]| {
            PolicyFiles::new(files.iter().map(|(n, t)| source(n, t)).collect()).digest()
        };
        let base = of(&[("a", "bc"), ("d", "")]);
        assert_eq!(base, of(&[("d", ""), ("a", "bc")]), "order does not matter");
        for other in [
            of(&[("ab", "c"), ("d", "")]),
            of(&[("a", "bc")]),
            of(&[("a", "bcd"), ("", "")]),
            of(&[("a", "bC"), ("d", "")]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn files_without_a_meaning_are_faults() {
        let files = PolicyFiles::new(vec![
            source("a.cedar", ""),
            source("a.Cedar", ""),
            source("principals.yaml", ""),
            source("principals.yml", ""),
            source("a/principals.yaml", ""),
            source("tools.json", ""),
        ]);
        let mut faults = Vec::new();
        let sorted = sort(&files, &mut faults);
        assert_eq!(sorted.policies.len(), 1);
        assert!(sorted.tools.is_some() && sorted.entities.is_none());
        assert!(sorted.principals.is_some());
        let named: Vec<_> = faults.iter().map(|fault| &*fault.file).collect();
        assert_eq!(named, ["a.Cedar", "a/principals.yaml", "principals.yml"]);
    }

    #[test]
    fn the_manifest_names_every_file_that_is_read_and_may_name_others() {
        let hash = |text: &str| -> String {
            let hash = sha256(&[text.as_bytes()]);
            hash.iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .concat()
        };
        let others = [
            "SHA256SUMS",
            "README.md",
            "tests/a.cedar",
            ".git/a.cedar",
            ".a.cedar",
            "a.bak",
        ];
        let others: String = others
            .map(|name| format!("{}  ./{name}\n", hash("?")))
            .concat();
        let good = format!(
            "{others}{}  ./a.cedar\n{}  ./b/tests/c.cedar\n",
            hash("1"),
            hash("2")
        );
        let check = |manifest: Option<&str>, is_required: bool| {
            let mut all = vec![source("a.cedar", "1"), source("b/tests/c.cedar", "2")];
            all.extend(manifest.map(|text| source(MANIFEST_FILE, text)));
            let files = PolicyFiles::new(all);
            let mut faults = Vec::new();
            let sorted = sort(&files, &mut faults);
            check_manifest(&files, &sorted, is_required, &mut faults);
            faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for is_required in [false, true] {
            assert_eq!(check(Some(&good), is_required), Vec::<String>::new());
            assert_eq!(check(Some(""), is_required).len(), 2);
            assert_eq!(check(Some("x"), is_required).len(), 1);
            for name in [
                "gone.cedar",
                "b/gone.Cedar",
                "entities.json",
                "b/tests/gone.cedar",
            ] {
                let more = format!("{good}{}  {name}\n", hash("3"));
                let faults = check(Some(&more), is_required);
                assert_eq!(faults.len(), 1, "{faults:?}");
                assert!(faults[0].contains(&format!("`{name}` is listed, and not there")));
            }
        }
        assert_eq!(check(None, false), Vec::<String>::new());
        let faults = check(None, true);
        assert!(
            faults[0].starts_with("SHA256SUMS: error: the file is missing"),
            "{faults:?}"
        );
    }

    #[test]
    fn a_file_over_its_bound_is_not_read() {
        for (name, most) in [
            ("a.cedar", MAX_FILE_BYTES),
            (PRINCIPALS_FILE, MAX_PRINCIPALS_BYTES),
        ] {
            let count = |length: usize| {
                let files = [source("b.cedar", ""), source(name, &"#".repeat(length))];
                let mut faults = Vec::new();
                let files = PolicyFiles::new(files.into());
                let sorted = sort(&files, &mut faults);
                let read = sorted.policies.len() + usize::from(sorted.principals.is_some());
                (read, faults.len())
            };
            assert_eq!((count(most), count(most + 1)), ((2, 0), (1, 1)), "{name}");
        }
    }

    #[test]
    fn a_directory_without_policies_says_so() {
        let mut faults = Vec::new();
        sort(&PolicyFiles::new(Vec::new()), &mut faults);
        assert_eq!(
            faults.first().map(ToString::to_string).as_deref(),
            Some(
                "policies: error: there is no policy: no file ends in `.cedar` (without a policy \
                 nobody may do anything; add one, if only a `forbid`)"
            )
        );
    }
}
