//! The gate in front of every operation: who calls, how much of it, and whether he may. A handler runs only behind a
//! permit, which [`Policy::check`] alone makes; what is refused, and what changes something, is in the audit.

use std::{
    borrow::Cow,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt as _;

use salvo::{
    Depot, Request, Response,
    http::{
        Method, ResBody, StatusCode,
        header::{self, HeaderMap},
    },
};

use super::{
    error::{ApiError, Resource as Thing},
    load_shedding, origins,
    request::input,
    request_id::RequestId,
    rules::{self, About, Rule},
};
use crate::{
    api::state::AppState,
    auth::{
        Shown,
        audit::Entry,
        book::Look,
        limits::{StreamPermit, TooMuch},
        policy::{Denial, Permit, Policy, Resource},
    },
    config::AuthMode,
    domain::{
        caller::{Caller, Right, Role},
        ids::{AgentId, ProjectId, SessionId, TaskId},
        time::Timestamp,
    },
};

/// The cookie of a login.
pub(crate) const COOKIE: &str = "access_token";
/// Operations that everybody may call and that say who calls.
const WAYS_IN: &str = "/api/v2/auth/";

/// On which side of the house a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// The network: whoever it is must show it.
    Network,
    /// The Unix socket: the kernel has said that it is the daemon's user or root.
    Socket,
}

/// Who calls, and the permit that he was given. Made by the gate alone.
#[derive(Clone, Debug)]
struct By {
    caller: Option<Caller>,
    permit: Option<Permit>,
}

/// Lets a request in, or says why not. Who calls stands in the depot afterwards.
pub(crate) async fn admit(
    req: &Request,
    depot: &mut Depot,
    state: &Arc<AppState>,
    entrance: Entrance,
    id: &RequestId,
) -> Result<(), ApiError> {
    let route = rules::route(req.matched_path());
    let Some(rule) = rules::of(req.method(), &route) else {
        return Err(ApiError::internal(format!("{} {route} has no rule of access", req.method())));
    };
    let address = req.remote_addr().ip();
    if let Some(address) = address {
        state.access.limits.address(address).map_err(too_much)?;
    }
    let Some(rule) = rule else {
        // Open to everybody; also to somebody whose credential is worth nothing. The health is told whatever the store does.
        let found = if route.starts_with(WAYS_IN) { identify(req, state, entrance).await.ok() } else { None };
        let caller = found.and_then(|found| if let Found::Caller(caller) = found { Some(caller) } else { None });
        depot.insert_typed(By { caller, permit: None });
        return Ok(());
    };
    let gate = Gate { req, state, id, address };
    let caller = match identify(req, state, entrance).await? {
        Found::Caller(caller) => caller,
        Found::Nobody => return Err(gate.unknown("nobody", "this needs a credential").await),
        Found::Worthless => return Err(gate.unknown("unknown", "the credential is not valid, or not any more").await),
    };
    state.access.limits.request(&caller).map_err(too_much)?;
    let permit = gate.permit(&caller, rule).await?;
    if load_shedding::is_stream(req)
        && let Some(held) = state.access.limits.stream(&caller).map_err(too_much)?
    {
        depot.insert_typed(HeldStream(Mutex::new(Some(held))));
    }
    depot.insert_typed(By { caller: Some(caller), permit: Some(permit) });
    Ok(())
}

/// A stream of a caller that counts as open.
struct HeldStream(Mutex<Option<StreamPermit>>);

/// Lets the stream of an answer count until it ends. What turned out to be no stream counts no longer.
pub(crate) fn hold_stream_permit(depot: &Depot, res: &mut Response) {
    let Ok(held) = depot.get_typed::<HeldStream>() else { return };
    let permit = held.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(permit) = permit else { return };
    match res.take_body() {
        ResBody::Stream(body) => res.stream(body.into_inner().inspect(move |_| {
            let _open = &permit;
        })),
        other => drop(res.replace_body(other)),
    }
}

/// Who sends a request.
enum Found {
    Caller(Caller),
    /// Nothing is shown.
    Nobody,
    /// What is shown is worth nothing.
    Worthless,
}

