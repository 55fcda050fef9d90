//! Paths that only the original's clients use: its login, its flat control paths, its forms of tools. Removable in one piece.

pub(crate) mod auth;
pub(crate) mod tools;
pub(crate) mod workflow;

use salvo::Router;

use super::at;

/// The paths. They stand before those of which a part is any name.
pub(crate) fn paths() -> Router {
    let auth = Router::with_path("auth")
        .push(Router::with_path("login").post(auth::login))
        .push(Router::with_path("logout").post(auth::logout))
        .push(Router::with_path("code").post(auth::take_code))
        .push(Router::with_path("link").post(auth::make_link))
        .push(at("me", || auth::me))
        .push(at("check", || auth::check));
    let tools =
        Router::with_path("tools").push(at("list", || tools::list)).push(at("categories", || tools::categories));
    Router::new().push(workflow::paths()).push(auth).push(tools)
}
