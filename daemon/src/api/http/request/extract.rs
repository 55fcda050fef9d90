//! What handlers take as arguments: the daemon's state, ids of the path, a query, a body. Each is read
//! before the handler runs, refused in the one form of errors, and tells the document what it is.

use std::{fmt, future::Future, ops::Deref, sync::Arc};

use salvo::{
    Depot, Extractible, Request,
    extract::Metadata,
    oapi::{Components, Content, EndpointArgRegister, Operation, Parameter, ParameterIn, RequestBody, Required},
};

use super::{
    input::{self, raw as raw_path},
    rules::{Described, Input, Place},
};
use crate::api::{
    http::{
        access,
        error::{ApiError, Resource},
        idempotency::Fingerprint,
    },
    openapi::{Pattern, described as with_description, named, object, raw, shape::Member},
    state::AppState,
};
use crate::domain::{
    caller::Caller,
    ids::{AgentId, ProjectId, SessionId, TaskId, ToolId},
};

static METADATA: std::sync::LazyLock<Metadata> = std::sync::LazyLock::new(|| Metadata::new(""));

/// Implements [`Extractible`] by a function of request and depot.
macro_rules! extracted {
    ([$($generics:tt)*] $type:ty, |$req:ident, $depot:ident| $read:expr) => {
        impl<'ex, $($generics)*> Extractible<'ex> for $type {
            fn metadata() -> &'static Metadata {
                &METADATA
            }
            #[allow(refining_impl_trait)]
            fn extract($req: &'ex mut Request, $depot: &'ex mut Depot) -> impl Future<Output = Result<Self, ApiError>> + Send {
                $read
            }
        }
    };
}

/// The state of the daemon, and who asks.
pub(crate) struct State(pub(crate) Arc<AppState>, pub(crate) Caller);

impl State {
    /// Who asks. The only place in which the API finds that out.
    pub(crate) fn of(depot: &Depot) -> Result<Self, ApiError> {
        Ok(Self(AppState::of(depot)?, access::permitted(depot).cloned().unwrap_or_else(Caller::nobody)))
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.1
    }
}

