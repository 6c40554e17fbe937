//! One subscription, the subscriber's side (RFC 6665 §4.1): SUBSCRIBE, its refreshes, and what its NOTIFYs say of it.

use super::Package;
use crate::{
    sip::{
        dialog::{Dialog, DialogId},
        msg::{Method, Request, Response, SubscriptionState, Substate},
        uri::{NameAddr, Uri},
    },
    ua::{
        api::{Account, Event, Output},
        reason,
        stack::{ContactOf, Owner, Reply, RequestId, Stack},
    },
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Asked for; the notifier may shorten it.
const EXPIRES: u32 = 3_600;
/// RFC 6665 §4.1.2.4, Timer N: so long the first NOTIFY may take after the 2xx.
const TIMER_N: Duration = Duration::from_secs(32);
/// Between one attempt and the next, the shortest and the longest.
const BASE: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(1_800);
/// Challenges and interval changes followed for one request.
const MAX_DETOURS: u8 = 5;

pub(super) struct Subscription {
    pub package: Package,
    /// Whom, as the wish has it, and as it is asked for.
    pub to: String,
    pub target: Uri,
    /// Who wished for it has heard what became of it.
    pub is_told: bool,
    account: Arc<Account>,
    routes: Vec<NameAddr>,
    call_id: String,
    from: NameAddr,
    cseq: u32,
    /// Made by the first NOTIFY or the 2xx, whichever comes first.
    dialog: Option<Dialog>,
    phase: Phase,
    expires: u32,
    detours: u8,
    failures: u32,
    started: Instant,
    /// When the whole state was last asked for.
    renewed: Option<Instant>,
    /// A NOTIFY has come: a fork's are refused from then on (RFC 6665 §4.1.2.4).
    notified: bool,
}

enum Phase {
    /// The answer to SUBSCRIBE is awaited; what was granted before is good until `expires_at`.
    Asking {
        request: RequestId,
        expires_at: Option<Instant>,
    },
    Active {
        refresh_at: Instant,
        expires_at: Instant,
    },
    Waiting {
        until: Instant,
    },
    /// There will be no further NOTIFY, and nothing to do about it.
    Over,
}

/// What became of it, for who wanted it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    /// The notifier has taken it.
    Accepted,
    /// Nobody is there to be watched, for now (480) or at all.
    Unreachable,
    /// Not now; asked again by itself.
    Later,
    /// For good; a sentence with the way out.
    Refused(String),
}

impl Subscription {
    pub fn start(
        now: Instant,
        stack: &mut Stack,
        account: Arc<Account>,
        routes: Vec<NameAddr>,
        (package, to, target): (Package, String, Uri),
    ) -> Self {
        let mut this = Self {
            package,
            to,
            target,
            is_told: false,
            from: NameAddr::new(account.aor.clone()),
            account,
            routes,
            call_id: String::new(),
            cseq: 0,
            dialog: None,
            phase: Phase::Over,
            expires: EXPIRES,
            detours: 0,
            failures: 0,
            started: now,
            renewed: None,
            notified: false,
        };
        this.restart(now, stack);
        this
    }

    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Says once what became of the wish; `refusal`: a sentence.
    pub fn tell(&mut self, stack: &mut Stack, refusal: Option<&str>) {
        if !std::mem::replace(&mut self.is_told, true) {
            let (package, to, refusal) = (self.package, self.to.clone(), refusal.map(str::to_owned));
            stack.emit(Output::Event(Event::Subscription { package, to, refusal }));
        }
    }

    /// In a dialog of its own, whatever was before (RFC 6665 §4.1.2.1).
    fn restart(&mut self, now: Instant, stack: &mut Stack) {
        self.call_id = stack.entropy.call_id();
        self.from.set_param("tag", Some(&stack.entropy.tag()));
        (self.cseq, self.dialog, self.detours, self.started, self.notified) = (0, None, 0, now, false);
        self.ask(stack, self.expires, None);
    }

