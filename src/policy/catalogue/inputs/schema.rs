//! Reads a JSON Schema (draft 2020-12, and what earlier drafts call the same) into a shape.

use std::collections::BTreeMap;
use std::collections::HashMap;

use thiserror::Error;

use super::shape::More;
use super::shape::Shape;
use super::types::Types;
use crate::json;
use crate::json::JsonFault;
use crate::json::StrictValue;

/// Deepest nesting of brackets in a schema.
const MAX_NESTING: usize = 64;
/// Deepest chain of schemas within schemas, references followed.
const MAX_DEPTH: usize = 64;
/// How often each byte of a schema may be looked at: references can make a short text stand for a
/// very long one.
const LOOKS: usize = 8;

/// Why an `inputSchema` is not used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(in crate::policy::catalogue) enum SchemaFault {
    /// Not strict JSON.
    #[error("{0}")]
    Json(#[from] JsonFault),
    /// A keyword has a value that JSON Schema does not allow there.
    #[error("`{0}` has a value that it cannot have")]
    Keyword(&'static str),
    /// A schema is neither an object nor a boolean.
    #[error("a schema is an object or a boolean")]
    NotASchema,
    /// Arguments are always an object.
    #[error("it does not describe an object")]
    NotAnObject,
    /// Followed out, it is too long to be read.
    #[error("its references make it too long")]
    TooLong,
}

/// Reads the text of a schema for the arguments of a tool.
pub(super) fn read(text: &str) -> Result<Shape, SchemaFault> {
    let root = json::parse(text.as_bytes(), MAX_NESTING)?;
    let Some(keywords) = root.as_object() else {
        return Err(SchemaFault::NotASchema);
    };
    let mut reader = Reader {
        root: &root,
        definitions: definitions(keywords),
        following: Vec::new(),
        depth: 0,
        looks_left: text.len().saturating_mul(LOOKS),
    };
    let mut shape = reader.schema(&root)?;
    if !shape.types.overlaps(Types::OBJECT) {
        return Err(SchemaFault::NotAnObject);
    }
    shape.types = Types::OBJECT;
    Ok(shape)
}

fn definitions(keywords: &[(String, StrictValue)]) -> HashMap<(&str, &str), &StrictValue> {
    keywords
        .iter()
        .filter(|(keyword, _)| matches!(&**keyword, "$defs" | "definitions"))
        .flat_map(|(keyword, value)| {
            let defined = value.as_object().unwrap_or_default().iter();
            defined.map(|(name, schema)| ((&**keyword, &**name), schema))
        })
        .collect()
}

struct Reader<'a> {
    root: &'a StrictValue,
    definitions: HashMap<(&'a str, &'a str), &'a StrictValue>,
    /// The references that are being followed, to notice one that leads back to itself.
    following: Vec<&'a str>,
    depth: usize,
    looks_left: usize,
}

impl<'a> Reader<'a> {
    fn schema(&mut self, schema: &'a StrictValue) -> Result<Shape, SchemaFault> {
        self.look(1)?;
        match schema {
            StrictValue::Bool(true) => return Ok(Shape::anything()),
            StrictValue::Bool(false) => return Ok(Shape::of(Types::NONE, More::Closed)),
            StrictValue::Object(_) => {}
            StrictValue::Null
            | StrictValue::Integer(_)
            | StrictValue::Unsigned(_)
            | StrictValue::Float(_)
            | StrictValue::Text(_)
            | StrictValue::Array(_) => return Err(SchemaFault::NotASchema),
        }
        if self.depth >= MAX_DEPTH {
            return Ok(Shape::anything());
        }
        self.depth = self.depth.saturating_add(1);
        let shape = self.keywords(schema.as_object().unwrap_or_default());
        self.depth = self.depth.saturating_sub(1);
        shape
    }

