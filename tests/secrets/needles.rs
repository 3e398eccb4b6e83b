//! What must not be found, and the search for it.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// So much of a secret is a secret.
const WINDOW: usize = 16;

/// Every part of every secret that is [`WINDOW`] bytes long, with the name of what it is a part of.
#[derive(Debug, Default)]
pub(crate) struct Needles(HashMap<[u8; WINDOW], String>);

impl Needles {
    /// Looks for this text, for its base64, and for its parts from now on.
    pub(crate) fn add(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= WINDOW, "{name} is too short to be found");
        let mut forms = encoded(secret);
        forms.push(secret.to_owned());
        for form in forms {
            // A part of a token that everybody's tokens have says nothing.
            let parts = form.split('.').filter(|part| part.len() >= WINDOW);
            for part in parts.chain([form.as_str()]) {
                for window in part.as_bytes().windows(WINDOW) {
                    let window = window.try_into().expect("its length");
                    self.0.entry(window).or_insert_with(|| name.to_owned());
                }
            }
        }
    }

    /// What is found in `text`, each name with where it was; empty: nothing.
    pub(crate) fn found_in(&self, place: &str, text: &str) -> String {
        let mut names = BTreeSet::new();
        let mut report = String::new();
        for (at, window) in text.as_bytes().windows(WINDOW).enumerate() {
            let window: [u8; WINDOW] = window.try_into().expect("its length");
            let Some(name) = self.0.get(&window) else {
                continue;
            };
            if names.insert(name) {
                let from = at.saturating_sub(120);
                let to = at.saturating_add(80).min(text.len());
                let around = text.as_bytes().get(from..to).unwrap_or_default();
                let around = String::from_utf8_lossy(around);
                writeln!(report, "{name} in {place}: ...{around}...").expect("a string grows");
            }
        }
        report
    }
}

/// A text as base64 in both alphabets, as hexadecimal digits, and in the escapes of a form.
pub(crate) fn encoded(text: &str) -> Vec<String> {
    let hex = text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string grows");
        hex
    });
    vec![
        BASE64_STANDARD.encode(text),
        BASE64_STANDARD_NO_PAD.encode(text),
        BASE64_URL_SAFE_NO_PAD.encode(text),
        hex,
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
    ]
}
