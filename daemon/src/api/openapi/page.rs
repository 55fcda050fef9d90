//! `/docs`: the page that shows the document. Everything it needs is in the binary, so it works without
//! the internet.

use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, handler,
    http::header::{self, HeaderValue},
    oapi::swagger_ui::SwaggerUi,
};

use crate::{
    api::{
        http::{
            error::{ApiError, Resource},
            request::input,
        },
        state::AppState,
    },
    config::AuthMode,
};

/// What a page says where there is no access control.
const OPEN_HOUSE: &str = "<p role=\"alert\"><strong>There is no access control: whoever reaches this address may do \
                          everything ([auth] mode = \"none\").</strong></p>";

/// Without inline scripts, which the page's security policy forbids.
const PAGE: &str = include_str!("docs.html");
const START: &str = include_str!("docs.js");

/// What the page loads of the viewer that comes with the framework.
const VIEWER: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"];

/// `GET /docs`
#[handler]
pub(crate) async fn docs(req: &mut Request, depot: &mut Depot, res: &mut Response) {
    // Links are relative, so that the page works below the path of a proxy; seen from `/docs/` they begin one above.
    let page = if req.uri().path().ends_with('/') {
        PAGE.replace("\"docs/", "\"../docs/").replace("\"openapi.json", "\"../openapi.json")
    } else {
        PAGE.to_owned()
    };
    let open = AppState::of(depot).is_ok_and(|state| state.access.mode() == AuthMode::None);
    let page = if open { page.replace("<body>", &format!("<body>\n{OPEN_HOUSE}")) } else { page };
    put(res, "text/html; charset=utf-8", page);
}

/// `GET /docs/{file}`
#[handler]
pub(crate) async fn docs_file(
    req: &mut Request,
    depot: &mut Depot,
    res: &mut Response,
    ctrl: &mut FlowCtrl,
) -> Result<(), ApiError> {
    let name = input::raw(req, "file").to_owned();
    if name == "docs.js" {
        put(res, "text/javascript; charset=utf-8", START);
    } else if VIEWER.contains(&name.as_str()) {
        SwaggerUi::new("/openapi.json").handle(req, depot, res, ctrl).await;
        res.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    } else {
        return Err(ApiError::not_found(Resource::File, &name));
    }
    Ok(())
}

fn put(res: &mut Response, kind: &'static str, text: impl Into<bytes::Bytes>) {
    res.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let text: bytes::Bytes = text.into();
    res.replace_body(text.into());
}
