//! Status codes as sentences a person understands.

use super::api::EndedBy;
use crate::sip::{
    lex,
    msg::{Headers, Response},
};

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
        406 => "The other side cannot answer in a form that is understood here.",
        408 | 504 => "There was no answer.",
        410 => "This number or address is no longer in use.",
        409 | 412 => "The server's state does not allow this call at the moment.",
        411 | 413 | 414 | 513 => "The call's message was too large for the server.",
        415 | 488 | 606 => "The other side cannot take this kind of call: no common audio.",
        416 => "The server cannot call this kind of address.",
        417 => "The server does not know the call's priority.",
        420 | 421 | 494 => "The other side needs a feature that is not supported.",
        422 | 423 => "The server wants to hear of the call less often than is possible here.",
        424 => "The server does not accept the place that was told for this call.",
        428 | 436..=438 => "The server wants a proof of who calls, and has none that it accepts.",
        429 => "The server wants to know on whose behalf the call is made.",
        430 | 439 => "The connection over which the other side was reached is gone.",
        433 => "The other side takes no anonymous calls. Show your number and call again.",
        440 => "The call was spread to too many places at once.",
        469 | 489 => "The other side does not understand what it was told about this call.",
        470 => "The other side has not agreed to be called by you.",
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
        _ => "The call failed for a reason that is not known here.",
    };
    with_phrase(known, code, phrase)
}

/// What a caller reads when the call was answered with this, and when to try again where the server says so (RFC 3261
/// §20.33).
pub(super) fn refusal(response: &Response) -> String {
    let sentence = call(response.code(), &phrase(response));
    let wait = match response.headers.number("Retry-After") {
        None | Some(0) => return sentence,
        Some(1) => "a second".to_owned(),
        Some(seconds @ ..120) => format!("{seconds} seconds"),
        Some(seconds @ ..7_200) => format!("{} minutes", seconds.div_ceil(60)),
        Some(seconds) => format!("{} hours", seconds.div_ceil(3_600)),
    };
    format!("{sentence} Try again in {wait}.")
}

/// A Reason for the peer (RFC 3326).
pub(super) fn header(code: u16) -> String {
    format!("SIP;cause={code};text=\"{}\"", Response::new(code).reason)
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

/// Whether a refusal is about how the audio is carried (RFC 3261 §20.43), be that how it is encrypted.
pub(super) fn is_about_transport(response: &Response) -> bool {
    response.headers.get("Warning").is_some_and(|warning| warning.trim_start().starts_with("302 "))
}

/// How the peer's Reason header (RFC 3326) changes the picture of a CANCEL or BYE.
pub(super) fn given(headers: &Headers) -> Option<(EndedBy, u16, String)> {
    let reasons: Vec<_> =
        headers.get_all("Reason").flat_map(|value| lex::split(value, b',')).filter_map(Cause::read).collect();
    // ITU-T Q.850, non-selected user clearing: what a gateway says for 200.
    if reasons.iter().any(|reason| reason.protocol == "q.850" && reason.cause == 26) {
        return Some((EndedBy::AnsweredElsewhere, 200, "The call was answered elsewhere.".to_owned()));
    }
    let Cause { cause, text, .. } = reasons.into_iter().find(|reason| reason.protocol == "sip")?;
    match cause {
        // RFC 3326 §3.1: a fork of the call was answered on another device.
        200 => Some((EndedBy::AnsweredElsewhere, cause, "The call was answered elsewhere.".to_owned())),
        600 | 603 => Some((EndedBy::Remote, cause, "The call was declined elsewhere.".to_owned())),
        _ => text.map(|text| (EndedBy::Remote, cause, format!("The other side ended the call: {text}."))),
    }
}

/// One value of a Reason header: `SIP ;cause=200 ;text="Call completed elsewhere"`.
struct Cause {
    /// In lower case.
    protocol: String,
    cause: u16,
    text: Option<String>,
}

impl Cause {
    fn read(value: &str) -> Option<Self> {
        let (protocol, params) = value.split_at(value.find(';')?);
        let params = lex::params(params).ok()?;
        let words = |text: &str| text.trim().trim_end_matches('.').chars().take(200).collect();
        Some(Self {
            protocol: protocol.trim().to_ascii_lowercase(),
            cause: lex::get_param(&params, "cause")?.parse().ok()?,
            text: lex::get_param(&params, "text").map(words),
        })
    }
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
        assert_eq!(call(499, "Whatever"), "The call failed for a reason that is not known here. (Whatever)");
        assert_eq!(registration(404, "Not Found"), "The server does not know this address. Check the account.");
    }

    #[test]
    fn every_registered_code_is_explained_in_words() {
        for code in (300..700).filter(|code| *code != 499) {
            let sentence = call(code, "");
            assert!(sentence.ends_with('.') && !sentence.contains(|c: char| c.is_ascii_digit()), "{code}: {sentence}");
            // Registered ones have a phrase that is not their class's.
            let class = Response::new(code / 100 * 100 + 99).reason;
            let is_registered = code >= 400 && Response::new(code).reason != class;
            assert!(!is_registered || sentence != call(499, ""), "{code} is registered and not explained");
        }
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
            ("Q.850;cause=26", Some((EndedBy::AnsweredElsewhere, 200))),
            ("Q.850;cause=16, SIP;cause=200;text=\"a, b; c\"", Some((EndedBy::AnsweredElsewhere, 200))),
            ("SIP;cause=200;text=\"never ends", None),
            ("", None),
        ] {
            let mut headers = Headers::new();
            headers.push("Reason", value);
            assert_eq!(given(&headers).map(|(by, cause, _)| (by, cause)), expected, "{value}");
        }
    }
}
