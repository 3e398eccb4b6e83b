//! The manifest: which files a bundle holds, and how it stands to those before it.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use super::MANIFEST_FILE;
use super::MAX_BYTES;
use super::MAX_FILES;
use super::SIGNATURE_FILE;
use super::name;
use super::name::NameFault;
use crate::identity::digest;
use crate::json;
use crate::json::JsonFault;
use crate::json::StrictValue;

/// The one format that is known. Another one would be refused, because nobody can say what it means.
const FORMAT: i64 = 1;

/// Largest revision: the largest whole number that every JSON library reads exactly (RFC 7493).
pub const MAX_REVISION: u64 = (1 << 53) - 1;

const MEMBERS: [&str; 4] = ["format", "revision", "not_after", "files"];

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Counts up from bundle to bundle; at most [`MAX_REVISION`].
    pub revision: u64,
    /// After this moment it is not put in force any more. One that is in force stays.
    pub not_after: Option<OffsetDateTime>,
    /// Every file but the manifest and its signature, by name.
    pub files: BTreeMap<String, Listed>,
}

/// A file that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// SHA-256 of its content.
    pub sha256: [u8; 32],
    /// In bytes.
    pub size: usize,
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// Not strict JSON.
    #[error("{0}")]
    Json(JsonFault),
    /// Another format than this one.
    #[error("the format is not {FORMAT}; another version of this program may know it")]
    Format,
    /// A member that nobody here knows.
    #[error("the member `{0}` is not known")]
    Unknown(String),
    /// A member is missing, of the wrong type, or outside its range.
    #[error("the member `{0}` is missing or malformed")]
    Malformed(&'static str),
    /// The entry of a file is not `{"sha256": "64 hexadecimal digits", "size": bytes}`.
    #[error("the entry of `{0}` is malformed")]
    Entry(String),
    /// A name that no file of a bundle has.
    #[error(transparent)]
    Name(#[from] NameFault),
    /// More files than are accepted, or none.
    #[error("it lists no file, or more than {MAX_FILES}")]
    Count,
    /// The files are larger than is accepted.
    #[error("the files are larger than {MAX_BYTES} bytes together")]
    TooLarge,
}

impl Manifest {
    /// Of these files.
    pub fn of<'a>(
        revision: u64,
        not_after: Option<OffsetDateTime>,
        files: impl IntoIterator<Item = (&'a String, &'a Vec<u8>)>,
    ) -> Self {
        let listed = |(name, content): (&String, &Vec<u8>)| {
            let listed = Listed {
                sha256: digest::sha256(&[content]),
                size: content.len(),
            };
            (name.clone(), listed)
        };
        Self {
            revision,
            not_after,
            files: files.into_iter().map(listed).collect(),
        }
    }

    /// Reads a manifest. Whoever calls this has checked the signature over `bytes`.
    ///
    /// # Errors
    ///
    /// [`ManifestFault`], the first that is met.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestFault> {
        let value = json::parse(bytes, 3).map_err(ManifestFault::Json)?;
        if value.get("format").and_then(StrictValue::as_integer) != Some(FORMAT) {
            return Err(ManifestFault::Format);
        }
        let members = value.as_object().unwrap_or_default();
        if let Some((name, _)) = members
            .iter()
            .find(|(name, _)| !MEMBERS.contains(&name.as_str()))
        {
            return Err(ManifestFault::Unknown(name::shown(name, 40)));
        }
        let revision = value.get("revision").and_then(StrictValue::as_integer);
        let revision = revision
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| *number <= MAX_REVISION)
            .ok_or(ManifestFault::Malformed("revision"))?;
        let not_after = match value.get("not_after") {
            None => None,
            Some(text) => Some(
                text.as_text()
                    .and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok())
                    .ok_or(ManifestFault::Malformed("not_after"))?,
            ),
        };
        let files = value.get("files").and_then(StrictValue::as_object);
        let files = read_files(files.ok_or(ManifestFault::Malformed("files"))?)?;
        Ok(Self {
            revision,
            not_after,
            files,
        })
    }

    /// As it is signed: the same manifest gives the same bytes.
    ///
    /// # Errors
    ///
    /// The library's, which does not happen.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let files = self.files.iter().map(|(name, listed)| {
            let written = WrittenFile {
                sha256: digest::hex(&listed.sha256),
                size: listed.size,
            };
            (name.as_str(), written)
        });
        let written = Written {
            format: FORMAT,
            revision: self.revision,
            not_after: self.not_after.map(time_text),
            files: files.collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&written)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// A moment as RFC 3339 has it, in UTC and whole seconds.
pub fn time_text(time: OffsetDateTime) -> String {
    let utc = time.to_offset(UtcOffset::UTC);
    let whole = utc.replace_nanosecond(0).unwrap_or(utc);
    whole.format(&Rfc3339).unwrap_or_default()
}

fn read_files(
    members: &[(String, StrictValue)],
) -> Result<BTreeMap<String, Listed>, ManifestFault> {
    if members.is_empty() || members.len() > MAX_FILES {
        return Err(ManifestFault::Count);
    }
    let mut files = BTreeMap::new();
    let mut total = 0_usize;
    for (name, entry) in members {
        name::check(name)?;
        if [MANIFEST_FILE, SIGNATURE_FILE].contains(&name.as_str()) {
            return Err(ManifestFault::Entry(name.clone()));
        }
        let listed = read_entry(entry).ok_or_else(|| ManifestFault::Entry(name.clone()))?;
        total = total.saturating_add(listed.size);
        files.insert(name.clone(), listed);
    }
    if total > MAX_BYTES {
        return Err(ManifestFault::TooLarge);
    }
    name::check_apart(files.keys())?;
    Ok(files)
}