async fn identify(req: &Request, state: &AppState, entrance: Entrance) -> Result<Found, ApiError> {
    if entrance == Entrance::Socket {
        return Ok(Found::Caller(Caller::new("socket:admin", Role::Admin, crate::auth::ADMIN)));
    }
    if state.access.mode() == AuthMode::None {
        return Ok(Found::Caller(Caller::anonymous()));
    }
    let Some(shown) = shown(req.headers()) else { return Ok(Found::Nobody) };
    if matches!(shown, Shown::Cookie(_)) && !origins::judge(req, &state.config.load().server).may_bring_cookies() {
        return Ok(Found::Nobody);
    }
    let barred = state.access.limits.is_barred(req.remote_addr().ip());
    let look = if barred { Look::MemoryOnly } else { Look::Store };
    Ok(state.access.identify(shown, look).await?.map_or(Found::Worthless, Found::Caller))
}

/// What the request brings: the bearer token first, then the cookie.
pub(crate) fn shown(headers: &HeaderMap) -> Option<Shown<'_>> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        // Another scheme, or no text, is a credential that is worth nothing.
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        return Some(Shown::Bearer(token.map_or("", |(_, token)| token.trim())));
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|line| line.split(';'));
    let cookie = cookies.find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    cookie.filter(|cookie| !cookie.is_empty()).map(Shown::Cookie)
}

/// One request at the gate.
struct Gate<'a> {
    req: &'a Request,
    state: &'a AppState,
    id: &'a RequestId,
    address: Option<IpAddr>,
}

impl Gate<'_> {
    /// The refusal of somebody who is not known.
    async fn unknown(&self, name: &str, why: &'static str) -> ApiError {
        if let Err(over) = self.state.access.limits.failure(self.address) {
            // Not in the audit: nobody fills the disk by being refused.
            return too_much(over);
        }
        self.note(name, "", "refused: unknown").await;
        ApiError::plain(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", why)
    }

    async fn permit(&self, caller: &Caller, rule: Rule) -> Result<Permit, ApiError> {
        // Everything is an admin's, so nobody asks whose it is.
        let whole = caller.is_admin() && caller.scopes.agents.is_none();
        let (resource, missing) = self.resource(rule.about, whole).await?;
        let policy = Policy { code_is_editable: self.state.config.load().agents.editable };
        let id = input::raw(self.req, "id");
        let named = if id.is_empty() { String::new() } else { format!("{:?}:{id}", rule.about).to_ascii_lowercase() };
        let decided = match &resource {
            Some(resource) => policy.check(caller, rule.right, resource),
            // What is not there is told as what may not be seen.
            None => Err(Denial::Hidden),
        };
        let permit = match decided {
            Ok(permit) => permit,
            Err(denial) => {
                if resource.is_some() {
                    self.note(&caller.name, &named, &format!("refused: {denial}")).await;
                }
                return Err(refusal(denial, missing, id));
            }
        };
        let now = Timestamp::now();
        match rule.right {
            Right::Build => self.state.access.limits.build(caller, now).map_err(too_much)?,
            Right::Converse => self.state.access.limits.answers(caller, now).map_err(too_much)?,
            _ => {}
        }
        if changes(self.req.method()) {
            self.note(&caller.name, &named, "allowed").await;
        }
        Ok(permit)
    }

    /// What the operation is about, and what it is called when it is not there. `None`: it is not.
    async fn resource(&self, about: About, whole: bool) -> Result<(Option<Resource<'static>>, Thing), ApiError> {
        let id = input::raw(self.req, "id");
        let store = &self.state.store;
        let nobodys = || Some(Cow::Borrowed(""));
        Ok(match about {
            About::Daemon => (Some(Resource::Daemon), Thing::File),
            About::Everything => (Some(Resource::Everything), Thing::File),
            About::Own => (Some(Resource::Own), Thing::File),
            About::Project if whole => (Some(Resource::Project { owner: Cow::Borrowed("") }), Thing::Project),
            About::Task if whole => (Some(Resource::Project { owner: Cow::Borrowed("") }), Thing::Task),
            About::Agent if whole => (Some(Resource::Agent { id: Cow::Borrowed(""), owner: nobodys() }), Thing::Agent),
            About::Session if whole => {
                (Some(Resource::Session { agent: Cow::Borrowed(""), owner: nobodys() }), Thing::Session)
            }
            About::Project => (self.project(id.parse().ok()).await?, Thing::Project),
            About::Task => {
                let task = match id.parse::<TaskId>() {
                    Ok(id) => store.task(&id).await?,
                    Err(_) => None,
                };
                (self.project(task.map(|task| task.project_id)).await?, Thing::Task)
            }
            About::Agent => (agent(self.state, id).await?, Thing::Agent),
            About::Session => (session(self.state, id).await?, Thing::Session),
        })
    }

    async fn project(&self, id: Option<ProjectId>) -> Result<Option<Resource<'static>>, ApiError> {
        let Some(id) = id else { return Ok(None) };
        let found = self.state.store.project(&id).await?;
        Ok(found.map(|project| Resource::Project { owner: project.user_id.into() }))
    }

    async fn note(&self, caller: &str, resource: &str, outcome: &str) {
        note(self.req, self.state, self.id, [caller, resource, outcome]).await;
    }
}

