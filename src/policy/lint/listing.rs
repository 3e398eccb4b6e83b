//! Lists of names as help shows them.

use crate::policy::plain_yaml::shown;

/// Most names that are shown.
const SHOWN: usize = 12;

/// `a`, `b` and 3 more
pub(super) fn listing(names: &[&str]) -> String {
    let text = names
        .iter()
        .take(SHOWN)
        .map(|name| shown(name))
        .collect::<Vec<_>>()
        .join(", ");
    let more = names.len().saturating_sub(SHOWN);
    if more == 0 {
        text
    } else {
        format!("{text} and {more} more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(listing(&["a", "b"]), "`a`, `b`");
        assert!(listing(&["a"; SHOWN + 2]).ends_with("`a` and 2 more"));
    }
}
