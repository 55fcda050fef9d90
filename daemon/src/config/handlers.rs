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

/// A plugin that was found and not loaded.
#[derive(Debug, Clone)]
pub struct RefusedPlugin {
    pub name: String,
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// A problem for every wish that no loaded plugin fulfils; one for all that want the same missing plugin.
#[must_use]
pub fn unknown_handlers(uses: &[HandlerUse], known: &[KnownHandler], refused: &[RefusedPlugin]) -> Vec<Problem> {
    let has = |wish: &&HandlerUse| known.iter().any(|one| one.name == wish.handler && one.kind == wish.kind);
    let has_plugin = |plugin: &str| known.iter().any(|one| plugin_of(&one.name) == plugin);
    let (mut problems, mut absent) = (Vec::new(), Vec::<&str>::new());
    for wish in uses.iter().filter(|wish| !has(wish)) {
        let plugin = plugin_of(&wish.handler);
        if has_plugin(plugin) {
            problems.push(describe(wish, known));
        } else if !absent.contains(&plugin) {
            absent.push(plugin);
            let others = uses.iter().filter(|other| plugin_of(&other.handler) == plugin).count() - 1;
            let refused = refused.iter().find(|one| one.name == plugin);
            problems.push(describe_absent(wish, others, known, refused));
        }
    }
    problems
}

fn plugin_of(handler: &str) -> &str {
    handler.split('/').next().unwrap_or_default()
}

fn describe_absent(
    wish: &HandlerUse,
    others: usize,
    known: &[KnownHandler],
    refused: Option<&RefusedPlugin>,
) -> Problem {
    let plugin = plugin_of(&wish.handler);
    let more = match others {
        0 => String::new(),
        1 => " (and one more wants this plugin)".to_owned(),
        many => format!(" (and {many} more want this plugin)"),
    };
    if let Some(RefusedPlugin { reason, remedy, .. }) = refused {
        let message =
            format!("{} wants `{}`, but the plugin `{plugin}` is refused{more}: {reason}", wish.user, wish.handler);
        return Problem::new(wish.place.clone(), message).help(remedy);
    }
    let message = format!("{} wants `{}`, but no plugin `{plugin}` is loaded{more}", wish.user, wish.handler);
    let help = match closest(plugin, known.iter().map(|one| plugin_of(&one.name))) {
        Some(close) => format!("did you mean the plugin `{close}`?"),
        None => {
            "`nexusd plugins list` shows what was found, where it was searched, and why a file was refused".to_owned()
        }
    };
    Problem::new(wish.place.clone(), message).help(help)
}

fn describe(wish: &HandlerUse, known: &[KnownHandler]) -> Problem {
    let (user, handler, kind) = (&wish.user, &wish.handler, word(wish.kind));
    let plugin = plugin_of(handler);
    let of_plugin = |one: &&KnownHandler| plugin_of(&one.name) == plugin;
    if known.iter().any(|one| one.name == *handler) {
        let message = format!("{user} wants `{handler}`, which is no {kind} handler");
        return Problem::new(wish.place.clone(), message);
    }
    let names = |of: &dyn Fn(&&KnownHandler) -> bool| -> Vec<&str> {
        known.iter().filter(|one| one.kind == wish.kind).filter(of).map(|one| one.name.as_str()).collect()
    };
    let similar = closest(handler, names(&|_| true)).map(|close| format!("did you mean `{close}`?"));
    let there = names(&of_plugin).join(", ");
    let there = if there.is_empty() { format!("it has no {kind} handlers") } else { format!("it has: {there}") };
    let message = format!("{user} wants `{handler}`, but the plugin `{plugin}` has no such {kind} handler");
    Problem::new(wish.place.clone(), message).help(similar.unwrap_or(there))
}

const fn word(kind: HandlerKind) -> &'static str {
    match kind {
        HandlerKind::Stage => "stage",
        HandlerKind::Deploy => "deploy",
    }
}
