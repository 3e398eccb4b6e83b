//! The order in which sessions were used, of all and of each owner. It only keeps the books: who holds
//! what is said elsewhere.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use crate::identity::session::SessionKey;
use crate::identity::session::SessionOwner;

/// Every session has one stamp; a later use has a greater one.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    next: u64,
    sessions: BTreeMap<u64, (SessionKey, SessionOwner)>,
    owners: HashMap<SessionOwner, BTreeSet<u64>>,
}

impl Ledger {
    /// Enters a session as the newest, and returns its stamp.
    pub(super) fn enter(&mut self, session: SessionKey, owner: SessionOwner) -> u64 {
        let stamp = self.next;
        self.next = self.next.saturating_add(1);
        self.sessions.insert(stamp, (session, owner));
        self.owners.entry(owner).or_default().insert(stamp);
        stamp
    }

    /// Strikes one out.
    pub(super) fn strike(&mut self, stamp: u64, owner: &SessionOwner) {
        self.sessions.remove(&stamp);
        if let Some(own) = self.owners.get_mut(owner) {
            own.remove(&stamp);
            if own.is_empty() {
                self.owners.remove(owner);
            }
        }
    }

    /// The session that was not used for longest.
    pub(super) fn oldest(&self) -> Option<SessionKey> {
        self.sessions.first_key_value().map(|(_, (key, _))| *key)
    }

    /// Strikes out an owner's oldest session if he has more than `most`.
    pub(super) fn strike_beyond(
        &mut self,
        owner: &SessionOwner,
        most: usize,
    ) -> Option<SessionKey> {
        let own = self.owners.get(owner).filter(|own| own.len() > most)?;
        let stamp = *own.first()?;
        let session = self.sessions.get(&stamp).map(|(key, _)| *key);
        self.strike(stamp, owner);
        session
    }

    /// Strikes out the oldest session if there are more than `most`.
    pub(super) fn strike_oldest_beyond(&mut self, most: usize) -> Option<SessionKey> {
        if self.sessions.len() <= most {
            return None;
        }
        let (stamp, (session, owner)) = self.sessions.pop_first()?;
        self.strike(stamp, &owner);
        Some(session)
    }

    /// How many sessions and owners are in the books.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        let of_owners: usize = self.owners.values().map(BTreeSet::len).sum();
        assert_eq!(of_owners, self.sessions.len());
        (self.sessions.len(), self.owners.len())
    }
}
