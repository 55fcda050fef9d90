//! Which plugin handlers the workflows and deploy targets want, and whether the loaded plugins have them.
//!
//! `config::load` collects the wishes; the start-up, a reload and `nexusd check-config` compare them with what the
//! plugin host found, by [`unknown_handlers`].

use nexus_plugin_api::payload::{HandlerInfo, HandlerKind};

use super::problem::{Place, Problem, closest};

/// A handler somebody wants.
#[derive(Debug, Clone)]
pub struct HandlerUse {
    /// `plugin/handler`.
    pub handler: String,
    /// As what it is wanted.
    pub kind: HandlerKind,
    /// Who wants it, in words.
    pub user: String,
    /// Where that is written.
    pub place: Place,
}

/// A handler that a loaded plugin offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHandler {
    /// `plugin/handler`.
    pub name: String,
    /// What it does.
    pub kind: HandlerKind,
}

/// What plugins offer, from their names and descriptions.
#[must_use]
pub fn known_handlers<'a>(plugins: impl IntoIterator<Item = (&'a str, &'a [HandlerInfo])>) -> Vec<KnownHandler> {
    let of = |(plugin, handlers): (&'a str, &'a [HandlerInfo])| {
        handlers.iter().map(move |one| KnownHandler { name: format!("{plugin}/{}", one.name), kind: one.kind })
    };
    plugins.into_iter().flat_map(of).collect()
}

/// A problem for every wish that no loaded plugin fulfils.
#[must_use]
pub fn unknown_handlers(uses: &[HandlerUse], known: &[KnownHandler]) -> Vec<Problem> {
    let has = |wish: &&HandlerUse| known.iter().any(|one| one.name == wish.handler && one.kind == wish.kind);
    uses.iter().filter(|wish| !has(wish)).map(|wish| describe(wish, known)).collect()
}

fn describe(wish: &HandlerUse, known: &[KnownHandler]) -> Problem {
    let (user, handler, kind) = (&wish.user, &wish.handler, word(wish.kind));
    let plugin = handler.split('/').next().unwrap_or_default();
    let of_plugin = |one: &&KnownHandler| one.name.split('/').next() == Some(plugin);
    if known.iter().any(|one| one.name == *handler) {
        let message = format!("{user} wants `{handler}`, which is no {kind} handler");
        return Problem::new(wish.place.clone(), message);
    }
    let names = |of: &dyn Fn(&&KnownHandler) -> bool| -> Vec<&str> {
        known.iter().filter(|one| one.kind == wish.kind).filter(of).map(|one| one.name.as_str()).collect()
    };
    let similar = closest(handler, names(&|_| true)).map(|close| format!("did you mean `{close}`?"));
    if known.iter().any(|one| of_plugin(&one)) {
        let there = names(&of_plugin).join(", ");
        let message = format!("{user} wants `{handler}`, but the plugin `{plugin}` has no such {kind} handler");
        let there = if there.is_empty() { format!("it has no {kind} handlers") } else { format!("it has: {there}") };
        return Problem::new(wish.place.clone(), message).help(similar.unwrap_or(there));
    }
    let message = format!("{user} wants `{handler}`, but no plugin `{plugin}` is loaded");
    let list = "`nexusd plugins list` shows what was found, where it was searched, and why a file was refused";
    Problem::new(wish.place.clone(), message).help(similar.unwrap_or_else(|| list.to_owned()))
}

const fn word(kind: HandlerKind) -> &'static str {
    match kind {
        HandlerKind::Stage => "stage",
        HandlerKind::Deploy => "deploy",
    }
}
