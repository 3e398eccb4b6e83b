//! A good configuration with one thing broken beside a secret.

use crate::scene::Secrets;

/// The texts that an HMAC secret may hold, and no other secret.
pub(crate) const SOUND: [&str; 2] = [
    "secret: \"...\" with a control character",
    "secret: \"...\" with a letter that no header carries",
];

/// The configuration with one thing broken beside each secret.
pub(crate) fn breaks(secrets: &Secrets, whole: &str) -> Vec<(String, String)> {
    let mut broken = Vec::new();
    for (key, secret) in [
        ("secret", &secrets.hmac),
        ("client_secret", &secrets.client),
        ("secret", &secrets.key),
        ("token", &secrets.token),
        ("shared_secret", &secrets.shared),
        ("token", &secrets.admin),
    ] {
        let right = format!("{key}: \"{secret}\"");
        for (what, wrong) in [
            ("another key", format!("{key}x: \"{secret}\"")),
            ("a list", format!("{key}: [\"{secret}\"]")),
            ("a mapping", format!("{key}: {{\"{secret}\": 1}}")),
            ("not closed", format!("{key}: \"{secret}")),
            ("twice", format!("{key}: \"{secret}\", {key}: \"{secret}\"")),
            (
                "with a control character",
                format!("{key}: \"{secret}\\u0001\""),
            ),
            (
                "with a letter that no header carries",
                format!("{key}: \"{secret}\u{e9}\""),
            ),
            ("an escape that is none", format!("{key}: \"{secret}\\q\"")),
            (
                "a variable that is not set",
                format!("{key}: \"{secret}${{NOT_SET_ANYWHERE}}\""),
            ),
            (
                "an expansion that is not closed",
                format!("{key}: \"{secret}${{\""),
            ),
            ("an alias", format!("{key}: *{secret}")),
            ("a tag", format!("{key}: !{secret} x")),
            ("and more", format!("{key}: \"{secret}\" {secret}")),
        ] {
            let text = whole.replacen(&right, &wrong, 1);
            broken.push((
                format!("{right} {what}").replace(secret.as_str(), "..."),
                text,
            ));
        }
    }
    let swap = |from: &str, to: &str| whole.replacen(from, to, 1);
    broken.extend(
        [
            (
                "a secret for another algorithm",
                swap("algorithm: HS256", "algorithm: RS256"),
            ),
            (
                "a secret that is too short for it",
                swap("algorithm: HS256", "algorithm: HS512"),
            ),
            (
                "a secret for a hash",
                swap(
                    "hash: \"sha256:",
                    &format!("hash: \"{}", secrets.hashed_key),
                ),
            ),
            (
                "a secret for an id",
                swap("id: back", &format!("id: {}", secrets.hashed_key)),
            ),
            (
                "a key under the id of another",
                swap("id: front", "id: side"),
            ),
        ]
        .map(|(what, text)| (what.to_owned(), text)),
    );
    broken
}
