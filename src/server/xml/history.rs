//! The three histories of calls: what they are asked with, and a record as they write it.

use jiff::{Timestamp, civil, tz::TimeZone};
use maud::{Markup, html};

use super::{XmlError, actions::clean, request::XmlRequest};
use crate::server::calls::{CallRecord, Direction, History};

/// Fields that a history cannot do without.
pub const FIELDS: &[&str] = &["pageSize", "startAt", "startDate", "endDate"];

/// Records of one answer at most.
const LARGEST_PAGE: i64 = 1000;
/// Nobody turns pages beyond this many.
const FARTHEST: i64 = 1_000_000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// What is wanted.
pub fn history(request: &XmlRequest, direction: Direction) -> Result<History, XmlError> {
    let (from, _) = span(request, "startDate")?;
    let (_, until) = span(request, "endDate")?;
    if until <= from {
        return Err(XmlError::refused("<endDate> must not be before <startDate>."));
    }
    let only_answered = match request.optional("onlyAnswered").unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "false" | "0" => false,
        "true" | "1" => true,
        _ => return Err(XmlError::refused("<onlyAnswered> must be true or false.")),
    };
    Ok(History {
        direction,
        from,
        until,
        extension: request.optional("extension"),
        only_answered,
        offset: number(request, "startAt", 0, FARTHEST)?,
        limit: number(request, "pageSize", 1, LARGEST_PAGE)?,
    })
}

fn number(request: &XmlRequest, field: &str, least: i64, most: i64) -> Result<i64, XmlError> {
    let given = request.required(field)?.parse().ok().filter(|number| (least..=most).contains(number));
    given.ok_or_else(|| XmlError::refused(format!("<{field}> must be a number from {least} to {most}.")))
}

/// A day from its beginning to its end, or a moment and the one after it, in milliseconds since 1970. What names no time zone is
/// UTC.
fn span(request: &XmlRequest, field: &str) -> Result<(i64, i64), XmlError> {
    let text = request.required(field)?;
    let day = |day: civil::Date| day.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp().as_millisecond());
    // A date and time is read as a date too, so those come first.
    let moment = text.parse::<Timestamp>().ok().or_else(|| {
        let local: civil::DateTime = text.parse().ok().filter(|_| text.len() > "2026-01-01".len())?;
        Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
    });
    let span = match moment {
        Some(at) => Some((at.as_millisecond(), at.as_millisecond() + 1)),
        None => text.parse().ok().and_then(day).map(|begins| (begins, begins + DAY_MS)),
    };
    span.ok_or_else(|| {
        XmlError::refused(format!("<{field}> must be a date or a time, such as 2026-01-31 or 2026-01-31T08:00:00Z."))
    })
}

/// `Extension` is the one that was asked about: the called one of an inbound history, else the caller's.
pub fn record(id: i64, call: &CallRecord, direction: Direction) -> Markup {
    let extension = match direction {
        Direction::Inbound => &call.callee_extension,
        Direction::Outbound | Direction::Any => &call.caller_extension,
    };
    let (status, description) = call.outcome();
    html! { Record {
        UniqueID { (id) }
        Extension { (extension.number) }
        ExtensionName { (clean(&extension.name)) }
        Source { (call.caller) }
        SourceExtension { (call.caller_extension.number) }
        DialledNumber { (clean(&call.dialled)) }
        DestinationExtension { (call.callee_extension.number) }
        StartTime { (call.started_at) }
        @if let Some(answered) = call.answered_at { AnswerTime { (answered) } }
        EndTime { (call.ended_at) }
        Duration { (call.duration()) }
        Status { (status) }
        StatusDescription { (description) }
    } }
}