fn read_entry(entry: &StrictValue) -> Option<Listed> {
    let members = entry.as_object()?;
    let sha256 = read_digest(entry.get("sha256")?.as_text()?)?;
    let size = usize::try_from(entry.get("size")?.as_integer()?).ok()?;
    (members.len() == 2).then_some(Listed { sha256, size })
}

/// 64 hexadecimal digits, lower case.
pub(super) fn read_digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (to, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        let digits = pair
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        *to = u8::from_str_radix(pair, 16).ok().filter(|_| digits)?;
    }
    Some(digest)
}

#[derive(Serialize)]
struct Written<'a> {
    format: i64,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<String>,
    files: BTreeMap<&'a str, WrittenFile>,
}

#[derive(Serialize)]
struct WrittenFile {
    sha256: String,
    size: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str =
        r#"{"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3}"#;

    fn parse(text: &str) -> Result<Manifest, ManifestFault> {
        Manifest::parse(text.replace("ENTRY", ENTRY).as_bytes())
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let files = BTreeMap::from([("a.cedar".to_owned(), b"abc".to_vec())]);
        let end = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        for not_after in [None, Some(end)] {
            let manifest = Manifest::of(7, not_after, &files);
            let bytes = manifest.to_bytes().unwrap();
            assert_eq!(Manifest::parse(&bytes), Ok(manifest.clone()));
            assert_eq!(manifest.to_bytes().unwrap(), bytes, "the same bytes again");
        }
        let read = parse(r#"{"format":1,"revision":0,"files":{"a.cedar":ENTRY}}"#).unwrap();
        assert_eq!(read, Manifest::of(0, None, &files));
    }

    fn with(rest: &str) -> String {
        format!(r#"{{"format":1,{rest}"#)
    }

    fn expect(cases: impl IntoIterator<Item = (String, ManifestFault)>) {
        for (text, fault) in cases {
            assert_eq!(parse(&text), Err(fault), "{text}");
        }
    }

    #[test]
    fn what_is_no_manifest() {
        expect([
            (String::new(), ManifestFault::Json(JsonFault::Malformed)),
            ("[]".to_owned(), ManifestFault::Format),
            (
                r#"{"format":2,"revision":1,"files":{"a":ENTRY}}"#.to_owned(),
                ManifestFault::Format,
            ),
            (
                with(r#""format":1}"#),
                ManifestFault::Json(JsonFault::RepeatedMember),
            ),
            (
                with(r#""revision":1,"expires":1,"files":{"a":ENTRY}}"#),
                ManifestFault::Unknown("expires".to_owned()),
            ),
        ]);
    }

    #[test]
    fn members_that_are_refused() {
        for (member, rest) in [
            ("revision", r#""files":{"a":ENTRY}}"#),
            ("revision", r#""revision":-1,"files":{"a":ENTRY}}"#),
            (
                "revision",
                r#""revision":9007199254740992,"files":{"a":ENTRY}}"#,
            ),
            ("revision", r#""revision":"1","files":{"a":ENTRY}}"#),
            (
                "not_after",
                r#""revision":1,"not_after":null,"files":{"a":ENTRY}}"#,
            ),
            (
                "not_after",
                r#""revision":1,"not_after":"tomorrow","files":{"a":ENTRY}}"#,
            ),
            ("files", r#""revision":1}"#),
        ] {
            expect([(with(rest), ManifestFault::Malformed(member))]);
        }
    }

    #[test]
    fn files_that_are_refused() {
        let of = |files: &str| with(&format!(r#""revision":1,"files":{{{files}}}}}"#));
        let entry = |name: &str| ManifestFault::Entry(name.to_owned());
        expect([
            (of(""), ManifestFault::Count),
            (
                of(r#""a":ENTRY,"a":ENTRY"#),
                ManifestFault::Json(JsonFault::RepeatedMember),
            ),
            (
                of(r#""../a":ENTRY"#),
                ManifestFault::Name(name::check("../a").unwrap_err()),
            ),
            (
                of(r#""a":ENTRY,"A":ENTRY"#),
                ManifestFault::Name(NameFault::Case("A".to_owned(), "a".to_owned())),
            ),
            (of(r#""manifest.json":ENTRY"#), entry("manifest.json")),
            (of(r#""a":{"sha256":"ba","size":3}"#), entry("a")),
            (of(r#""a":3"#), entry("a")),
        ]);
        for (from, to) in [
            (":3", ":-3"),
            ("ba78", "BA78"),
            ("ba78", "+a78"),
            (":3", ":3,\"mode\":1"),
        ] {
            let text = of(&format!(r#""a":{}"#, ENTRY.replace(from, to)));
            expect([(text, entry("a"))]);
        }
        let large = ENTRY.replace(":3", &format!(":{}", MAX_BYTES + 1));
        expect([(of(&format!(r#""a":{large}"#)), ManifestFault::TooLarge)]);
    }
}
