//! Answers that need no call: OPTIONS, what we do not take, and what cannot be understood (RFC 3261 §8.2, §11.2).

use super::{ALLOW, api::Account};
use crate::media::plan::Codec;
use crate::sip::{
    body::session_description,
    flow::{Flow, Transport},
    msg::{Method, Request, Response},
    sdp::{LocalCrypto, SdpError, check_offer},
    uri::Uri,
};

/// What a request has to be refused with before its method is looked at (RFC 3261 §8.2.2); `None`: nothing.
pub(super) fn inspect(request: &Request) -> Option<Response> {
    if !matches!(request.uri, Uri::Sip(_) | Uri::Tel { .. }) {
        return Some(Response::to(request, 416, None));
    }
    // RFC 3261 §8.2.2.3: not for CANCEL and ACK, which do not come here.
    let unknown: Vec<_> = request
        .headers
        .tokens("Require")
        .into_iter()
        .filter(|tag| !super::SUPPORTED.split(", ").chain(["path"]).any(|known| known.eq_ignore_ascii_case(tag)))
        .collect();
    if !unknown.is_empty() {
        let mut response = Response::to(request, 420, None);
        response.headers.push("Unsupported", unknown.join(", "));
        return Some(response);
    }
    None
}

/// Who asked for TLS takes nothing that came in the open, where others may have read or written it (RFC 3261 §26.2.2).
/// OPTIONS tells nothing of us; an ACK is not answered, and CANCEL does not come here.
pub(super) fn in_the_open(account: &Account, request: &Request, flow: Flow) -> Option<Response> {
    let is_open = account.transport == Transport::Tls && flow.transport != Transport::Tls;
    (is_open && request.method != Method::OPTIONS)
        .then(|| Response { reason: "Taken over TLS only".to_owned(), ..Response::to(request, 403, None) })
}

/// Whether an INVITE's body can be taken (RFC 3261 §8.2.3, §13.3.1).
pub(super) fn inspect_offer(request: &Request, codecs: &[Codec], crypto: &LocalCrypto) -> Option<Response> {
    // RFC 3261 §20.1: what stands in Accept is all that the answer may hold, and ours is SDP (RFC 4475 §3.3.15).
    let accepted = request.headers.tokens("Accept");
    let takes_sdp = |range: &String| {
        let range = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(range.as_str(), "application/sdp" | "application/*" | "*/*")
    };
    if !accepted.is_empty() && !accepted.iter().any(takes_sdp) {
        return Some(Response::to(request, 406, None));
    }
    if let Some(too_short) = super::session::inspect_timer(request) {
        return Some(too_short);
    }
    let Ok(offer) = session_description(&request.headers, &request.body) else {
        return Some(unsupported_body(request));
    };
    check_offer(offer?, codecs, crypto).err().map(|error| not_acceptable(request, &error))
}

/// Methods that mean nothing outside of a call.
pub(super) fn belongs_to_a_call(method: &Method) -> bool {
    [Method::BYE, Method::INFO, Method::PRACK, Method::UPDATE].contains(method)
}

/// 500 with up to ten seconds to wait (RFC 3261 §14.2, RFC 3311 §5.2). `draw`: any number.
pub(super) fn not_now(request: &Request, draw: u32) -> Response {
    let mut response = Response::to(request, 500, None);
    response.headers.push("Retry-After", (draw % 11).to_string());
    response
}

/// A request that is neither INVITE nor part of a call.
pub(super) fn answer(request: &Request) -> Response {
    match &request.method {
        Method::Known(_) if request.method == Method::OPTIONS => {
            let mut response = Response::to(request, 200, None);
            response.headers.push("Allow", ALLOW);
            response.headers.push("Accept", "application/sdp");
            response.headers.push("Supported", super::SUPPORTED);
            response
        }
        // RFC 3261 §8.2.1: known, and not taken here.
        Method::Known(_) => {
            let mut response = Response::to(request, 405, None);
            response.headers.push("Allow", ALLOW);
            response
        }
        Method::Extension(_) => {
            let mut response = Response::to(request, 501, None);
            response.headers.push("Allow", ALLOW);
            response
        }
    }
}

pub(super) fn unsupported_body(request: &Request) -> Response {
    let mut response = Response::to(request, 415, None);
    response.headers.push("Accept", "application/sdp, multipart/mixed, multipart/alternative");
    response.headers.push("Accept-Encoding", "identity");
    response
}

/// 488 with the reason in words (RFC 3261 §13.3.1.3, §20.43).
pub(super) fn not_acceptable(request: &Request, error: &SdpError) -> Response {
    // RFC 3261 §21.4.1: what cannot be read is not a question of taste.
    let code = if matches!(error, SdpError::Malformed(_)) { 400 } else { 488 };
    let mut response = Response::to(request, code, None);
    let words: String = error.to_string().chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
    response.headers.push("Warning", format!("{} agent-manager \"{words}\"", error.warning_code()));
    response
}
