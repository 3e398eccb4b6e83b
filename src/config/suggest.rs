//! Near misses: the known word that an unknown one was probably meant to be.

/// Longer words are not compared.
const LONGEST: usize = 64;

/// The known word nearest to `word`, if one is near enough to be meant. Case counts for nothing.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let word = word.to_lowercase();
    // A character has one to four bytes, so that words of very different length cannot be near.
    let comparable =
        |candidate: &str| candidate.len().abs_diff(word.len()) <= allowed.saturating_mul(4);
    known
        .iter()
        .filter(|candidate| comparable(candidate))
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `left` into `right`
/// (optimal string alignment); [`usize::MAX`] for words too long to be compared.
pub(super) fn distance(left: &str, right: &str) -> usize {
    if left.len() > LONGEST || right.len() > LONGEST {
        return usize::MAX;
    }
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    let mut last_left = None;
    for (row, a) in left.chars().enumerate() {
        let mut current = vec![row.saturating_add(1)];
        let mut last_right = None;
        for (column, b) in right.iter().copied().enumerate() {
            let next = column.saturating_add(1);
            let substitute = at(&previous, column).saturating_add(usize::from(a != b));
            let delete = at(&previous, next).saturating_add(1);
            let insert = at(&current, column).saturating_add(1);
            let swapped = last_left == Some(b) && last_right == Some(a);
            let swap = match column.checked_sub(1) {
                Some(two_back) if swapped => at(&before, two_back).saturating_add(1),
                Some(_) | None => usize::MAX,
            };
            current.push(substitute.min(delete).min(insert).min(swap));
            last_right = Some(b);
        }
        before = std::mem::replace(&mut previous, current);
        last_left = Some(a);
    }
    at(&previous, right.len())
}

fn at(row: &[usize], column: usize) -> usize {
    row.get(column).copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_known() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("issuer", "issuer", 0),
            ("isuer", "issuer", 1),
            ("isseur", "issuer", 1),
            ("listne", "listen", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
        assert_eq!(distance(&"a".repeat(65), "a"), usize::MAX);
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["issuer", "audiences", "name"];
        assert_eq!(nearest("isuer", &known), Some("issuer"));
        assert_eq!(nearest("Audience", &known), Some("audiences"));
        assert_eq!(nearest("nmae", &known), Some("name"));
        assert_eq!(nearest("maxresult", &["maxResults"]), Some("maxResults"));
        assert_eq!(nearest("url", &known), None);
        assert_eq!(nearest("colour", &known), None);
    }
}
