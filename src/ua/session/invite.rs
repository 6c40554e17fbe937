//! Calling: INVITE with our offer, early dialogs and early media, challenges, redirections, the answer
//! (RFC 3261 §13.2, §8.1.3).

use super::{CallDirection, End, Phase, Session};
use crate::media::plan::Direction;
use crate::{
    sip::{
        auth::AuthError,
        dialog::{Dialog, DialogId, Forks},
        flow::Flow,
        msg::{Contact, Method, Request, Response},
        sdp::SdpError,
        uri::{NameAddr, Uri},
    },
    ua::{
        api::{Account, CallId, EndedBy, Output},
        farewell::Parting,
        reason,
        stack::{ContactOf, Owner, Reply, RequestId, Stack},
    },
};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// Targets tried for one call, the first included.
const MAX_TARGETS: usize = 6;
/// A callee says every minute that it still rings (RFC 3261 §13.3.1.1); so long after the last word nobody does any more.
const RINGS_UNHEARD: Duration = Duration::from_secs(300);

/// What stays the same over all INVITEs of one call.
pub(super) struct Attempt {
    target: Uri,
    route_set: Vec<NameAddr>,
    call_id: String,
    from: NameAddr,
    to: NameAddr,
    cseq: u32,
    /// Where 3xx responses sent us, tried one after the other (RFC 3261 §8.1.3.4).
    queue: VecDeque<Uri>,
    tried: Vec<Uri>,
}

pub(in crate::ua) struct Calling {
    attempt: Attempt,
    /// Known after the lookup.
    flows: Vec<Flow>,
}

pub(in crate::ua) struct Inviting {
    attempt: Attempt,
    flows: Vec<Flow>,
    pub request: RequestId,
    pub forks: Forks,
    /// The answer that a provisional response carried, for a 2xx of the same fork without one.
    early: Option<(DialogId, Vec<u8>)>,
    /// 180 or 183 came.
    pub alerted: bool,
    /// When ringing that nobody confirms is over; early media speaks for itself.
    pub give_up_at: Option<Instant>,
}

