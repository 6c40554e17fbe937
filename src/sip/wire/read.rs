//! The reader of one whole message.

use super::{MAX_HEADERS, MAX_MESSAGE, MAX_URI};
use crate::sip::{
    lex,
    msg::{HeaderError, Headers, Message, Method, Request, Response, expand_compact},
    uri::Uri,
};
use std::borrow::Cow;

/// Why bytes are no message that can be used, and what is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing but line ends or zeros, which keep a NAT binding open (RFC 5626 §4.4.1, RFC 6223): no fault.
    #[error("a keep-alive")]
    KeepAlive,
    /// A request that its sender deserves an answer to: send the response where the bytes came from.
    #[error("an invalid request, answered {} {}", .0.code(), .0.reason)]
    Answer(Box<Response>),
    /// To be dropped: not SIP, a response, an ACK, or a request that cannot be answered for want of a Via.
    #[error("dropped: {0}")]
    Drop(String),
}

/// Reads one datagram: exactly one message.
pub fn read(datagram: &[u8]) -> Result<Message, ReadError> {
    let start = datagram.iter().position(|b| !matches!(b, b'\r' | b'\n' | 0)).ok_or(ReadError::KeepAlive)?;
    let bytes = &datagram[start..];
    let (head, body) = match head_end(bytes, 0) {
        Some(end) => bytes.split_at(end),
        None => (bytes, &[][..]),
    };
    let head = Head::read(head);
    match head.content_length() {
        Ok(Some(length)) if length > body.len() => Err(head.fail(400, "Content-Length is larger than the body")),
        Ok(length) => head.message(body[..length.unwrap_or(body.len())].to_vec()),
        Err(why) => Err(head.fail(400, why)),
    }
}

/// Where the head ends, behind its empty line, looking from `from` on.
pub(super) fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|&b| b == b'\n')? + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// The first fault found; reading goes on behind it, because the answer needs the header fields that come later.
#[derive(Debug)]
struct Fault {
    code: u16,
    why: String,
}

#[derive(Debug)]
enum Start {
    Request {
        method: Method,
        /// `None` together with a fault.
        uri: Option<Uri>,
    },
    Response {
        code: u16,
        reason: String,
    },
    /// Nothing that SIP knows.
    Foreign,
}

/// Start line and header fields.
#[derive(Debug)]
pub(super) struct Head {
    start: Start,
    headers: Headers,
    fault: Option<Fault>,
}

impl Head {
    /// Reads them up to and with the empty line.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let text = text(bytes);
        // Not `split`: behind the last line end it would see an empty line that is not there.
        let mut lines = text.split_inclusive('\n').map(|line| {
            let line = line.strip_suffix('\n').unwrap_or(line);
            line.strip_suffix('\r').unwrap_or(line)
        });
        let mut fault = None;
        let start = start_line(lines.next().unwrap_or_default(), &mut fault);
        let headers = fields(lines, &mut fault);
        Self { start, headers, fault }
    }

    /// The body's length, if one is given.
    pub(super) fn content_length(&self) -> Result<Option<usize>, &'static str> {
        let mut values = self.headers.get_all("Content-Length");
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => lex::digits(value).map(|n| Some(n as usize)).ok_or("Content-Length is not a number"),
            // RFC 4475 §3.3.9: no way to know which is meant.
            (Some(_), Some(_)) => Err("Content-Length stands there more than once"),
        }
    }

    /// The message with its body, checked.
    pub(super) fn message(self, body: Vec<u8>) -> Result<Message, ReadError> {
        if let Some(Fault { code, why }) = self.fault {
            return Err(Self { fault: None, ..self }.fail(code, &why));
        }
        let checked = match &self.start {
            Start::Request { method, .. } => check_request(method, &self.headers),
            Start::Response { .. } => check(&self.headers).map_err(|e| e.to_string()),
            Start::Foreign => Ok(()),
        };
        match (self.start, checked) {
            (Start::Request { method, uri: Some(uri) }, Ok(())) => {
                Ok(Message::Request(Request { method, uri, headers: self.headers, body }))
            }
            (Start::Response { code, reason }, Ok(())) => {
                Ok(Message::Response(Response { reason, headers: self.headers, body, ..Response::new(code) }))
            }
            (start, checked) => {
                let why = checked.err().unwrap_or_default();
                Err(Self { start, headers: self.headers, fault: None }.fail(400, &why))
            }
        }
    }

    /// The error for this message: an answer where one is due.
    pub(super) fn fail(self, code: u16, why: &str) -> ReadError {
        match self.start {
            Start::Foreign => ReadError::Drop("this is not SIP".into()),
            Start::Response { .. } => ReadError::Drop(format!("an invalid response: {why}")),
            // RFC 3261 §17.1.1.3: an ACK is never answered.
            Start::Request { method: Method::ACK, .. } => ReadError::Drop(format!("an invalid ACK: {why}")),
            Start::Request { .. } if !self.headers.contains("Via") => {
                ReadError::Drop(format!("a request without Via: {why}"))
            }
            Start::Request { .. } => {
                let mut response = Response::to_headers(&self.headers, code, Some(&stateless_tag(&self.headers)));
                if code == 400 {
                    // RFC 3261 §21.4.1: the phrase should identify the problem.
                    why.clone_into(&mut response.reason);
                }
                ReadError::Answer(Box::new(response))
            }
        }
    }
}

