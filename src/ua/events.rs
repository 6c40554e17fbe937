//! Event notification, the subscriber's side (RFC 6665): voicemail waiting (RFC 3842), colleagues' calls (RFC 4235) and
//! presence (RFC 3856), and the NOTIFYs that PBXs send unasked.
//!
//! What is wanted outlives accounts and registrations: each begins anew with the account that is online. Of a forked SUBSCRIBE
//! the first that notifies is taken; the others' NOTIFYs are answered 481, which ends them.

mod colleagues;
mod dialog_info;
mod pidf;
mod subscription;
mod summary;
mod xml;

use super::{
    api::{Account, Event, Messages, Output, Package},
    registration::Registration,
    stack::{Reply, RequestId, Stack},
    target,
};
use crate::sip::{
    endpoint::ServerTransactionId,
    msg::{Request, Response},
    uri::{NameAddr, Uri},
};
use colleagues::Colleagues;
pub(super) use dialog_info::Pickup;
use std::{sync::Arc, time::Instant};
use subscription::{Outcome, Subscription};

/// Subscriptions at once; a list of colleagues is shorter.
const MOST: usize = 256;
/// What is answered to packages that we do not know (RFC 6665 §8.2.2).
pub(super) const ALLOW_EVENTS: &str = "dialog, message-summary, presence, refer, check-sync";

#[derive(Default)]
pub(super) struct Subscriptions {
    /// What somebody wants to be told, as they wrote it.
    wanted: Vec<(Package, String)>,
    running: Vec<Subscription>,
    /// Whom it runs for.
    account: Option<Arc<Account>>,
    colleagues: Colleagues,
    messages: Option<Messages>,
}

/// What became of a wish.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It waits for an account, or has been fulfilled before.
    IsKept,
    /// The server has been asked; its answer is told.
    IsAsked,
}

/// What a NOTIFY outside of any subscription asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unasked {
    Nothing,
    /// The PBX has a new configuration for its phones: register anew.
    CheckSync,
}

impl Package {
    /// Its name in Event.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::Presence => "presence",
            Self::MessageSummary => "message-summary",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Dialog => "application/dialog-info+xml",
            Self::Presence => "application/pidf+xml",
            Self::MessageSummary => "application/simple-message-summary",
        }
    }

    /// For people.
    const fn subject(self) -> &'static str {
        match self {
            Self::Dialog => "calls of a colleague",
            Self::Presence => "presence of a colleague",
            Self::MessageSummary => "waiting voicemail",
        }
    }
}

impl Subscriptions {
    /// Remembers the wish; it begins with the next account that comes online, or now.
    ///
    /// # Errors
    /// A sentence with the way out.
    pub fn want(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        registration: Option<&Registration>,
        (package, to): (Package, String),
    ) -> Result<Wanted, String> {
        if self.wanted.iter().any(|(p, t)| *p == package && *t == to) {
            let is_asking = |s: &Subscription| s.package == package && s.to == to && !s.is_told;
            return Ok(if self.running.iter().any(is_asking) { Wanted::IsAsked } else { Wanted::IsKept });
        }
        if self.wanted.len() >= MOST {
            return Err(format!("No more than {MOST} colleagues and lamps can be watched; remove one first."));
        }
        if let Some(registration) = registration {
            target_of(registration.account(), &to)?;
        }
        self.wanted.push((package, to.clone()));
        if let (Some(registration), Some(account)) = (registration, self.account.clone()) {
            self.begin(now, stack, &account, registration.route_set(), (package, &to));
            return Ok(Wanted::IsAsked);
        }
        Ok(Wanted::IsKept)
    }

    /// The wish is taken back.
    pub fn forget(&mut self, stack: &mut Stack, package: Package, to: &str) {
        self.wanted.retain(|(p, t)| !(*p == package && t == to));
        let Some(target) = self.account.as_ref().and_then(|account| target_of(account, to).ok()) else { return };
        if let Some(at) = self.running.iter().position(|s| s.package == package && s.target == target) {
            let mut subscription = self.running.swap_remove(at);
            subscription.tell(stack, Some("It was taken back before the server had answered."));
            subscription.leave(stack);
        }
        self.colleagues.forget(package, &target);
    }

    /// Follows the account: another one begins everything anew once it is online; the same one with other credentials goes on.
    pub fn follow(&mut self, now: Instant, stack: &mut Stack, registration: Option<&Registration>) {
        let online = registration.filter(|r| r.flow().is_some() || !r.account().register);
        if let (Some(ours), Some(registration)) = (&mut self.account, registration) {
            let account = registration.account();
            if ours.goes_on_with(account) {
                if !Arc::ptr_eq(ours, account) {
                    self.running.iter_mut().for_each(|subscription| subscription.go_on_with(account.clone()));
                    ours.clone_from(account);
                }
                return;
            }
        }
        if self.account.is_none() && online.is_none() {
            return;
        }
        for mut subscription in self.running.drain(..) {
            // It waits for the next account.
            subscription.tell(stack, None);
            subscription.leave(stack);
        }
        (self.account, self.messages) = (None, None);
        self.colleagues.clear();
        if let Some(registration) = online {
            let account = registration.account().clone();
            self.account = Some(account.clone());
            for (package, to) in self.wanted.clone() {
                self.begin(now, stack, &account, registration.route_set(), (package, &to));
            }
        }
    }

