//! What a tool's `inputSchema` says of its arguments, as far as a policy could trip over it.
//!
//! Only what is certain is kept. Wherever JSON Schema (draft 2020-12) leaves room, or says it in a
//! way that is not understood here, an argument may be anything.

mod dotted;
#[cfg(test)]
mod properties;
mod schema;
mod shape;
mod types;

use std::collections::BTreeMap;

pub(super) use self::schema::SchemaFault;
use self::shape::More;
use self::shape::Shape;
pub(in crate::policy) use self::types::Types;

/// The arguments that a tool takes, under the names that policies use.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::policy) struct Inputs {
    /// By dotted name.
    declared: BTreeMap<String, Types>,
    /// Whether an object may have other members than those declared, by its dotted name; the
    /// arguments as a whole have none, which is not the same as an empty one.
    objects: BTreeMap<Option<String>, More>,
}

/// What is known of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Argument {
    /// It is declared, with these types.
    Declared(Types),
    /// It is not among those that are.
    Undeclared,
    /// There is no telling.
    Anything,
}

impl Inputs {
    /// Reads the text of an `inputSchema`, in time linear in its length.
    pub(super) fn read(text: &str) -> Result<Self, SchemaFault> {
        let shape = schema::read(text)?;
        let mut inputs = Self {
            declared: BTreeMap::new(),
            objects: BTreeMap::new(),
        };
        inputs.flatten(None, shape);
        Ok(inputs)
    }

    /// What is known of the argument of this dotted name.
    pub(in crate::policy) fn argument(&self, name: &str) -> Argument {
        if let Some(types) = self.declared.get(name) {
            return Argument::Declared(*types);
        }
        let Some(object) = dotted::object_of(name) else {
            return self.other_member_of(None);
        };
        match self.argument(object) {
            Argument::Declared(types) if types.overlaps(Types::OBJECT) => {
                self.other_member_of(Some(object))
            }
            Argument::Declared(_) | Argument::Undeclared => Argument::Undeclared,
            Argument::Anything => Argument::Anything,
        }
    }

    /// The dotted names of the declared arguments, in order.
    pub(in crate::policy) fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.keys().map(String::as_str)
    }

    fn other_member_of(&self, object: Option<&str>) -> Argument {
        match self.objects.get(&object.map(str::to_owned)) {
            Some(More::Closed | More::Listed) => Argument::Undeclared,
            Some(More::Unsaid | More::Open) | None => Argument::Anything,
        }
    }

    fn flatten(&mut self, object: Option<&str>, shape: Shape) {
        self.objects.insert(object.map(str::to_owned), shape.more);
        for (key, member) in shape.members {
            let name = dotted::member(object, &key);
            self.declared.insert(name.clone(), member.types);
            if member.types.overlaps(Types::OBJECT) {
                self.flatten(Some(&name), member);
            }
        }
    }
}

#[cfg(test)]
mod tests;