impl Deref for State {
    type Target = Arc<AppState>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

extracted!([] State, |_req, depot| std::future::ready(Self::of(depot)));

impl EndpointArgRegister for State {
    fn register(_components: &mut Components, _operation: &mut Operation, _arg: &str) {}
}

/// A thing that a path names by its id.
pub(crate) trait Named: std::str::FromStr + Send + Pattern {
    /// What it is.
    const RESOURCE: Resource;
    /// For the document.
    const DOC: &'static str;
}

macro_rules! named_things {
    ($($type:ty: $resource:ident, $doc:literal;)*) => {
        $(impl Named for $type {
            const RESOURCE: Resource = Resource::$resource;
            const DOC: &'static str = $doc;
        })*
    };
}

named_things! {
    ProjectId: Project, "The project's id.";
    TaskId: Task, "The task's id.";
    AgentId: Agent, "The agent's id.";
    SessionId: Session, "The session's id.";
    ToolId: Tool, "The tool's id.";
}

/// The id in the path; one that cannot be an id names nothing: 404.
pub(crate) struct Id<T>(pub(crate) T);

extracted!([T: Named + 'ex] Id<T>, |req, _depot| std::future::ready(input::id(req, T::RESOURCE).map(Self)));

impl<T: Named> EndpointArgRegister for Id<T> {
    fn register(_components: &mut Components, operation: &mut Operation, _arg: &str) {
        let schema = serde_json::json!({ "type": "string", "pattern": T::PATTERN, "minLength": 1, "maxLength": 128 });
        path_parameter(operation, "id", T::DOC, schema);
    }
}

fn path_parameter(operation: &mut Operation, name: &str, doc: &str, schema: serde_json::Value) {
    let parameter =
        Parameter::new(name).location(ParameterIn::Path).required(Required::True).description(doc).schema(raw(schema));
    operation.parameters.insert(parameter);
}

/// A further part of a path that is a plain text, decoded: its name in the path and its description.
pub(crate) trait PathPart: Send {
    /// As in the path.
    const NAME: &'static str;
    /// For the document.
    const DOC: &'static str;
}

/// See [`PathPart`].
pub(crate) struct Part<P> {
    pub(crate) text: String,
    part: std::marker::PhantomData<fn() -> P>,
}

extracted!([P: PathPart + 'ex] Part<P>, |req, _depot| {
    let text = raw_path(req, P::NAME).to_owned();
    std::future::ready(Ok(Self { text, part: std::marker::PhantomData }))
});

impl<P: PathPart> EndpointArgRegister for Part<P> {
    fn register(_components: &mut Components, operation: &mut Operation, _arg: &str) {
        // A slash, a dot segment or an empty part would name another path.
        let schema = serde_json::json!({ "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$" });
        path_parameter(operation, P::NAME, P::DOC, schema);
    }
}

/// Names parts of paths.
macro_rules! path_parts {
    ($($(#[doc = $doc:literal])* $vis:vis $name:ident = $key:literal;)*) => {
        $(
            $(#[doc = $doc])*
            $vis struct $name;
            impl $crate::api::http::request::extract::PathPart for $name {
                const NAME: &'static str = $key;
                const DOC: &'static str = concat!($($doc),*);
            }
        )*
    };
}
pub(crate) use path_parts;

path_parts! {
    /// The stage's name, also an old one.
    pub(crate) StageName = "stage";
    /// The tool's name, without or with `.py`.
    pub(crate) ToolName = "name";
    /// The key's id.
    pub(crate) KeyId = "key";
    /// The file's name.
    pub(crate) ConfigName = "file";
    /// The file's path, relative to the project's folder; slashes are part of it.
    pub(crate) FilePath = "path";
}

/// The query.
pub(crate) struct Query<I>(pub(crate) I);

extracted!([I: Input + 'ex] Query<I>, |req, _depot| {
    let mut fields = input::query(req);
    let read = I::read(&mut fields);
    std::future::ready(fields.finish().map(|()| Self(read)))
});

impl<I: Input> EndpointArgRegister for Query<I> {
    fn register(_components: &mut Components, operation: &mut Operation, _arg: &str) {
        for Described { name, doc, schema, required } in I::describe(Place::Query) {
            let required = if required { Required::True } else { Required::False };
            let parameter = Parameter::new(name)
                .location(ParameterIn::Query)
                .required(required)
                .description(doc.trim())
                .schema(raw(schema));
            operation.parameters.insert(parameter);
        }
    }
}

/// A JSON body that must be there.
pub(crate) struct Body<I>(pub(crate) I);

extracted!([I: Input + 'ex] Body<I>, |req, depot| async move {
    let limit = AppState::of(depot)?.body_limit();
    let mut fields = input::body(req, limit).await?;
    Fingerprint::take(req, depot, || fields.canonical());
    let read = I::read(&mut fields);
    fields.finish().map(|()| Self(read))
});

/// A JSON body that may be missing, which is as good as `{}`.
pub(crate) struct OptionalBody<I>(pub(crate) I);

extracted!([I: Input + 'ex] OptionalBody<I>, |req, depot| async move {
    let limit = AppState::of(depot)?.body_limit();
    let mut fields = input::optional_body(req, limit).await?;
    Fingerprint::take(req, depot, || fields.canonical());
    let read = I::read(&mut fields);
    fields.finish().map(|()| Self(read))
});

/// A JSON body that may be large, since it brings files.
pub(crate) struct LargeBody<I>(pub(crate) I);

extracted!([I: Input + 'ex] LargeBody<I>, |req, depot| async move {
    let limit = AppState::of(depot)?.upload_limit();
    let mut fields = input::body(req, limit).await?;
    Fingerprint::take(req, depot, || fields.canonical());
    let read = I::read(&mut fields);
    fields.finish().map(|()| Self(read))
});

fn json_body<I: Input>(components: &mut Components, operation: &mut Operation, required: bool) {
    let schema = named::<I>(components, I::NAME, |_| {
        let member = |d: Described| Member { name: d.name, doc: d.doc, schema: d.schema, always: d.required };
        let members = I::describe(Place::Body).into_iter().map(member).collect();
        with_description(object("", members), I::DOC)
    });
    let required = if required { Required::True } else { Required::False };
    let body = RequestBody::new()
        .required(required)
        .description(I::DOC.trim())
        .add_content("application/json", Content::new(raw(schema)));
    operation.request_body = Some(body);
}

macro_rules! registers_body {
    ($($type:ident, $required:literal;)*) => {
        $(impl<I: Input> EndpointArgRegister for $type<I> {
            fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
                json_body::<I>(components, operation, $required);
            }
        })*
    };
}

registers_body! {
    Body, true;
    LargeBody, true;
    OptionalBody, false;
}

impl<T: fmt::Debug> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
