//! What a value looks like as JSON, told by its type: every answer's type has a [`Shape`], and so has
//! every rule of an input. A named shape stands once in the document and is referred to.

use salvo::oapi::{Components, Object, RefOr, Schema};
use serde_json::{Map, Value, json};

use crate::domain::{
    agent::{AgentStatus, InvocationStatus},
    control::{ControlAction, ControlStatus},
    event::EventType,
    failure::FailureKind,
    ids::{AgentId, InvocationId, MessageId, ProjectId, SessionId, TaskId, ToolId, WorkerId},
    project::{Priority, ProjectStatus},
    session::{Role, SessionStatus},
    stage::StageStatus,
    task::{TaskStatus, TaskType},
    time::Timestamp,
    tool::ToolSource,
};

/// Tells the JSON schema of a type's values.
pub(crate) trait Shape {
    /// The schema, or a reference to it after it was put into `components`.
    fn shape(components: &mut Components) -> Value;
}

/// A schema as the framework's document holds it: every keyword as it is.
pub(crate) fn raw(schema: Value) -> RefOr<Schema> {
    let mut object = Object::new();
    object.schema_type = salvo::oapi::schema::SchemaType::AnyValue;
    if let Value::Object(keywords) = schema {
        object.extensions = keywords.into_iter().collect();
    }
    RefOr::Type(Schema::object(object))
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
    (united, shared)
}