    fn ask(&mut self, stack: &mut Stack, expires: u32, expires_at: Option<Instant>) {
        let request = self.request(stack, expires);
        self.phase = Phase::Asking { request: self.send(stack, request), expires_at };
    }

    fn request(&mut self, stack: &mut Stack, expires: u32) -> Request {
        let mut request = match &mut self.dialog {
            Some(dialog) => dialog.request(Method::SUBSCRIBE),
            None => {
                self.cseq += 1;
                let to = NameAddr::new(self.target.clone());
                let call = (self.call_id.as_str(), self.cseq);
                let mut request = stack.request(Method::SUBSCRIBE, self.target.clone(), &self.from, &to, call);
                for route in &self.routes {
                    request.headers.push("Route", route.to_string());
                }
                request
            }
        };
        request.headers.push("Event", self.package.name());
        request.headers.push("Accept", self.package.content_type());
        request.headers.push("Expires", expires.to_string());
        stack.authorize(&self.account, &mut request);
        request
    }

    fn send(&self, stack: &mut Stack, request: Request) -> RequestId {
        let first = self.routes.first().map_or(&self.target, |route| &route.uri);
        let hop = self.dialog.as_ref().map_or(first, Dialog::next_hop).clone();
        stack.send((&self.account, request), &hop, Owner::Subscription, Some(ContactOf::default()))
    }