    fn keywords(&mut self, keywords: &'a [(String, StrictValue)]) -> Result<Shape, SchemaFault> {
        let mut own = Members::default();
        let mut parts = Vec::new();
        // `then`, `else` and the like apply at times.
        let mut at_times = Vec::new();
        let mut items = Items::default();
        for (keyword, value) in keywords {
            self.look(keyword.len())?;
            match &**keyword {
                "type" => parts.push(plain(named_types(value)?)),
                "enum" => {
                    let values = value.as_array().ok_or(SchemaFault::Keyword("enum"))?;
                    parts.push(plain(self.types_of(values)?));
                }
                "const" => parts.push(plain(self.type_of(value)?)),
                "properties" => self.properties(value, &mut own)?,
                "additionalProperties" => own.others(value, "additionalProperties")?,
                "unevaluatedProperties" => own.others(value, "unevaluatedProperties")?,
                "patternProperties" => own.has_patterns = true,
                "items" => items.rest = Some(self.items(value, &mut items.first)?),
                "prefixItems" => items.first.extend(self.schemas(value, "prefixItems")?),
                "allOf" => parts.extend(self.schemas(value, "allOf")?),
                "anyOf" => parts.push(Shape::any(self.schemas(value, "anyOf")?)),
                "oneOf" => parts.push(Shape::any(self.schemas(value, "oneOf")?)),
                "$ref" => parts.push(self.reference(value)?),
                "$dynamicRef" | "$recursiveRef" | "dependencies" => parts.push(Shape::anything()),
                "if" | "then" | "else" => at_times.push(self.schema(value)?),
                "dependentSchemas" => {
                    for (_, schema) in value.as_object().unwrap_or_default() {
                        at_times.push(self.schema(schema)?);
                    }
                }
                // The others narrow values down without a word on their types or names.
                _ => {}
            }
        }
        if !at_times.is_empty() {
            at_times.push(Shape::unsaid());
            parts.push(Shape::any(at_times));
        }
        parts.push(plain(items.types()));
        parts.push(own.shape());
        Ok(Shape::all(parts))
    }
}

impl<'a> Reader<'a> {
    fn schemas(
        &mut self,
        value: &'a StrictValue,
        keyword: &'static str,
    ) -> Result<Vec<Shape>, SchemaFault> {
        let schemas = value.as_array().ok_or(SchemaFault::Keyword(keyword))?;
        schemas.iter().map(|schema| self.schema(schema)).collect()
    }

    fn properties(&mut self, value: &'a StrictValue, own: &mut Members) -> Result<(), SchemaFault> {
        let listed = value
            .as_object()
            .ok_or(SchemaFault::Keyword("properties"))?;
        own.is_listed = true;
        for (name, schema) in listed {
            self.look(name.len())?;
            let shape = self.schema(schema)?;
            // `false`: no value will do, so there is no such member.
            if !shape.types.is_empty() {
                own.listed.insert(name.clone(), shape);
            }
        }
        Ok(())
    }

    /// The rest of an array; earlier drafts list the first elements here as well.
    fn items(
        &mut self,
        value: &'a StrictValue,
        first: &mut Vec<Shape>,
    ) -> Result<Types, SchemaFault> {
        if value.as_array().is_some() {
            first.extend(self.schemas(value, "items")?);
            return Ok(Types::ANY);
        }
        Ok(self.schema(value)?.types)
    }

    /// What a reference within this schema stands for.
    fn reference(&mut self, value: &'a StrictValue) -> Result<Shape, SchemaFault> {
        let pointer = value.as_text().ok_or(SchemaFault::Keyword("$ref"))?;
        let target = match pointer
            .strip_prefix("#/")
            .and_then(|path| path.split_once('/'))
        {
            Some(definition) => self.definitions.get(&definition).copied(),
            None => (pointer == "#").then_some(self.root),
        };
        match target {
            Some(target) if !self.following.contains(&pointer) => {
                self.following.push(pointer);
                let shape = self.schema(target);
                self.following.pop();
                shape
            }
            // It leads in a circle, out of this schema, or to where nobody looks.
            Some(_) | None => Ok(Shape::anything()),
        }
    }

