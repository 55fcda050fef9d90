//! What a value looks like as JSON, told by its type: every answer's type has a [`Shape`]. A shape with a name stands once
//! in the document and is referred to.

use salvo::oapi::{Components, Object, RefOr};
use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::transform_subschemas};
use serde_json::{Map, Value, json};

pub(crate) use crate::domain::ids::ID_PATTERN;
use crate::domain::ids::{
    AGENT_ID_PATTERN, AgentId, InvocationId, MessageId, ProjectId, SessionId, TaskId, ToolId, WorkerId,
};

/// The JSON schema of a type's values, made from the type itself: its members, what `serde` does with them, and their
/// documentation. So no member can be forgotten, and none is described as what it is not.
pub(crate) trait Shape {
    /// The schema, or a reference to it after it was put into `components`.
    fn shape(components: &mut Components) -> Value;
}

impl<T: JsonSchema + ?Sized> Shape for T {
    fn shape(components: &mut Components) -> Value {
        let settings = SchemaSettings::draft2020_12().for_serialize().with_transform(plain).with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let mut generator = settings.into_generator();
        let mut schema = generator.subschema_for::<T>();
        for (name, schema) in generator.take_definitions(true) {
            let whose = format!("{name}{OF_TYPE}{}", std::any::type_name::<T>());
            components.schemas.insert(&whose, raw(schema));
        }
        plain(&mut schema);
        Value::Object(std::mem::take(schema.ensure_object()))
    }
}

/// Leaves out what says nothing to a reader of JSON: how wide a number is in this program, and what a member that is
/// missing would be read as, since answers are written only.
fn plain(schema: &mut Schema) {
    if let Some(keywords) = schema.as_object_mut() {
        keywords.remove("default");
        let is_number = |kind: &Value| kind == "integer" || kind == "number";
        let kind = keywords.get("type");
        if kind.is_some_and(|kind| is_number(kind) || kind.as_array().is_some_and(|kinds| kinds.iter().any(is_number)))
        {
            keywords.remove("format");
        }
        // Anything at all; some readers know no other word for it.
        let members = keywords.get_mut("properties").and_then(Value::as_object_mut);
        members.into_iter().flat_map(Map::values_mut).filter(|member| **member == true).for_each(|it| *it = json!({}));
        keywords.get_mut("items").filter(|items| **items == true).into_iter().for_each(|it| *it = json!({}));
    }
    transform_subschemas(&mut plain, schema);
}

/// A schema as the framework's document holds it: every keyword as it is.
pub(crate) fn raw(schema: Value) -> RefOr<salvo::oapi::Schema> {
    let mut object = Object::new();
    object.schema_type = salvo::oapi::schema::SchemaType::AnyValue;
    if let Value::Object(keywords) = schema {
        object.extensions = keywords.into_iter().collect();
    }
    RefOr::Type(salvo::oapi::Schema::object(object))
}

/// Puts the schema of `T` under its name, made when it is not there yet; answers the reference.
///
/// The framework overwrites what has the same name. So the name is kept with the type until the document is made of
/// all of it: there two types of one name are seen.
pub(crate) fn named<T: ?Sized>(
    components: &mut Components,
    name: &str,
    make: impl FnOnce(&mut Components) -> Value,
) -> Value {
    let whose = format!("{name}{OF_TYPE}{}", std::any::type_name::<T>());
    if !components.schemas.contains_key(&whose) {
        // Holds the place, for a shape that contains itself.
        components.schemas.insert(&whose, raw(json!({})));
        let made = make(components);
        components.schemas.insert(&whose, raw(made));
    }
    reference(name)
}

/// Stands between the name of a schema and its type.
const OF_TYPE: char = '@';

/// Schemas under their names alone, and the names that two different ones share.
pub(crate) fn united(all: impl IntoIterator<Item = (String, Value)>) -> (Map<String, Value>, Vec<String>) {
    let (mut united, mut shared) = (Map::new(), Vec::new());
    for (whose, schema) in all {
        let name = whose.split(OF_TYPE).next().unwrap_or_default();
        match united.get(name) {
            None => drop(united.insert(name.to_owned(), schema)),
            Some(first) if *first == schema => {}
            Some(_) => shared.push(whose),
        }
    }
    // Two of one name within one type.
    let numbered = |name: &&String| name.strip_suffix('2').is_some_and(|first| united.contains_key(first));
    shared.extend(united.keys().filter(numbered).cloned().collect::<Vec<_>>());
    (united, shared)
}