    /// Says good-bye to the notifier; nothing is heard of it any more.
    pub fn leave(mut self, stack: &mut Stack) {
        if self.dialog.is_some() {
            let request = self.request(stack, 0);
            self.send(stack, request);
        }
    }

    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Active { refresh_at: at, .. } | Phase::Waiting { until: at } => Some(at),
            Phase::Asking { .. } | Phase::Over => None,
        }
    }

    pub fn handle_timeout(&mut self, now: Instant, stack: &mut Stack) {
        match self.phase {
            Phase::Active { refresh_at, expires_at } if refresh_at <= now => {
                match expires_at <= now || !self.notified {
                    true => self.restart(now, stack),
                    false => self.refresh(stack, expires_at),
                }
            }
            Phase::Waiting { until } if until <= now => self.restart(now, stack),
            Phase::Active { .. } | Phase::Waiting { .. } | Phase::Asking { .. } | Phase::Over => {}
        }
    }

    /// Asks for the whole state anew; `false`: it was asked lately, and the notifier sends no whole one.
    pub fn renew(&mut self, now: Instant, stack: &mut Stack) -> bool {
        if self.renewed.is_some_and(|at| now < at + BASE) {
            return false;
        }
        if let Phase::Active { expires_at, .. } = self.phase {
            self.renewed = Some(now);
            self.refresh(stack, expires_at);
        }
        true
    }

    /// The same account has other credentials.
    pub fn go_on_with(&mut self, account: Arc<Account>) {
        self.account = account;
    }

    fn refresh(&mut self, stack: &mut Stack, expires_at: Instant) {
        self.detours = 0;
        self.ask(stack, self.expires, Some(expires_at));
    }

    /// Whether the answer is to this subscription's request.
    pub fn awaits(&self, id: RequestId) -> bool {
        matches!(self.phase, Phase::Asking { request, .. } if request == id)
    }

    pub fn handle_reply(&mut self, now: Instant, stack: &mut Stack, request: &Request, reply: &Reply) -> Outcome {
        let Phase::Asking { expires_at, .. } = self.phase else { return Outcome::Nothing };
        let Reply::Response(response, _) = reply else {
            self.try_later(now, stack, None, expires_at);
            return Outcome::Later;
        };
        match response.code() {
            100..200 => Outcome::Nothing,
            200..300 => self.granted(now, stack, request, response),
            401 | 407 => self.challenged(now, stack, request, response),
            423 => self.too_brief(now, stack, response, expires_at),
            // The notifier knows nothing of it any more: a new one (RFC 6665 §4.1.2.3).
            481 if expires_at.is_some() => {
                self.later(now, stack, Duration::ZERO);
                Outcome::Nothing
            }
            480 => {
                self.try_later(now, stack, retry_after(response), None);
                Outcome::Unreachable
            }
            403..=405 | 410 | 415 | 416 | 481..=485 | 489 | 501 | 603 | 604 => {
                self.phase = Phase::Over;
                Outcome::Refused(refusal(self.package, response))
            }
            _ => {
                self.try_later(now, stack, retry_after(response), expires_at);
                Outcome::Later
            }
        }
    }

    fn granted(&mut self, now: Instant, stack: &mut Stack, request: &Request, response: &Response) -> Outcome {
        match &mut self.dialog {
            // Another fork's answer says nothing of ours.
            Some(dialog) if DialogId::of_response(response).as_ref() == Some(dialog.id()) => {
                drop(dialog.handle_response(&Method::SUBSCRIBE, response));
            }
            Some(_) => {}
            None => self.dialog = Dialog::uac(request, response).ok(),
        }
        self.failures = 0;
        let granted = response.headers.number("Expires").unwrap_or(self.expires).clamp(1, self.expires);
        self.good_for(now, stack, granted);
        Outcome::Accepted
    }

    fn good_for(&mut self, now: Instant, stack: &mut Stack, seconds: u32) {
        let expires = Duration::from_secs(seconds.into());
        let refresh = expires.mul_f64(0.70 + 0.15 * stack.entropy.unit()).max(Duration::from_secs(1));
        // Without a NOTIFY there is no subscription, whatever the answer said.
        let refresh = if self.notified { refresh } else { refresh.min(TIMER_N) };
        self.phase = Phase::Active { refresh_at: now + refresh, expires_at: now + expires };
    }

    fn challenged(&mut self, now: Instant, stack: &mut Stack, request: &Request, response: &Response) -> Outcome {
        let Phase::Asking { expires_at, .. } = self.phase else { return Outcome::Nothing };
        let mut again = request.clone();
        if !self.detour() || stack.answer_challenge(&self.account, &mut again, response).is_err() {
            self.try_later(now, stack, None, expires_at);
            return Outcome::Refused("The server does not accept the user name or the password for this.".to_owned());
        }
        match &mut self.dialog {
            Some(dialog) => dialog.renew(&mut again),
            None => {
                self.cseq += 1;
                again.headers.set("CSeq", format!("{} SUBSCRIBE", self.cseq));
            }
        }
        self.phase = Phase::Asking { request: self.send(stack, again), expires_at };
        Outcome::Nothing
    }

    fn too_brief(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        response: &Response,
        expires_at: Option<Instant>,
    ) -> Outcome {
        match response.headers.number("Min-Expires") {
            Some(wanted) if wanted > self.expires && self.detour() => {
                self.expires = wanted;
                self.ask(stack, wanted, expires_at);
            }
            _ => {
                self.try_later(now, stack, None, expires_at);
                return Outcome::Later;
            }
        }
        Outcome::Nothing
    }

    /// Whether a NOTIFY belongs here: to the dialog, or, as long as there is none or its fork has not spoken, to our SUBSCRIBE.
    pub fn is_for_us(&self, notify: &Request) -> bool {
        let Some(id) = DialogId::of_request(notify) else { return false };
        let same_package = notify.headers.event().is_ok_and(|event| event.package == self.package.name());
        let ours = id.call_id == self.call_id && Some(id.local_tag.as_str()) == self.from.tag() && same_package;
        ours && (!self.notified || self.dialog.as_ref().is_some_and(|dialog| *dialog.id() == id))
    }

    /// A NOTIFY that is for us; `Err`: the code to answer with. What its body says is the caller's.
    pub fn handle_notify(&mut self, now: Instant, stack: &mut Stack, notify: &Request) -> Result<Outcome, u16> {
        let state = notify.headers.subscription_state().map_err(|_| 400_u16)?;
        let id = DialogId::of_request(notify);
        if self.dialog.as_ref().map(Dialog::id) != id.as_ref() {
            self.dialog = Some(Dialog::by_notify(notify, self.cseq).map_err(|_| 400_u16)?);
        } else if let Some(dialog) = &mut self.dialog {
            dialog.handle_request(notify).map_err(|_| 500_u16)?;
        }
        let was_notified = std::mem::replace(&mut self.notified, true);
        match (state.state, &self.phase) {
            (Substate::Terminated, _) => Ok(self.terminated(now, stack, &state)),
            // Between refreshes the notifier may shorten what it granted.
            (Substate::Active | Substate::Pending, Phase::Active { expires_at, .. }) => {
                let left = expires_at.saturating_duration_since(now).as_secs().try_into().unwrap_or(u32::MAX);
                match state.expires {
                    Some(seconds) => self.good_for(now, stack, seconds.clamp(1, self.expires)),
                    None if !was_notified => self.good_for(now, stack, left.max(1)),
                    None => {}
                }
                Ok(Outcome::Nothing)
            }
            // It overtook the answer to our SUBSCRIBE.
            (Substate::Active | Substate::Pending, _) => Ok(Outcome::Nothing),
        }
    }

    /// RFC 6665 §4.1.3: what each reason asks for.
    fn terminated(&mut self, now: Instant, stack: &mut Stack, state: &SubscriptionState) -> Outcome {
        let after = state.retry_after.map(|s| Duration::from_secs(s.into()).min(LONGEST));
        match state.reason.as_deref() {
            Some("rejected") => {
                self.phase = Phase::Over;
                Outcome::Refused(format!("{} may not be seen from here any more.", self.package.subject()))
            }
            Some("noresource") => {
                self.phase = Phase::Over;
                Outcome::Unreachable
            }
            Some("invariant") => {
                self.phase = Phase::Over;
                Outcome::Nothing
            }
            Some("deactivated" | "timeout") => {
                self.later(now, stack, Duration::ZERO);
                Outcome::Nothing
            }
            _ => {
                self.try_later(now, stack, after, None);
                Outcome::Nothing
            }
        }
    }

    /// Again, ever more rarely; on what was granted before as long as it lasts.
    fn try_later(&mut self, now: Instant, stack: &mut Stack, at_least: Option<Duration>, good_until: Option<Instant>) {
        let longest = BASE.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let wait = longest.mul_f64(0.5 + 0.5 * stack.entropy.unit()).max(at_least.unwrap_or_default().min(LONGEST));
        match good_until.filter(|until| *until > now) {
            Some(expires_at) => self.phase = Phase::Active { refresh_at: now + wait, expires_at },
            None => self.later(now, stack, wait),
        }
    }

    /// With a new SUBSCRIBE, but never in a circle at the network's speed.
    fn later(&mut self, now: Instant, stack: &mut Stack, wait: Duration) {
        let until = (now + wait).max(self.started + BASE / 3);
        (self.dialog, self.notified) = (None, false);
        if until <= now { self.restart(now, stack) } else { self.phase = Phase::Waiting { until } }
    }

    const fn detour(&mut self) -> bool {
        self.detours += 1;
        self.detours <= MAX_DETOURS
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    response.headers.number("Retry-After").map(|s| Duration::from_secs(s.into()))
}

fn refusal(package: Package, response: &Response) -> String {
    let subject = package.subject();
    match response.code() {
        405 | 489 | 501 => format!("This phone system does not tell: {subject}."),
        403 | 603 => format!("This phone system does not let you see: {subject}."),
        404 | 410 | 484 | 485 | 604 => {
            format!("This number or address does not exist, so it cannot be watched: {subject}.")
        }
        code => format!("It cannot be watched: {subject}. {}", reason::call(code, &reason::phrase(response))),
    }
}
