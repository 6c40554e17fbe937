//! Message bodies of one part and of many (RFC 5621, RFC 2046 §5.1): where the session description or the text is.

use super::{lex, msg::Headers};

/// A part that its sender wants understood is of a kind that is not: to be answered 415 (RFC 5621 §3.1, §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of the message is of a kind that is not understood")]
pub struct Unsupported;

/// Parts of one body, and how deep one may hold another; nobody sends more.
const MAX_PARTS: usize = 16;
const MAX_DEPTH: u32 = 3;

/// The session description of a message, wherever it stands; `None` where there is none.
///
/// Of alternatives the last that is one counts, otherwise the first. A part of another kind does no harm unless it says
/// `handling=required`: RFC 3261 §20.11 has that assumed where nothing is said, but gateways that put an ISUP message or a
/// location beside the description mean no such thing.
///
/// # Errors
/// What is there is not understood and has to be.
pub fn session_description<'a>(headers: &Headers, body: &'a [u8]) -> Result<Option<&'a [u8]>, Unsupported> {
    // RFC 3261 §20.15 asks for a type; a description is known by its first line.
    find(headers, body, |kind, body| match essence(kind).as_str() {
        "" => body.starts_with(b"v="),
        essence => essence == "application/sdp",
    })
}

/// The plain text of a message that can be read as UTF-8, wherever it stands; the same as for a description holds.
///
/// # Errors
/// What is there is not understood and has to be.
pub fn plain_text<'a>(headers: &Headers, body: &'a [u8]) -> Result<Option<&'a [u8]>, Unsupported> {
    // Without a type it is plain text (RFC 2046 §4.1, §5.1).
    find(headers, body, |kind, _| {
        let charset = parameter(kind, "charset").unwrap_or_default().to_ascii_lowercase();
        matches!(essence(kind).as_str(), "" | "text/plain") && matches!(charset.as_str(), "" | "utf-8" | "us-ascii")
    })
}

/// Whether a Content-Type and what follows it are what is looked for.
type Wanted = fn(&str, &[u8]) -> bool;

fn find<'a>(headers: &Headers, body: &'a [u8], wanted: Wanted) -> Result<Option<&'a [u8]>, Unsupported> {
    let field = |name| headers.get(name).map(str::to_owned);
    let part = Part {
        kind: field("Content-Type"),
        disposition: field("Content-Disposition"),
        is_coded: headers.get("Content-Encoding").is_some_and(|e| !e.trim().eq_ignore_ascii_case("identity")),
        body,
    };
    if body.is_empty() { Ok(None) } else { part.find(wanted, 0) }
}

struct Part<'a> {
    kind: Option<String>,
    disposition: Option<String>,
    /// Compressed or in base64.
    is_coded: bool,
    body: &'a [u8],
}

impl<'a> Part<'a> {
    fn find(&self, wanted: Wanted, depth: u32) -> Result<Option<&'a [u8]>, Unsupported> {
        let kind = self.kind.as_deref().unwrap_or_default();
        match essence(kind).as_str() {
            _ if self.is_coded => self.strange(depth),
            _ if wanted(kind, self.body) => Ok(Some(self.body)),
            "multipart/alternative" => self.parts(kind, depth)?.try_fold(None, |found, part| {
                // The richest comes last; what is not understood is passed over (RFC 5621 §8.2).
                Ok(part.find(wanted, depth + 1).unwrap_or(None).or(found))
            }),
            essence if essence.starts_with("multipart/") => self.parts(kind, depth)?.try_fold(None, |found, part| {
                let this = part.find(wanted, depth + 1)?;
                Ok(found.or(this))
            }),
            _ => self.strange(depth),
        }
    }

    /// Neither what is looked for nor made of parts. As the whole body it has to be understood unless it says otherwise, beside
    /// others only if it says so.
    fn strange(&self, depth: u32) -> Result<Option<&'a [u8]>, Unsupported> {
        let disposition = self.disposition.as_deref().unwrap_or_default();
        let handling = parameter(disposition, "handling").unwrap_or_default();
        let required = if depth == 0 {
            !handling.eq_ignore_ascii_case("optional")
        } else {
            handling.eq_ignore_ascii_case("required")
        };
        if required { Err(Unsupported) } else { Ok(None) }
    }

    fn parts(&self, kind: &str, depth: u32) -> Result<impl Iterator<Item = Part<'a>> + use<'a>, Unsupported> {
        let boundary = parameter(kind, "boundary").filter(|b| !b.is_empty() && depth < MAX_DEPTH).ok_or(Unsupported)?;
        Ok(cut(self.body, &boundary).into_iter().map(read))
    }
}

