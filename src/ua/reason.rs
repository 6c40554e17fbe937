//! Status codes as sentences a person understands.

use super::api::EndedBy;
use crate::sip::msg::{Headers, Response};

/// What a caller reads when the call was answered with `code`.
pub(super) fn call(code: u16, phrase: &str) -> String {
    let known = match code {
        300..=399 => "The call was sent elsewhere, and nobody could be reached there.",
        400 => "The other side did not understand the call.",
        401 | 407 => "The server does not accept the user name or the password for this call.",
        402 => "The call needs credit that this account does not have.",
        403 => "This call is not allowed.",
        404 | 604 => "This number or address does not exist.",
        405 | 501 => "The other side cannot take calls.",
        408 | 504 => "There was no answer.",
        410 => "This number or address is no longer in use.",
        413 | 513 => "The call's message was too large for the server.",
        415 | 488 | 606 => "The other side cannot take this kind of call: no common audio.",
        416 => "The server cannot call this kind of address.",
        420 | 421 => "The other side needs a feature that is not supported.",
        480 => "The other side cannot be reached at the moment.",
        481 => "The other side knows nothing of this call any more.",
        482 | 483 => "The call went in a circle between servers.",
        484 => "The number is incomplete.",
        485 => "The number is ambiguous.",
        486 | 600 => "The other side is busy.",
        487 => "The call was cancelled.",
        491 => "The other side was changing the call at the same moment.",
        493 => "The other side could not decrypt the call.",
        500 | 502 => "A server on the way failed.",
        503 => "The server is overloaded or out of order.",
        505 => "The other side speaks another version of SIP.",
        580 => "The other side's conditions for this call were not met.",
        603 => "The other side declined the call.",
        607 => "The other side does not want this call.",
        608 => "The call was rejected by a screening service.",
        _ => "The call failed.",
    };
    with_phrase(known, code, phrase)
}

/// Why a registration was refused.
pub(super) fn registration(code: u16, phrase: &str) -> String {
    let known = match code {
        403 => "The server does not allow this registration.",
        404 => "The server does not know this address. Check the account.",
        405 | 501 => "The server is not a registrar. Check the account's address and proxy.",
        408 | 504 => "The server does not answer.",
        500..=599 => "The server has a problem.",
        _ => "The server refused the registration.",
    };
    with_phrase(known, code, phrase)
}

/// Who ended an unanswered call, given its final response: the people there, or the network on the way.
pub(super) const fn refused_by(code: u16) -> EndedBy {
    match code {
        300..=399 | 401 | 407 | 408 | 482 | 483 | 500..=599 => EndedBy::Network,
        _ => EndedBy::Remote,
    }
}

/// `Warning` (RFC 3261 §20.43) or the phrase, where it says more than the code.
pub(super) fn phrase(response: &Response) -> String {
    let warning = response.headers.get("Warning").and_then(|w| w.split('"').nth(1)).filter(|w| !w.is_empty());
    warning.unwrap_or(&response.reason).chars().take(200).collect()
}

/// How the peer's Reason header (RFC 3326) changes the picture of a CANCEL or BYE.
pub(super) fn given(headers: &Headers) -> Option<(EndedBy, u16, String)> {
    let (cause, text) = headers.get_all("Reason").find_map(sip_cause)?;
    match cause {
        // RFC 3326 §3.1: a fork of the call was answered on another device.
        200 => Some((EndedBy::AnsweredElsewhere, cause, "The call was answered elsewhere.".to_owned())),
        600 | 603 => Some((EndedBy::Remote, cause, "The call was declined elsewhere.".to_owned())),
        _ => text.map(|text| (EndedBy::Remote, cause, format!("The other side ended the call: {text}."))),
    }
}

/// Cause and text of a value for protocol SIP: `SIP ;cause=200 ;text="Call completed elsewhere"`.
fn sip_cause(value: &str) -> Option<(u16, Option<String>)> {
    let (protocol, params) = value.split_once(';')?;
    if !protocol.trim().eq_ignore_ascii_case("SIP") {
        return None;
    }
    let mut cause = None;
    let mut text = None;
    for param in params.split(';') {
        match param.trim().split_once('=') {
            Some(("cause", number)) => cause = number.trim().parse().ok(),
            Some(("text", words)) => {
                text = Some(words.trim().trim_matches('"').trim_end_matches('.').chars().take(200).collect());
            }
            _ => {}
        }
    }
    Some((cause?, text))
}

/// The server's own words go along where they are not just the RFC's phrase.
fn with_phrase(sentence: &str, code: u16, phrase: &str) -> String {
    let phrase = phrase.trim().trim_end_matches('.');
    let standard = Response::new(code).reason;
    if phrase.is_empty() || phrase.eq_ignore_ascii_case(&standard) {
        sentence.to_owned()
    } else {
        format!("{sentence} ({phrase})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_added_only_when_they_say_more() {
        assert_eq!(call(486, "Busy Here"), "The other side is busy.");
        assert_eq!(call(486, ""), "The other side is busy.");
        assert_eq!(call(403, "No international calls."), "This call is not allowed. (No international calls)");
        assert_eq!(call(499, "Whatever"), "The call failed. (Whatever)");
        assert_eq!(registration(404, "Not Found"), "The server does not know this address. Check the account.");
    }

    #[test]
    fn reasons_are_read() {
        for (value, expected) in [
            ("SIP;cause=200;text=\"Call completed elsewhere\"", Some((EndedBy::AnsweredElsewhere, 200))),
            ("SIP ;cause=200", Some((EndedBy::AnsweredElsewhere, 200))),
            ("sip;text=\"x\";cause=600", Some((EndedBy::Remote, 600))),
            ("SIP;cause=487;text=\"No more credit\"", Some((EndedBy::Remote, 487))),
            ("SIP;cause=487", None),
            ("Q.850;cause=16;text=\"Terminated\"", None),
            ("SIP;cause=x", None),
            ("", None),
        ] {
            let mut headers = Headers::new();
            headers.push("Reason", value);
            assert_eq!(given(&headers).map(|(by, cause, _)| (by, cause)), expected, "{value}");
        }
    }
}
