//! `/auth`: logging in, as the original's clients do by name and password, or by the code of a link that the daemon made.
//! Without access control any login succeeds, the answers say so, and the token opens nothing that is not open anyway.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use salvo::{
    Depot, Request, Response, Writer as _,
    http::{
        HeaderMap, StatusCode,
        header::{self, HeaderValue},
    },
    oapi::endpoint,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::{
    admin::plugins::NoFields,
    http::{
        access,
        error::ApiError,
        request::{
            extract::{Body, OptionalBody, State},
            rules::{Needed, Unsaid, Verbatim, fields_of},
        },
        request_id::RequestId,
        response::{Flat, FlatAnswer},
    },
    state::AppState,
};
use crate::{
    auth::{ADMIN, Shown, codes},
    config::AuthMode,
    domain::{caller::Role, secret::Secret},
};

/// Who everybody is without a login.
const ANYBODY: &str = "anonymous";
/// Marks a token that is worth nothing; behind it the user's name.
const TOKEN: &str = "open.";

fields_of! {
    /// Who wants to come in.
    pub(crate) LoginBody {
        username: Unsaid<Needed<1, 100>>,
        password: Unsaid<Verbatim<0, 1000>>,
    }
}

fields_of! {
    /// What a link of the daemon has behind `#code=`.
    pub(crate) CodeBody {
        code: Unsaid<Verbatim<1, 100>>,
    }
}

/// A login.
#[derive(Serialize, JsonSchema)]
struct LoggedIn {
    success: bool,
    access_token: String,
    /// `bearer`.
    token_type: &'static str,
    username: String,
    /// The mode: `token`, `keys`, `oidc`; with `none` there is no access control.
    auth: &'static str,
    message: &'static str,
}

/// Who the caller is.
#[derive(Serialize, JsonSchema)]
struct Me {
    success: bool,
    username: String,
    /// A credential came along, and is taken.
    authenticated: bool,
    /// The mode: `token`, `keys`, `oidc`; with `none` there is no access control.
    auth: &'static str,
    /// What he may; null for somebody who is not known.
    role: Option<Role>,
}

/// The end of a login.
#[derive(Serialize, JsonSchema)]
struct LoggedOut {
    success: bool,
    message: &'static str,
}

/// A way in, for one use.
#[derive(Serialize, JsonSchema)]
struct Link {
    /// Open the daemon's root with `#code=` and this behind it.
    code: String,
    expires_in_seconds: u64,
}

/// `POST /auth/login`
///
/// Log in by name and password. Without access control any login succeeds, and says so.
#[endpoint(operation_id = "login", tags("auth"), responses((status_code = 401, description = "Name or password is wrong.")))]
pub(crate) async fn login(
    state: State,
    req: &mut Request,
    depot: &mut Depot,
    body: Body<LoginBody>,
    res: &mut Response,
) -> FlatAnswer<LoggedIn> {
    let LoginBody { username, password } = body.0;
    if state.access.mode() == AuthMode::None {
        let access_token = format!("{TOKEN}{}", URL_SAFE_NO_PAD.encode(&username));
        set_cookie(res, &state, &access_token, None);
        let message = "this daemon has no access control: any login succeeds";
        return Ok(Flat::ok(logged_in(&state, access_token, username, message)));
    }
    let id = RequestId::of(depot);
    state.access.limits.failure(req.remote_addr().ip()).map_err(access::too_much)?;
    // A name that nobody has may be a password that was typed into the wrong line: the audit is no place for it.
    let known = state.access.users.find(&username).is_some();
    let who = if known { format!("user:{username}") } else { "user:unknown".to_owned() };
    let Some(user) = state.access.log_in(&username, Secret::new(password)).await else {
        access::note(req, &state, &id, [&who, "", "refused: wrong name or password"]).await;
        return Err(ApiError::plain(StatusCode::UNAUTHORIZED, "LOGIN_FAILED", "name or password is wrong"));
    };
    access::note(req, &state, &id, [&who, "", "allowed"]).await;
    let token = state.access.begin_session(Some((&username, &user))).await.map_err(ApiError::internal)?;
    let token = token.reveal().to_owned();
    set_cookie(res, &state, &token, Some(lasts(&state)));
    Ok(Flat::ok(logged_in(&state, token, username, "logged in")))
}

