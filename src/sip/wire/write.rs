//! The writer.

use crate::sip::{
    msg::{Headers, Message, Request, Response},
    uri::{SipUri, Uri},
};
use std::io::Write as _;

/// The bytes of a message. Content-Length is counted here, whatever the header fields say; no value can break a line.
pub fn write(message: &Message) -> Vec<u8> {
    match message {
        Message::Request(request) => write_request(request),
        Message::Response(response) => write_response(response),
    }
}

/// The bytes of a request; see [`write()`]. Header fields that a Contact's URI brought into the Request-URI are left out,
/// where none may stand (RFC 3261 §19.1.1).
pub fn write_request(request: &Request) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + request.body.len());
    // Writing to a vector cannot fail.
    let _ = match &request.uri {
        Uri::Sip(uri) if !uri.headers.is_empty() => {
            let bare = SipUri { headers: Vec::new(), ..uri.clone() };
            write!(out, "{} {bare} SIP/2.0\r\n", request.method)
        }
        uri => write!(out, "{} {uri} SIP/2.0\r\n", request.method),
    };
    rest(out, &request.headers, &request.body)
}

/// The bytes of a response; see [`write()`].
pub fn write_response(response: &Response) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + response.body.len());
    let _ = write!(out, "SIP/2.0 {} ", response.code());
    line(&mut out, &response.reason);
    rest(out, &response.headers, &response.body)
}

fn rest(mut out: Vec<u8>, headers: &Headers, body: &[u8]) -> Vec<u8> {
    for (name, value) in headers.iter().filter(|(name, _)| *name != "Content-Length") {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        line(&mut out, value);
    }
    let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
    out.extend_from_slice(body);
    out
}

/// Text and a line end. Line breaks inside would start header fields of someone else's choice: they become spaces.
fn line(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }));
    out.extend_from_slice(b"\r\n");
}
