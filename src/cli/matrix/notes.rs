//! The numbered notes below a table: equal explanations share one.

use std::collections::HashMap;

use crate::cli::matrix::cell::Cell;
use crate::cli::matrix::cell::Class;

/// Notes, in the order in which they were first needed.
#[derive(Debug, Default)]
pub(super) struct Notes {
    numbers: HashMap<String, usize>,
    texts: Vec<String>,
    /// Whether what does not depend on the request is explained, too.
    everything: bool,
}

impl Notes {
    pub(super) fn new(everything: bool) -> Self {
        Self {
            everything,
            ..Self::default()
        }
    }

    /// What stands in the cell: `allow`, or `allow? [1]`.
    pub(super) fn marked(&mut self, cell: &Cell) -> String {
        let class = cell.class();
        if !self.everything && class != Class::Depends {
            return class.shown().to_owned();
        }
        let why = cell.why();
        let next = self.texts.len().saturating_add(1);
        let number = *self.numbers.entry(why.clone()).or_insert(next);
        if number == next {
            self.texts.push(why);
        }
        format!("{} [{number}]", class.shown())
    }

    /// `[1] ...`, one a line.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let numbered = (1_usize..).zip(&self.texts);
        numbered.map(|(number, text)| format!("[{number}] {text}"))
    }
}