    fn types_of(&mut self, values: &[StrictValue]) -> Result<Types, SchemaFault> {
        let mut types = Types::NONE;
        for value in values {
            types = types.union(self.type_of(value)?);
        }
        Ok(types)
    }

    fn type_of(&mut self, value: &StrictValue) -> Result<Types, SchemaFault> {
        self.look(1)?;
        Ok(match value {
            StrictValue::Null => Types::NULL,
            StrictValue::Bool(_) => Types::BOOLEAN,
            StrictValue::Integer(_) | StrictValue::Unsigned(_) => Types::INTEGER,
            StrictValue::Float(number) if number.fract() == 0.0 => Types::INTEGER,
            StrictValue::Float(_) => Types::FRACTION,
            StrictValue::Text(_) => Types::STRING,
            StrictValue::Array(elements) => array_of(self.types_of(elements)?),
            StrictValue::Object(_) => Types::OBJECT,
        })
    }

    fn look(&mut self, bytes: usize) -> Result<(), SchemaFault> {
        self.looks_left = self
            .looks_left
            .checked_sub(bytes)
            .ok_or(SchemaFault::TooLong)?;
        Ok(())
    }
}

/// What a schema says itself of the members of an object.
#[derive(Default)]
struct Members {
    listed: BTreeMap<String, Shape>,
    is_listed: bool,
    /// Whether it lets others through, where it says so.
    others: Option<bool>,
    has_patterns: bool,
}

impl Members {
    fn others(&mut self, value: &StrictValue, keyword: &'static str) -> Result<(), SchemaFault> {
        let allowed = match value {
            StrictValue::Bool(allowed) => *allowed,
            StrictValue::Object(_) => true,
            StrictValue::Null
            | StrictValue::Integer(_)
            | StrictValue::Unsigned(_)
            | StrictValue::Float(_)
            | StrictValue::Text(_)
            | StrictValue::Array(_) => return Err(SchemaFault::Keyword(keyword)),
        };
        self.others = Some(allowed && self.others.unwrap_or(true));
        Ok(())
    }

    fn shape(self) -> Shape {
        let more = match (self.others, self.is_listed) {
            _ if self.has_patterns => More::Open,
            (Some(true), _) => More::Open,
            (Some(false), _) => More::Closed,
            (None, true) => More::Listed,
            (None, false) => More::Unsaid,
        };
        Shape {
            types: Types::ANY,
            members: self.listed,
            more,
        }
    }
}

/// What a schema says itself of the elements of an array.
#[derive(Default)]
struct Items {
    first: Vec<Shape>,
    rest: Option<Types>,
}

impl Items {
    fn types(&self) -> Types {
        let Some(rest) = self.rest else {
            return Types::ANY;
        };
        let first = self.first.iter().map(|shape| shape.types);
        let elements = first.fold(rest, Types::union);
        array_of(elements).union(Types::ANY.without(Types::ARRAY))
    }
}

/// Arrays of such elements; of none, the empty array, which reads as an array of anything.
fn array_of(elements: Types) -> Types {
    if elements.is_empty() {
        Types::ARRAY
    } else {
        elements.array()
    }
}

fn plain(types: Types) -> Shape {
    Shape::of(types, More::Unsaid)
}

fn named_types(value: &StrictValue) -> Result<Types, SchemaFault> {
    let one = |name: &StrictValue| match name.as_text() {
        Some("string") => Ok(Types::STRING),
        Some("integer") => Ok(Types::INTEGER),
        Some("number") => Ok(Types::NUMBER),
        Some("boolean") => Ok(Types::BOOLEAN),
        Some("null") => Ok(Types::NULL),
        Some("object") => Ok(Types::OBJECT),
        Some("array") => Ok(Types::ARRAY),
        Some(_) | None => Err(SchemaFault::Keyword("type")),
    };
    match value.as_array() {
        Some(names) => names
            .iter()
            .try_fold(Types::NONE, |all, name| Ok(all.union(one(name)?))),
        None => one(value),
    }
}