/// A reference to a named schema.
pub(crate) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The name that a reference ends with.
pub(crate) fn referred(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.rsplit('/').next()
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

/// The members of a shape that stands in `components`, for an object that has all of them and more.
pub(crate) fn members_of(components: &Components, reference: &Value) -> (Map<String, Value>, Vec<Value>) {
    let found = referred(reference).and_then(|name| {
        let is_it = |whose: &str| whose.split(OF_TYPE).next() == Some(name);
        components.schemas.iter().find_map(|(whose, schema)| is_it(whose).then_some(schema))
    });
    let schema = found.and_then(|schema| serde_json::to_value(schema).ok()).unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    (properties, required)
}

/// The shape of what a function gives: lets `describe!` find a member's type.
pub(crate) fn of_member<T: ?Sized, M: Shape + ?Sized>(components: &mut Components, _member: fn(&T) -> &M) -> Value {
    M::shape(components)
}

/// Tells the shape of a struct by its members; their types are the compiler's knowledge. Members
/// after `..` have their own members stand beside the others, `maybe` one can be left out.
macro_rules! describe {
    ($(#[doc = $doc:literal])* $type:ty as $name:literal {
        $(..$flat:ident;)*
        $($(#[doc = $mdoc:literal])* $(($maybe:ident))? $member:ident $(as $key:literal)?),* $(,)?
    }) => {
        impl $crate::api::openapi::Shape for $type {
            fn shape(components: &mut salvo::oapi::Components) -> serde_json::Value {
                use $crate::api::openapi::shape;
                shape::named::<$type>(components, $name, |components| {
                    #[allow(unused_mut)]
                    let mut members = Vec::new();
                    $(
                        #[allow(unused_variables)]
                        let key = stringify!($member);
                        $(let key = $key;)?
                        members.push(shape::Member {
                            name: key,
                            doc: concat!($($mdoc, "\n"),*),
                            schema: shape::of_member(components, |it: &$type| &it.$member),
                            always: { #[allow(unused)] let always = true; $(let $maybe = false; let always = $maybe;)? always },
                        });
                    )*
                    #[allow(unused_mut)]
                    let mut whole = shape::object(concat!($($doc, "\n"),*), members);
                    $(
                        let inner = shape::of_member(components, |it: &$type| &it.$flat);
                        shape::flatten(components, &mut whole, &inner);
                    )*
                    whole
                })
            }
        }
    };
}
pub(crate) use describe;

/// Adds the members of `inner` to `whole`.
pub(crate) fn flatten(components: &Components, whole: &mut Value, inner: &Value) {
    let (mut properties, mut required) = members_of(components, inner);
    let Value::Object(keywords) = whole else { return };
    if let Some(Value::Object(own)) = keywords.get_mut("properties") {
        properties.append(own);
    }
    if let Some(Value::Array(own)) = keywords.get_mut("required") {
        required.append(own);
    }
    keywords.insert("properties".to_owned(), properties.into());
    keywords.insert("required".to_owned(), required.into());
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

impl<T: Shape> Shape for Option<T> {
    fn shape(components: &mut Components) -> Value {
        nullable(T::shape(components))
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn shape(components: &mut Components) -> Value {
        json!({ "type": "array", "items": T::shape(components) })
    }
}

impl<T: Shape> Shape for std::collections::BTreeMap<String, T> {
    fn shape(components: &mut Components) -> Value {
        json!({ "type": "object", "additionalProperties": T::shape(components) })
    }
}

macro_rules! plain {
    ($($type:ty => $schema:tt),* $(,)?) => {
        $(impl Shape for $type {
            fn shape(_components: &mut Components) -> Value { json!($schema) }
        })*
    };
}

plain! {
    Value => {},
    Map<String, Value> => { "type": "object", "additionalProperties": true },
    bool => { "type": "boolean" },
    str => { "type": "string" },
    String => { "type": "string" },
    &'static str => { "type": "string" },
    i64 => { "type": "integer" },
    u32 => { "type": "integer", "minimum": 0 },
    u64 => { "type": "integer", "minimum": 0 },
    usize => { "type": "integer", "minimum": 0 },
    f64 => { "type": "number" },
    Priority => { "type": "integer", "minimum": 1, "maximum": 5 },
    Timestamp => { "type": "string", "format": "date-time", "examples": ["2026-01-27T09:14:29.123456Z"] },
}

/// The characters of an id, which daemon and original agree on.
pub(crate) const ID_PATTERN: &str = "^[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,127}$";

/// The same for agents, which the original may have given any name.
pub(crate) const AGENT_ID_PATTERN: &str = r"^[^./\\\x00-\x20\x7f][^/\\\x00-\x1f\x7f]{0,127}$";

macro_rules! ids {
    ($($type:ty, $name:literal, $doc:literal, $example:literal;)*) => {
        $(impl Shape for $type {
            fn shape(components: &mut Components) -> Value {
                named::<$type>(components, $name, |_| json!({
                    "type": "string", "pattern": <$type as Pattern>::PATTERN, "description": $doc, "examples": [$example],
                }))
            }
        })*
    };
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

ids! {
    ProjectId, "ProjectId", "A project.", "proj_3f9a0c1d2e4b";
    TaskId, "TaskId", "A task: one piece of queued work.", "task_3f9a0c1d2e4b";
    AgentId, "AgentId", "An agent.", "agent_3f9a0c1d2e4b";
    InvocationId, "InvocationId", "The record of one question to an agent.", "inv_3f9a0c1d2e4b";
    SessionId, "SessionId", "A conversation with an agent.", "sess-0b8f2f0e-8a52-4b3f-9c6e-1f2d3c4b5a69";
    ToolId, "ToolId", "A tool.", "tool_3f9a0c1d2e4b";
    MessageId, "MessageId", "A message: a ULID, so that ids sort by time.", "01JX3Q5Y2M8F7T6R4W1K0ZB9CD";
    WorkerId, "WorkerId", "A daemon.", "host-4711-9f3c";
}

/// Tells the shape of closed sets of words.
macro_rules! words {
    ($($type:ty, $name:literal, $doc:literal;)*) => {
        $(impl $crate::api::openapi::Shape for $type {
            fn shape(components: &mut salvo::oapi::Components) -> serde_json::Value {
                $crate::api::openapi::named::<$type>(components, $name, |_| {
                    let words: Vec<&str> = <$type>::ALL.iter().map(|word| word.as_str()).collect();
                    serde_json::json!({ "type": "string", "enum": words, "description": $doc })
                })
            }
        })*
    };
}
pub(crate) use words;

words! {
    FailureKind, "FailureKind", "What kind of failure it was.";
    ProjectStatus, "ProjectStatus", "Where a project is on its way to an agent.";
    StageStatus, "StageStatus", "Where a stage is.";
    TaskStatus, "TaskStatus", "Where a task is.";
    TaskType, "TaskType", "What a task does.";
    AgentStatus, "AgentStatus", "Whether an agent can be asked.";
    InvocationStatus, "InvocationStatus", "How a question to an agent ended.";
    ControlStatus, "ControlStatus", "What the project's user wants.";
    ControlAction, "ControlAction", "What to do with a project.";
    SessionStatus, "SessionStatus", "Whether a session takes messages.";
    Role, "Role", "Who speaks.";
    ToolSource, "ToolSource", "Where a tool comes from.";
    EventType, "EventType", "What an event tells.";
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One {
        at: u64,
    }
    struct Other {
        at: String,
    }
    struct Alike {
        at: u64,
    }

    describe! { One as "Thing" { at } }
    describe! { Other as "Thing" { at } }
    describe! { Alike as "Thing" { at } }

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
    }
}
