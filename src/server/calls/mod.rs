//! Records of calls that are over.
//!
//! Our own SIP side hands each to [`Records`], whose [`Recorder`] writes them down a little later, so that the database never
//! holds a call up. What is in progress is the SIP side's own ([`super::contacts`]). With Kamailio as the SIP side there are
//! none.

mod queries;
mod recorder;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use queries::{Direction, History, history};
pub use recorder::{Recorder, Records};

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
            ..300 => ("Answered", format!("{callee} answered.")),
            486 | 600 => ("Busy", format!("{callee} was busy.")),
            408 | 480 => ("No answer", format!("{callee} did not answer or was not online.")),
            487 => ("Cancelled", "The caller hung up before anybody answered.".to_owned()),
            603 => ("Declined", format!("{callee} declined the call.")),
            code => ("Failed", format!("The call failed: {callee}'s device answered {code}.")),
        }
    }
}
