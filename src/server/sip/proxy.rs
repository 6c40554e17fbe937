//! The stateful proxy's engine (RFC 3261 §16): branches out, the best answer back, Timer C, CANCEL.
//!
//! What to fork to is decided in [`super::pbx`]; here is what happens to a request once its branches are known.

use super::response_context::{ResponseContext, Step};
use crate::sip::{
    endpoint::{ClientTransactionId, Endpoint, ServerTransactionId},
    flow::Flow,
    msg::{Method, Request, Response},
};
use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

/// RFC 3261 §16.6 step 11: how long a branch may ring without news, more than 3 minutes.
pub const TIMER_C: Duration = Duration::from_secs(185);
/// How long a callee may go on sending its 2xx (64*T1, RFC 6026 §7.2 Timer M).
const ACCEPTED: Duration = Duration::from_secs(32);

/// All response contexts.
#[derive(Debug, Default)]
pub struct Proxy {
    contexts: HashMap<ServerTransactionId, ResponseContext>,
    branches: HashMap<ClientTransactionId, Branch>,
    deadlines: BTreeSet<(Instant, Deadline)>,
}

#[derive(Clone, Copy, Debug)]
struct Branch {
    context: ServerTransactionId,
    /// When Timer C fires; INVITE only.
    timer_c: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    TimerC(ClientTransactionId),
    /// No 2xx can come any more.
    Forget(ServerTransactionId),
}

/// What a response meant for the request, for whoever keeps a list of calls.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    None,
    /// This is the final response that went upstream.
    Final {
        method: Method,
        call_id: String,
        /// The request had a To tag: it changes or ends a call that there is.
        in_dialog: bool,
        code: u16,
        /// The INVITE or UPDATE that began or changed a session, as it came in, and the 2xx to it.
        answer: Option<Box<(Request, Response)>>,
    },
}

impl Proxy {
    /// Sends `request` out on these branches, each already what RFC 3261 §16.6 makes of it. There is at least one.
    pub fn forward(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        server: ServerTransactionId,
        request: Request,
        branches: Vec<(Flow, Request)>,
    ) {
        let invite = request.method == Method::INVITE;
        let mut pending = BTreeSet::new();
        for (flow, branch) in branches {
            let client = endpoint.send_request(now, flow, branch);
            let timer_c = invite.then(|| now + TIMER_C);
            self.deadlines.extend(timer_c.map(|at| (at, Deadline::TimerC(client))));
            self.branches.insert(client, Branch { context: server, timer_c });
            pending.insert(client);
        }
        self.contexts.insert(server, ResponseContext::new(request, pending));
    }

    /// A response on a branch (RFC 3261 §16.7).
    pub fn handle_response(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        client: ClientTransactionId,
        mut response: Response,
    ) -> Progress {
        response.headers.pop_via();
        // A device cannot vouch for itself (RFC 3325 §5).
        response.headers.remove("P-Asserted-Identity");
        match response.code() {
            101..=199 => self.restart_timer_c(now, client),
            200.. => self.stop_timer_c(client),
            _ => {}
        }
        self.step(now, endpoint, client, |context| context.handle_response(client, response))
    }

    /// Timer B or F, or a transport that failed: as if the branch had answered `code` (RFC 3261 §16.9).
    pub fn handle_failure(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        client: ClientTransactionId,
        code: u16,
        why: &str,
    ) -> Progress {
        self.stop_timer_c(client);
        self.step(now, endpoint, client, |context| context.handle_failure(client, code, why))
    }

    /// The caller's CANCEL. Whether the request was ours to cancel.
    pub fn handle_cancel(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        server: ServerTransactionId,
        cancel: &Request,
    ) -> bool {
        let reason = cancel.headers.get("Reason").unwrap_or("SIP;cause=487;text=\"The caller hung up\"");
        self.give_up(now, endpoint, server, reason)
    }

    /// Nobody is to answer this request any more. Whether it was ours.
    pub fn give_up(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        server: ServerTransactionId,
        reason: &str,
    ) -> bool {
        let Some(context) = self.contexts.get_mut(&server) else { return false };
        let step = context.give_up(reason);
        perform(now, endpoint, server, step);
        true
    }

    /// Timer C (RFC 3261 §16.8): a branch that rang too long is cancelled.
    pub fn handle_timeout(&mut self, now: Instant, endpoint: &mut Endpoint) {
        while let Some(&(at, deadline)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            match deadline {
                Deadline::TimerC(client) => endpoint.cancel(now, client, Some("SIP;cause=408;text=\"Rang too long\"")),
                Deadline::Forget(server) => self.forget(server),
            }
        }
    }

    /// When [`Proxy::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Requests in progress, for the leak tests.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty() && self.branches.is_empty() && self.deadlines.is_empty()
    }

    fn step(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        client: ClientTransactionId,
        input: impl FnOnce(&mut ResponseContext) -> Step,
    ) -> Progress {
        let Some(&Branch { context: server, .. }) = self.branches.get(&client) else { return Progress::None };
        let Some(context) = self.contexts.get_mut(&server) else { return Progress::None };
        let was_over = context.is_over();
        let step = input(context);
        let progress = match &step.upstream {
            Some(response) if !response.is_provisional() => final_of(&context.request, response),
            Some(_) | None => Progress::None,
        };
        if context.is_over() && !was_over {
            if context.request.method == Method::INVITE && context.is_answered() {
                self.deadlines.insert((now + ACCEPTED, Deadline::Forget(server)));
            } else {
                self.forget(server);
            }
        }
        perform(now, endpoint, server, step);
        progress
    }

    fn forget(&mut self, server: ServerTransactionId) {
        for branch in self.contexts.remove(&server).iter().flat_map(ResponseContext::branches) {
            self.branches.remove(&branch);
        }
    }

    fn restart_timer_c(&mut self, now: Instant, client: ClientTransactionId) {
        if let Some(Branch { timer_c: Some(at), .. }) = self.branches.get_mut(&client) {
            self.deadlines.remove(&(*at, Deadline::TimerC(client)));
            *at = now + TIMER_C;
            self.deadlines.insert((*at, Deadline::TimerC(client)));
        }
    }

    fn stop_timer_c(&mut self, client: ClientTransactionId) {
        if let Some(at) = self.branches.get_mut(&client).and_then(|branch| branch.timer_c.take()) {
            self.deadlines.remove(&(at, Deadline::TimerC(client)));
        }
    }
}

fn final_of(request: &Request, response: &Response) -> Progress {
    let in_dialog = request.headers.to().is_ok_and(|to| to.tag().is_some());
    let agreed = matches!(request.method, Method::INVITE | Method::UPDATE) && response.is_success();
    Progress::Final {
        method: request.method.clone(),
        call_id: request.headers.call_id().unwrap_or_default().to_owned(),
        in_dialog,
        code: response.code(),
        answer: agreed.then(|| Box::new((request.clone(), response.clone()))),
    }
}

fn perform(now: Instant, endpoint: &mut Endpoint, server: ServerTransactionId, step: Step) {
    if let Some(response) = step.upstream {
        endpoint.respond(now, server, response);
    }
    if let Some((branches, reason)) = step.cancel {
        for branch in branches {
            endpoint.cancel(now, branch, Some(&reason));
        }
    }
}
