//! The values that something may still have.

use cedar_policy::pst::Literal;

/// What is known of a value.
pub(super) struct Domain {
    /// The only ones that it may have; absent where it may have any.
    among: Option<Vec<Literal>>,
    except: Vec<Literal>,
    /// The bounds of a number, both included.
    least: i64,
    most: i64,
    /// No number lies between the bounds, or beyond the last one.
    is_void: bool,
}

impl Default for Domain {
    fn default() -> Self {
        Self {
            among: None,
            except: Vec::new(),
            least: i64::MIN,
            most: i64::MAX,
            is_void: false,
        }
    }
}

impl Domain {
    /// It is, or is not, one of these.
    pub(super) fn one_of(&mut self, values: Vec<Literal>, wanted: bool) {
        if !wanted {
            self.except.extend(values);
            return;
        }
        self.among = Some(match self.among.take() {
            None => values,
            Some(mut among) => {
                among.retain(|value| values.contains(value));
                among
            }
        });
    }

    /// It is below the number, or above it; itself only where that is not strict.
    pub(super) fn order(&mut self, value: i64, is_below: bool, is_strict: bool) {
        let bound = match (is_strict, is_below) {
            (false, _) => Some(value),
            (true, true) => value.checked_sub(1),
            (true, false) => value.checked_add(1),
        };
        match bound {
            None => self.is_void = true,
            Some(bound) if is_below => self.most = self.most.min(bound),
            Some(bound) => self.least = self.least.max(bound),
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        let is_left = |value: &Literal| {
            let is_within = !matches!(value, Literal::Long(number) if *number < self.least || *number > self.most);
            is_within && !self.except.contains(value)
        };
        let none_left = |among: &Vec<Literal>| !among.iter().any(is_left);
        self.is_void || self.least > self.most || self.among.as_ref().is_some_and(none_left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(demands: &[(&str, i64)]) -> bool {
        let mut domain = Domain::default();
        for (sign, value) in demands {
            match *sign {
                "==" => domain.one_of(vec![Literal::Long(*value)], true),
                "!=" => domain.one_of(vec![Literal::Long(*value)], false),
                sign => domain.order(*value, sign.starts_with('<'), sign.len() == 1),
            }
        }
        domain.is_empty()
    }

    #[test]
    fn what_cannot_all_be_so_leaves_nothing() {
        for (demands, is_empty) in [
            (&[("==", 1)][..], false),
            (&[("==", 1), ("==", 2)], true),
            (&[("==", 1), ("!=", 1)], true),
            (&[("==", 1), ("!=", 2)], false),
            (&[("<", 5), (">", 3)], false),
            (&[("<", 5), (">", 4)], true),
            (&[("<=", 5), (">=", 5)], false),
            (&[("<=", 5), ("==", 6)], true),
            (&[("<", i64::MIN)], true),
            (&[(">", i64::MAX)], true),
            (&[("!=", 1), ("!=", 2)], false),
        ] {
            assert_eq!(domain(demands), is_empty, "{demands:?}");
        }
    }
}
