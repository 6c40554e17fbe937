//! Calling: INVITE, challenges, redirections, refusals and what is tried next (RFC 3261 §13.2, §8.1.3). What comes before
//! the answer, and the answer, see [`super::early`].

use super::{
    CallDirection, End, Phase, SHORT_ID, Session,
    early::Early,
    reliable::Received,
    retry::{self, Offer, Terms},
    timer,
};
use crate::{
    media::plan::{Direction, SrtpPolicy},
    sip::{
        auth::AuthError,
        dialog::Forks,
        flow::Flow,
        msg::{Contact, Method, Request, Response},
        sdp::{OfferAnswer, trickle},
        uri::{NameAddr, Uri},
    },
    ua::{
        api::{Account, CallId, EndedBy, Output, Settings},
        identity, reason,
        stack::{ContactOf, Owner, Reply, RequestId, Stack},
    },
};
use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Instant};

/// Targets tried for one call, the first included.
const MAX_TARGETS: usize = 6;

/// What stays the same over all INVITEs of one call.
pub(super) struct Attempt {
    target: Uri,
    route_set: Vec<NameAddr>,
    pub call_id: String,
    from: NameAddr,
    to: NameAddr,
    cseq: u32,
    /// Where 3xx responses sent us, tried one after the other (RFC 3261 §8.1.3.4).
    queue: VecDeque<Uri>,
    tried: Vec<Uri>,
    /// Who has sent us on there, as the 3xx responses say (RFC 5806 §5, RFC 7044 §7.2.1).
    history: Vec<(&'static str, String)>,
    pub terms: Terms,
}

pub(in crate::ua) struct Calling {
    pub(super) attempt: Attempt,
    /// Known after the lookup.
    flows: Vec<Flow>,
}

pub(in crate::ua) struct Inviting {
    pub(super) attempt: Attempt,
    flows: Vec<Flow>,
    pub request: RequestId,
    pub forks: Forks,
    /// What provisional responses have agreed on, each with its fork, the latest last.
    pub(super) early: Vec<Early>,
    pub(super) received: Received,
    /// 180 or 183 came.
    pub alerted: bool,
    /// When ringing that nobody confirms is over.
    pub give_up_at: Option<Instant>,
}

impl Session {
    /// A call to `target` by way of `route_set`; `anonymous`: without showing who calls.
    pub fn dial(
        stack: &mut Stack,
        id: CallId,
        account: Arc<Account>,
        (target, route_set): (Uri, Vec<NameAddr>),
        anonymous: bool,
    ) -> Self {
        let mut from = if anonymous { identity::anonymous_from(&account) } else { NameAddr::new(account.aor.clone()) };
        from.set_param("tag", Some(&stack.entropy.tag()));
        let attempt = Attempt {
            tried: vec![target.clone()],
            to: NameAddr::new(target.clone()),
            target,
            route_set,
            call_id: stack.entropy.call_id(),
            from,
            cseq: 0,
            queue: VecDeque::new(),
            history: Vec::new(),
            terms: Terms::default(),
        };
        let peer = identity::readable(&attempt.to);
        let phase = Phase::Calling(Box::new(Calling { attempt, flows: Vec::new() }));
        let mut session = Self::new(stack, id, account, CallDirection::Out, phase);
        (session.peer, session.anonymous) = (peer, anonymous);
        session.report(stack);
        session.find_way(stack);
        session
    }

    fn find_way(&mut self, stack: &mut Stack) {
        let Phase::Calling(calling) = &self.phase else { return };
        let attempt = &calling.attempt;
        let hop = attempt.route_set.first().map_or(&attempt.target, |route| &route.uri);
        stack.resolve(self.id, hop, self.account.transport);
    }

    pub(super) fn way_found(&mut self, now: Instant, stack: &mut Stack, result: Result<Vec<Flow>, String>) {
        let Phase::Calling(calling) = &mut self.phase else { return };
        let found = result.and_then(|flows| match flows.first().copied() {
            Some(first) => {
                calling.flows = flows;
                Ok(first)
            }
            None => Err("no address was found".to_owned()),
        });
        match (found, self.media.local) {
            (Ok(first), None) => stack.emit(Output::OpenMedia { call: self.id, remote: first.remote }),
            (Ok(_), Some(_)) => self.invite(now, stack),
            (Err(why), _) => {
                let reason = format!("The call cannot be placed: {}.", why.trim_end_matches('.'));
                self.target_failed(stack, End::new(EndedBy::Network, None, reason));
            }
        }
    }

