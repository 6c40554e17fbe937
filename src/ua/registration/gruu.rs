//! An address that leads to this device from everywhere (RFC 5627). Some registrars grant one and, as they are configured, route no
//! request to it: a peer's BYE would never come. So it is our Contact only once a request of ours to it, such as a peer sends within
//! a dialog, has come back to us.

use super::{
    Registration,
    request::{domain, outbound_route},
};
use crate::{
    sip::{
        flow::Flow,
        msg::{Method, Request},
        uri::NameAddr,
    },
    ua::stack::{Gruus, Owner, Reply, RequestId, Stack},
};
use std::time::Instant;

/// A server that sends the question to itself soon has enough of it.
const FEW_HOPS: &str = "10";

#[derive(Debug, Default)]
pub(super) struct Gruu {
    /// As granted last, and over which flow.
    granted: Option<(Gruus, Flow)>,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Unproved,
    Asked {
        request: RequestId,
        call_id: String,
        was_challenged: bool,
    },
    Proved,
    /// Requests to it do not arrive.
    Useless,
}

impl Registration {
    /// What the registrar has granted with our contact.
    pub(super) fn name_us(&mut self, now: Instant, stack: &mut Stack, flow: Flow, granted: Option<Gruus>) {
        let Some(gruus) = granted else {
            return self.lose_gruu(stack);
        };
        let is_known =
            self.gruu.granted.as_ref().is_some_and(|(known, at)| known.public == gruus.public && *at == flow);
        self.gruu.granted = Some((gruus.clone(), flow));
        match self.gruu.state {
            // The temporary one is another with each grant (RFC 5627 §4.2).
            State::Proved if is_known => stack.set_gruus(Some(gruus)),
            State::Asked { .. } | State::Useless if is_known => {}
            _ => {
                stack.set_gruus(None);
                self.ask_gruu(now, stack, &gruus, flow);
            }
        }
    }

    /// Asks as a peer does within a dialog: to our address, with a tag, by way of our servers.
    fn ask_gruu(&mut self, now: Instant, stack: &mut Stack, gruus: &Gruus, flow: Flow) {
        let account = self.account.clone();
        let (mut from, mut to) = (NameAddr::new(domain(&account.aor)), NameAddr::new(account.aor.clone()));
        from.set_param("tag", Some(&stack.entropy.tag()));
        to.set_param("tag", Some(&stack.entropy.tag()));
        let call_id = stack.entropy.call_id();
        let mut options = stack.request(Method::OPTIONS, gruus.public.clone(), &from, &to, (&call_id, 1));
        options.headers.set("Max-Forwards", FEW_HOPS);
        for route in outbound_route(&account) {
            options.headers.push("Route", route.to_string());
        }
        stack.authorize(&account, &mut options);
        let request = stack.send_on(now, (&account, options), &[flow], Owner::Registration, None);
        self.gruu.state = State::Asked { request, call_id, was_challenged: false };
    }

    /// Whether a request is that question, come back: then it leads here.
    pub fn is_own_question(&mut self, stack: &mut Stack, request: &Request, flow: Flow) -> bool {
        let State::Asked { call_id, .. } = &self.gruu.state else { return false };
        if request.method != Method::OPTIONS || request.headers.call_id() != Ok(call_id) || !self.is_from_home(flow) {
            return false;
        }
        self.gruu.state = State::Proved;
        stack.set_gruus(self.gruu.granted.as_ref().map(|(gruus, _)| gruus.clone()));
        true
    }

    /// Whether the reply was to that question.
    pub(super) fn gruu_asked(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (id, asked): (RequestId, &Request),
        reply: &Reply,
    ) -> bool {
        let State::Asked { request, was_challenged, .. } = &mut self.gruu.state else { return false };
        if *request != id {
            return false;
        }
        let mut again = asked.clone();
        match reply {
            Reply::Response(response, _) if response.is_provisional() => {}
            Reply::Response(response, flow)
                if matches!(response.code(), 401 | 407)
                    && !std::mem::replace(was_challenged, true)
                    && stack.answer_challenge(&self.account, &mut again, response).is_ok() =>
            {
                again.headers.set("CSeq", "2 OPTIONS");
                *request = stack.send_on(now, (&self.account, again), &[*flow], Owner::Registration, None);
            }
            // The question may not even have been sent on; the next grant asks once more.
            Reply::Response(response, _) if matches!(response.code(), 408 | 500..=599) => {
                self.gruu.state = State::Unproved;
            }
            Reply::TimedOut | Reply::Unreachable(_) => self.gruu.state = State::Unproved,
            // Whatever it says: the question has not arrived.
            Reply::Response(..) => self.gruu.state = State::Useless,
        }
        true
    }

    /// When what we are named by ceases to lead here, unless the registrar grants it anew.
    pub(super) fn named_until(&self) -> Option<Instant> {
        self.bound_until.filter(|_| self.gruu.granted.is_some())
    }

    /// We are no longer who is registered: nothing leads here by it.
    pub(super) fn lose_gruu(&mut self, stack: &mut Stack) {
        self.gruu = Gruu::default();
        stack.set_gruus(None);
    }
}
