//! `entities.json`: which role includes which, and likewise for groups of every kind.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;

use cedar_policy::Entities;
use cedar_policy::Entity;
use cedar_policy::EntityTypeName;
use cedar_policy::EntityUid;
use cedar_policy::Schema;
use serde::Deserialize;

use super::strict_json;
use super::strict_json::Placed;
use super::vocabulary;
use super::vocabulary::Vocabulary;
use crate::fault::Fault;
use crate::fault::Source;

/// What each entity is included in, however far up.
#[derive(Debug, Default)]
pub(super) struct Hierarchy {
    above: HashMap<EntityUid, Vec<EntityUid>>,
    written: Vec<Written>,
}

/// One entry of the file.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) uid: EntityUid,
    pub(super) parents: Vec<EntityUid>,
    /// In bytes of the file.
    pub(super) span: Range<usize>,
}

impl Hierarchy {
    /// Reads the file; faults are collected, and the result then counts for nothing.
    pub(super) fn read(
        source: &Source,
        vocabulary: &Vocabulary,
        schema: &Schema,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let listed = strict_json::list::<Listed>(source, faults);
        let mut seen = HashSet::new();
        let mut written = Vec::new();
        for Placed { value, span } in listed {
            let uid = value.uid.uid(vocabulary);
            let other_type = |parent: &&Uid| parent.kind() != value.uid.kind();
            if let Some(parent) = value.parents.iter().find(other_type) {
                let message = format!(
                    "a `{}` cannot be in a `{}`",
                    value.uid.kind().name(),
                    parent.kind().name()
                );
                faults.push(Fault::error(source, Some(span), message));
            } else if seen.insert(uid.clone()) {
                let parents = value.parents.iter().map(|parent| parent.uid(vocabulary));
                written.push(Written {
                    uid,
                    parents: parents.collect(),
                    span,
                });
            } else {
                let message = format!("`{uid}` is listed twice");
                faults.push(Fault::error(source, Some(span), message));
            }
        }
        let entities = written.iter().map(|one| {
            let parents = one.parents.iter().cloned().collect();
            Entity::new_no_attrs(one.uid.clone(), parents)
        });
        match Entities::from_entities(entities, Some(schema)) {
            Ok(entities) => Self::of(&entities, written),
            Err(error) => {
                // A cycle has no one place.
                let message = format!("the hierarchy is not usable: {error}");
                faults.push(Fault::error(source, None, message).hide_excerpt());
                Self::default()
            }
        }
    }

    /// The names of this kind that the file lists, and of what they are included in.
    pub(super) fn names<'a>(&'a self, kind: &'a EntityTypeName) -> impl Iterator<Item = &'a str> {
        let all = self
            .above
            .iter()
            .flat_map(|(uid, above)| above.iter().chain([uid]));
        all.filter(move |uid| uid.type_name() == kind)
            .map(|uid| uid.id().unescaped())
    }

    fn of(entities: &Entities, written: Vec<Written>) -> Self {
        let above = written
            .iter()
            .map(|one| {
                let above = entities.ancestors(&one.uid).into_iter().flatten().cloned();
                (one.uid.clone(), above.collect())
            })
            .collect();
        Self { above, written }
    }

    /// The entries of the file, in its order.
    pub(super) fn written(&self) -> &[Written] {
        &self.written
    }

    /// The entities of these names, and everything that they are included in.
    pub(super) fn closure<'a>(
        &self,
        kind: &EntityTypeName,
        names: impl IntoIterator<Item = &'a String>,
    ) -> BTreeSet<EntityUid> {
        let mut all = BTreeSet::new();
        for name in names {
            let uid = vocabulary::uid(kind, name);
            all.extend(self.above.get(&uid).into_iter().flatten().cloned());
            all.insert(uid);
        }
        all
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    uid: Uid,
    #[serde(default, rename = "attrs")]
    _attributes: Nothing,
    #[serde(default, rename = "tags")]
    _tags: Nothing,
    #[serde(default)]
    parents: Vec<Uid>,
}

