//! Responses that the server makes itself.

use crate::sip::{
    entropy::Entropy,
    msg::{Request, Response},
};
use sha2::{Digest, Sha256};

/// A final response whose reason phrase is a sentence for the person at the device.
pub fn reply(request: &Request, code: u16, sentence: &str) -> Response {
    let mut response = Response::to(request, code, Some(&tag(request)));
    response.reason = sentence.to_owned();
    response
}

/// The To tag of our own responses: the same for one request, and not to be guessed, because its branch is not (RFC 3261
/// §8.2.7 asks the first, §19.3 the second).
pub fn tag(request: &Request) -> String {
    let branch = request.headers.get("Via").unwrap_or_default();
    let hash =
        Sha256::new().chain_update(branch).chain_update(request.headers.get("Call-ID").unwrap_or_default()).finalize();
    hash.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// 503 with a moment to wait, spread so that not all come back at once.
pub fn overloaded(request: &Request, entropy: &mut Entropy, why: &str) -> Response {
    let mut response = reply(request, 503, why);
    response.headers.push("Retry-After", (2 + entropy.u32() % 8).to_string());
    response
}
