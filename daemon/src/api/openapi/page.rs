//! `/docs`: the page that shows the document. Everything it needs is in the binary, so it works without
//! the internet.

use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, handler,
    http::header::{self, HeaderValue},
    oapi::swagger_ui::SwaggerUi,
};

use super::super::{
    error::{ApiError, Resource},
    input,
};

/// Without inline scripts, which the page's security policy forbids.
const PAGE: &str = include_str!("docs.html");
const START: &str = include_str!("docs.js");

/// What the page loads of the viewer that comes with the framework.
const VIEWER: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"];

/// `GET /docs`
#[handler]
pub(in crate::api) async fn docs(res: &mut Response) {
    put(res, "text/html; charset=utf-8", PAGE);
}

/// `GET /docs/{file}`
#[handler]
pub(in crate::api) async fn docs_file(
    req: &mut Request,
    depot: &mut Depot,
    res: &mut Response,
    ctrl: &mut FlowCtrl,
) -> Result<(), ApiError> {
    // The page's links are relative; seen from `/docs/` they lead one folder deeper.
    let name = input::raw(req, "file");
    let name = name.strip_prefix("docs/").unwrap_or(name).to_owned();
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

fn put(res: &mut Response, kind: &'static str, text: &'static str) {
    res.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    res.replace_body(bytes::Bytes::from_static(text.as_bytes()).into());
}