/// The type without its parameters, in lower case.
fn essence(kind: &str) -> String {
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A parameter of a Content-Type or Content-Disposition.
fn parameter(value: &str, name: &str) -> Option<String> {
    lex::split(value, b';').skip(1).find_map(|param| {
        let (key, value) = param.split_once('=')?;
        let plain = || Some(value.trim().to_owned());
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| lex::quoted_string(value.trim()).map(|(text, _)| text).or_else(plain))
            .flatten()
    })
}

/// What stands between the delimiter lines (RFC 2046 §5.1.1); what stands before the first and after the last is left out.
fn cut<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut start = None;
    let mut at = 0;
    while at < body.len() && parts.len() < MAX_PARTS {
        let end = body[at..].iter().position(|b| *b == b'\n').map_or(body.len(), |n| at + n + 1);
        let line = body[at..end].trim_ascii_end();
        if let Some(rest) = line.strip_prefix(b"--").and_then(|l| l.strip_prefix(boundary.as_bytes()))
            && matches!(rest, b"" | b"--")
        {
            // The line break before a delimiter belongs to it.
            let until = body[..at].strip_suffix(b"\r\n").or_else(|| body[..at].strip_suffix(b"\n"));
            let until = until.map_or(at, <[u8]>::len);
            parts.extend(start.map(|from: usize| &body[from.min(until)..until]));
            start = (rest.is_empty()).then_some(end);
        }
        at = end;
    }
    // A body cut short is read as far as it goes.
    parts.extend(start.filter(|from| parts.len() < MAX_PARTS && *from < body.len()).map(|from| &body[from..]));
    parts
}

