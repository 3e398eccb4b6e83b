//! `SHA256SUMS`: which files a directory is meant to hold, so that a half of them is never taken for all.
//!
//! The format is what `sha256sum` writes: for each file 64 lower-case hexadecimal digits, a blank, a
//! blank or `*`, and the name. Nothing else is read; above all no name that `sha256sum` escapes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use crate::fault::Fault;
use crate::fault::Source;

/// The name of the file.
pub const MANIFEST_FILE: &str = "SHA256SUMS";

/// Most lines.
const MAX_LINES: usize = 20_000;
/// Most faults that are told of one manifest.
const MAX_FAULTS: usize = 20;
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// A SHA-256.
pub type Hash = [u8; 32];

/// The files that somebody has listed, with their hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    source: Source,
    listed: BTreeMap<String, Listed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    hash: Hash,
    line: Range<usize>,
}

impl Manifest {
    /// Reads what `sha256sum` has written. A `./` in front of a name means nothing.
    ///
    /// # Errors
    ///
    /// Every line that `sha256sum` would not have written for a file below the directory, and every name
    /// that is listed twice; of many the first.
    pub fn read(source: &Source) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
        let mut start = 0_usize;
        for (number, whole) in source.text.split_inclusive('\n').enumerate() {
            let text = whole.strip_suffix('\n').unwrap_or(whole);
            let line = start..start.saturating_add(text.len());
            start = start.saturating_add(whole.len());
            let fault = if number >= MAX_LINES {
                Some(format!("there are more than {MAX_LINES} lines"))
            } else {
                match entry(text) {
                    Ok((hash, name)) => {
                        let entry = Listed {
                            hash,
                            line: line.clone(),
                        };
                        let twice = listed.insert(name.to_owned(), entry);
                        twice.map(|_| format!("`{name}` is listed twice"))
                    }
                    Err(message) => Some(message.to_owned()),
                }
            };
            if let Some(message) = fault {
                faults.push(Fault::error(source, Some(line), message).help(HELP));
            }
            if number >= MAX_LINES || faults.len() >= MAX_FAULTS {
                break;
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            source: source.clone(),
            listed,
        })
    }

    /// What is wrong with `files`, given by name and hash: each of them must be listed with that hash, and
    /// what is listed must be there, as far as it is a name that `matters`. At most a few of each kind of
    /// fault are told, and then how many more there are.
    pub fn check(&self, files: &[(&str, Hash)], matters: impl Fn(&str) -> bool) -> Vec<Fault> {
        let there: BTreeMap<&str, &Hash> = files.iter().map(|(name, hash)| (*name, hash)).collect();
        let unlisted = there.iter().filter_map(|(name, hash)| {
            let Some(listed) = self.listed.get(*name) else {
                return Some(about(
                    name,
                    format!("the file is not listed in `{MANIFEST_FILE}`"),
                ));
            };
            (listed.hash != **hash).then(|| {
                let line = crate::fault::position(&self.source.text, listed.line.start).line;
                let message = format!("the file is not the one that `{MANIFEST_FILE}` lists");
                let found = hex(hash);
                about(name, message).help(format!(
                    "line {line} of `{MANIFEST_FILE}` has another hash than {found}; {HELP}"
                ))
            })
        });
        let missing = self.listed.iter().filter_map(|(name, listed)| {
            let is_missing = matters(name) && !there.contains_key(&**name);
            let message = || format!("`{name}` is listed, and not there");
            is_missing.then(|| {
                Fault::error(&self.source, Some(listed.line.clone()), message()).help(HELP)
            })
        });
        let mut faults = some_of(unlisted);
        faults.extend(some_of(missing));
        faults
    }
}

/// How the file is made.
const HELP: &str =
    "it is written last, by `find . -type f -exec sha256sum {} + > SHA256SUMS` in the directory";

/// A directory that must have a manifest has none.
pub fn missing() -> Fault {
    about(MANIFEST_FILE, "the file is missing")
        .help(format!("`policies.require_manifest` demands it; {HELP}"))
}

fn about(name: &str, message: impl Into<String>) -> Fault {
    let source = Source {
        name: name.into(),
        text: "".into(),
    };
    Fault::error(&source, None, message).hide_excerpt()
}

fn some_of(mut faults: impl Iterator<Item = Fault>) -> Vec<Fault> {
    let mut told: Vec<Fault> = faults.by_ref().take(MAX_FAULTS).collect();
    let more = faults.count();
    if more > 0 {
        told.push(about(
            MANIFEST_FILE,
            format!("{more} more files are not as listed"),
        ));
    }
    told
}

/// Hash and name of a line.
fn entry(line: &str) -> Result<(Hash, &str), &'static str> {
    let shape = "the line is not a SHA-256 and a name, as `sha256sum` writes them";
    if line.starts_with('\\') {
        return Err("a name with a line break or a backslash is not supported");
    }
    let (digits, rest) = line.split_at_checked(DIGITS).ok_or(shape)?;
    let hash = unhex(digits).ok_or(shape)?;
    let name = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"));
    let name = name.ok_or(shape)?;
    let name = name.strip_prefix("./").unwrap_or(name);
    if name.chars().any(char::is_control) {
        return Err(
            "the name holds a control character, or the line ends in more than a line feed",
        );
    }
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    if !name.split('/').all(is_part) {
        return Err("the name is not that of a file below this directory");
    }
    Ok((hash, name))
}

fn unhex(digits: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    let mut pairs = digits.as_bytes().chunks_exact(2);
    for byte in &mut hash {
        let &[high, low] = pairs.next()? else {
            return None;
        };
        *byte = digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?;
    }
    Some(hash)
}

fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => c.checked_sub(b'0'),
        b'a'..=b'f' => c.checked_sub(b'a')?.checked_add(10),
        _ => None,
    }
}

fn hex(hash: &Hash) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        // A `String` takes everything that is written to it.
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok());
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::digest::sha256;

    fn source(text: &str) -> Source {
        Source {
            name: MANIFEST_FILE.into(),
            text: text.into(),
        }
    }

    fn line(name: &str, text: &str) -> String {
        format!("{}  {name}\n", hex(&sha256(&[text.as_bytes()])))
    }

    fn check(manifest: &str, files: &[(&str, &str)]) -> Vec<String> {
        let manifest = Manifest::read(&source(manifest)).unwrap();
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (*name, sha256(&[text.as_bytes()])))
            .collect();
        let faults = manifest.check(&files, |name| name != "d.md");
        faults.iter().map(ToString::to_string).collect()
    }

    /// `printf abc > abc; sha256sum ./abc; sha256sum -b abc`
    #[test]
    fn what_sha256sum_writes_is_read() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for text in [
            format!("{hash}  ./abc\n"),
            format!("{hash} *abc\n"),
            format!("{hash}  abc"),
        ] {
            assert_eq!(check(&text, &[("abc", "abc")]), Vec::<String>::new());
        }
        let odd = line("a b/c  *d\u{e9}.cedar", "x");
        assert_eq!(
            check(&odd, &[("a b/c  *d\u{e9}.cedar", "x")]),
            Vec::<String>::new()
        );
        assert_eq!(check("", &[]), Vec::<String>::new());
    }

    #[test]
    fn each_file_that_is_not_as_listed_is_named() {
        let manifest = [
            line("a", "1"),
            line("./b", "2"),
            line("sub/c", "3"),
            line("d.md", "4"),
        ]
        .concat();
        assert_eq!(
            check(&manifest, &[("a", "1"), ("b", "2"), ("sub/c", "3")]),
            Vec::<String>::new()
        );
        let faults = check(&manifest, &[("a", "1"), ("b", "22"), ("e", "5")]);
        let expected = [
            "b: error: the file is not the one that `SHA256SUMS` lists (line 2 of `SHA256SUMS` has another hash than 785f3ec7",
            "e: error: the file is not listed in `SHA256SUMS`",
            "SHA256SUMS:3:1: error: `sub/c` is listed, and not there",
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault}");
        }
    }

    #[test]
    fn many_faults_are_counted() {
        let names: Vec<String> = (0..100).map(|n| format!("f{n:03}")).collect();
        let manifest: String = names.iter().map(|name| line(name, "x")).collect();
        let faults = check(&manifest, &[]);
        assert_eq!(faults.len(), MAX_FAULTS + 1);
        assert_eq!(
            faults[MAX_FAULTS],
            "SHA256SUMS: error: 80 more files are not as listed"
        );
        let bad = Manifest::read(&source(&"x\n".repeat(100))).unwrap_err();
        assert_eq!(bad.len(), MAX_FAULTS);
        let long: String = (0..=MAX_LINES).map(|n| line(&n.to_string(), "")).collect();
        let bad = Manifest::read(&source(&long)).unwrap_err();
        assert_eq!(bad.len(), 1);
        assert!(
            bad[0].message.contains("more than 20000 lines"),
            "{}",
            bad[0]
        );
    }

    #[test]
    fn no_other_line_is_read() {
        let good = line("a", "1");
        let good = good.trim_end();
        let (hash, _) = good.split_at(DIGITS);
        for bad in [
            "\n".to_owned(),
            format!("{good}\n\n"),
            format!("{good}\r\n"),
            format!("# made by hand\n{good}\n"),
            format!(" {good}"),
            format!("{}  a", hash.to_uppercase()),
            format!("{}  a", hash.replacen('6', "", 1)),
            format!("0{hash}  a"),
            format!("{hash}a"),
            format!("{hash} a"),
            format!("{hash}\ta"),
            format!("{hash}  "),
            format!("{hash}  /etc/passwd"),
            format!("{hash}  ../a"),
            format!("{hash}  a/../b"),
            format!("{hash}  a//b"),
            format!("{hash}  ././a"),
            format!("{hash}  a/"),
            format!("{hash}  a\u{0}b"),
            format!("\\{hash}  a\\nb"),
            format!("SHA256 (a) = {hash}"),
            format!("{good}\n{hash}  ./a"),
            format!("{}  a", hash.replacen('6', "\u{e9}", 1)),
        ] {
            let faults = Manifest::read(&source(&bad)).unwrap_err();
            assert!(faults[0].position.is_some(), "{bad:?}");
            assert!(faults[0].help.is_some(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s).{0,200}") {
            drop(Manifest::read(&source(&text)));
        }

        /// Whatever is taken away from a directory, or changed in it, shows.
        #[test]
        fn no_other_directory_passes(
            files in prop::collection::btree_map("[a-z]{1,3}", "[a-z]{0,4}", 1..6),
            other in prop::collection::btree_map("[a-z]{1,3}", "[a-z]{0,4}", 0..6),
        ) {
            let manifest: String = files.iter().map(|(name, text)| line(name, text)).collect();
            let slices = |files: &BTreeMap<String, String>| -> Vec<(String, String)> {
                files.iter().map(|(name, text)| (name.clone(), text.clone())).collect()
            };
            let passes = |files: &BTreeMap<String, String>| {
                let files = slices(files);
                let files: Vec<_> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
                check(&manifest, &files).is_empty()
            };
            prop_assert!(passes(&files));
            prop_assert_eq!(passes(&other), files == other);
        }
    }
}