/// `POST /auth/code`
///
/// Log in as an admin by the code of a link that the daemon made.
#[endpoint(operation_id = "loginByCode", tags("auth"), responses((status_code = 401, description = "The code is not valid any more.")))]
pub(crate) async fn take_code(
    state: State,
    req: &mut Request,
    depot: &mut Depot,
    body: Body<CodeBody>,
    res: &mut Response,
) -> FlatAnswer<LoggedIn> {
    let Body(CodeBody { code }) = body;
    let id = RequestId::of(depot);
    state.access.limits.failure(req.remote_addr().ip()).map_err(access::too_much)?;
    if !state.access.take_code(&code) {
        access::note(req, &state, &id, ["code", "", "refused: unknown code"]).await;
        let message = "the code was used already, or its time is over: `nexusd login-link` prints another link";
        return Err(ApiError::plain(StatusCode::UNAUTHORIZED, "CODE_NOT_VALID", message));
    }
    access::note(req, &state, &id, ["code:admin", "", "allowed"]).await;
    let token = state.access.begin_session(None).await.map_err(ApiError::internal)?;
    let token = token.reveal().to_owned();
    set_cookie(res, &state, &token, Some(lasts(&state)));
    Ok(Flat::ok(logged_in(&state, token, ADMIN.to_owned(), "logged in")))
}

/// `POST /auth/link`
///
/// Make a code of one use, by which its bearer becomes an admin.
#[endpoint(operation_id = "makeLoginLink", tags("auth"))]
pub(crate) async fn make_link(state: State, body: OptionalBody<NoFields>) -> FlatAnswer<Link> {
    let OptionalBody(NoFields {}) = body;
    let code = state.access.make_code().reveal().to_owned();
    Ok(Flat::ok(Link { code, expires_in_seconds: codes::LASTS.as_secs() }))
}

/// `GET /auth/me`
///
/// Read who the caller is, by the bearer token or else the cookie.
#[endpoint(operation_id = "getMe", tags("auth"))]
pub(crate) async fn me(state: State, req: &mut Request, depot: &mut Depot) -> FlatAnswer<Me> {
    Ok(Flat::ok(who(&state, req.headers(), depot)))
}

/// `GET /auth/check`
///
/// Check the caller's login. Without access control everybody may come in.
#[endpoint(operation_id = "checkLogin", tags("auth"))]
pub(crate) async fn check(state: State, req: &mut Request, depot: &mut Depot) -> FlatAnswer<Me> {
    Ok(Flat::ok(who(&state, req.headers(), depot)))
}

/// `POST /auth/logout`
///
/// Log out. The session ends, and the cookie is taken back.
#[endpoint(operation_id = "logout", tags("auth"))]
pub(crate) async fn logout(
    state: State,
    req: &mut Request,
    body: OptionalBody<NoFields>,
    res: &mut Response,
) -> FlatAnswer<LoggedOut> {
    let OptionalBody(NoFields {}) = body;
    if let Some(Shown::Bearer(token) | Shown::Cookie(token)) = access::shown(req.headers()) {
        state.access.end_session(token).await;
    }
    set_cookie(res, &state, "", Some(0));
    Ok(Flat::ok(LoggedOut { success: true, message: "logged out" }))
}

fn logged_in(state: &AppState, access_token: String, username: String, message: &'static str) -> LoggedIn {
    let auth = state.access.mode().as_str();
    LoggedIn { success: true, access_token, token_type: "bearer", username, auth, message }
}

fn lasts(state: &AppState) -> u64 {
    state.config.load().auth.session_hours.duration().as_secs()
}

/// Puts the token where a page cannot read it; over TLS it goes nowhere else.
fn set_cookie(res: &mut Response, state: &AppState, token: &str, seconds: Option<u64>) {
    let config = state.config.load();
    let server = &config.server;
    let secure = !server.tls_certificate.as_os_str().is_empty() || server.public_base().starts_with("https://");
    let mut cookie = format!("{}={token}; HttpOnly; Path=/; SameSite=lax", access::COOKIE);
    if secure {
        cookie.push_str("; Secure");
    }
    if let Some(seconds) = seconds {
        cookie.push_str(&format!("; Max-Age={seconds}"));
    }
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        res.headers_mut().insert(header::SET_COOKIE, value);
    }
}

fn who(state: &AppState, headers: &HeaderMap, depot: &Depot) -> Me {
    let auth = state.access.mode().as_str();
    if state.access.mode() == AuthMode::None {
        let name = match access::shown(headers) {
            Some(Shown::Bearer(token) | Shown::Cookie(token)) => name_in(token),
            None => None,
        };
        let (authenticated, username) = (name.is_some(), name.unwrap_or_else(|| ANYBODY.to_owned()));
        return Me { success: true, authenticated, username, auth, role: Some(Role::Admin) };
    }
    let caller = access::caller(depot);
    Me {
        success: true,
        authenticated: caller.is_some(),
        username: caller.map_or_else(|| ANYBODY.to_owned(), |caller| caller.user_id.clone()),
        auth,
        role: caller.map(|caller| caller.role),
    }
}

fn name_in(token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(TOKEN)?).ok()?;
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty() && name.chars().count() <= 100)
}
