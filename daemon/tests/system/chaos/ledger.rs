//! What the daemons acknowledged, kept by the clients; the oracle holds the daemons to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::trace::Trace;

/// Whether a thing must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was acknowledged, and nobody asked for its end.
    #[default]
    Here,
    /// Its end was asked for, and no answer came.
    Unknown,
    /// Its end was asked for once and refused or not answered: it is there as a whole, or not at all.
    Either,
    /// Its end was acknowledged.
    Gone,
}

/// What a project builds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing but a few files.
    #[default]
    Files,
    /// A small agent.
    Agent,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Project {
    pub(super) kind: Kind,
    pub(super) fate: Fate,
    /// A stop was asked for.
    pub(super) stopped: bool,
    /// Restarts that were asked for.
    pub(super) restarts: u64,
    /// Events that were told by a stream: number, and what.
    pub(super) told: BTreeMap<u64, String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Agent {
    pub(super) project: String,
    pub(super) fate: Fate,
    /// Its project was deleted and it stays.
    pub(super) kept: bool,
    /// Versions of its code that may answer.
    pub(super) versions: BTreeSet<u32>,
    /// Answers by the id of their invocation.
    pub(super) answers: BTreeMap<String, String>,
    /// Questions without an answer: each may be recorded.
    pub(super) unanswered: u64,
    /// Tasks that deploy it.
    pub(super) tasks: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) agent: String,
    pub(super) fate: Fate,
    /// Content of messages by their id.
    pub(super) messages: BTreeMap<String, String>,
    /// Content of messages that must be there, whose ids nobody told.
    pub(super) said: BTreeSet<String>,
    /// Content of messages whose acknowledgement was lost.
    pub(super) perhaps: BTreeSet<String>,
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) what: String,
    pub(super) ids: Vec<String>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) projects: BTreeMap<String, Project>,
    /// Keys of requests for a project that were given up: at most one project each.
    pub(super) perhaps: Vec<String>,
    pub(super) agents: BTreeMap<String, Agent>,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) violations: Vec<Violation>,
    /// Requests by what became of them.
    pub(super) requests: BTreeMap<String, u64>,
}

/// The ledger, and the trace beside it.
pub(super) struct Ledger {
    pub(super) trace: Trace,
    state: Mutex<State>,
}

impl Ledger {
    pub(super) fn new(name: &str) -> Self {
        Self { trace: Trace::new(name), state: Mutex::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something that must not be; the same is noted once.
    pub(super) fn violation(&self, what: impl Into<String>, ids: &[&str]) {
        let violation = Violation { what: what.into(), ids: ids.iter().map(ToString::to_string).collect() };
        self.trace.say("VIOLATION", format!("{} {:?}", violation.what, violation.ids));
        let known = &mut self.state().violations;
        if !known.iter().any(|other| other.what == violation.what && other.ids == violation.ids) {
            known.push(violation);
        }
    }

    /// Notes it unless `holds`.
    pub(super) fn check(&self, holds: bool, ids: &[&str], what: impl FnOnce() -> String) {
        if !holds {
            self.violation(what(), ids);
        }
    }

    pub(super) fn project<T>(&self, id: &str, change: impl FnOnce(&mut Project) -> T) -> T {
        change(self.state().projects.entry(id.to_owned()).or_default())
    }

    pub(super) fn agent<T>(&self, id: &str, change: impl FnOnce(&mut Agent) -> T) -> T {
        change(self.state().agents.entry(id.to_owned()).or_default())
    }

    pub(super) fn session<T>(&self, id: &str, change: impl FnOnce(&mut Session) -> T) -> T {
        change(self.state().sessions.entry(id.to_owned()).or_default())
    }

    /// All violations with what the trace says about them.
    pub(super) fn report(&self) -> String {
        let violations = self.state().violations.clone();
        let told = |violation: &Violation| {
            format!("- {} {:?}\n{}", violation.what, violation.ids, self.trace.about(&violation.ids))
        };
        violations.iter().map(told).collect()
    }
}
