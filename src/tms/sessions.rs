//! The session with whichever kind of TMS the person signs in to: the REST API's or the XML API's.

use super::{
    login::{Login, Proof, TmsLogin},
    outcome::{Answer, Failure},
    session::{Event, Output, RequestId, Session, Stream},
    xml::XmlSession,
};
use crate::{secret::Secret, sip::entropy::Entropy};
use jiff::Timestamp;
use std::{collections::VecDeque, time::Instant};

/// At most one of the two is signed in.
pub struct Sessions {
    rest: Session,
    xml: XmlSession,
    outputs: VecDeque<Output>,
}

impl Sessions {
    /// `instance_id`: the installation's `+sip.instance`.
    pub fn new(instance_id: &str, mut entropy: Entropy) -> Self {
        Self {
            rest: Session::new(instance_id.to_owned(), entropy.fork()),
            xml: XmlSession::new(instance_id.to_owned(), entropy.fork()),
            outputs: VecDeque::new(),
        }
    }

    pub fn sign_in(&mut self, login: Login) {
        match login {
            Login::Xml(login) => {
                self.rest.leave();
                self.xml.sign_in(login);
            }
            // Like a link to another TMS.
            Login::Rest(TmsLogin { url, proof: Proof::Link { .. } }) if self.xml.is_signed_in() => {
                let message = format!(
                    "This link leads to {url}, and you are signed in with tenant and key. Sign out first, then open it again."
                );
                self.outputs.push_back(Output::Event(Event::Failed { command: "sign_in", message }));
            }
            Login::Rest(login) => {
                self.xml.leave();
                self.rest.sign_in(login);
            }
        }
    }

    pub fn sign_out(&mut self) {
        self.rest.sign_out();
        self.xml.sign_out();
    }

    /// The program ends.
    pub fn quit(&mut self) {
        self.rest.quit();
        self.xml.sign_out();
    }

    pub fn registrations(&mut self) {
        if self.xml.is_active() { self.xml.registrations() } else { self.rest.registrations() }
    }

    pub fn select(&mut self, registration: &str, takeover: bool) {
        if self.xml.is_active() { self.xml.select(registration) } else { self.rest.select(registration, takeover) }
    }

    pub fn deselect(&mut self) {
        self.rest.deselect();
        self.xml.deselect();
    }

    pub fn sip_password(&mut self, registration: &str, password: Secret) {
        self.xml.sip_password(registration, password);
    }

    pub fn is_signed_in(&self) -> bool {
        self.rest.is_signed_in() || self.xml.is_signed_in()
    }

    /// Nothing is under way, so that the shell may stop.
    pub fn is_quiet(&self) -> bool {
        self.rest.is_quiet() && self.xml.is_quiet()
    }

    pub fn handle_answer(&mut self, now: Instant, wall: Timestamp, id: RequestId, result: Result<Answer, Failure>) {
        if self.xml.is_asking(id) {
            self.xml.handle_answer(now, id, result);
        } else {
            self.rest.handle_answer(now, wall, id, result);
        }
    }

    pub fn handle_stream(&mut self, now: Instant, what: Stream) {
        self.rest.handle_stream(now, what);
    }

    pub fn handle_timeout(&mut self, now: Instant, wall: Timestamp) {
        self.rest.handle_timeout(now, wall);
        self.xml.handle_timeout(now);
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front().or_else(|| self.rest.poll_output()).or_else(|| self.xml.poll_output())
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.rest.poll_timeout(), self.xml.poll_timeout()].into_iter().flatten().min()
    }
}
