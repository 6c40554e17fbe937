//! Live registrations, asked of the SIP side, which owns them. Orders go over a bounded channel; each carries the way to
//! answer it. A server without a SIP side (`--no-sip`) has nobody at the other end, and nothing is held.

use std::{net::SocketAddr, time::Duration};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::registry::RingGroup;

/// Who holds a registration now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub realm: String,
    /// Name of the registration, which is its address of record: `100-acme`.
    pub registration: String,
    /// User-Agent of the holder, or what else is known of it.
    pub device: String,
    /// Where the REGISTER came from.
    pub address: SocketAddr,
    /// When this holder took it; a refresh does not change it.
    pub since: Timestamp,
    pub expires_at: Timestamp,
    /// `+sip.instance` without angle brackets: `urn:uuid:…` (RFC 5626 §4.1).
    pub instance_id: Option<String>,
    /// The session whose credential was used; `None` for a device with the lasting password.
    pub session: Option<i64>,
    /// What it last took to answer the registrar: there and back, and the device's own time. `None` where nobody measured.
    pub latency: Option<Duration>,
}

/// A call that the proxy carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Opaque and unique among the calls in progress.
    pub id: String,
    /// SIP user that dialled: `100-acme`.
    pub from: String,
    /// What was dialled.
    pub to: String,
    pub since: Timestamp,
    pub answered: bool,
}

/// What the HTTP side asks or orders. Dropping a `reply` unanswered means "not known here", or that it could not be done.
#[derive(Debug)]
pub enum Order {
    /// The contacts of these registrations.
    Held { realm: String, registrations: Vec<String>, reply: oneshot::Sender<Vec<Contact>> },
    /// Removes whatever contact the registration has, unless it is this instance's already, and keeps others away until the
    /// session ends, or its device un-registers or is gone for minutes (or, before it has registered, for [`TAKEOVER_HOLD`]).
    /// Answered when it holds.
    TakeOver { realm: String, registration: String, session: i64, instance_id: String, reply: oneshot::Sender<()> },
    /// The session ended: removes every contact that was registered with its credentials.
    EndSession { session: i64, reply: oneshot::Sender<()> },
    /// The registration was disabled, removed or got another password: removes its contact.
    Remove { realm: String, registration: String, reply: oneshot::Sender<()> },
    /// The calls in progress of a realm.
    Calls { realm: String, reply: oneshot::Sender<Vec<Call>> },
    /// Ends this call of a realm on both sides; answered with whether there is such a call that can be ended.
    HangUp { realm: String, call: String, reply: oneshot::Sender<bool> },
    /// Rings an extension and has it dial; answered with the channel, or why not.
    Originate {
        realm: String,
        extension: RingGroup,
        destination: String,
        reply: oneshot::Sender<Result<String, String>>,
    },
    /// The server stops: ends the calls that it is beginning; answered once their devices know.
    Close { reply: oneshot::Sender<()> },
}

/// The SIP side could not carry an order out; later it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SIP side does not answer")]
pub struct Undone;

/// Why a question about calls has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Later it may have.
    #[error("The SIP side of this TMS does not answer. Try again in a moment.")]
    Silent,
    #[error("This TMS has no SIP side, so it knows and carries no calls.")]
    Absent,
}

/// How long a takeover keeps others away while the new holder has not registered yet.
pub const TAKEOVER_HOLD: Duration = Duration::from_secs(30);

/// The HTTP side's handle; cheap to clone.
#[derive(Clone, Debug)]
pub struct Contacts(mpsc::Sender<Order>);

const QUEUED_ORDERS: usize = 1024;

impl Contacts {
    /// The handle, and the orders for the SIP side to carry out in the order they come.
    pub fn new() -> (Self, mpsc::Receiver<Order>) {
        let (orders, receiver) = mpsc::channel(QUEUED_ORDERS);
        (Self(orders), receiver)
    }

    /// Who holds these registrations, as far as the SIP side says, each once: to be shown.
    pub async fn held(&self, realm: &str, registrations: Vec<String>) -> Vec<Contact> {
        newest(self.holders(realm, registrations).await.unwrap_or_default())
    }

    /// Who holds these registrations: to be acted upon.
    pub async fn holders(&self, realm: &str, registrations: Vec<String>) -> Result<Vec<Contact>, Undone> {
        let realm = realm.to_owned();
        self.order(|reply| Order::Held { realm, registrations, reply }).await
    }

