//! Session timers (RFC 4028): one side confirms the call in time, and a call that nobody confirms any more is over.

use crate::sip::msg::{Headers, Request, Response};
use std::time::{Duration, Instant};

/// The shortest interval we agree to, seconds (RFC 4028 §4).
pub(in crate::ua) const MIN_SE: u32 = 90;
/// What we propose, seconds.
pub(in crate::ua) const PROPOSED: u32 = 1800;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It is on us to send a refresh.
    Refresh,
    /// Nobody has: BYE.
    Expired,
}

/// Servers on the way that each want a longer interval than the one before.
const MOST_RAISED: u8 = 5;

/// The timer of one dialog, as the last refresh set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionTimer {
    /// Seconds.
    interval: u32,
    /// The largest that any server on the way has asked for, seconds.
    min_se: u32,
    we_refresh: bool,
    /// `None` once it was done.
    refresh_at: Option<Instant>,
    expires_at: Instant,
    /// Refreshes answered 422 since the last that was taken.
    raised: u8,
}

impl SessionTimer {
    fn new(now: Instant, interval: u32, min_se: u32, we_refresh: bool) -> Self {
        let whole = Duration::from_secs(u64::from(interval));
        // RFC 4028 §10: who waits for a refresh gives up a little before the end, since its BYE takes time as well.
        let early = if we_refresh { Duration::ZERO } else { (whole / 3).min(Duration::from_secs(32)) };
        let refresh_at = we_refresh.then(|| now + whole / 2);
        Self { interval, min_se, we_refresh, refresh_at, expires_at: now + whole - early, raised: 0 }
    }

    /// What a 2xx to our INVITE or UPDATE says (RFC 4028 §7.2); without Session-Expires there is no timer.
    /// `min_se`: what a 422 on the way has asked for.
    pub fn of_response(now: Instant, response: &Headers, min_se: u32) -> Option<Self> {
        let (interval, refresher) = session_expires(response)?;
        Some(Self::new(now, interval.max(MIN_SE), min_se, refresher != Some(Refresher::Uas)))
    }

    /// What we answer to the peer's INVITE or UPDATE (RFC 4028 §9, table 2), written into our 2xx.
    pub fn answer(now: Instant, request: &Headers, response: &mut Headers) -> Option<Self> {
        let (interval, refresher) = session_expires(request)?;
        let knows = supports_timer(request);
        // A caller that does not know of timers has had this put in by a proxy: we refresh.
        let we_refresh = !knows || refresher == Some(Refresher::Uas);
        let interval = interval.max(MIN_SE);
        response.push("Session-Expires", format!("{interval};refresher={}", if we_refresh { "uas" } else { "uac" }));
        if knows {
            response.push("Require", "timer");
        }
        Some(Self::new(now, interval, request.number("Min-SE").unwrap_or(MIN_SE).max(MIN_SE), we_refresh))
    }

    /// The largest Min-SE that we have been told, seconds.
    pub const fn min_se(&self) -> u32 {
        self.min_se
    }

    /// Keeps the agreement in a request of ours (RFC 4028 §7.4): the roles are named as this request has them.
    pub fn write(&self, request: &mut Headers) {
        let refresher = if self.we_refresh { "uac" } else { "uas" };
        request.push("Session-Expires", format!("{};refresher={refresher}", self.interval));
        if self.min_se > MIN_SE {
            request.push("Min-SE", self.min_se.to_string());
        }
    }

