use flate2::write::GzEncoder;
use std::io::Write as _;

use super::*;

type Edit = fn(&mut Header);

/// A tarball of these entries, each edited before its checksum is made, and an end.
fn tarball(entries: &[(&str, &[u8], Edit)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content, edit) in entries {
        bytes.extend(entry(name, content, *edit));
    }
    bytes.extend([0; 2 * BLOCK]);
    bytes
}

fn entry(name: &str, content: &[u8], edit: Edit) -> Vec<u8> {
    let mut header = Header::new_ustar();
    let field = &mut header.as_old_mut().name;
    field[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(u64::try_from(content.len()).unwrap());
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_entry_type(EntryType::Regular);
    edit(&mut header);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn plain(_: &mut Header) {}

fn good() -> Vec<u8> {
    tarball(&[
        ("a.cedar", b"one", plain),
        ("d/b.cedar", &[b'x'; 600], plain),
    ])
}

fn fault(bytes: &[u8]) -> String {
    unpack(bytes).map_or_else(|fault| fault.to_string(), |_| "accepted".to_owned())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    compress(bytes).unwrap()
}

#[test]
fn what_is_packed_is_what_is_unpacked() {
    let mut bundle = UnverifiedBundle::default();
    let long = "n".repeat(name::MAX_NAME_BYTES);
    for name in ["z.cedar", "a/b.cedar", MANIFEST_FILE, SIGNATURE_FILE, &long] {
        bundle.insert(name, name.as_bytes().repeat(40)).unwrap();
    }
    bundle.insert("empty.cedar", Vec::new()).unwrap();
    let packed = pack(&bundle).unwrap();
    assert_eq!(packed, pack(&bundle).unwrap(), "the same bytes again");
    assert!(packed.starts_with(MANIFEST_FILE.as_bytes()));
    assert_eq!(unpack(&packed), Ok(bundle.clone()));
    assert_eq!(gzip(&packed), gzip(&packed));
    assert_eq!(unpack(&gzip(&packed)), Ok(bundle));
}

#[test]
fn harmless_differences_between_writers() {
    let named = |bytes: &[u8]| -> Vec<String> {
        let bundle = unpack(bytes).unwrap();
        bundle.files().keys().cloned().collect()
    };
    assert_eq!(named(&good()), ["a.cedar", "d/b.cedar"]);
    let mut filled = good();
    filled.resize(10_240, 0);
    assert_eq!(named(&filled), ["a.cedar", "d/b.cedar"]);
    let directory: Edit = |header| header.set_entry_type(EntryType::Directory);
    let with_directory = tarball(&[("d/", b"", directory), ("d/a.cedar", b"", plain)]);
    assert_eq!(named(&with_directory), ["d/a.cedar"]);
    let old: Edit = |header| header.as_old_mut().linkflag = [0];
    assert_eq!(named(&tarball(&[("a.cedar", b"x", old)])), ["a.cedar"]);
    let gnu: Edit = |header| header.as_ustar_mut().unwrap().magic = *b"ustar ";
    assert_eq!(
        named(&tarball(&[("a.cedar", b"x", plain), ("b", b"", gnu)])).len(),
        2
    );
}

/// Each refused for this reason, compressed or not.
fn expect(cases: impl IntoIterator<Item = (Vec<u8>, &'static str)>) {
    for (bytes, expected) in cases {
        let found = fault(&bytes);
        assert!(found.contains(expected), "{found}, not {expected}");
        if bytes.len() <= MAX_BYTES {
            assert_eq!(fault(&gzip(&bytes)), found, "and compressed");
        }
    }
}

#[test]
fn names_that_lead_elsewhere() {
    let prefixed: Edit = |header| header.as_ustar_mut().unwrap().prefix[..2].copy_from_slice(b"..");
    let not_text: Edit = |header| header.as_old_mut().name[0] = 0xff;
    let names = [
        "../a.cedar",
        "/a.cedar",
        "d/../../a.cedar",
        "./a.cedar",
        "a\\b.cedar",
        "a\u{e9}.cedar",
        "",
    ];
    let unsound = names.map(|name| tarball(&[(name, b"one", plain)]));
    let edited = [prefixed, not_text].map(|edit| tarball(&[("aa", b"", edit)]));
    let all = unsound.into_iter().chain(edited);
    expect(all.map(|bytes| (bytes, "is not the name of a file")));
    let twice = tarball(&[("a", b"1", plain), ("a", b"2", plain)]);
    expect([(twice, "is there twice")]);
}

#[test]
fn entries_that_are_no_files() {
    let kind = |byte: u8| -> Vec<u8> {
        let mut bytes = tarball(&[("x", b"", plain), ("a.cedar", b"one", plain)]);
        let mut header = Header::from_byte_slice(&bytes[..BLOCK]).clone();
        header.as_old_mut().linkflag = [byte];
        header.set_cksum();
        bytes[..BLOCK].copy_from_slice(header.as_bytes());
        bytes
    };
    let kinds = [
        (b'1', "a hard link"),
        (b'2', "a symbolic link"),
        (b'3', "a device"),
        (b'4', "a device"),
        (b'6', "a pipe"),
        (b'7', "not known"),
        (b'S', "a sparse file"),
        (b'L', "a long name"),
        (b'K', "a long name"),
        (b'x', "pax"),
        (b'g', "pax"),
        (b'V', "not known"),
    ];
    expect(kinds.map(|(byte, expected)| (kind(byte), expected)));
    let full: Edit = |header| {
        header.set_entry_type(EntryType::Directory);
        header.set_size(3);
    };
    expect([(tarball(&[("d/", b"one", full)]), "has content")]);
}

#[test]
fn sizes_and_numbers_that_lie() {
    let big: Edit = |header| header.set_size(1 << 40);
    let huge: Edit = |header| header.as_old_mut().size = [0xff; 12];
    let negative: Edit = |header| header.as_old_mut().size = *b"-0000000001\0";
    let directory: Edit = |header| header.set_entry_type(EntryType::Directory);
    let many = |one: &dyn Fn(usize) -> Vec<u8>| -> Vec<u8> {
        let entries = (0..=MAX_FILES).flat_map(one);
        entries.chain([0; 2 * BLOCK]).collect()
    };
    expect([
        (vec![0; MAX_BYTES + 1], "larger than"),
        (tarball(&[("a", b"one", big)]), "ends in the middle"),
        (tarball(&[("a", b"one", huge)]), "not a tarball"),
        (tarball(&[("a", b"one", negative)]), "not a tarball"),
        (
            many(&|number| entry(&format!("f{number}"), b"", plain)),
            "more than 2000 files",
        ),
        (
            many(&|_| entry("d", b"", directory)),
            "more than 2000 files",
        ),
    ]);
}

#[test]
fn no_end_or_another_one() {
    let mut checksum = good();
    checksum[0] ^= 1;
    let second = [good(), good()].concat();
    let garbage = [&good()[..], b"x"].concat();
    let mut within_end = good();
    *within_end.last_mut().unwrap() = 1;
    let cut = |bytes: usize| good()[..bytes].to_vec();
    expect([
        (Vec::new(), "no end"),
        (vec![0; 2 * BLOCK], "accepted"),
        (b"<!doctype html>".to_vec(), "not a tarball"),
        (vec![b'x'; 4 * BLOCK], "not a tarball"),
        (checksum, "not a tarball"),
        (second, "after the end"),
        (garbage, "after the end"),
        (within_end, "after the end"),
        (cut(100), "not a tarball"),
        (cut(BLOCK + 1), "ends in the middle"),
        (cut(2 * BLOCK), "no end"),
        (cut(3 * BLOCK + 599), "ends in the middle"),
        (cut(good().len() - 1), "no end"),
        (cut(good().len() - BLOCK), "no end"),
    ]);
}

#[test]
fn hostile_gzip_streams() {
    let bomb = gzip(&vec![0; MAX_BYTES + 1]);
    assert!(bomb.len() < 64 * 1024, "{} bytes", bomb.len());
    let whole = gzip(&good());
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        bytes
    };
    let mut endless = GzEncoder::new(Vec::new(), Compression::fast());
    endless.write_all(&good()).unwrap();
    endless.flush().unwrap();
    for (bytes, expected) in [
        (bomb, "larger than"),
        (GZIP.to_vec(), "broken"),
        (whole[..whole.len() - 1].to_vec(), "broken"),
        (whole[..whole.len() / 2].to_vec(), "broken"),
        (endless.get_ref().clone(), "broken"),
        (flipped(whole.len() - 1), "broken"),
        (flipped(whole.len() - 5), "broken"),
        ([&whole[..], b"x"].concat(), "after the end of the gzip"),
        (
            [&whole[..], &whole[..]].concat(),
            "after the end of the gzip",
        ),
        (gzip(&whole), "not a tarball"),
    ] {
        let found = fault(&bytes);
        assert!(found.contains(expected), "{found}, not {expected}");
    }
}
