//! Times and numbers as the user's locale writes them, from `LC_ALL`, `LC_TIME`, `LC_NUMERIC` and `LANG`.

use crate::ui::snapshot::Locale;
use jiff::{Timestamp, Zoned, civil::Weekday, tz::TimeZone};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Languages and countries whose everyday clock has twelve hours.
const TWELVE_HOURS: [&str; 14] = [
    "en_US", "en_CA", "en_AU", "en_NZ", "en_IN", "en_PH", "en_PK", "hi_IN", "es_CO", "es_MX", "ar_EG", "ar_SA",
    "fil_PH", "ko_KR",
];
/// Languages that write a decimal comma.
const COMMA: [&str; 27] = [
    "af", "be", "bg", "ca", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hr", "hu", "id", "it", "lt", "lv", "nb",
    "nl", "pl", "pt", "ro", "ru", "sv", "tr", "uk",
];

/// Reads the locale through `variable`, the environment in the program.
pub fn locale(variable: impl Fn(&str) -> Option<String>) -> Locale {
    let setting = |category| {
        ["LC_ALL", category, "LANG"].into_iter().find_map(|name| variable(name).filter(|value| !value.is_empty()))
    };
    let time = setting("LC_TIME").unwrap_or_default();
    let number = setting("LC_NUMERIC").unwrap_or_default();
    let language = number.split(['_', '.', '@']).next().unwrap_or_default();
    // South Africa writes a comma, Mexico a point, whatever the language.
    let comma = match () {
        () if number.starts_with("en_ZA") => true,
        () if number.starts_with("es_MX") => false,
        () => COMMA.contains(&language),
    };
    Locale { twelve_hours: TWELVE_HOURS.iter().any(|name| time.starts_with(name)), decimal_comma: comma }
}

/// "10:42" today, "Tue 09:15" in the last six days, "3 Nov 09:15" before, with the year where it is another.
pub fn when(at: Timestamp, now: &Zoned, locale: Locale) -> String {
    let at = at.to_zoned(now.time_zone().clone());
    let clock = clock(&at, locale);
    let days = at.date().until(now.date()).map_or(i32::MAX, |span| span.get_days());
    match days {
        0 => clock,
        1..=6 => format!("{} {clock}", weekday(at.weekday())),
        _ if at.year() == now.year() => format!("{} {clock}", at.strftime("%-d %b")),
        _ => at.strftime("%-d %b %Y").to_string(),
    }
}

fn clock(at: &Zoned, locale: Locale) -> String {
    if locale.twelve_hours {
        let half = if at.hour() < 12 { "am" } else { "pm" };
        format!("{} {half}", at.strftime("%-I:%M"))
    } else {
        at.strftime("%H:%M").to_string()
    }
}

fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}

/// How long the day still lasts here.
pub fn until_midnight(now: &Zoned) -> Duration {
    let midnight = now.tomorrow().and_then(|tomorrow| tomorrow.start_of_day());
    let left = midnight.ok().and_then(|midnight| Duration::try_from(now.duration_until(&midnight)).ok());
    // At the end of time, or of a time zone's rules.
    left.unwrap_or(DAY)
}

/// The time zone of the machine; UTC where it cannot be told.
pub fn zone() -> TimeZone {
    TimeZone::system()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_how_times_and_numbers_are_written() {
        for (variables, twelve_hours, decimal_comma) in [
            (&[("LANG", "en_US.UTF-8")][..], true, false),
            (&[("LANG", "de_DE.UTF-8")], false, true),
            (&[("LANG", "en_ZA.UTF-8")], false, true),
            (&[("LANG", "en_US.UTF-8"), ("LC_TIME", "en_GB.UTF-8")], false, false),
            (&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")], false, false),
            (&[], false, false),
        ] {
            let read =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(locale(read), Locale { twelve_hours, decimal_comma }, "{variables:?}");
        }
    }

    #[test]
    fn the_day_ends_at_local_midnight() {
        for (now, minutes) in [
            ("2026-11-22T10:50[Africa/Johannesburg]", 13 * 60 + 10),
            ("2026-11-22T00:00[UTC]", 24 * 60),
            // The night when clocks go back.
            ("2026-10-25T00:30[Europe/Berlin]", 24 * 60 + 30),
        ] {
            let now: Zoned = now.parse().expect("a zoned time");
            assert_eq!(until_midnight(&now), Duration::from_secs(minutes * 60), "{now}");
        }
    }

    #[test]
    fn times_are_as_short_as_they_can_be() {
        let now: Zoned = "2026-11-22T10:50[Africa/Johannesburg]".parse().expect("a zoned time");
        for (at, wanted, twelve) in [
            ("2026-11-22T06:02:00Z", "08:02", "8:02 am"),
            ("2026-11-21T14:31:00Z", "Sat 16:31", "Sat 4:31 pm"),
            ("2026-11-03T10:00:00Z", "3 Nov 12:00", "3 Nov 12:00 pm"),
            ("2025-11-22T10:00:00Z", "22 Nov 2025", "22 Nov 2025"),
        ] {
            let at: Timestamp = at.parse().expect("a time");
            assert_eq!(when(at, &now, Locale::default()), wanted);
            assert_eq!(when(at, &now, Locale { twelve_hours: true, ..Locale::default() }), twelve);
        }
    }
}
