//! Signature algorithms by the names that operators write.

use crate::config::authenticator::Algorithm;
use crate::config::reader::Faults;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::suggest;
use crate::config::yaml::Node;

/// A list of algorithms; symmetric ones only where the keys are secrets in the file.
pub(super) fn read_list(
    node: &Node,
    keys_are_local: bool,
    faults: &mut Faults<'_>,
) -> Vec<Algorithm> {
    let mut found = Vec::new();
    let Some(items) = scalar::list(node, faults) else {
        return found;
    };
    if items.is_empty() {
        faults.error(&node.place, "at least one algorithm is needed");
    }
    for item in items {
        let Some(algorithm) = read(item, faults) else {
            continue;
        };
        if algorithm.is_symmetric() && !keys_are_local {
            refuse_symmetric(item, algorithm, &one_of(&Algorithm::ASYMMETRIC), faults);
        } else if found.contains(&algorithm) {
            let message = format!("`{}` is listed twice", algorithm.name());
            faults.error(&item.place, message);
        } else {
            found.push(algorithm);
        }
    }
    found
}

/// An algorithm by its `alg` name.
pub(super) fn read(node: &Node, faults: &mut Faults<'_>) -> Option<Algorithm> {
    let text = scalar::filled(node, faults)?;
    if let Some(known) = all().find(|known| known.name() == text) {
        return Some(known);
    }
    let (message, help) = if text.eq_ignore_ascii_case("none") {
        (
            format!("{} means tokens without a signature", shown(node, text)),
            one_of(&Algorithm::ASYMMETRIC),
        )
    } else {
        let names: Vec<&str> = all().map(Algorithm::name).collect();
        let near = names.iter().find(|name| name.eq_ignore_ascii_case(text));
        let help = match near.copied().or_else(|| suggest::nearest(text, &names)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => one_of(&Algorithm::ASYMMETRIC),
        };
        (format!("unknown algorithm {}", shown(node, text)), help)
    };
    faults.error_help(&node.place, message, help);
    None
}

/// Reports a symmetric algorithm where whoever verifies a token must not be able to make one.
pub(super) fn refuse_symmetric(
    node: &Node,
    algorithm: Algorithm,
    help: &str,
    faults: &mut Faults<'_>,
) {
    let message = format!(
        "{} is symmetric: who can verify a token could also forge one",
        shown(node, algorithm.name())
    );
    faults.error_help(&node.place, message, help);
}

/// What may be written, for a help.
pub(super) fn one_of(algorithms: &[Algorithm]) -> String {
    let names: Vec<&str> = algorithms.iter().map(|known| known.name()).collect();
    format!("one of: {}", names.join(", "))
}

fn all() -> impl Iterator<Item = Algorithm> {
    Algorithm::ASYMMETRIC
        .into_iter()
        .chain(Algorithm::SYMMETRIC)
}
