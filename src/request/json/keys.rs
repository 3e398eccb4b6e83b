//! The names that an object has used so far.

use std::borrow::Cow;
use std::collections::HashSet;

/// How many names are compared one by one; more are hashed, with a key of this process's own, so
/// that nobody can choose names that collide.
const FEW: usize = 12;

/// A set of names.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    /// Whether `key` was not there yet.
    pub(super) fn insert(&mut self, key: Cow<'a, str>) -> bool {
        #[cfg(test)]
        {
            let compared = self.few.len().saturating_add(1);
            super::work::count(compared.saturating_mul(key.len()));
        }
        if !self.many.is_empty() {
            return self.many.insert(key);
        }
        if self.few.contains(&key) {
            return false;
        }
        self.few.push(key);
        if self.few.len() > FEW {
            self.many.extend(self.few.drain(..));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_use_is_noticed_however_many_names_there_are() {
        for count in [1, 2, FEW, FEW + 1, FEW + 2, 1000] {
            for twice in [0, count / 2, count - 1] {
                let mut keys = Keys::default();
                for n in 0..count {
                    assert!(keys.insert(Cow::Owned(n.to_string())), "{n} of {count}");
                }
                let again = Cow::Owned(twice.to_string());
                assert!(!keys.insert(again), "{twice} of {count}");
            }
        }
    }
}
