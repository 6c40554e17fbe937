//! Keeping one account registered (RFC 3261 §10.2; RFC 3327 Path, RFC 3608 Service-Route, RFC 5626 §4.1, §4.5, RFC 5627).

mod answer;
mod gruu;
mod outbound;
mod proof;
mod request;

use super::{
    api::{Account, Event, NetworkChange, Output, ProvedBy, Reachable, RegistrationState},
    reason,
    stack::{Reply, RequestId, Stack},
};
use crate::sip::{
    auth::AuthError,
    flow::Flow,
    msg::{Request, Response},
    target::Target,
    uri::{Host, NameAddr, Uri},
};
use answer::Granted;
use gruu::Gruu;
use outbound::Outbound;
use proof::Prober;
pub(super) use request::outbound_route;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Redirections and interval changes followed for one registration attempt.
const MAX_DETOURS: u8 = 5;
/// RFC 5626 §4.5: base-time and max-time.
const BASE_TIME: Duration = Duration::from_secs(30);
const MAX_TIME: Duration = Duration::from_secs(1_800);

pub(super) struct Registration {
    account: Arc<Account>,
    phase: Phase,
    /// RFC 3261 §10.2: one Call-ID for all registrations of a client.
    call_id: String,
    cseq: u32,
    from_tag: String,
    /// Interval asked for; the registrar's Min-Expires raises it.
    expires: Duration,
    /// Where a 3xx sent us.
    registrar: Option<Uri>,
    detours: u8,
    failures: u32,
    /// RFC 3608: the way of our requests outside dialogs.
    service_route: Vec<NameAddr>,
    reported: Option<RegistrationState>,
    /// Who granted last.
    registered_at: Option<Flow>,
    /// Until when the registrar may keep our contact, whatever became of the registration since.
    bound_until: Option<Instant>,
    /// The last grant listed our contact.
    is_listed: bool,
    prober: Prober,
    outbound: Outbound,
    gruu: Gruu,
}

#[derive(Debug)]
enum Phase {
    /// Calls without a registrar.
    Unneeded,
    Registering {
        request: RequestId,
    },
    /// `since`: the last grant; `flow`: how its REGISTER went.
    Online {
        since: Instant,
        refresh_at: Instant,
        flow: Flow,
    },
    Waiting {
        until: Instant,
    },
    /// Only a person can help.
    Stopped,
    Leaving {
        request: RequestId,
    },
    Gone,
}

impl Registration {
    /// Begins to register `account`, if it is to register at all.
    pub fn start(stack: &mut Stack, account: Arc<Account>) -> Self {
        let mut this = Self {
            phase: Phase::Unneeded,
            call_id: stack.entropy.call_id(),
            cseq: 0,
            from_tag: String::new(),
            expires: account.expires,
            registrar: None,
            detours: 0,
            failures: 0,
            service_route: Vec::new(),
            reported: None,
            registered_at: None,
            bound_until: None,
            is_listed: false,
            prober: Prober::default(),
            outbound: Outbound::Offered,
            gruu: Gruu::default(),
            account,
        };
        if this.account.register {
            this.attempt(stack);
        } else {
            // Ready for calls at once; nothing expires.
            this.report(stack, RegistrationState::Online { expires: Duration::ZERO });
        }
        this
    }

    /// The same account with other credentials: registers with them at once, and stays online meanwhile.
    pub fn renew(&mut self, stack: &mut Stack, account: Arc<Account>) {
        self.account = account;
        match self.phase {
            Phase::Unneeded => self.report(stack, RegistrationState::Online { expires: Duration::ZERO }),
            _ => self.attempt(stack),
        }
    }

    pub const fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The flow of the last grant, while it is good.
    pub const fn flow(&self) -> Option<Flow> {
        match self.phase {
            Phase::Online { flow, .. } => Some(flow),
            _ => None,
        }
    }

    /// The Route of a request outside a dialog: what the registrar told us, else the configured proxy.
    pub fn route_set(&self) -> Vec<NameAddr> {
        if self.service_route.is_empty() { outbound_route(&self.account) } else { self.service_route.clone() }
    }

