//! What pages load besides themselves: style, script, fonts, the icon. Embedded, and kept by browsers under an address that
//! changes with the contents.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use crate::server::{http::problem::ApiError, secrets};

const STYLE: &str = include_str!("../../../assets/web/portal.css");
const SCRIPT: &str = include_str!("../../../assets/web/portal.js");
const ICON: &str = include_str!("../../../assets/web/icon.svg");

const FILES: [(&str, &str, &[u8]); 7] = [
    ("portal.css", "text/css; charset=utf-8", STYLE.as_bytes()),
    ("portal.js", "text/javascript; charset=utf-8", SCRIPT.as_bytes()),
    ("icon.svg", "image/svg+xml", ICON.as_bytes()),
    ("SourceSans3-400.woff2", "font/woff2", include_bytes!("../../../assets/web/SourceSans3-400.woff2")),
    ("SourceSans3-600.woff2", "font/woff2", include_bytes!("../../../assets/web/SourceSans3-600.woff2")),
    ("SourceSans3-ext-400.woff2", "font/woff2", include_bytes!("../../../assets/web/SourceSans3-ext-400.woff2")),
    ("SourceSans3-ext-600.woff2", "font/woff2", include_bytes!("../../../assets/web/SourceSans3-ext-600.woff2")),
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    FILES.iter().for_each(|(_, _, bytes)| hash.update(bytes));
    secrets::hex(&hash.finalize()[..6])
});

/// The address of one of the files.
pub fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

pub async fn serve(Path((_version, name)): Path<(String, String)>) -> Response {
    let Some((_, kind, bytes)) = FILES.iter().find(|(known, ..)| *known == name) else {
        return ApiError::not_found("That file").into_response();
    };
    let headers = [(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, *bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `--go-tint: #e2f4ea` in the light or the dark half of the style.
    fn declared(half: &str, name: &str) -> String {
        let start = half.find(&format!("--{name}: #")).unwrap_or_else(|| panic!("--{name}"));
        half[start..].split(['#', ';']).nth(1).expect("a colour").to_owned()
    }

    /// `accent: hue(0x3056d3, …)` or `text: rgb(0x171b24)` in the softphone's theme.
    fn painted(half: &str, name: &str, place: usize) -> String {
        let start = half.find(&format!("    {name}: ")).unwrap_or_else(|| panic!("{name}"));
        half[start..].split("0x").nth(place + 1).expect("a colour")[..6].to_owned()
    }

    #[test]
    fn colours_are_the_softphones() {
        let theme = include_str!("../../ui/theme.rs");
        let theme = [("LIGHT", "DARK"), ("DARK", "impl Tokens")].map(|(from, to)| {
            let start = theme.find(&format!("pub const {from}: Tokens")).expect("the tokens");
            let end =
                theme[start..].find(&format!("pub const {to}")).or_else(|| theme[start..].find(to)).expect("its end");
            &theme[start..start + end]
        });
        let (light, dark) = STYLE.split_once("prefers-color-scheme: dark").expect("two halves");
        for (style, theme) in [(light, theme[0]), (dark, theme[1])] {
            for name in ["background", "surface", "raised", "hairline", "outline", "text", "text_weak"] {
                assert_eq!(declared(style, &name.replace('_', "-")), painted(theme, name, 0), "{name}");
            }
            for hue in ["accent", "go", "stop", "hold", "neutral"] {
                for (place, part) in ["fill", "on-fill", "tint", "text"].into_iter().enumerate() {
                    let name = format!("{hue}-{part}");
                    assert_eq!(declared(style, &name), painted(theme, hue, place), "{name}");
                }
            }
        }
    }
}
