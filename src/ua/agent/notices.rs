//! Text messages, subscriptions and what they tell, and the calls that colleagues' phones ring with.

use super::UserAgent;
use crate::{
    sip::{
        dialog::DialogId,
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Method, Request, Response},
        uri::Uri,
    },
    ua::{
        api::{Event, Output, Package},
        events::{Pickup, Unasked, Wanted},
        message,
        session::Session,
        target,
    },
};
use std::time::{Duration, Instant};

const OFFLINE: &str = "You are offline: choose a registration first.";
/// Registering anew by order of the phone system, at most so often.
const SYNC_EVERY: Duration = Duration::from_secs(60);

impl UserAgent {
    /// Answers MESSAGE and NOTIFY; gives back what is not for here: other methods, and NOTIFYs of a call's own subscription.
    pub(super) fn message_or_notify(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        request: Request,
        flow: Flow,
    ) -> Option<Request> {
        let from_home = self.registration.as_ref().is_some_and(|r| r.is_from_home(flow));
        if request.method == Method::MESSAGE {
            let response = self.message(&request, flow);
            self.stack.respond(now, transaction, response);
            return None;
        }
        if request.method != Method::NOTIFY
            || self.subscriptions.handle_notify(now, &mut self.stack, (transaction, &request))
        {
            return (request.method != Method::NOTIFY).then_some(request);
        }
        let dialog = DialogId::of_request(&request);
        if dialog.as_ref().is_some_and(|id| self.sessions.values().any(|session| session.is_in_dialog(id))) {
            return Some(request);
        }
        let (response, asked) =
            self.subscriptions.handle_unasked(&mut self.stack, &request, from_home && dialog.is_none());
        self.stack.respond(now, transaction, response);
        if asked == Unasked::CheckSync {
            self.check_sync(now);
        }
        None
    }

    fn message(&mut self, request: &Request, flow: Flow) -> Response {
        let Some(registration) = &self.registration else { return Response::to(request, 480, None) };
        if !registration.is_called(&request.uri, flow) {
            return Response::to(request, 404, None);
        }
        let (response, said) = message::receive(request, registration.account());
        if let Some(said) = said {
            self.stack.emit(Output::Event(said));
        }
        response
    }

    fn check_sync(&mut self, now: Instant) {
        let Some(registration) = &mut self.registration else { return };
        if self.checked_sync.is_some_and(|at| now < at + SYNC_EVERY) {
            return;
        }
        self.checked_sync = Some(now);
        let account = registration.account().clone();
        registration.renew(&mut self.stack, account);
        let notice = "The phone system has a new configuration for its phones; this one has registered anew.";
        self.stack.emit(Output::Event(Event::Notice(notice.to_owned())));
    }

    pub(super) fn send_message(&mut self, to: &str, text: &str) {
        let sent = match &self.registration {
            Some(registration) => self.outbox.send(&mut self.stack, registration, to, text),
            None => Err(OFFLINE.to_owned()),
        };
        if let Err(message) = sent {
            self.refuse("message", message);
        }
    }

    pub(super) fn subscribe(&mut self, now: Instant, package: Package, to: String) {
        let wanted = self.subscriptions.want(now, &mut self.stack, self.registration.as_ref(), (package, to.clone()));
        let refusal = match wanted {
            Ok(Wanted::IsAsked) => return,
            Ok(Wanted::IsKept) => None,
            Err(message) => Some(message),
        };
        self.stack.emit(Output::Event(Event::Subscription { package, to, refusal }));
    }

    pub(super) fn unsubscribe(&mut self, package: Package, to: &str) {
        self.subscriptions.forget(&mut self.stack, package, to);
        self.stack.emit(Output::Event(Event::Done { command: "unsubscribe", call: None }));
    }

    /// By the PBX's prefix, where there is one, else by INVITE with Replaces to the caller's phone (RFC 3891).
    pub(super) fn pick_up(&mut self, now: Instant, to: &str) {
        let Some(registration) = &self.registration else { return self.refuse("pick_up", OFFLINE.to_owned()) };
        let account = registration.account().clone();
        if let Some(prefix) = &self.stack.settings.services.pickup_prefix {
            let user = target::parse(to, &account.aor).ok().and_then(|uri| uri.as_sip()?.user.clone());
            let number = format!("{prefix}{}", user.as_deref().unwrap_or(to));
            return self.dial(now, &number, false);
        }
        let pickup = target::parse(to, &account.aor).ok().and_then(|uri| self.subscriptions.pickup(&uri));
        let call = pickup.and_then(|Pickup { target, replaces }| Some((target.parse::<Uri>().ok()?, replaces)));
        let Some((target, replaces)) = call else {
            let message = format!("No call that can be taken over rings at {to}.");
            return self.refuse("pick_up", message);
        };
        let routes = registration.route_set();
        let anonymous = self.stack.settings.services.withhold_identity;
        self.last_call += 1;
        let mut session = Session::dial(&mut self.stack, self.last_call, account, (target, routes), anonymous);
        session.extra = vec![("Require", "replaces".to_owned()), ("Replaces", replaces.to_string())];
        self.sessions.insert(self.last_call, session);
    }

    fn refuse(&mut self, command: &'static str, message: String) {
        self.stack.emit(Output::Event(Event::Refused { command, call: None, message }));
    }
}