impl Session {
    /// A call to `target` by way of `route_set`.
    pub fn dial(stack: &mut Stack, id: CallId, account: Arc<Account>, target: Uri, route_set: Vec<NameAddr>) -> Self {
        let mut from = NameAddr::new(account.aor.clone());
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
        };
        let peer = super::readable(&attempt.to);
        let phase = Phase::Calling(Box::new(Calling { attempt, flows: Vec::new() }));
        let mut session = Self::new(stack, id, account, CallDirection::Out, phase);
        session.peer = peer;
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
        request.headers.push("Allow", crate::ua::ALLOW);
        request.headers.push("Supported", "replaces, norefersub");
        for (name, value) in &self.extra {
            request.headers.push(name, value.as_str());
        }
        request.headers.push("Content-Type", "application/sdp");
        request.body = self.media.negotiation.offer(local, Direction::SendRecv);
        if is_at_home(&attempt, &self.account) {
            stack.authorize(&self.account, &mut request);
        }
        self.send_invite(now, stack, attempt, flows, request);
    }

    fn send_invite(&mut self, now: Instant, stack: &mut Stack, attempt: Attempt, flows: Vec<Flow>, request: Request) {
        let request = stack.send_on(now, (&self.account, request), &flows, Owner::Call(self.id), Some(self.contact()));
        let (forks, early) = (Forks::default(), None);
        self.phase = Phase::Inviting(Box::new(Inviting {
            attempt,
            flows,
            request,
            forks,
            early,
            alerted: false,
            give_up_at: None,
        }));
    }

    pub(super) fn contact(&self) -> ContactOf {
        ContactOf { params: String::new() }
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
        if inviting.request != id {
            return;
        }
        let response = match reply {
            Reply::Response(response, _) => response,
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
            200..300 => self.answered(stack, id, &request, &response),
            300..=399 => self.redirected(stack, &response),
            401 | 407 => self.challenged(now, stack, request, &response),
            code => {
                let sentence = reason::call(code, &reason::phrase(&response));
                let end = End::new(reason::refused_by(code), Some(code), sentence);
                // RFC 3261 §21.6: a 6xx is the last word.
                if code >= 600 { self.end(stack, end) } else { self.target_failed(stack, end) }
            }
        }
    }

    /// 180, 183 and the like (RFC 3261 §13.2.2.1).
    fn progress(&mut self, now: Instant, stack: &mut Stack, request: &Request, response: &Response) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let dialog = match inviting.forks.handle_response(request, response) {
            Ok(dialog) => dialog.map(|dialog| dialog.id().clone()),
            // What it says about itself cannot be read; that it rings can.
            Err(_) => None,
        };
        inviting.alerted |= response.code() != 181;
        if is_sdp(&response.headers)
            && let Ok(plan) = self.media.negotiation.preview(&response.body)
        {
            if let Some(dialog) = dialog {
                inviting.early = Some((dialog, response.body.clone()));
            }
            self.agree(stack, plan);
        }
        if let Phase::Inviting(inviting) = &mut self.phase {
            inviting.give_up_at = self.media.plan.is_none().then(|| now + RINGS_UNHEARD);
        }
        self.report(stack);
    }

    pub(super) fn rings_unheard(&mut self, now: Instant, stack: &mut Stack) {
        self.close(now, stack, End::new(EndedBy::Network, Some(408), "Nobody answered."));
    }

    /// 2xx (RFC 3261 §13.2.2.4).
    fn answered(&mut self, stack: &mut Stack, id: RequestId, request: &Request, response: &Response) {
        let Phase::Inviting(inviting) = std::mem::replace(&mut self.phase, Phase::Ended) else { return };
        let Inviting { mut forks, early, .. } = *inviting;
        let dialog = forks.handle_response(request, response).map(|dialog| dialog.cloned());
        let (dialog, ack) = match dialog.map(|d| d.and_then(|d| d.ack(request).ok().map(|ack| (d, ack)))) {
            Ok(Some(made)) => made,
            Ok(None) | Err(_) => {
                // The peer thinks that it talks to us: end that where it can be reached.
                let dialog = Dialog::uac_by_request_uri(request, response);
                if let Ok((dialog, ack)) = dialog.and_then(|d| d.ack(request).map(|ack| (d, ack))) {
                    let hop = (dialog.next_hop(), self.account.transport);
                    stack.confirm(id, &dialog.id().remote_tag, ack, hop);
                    let account = self.account.clone();
                    self.parting = Some(Parting::Bye { dialog: Box::new(dialog), account, reason: None });
                }
                let reason = "The call was answered in a way that cannot be understood.";
                return self.end(stack, End::new(EndedBy::Network, Some(response.code()), reason));
            }
        };
        stack.confirm(id, &dialog.id().remote_tag, ack, (dialog.next_hop(), self.account.transport));
        let answer = match early {
            _ if !response.body.is_empty() => Some(response.body.clone()),
            Some((fork, answer)) if fork == *dialog.id() => Some(answer),
            Some(_) | None => None,
        };
        let agreed = answer.ok_or(SdpError::NoAudio).and_then(|a| self.media.negotiation.accept_answer(&a));
        match agreed {
            Ok(plan) => {
                self.establish(dialog, None);
                self.agree(stack, plan);
                self.report(stack);
            }
            Err(error) => {
                let account = self.account.clone();
                self.parting = Some(Parting::Bye { dialog: Box::new(dialog), account, reason: None });
                let reason = format!("The call was answered, but without usable audio: {error}.");
                self.end(stack, End::new(EndedBy::Local, Some(488), reason));
            }
        }
    }

    fn redirected(&mut self, stack: &mut Stack, response: &Response) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let attempt = &mut inviting.attempt;
        for contact in response.headers.contacts().unwrap_or_default() {
            let Contact::Addr(NameAddr { uri, .. }) = contact else { continue };
            let is_new = uri.as_sip().is_some() && !attempt.tried.iter().any(|t| t.equivalent(&uri));
            if is_new && attempt.tried.len() < MAX_TARGETS {
                attempt.tried.push(uri.clone());
                attempt.queue.push_back(uri);
            }
        }
        let sentence = reason::call(response.code(), &reason::phrase(response));
        self.target_failed(stack, End::new(EndedBy::Network, Some(response.code()), sentence));
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
                    AuthError::Refused { .. } => reason::call(response.code(), &reason::phrase(response)),
                    AuthError::Unsupported => format!("The call cannot be placed: {error}."),
                };
                self.end(stack, End::new(EndedBy::Network, Some(response.code()), reason));
            }
        }
    }

    pub(super) fn establish(&mut self, dialog: Dialog, unconfirmed: Option<super::modify::Unconfirmed>) {
        self.phase = Phase::Established(Box::new(super::Established::new(dialog, unconfirmed)));
    }
}

pub(in crate::ua) fn is_sdp(headers: &crate::sip::msg::Headers) -> bool {
    let kind = headers.get("Content-Type").unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/sdp")
}

/// Whether credentials for the account's own servers may go along unasked.
fn is_at_home(attempt: &Attempt, account: &Account) -> bool {
    let host = |uri: &Uri| uri.as_sip().map(|u| u.host.clone());
    !attempt.route_set.is_empty() || host(&attempt.target) == host(&account.aor)
}