    /// Whether a request comes from our registrar or proxy, whose word about callers is good (RFC 3325 §6): over the very flow
    /// that we registered over, since anybody can send a datagram with the registrar's address in it.
    pub fn is_from_home(&self, flow: Flow) -> bool {
        let proxy = self.account.outbound_proxy.as_ref();
        let proxy = proxy.and_then(|uri| Target::of(uri, self.account.transport).ok()?.numeric());
        [self.registered_at, proxy].contains(&Some(flow))
    }

    /// Whether a request to this address goes to a server of ours, which knows who may call where: to the domain of our address of
    /// record, to our proxies, or to where we are registered.
    pub fn is_at_home(&self, uri: &Uri) -> bool {
        let Some(host) = uri.as_sip().map(|uri| &uri.host) else { return false };
        let routes = self.route_set();
        let known = routes.iter().map(|route| &route.uri).chain([&self.account.aor]);
        known.filter_map(Uri::as_sip).any(|ours| ours.host == *host)
            || self.registered_at.is_some_and(|flow| *host == Host::Ip(flow.remote.ip()))
    }

    /// Whether a call to this Request-URI is for us: for our user, or sent by our registrar, which knows why. Without a
    /// registrar any is.
    pub fn is_called(&self, uri: &Uri, flow: Flow) -> bool {
        let user = |uri: &Uri| uri.as_sip().and_then(|sip| sip.user.clone());
        !self.account.register || self.is_from_home(flow) || user(uri) == user(&self.account.aor)
    }

    /// Un-registers; reported as offline at once, since nothing that comes later changes it.
    pub fn leave(&mut self, now: Instant, stack: &mut Stack) {
        stack.set_home(None, false);
        self.lose_gruu(stack);
        self.report(stack, RegistrationState::Offline);
        let is_bound = self.bound_until.is_some_and(|until| now < until);
        self.phase = match self.phase {
            Phase::Leaving { request } => Phase::Leaving { request },
            Phase::Unneeded | Phase::Gone => Phase::Gone,
            // A REGISTER on its way may still be granted.
            Phase::Registering { .. } => Phase::Leaving { request: self.send(stack, Duration::ZERO) },
            _ if is_bound => Phase::Leaving { request: self.send(stack, Duration::ZERO) },
            _ => Phase::Gone,
        };
    }

