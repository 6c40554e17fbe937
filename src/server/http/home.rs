//! The page at `/`: what this server is and what it can do.

use axum::{
    http::header,
    response::{Html, IntoResponse},
};
use maud::{DOCTYPE, html};

pub async fn page() -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "TMS" }
                link rel="stylesheet" href="/tms.css";
            }
            body {
                main {
                    h1 { "TMS" }
                    p { "This is a telephone management system: the server that Agent Manager signs in to. It keeps accounts, \
                         extensions, registrations and API keys, and is the registrar and proxy for their phones." }
                    p { "Agents use it from Agent Manager, with user name, password and API key." }
                    p { "Whoever sets it up uses its REST API, described in " a href="/v1/openapi.json" { "/v1/openapi.json" }
                        ". Integrations may use the XML API at " code { "/Euphoria.Api.aspx" } "." }
                    p { "Version " (env!("CARGO_PKG_VERSION")) ". Pages to manage it in a browser are not part of this version." }
                }
            }
        }
    };
    Html(page.into_string())
}

pub async fn style() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, STYLE)
}

const STYLE: &str = "\
:root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }
body { margin: 0; padding: 10vh 1.5rem; }
main { max-width: 38rem; margin: 0 auto; }
h1 { font-size: 2rem; font-weight: 650; letter-spacing: -0.01em; margin: 0 0 1rem; }
code { font-family: ui-monospace, monospace; }
";
