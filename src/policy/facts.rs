//! A caller made ready for evaluation: the Cedar entity and what the index needs to know.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use cedar_policy::Entity;
use cedar_policy::EntityUid;
use cedar_policy::RestrictedExpression;

use super::hierarchy::Hierarchy;
use super::index::Index;
use super::index::Key;
use super::index::Subject;
use super::vocabulary;
use super::vocabulary::Vocabulary;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;

/// The id of every stranger.
const ANONYMOUS: &str = "anonymous";

/// What a snapshot has worked out about one caller.
///
/// Made once per token and snapshot, and cheap to clone. With another snapshot it still gives
/// right answers, only slower: it is then made anew from the identity inside.
#[derive(Clone, Debug)]
pub struct PrincipalFacts(Arc<Facts>);

#[derive(Debug)]
pub(super) struct Facts {
    /// Unique among the facts of one snapshot.
    pub(super) id: u64,
    origin: Arc<Origin>,
    pub(super) identity: Identity,
    pub(super) uid: EntityUid,
    /// Absent when Cedar refused the values; nothing is then allowed.
    pub(super) entity: Option<Entity>,
    pub(super) keys: Vec<Key>,
}

impl PrincipalFacts {
    pub(super) fn get(&self) -> &Facts {
        &self.0
    }
}

/// Tells the facts of one snapshot from those of another, and from each other.
#[derive(Debug, Default)]
pub(super) struct Origin {
    next: AtomicU64,
}

/// What facts are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maker<'a> {
    pub(super) origin: &'a Arc<Origin>,
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) hierarchy: &'a Hierarchy,
    pub(super) index: &'a Index,
}

impl Maker<'_> {
    /// Whether this snapshot made the facts.
    pub(super) fn made(self, facts: &PrincipalFacts) -> bool {
        Arc::ptr_eq(&facts.0.origin, self.origin)
    }

    /// The facts about `identity`.
    pub(super) fn make(self, identity: &Identity) -> PrincipalFacts {
        let stranger = nobody(PrincipalKind::User);
        let (kind, id, principal) = match identity {
            Identity::Anonymous => (&self.vocabulary.anonymous, ANONYMOUS, &stranger),
            Identity::Verified(principal) => (
                self.vocabulary.principal(principal.kind),
                &*principal.id,
                &**principal,
            ),
        };
        let uid = vocabulary::uid(kind, id);
        let above = self.above(principal);
        let keys = self.index.caller_keys(
            Subject {
                uid: &uid,
                above: &above,
            },
            principal,
        );
        let entity =
            Entity::new_with_tags(uid.clone(), attributes(principal), above, tags(principal));
        PrincipalFacts(Arc::new(Facts {
            id: self.origin.next.fetch_add(1, Ordering::Relaxed),
            origin: Arc::clone(self.origin),
            identity: identity.clone(),
            uid,
            entity: entity.ok(),
            keys,
        }))
    }

    fn above(self, principal: &Principal) -> BTreeSet<EntityUid> {
        let mut above = self
            .hierarchy
            .closure(&self.vocabulary.role, &principal.roles);
        above.extend(
            self.hierarchy
                .closure(&self.vocabulary.group, &principal.groups),
        );
        above
    }
}

/// The entity of a stranger; absent when Cedar refuses the values.
pub(super) fn stranger(vocabulary: &Vocabulary) -> Option<Entity> {
    let uid = vocabulary::uid(&vocabulary.anonymous, ANONYMOUS);
    let attributes = attributes(&nobody(PrincipalKind::User));
    let none = BTreeMap::<String, RestrictedExpression>::new();
    Entity::new_with_tags(uid, attributes, BTreeSet::new(), none).ok()
}

/// A principal of whom nothing is known.
pub(super) fn nobody(kind: PrincipalKind) -> Principal {
    Principal {
        kind,
        id: String::new(),
        authenticator: "".into(),
        issuer: String::new(),
        subject: String::new(),
        client_id: String::new(),
        tenant: String::new(),
        email: String::new(),
        name: String::new(),
        roles: BTreeSet::new(),
        groups: BTreeSet::new(),
        scopes: BTreeSet::new(),
        audience: BTreeSet::new(),
        claims: BTreeMap::new(),
    }
}

fn attributes(principal: &Principal) -> [(String, RestrictedExpression); 7] {
    [
        ("issuer".to_owned(), text(&principal.issuer)),
        ("subject".to_owned(), text(&principal.subject)),
        ("clientId".to_owned(), text(&principal.client_id)),
        ("tenant".to_owned(), text(&principal.tenant)),
        ("scopes".to_owned(), texts(&principal.scopes)),
        ("audience".to_owned(), texts(&principal.audience)),
        ("email".to_owned(), text(&principal.email)),
    ]
}

fn tags(principal: &Principal) -> impl Iterator<Item = (String, RestrictedExpression)> + '_ {
    principal
        .claims
        .iter()
        .map(|(name, values)| (name.clone(), texts(values)))
}

/// A Cedar string.
pub(super) fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

/// A Cedar set of strings.
pub(super) fn texts<'a>(values: impl IntoIterator<Item = &'a String>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.into_iter().map(|value| text(value)))
}