    pub const fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = match self.phase {
            Phase::Online { refresh_at, .. } => self.prober.poll_timeout().into_iter().chain([refresh_at]).min(),
            Phase::Waiting { until: at } => Some(at),
            Phase::Unneeded | Phase::Registering { .. } | Phase::Stopped | Phase::Leaving { .. } | Phase::Gone => None,
        };
        next.into_iter().chain(self.named_until()).min()
    }

    pub fn handle_timeout(&mut self, now: Instant, stack: &mut Stack) {
        if self.named_until().is_some_and(|until| until <= now) {
            self.lose_gruu(stack);
        }
        match self.phase {
            Phase::Online { refresh_at: at, .. } | Phase::Waiting { until: at } if at <= now => self.attempt(stack),
            Phase::Online { .. } if self.prober.is_due(now) => self.ask(now, stack),
            _ => {}
        }
    }

    /// What the registrar knows of us may be wrong, and what failed may work now.
    pub fn handle_network(&mut self, now: Instant, stack: &mut Stack, change: NetworkChange) {
        match (&self.phase, change) {
            (Phase::Unneeded | Phase::Stopped | Phase::Leaving { .. } | Phase::Gone, _) => {}
            (_, NetworkChange::Lost { patience }) => {
                self.lose(stack, now, now + patience, "There is no network; calls wait for it to come back.");
            }
            (_, NetworkChange::Moved | NetworkChange::Back) => {
                self.failures = 0;
                self.attempt(stack);
            }
        }
    }

    /// At once, but not in a circle with a server that closes each connection after its answer (RFC 5626 §4.5).
    pub fn handle_flow_lost(&mut self, now: Instant, stack: &mut Stack, lost: Flow) {
        match self.phase {
            Phase::Online { since, flow, .. } if flow == lost => {
                let until = since + BASE_TIME;
                if until <= now {
                    return self.attempt(stack);
                }
                self.lose(stack, now, until, "The connection to the server was lost.");
            }
            _ => {}
        }
    }

    /// Nobody can reach us until we are registered anew.
    fn lose(&mut self, stack: &mut Stack, now: Instant, until: Instant, reason: &str) {
        self.phase = Phase::Waiting { until };
        let retry_in = Some(until.saturating_duration_since(now));
        self.report(stack, RegistrationState::Failed { code: None, reason: reason.to_owned(), retry_in });
    }

    /// Whether the reply was to our request.
    pub fn handle_reply(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (id, request): (RequestId, &Request),
        reply: &Reply,
    ) -> bool {
        match self.phase {
            Phase::Registering { request: ours } if ours == id => self.registered(now, stack, request, reply),
            Phase::Leaving { request: ours } if ours == id => self.left(stack, request, reply),
            _ => return self.asked(now, stack, id, reply) || self.gruu_asked(now, stack, (id, request), reply),
        }
        true
    }

    fn attempt(&mut self, stack: &mut Stack) {
        // A refresh shows only when it fails.
        if !matches!(self.phase, Phase::Online { .. }) {
            self.report(stack, RegistrationState::Registering);
        }
        self.detours = 0;
        self.registrar = None;
        self.phase = Phase::Registering { request: self.send(stack, self.expires) };
    }

    fn registered(&mut self, now: Instant, stack: &mut Stack, request: &Request, reply: &Reply) {
        let (response, flow) = match reply {
            Reply::Response(response, flow) => (response, *flow),
            Reply::TimedOut => {
                return self.fail(now, stack, Some(408), "The server does not answer.".to_owned(), None);
            }
            Reply::Unreachable(why) => {
                let why = format!("The server cannot be reached: {}.", why.trim_end_matches('.'));
                return self.fail(now, stack, None, why, None);
            }
        };
        match response.code() {
            100..200 => {}
            200..300 => self.granted(now, stack, request, (response, flow)),
            300..=399 => self.redirected(now, stack, response),
            401 | 407 => self.challenged(stack, request, response),
            423 => self.too_brief(now, stack, response),
            // RFC 5626 §11.6.
            439 if self.outbound != Outbound::Refused => {
                self.outbound = Outbound::Refused;
                self.phase = Phase::Registering { request: self.send(stack, self.expires) };
            }
            code => self.refused(now, stack, code, response),
        }
    }

    fn granted(&mut self, now: Instant, stack: &mut Stack, request: &Request, (response, flow): (&Response, Flow)) {
        match answer::granted(request, response, self.expires) {
            Granted::For { expires, is_listed } => {
                self.failures = 0;
                self.is_listed = is_listed;
                self.outbound = self.outbound.after(response);
                self.service_route = response.headers.name_addrs("Service-Route").unwrap_or_default();
                // Early enough for a retransmission or two, and not all clients of a restarted server at once.
                let fraction = 0.70 + 0.15 * stack.entropy.unit();
                let refresh_at = now + expires.mul_f64(fraction).max(Duration::from_secs(1));
                self.phase = Phase::Online { since: now, refresh_at, flow };
                self.registered_at = Some(flow);
                stack.set_home(Some(flow), self.keeps_flow().is_some());
                self.bound_until = Some(now + expires);
                self.prober.begin(now, stack, flow, refresh_at);
                self.proved(stack, Reachable { by: ProvedBy::Register, is_listed });
                self.report(stack, RegistrationState::Online { expires });
                self.name_us(now, stack, flow, answer::gruus(&self.account.aor, request, response));
                self.clear_away(stack, answer::stale(request, response));
                self.learn(stack, response, flow);
            }
            Granted::Nothing => {
                let why = "The server accepted the registration but did not keep it.".to_owned();
                self.fail(now, stack, Some(response.code()), why, None);
            }
        }
    }

    /// Another device holds the registration: registering stops, and nothing is to be un-registered.
    pub fn displace(&mut self, stack: &mut Stack, code: u16, reason: String) {
        self.phase = Phase::Stopped;
        self.bound_until = None;
        self.registered_at = None;
        self.service_route.clear();
        self.lose_gruu(stack);
        self.report(stack, RegistrationState::Conflict { code, reason });
    }

    fn redirected(&mut self, now: Instant, stack: &mut Stack, response: &Response) {
        let target = answer::redirect_target(response);
        match target {
            Some(target) if self.detour() => {
                self.registrar = Some(target);
                self.phase = Phase::Registering { request: self.send(stack, self.expires) };
            }
            Some(_) => {
                self.fail(now, stack, Some(response.code()), "The servers send us in a circle.".to_owned(), None);
            }
            None => {
                let why = "The server sends us elsewhere without saying where.".to_owned();
                self.fail(now, stack, Some(response.code()), why, None);
            }
        }
    }

    fn challenged(&mut self, stack: &mut Stack, request: &Request, response: &Response) {
        let mut again = request.clone();
        match stack.answer_challenge(&self.account, &mut again, response) {
            Ok(()) => self.phase = Phase::Registering { request: self.send_again(stack, again) },
            Err(AuthError::Refused { .. }) => {
                let why = "The server does not accept the user name or the password. Correct them and try again.";
                self.stop(stack, Some(response.code()), why.to_owned());
            }
            Err(error @ AuthError::Unsupported) => self.stop(stack, Some(response.code()), format!("{error}.")),
        }
    }

    /// RFC 3261 §10.2.8.
    fn too_brief(&mut self, now: Instant, stack: &mut Stack, response: &Response) {
        let wanted = response.headers.number("Min-Expires").map(|s| Duration::from_secs(u64::from(s)));
        match wanted {
            Some(wanted) if wanted > self.expires && self.detour() => {
                self.expires = wanted;
                self.phase = Phase::Registering { request: self.send(stack, wanted) };
            }
            _ => {
                let why = "The server refuses the registration's duration.".to_owned();
                self.fail(now, stack, Some(423), why, None);
            }
        }
    }

    fn refused(&mut self, now: Instant, stack: &mut Stack, code: u16, response: &Response) {
        let reason = response.reason.clone();
        if answer::is_conflict(response) {
            return self.displace(stack, code, reason);
        }
        let why = reason::registration(code, &reason);
        if answer::is_temporary(code) {
            let after = response.headers.number("Retry-After").map(|s| Duration::from_secs(u64::from(s)));
            self.fail(now, stack, Some(code), why, after);
        } else {
            self.stop(stack, Some(code), why);
        }
    }

    /// Tries again by itself, ever more rarely (RFC 5626 §4.5).
    fn fail(&mut self, now: Instant, stack: &mut Stack, code: Option<u16>, reason: String, at_least: Option<Duration>) {
        let longest = BASE_TIME.saturating_mul(1 << self.failures.min(6)).min(MAX_TIME);
        self.failures = self.failures.saturating_add(1);
        let wait = longest.mul_f64(0.5 + 0.5 * stack.entropy.unit());
        let wait = wait.max(at_least.unwrap_or_default().min(MAX_TIME));
        self.phase = Phase::Waiting { until: now + wait };
        self.report(stack, RegistrationState::Failed { code, reason, retry_in: Some(wait) });
    }

    fn stop(&mut self, stack: &mut Stack, code: Option<u16>, reason: String) {
        self.phase = Phase::Stopped;
        self.service_route.clear();
        self.lose_gruu(stack);
        self.report(stack, RegistrationState::Failed { code, reason, retry_in: None });
    }

    fn left(&mut self, stack: &mut Stack, request: &Request, reply: &Reply) {
        if let Reply::Response(response, _) = reply {
            if response.is_provisional() {
                return;
            }
            let mut again = request.clone();
            if matches!(response.code(), 401 | 407)
                && stack.answer_challenge(&self.account, &mut again, response).is_ok()
            {
                self.phase = Phase::Leaving { request: self.send_again(stack, again) };
                return;
            }
        }
        self.phase = Phase::Gone;
    }

    const fn detour(&mut self) -> bool {
        self.detours += 1;
        self.detours <= MAX_DETOURS
    }

    /// A change; of being online each confirmation, for the shell keeps the way open over which it came.
    fn report(&mut self, stack: &mut Stack, state: RegistrationState) {
        if self.reported.as_ref() != Some(&state) || matches!(state, RegistrationState::Online { .. }) {
            self.reported = Some(state.clone());
            stack.emit(Output::Event(Event::Registration { name: self.account.name.clone(), state }));
        }
    }
}
