//! The four transaction machines of RFC 3261 §17, one file each, reading like the RFC's figures: with the Accepted state of
//! RFC 6026 and RFC 4320's rules for non-INVITE.
//!
//! A machine knows states and timers and nothing else. [`crate::sip::endpoint`] holds the messages, matches them to
//! machines, and carries out the actions that a step returns, in their order.

mod backoff;
pub mod client_invite;
pub mod client_non_invite;
pub mod server_invite;
pub mod server_non_invite;
#[cfg(test)]
mod table;

pub use backoff::Backoff;
use std::time::Duration;

/// The base values every other timer is computed from (RFC 3261 §17.1.1.1, Table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip time estimate; 500 ms.
    pub t1: Duration,
    /// Longest interval between retransmissions of a non-INVITE request or an INVITE response; 4 s.
    pub t2: Duration,
    /// How long a message can live in the network; 5 s.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timers {
    /// 64*T1: Timers B, F, H, J, L and M, and Timer D over UDP (32 s with the RFC's T1).
    pub fn give_up(&self) -> Duration {
        self.t1 * 64
    }

    /// When a client's Timer E, started with the transaction, is set to T2 for the first time: 3.5 s with the RFC's values
    /// (RFC 4320 §4.1).
    pub fn e_reaches_t2(&self) -> Duration {
        let (mut elapsed, mut interval) = (Duration::ZERO, self.t1);
        while interval < self.t2 && !interval.is_zero() {
            elapsed += interval;
            interval *= 2;
        }
        elapsed
    }
}

/// What happens to a client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientInput {
    /// A 1xx.
    Provisional,
    /// A 2xx.
    Success,
    /// A 3xx to 6xx.
    Failure,
    /// The transaction user wants the INVITE cancelled.
    Cancel,
    /// Time has passed; the machine looks which of its timers are due.
    Timer,
    /// The request, or the ACK for a non-2xx, could not be sent.
    TransportError,
}

/// What a client transaction asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAction {
    /// Send the request once more.
    Send,
    /// Send the ACK for the non-2xx final response at hand.
    SendAck,
    /// Start the CANCEL's own transaction.
    SendCancel,
    /// Hand the response at hand to the transaction user.
    PassUp,
    TimedOut,
    TransportFailed,
}

/// What happens to a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerInput {
    /// The request came again.
    Retransmission,
    /// An ACK matched this INVITE transaction.
    Ack,
    /// The transaction user answers 1xx.
    Provisional,
    /// The transaction user answers 2xx.
    Success,
    /// The transaction user answers 3xx to 6xx.
    Failure,
    /// The transaction user matched an ACK to its 2xx.
    Acknowledged,
    /// A CANCEL matched this INVITE transaction.
    Cancel,
    /// Time has passed; the machine looks which of its timers are due.
    Timer,
}

/// What a server transaction asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerAction {
    /// Send 100 (Trying).
    SendTrying,
    /// Send the transaction user's response at hand, and keep it for [`ServerAction::Resend`].
    Send,
    /// Send the last response once more; nothing where none was sent yet.
    Resend,
    /// Hand the ACK at hand to the transaction user.
    PassAck,
    /// Tell the transaction user of the CANCEL at hand.
    PassCancel,
    /// No ACK came for the final response.
    NoAck,
}
