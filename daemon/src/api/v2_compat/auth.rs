//! `/auth`: logging in, as the original's clients do. There is no access control in this version: any login
//! succeeds, the answers say so, and the token opens nothing that is not open anyway.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use salvo::{
    Request, Response, Writer as _,
    http::{
        HeaderMap,
        header::{self, HeaderValue},
    },
    oapi::endpoint,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::{
    admin::plugins::NoFields,
    http::{
        error::ApiError,
        request::{
            extract::{Body, OptionalBody},
            rules::{Needed, Verbatim, fields_of},
        },
        response::{Flat, FlatAnswer},
    },
};

/// The way in which callers are known. Further ways come with access control.
const MODE: &str = "none";
/// Who everybody is without a login.
const ANYBODY: &str = "anonymous";
/// Marks a token of this kind; behind it the user's name.
const TOKEN: &str = "open.";

fields_of! {
    /// Who wants to come in.
    pub(crate) LoginBody {
        username: Needed<1, 100>,
        password: Verbatim<0, 1000>,
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
    /// `none`: there is no access control.
    auth: &'static str,
    message: &'static str,
}

/// Who the caller is.
#[derive(Serialize, JsonSchema)]
struct Me {
    success: bool,
    username: String,
    /// A token came along.
    authenticated: bool,
    /// `none`: there is no access control.
    auth: &'static str,
}

/// The end of a login.
#[derive(Serialize, JsonSchema)]
struct LoggedOut {
    success: bool,
    message: &'static str,
}

/// `POST /auth/login`
///
/// Log in. Without access control any login succeeds, and says so.
#[endpoint(operation_id = "login", tags("auth"))]
pub(crate) async fn login(body: Body<LoginBody>, res: &mut Response) -> FlatAnswer<LoggedIn> {
    let LoginBody { username, password } = body.0;
    // There is nothing to compare it with.
    drop(password);
    let access_token = format!("{TOKEN}{}", URL_SAFE_NO_PAD.encode(&username));
    set_cookie(res, &format!("access_token={access_token}; HttpOnly; Path=/; SameSite=lax"));
    let message = "this daemon has no access control: any login succeeds";
    Ok(Flat::ok(LoggedIn { success: true, access_token, token_type: "bearer", username, auth: MODE, message }))
}

/// `GET /auth/me`
///
/// Read who the caller is, by the bearer token or else the cookie.
#[endpoint(operation_id = "getMe", tags("auth"))]
pub(crate) async fn me(req: &mut Request) -> FlatAnswer<Me> {
    Ok(Flat::ok(who(req.headers())))
}

/// `GET /auth/check`
///
/// Check the caller's login. Without access control everybody may come in.
#[endpoint(operation_id = "checkLogin", tags("auth"))]
pub(crate) async fn check(req: &mut Request) -> FlatAnswer<Me> {
    Ok(Flat::ok(who(req.headers())))
}

/// `POST /auth/logout`
///
/// Log out. The cookie is taken back.
#[endpoint(operation_id = "logout", tags("auth"))]
pub(crate) async fn logout(body: OptionalBody<NoFields>, res: &mut Response) -> FlatAnswer<LoggedOut> {
    let OptionalBody(NoFields {}) = body;
    set_cookie(res, "access_token=; HttpOnly; Path=/; SameSite=lax; Max-Age=0");
    Ok(Flat::ok(LoggedOut { success: true, message: "logged out" }))
}

/// Whether the caller may see and change settings. Everybody may while there is no access control; every
/// path that is for administrators asks here.
///
/// # Errors
/// The caller may not.
#[allow(clippy::unnecessary_wraps, reason = "access control will refuse some")]
pub(crate) fn admin(_req: &HeaderMap) -> Result<(), ApiError> {
    Ok(())
}

fn set_cookie(res: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        res.headers_mut().insert(header::SET_COOKIE, value);
    }
}

/// Bearer token first, then cookie.
fn who(headers: &HeaderMap) -> Me {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|line| line.split(';'));
    let cookie = || cookies.find_map(|cookie| cookie.trim().strip_prefix("access_token="));
    let name = bearer.or_else(cookie).and_then(name_in);
    Me {
        success: true,
        authenticated: name.is_some(),
        username: name.unwrap_or_else(|| ANYBODY.to_owned()),
        auth: MODE,
    }
}

fn name_in(token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(TOKEN)?).ok()?;
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty() && name.chars().count() <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bearer_token_comes_first() {
        let token = |name: &str| format!("{TOKEN}{}", URL_SAFE_NO_PAD.encode(name));
        let mut headers = HeaderMap::new();
        assert!(!who(&headers).authenticated);
        let cookie = format!("a=b; access_token={}; c=d", token("cookie"));
        headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
        assert_eq!(who(&headers).username, "cookie");
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("bearer {}", token("bearer"))).unwrap());
        assert_eq!(who(&headers).username, "bearer");
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer nonsense"));
        assert_eq!((who(&headers).username.as_str(), who(&headers).authenticated), (ANYBODY, false));
    }
}
