//! Durations and figures as people read them.

use super::{
    snapshot::Locale,
    text::{fill, t},
};
use std::time::{Duration, Instant};

/// "03:27", "1:03:27": the clock of a call.
pub fn clock(elapsed: Duration) -> String {
    let s = elapsed.as_secs();
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m:02}:{s:02}") }
}

/// "40 s", "3 min", "2 h": an age, rounded down.
pub fn age(elapsed: Duration) -> String {
    let s = elapsed.as_secs();
    match s {
        0..60 => fill(t().seconds_short, &[&s.to_string()]),
        60..3600 => fill(t().minutes_short, &[&(s / 60).to_string()]),
        _ => fill(t().hours_short, &[&(s / 3600).to_string()]),
    }
}

/// A figure with `places` decimals in the user's notation.
pub fn figure(value: f64, places: usize, locale: Locale) -> String {
    let text = format!("{value:.places$}");
    if locale.decimal_comma { text.replace('.', ",") } else { text }
}

/// Time until the seconds shown for `since` change.
pub fn next_second(since: Instant, now: Instant) -> Duration {
    let past = now.saturating_duration_since(since).subsec_nanos();
    Duration::from_nanos(u64::from(1_000_000_000 - past))
}

/// "MD" for "Maria Dlamini", "S" for "sales"; nothing for a number or an address.
pub fn initials(name: &str) -> Option<String> {
    if name.contains('@') {
        return None;
    }
    let mut words = name.split_whitespace().filter_map(|word| word.chars().next().filter(|c| c.is_alphabetic()));
    let first = words.next()?;
    Some(first.to_uppercase().chain(words.next_back().into_iter().flat_map(char::to_uppercase)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_ages_and_figures() {
        for (seconds, clocked, aged) in
            [(0, "00:00", "0 s"), (59, "00:59", "59 s"), (207, "03:27", "3 min"), (3807, "1:03:27", "1 h")]
        {
            let elapsed = Duration::from_secs(seconds);
            assert_eq!((clock(elapsed).as_str(), age(elapsed).as_str()), (clocked, aged));
        }
        assert_eq!(figure(4.25, 1, Locale::default()), "4.2");
        assert_eq!(figure(4.27, 1, Locale { decimal_comma: true, ..Locale::default() }), "4,3");
    }

    #[test]
    fn initials_of_names_only() {
        for (name, wanted) in [
            ("Maria Dlamini", Some("MD")),
            ("sales", Some("S")),
            ("Ana de la Cruz", Some("AC")),
            ("0215550142", None),
            ("sip:ann@pbx.example:5080", None),
            ("", None),
        ] {
            assert_eq!(initials(name).as_deref(), wanted, "{name}");
        }
    }

    #[test]
    fn the_next_tick_is_at_the_full_second() {
        let start = Instant::now();
        assert_eq!(next_second(start, start + Duration::from_millis(1250)), Duration::from_millis(750));
        assert_eq!(next_second(start, start), Duration::from_secs(1));
    }
}