/// Adds a line to the audit: who, of what, and what came of it.
pub(crate) async fn note(req: &Request, state: &AppState, id: &RequestId, [caller, resource, outcome]: [&str; 3]) {
    let address = req.remote_addr().ip();
    let entry = Entry {
        at: Timestamp::now(),
        caller: caller.to_owned(),
        address: address.map_or_else(|| "socket".to_owned(), |address| address.to_canonical().to_string()),
        action: format!("{} {}", req.method(), rules::route(req.matched_path())),
        resource: resource.to_owned(),
        outcome: outcome.to_owned(),
        request_id: id.to_string(),
    };
    state.access.audit.note(entry).await;
}

const fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// An agent, with the owner of its project.
async fn agent(state: &AppState, id: &str) -> Result<Option<Resource<'static>>, ApiError> {
    let Ok(id) = id.parse::<AgentId>() else { return Ok(None) };
    let Some(agent) = state.store.agent(&id).await? else { return Ok(None) };
    let project = match &agent.project_id {
        Some(project) => state.store.project(project).await?,
        None => None,
    };
    let owner = project.map(|project| Cow::Owned(project.user_id));
    Ok(Some(Resource::Agent { id: Cow::Owned(id.to_string()), owner }))
}

/// A conversation.
async fn session(state: &AppState, id: &str) -> Result<Option<Resource<'static>>, ApiError> {
    let Ok(id) = id.parse::<SessionId>() else { return Ok(None) };
    let found = state.store.session(&id).await?;
    Ok(found.map(|session| Resource::Session {
        agent: Cow::Owned(session.agent_id.to_string()),
        owner: session.user_id.map(Cow::Owned),
    }))
}

fn refusal(denial: Denial, missing: Thing, id: &str) -> ApiError {
    match denial {
        Denial::Hidden => ApiError::not_found(missing, id),
        Denial::SwitchedOff => ApiError::plain(StatusCode::FORBIDDEN, "CODE_NOT_EDITABLE", denial.to_string()),
        _ => ApiError::plain(StatusCode::FORBIDDEN, "FORBIDDEN", denial.to_string()),
    }
}

pub(crate) fn too_much(over: TooMuch) -> ApiError {
    ApiError::TooMany { message: over.to_string(), after: over.after }
}

/// Who calls. Without a gate, as in the paths of a daemon that serves no interface, nobody does.
pub(crate) fn caller(depot: &Depot) -> Option<&Caller> {
    depot.get_typed::<By>().ok().and_then(|by| by.caller.as_ref())
}

/// Who calls, when he was permitted to.
pub(crate) fn permitted(depot: &Depot) -> Option<&Caller> {
    depot.get_typed::<By>().ok().filter(|by| by.permit.is_some()).and_then(|by| by.caller.as_ref())
}