/// The object that Cedar's format asks for, and that none of these types has a use for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Cedar writes an id plainly or wrapped in `__entity`.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "an id is `{\"type\": \"Mcp::Role\", \"id\": \"...\"}`; the type is \
    `Mcp::Role`, `Mcp::Group`, `Mcp::ServerGroup` or `Mcp::ToolGroup`"
)]
enum Uid {
    Plain(Id),
    Wrapped(Wrapped),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    #[serde(rename = "__entity")]
    entity: Id,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Id {
    #[serde(rename = "type")]
    kind: Kind,
    id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Kind {
    #[serde(rename = "Mcp::Role")]
    Role,
    #[serde(rename = "Mcp::Group")]
    Group,
    #[serde(rename = "Mcp::ServerGroup")]
    ServerGroup,
    #[serde(rename = "Mcp::ToolGroup")]
    ToolGroup,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Role => "Mcp::Role",
            Self::Group => "Mcp::Group",
            Self::ServerGroup => "Mcp::ServerGroup",
            Self::ToolGroup => "Mcp::ToolGroup",
        }
    }
}

impl Uid {
    fn id(&self) -> &Id {
        match self {
            Self::Plain(id) => id,
            Self::Wrapped(wrapped) => &wrapped.entity,
        }
    }

    fn kind(&self) -> Kind {
        self.id().kind
    }

    fn uid(&self, vocabulary: &Vocabulary) -> EntityUid {
        let kind = match self.kind() {
            Kind::Role => &vocabulary.role,
            Kind::Group => &vocabulary.group,
            Kind::ServerGroup => &vocabulary.server_group,
            Kind::ToolGroup => &vocabulary.tool_group,
        };
        vocabulary::uid(kind, &self.id().id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Hierarchy, Vocabulary, Vec<String>) {
        let schema = vocabulary::schema().unwrap();
        let vocabulary = Vocabulary::new(&schema).unwrap();
        let source = Source {
            name: "entities.json".into(),
            text: text.into(),
        };
        let mut faults = Vec::new();
        let hierarchy = Hierarchy::read(&source, &vocabulary, &schema, &mut faults);
        let faults = faults.iter().map(ToString::to_string).collect();
        (hierarchy, vocabulary, faults)
    }

    #[test]
    fn roles_include_roles_transitively() {
        let (hierarchy, vocabulary, faults) = read(include_str!("../../policies/entities.json"));
        assert_eq!(faults, Vec::<String>::new());
        let names = |of: &[&str]| -> Vec<String> {
            let of: Vec<String> = of.iter().map(ToString::to_string).collect();
            hierarchy
                .closure(&vocabulary.role, &of)
                .iter()
                .map(|uid| uid.id().unescaped().to_owned())
                .collect()
        };
        assert_eq!(names(&["admin"]), ["admin", "editor", "viewer"]);
        assert_eq!(names(&["viewer", "x"]), ["viewer", "x"]);
        assert!(
            hierarchy
                .closure(&vocabulary.group, &["admin".to_owned()])
                .len()
                == 1
        );
    }

    #[test]
    fn what_does_not_belong_is_refused() {
        let role = |id: &str| format!("{{\"type\":\"Mcp::Role\",\"id\":\"{id}\"}}");
        let (a, b) = (role("a"), role("b"));
        let wrong = [
            "[{\"uid\":{\"type\":\"Mcp::User\",\"id\":\"x\"},\"parents\":[]}]".to_owned(),
            "[{\"uid\":{\"type\":\"Mcp::Action\",\"id\":\"x\"},\"parents\":[]}]".to_owned(),
            format!("[{{\"uid\":{a},\"attrs\":{{\"x\":1}},\"parents\":[]}}]"),
            format!("[{{\"uid\":{a},\"parents\":[],\"more\":1}}]"),
            format!("[{{\"uid\":{a},\"parents\":[{{\"type\":\"Mcp::Group\",\"id\":\"x\"}}]}}]"),
            format!("[{{\"uid\":{a}}},{{\"uid\":{a},\"parents\":[{b}]}}]"),
            format!("[{{\"uid\":{a},\"parents\":[{b}]}},{{\"uid\":{b},\"parents\":[{a}]}}]"),
        ];
        for text in wrong {
            let (_, _, faults) = read(&text);
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        }
        let wrapped = format!("[{{\"uid\":{{\"__entity\":{a}}},\"parents\":[{b}]}}]");
        assert_eq!(read(&wrapped).2, Vec::<String>::new());
    }
}