    pub(super) fn audio_opened(&mut self, now: Instant, stack: &mut Stack, result: Result<SocketAddr, String>) {
        match result {
            Ok(_) => self.invite(now, stack),
            Err(why) => self.end(stack, End::new(EndedBy::Local, None, why)),
        }
    }

    fn invite(&mut self, now: Instant, stack: &mut Stack) {
        let Some(local) = self.media.local else { return };
        let Phase::Calling(calling) = std::mem::replace(&mut self.phase, Phase::Ended) else { return };
        let Calling { mut attempt, flows } = *calling;
        attempt.cseq += 1;
        let call = (attempt.call_id.as_str(), attempt.cseq);
        let mut request = stack.request(Method::INVITE, attempt.target.clone(), &attempt.from, &attempt.to, call);
        for route in &attempt.route_set {
            request.headers.push("Route", route.to_string());
        }
        if self.anonymous {
            identity::withhold(&mut request, &self.account);
        }
        request.headers.push("Allow", crate::ua::ALLOW);
        if attempt.terms.extensions {
            request.headers.push("Supported", crate::ua::SUPPORTED);
            request.headers.push("Recv-Info", trickle::PACKAGE);
            timer::propose(&mut request.headers, attempt.terms.interval, attempt.terms.min_se);
        }
        for (name, value) in attempt.history.iter().chain(&self.extra) {
            request.headers.push(name, value.as_str());
        }
        if attempt.terms.offer != Offer::Late {
            request.headers.push("Content-Type", "application/sdp");
            request.body = self.media.negotiation.offer(local, Direction::SendRecv);
        }
        stack.authorize(&self.account, &mut request);
        self.send_invite(now, stack, attempt, flows, request);
    }

    fn send_invite(&mut self, now: Instant, stack: &mut Stack, attempt: Attempt, flows: Vec<Flow>, request: Request) {
        let request = stack.send_on(now, (&self.account, request), &flows, Owner::Call(self.id), Some(self.contact()));
        self.phase = Phase::Inviting(Box::new(Inviting {
            attempt,
            flows,
            request,
            forks: Forks::default(),
            early: Vec::new(),
            received: Received::default(),
            alerted: false,
            give_up_at: None,
        }));
    }

    pub(super) fn contact(&self) -> ContactOf {
        ContactOf { anonymous: self.anonymous, ..ContactOf::default() }
    }

    pub(super) fn invite_reply(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        id: RequestId,
        request: Request,
        reply: Reply,
    ) {
        let Phase::Inviting(inviting) = &self.phase else { return };
        if request.method == Method::PRACK {
            return self.prack_reply(stack, request, &reply);
        }
        if request.method == Method::UPDATE {
            return self.early_update_reply(stack, id, request, &reply);
        }
        if inviting.request != id {
            return;
        }
        let response = match reply {
            Reply::Response(mut response, flow) => {
                if !stack.is_home(&self.account, flow) {
                    identity::distrust(&mut response.headers);
                }
                response
            }
            Reply::TimedOut => {
                let reason = "The call was not answered by any server.";
                return self.target_failed(stack, End::new(EndedBy::Network, Some(408), reason));
            }
            Reply::Unreachable(why) => {
                let reason = format!("The call could not be sent: {}.", why.trim_end_matches('.'));
                return self.target_failed(stack, End::new(EndedBy::Network, None, reason));
            }
        };
        match response.code() {
            100 => {}
            101..200 => self.progress(now, stack, &request, &response),
            200..300 => self.answered(now, stack, id, &request, &response),
            300..=399 => self.redirected(stack, &response),
            401 | 407 => self.challenged(now, stack, request, &response),
            _ if self.revised(&response, &stack.settings) => self.try_again(now, stack),
            code => {
                let end = End::new(reason::refused_by(code), Some(code), reason::refusal(&response));
                // RFC 3261 §21.6: a 6xx is the last word.
                if code >= 600 { self.end(stack, end) } else { self.target_failed(stack, end) }
            }
        }
    }

