//! The account's calls: those in progress, which the SIP side lists ([`super::contacts`]), and the records of those that are
//! over.
//!
//! Our own SIP side hands each to the [`super::notebook`], so that the database never holds a call up; Kamailio writes them itself (`kamailio_called` in the database).

pub mod manage;
mod queries;
mod routes;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use queries::{Direction, History, history, write};
pub use routes::routes;

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Of the account.
    pub realm: String,
    /// SIP's Call-ID.
    pub call_id: String,
    /// The registration that called: `100-acme`.
    pub caller: String,
    pub caller_extension: Party,
    pub dialled: String,
    /// Where it led.
    pub callee_extension: Party,
    pub started_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Timestamp,
    /// Final status of the INVITE (RFC 3261 §21); 200 where somebody answered.
    pub code: u16,
    /// `None` where nobody answered, or it was not noted.
    pub ended_by: Option<EndedBy>,
}

/// Who ended a call that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndedBy {
    Caller,
    Callee,
    /// HangUpChannel.
    Tms,
    /// No BYE came: its devices are gone, or its session timer ran out.
    Nobody,
}

impl EndedBy {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Caller, "caller"), (Self::Callee, "callee"), (Self::Tms, "tms"), (Self::Nobody, "nobody")];

    /// As the database writes it.
    fn written(self) -> &'static str {
        Self::ALL.into_iter().find(|(by, _)| *by == self).map_or("nobody", |(_, word)| word)
    }

    fn read(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, word)| *word == stored).map(|(by, _)| by)
    }
}

/// An extension as it was at the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    pub number: String,
    pub name: String,
}

impl CallRecord {
    /// Seconds that were spoken.
    pub fn duration(&self) -> i64 {
        self.answered_at.map_or(0, |answered| self.ended_at.as_second() - answered.as_second()).max(0)
    }

    /// How it ended: in a word, and in a sentence for people.
    pub fn outcome(&self) -> (&'static str, String) {
        let callee = &self.callee_extension.number;
        match self.code {
            ..300 => ("Answered", self.ending()),
            486 | 600 => ("Busy", format!("{callee} was busy.")),
            408 | 480 => ("No answer", format!("{callee} did not answer or was not online.")),
            487 => ("Cancelled", "The caller hung up before anybody answered.".to_owned()),
            603 => ("Declined", format!("{callee} declined the call.")),
            code => ("Failed", format!("The call failed: {callee}'s device answered {code}.")),
        }
    }

    /// How a call that was answered ended.
    fn ending(&self) -> String {
        let (caller, callee) = (&self.caller_extension.number, &self.callee_extension.number);
        match self.ended_by {
            None => format!("{callee} answered."),
            Some(EndedBy::Caller) => format!("{callee} answered; {caller} hung up."),
            Some(EndedBy::Callee) => format!("{callee} answered; {callee} hung up."),
            Some(EndedBy::Tms) => format!("{callee} answered; the TMS was told to end the call."),
            Some(EndedBy::Nobody) => {
                format!("{callee} answered; the devices were not heard of any more, so it ended no later than noted.")
            }
        }
    }
}
