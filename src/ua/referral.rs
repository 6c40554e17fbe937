//! What a REFER asks for, and the NOTIFYs that tell its sender what became of it (RFC 3515).

use super::{
    api::Account,
    stack::{ContactOf, Owner, Reply, RequestId, Stack},
    target,
};
use crate::sip::{
    dialog::Dialog,
    msg::{Method, Replaces, Request, Response, sipfrag},
    uri::Uri,
};
use std::sync::Arc;

/// A call that somebody else wants us to make.
#[derive(Clone, Debug)]
pub(super) struct Referral {
    pub target: Uri,
    /// What goes into its INVITE: Referred-By (RFC 3892 §2.2), Replaces and the wish that it be understood (RFC 3891 §4).
    pub headers: Vec<(&'static str, String)>,
    /// Whether the sender wants to hear what becomes of it (RFC 4488 §4).
    pub subscribes: bool,
}

impl Referral {
    /// Reads a REFER. Of the header fields in Refer-To's URI only those of a transfer count (RFC 3261 §19.1.5).
    ///
    /// # Errors
    /// The response that refuses it.
    pub fn of(request: &Request, account: &Account) -> Result<Self, Response> {
        let bad = |why: String| Response { reason: why, ..Response::to(request, 400, None) };
        let to = request.headers.refer_to().map_err(|e| bad(e.to_string()))?;
        let by = request.headers.referred_by().map_err(|e| bad(e.to_string()))?;
        let mut headers: Vec<_> = by.map(|by| ("Referred-By", by.to_string())).into_iter().collect();
        let mut uri = to.uri;
        if let Uri::Sip(sip) = &mut uri {
            // Another method than INVITE is nothing that a person has asked for.
            if sip.param("method").is_some_and(|method| method != "INVITE") {
                return Err(Response::to(request, 603, None));
            }
            sip.params.retain(|(name, _)| name != "method");
            for (name, value) in std::mem::take(&mut sip.headers) {
                if name.eq_ignore_ascii_case("Replaces") {
                    let replaces = value.parse::<Replaces>().map_err(|e| bad(format!("Replaces: {e}")))?;
                    headers.push(("Replaces", replaces.to_string()));
                } else if name.eq_ignore_ascii_case("Require") && value.trim().eq_ignore_ascii_case("replaces") {
                    headers.push(("Require", "replaces".to_owned()));
                }
            }
        }
        let target = target::parse(&uri.to_string(), &account.aor).map_err(|_| Response::to(request, 416, None))?;
        Ok(Self { target, headers, subscribes: request.headers.refer_sub() })
    }

    /// The 202 that takes it, with our `contact`.
    pub fn accepted(&self, request: &Request, contact: &Uri, tag: Option<&str>) -> Response {
        let mut response = Response::to(request, 202, tag);
        response.headers.push("Contact", format!("<{contact}>"));
        if !self.subscribes {
            response.headers.push("Refer-Sub", "false");
        }
        response
    }
}

/// One side of the subscription that a REFER makes, the one that notifies: the latest state, one NOTIFY at a time so that they
/// arrive in order.
#[derive(Debug)]
pub(super) struct Notifier {
    /// Event: `refer`, with the REFER's number from the second in a dialog on (RFC 3515 §2.4.6).
    event: String,
    contact: ContactOf,
    /// The question whether to call at all is not answered yet.
    pub is_pending: bool,
    wanted: u16,
    told: Option<u16>,
    sending: Option<RequestId>,
}

/// Seconds for which a NOTIFY says that more will follow: longer than anything rings.
const EXPIRES: u32 = 600;

impl Notifier {
    /// Of a REFER, whose sender hears at once that it is being tried.
    pub fn new(refer: &Request, is_first: bool, contact: ContactOf) -> Self {
        let id = refer.headers.cseq().ok().filter(|_| !is_first);
        let event = id.map_or_else(|| "refer".to_owned(), |cseq| format!("refer;id={}", cseq.number));
        Self { event, contact, is_pending: false, wanted: 100, told: None, sending: None }
    }

    /// The status of the call as it is now; what follows a final one does not count.
    pub fn set(&mut self, code: u16) {
        if self.wanted < 200 {
            self.wanted = code;
            self.is_pending &= code < 200;
        }
    }

    /// Sends what is new, once the NOTIFY before has been answered.
    pub fn advance(&mut self, stack: &mut Stack, dialog: &mut Dialog, account: &Arc<Account>, owner: Owner) {
        if self.sending.is_some() || self.told == Some(self.wanted) {
            return;
        }
        self.told = Some(self.wanted);
        let mut notify = dialog.request(Method::NOTIFY);
        let state = match self.wanted {
            200.. => "terminated;reason=noresource".to_owned(),
            _ if self.is_pending => format!("pending;expires={EXPIRES}"),
            _ => format!("active;expires={EXPIRES}"),
        };
        notify.headers.push("Event", self.event.as_str());
        notify.headers.push("Subscription-State", state);
        notify.headers.push("Content-Type", "message/sipfrag;version=2.0");
        notify.body = sipfrag(self.wanted);
        self.send(stack, notify, (&*dialog, account, owner));
    }

    /// What became of a NOTIFY; whether it was one of these.
    pub fn handle_reply(
        &mut self,
        stack: &mut Stack,
        (dialog, account, owner): (&mut Dialog, &Arc<Account>, Owner),
        (id, mut request): (RequestId, Request),
        reply: &Reply,
    ) -> bool {
        if self.sending != Some(id) {
            return false;
        }
        match reply {
            Reply::Response(response, _) if response.is_provisional() => return true,
            Reply::Response(response, _) if matches!(response.code(), 401 | 407) => {
                self.sending = None;
                if stack.answer_challenge(account, &mut request, response).is_ok() {
                    dialog.renew(&mut request);
                    self.send(stack, request, (&*dialog, account, owner));
                    return true;
                }
                self.give_up();
            }
            Reply::Response(response, _) if response.is_success() => {
                self.sending = None;
                self.advance(stack, dialog, account, owner);
            }
            // RFC 6665 §4.2.2: nobody listens any more; the call between the two is another matter.
            Reply::Response(..) | Reply::TimedOut | Reply::Unreachable(_) => {
                self.sending = None;
                self.give_up();
            }
        }
        true
    }

    /// All has been told.
    pub fn is_over(&self) -> bool {
        self.told.is_some_and(|code| code >= 200 && code == self.wanted)
    }

    /// And heard, or nobody listens any more.
    pub fn is_silent(&self) -> bool {
        self.is_over() && self.sending.is_none()
    }

    fn give_up(&mut self) {
        self.wanted = self.wanted.max(200);
        self.told = Some(self.wanted);
    }

    fn send(&mut self, stack: &mut Stack, request: Request, (dialog, account, owner): (&Dialog, &Arc<Account>, Owner)) {
        let contact = Some(self.contact.clone());
        self.sending = Some(stack.send((account, request), dialog.next_hop(), owner, contact));
    }
}
