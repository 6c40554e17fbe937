//! Requests to be answered without ringing: an intercom, a page, or a PBX that calls both sides of a click to dial.
//! Whether they are obeyed is decided where the call is taken; they are dropped from everybody but our own servers
//! ([`super::identity::distrust`]).

use crate::sip::{lex, msg::Headers};
use std::time::Duration;

/// A longer wait is ringing.
const LONGEST: u32 = 60;

/// After how long the call is to be answered by itself, where the request asks for it:
/// `Answer-Mode: Auto` (RFC 5373), `Call-Info: <…>;answer-after=0`, `Alert-Info` with `info=alert-autoanswer` or its cousins,
/// or an alert URN (RFC 7462) of the name that PBXs use: the registry has none for it.
pub(super) fn asked(headers: &Headers) -> Option<Duration> {
    let modes = headers.get_all("Priv-Answer-Mode").chain(headers.get_all("Answer-Mode"));
    let mut modes = modes.filter_map(|value| value.split(';').next()).map(|mode| mode.trim().to_ascii_lowercase());
    if let Some(mode) = modes.next() {
        // RFC 5373 §4.2: "Manual" is an order, too.
        return (mode == "auto").then_some(Duration::ZERO);
    }
    headers
        .get_all("Call-Info")
        .chain(headers.get_all("Alert-Info"))
        .flat_map(|value| lex::split(value, b','))
        .find_map(after)
}

/// One element: `<sip:pbx>;answer-after=2`, `<http://x>;info=alert-autoanswer;delay=0`, `<urn:alert:service:auto-answer>`.
fn after(element: &str) -> Option<Duration> {
    let (address, params) = match element.split_once('>') {
        Some((address, params)) => (address.trim_start_matches('<'), params),
        // Many write it without brackets: `info=alert-autoanswer`.
        None => ("", element),
    };
    let params: Vec<_> = params.split(';').filter_map(|p| p.trim().split_once('=')).collect();
    let param = |name: &str| {
        params
            .iter()
            .find(|(n, _)| n.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().trim_matches('"'))
    };
    let seconds = |text: &str| lex::digits(text).filter(|s| *s <= LONGEST).map(|s| Duration::from_secs(s.into()));
    if let Some(answer_after) = param("answer-after") {
        return seconds(answer_after);
    }
    let info = param("info").unwrap_or_default().to_ascii_lowercase();
    let urn = address.trim().to_ascii_lowercase();
    let named =
        matches!(info.as_str(), "alert-autoanswer" | "auto answer" | "auto-answer" | "autoanswer" | "ring answer");
    // RFC 7462 §5: a private label carries its owner's domain.
    let by_urn = urn.split('@').next() == Some("urn:alert:service:auto-answer");
    (named || by_urn).then(|| param("delay").and_then(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings() {
        for (name, value, expected) in [
            ("Alert-Info", "<http://www.notused.com>;info=alert-autoanswer;delay=0", Some(0)),
            ("Alert-Info", "<http://pbx>;info=alert-autoanswer;delay=3", Some(3)),
            ("Alert-Info", "info=alert-autoanswer", Some(0)),
            ("Alert-Info", "<sip:pbx>;info=\"Auto Answer\"", Some(0)),
            ("Alert-Info", "<urn:alert:service:auto-answer>", Some(0)),
            ("Alert-Info", "<urn:alert:service:auto-answer@pbx.example>", Some(0)),
            ("Alert-Info", "<urn:alert:source:external>, <urn:alert:service:auto-answer>", Some(0)),
            ("Alert-Info", "<urn:alert:service:call-waiting>", None),
            ("Alert-Info", "<http://pbx/ring.wav>;info=alert-external", None),
            ("Call-Info", "<sip:192.0.2.9>;answer-after=0", Some(0)),
            ("Call-Info", "<http://pbx/photo.png>;purpose=icon, <sip:pbx>; Answer-After=2", Some(2)),
            ("Call-Info", "<sip:pbx>;answer-after=soon", None),
            ("Call-Info", "<sip:pbx>;answer-after=61", None),
            ("Call-Info", "", None),
            ("Answer-Mode", "Auto", Some(0)),
            ("Priv-Answer-Mode", "auto;require", Some(0)),
            ("Answer-Mode", "Manual", None),
        ] {
            let mut headers = Headers::new();
            headers.push(name, value);
            assert_eq!(asked(&headers), expected.map(Duration::from_secs), "{name}: {value}");
        }
        let mut headers = Headers::new();
        headers.push("Call-Info", "<sip:pbx>;answer-after=0");
        headers.push("Answer-Mode", "Manual");
        assert_eq!(asked(&headers), None, "an order to ring");
    }
}
