//! The corpus as it is written down: `tests/corpus/json/*.txt`, one case a line.

use cedargate::request::json::JsonFaultKind;

/// A class of cases, and the text of its file.
type File = (&'static str, &'static str);

/// Every file of the folder.
pub(crate) const FILES: [File; 17] = [
    ("arrays", include_str!("../corpus/json/arrays.txt")),
    ("controls", include_str!("../corpus/json/controls.txt")),
    ("duplicates", include_str!("../corpus/json/duplicates.txt")),
    ("encodings", include_str!("../corpus/json/encodings.txt")),
    ("escapes", include_str!("../corpus/json/escapes.txt")),
    ("extensions", include_str!("../corpus/json/extensions.txt")),
    ("literals", include_str!("../corpus/json/literals.txt")),
    ("nesting", include_str!("../corpus/json/nesting.txt")),
    (
        "numbers-out-of-range",
        include_str!("../corpus/json/numbers-out-of-range.txt"),
    ),
    ("numbers", include_str!("../corpus/json/numbers.txt")),
    ("objects", include_str!("../corpus/json/objects.txt")),
    ("scalars", include_str!("../corpus/json/scalars.txt")),
    ("strings", include_str!("../corpus/json/strings.txt")),
    ("surrogates", include_str!("../corpus/json/surrogates.txt")),
    ("trailing", include_str!("../corpus/json/trailing.txt")),
    (
        "truncations",
        include_str!("../corpus/json/truncations.txt"),
    ),
    (
        "white-space",
        include_str!("../corpus/json/white-space.txt"),
    ),
];

/// One document, and what must become of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// The file that it is in.
    pub(crate) class: &'static str,
    /// What it is called there.
    pub(crate) name: &'static str,
    /// What our reader must say.
    pub(crate) verdict: Verdict,
    /// The bytes.
    pub(crate) document: Vec<u8>,
}

/// What our reader must say of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// `accept`
    Accept,
    /// `rounds`: accepted, but for policies that read an argument with such a number: a double does
    /// not hold it as written.
    Rounds,
    /// `refuse: ...`: not JSON (RFC 8259).
    Refuse(JsonFaultKind),
    /// `refuse alone: ...`: the same, but in the place of a member's value it is several members.
    RefuseAlone(JsonFaultKind),
    /// `profile: ...`: JSON, and refused because readers are known to differ on it.
    Profile(JsonFaultKind),
}

impl Case {
    /// The body of a request, with the document for the arguments of a call.
    pub(crate) fn body(&self) -> Vec<u8> {
        let start = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","arguments":"#;
        [&start[..], &self.document, b"}}"].concat()
    }
}

/// Every case of every file.
///
/// # Errors
///
/// The file and the line that cannot be read.
pub(crate) fn all() -> Result<Vec<Case>, String> {
    let lines = FILES.iter().flat_map(|(class, text)| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(move |line| (*class, line))
    });
    lines
        .map(|(class, line)| case(class, line).ok_or_else(|| format!("{class}: {line}")))
        .collect()
}

/// `name | verdict | document`
fn case(class: &'static str, line: &'static str) -> Option<Case> {
    let mut columns = line.splitn(3, '|');
    let (name, verdict) = (columns.next()?.trim(), columns.next()?.trim());
    let document = columns.next()?.strip_prefix(' ')?;
    Some(Case {
        class,
        name: (!name.is_empty()).then_some(name)?,
        verdict: self::verdict(verdict)?,
        document: self::document(document)?,
    })
}

fn verdict(text: &str) -> Option<Verdict> {
    match text.split_once(": ") {
        None if text == "accept" => Some(Verdict::Accept),
        None if text == "rounds" => Some(Verdict::Rounds),
        Some(("refuse", fault)) => Some(Verdict::Refuse(kind(fault)?)),
        Some(("refuse alone", fault)) => Some(Verdict::RefuseAlone(kind(fault)?)),
        Some(("profile", fault)) => Some(Verdict::Profile(kind(fault)?)),
        Some(_) | None => None,
    }
}

fn kind(text: &str) -> Option<JsonFaultKind> {
    Some(match text {
        "utf8" => JsonFaultKind::Utf8,
        "byte-order-mark" => JsonFaultKind::ByteOrderMark,
        "end" => JsonFaultKind::End,
        "character" => JsonFaultKind::Character,
        "trailing" => JsonFaultKind::Trailing,
        "depth" => JsonFaultKind::Depth,
        "duplicate-key" => JsonFaultKind::DuplicateKey,
        "escape" => JsonFaultKind::Escape,
        "surrogate" => JsonFaultKind::Surrogate,
        "range" => JsonFaultKind::Range,
        _ => return None,
    })
}

/// Printable ASCII stands for itself; `<...>` is read by [`bracketed`].
fn document(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, bracket) = rest.split_once('<').unwrap_or((rest, ">"));
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'>';
        if !plain.bytes().all(is_plain) {
            return None;
        }
        out.extend_from_slice(plain.as_bytes());
        let (inside, after) = bracket.split_once('>')?;
        bracketed(inside, &mut out)?;
        rest = after;
    }
    // What an editor would take away unseen is written as a number.
    let visible = !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' ');
    visible.then_some(out)
}

/// `0A 0D`: bytes; `3 x text`: the text three times, with `#` for the number of each, from 0.
fn bracketed(inside: &str, out: &mut Vec<u8>) -> Option<()> {
    if let Some((count, text)) = inside.split_once(" x ") {
        for number in 0..count.parse::<usize>().ok()? {
            out.extend_from_slice(text.replace('#', &number.to_string()).as_bytes());
        }
        return Some(());
    }
    for byte in inside.split_ascii_whitespace() {
        out.push(u8::from_str_radix(byte, 16).ok()?);
    }
    Some(())
}
