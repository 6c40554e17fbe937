//! Header fields and a body of event notification: Event, Subscription-State (RFC 6665), message/sipfrag (RFC 3420).

use super::{HeaderError, Headers, status};
use crate::sip::{
    lex::{self, Params},
    uri::UriError,
};
use std::str::FromStr;

/// Event (RFC 6665 §8.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType {
    /// Package and templates: `refer`, `presence.winfo`; compared with case.
    pub package: String,
    pub params: Params,
}

impl EventType {
    /// What tells subscriptions within one dialog apart.
    pub fn id(&self) -> Option<&str> {
        lex::get_param(&self.params, "id")
    }
}

impl FromStr for EventType {
    type Err = UriError;

    fn from_str(s: &str) -> Result<Self, UriError> {
        let (package, params) = token_and_params(s, "it begins with the name of an event package")?;
        Ok(Self { package, params })
    }
}

/// Subscription-State (RFC 6665 §8.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    pub state: Substate,
    /// Seconds that are left; `None` where nothing is said.
    pub expires: Option<u32>,
    /// Why it was terminated: `noresource`, `timeout`, `rejected`, …
    pub reason: Option<String>,
    /// Seconds before a new subscription is welcome.
    pub retry_after: Option<u32>,
}

/// How a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Substate {
    /// Accepted, also what RFC 6665 §4.1.3 reads an unknown word as.
    Active,
    /// Whether it will be accepted is not known yet.
    Pending,
    Terminated,
}

impl FromStr for SubscriptionState {
    type Err = UriError;

    fn from_str(s: &str) -> Result<Self, UriError> {
        let (word, params) = token_and_params(s, "it begins with active, pending or terminated")?;
        let state = match word.to_ascii_lowercase().as_str() {
            "terminated" => Substate::Terminated,
            "pending" => Substate::Pending,
            _ => Substate::Active,
        };
        let number = |name: &str| lex::get_param(&params, name).and_then(lex::digits);
        Ok(Self {
            state,
            expires: number("expires"),
            reason: lex::get_param(&params, "reason").map(str::to_ascii_lowercase),
            retry_after: number("retry-after"),
        })
    }
}

fn token_and_params(s: &str, wanted: &'static str) -> Result<(String, Params), UriError> {
    let (word, params) = s.split_at(s.find(';').unwrap_or(s.len()));
    let word = word.trim();
    if !lex::is_token(word) {
        return Err(UriError(wanted));
    }
    Ok((word.to_owned(), lex::params(params).map_err(UriError)?))
}

impl Headers {
    /// Event (RFC 6665 §8.2.1).
    pub fn event(&self) -> Result<EventType, HeaderError> {
        self.first("Event")
    }

    /// Subscription-State (RFC 6665 §8.2.3), which every NOTIFY has.
    pub fn subscription_state(&self) -> Result<SubscriptionState, HeaderError> {
        self.first("Subscription-State")
    }

    fn first<T: FromStr<Err = UriError>>(&self, name: &'static str) -> Result<T, HeaderError> {
        let value = self.get(name).ok_or(HeaderError::Missing(name))?;
        value.parse().map_err(|e: UriError| HeaderError::Malformed { name: name.to_owned(), why: e.0 })
    }
}

/// The body that tells how a request fares, `message/sipfrag` with a status line (RFC 3420, RFC 3515 §2.4.5).
pub fn sipfrag(code: u16) -> Vec<u8> {
    format!("SIP/2.0 {code} {}\r\n", status::phrase(code)).into_bytes()
}

/// Status code and phrase of a `message/sipfrag` that begins with a status line.
pub fn sipfrag_status(body: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().find(|line| !line.trim().is_empty())?.trim();
    let rest =
        line.get(..7).filter(|version| version.eq_ignore_ascii_case("SIP/2.0")).map(|_| line[7..].trim_start())?;
    let (code, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
    let code = lex::digits(code).and_then(|code| u16::try_from(code).ok()).filter(|code| (100..700).contains(code))?;
    Some((code, phrase.trim().chars().take(200).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_states_read() {
        let event: EventType = "refer ; id=93809824".parse().unwrap();
        assert_eq!((event.package.as_str(), event.id()), ("refer", Some("93809824")));
        assert_eq!("presence.winfo".parse::<EventType>().map(|e| e.id().is_none()), Ok(true));
        for bad in ["", ";id=1", "two words", "refer;;"] {
            assert!(bad.parse::<EventType>().is_err(), "{bad}");
        }
        for (value, state, expires, reason) in [
            ("active;expires=60", Substate::Active, Some(60), None),
            ("Pending ; expires=99999999999", Substate::Pending, Some(u32::MAX), None),
            ("terminated;reason=NoResource", Substate::Terminated, None, Some("noresource")),
            ("tomorrow", Substate::Active, None, None),
        ] {
            let read: SubscriptionState = value.parse().unwrap();
            assert_eq!((read.state, read.expires, read.reason.as_deref()), (state, expires, reason), "{value}");
        }
        let read: SubscriptionState = "terminated;reason=giveup;retry-after=30".parse().unwrap();
        assert_eq!(read.retry_after, Some(30));
        assert!(Headers::new().subscription_state().is_err());
    }

    #[test]
    fn fragments_tell_a_status() {
        assert_eq!(sipfrag(486), b"SIP/2.0 486 Busy Here\r\n");
        for (body, expected) in [
            ("SIP/2.0 200 OK\r\n", Some((200, "OK"))),
            ("\r\nsip/2.0 180 Ringing\r\nTo: <sip:a@b>\r\n", Some((180, "Ringing"))),
            ("SIP/2.0 603", Some((603, ""))),
            ("SIP/2.0 42 x", None),
            ("SIP/2.0 700 x", None),
            ("SIP/3.0 200 OK", None),
            ("Süß", None),
            ("", None),
        ] {
            let read = sipfrag_status(body.as_bytes());
            assert_eq!(read.as_ref().map(|(code, phrase)| (*code, phrase.as_str())), expected, "{body:?}");
        }
        assert_eq!(sipfrag_status(&[0xff, 0xfe]), None);
    }
}