    /// A 422 to our refresh: the interval it asks for. `false` where it asks for nothing more, for more than a
    /// day, or without end.
    pub fn raise(&mut self, response: &Headers) -> bool {
        match min_se(response) {
            Some(wanted) if wanted > self.interval && self.raised < MOST_RAISED => {
                (self.interval, self.min_se) = (wanted, wanted);
                self.raised += 1;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The refresh could not be made; again at `at`, if that is on us and in time. Whether it is.
    pub fn postpone(&mut self, at: Instant) -> bool {
        self.refresh_at = (self.we_refresh && at < self.expires_at).then_some(at);
        self.refresh_at.is_some()
    }

    pub fn poll_timeout(&self) -> Instant {
        self.refresh_at.map_or(self.expires_at, |at| at.min(self.expires_at))
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        if self.expires_at <= now {
            return Some(Due::Expired);
        }
        self.refresh_at.take_if(|at| *at <= now).map(|_| Due::Refresh)
    }
}

/// Proposes a timer in the first INVITE of a call.
pub(super) fn propose(request: &mut Headers, interval: u32, min_se: u32) {
    request.push("Session-Expires", interval.to_string());
    if min_se > MIN_SE {
        request.push("Min-SE", min_se.to_string());
    }
}

/// 422 for a request that wants an interval too short (RFC 4028 §9); only who knows of timers can be told so.
pub(in crate::ua) fn inspect(request: &Request) -> Option<Response> {
    let (interval, _) = session_expires(&request.headers)?;
    (interval < MIN_SE && supports_timer(&request.headers)).then(|| {
        let mut response = Response::to(request, 422, None);
        response.headers.push("Min-SE", MIN_SE.to_string());
        response
    })
}

/// What a 422 asks for, where that can be given: at most a day.
pub(super) fn min_se(response: &Headers) -> Option<u32> {
    response.number("Min-SE").filter(|wanted| *wanted <= 86_400)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Refresher {
    Uac,
    Uas,
}

fn session_expires(headers: &Headers) -> Option<(u32, Option<Refresher>)> {
    let interval = headers.number("Session-Expires")?;
    let params = headers.get("Session-Expires").unwrap_or_default().split(';').skip(1);
    let refresher = params.filter_map(|p| p.split_once('=')).find_map(|(name, value)| {
        match (name.trim().to_ascii_lowercase().as_str(), value.trim().to_ascii_lowercase().as_str()) {
            ("refresher", "uac") => Some(Refresher::Uac),
            ("refresher", "uas") => Some(Refresher::Uas),
            _ => None,
        }
    });
    Some((interval, refresher))
}

fn supports_timer(headers: &Headers) -> bool {
    ["Supported", "Require"].iter().any(|name| headers.tokens(name).iter().any(|t| t.eq_ignore_ascii_case("timer")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(name, *value);
        }
        headers
    }

    const KNOWS: (&str, &str) = ("Supported", "100rel, Timer");

    /// Our 2xx, who refreshes, and when we give up. RFC 4028 §9, table 2.
    #[test]
    fn the_callee_answers_by_the_table() {
        type Row = (&'static [(&'static str, &'static str)], Option<(&'static str, bool, bool, u64)>);
        let rows: &[Row] = &[
            (&[], None),
            (&[KNOWS], None),
            (&[("Session-Expires", "soon"), KNOWS], None),
            (&[("Session-Expires", "1800")], Some(("1800;refresher=uas", false, true, 1800))),
            (&[("Session-Expires", "1800"), KNOWS], Some(("1800;refresher=uac", true, false, 1768))),
            (&[("Session-Expires", "1800;refresher=uac"), KNOWS], Some(("1800;refresher=uac", true, false, 1768))),
            (&[("Session-Expires", "600; refresher = UAS"), KNOWS], Some(("600;refresher=uas", true, true, 600))),
            (&[("Session-Expires", "90"), ("Require", "timer")], Some(("90;refresher=uac", true, false, 60))),
            (&[("Session-Expires", "1")], Some(("90;refresher=uas", false, true, 90))),
        ];
        let now = Instant::now();
        for (request, expected) in rows {
            let mut response = Headers::new();
            let timer = SessionTimer::answer(now, &headers(request), &mut response);
            let seen = timer.map(|t| {
                let value = response.get("Session-Expires").unwrap_or_default();
                (value, response.contains("Require"), t.we_refresh, (t.expires_at - now).as_secs())
            });
            assert_eq!(seen, *expected, "{request:?}");
        }
    }

    #[test]
    fn the_caller_follows_the_answer() {
        let now = Instant::now();
        for (value, expected) in [
            ("1800;refresher=uac", Some((true, 900, 1800))),
            ("1800;refresher=uas", Some((false, 1768, 1768))),
            // Somebody must.
            ("1800", Some((true, 900, 1800))),
            ("no", None),
        ] {
            let timer = SessionTimer::of_response(now, &headers(&[("Session-Expires", value)]), MIN_SE);
            let seen =
                timer.map(|t| (t.we_refresh, (t.poll_timeout() - now).as_secs(), (t.expires_at - now).as_secs()));
            assert_eq!(seen, expected, "{value}");
        }
        assert_eq!(SessionTimer::of_response(now, &Headers::new(), MIN_SE), None);
    }

    #[test]
    fn a_refresh_is_due_once_and_the_end_for_ever() {
        let now = Instant::now();
        let mut timer = SessionTimer::new(now, 90, MIN_SE, true);
        let at = |s| now + Duration::from_secs(s);
        assert_eq!(timer.handle_timeout(at(44)), None);
        assert_eq!(timer.handle_timeout(at(45)), Some(Due::Refresh));
        assert_eq!((timer.handle_timeout(at(46)), timer.poll_timeout()), (None, at(90)));
        assert!(timer.postpone(at(50)));
        assert_eq!(timer.handle_timeout(at(50)), Some(Due::Refresh));
        assert!(!timer.postpone(at(91)));
        assert_eq!(timer.poll_timeout(), at(90));
        assert_eq!(timer.handle_timeout(at(90)), Some(Due::Expired));
    }

    #[test]
    fn intervals_too_short_are_told_only_to_who_understands() {
        let request = |fields: &[(&str, &str)]| Request {
            method: crate::sip::msg::Method::INVITE,
            uri: "sip:a@b".parse().unwrap(),
            headers: headers(fields),
            body: Vec::new(),
        };
        let refused = inspect(&request(&[("Session-Expires", "89"), KNOWS])).unwrap();
        assert_eq!((refused.code(), refused.headers.get("Min-SE")), (422, Some("90")));
        for fine in [&[("Session-Expires", "89")][..], &[("Session-Expires", "90"), KNOWS], &[KNOWS]] {
            assert!(inspect(&request(fine)).is_none(), "{fine:?}");
        }
    }

    #[test]
    fn a_422_raises_the_interval_within_reason() {
        for (min, expected) in [("3600", Some(3600)), ("1800", None), ("90", None), ("4000000000", None), ("x", None)] {
            let mut timer = SessionTimer::new(Instant::now(), 1800, MIN_SE, true);
            let raised = timer.raise(&headers(&[("Min-SE", min)]));
            assert_eq!(raised.then_some(timer.interval), expected, "{min}");
            let mut request = Headers::new();
            timer.write(&mut request);
            assert_eq!(request.number("Min-SE"), expected);
        }
    }
}
