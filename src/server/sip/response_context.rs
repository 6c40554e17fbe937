//! The response context of a forked request (RFC 3261 §16.7): which of the branches' responses goes upstream.

use super::reply::reply;
use crate::sip::{
    endpoint::ClientTransactionId,
    msg::{Method, Request, Response},
};
use std::collections::BTreeSet;

/// One request on its way, with all its branches.
#[derive(Debug)]
pub struct ResponseContext {
    /// As it came in.
    pub request: Request,
    /// All branches.
    branches: BTreeSet<ClientTransactionId>,
    /// Those without a final response.
    pending: BTreeSet<ClientTransactionId>,
    /// Final responses other than 2xx, in order of arrival.
    collected: Vec<Response>,
    phase: Phase,
}

/// How far the request upstream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Proceeding,
    /// The caller gave up, or a 6xx came: only the branches' ends are awaited. A 2xx still goes upstream.
    Ending {
        cancelled: bool,
    },
    /// A final response went upstream.
    Answered,
}

/// What a branch's response leads to.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// To be sent upstream.
    pub upstream: Option<Response>,
    /// Branches to be cancelled, with the Reason header field to say why (RFC 3326).
    pub cancel: Option<(Vec<ClientTransactionId>, String)>,
}

/// Nobody on a losing branch missed a call.
const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

impl ResponseContext {
    pub fn new(request: Request, branches: BTreeSet<ClientTransactionId>) -> Self {
        Self { request, pending: branches.clone(), branches, collected: Vec::new(), phase: Phase::Proceeding }
    }

    /// A response on this branch, our Via removed (RFC 3261 §16.7 steps 4 to 10).
    pub fn handle_response(&mut self, branch: ClientTransactionId, response: Response) -> Step {
        match response.code() {
            // 100 says nothing beyond this hop.
            ..=100 => Step::default(),
            101..=199 if self.phase == Phase::Proceeding => Step { upstream: Some(response), cancel: None },
            101..=199 => Step::default(),
            200..=299 => self.succeed(branch, response),
            code @ 300.. => {
                if !self.pending.remove(&branch) {
                    return Step::default();
                }
                self.collected.push(response);
                let cancel = (code >= 600 && self.phase == Phase::Proceeding).then(|| {
                    self.phase = Phase::Ending { cancelled: false };
                    (self.pending(), format!("SIP;cause={code}"))
                });
                Step { upstream: self.choose(), cancel }
            }
        }
    }

    /// Every 2xx to INVITE goes upstream, also a second one (step 5); to another method, only the first.
    fn succeed(&mut self, branch: ClientTransactionId, response: Response) -> Step {
        self.pending.remove(&branch);
        if self.phase == Phase::Answered {
            let upstream = (self.request.method == Method::INVITE).then_some(response);
            return Step { upstream, cancel: None };
        }
        self.phase = Phase::Answered;
        let cancel = (!self.pending.is_empty()).then(|| (self.pending(), COMPLETED_ELSEWHERE.to_owned()));
        Step { upstream: Some(response), cancel }
    }

    /// The branch ended without a response: 408, or 503 where the transport failed (RFC 3261 §16.7, §16.9).
    pub fn handle_failure(&mut self, branch: ClientTransactionId, code: u16, why: &str) -> Step {
        let response = reply(&self.request, code, why);
        self.handle_response(branch, response)
    }

    /// The caller gave up (RFC 3261 §16.10), or somebody did for him; the 487s of the branches answer it.
    pub fn give_up(&mut self, reason: &str) -> Step {
        if self.phase != Phase::Proceeding {
            return Step::default();
        }
        self.phase = Phase::Ending { cancelled: true };
        Step { upstream: None, cancel: Some((self.pending(), reason.to_owned())) }
    }

    /// No branch will say more, except 2xx retransmitted to an INVITE.
    pub fn is_over(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether a final response went upstream.
    pub fn is_answered(&self) -> bool {
        self.phase == Phase::Answered
    }

    /// All branches.
    pub fn branches(&self) -> impl Iterator<Item = ClientTransactionId> {
        self.branches.iter().copied()
    }

    fn pending(&self) -> Vec<ClientTransactionId> {
        self.pending.iter().copied().collect()
    }

    /// Step 6, once all branches have ended without a 2xx.
    fn choose(&mut self) -> Option<Response> {
        if !self.pending.is_empty() || self.phase == Phase::Answered {
            return None;
        }
        let cancelled = self.phase == Phase::Ending { cancelled: true };
        self.phase = Phase::Answered;
        let best = (0..self.collected.len()).min_by_key(|&i| rank(self.collected[i].code(), cancelled))?;
        let mut best = self.collected.swap_remove(best);
        if best.code() == 503 {
            // One device's overload is not ours: the caller may try us again at once.
            best = reply(&self.request, 500, &best.reason);
        }
        if matches!(best.code(), 401 | 407) {
            aggregate_challenges(&mut best, &self.collected);
        }
        Some(best)
    }
}

/// The lower, the better: 6xx, then what the lowest class says; within 4xx first what tells the caller how to ask again (step
/// 6), then what a person did, then what nobody did.
fn rank(code: u16, cancelled: bool) -> (u8, u8) {
    match code {
        487 if cancelled => (0, 0),
        600.. => (1, 0),
        300..400 => (2, 0),
        401 | 407 | 415 | 420 | 484 => (3, 0),
        486 | 480 => (3, 1),
        408 => (3, 9),
        400..500 => (3, 5),
        503 => (4, 9),
        _ => (4, 5),
    }
}

/// Step 7: the challenges of all branches, so that one answer can satisfy them all.
fn aggregate_challenges(best: &mut Response, others: &[Response]) {
    for name in ["WWW-Authenticate", "Proxy-Authenticate"] {
        for challenge in others.iter().filter(|r| matches!(r.code(), 401 | 407)).flat_map(|r| r.headers.get_all(name)) {
            best.headers.push(name, challenge);
        }
    }
}
