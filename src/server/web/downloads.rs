//! Downloads and tools: the programs in the folder that the server was given, Agent Manager first of all.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use maud::{Markup, html};

use super::{
    icon::Icon,
    parts,
    shell::Section,
    visitor::{At, Signed},
};
use crate::server::{
    http::{
        App,
        input::Segments,
        problem::{Answer, ApiError},
    },
    sessions::Right,
};

/// A file that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub name: String,
    bytes: u64,
}

pub async fn page(State(app): State<Arc<App>>, signed: Signed, Segments(tenant): Segments<String>) -> Answer<Response> {
    let access = signed.manager.account(&app, &tenant, Right::SeeAccount).await?;
    let offers = offers(app.downloads.as_deref());
    let body = shown(&offers, &app.reach.url);
    Ok(signed.page_at(
        &At::of(&access),
        Section::Downloads,
        parts::status(None),
        Section::Downloads.title(),
        None,
        &body,
    ))
}

fn shown(offers: &[Offer], url: &str) -> Markup {
    html! {
        (parts::head(Section::Downloads.title(), None, &html! {}))
        div.card {
            header {
                div {
                    h2 { "Agent Manager" }
                    p.weak { "The softphone: it signs in to this TMS, and calls are made and taken with it." }
                }
            }
            @if offers.is_empty() {
                div.empty {
                    h2 { "Nothing to download here" }
                    p { "Whoever runs this TMS can put Agent Manager into its downloads folder (" code { "tms serve --downloads FOLDER" } ")." }
                }
            } @else {
                div.choices {
                    @for offer in offers {
                        a href={ "/downloads/" (offer.name) } download {
                            (Icon::Download.draw())
                            div.two-lines {
                                strong { (offer.name) }
                                span.weak { (platform(&offer.name)) " · " (size(offer.bytes)) }
                            }
                        }
                    }
                }
            }
        }
        div.card.pad {
            h2 { "To sign in with it" }
            dl.facts {
                dt { "TMS" } dd.code { (url) }
                dt { "User name, password" } dd { "Those of your TMS account, with which you sign in here." }
                dt { "API key" } dd { "The one that is enabled on your extension. Whoever manages your TMS gives it to you." }
            }
            p.small.weak { "Then press Apply. Once it shows Initialized, choose the settings wheel, Select account, and the registration." }
        }
    }
}

/// What is offered, Agent Manager first.
pub fn offers(folder: Option<&Path>) -> Vec<Offer> {
    let Some(entries) = folder.and_then(|folder| fs::read_dir(folder).ok()) else { return Vec::new() };
    let offer = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok().filter(|name| is_offered(name))?;
        // Not the entry's own metadata: a link into the folder is offered too.
        let metadata = fs::metadata(entry.path()).ok().filter(fs::Metadata::is_file)?;
        Some(Offer { name, bytes: metadata.len() })
    };
    let mut offers: Vec<_> = entries.filter_map(Result::ok).take(1000).filter_map(offer).collect();
    offers.sort_by(|a, b| a.name.cmp(&b.name));
    offers
}

/// Names of programs for agents: the folder may be the one that the server's own program lies in.
fn is_offered(name: &str) -> bool {
    name.to_lowercase().replace(['-', '_', ' '], "").starts_with("agentmanager")
        && !name.ends_with(".d")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn platform(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, kind)| kind) {
        Some("exe" | "msi") => "Windows",
        Some("dmg" | "pkg") => "macOS",
        Some("deb") => "Linux (Debian, Ubuntu)",
        Some("rpm") => "Linux (Fedora, SUSE)",
        Some("sha256" | "asc" | "sig") => "To check the download",
        _ => "Linux",
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

/// One of the files, in pieces; for everybody, for who is set up has not signed in yet.
pub async fn download(State(app): State<Arc<App>>, Segments(name): Segments<String>) -> Answer<Response> {
    let unknown = || ApiError::not_found("That download");
    let offer = offers(app.downloads.as_deref()).into_iter().find(|offer| offer.name == name).ok_or_else(unknown)?;
    let folder = app.downloads.as_deref().ok_or_else(unknown)?;
    let file = File::open(folder.join(&offer.name)).map_err(|_| unknown())?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", offer.name)),
    ];
    Ok((headers, Body::from_stream(stream::unfold(Some(file), piece))).into_response())
}

const PIECE: usize = 256 * 1024;

/// Reads the next piece on a thread that may wait for the disk.
async fn piece(file: Option<File>) -> Option<(io::Result<Bytes>, Option<File>)> {
    let mut file = file?;
    let read = tokio::task::spawn_blocking(move || {
        let mut piece = Vec::with_capacity(PIECE);
        Read::by_ref(&mut file).take(PIECE as u64).read_to_end(&mut piece).map(|_| (piece, file))
    });
    match read.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok((piece, _)) if piece.is_empty() => None,
        Ok((piece, file)) => Some((Ok(Bytes::from(piece)), Some(file))),
        Err(error) => Some((Err(error), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{http::testing::Harness, web::testing::Browser};

    #[test]
    fn only_agent_manager_is_offered() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "agent-manager",
            "AgentManager-1.0.exe",
            "agent-manager.d",
            "tms",
            "tms.db",
            ".agent-manager",
            "agent-manager <x>",
        ] {
            fs::write(folder.path().join(name), "x").expect("writes");
        }
        fs::create_dir(folder.path().join("agent-manager-folder")).expect("makes");
        let names: Vec<_> = offers(Some(folder.path())).into_iter().map(|offer| offer.name).collect();
        assert_eq!(names, ["AgentManager-1.0.exe", "agent-manager"]);
        assert!(offers(Some(Path::new("/no/such/folder"))).is_empty() && offers(None).is_empty());
        assert!(shown(&[], "https://tms.example").into_string().contains("downloads folder"));
    }

    #[tokio::test]
    async fn agent_manager_is_downloaded_whole() {
        let h = Harness::new().await;
        let folder = h.app.downloads.clone().expect("a folder");
        let program: Vec<u8> = (0..PIECE * 2 + 7).map(|i| u8::try_from(i % 100).unwrap_or(0)).collect();
        fs::write(folder.join("agent-manager"), &program).expect("writes");
        fs::write(folder.join("secret"), "no").expect("writes");
        let browser = Browser::signed_in(&h, &h.demo.username, &h.demo.password).await;
        let page = browser.open("/accounts/acme/downloads").await;
        assert!(page.has("agent-manager") && page.has("Linux · 525 kB"), "{}", page.text());
        let get = |path| browser.request(axum::http::Method::GET, path, None, &[]);
        assert_eq!(get("/downloads/agent-manager").await.html.as_bytes(), program);
        for path in ["/downloads/secret", "/downloads/..%2fsecret", "/downloads/nothing"] {
            assert_eq!(get(path).await.status, 404, "{path}");
        }
    }
}
