//! What shows that calls can reach us over the flow that the registrar has noted: after the grant itself, pongs where the server
//! gives them, else any final answer to an OPTIONS (RFC 3261 §11).

use super::{
    Phase, Registration,
    request::{domain, outbound_route},
};
use crate::{
    sip::{flow::Flow, msg::Method, uri::NameAddr},
    ua::{
        api::{Event, Output, ProvedBy, Reachable},
        stack::{Owner, Reply, RequestId, Stack},
    },
};
use std::time::{Duration, Instant};

/// Often enough that a dead server is noticed before the caller who cannot get through gives up for the day, seldom enough
/// for a server with thousands of phones.
const EVERY: Duration = Duration::from_secs(90);
const SPREAD: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
pub(super) struct Prober {
    ask_at: Option<Instant>,
    asked: Option<RequestId>,
    /// Some servers answer no OPTIONS; only one that did can be missed.
    answers: bool,
    /// Pongs come over the flow, so that nothing needs to be asked.
    pongs: bool,
    /// Whom this is known of.
    flow: Option<Flow>,
}

impl Prober {
    /// The flow may have changed with the grant; of another server nothing is known.
    /// A refresh that comes first at `refresh_at` proves the same.
    pub(super) fn begin(&mut self, now: Instant, stack: &mut Stack, flow: Flow, refresh_at: Instant) {
        if self.flow.replace(flow) != Some(flow) {
            (self.answers, self.pongs) = (false, false);
        }
        self.asked = None;
        let at = now + EVERY + SPREAD.mul_f64(stack.entropy.unit());
        self.ask_at = (!self.pongs && at < refresh_at).then_some(at);
    }

    pub(super) const fn stop(&mut self) {
        self.ask_at = None;
        self.asked = None;
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.ask_at
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.ask_at.is_some_and(|at| at <= now)
    }
}

impl Registration {
    /// The way to the registrar answered a keep-alive.
    pub fn handle_pong(&mut self, stack: &mut Stack, flow: Flow) {
        if self.flow() == Some(flow) {
            self.prober.pongs = true;
            self.prober.stop();
            self.proved(stack, Reachable { by: ProvedBy::Pong, is_listed: self.is_listed });
        }
    }

    pub(super) fn proved(&self, stack: &mut Stack, proof: Reachable) {
        stack.emit(Output::Event(Event::Reachable { name: self.account.name.clone(), proof }));
    }

    /// Asks the registrar over the flow that it has noted.
    pub(super) fn ask(&mut self, now: Instant, stack: &mut Stack) {
        let Some(flow) = self.flow() else { return self.prober.stop() };
        self.prober.ask_at = None;
        let account = self.account.clone();
        let (mut from, to) = (NameAddr::new(account.aor.clone()), NameAddr::new(domain(&account.aor)));
        from.set_param("tag", Some(&stack.entropy.tag()));
        let call_id = stack.entropy.call_id();
        let mut options = stack.request(Method::OPTIONS, to.uri.clone(), &from, &to, (&call_id, 1));
        for route in outbound_route(&account) {
            options.headers.push("Route", route.to_string());
        }
        self.prober.asked = Some(stack.send_on(now, (&account, options), &[flow], Owner::Registration, None));
    }

    /// Whether the reply was to our question.
    pub(super) fn asked(&mut self, now: Instant, stack: &mut Stack, id: RequestId, reply: &Reply) -> bool {
        if self.prober.asked != Some(id) {
            return false;
        }
        match reply {
            Reply::Response(response, _) if response.is_provisional() => return true,
            // Whatever it says, it has heard us and we have heard it.
            Reply::Response(..) => {
                let Phase::Online { flow, refresh_at, .. } = self.phase else {
                    self.prober.stop();
                    return true;
                };
                self.prober.begin(now, stack, flow, refresh_at);
                self.prober.answers = true;
                self.proved(stack, Reachable { by: ProvedBy::Options, is_listed: self.is_listed });
            }
            // Whoever is registering anew, or leaving, has asked in vain.
            Reply::TimedOut | Reply::Unreachable(_) if self.flow().is_none() => self.prober.stop(),
            Reply::TimedOut | Reply::Unreachable(_) if self.prober.answers => {
                self.prober.stop();
                self.lose(stack, now, now, "The server no longer answers.");
                self.attempt(stack);
            }
            Reply::TimedOut | Reply::Unreachable(_) => self.prober.stop(),
        }
        true
    }
}