/// A reference to a named schema.
pub(crate) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// One member of an object.
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) schema: Value,
    /// Always there, be it as null.
    pub(crate) always: bool,
}

/// An object of these members.
pub(crate) fn object(doc: &str, members: Vec<Member>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for Member { name, doc, schema, always } in members {
        if always {
            required.push(name);
        }
        properties.insert(name.to_owned(), described(schema, doc));
    }
    described(json!({ "type": "object", "properties": properties, "required": required }), doc)
}

/// Adds a description, unless there is none to add.
pub(crate) fn described(mut schema: Value, doc: &str) -> Value {
    let doc = doc.trim();
    if let (Value::Object(keywords), false) = (&mut schema, doc.is_empty()) {
        keywords.insert("description".to_owned(), doc.into());
    }
    schema
}

/// The schema, or null.
pub(crate) fn nullable(schema: Value) -> Value {
    let simple = schema.get("type").and_then(Value::as_str).map(str::to_owned);
    match (simple, schema) {
        (Some(kind), Value::Object(mut keywords)) if !keywords.contains_key("enum") => {
            keywords.insert("type".to_owned(), json!([kind, "null"]));
            keywords.into()
        }
        // Anything at all is null, too.
        (_, Value::Object(keywords)) if keywords.is_empty() => keywords.into(),
        (_, schema) => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

/// Of which characters an id is.
pub(crate) trait Pattern {
    /// As a regular expression of JSON schema.
    const PATTERN: &'static str = ID_PATTERN;
}

impl Pattern for ProjectId {}
impl Pattern for TaskId {}
impl Pattern for InvocationId {}
impl Pattern for SessionId {}
impl Pattern for ToolId {}
impl Pattern for MessageId {}
impl Pattern for WorkerId {}
impl Pattern for AgentId {
    const PATTERN: &'static str = AGENT_ID_PATTERN;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(dead_code)]
    #[derive(JsonSchema)]
    #[schemars(rename = "Thing")]
    struct One {
        at: u64,
    }

    mod elsewhere {
        #[allow(dead_code)]
        #[derive(schemars::JsonSchema)]
        #[schemars(rename = "Thing")]
        pub(super) struct Other {
            at: String,
        }
    }
    use elsewhere::Other;

    #[allow(dead_code)]
    #[derive(JsonSchema)]
    #[schemars(rename = "Thing")]
    struct Alike {
        at: u64,
    }

    #[allow(dead_code)]
    #[derive(JsonSchema)]
    struct Both {
        one: One,
        other: Other,
    }

    #[test]
    fn two_different_schemas_of_one_name_are_told_in_whatever_order_they_come() {
        let gathered = |shapes: &[fn(&mut Components) -> Value]| {
            // As the framework does: every handler has its own, and they are thrown together.
            let all = shapes.iter().flat_map(|shape| {
                let mut components = Components::new();
                assert_eq!(shape(&mut components), reference("Thing"));
                let all = serde_json::to_value(&components.schemas).unwrap();
                all.as_object().unwrap().clone()
            });
            united(all)
        };
        let (schemas, conflicts) = gathered(&[One::shape, Other::shape, One::shape]);
        assert!(conflicts.len() == 1 && conflicts[0].ends_with("::Other"), "{conflicts:?}");
        assert_eq!(schemas["Thing"]["properties"]["at"]["type"], "integer");
        let (_, conflicts) = gathered(&[Other::shape, One::shape]);
        assert!(conflicts.len() == 1 && conflicts[0].ends_with("::One"), "{conflicts:?}");
        let (schemas, conflicts) = gathered(&[One::shape, Alike::shape]);
        assert_eq!((schemas.len(), conflicts.len()), (1, 0));
        // Within one type the library numbers them.
        let mut components = Components::new();
        Both::shape(&mut components);
        let all = serde_json::to_value(&components.schemas).unwrap();
        let (_, conflicts) = united(all.as_object().unwrap().clone());
        assert!(conflicts.len() == 1 && conflicts[0].starts_with("Thing2"), "{conflicts:?}");
    }
}
