//! What a compiler has read and worked out, carried from one state of the files to the next.
//!
//! A file with the same text is not read again, and a policy with the same text is not worked out
//! again, wherever it stands now. What is kept is bounded by the files that were compiled last.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::btree_map::Entry;
use std::mem;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use cedar_policy::Schema;

use super::deep;
use super::load;
use super::load::Loaded;
use super::load::Tree;
use super::report;
use super::worked::Worked;
use crate::fault::Fault;
use crate::fault::Source;

/// Policies that are worked out in one go.
const BATCH: usize = 32;

/// What is known of each policy file.
#[derive(Debug, Default)]
pub(super) struct Memory {
    by_name: BTreeMap<Arc<str>, File>,
}

/// A policy file, read.
#[derive(Debug)]
struct File {
    source: Source,
    policies: Vec<Known>,
    faults: Vec<Fault>,
    /// The policies from before there was a fault that kept all of them from being read.
    before: Vec<Known>,
}

/// A policy, and what it means.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) loaded: Loaded,
    pub(super) worked: Arc<Worked>,
}

impl Known {
    /// As lints look at it.
    pub(super) fn tree(&self) -> Tree<'_> {
        (&self.loaded, &self.worked.tree)
    }
}

impl AsRef<Loaded> for Known {
    fn as_ref(&self) -> &Loaded {
        &self.loaded
    }
}

impl Memory {
    /// Reads these files.
    ///
    /// # Errors
    ///
    /// There are too many policies, or a thread was not to be had, or panicked; then nothing is known
    /// any more, or what was known before. Faults in files are [told](Self::policies) with the policies.
    pub(super) fn read(&mut self, files: &[&Source], schema: &Schema) -> Result<(), Fault> {
        // Nobody can ask before the first policies are there. Later on, checks need the cores.
        let threads = if self.by_name.is_empty() {
            thread::available_parallelism().map_or(1, NonZero::get)
        } else {
            1
        };
        // A panic leaves nothing behind that could be half right.
        let mut old = mem::take(self);
        let mut next = Self::default();
        let mut changed: Vec<&Source> = Vec::new();
        for source in files {
            let is_known = |file: &File| file.source == **source;
            match old.by_name.entry(Arc::clone(&source.name)) {
                Entry::Occupied(known) if is_known(known.get()) => {
                    next.by_name
                        .insert(Arc::clone(&source.name), known.remove());
                }
                Entry::Occupied(_) | Entry::Vacant(_) => changed.push(source),
            }
        }
        let read = deep::each(&changed, threads, |source| {
            let mut faults = Vec::new();
            (load::file(source, &mut faults), faults)
        });
        let read = read.ok_or_else(broken)?;
        let kept = next.by_name.values().map(|file| file.policies.len());
        let count = kept.chain(read.iter().map(|(policies, _)| policies.len()));
        load::check_count(count.fold(0, usize::saturating_add), files)?;
        let worked = old.work(&read, schema, threads).ok_or_else(broken)?;
        let mut worked = worked.into_iter();
        for (source, (loaded, faults)) in changed.into_iter().zip(read) {
            let before = old.by_name.remove(&source.name);
            let worked = worked.by_ref().take(loaded.len());
            let file = File::new(source, loaded.into_iter().zip(worked), faults, before);
            next.by_name.insert(Arc::clone(&source.name), file);
        }
        *self = next;
        Ok(())
    }

    /// The policies of all files, sorted by id.
    pub(super) fn policies(&self, faults: &mut Vec<Fault>) -> Vec<&Known> {
        let files = self.by_name.values();
        load::unite(files.map(|file| (&*file.policies, &*file.faults)), faults)
    }

    /// What the policies mean, in their order: remembered, or worked out.
    fn work(
        &self,
        read: &[(Vec<Loaded>, Vec<Fault>)],
        schema: &Schema,
        threads: usize,
    ) -> Option<Vec<Result<Arc<Worked>, String>>> {
        let old = self.by_name.values();
        let old = old.flat_map(|file| file.policies.iter().chain(&file.before));
        let by_text: HashMap<&str, &Arc<Worked>> = old
            .map(|known| (known.loaded.text(), &known.worked))
            .collect();
        let all: Vec<&Loaded> = read.iter().flat_map(|(policies, _)| policies).collect();
        let is_new = |loaded: &&Loaded| !by_text.contains_key(loaded.text());
        let new: Vec<&Loaded> = all.iter().copied().filter(is_new).collect();
        let batches = batches(&new);
        let worked = deep::each(&batches, threads, |batch| Worked::of(batch, schema))?;
        let mut worked = worked.into_iter().flatten();
        all.into_iter()
            .map(|loaded| match by_text.get(loaded.text()) {
                Some(known) => Some(Ok(Arc::clone(known))),
                None => Some(worked.next()?.map(Arc::new)),
            })
            .collect()
    }
}

impl File {
    fn new(
        source: &Source,
        policies: impl Iterator<Item = (Loaded, Result<Arc<Worked>, String>)>,
        faults: Vec<Fault>,
        before: Option<Self>,
    ) -> Self {
        let mut file = Self {
            source: source.clone(),
            policies: Vec::new(),
            faults,
            before: Vec::new(),
        };
        for (loaded, worked) in policies {
            match worked {
                Ok(worked) => file.policies.push(Known { loaded, worked }),
                Err(message) => {
                    let line = report::first_line(&loaded.source, loaded.span.start);
                    let fault = Fault::error(&loaded.source, Some(line), message);
                    file.faults.push(fault);
                }
            }
        }
        if let Some(before) = before
            && file.policies.is_empty()
        {
            let was_read = !before.policies.is_empty();
            file.before = if was_read {
                before.policies
            } else {
                before.before
            };
        }
        file
    }
}

/// In their order. Ids are only unique over those that come into force, and must be within a batch.
fn batches<'a>(policies: &[&'a Loaded]) -> Vec<Vec<&'a Loaded>> {
    let mut batches = Vec::new();
    let mut batch: Vec<&Loaded> = Vec::new();
    for policy in policies {
        let is_taken = batch.iter().any(|other| other.id == policy.id);
        if is_taken || batch.len() >= BATCH {
            batches.push(mem::take(&mut batch));
        }
        batch.push(policy);
    }
    batches.push(batch);
    batches
}

fn broken() -> Fault {
    report::broken("the policies could not be compiled".to_owned())
}

#[cfg(test)]
mod tests;