/// A part's header fields and what follows them.
fn read(part: &[u8]) -> Part<'_> {
    let mut read = Part { kind: None, disposition: None, is_coded: false, body: part };
    loop {
        let end = read.body.iter().position(|b| *b == b'\n').map_or(read.body.len(), |n| n + 1);
        let (line, rest) = read.body.split_at(end);
        read.body = rest;
        let line = String::from_utf8_lossy(line.trim_ascii()).into_owned();
        if line.is_empty() {
            return read;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim().to_owned();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" | "c" => read.kind = Some(value),
            "content-disposition" => read.disposition = Some(value),
            "content-transfer-encoding" => {
                read.is_coded |= !matches!(value.to_ascii_lowercase().as_str(), "binary" | "8bit" | "7bit");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\n";

    fn find(fields: &[(&str, &str)], body: &str) -> Result<Option<String>, Unsupported> {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(name, *value);
        }
        let found = session_description(&headers, body.as_bytes())?;
        Ok(found.map(|sdp| String::from_utf8_lossy(sdp).into_owned()))
    }

    fn mixed(parts: &[&str]) -> String {
        let parts: String = parts.iter().map(|p| format!("--b 1\r\n{p}\r\n")).collect();
        format!("to be left out\r\n{parts}--b 1--\r\nand this")
    }

    fn part(fields: &str, body: &str) -> String {
        format!("{fields}\r\n\r\n{body}")
    }

    /// Type, body, what comes of it: a description, nothing, or 415.
    #[test]
    fn the_description_is_found_where_it_is() {
        let sdp = &part("Content-Type: application/sdp", SDP);
        let isup = &part("Content-Type: application/ISUP;version=nxv3\r\nContent-Disposition: signal", "\x01\x02");
        let optional = &part("Content-Type: application/pidf+xml\r\nContent-Disposition: x;handling=optional", "<x/>");
        let required = &part("content-type: text/x\r\ncontent-disposition: render; handling=\"required\"", "x");
        let nested =
            &part("Content-Type: multipart/mixed;boundary=c", &format!("--c\r\n{isup}\r\n--c\r\n{sdp}\r\n--c--"));
        let base64 = &part("Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64", "dj0w");
        let html = &part("Content-Type: text/html\r\nContent-Disposition: session;handling=required", "<p>");
        let other = &part("Content-Type: application/sdp", "v=0\r\no=second\r\n");
        let many = "multipart/mixed;boundary=\"b 1\"";
        let either = "Multipart/Alternative; Boundary=\"b 1\"";
        type Case<'a> = (&'a str, String, Result<Option<&'a str>, Unsupported>);
        let cases: &[Case] = &[
            ("application/sdp", SDP.into(), Ok(Some(SDP))),
            ("Application/SDP;charset=utf-8", SDP.into(), Ok(Some(SDP))),
            ("text/plain", "x".into(), Err(Unsupported)),
            (many, mixed(&[sdp]), Ok(Some(SDP))),
            (many, mixed(&[isup, sdp]), Ok(Some(SDP))),
            (many, mixed(&[sdp, optional]), Ok(Some(SDP))),
            (many, mixed(&[sdp, other]), Ok(Some(SDP))),
            (many, mixed(&[sdp, required]), Err(Unsupported)),
            (many, mixed(&[optional]), Ok(None)),
            (many, mixed(&[nested]), Ok(Some(SDP))),
            (many, mixed(&[base64]), Ok(None)),
            (either, mixed(&[sdp, other]), Ok(Some("v=0\r\no=second\r\n"))),
            (either, mixed(&[sdp, html]), Ok(Some(SDP))),
            (many, "no delimiter".into(), Ok(None)),
            (many, format!("--b 1\r\n{sdp}"), Ok(Some(SDP))),
            ("multipart/mixed", mixed(&[sdp]), Err(Unsupported)),
        ];
        for (kind, body, expected) in cases {
            let found = find(&[("Content-Type", kind)], body);
            assert_eq!(found.as_ref().map(Option::as_deref), expected.as_ref().map(|e| *e), "{kind}\n{body}");
        }
    }

    #[test]
    fn what_stands_beside_the_type_counts() {
        assert_eq!(find(&[], ""), Ok(None));
        assert_eq!(find(&[], SDP), Ok(Some(SDP.into())));
        assert_eq!(find(&[], "x"), Err(Unsupported));
        let (sdp, text) = (("Content-Type", "application/sdp"), ("Content-Type", "text/plain"));
        assert_eq!(find(&[sdp, ("Content-Encoding", "identity")], SDP), Ok(Some(SDP.into())));
        assert_eq!(find(&[sdp, ("Content-Encoding", "gzip")], SDP), Err(Unsupported));
        assert_eq!(find(&[text, ("Content-Disposition", "render;handling=optional")], "x"), Ok(None));
    }

    #[test]
    fn plain_text_is_found_the_same_way() {
        let text = &part("Content-Type: text/plain\r\nContent-Transfer-Encoding: binary", "Hello");
        let (untyped, html) = (&part("", "Hello"), &part("Content-Type: text/html", "<p>Hello"));
        let foreign = &part("Content-Type: text/plain;charset=utf-16", "Hello");
        let signature = &part("Content-Type: application/octet-stream", "\x01\u{fffd}");
        let (mixed_type, either) = ("multipart/mixed;boundary=\"b 1\"", "multipart/alternative;boundary=\"b 1\"");
        for (kind, body, expected) in [
            (mixed_type, mixed(&[text, signature]), Some("Hello")),
            (mixed_type, mixed(&[signature, text]), Some("Hello")),
            (either, mixed(&[text, html]), Some("Hello")),
            (mixed_type, mixed(&[&untyped[2..]]), Some("Hello")),
            (mixed_type, mixed(&[html, foreign]), None),
        ] {
            let mut headers = Headers::new();
            headers.push("Content-Type", kind);
            let found = plain_text(&headers, body.as_bytes());
            assert_eq!(found, Ok(expected.map(str::as_bytes)), "{kind}\n{body}");
        }
    }

    mod properties {
        use super::*;
        use crate::properties::config;

        proptest! {
            #![proptest_config(config(2_000, 2046))]

            /// Any bytes between delimiters, at any depth: nothing panics, and what is found is a piece of the body.
            #[test]
            fn any_body_does_no_harm(pieces in prop::collection::vec(
                prop_oneof![
                    Just("--b\r\n"), Just("--b--\r\n"), Just("--b\n"), Just("\r\n"), Just("\n"), Just("--c\r\n"),
                    Just("Content-Type: application/sdp\r\n"), Just("Content-Type: multipart/mixed;boundary=c\r\n"),
                    Just("Content-Type: multipart/alternative;boundary=\"b\"\r\n"), Just("v=0\r\n"), Just(":"), Just("\u{fffd}"),
                    Just("Content-Disposition: session;handling=required\r\n"),
                ],
                0..40,
            )) {
                let body = pieces.concat();
                let found = find(&[("Content-Type", "multipart/mixed;boundary=b")], &body);
                prop_assert!(found.is_err() || found.unwrap().is_none_or(|sdp| body.contains(&sdp)));
            }
        }
    }
}