/// RFC 3261 §8.2.7: an answer without state carries the same tag each time the same request comes.
fn stateless_tag(headers: &Headers) -> String {
    // FNV-1a: it need not be secret, only the same.
    let identity =
        ["Via", "Call-ID", "CSeq", "From"].iter().flat_map(|name| headers.get_all(name)).flat_map(str::bytes);
    let hash = identity.fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// Bytes as text: UTF-8, and line by line ISO 8859-1 where it is not.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let line = |line: &[u8]| match std::str::from_utf8(line) {
                Ok(line) => line.to_owned(),
                Err(_) => line.iter().copied().map(char::from).collect(),
            };
            Cow::Owned(bytes.split(|&b| b == b'\n').map(line).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn start_line(line: &str, fault: &mut Option<Fault>) -> Start {
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/")) {
        return status_line(line);
    }
    let trimmed = line.trim_end();
    let Some(((method, uri), version)) =
        trimmed.rsplit_once(' ').and_then(|(rest, version)| rest.split_once(' ').zip(Some(version)))
    else {
        return Start::Foreign;
    };
    if !lex::is_token(method) || !version.get(..4).is_some_and(|v| v.eq_ignore_ascii_case("SIP/")) {
        return Start::Foreign;
    }
    let mut found = |code, why: &str| {
        fault.get_or_insert_with(|| Fault { code, why: why.to_owned() });
    };
    let mut uri_read = None;
    if !version[4..].eq("2.0") {
        found(505, "this is not SIP/2.0");
    } else if trimmed.len() != line.len() {
        found(400, "the request line ends in white space");
    } else if uri.len() > MAX_URI {
        found(414, "the Request-URI is too long");
    } else {
        match uri.parse() {
            // RFC 3261 §19.1.1: headers are not allowed in a Request-URI.
            Ok(Uri::Sip(sip)) if !sip.headers.is_empty() => found(400, "the Request-URI has header fields"),
            Ok(uri) => uri_read = Some(uri),
            Err(e) => found(400, &format!("the Request-URI cannot be read: {e}")),
        }
    }
    Start::Request { method: Method::from_token(method), uri: uri_read }
}

fn status_line(line: &str) -> Start {
    let mut parts = line.splitn(3, ' ');
    let (version, code, reason) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    match code.filter(|code| code.len() == 3).and_then(lex::digits) {
        Some(code @ 100..=699) if version.is_some_and(|v| v.eq_ignore_ascii_case("SIP/2.0")) => {
            // A carriage return of its own would not be written again.
            Start::Response { code: code as u16, reason: reason.replace('\r', " ") }
        }
        _ => Start::Foreign,
    }
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>, fault: &mut Option<Fault>) -> Headers {
    let mut headers = Headers::new();
    let mut count = 0;
    let mut open: Option<(&str, Cow<'_, str>)> = None;
    let mut ended = false;
    for line in lines {
        if line.starts_with([' ', '\t']) {
            // RFC 3261 §7.3.1: a folded line continues the value.
            match &mut open {
                Some((_, value)) => {
                    let value = value.to_mut();
                    value.push(' ');
                    value.push_str(line.trim());
                }
                None => {
                    fault.get_or_insert_with(|| Fault { code: 400, why: "the start line is folded".into() });
                }
            }
            continue;
        }
        if let Some((name, value)) = open.take() {
            push(&mut headers, name, value);
            count += 1;
        }
        if line.is_empty() {
            ended = true;
            break;
        }
        match line.split_once(':').map(|(name, value)| (name.trim_end(), value)) {
            _ if count >= MAX_HEADERS => {
                fault.get_or_insert_with(|| Fault { code: 513, why: "too many header fields".into() });
                break;
            }
            Some((name, value)) if lex::is_token(name) => open = Some((expand_compact(name), Cow::Borrowed(value))),
            Some(_) | None => {
                fault.get_or_insert_with(|| Fault { code: 400, why: "a line is no header field".into() });
            }
        }
    }
    if !ended {
        fault.get_or_insert_with(|| Fault { code: 400, why: "no empty line ends the header fields".into() });
    }
    headers
}

fn push(headers: &mut Headers, name: &str, value: Cow<'_, str>) {
    let value = value.trim();
    // A CR alone ends no line here, and must not do so at whoever the value is passed on to.
    if value.contains('\r') {
        headers.push(name, value.replace('\r', " "));
    } else {
        headers.push(name, value);
    }
}

/// What every message must have, once, and readable (RFC 3261 §8.1.1; RFC 4475 §3.3.8).
fn check(headers: &Headers) -> Result<(), HeaderError> {
    for name in ["From", "To", "Call-ID", "CSeq"] {
        if headers.get_all(name).count() > 1 {
            return Err(HeaderError::Malformed { name: name.into(), why: "it stands there more than once" });
        }
    }
    headers.vias()?;
    headers.from()?;
    headers.to()?;
    headers.call_id()?;
    headers.cseq()?;
    Ok(())
}

/// Besides, what a request is routed by. Max-Forwards may be missing: RFC 2543 did not know it.
fn check_request(method: &Method, headers: &Headers) -> Result<(), String> {
    let check = || {
        check(headers)?;
        headers.contacts()?;
        headers.name_addrs("Route")?;
        headers.name_addrs("Record-Route")?;
        headers.cseq()
    };
    let cseq = check().map_err(|e: HeaderError| e.to_string())?;
    if cseq.method != *method {
        return Err("the method in CSeq is not the request's".into());
    }
    if headers.contains("Max-Forwards") && headers.number("Max-Forwards").is_none_or(|hops| hops > 255) {
        return Err("Max-Forwards is not a number up to 255".into());
    }
    Ok(())
}

const _: () = assert!(MAX_URI < MAX_MESSAGE);