    /// Gives the registration to this installation: whoever else holds it is removed and kept off.
    pub async fn take_over(
        &self,
        realm: &str,
        registration: &str,
        session: i64,
        instance_id: &str,
    ) -> Result<(), Undone> {
        let (realm, registration, instance_id) = (realm.to_owned(), registration.to_owned(), instance_id.to_owned());
        self.order(|reply| Order::TakeOver { realm, registration, session, instance_id, reply }).await
    }

    /// Removes what was registered with a credential of the session.
    pub async fn end_session(&self, session: i64) -> Result<(), Undone> {
        self.order(|reply| Order::EndSession { session, reply }).await
    }

    /// Removes whoever holds the registration.
    pub async fn remove(&self, realm: &str, registration: &str) -> Result<(), Undone> {
        let (realm, registration) = (realm.to_owned(), registration.to_owned());
        self.order(|reply| Order::Remove { realm, registration, reply }).await
    }

    /// The calls in progress.
    pub async fn calls(&self, realm: &str) -> Result<Vec<Call>, Unanswered> {
        let realm = realm.to_owned();
        self.ask(|reply| Order::Calls { realm, reply }).await
    }

    /// Whether there was such a call that could be ended.
    pub async fn hang_up(&self, realm: &str, call: &str) -> Result<bool, Unanswered> {
        let (realm, call) = (realm.to_owned(), call.to_owned());
        self.ask(|reply| Order::HangUp { realm, call, reply }).await
    }

    /// The channel, or why there is none.
    pub async fn originate(
        &self,
        realm: &str,
        extension: RingGroup,
        destination: &str,
    ) -> Result<Result<String, String>, Unanswered> {
        let (realm, destination) = (realm.to_owned(), destination.to_owned());
        self.ask(|reply| Order::Originate { realm, extension, destination, reply }).await
    }

    /// No call that is being begun outlives the server.
    pub async fn close(&self) {
        let _ = self.ask(|reply| Order::Close { reply }).await;
    }

    async fn order<T: Default>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Undone> {
        let (reply, answer) = oneshot::channel();
        match self.0.send(order(reply)).await {
            Ok(()) => answer.await.map_err(|_| Undone),
            // Without a SIP side nothing is held.
            Err(_) => Ok(T::default()),
        }
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Unanswered> {
        let (reply, answer) = oneshot::channel();
        self.0.send(order(reply)).await.map_err(|_| Unanswered::Absent)?;
        answer.await.map_err(|_| Unanswered::Silent)
    }
}

/// One for each registration: the latest, where two Kamailios have let a device in at the same moment.
fn newest(mut held: Vec<Contact>) -> Vec<Contact> {
    held.sort_by(|a, b| a.registration.cmp(&b.registration).then(b.since.cmp(&a.since)));
    held.dedup_by(|older, newer| older.registration == newer.registration);
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clock;

    #[tokio::test]
    async fn without_a_sip_side_nothing_is_held() {
        let (contacts, orders) = Contacts::new();
        drop(orders);
        assert_eq!(contacts.held("acme", vec!["100-acme".into()]).await, vec![]);
        assert_eq!(contacts.calls("acme").await, Err(Unanswered::Absent));
        assert_eq!(contacts.take_over("acme", "100-acme", 1, "urn:uuid:1").await, Ok(()));
    }

    #[test]
    fn a_registration_that_two_kamailios_gave_away_is_shown_once() {
        let contact = |registration: &str, since| Contact {
            realm: "acme".into(),
            registration: registration.into(),
            device: String::new(),
            address: ([10, 0, 0, 12], 5060).into(),
            since: clock::from_ms(since),
            expires_at: clock::from_ms(since + 1),
            instance_id: None,
            session: None,
            latency: None,
        };
        let held = vec![contact("100-acme", 1), contact("101-acme", 5), contact("100-acme", 3)];
        let shown: Vec<_> = newest(held).into_iter().map(|c| (c.registration, c.since)).collect();
        assert_eq!(shown, [("100-acme".into(), clock::from_ms(3)), ("101-acme".into(), clock::from_ms(5))]);
    }

    #[tokio::test]
    async fn a_sip_side_that_fails_is_not_taken_for_one_that_holds_nothing() {
        let (contacts, mut orders) = Contacts::new();
        let failing = async { drop(orders.recv().await) };
        let (holders, ()) = tokio::join!(contacts.holders("acme", vec!["100-acme".into()]), failing);
        assert_eq!(holders, Err(Undone));
        let failing = async { drop(orders.recv().await) };
        let (calls, ()) = tokio::join!(contacts.calls("acme"), failing);
        assert_eq!(calls, Err(Unanswered::Silent));
    }
}