    fn redirected(&mut self, stack: &mut Stack, response: &Response) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let attempt = &mut inviting.attempt;
        identity::carry_on(&mut attempt.history, &response.headers);
        for uri in targets(response) {
            let is_new = uri.as_sip().is_some() && !attempt.tried.iter().any(|t| t.equivalent(&uri));
            if is_new && attempt.tried.len() < MAX_TARGETS {
                attempt.tried.push(uri.clone());
                attempt.queue.push_back(uri);
            }
        }
        let end = End::new(EndedBy::Network, Some(response.code()), reason::refusal(response));
        self.target_failed(stack, end);
    }

    /// The next target, or the end.
    fn target_failed(&mut self, stack: &mut Stack, end: End) {
        let mut attempt = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Inviting(inviting) if !inviting.attempt.queue.is_empty() => inviting.attempt,
            Phase::Calling(calling) if !calling.attempt.queue.is_empty() => calling.attempt,
            phase => {
                self.phase = phase;
                return self.end(stack, end);
            }
        };
        if let Some(next) = attempt.queue.pop_front() {
            attempt.target = next;
        }
        self.media.negotiation.offer_failed();
        self.media.plan = None;
        self.phase = Phase::Calling(Box::new(Calling { attempt, flows: Vec::new() }));
        self.report(stack);
        self.find_way(stack);
    }

    /// Whether another INVITE to the same target is worth it. Not once it has rung: whoever refused, others heard it.
    fn revised(&mut self, response: &Response, settings: &Settings) -> bool {
        match &mut self.phase {
            Phase::Inviting(inviting) if !inviting.alerted => {
                inviting.attempt.terms.revise(response, &settings.codecs, settings.srtp)
            }
            _ => false,
        }
    }

    fn try_again(&mut self, now: Instant, stack: &mut Stack) {
        let Phase::Inviting(inviting) = std::mem::replace(&mut self.phase, Phase::Ended) else { return };
        let Inviting { attempt, flows, .. } = *inviting;
        let codecs = match attempt.terms.offer {
            Offer::Plain => retry::plain(&stack.settings.codecs),
            Offer::Full | Offer::Late => stack.settings.codecs.clone(),
        };
        let srtp = match (&attempt.terms.offer, stack.settings.srtp) {
            (Offer::Plain, SrtpPolicy::Optional) => SrtpPolicy::Off,
            (_, policy) => policy,
        };
        let (session_id, crypto) = (stack.entropy.u64() >> SHORT_ID, stack.crypto(&self.account, srtp));
        self.media.negotiation = OfferAnswer::new(&codecs, session_id, crypto)
            .with_ice(stack.ice())
            .with_silence_suppression(stack.settings.silence_suppression);
        self.media.negotiation.set_outside(self.media.outside);
        self.phase = Phase::Calling(Box::new(Calling { attempt, flows }));
        self.invite(now, stack);
    }

    fn challenged(&mut self, now: Instant, stack: &mut Stack, mut request: Request, response: &Response) {
        match stack.answer_challenge(&self.account, &mut request, response) {
            Ok(()) => {
                let Phase::Inviting(inviting) = std::mem::replace(&mut self.phase, Phase::Ended) else { return };
                let Inviting { mut attempt, flows, .. } = *inviting;
                attempt.cseq += 1;
                request.headers.set("CSeq", format!("{} INVITE", attempt.cseq));
                self.send_invite(now, stack, attempt, flows, request);
            }
            Err(error) => {
                let reason = match error {
                    AuthError::Refused { .. } => reason::refusal(response),
                    AuthError::Unsupported => format!("The call cannot be placed: {error}."),
                };
                self.end(stack, End::new(EndedBy::Network, Some(response.code()), reason));
            }
        }
    }
}

/// Where a 3xx sends us, the most wanted first (RFC 3261 §8.1.3.4, §20.10).
fn targets(response: &Response) -> Vec<Uri> {
    let contacts = response.headers.contacts().unwrap_or_default();
    let mut targets: Vec<_> = contacts
        .into_iter()
        .filter_map(|contact| match contact {
            Contact::Addr(address) => Some((thousandths(address.param("q")), address.uri)),
            Contact::Star => None,
        })
        .collect();
    targets.sort_by_key(|(q, _)| std::cmp::Reverse(*q));
    targets.into_iter().map(|(_, uri)| uri).collect()
}

/// A qvalue; one that is missing or cannot be read counts as 1.
fn thousandths(q: Option<&str>) -> u16 {
    let q = q.and_then(|q| q.trim().parse::<f32>().ok()).filter(|q| (0.0..=1.0).contains(q));
    (q.unwrap_or(1.0) * 1000.0) as u16
}