    fn begin(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        account: &Arc<Account>,
        routes: Vec<NameAddr>,
        (package, to): (Package, &str),
    ) {
        match target_of(account, to) {
            Ok(target) => {
                let wish = (package, to.to_owned(), target);
                self.running.push(Subscription::start(now, stack, account.clone(), routes, wish));
            }
            Err(message) => refuse(stack, package, to, message),
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.running.iter().filter_map(Subscription::poll_timeout).min()
    }

    pub fn handle_timeout(&mut self, now: Instant, stack: &mut Stack) {
        for subscription in &mut self.running {
            subscription.handle_timeout(now, stack);
        }
    }

    pub fn handle_reply(&mut self, now: Instant, stack: &mut Stack, id: RequestId, request: &Request, reply: &Reply) {
        let Some(at) = self.running.iter().position(|s| s.awaits(id)) else { return };
        let outcome = self.running[at].handle_reply(now, stack, request, reply);
        self.settle(stack, at, outcome);
    }

    /// Whether the NOTIFY belonged to a subscription of ours; it is answered then.
    pub fn handle_notify(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (transaction, notify): (ServerTransactionId, &Request),
    ) -> bool {
        let Some(at) = self.running.iter().position(|s| s.is_for_us(notify)) else { return false };
        let outcome = self.running[at].handle_notify(now, stack, notify);
        let code = outcome.as_ref().map_or_else(|code| *code, |_| 200);
        stack.respond(now, transaction, Response::to(notify, code, None));
        if let Ok(outcome) = outcome {
            self.learn(now, stack, at, notify);
            self.settle(stack, at, outcome);
        }
        true
    }

    /// A NOTIFY that nobody subscribed to (RFC 6665 §4.1.2.4: 481): voicemail and check-sync are taken from our own servers, as
    /// many PBXs send them.
    pub fn handle_unasked(&mut self, stack: &mut Stack, request: &Request, from_home: bool) -> (Response, Unasked) {
        let event = request.headers.event().map(|event| event.package);
        match event.as_deref() {
            Ok("message-summary") if from_home => {
                self.summary(stack, &request.body);
                (Response::to(request, 200, None), Unasked::Nothing)
            }
            Ok("check-sync") if from_home => (Response::to(request, 200, None), Unasked::CheckSync),
            Ok("dialog" | "message-summary" | "presence" | "refer" | "check-sync") => {
                (Response::to(request, 481, None), Unasked::Nothing)
            }
            Ok(_) | Err(_) => {
                let mut response = Response::to(request, 489, None);
                response.headers.push("Allow-Events", ALLOW_EVENTS);
                (response, Unasked::Nothing)
            }
        }
    }

    /// The call that rings at a colleague, where their phone says enough of it.
    pub fn pickup(&self, to: &Uri) -> Option<Pickup> {
        self.colleagues.pickup(to)
    }

    fn learn(&mut self, now: Instant, stack: &mut Stack, at: usize, notify: &Request) {
        if notify.body.is_empty() {
            return;
        }
        let (package, target) = (self.running[at].package, self.running[at].target.clone());
        match package {
            Package::MessageSummary => self.summary(stack, &notify.body),
            Package::Presence => self.colleagues.presence(stack, &target, &notify.body),
            Package::Dialog => {
                let applied = self.colleagues.dialogs(stack, &target, &notify.body, false);
                if applied == dialog_info::Applied::Gap && !self.running[at].renew(now, stack) {
                    self.colleagues.dialogs(stack, &target, &notify.body, true);
                }
            }
        }
    }

    fn summary(&mut self, stack: &mut Stack, body: &[u8]) {
        let Some(messages) = summary::read(body) else { return };
        if self.messages.as_ref() != Some(&messages) {
            self.messages = Some(messages.clone());
            stack.emit(Output::Event(Event::Messages(messages)));
        }
    }

    fn settle(&mut self, stack: &mut Stack, at: usize, outcome: Outcome) {
        let (package, target) = (self.running[at].package, self.running[at].target.clone());
        match outcome {
            Outcome::Nothing => {}
            Outcome::Accepted => self.running[at].tell(stack, None),
            Outcome::Unreachable => {
                self.running[at].tell(stack, None);
                if package != Package::MessageSummary {
                    self.colleagues.unreachable(stack, &target);
                }
            }
            Outcome::Later => {
                let later = "The server did not take it; it is asked again from time to time.";
                self.running[at].tell(stack, Some(later));
            }
            Outcome::Refused(message) => {
                self.running[at].is_told = true;
                refuse(stack, package, &self.running[at].to, message);
            }
        }
        if self.running[at].is_over() {
            self.running.swap_remove(at);
        }
    }
}

/// What is watched; without anything, the account's own mailbox.
fn target_of(account: &Account, to: &str) -> Result<Uri, String> {
    if to.is_empty() { Ok(account.aor.clone()) } else { target::parse(to, &account.aor) }
}

fn refuse(stack: &mut Stack, package: Package, to: &str, message: String) {
    stack.emit(Output::Event(Event::Subscription { package, to: to.to_owned(), refusal: Some(message) }));
}
