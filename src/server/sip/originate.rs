//! Calls that the TMS begins for an extension (Originate of the XML API): its devices ring, and the one that answers is told
//! by REFER (RFC 3515) to make the call. What that device dials is a call like any other, authenticated, decided upon and
//! recorded; no media passes here. RFC 3725's flows would hold the callee's answer up while the first side waits.
//!
//! ```text
//! TMS                  the extension's device           whoever is dialled
//!  |---INVITE, a=inactive--->|                                  |
//!  |<--200-------------------|                                  |
//!  |---ACK, REFER----------->|                                  |
//!  |<--202-------------------|---INVITE, through the proxy----->|
//!  |<--NOTIFY 200------------|<--200----------------------------|
//!  |---BYE------------------>|
//! ```

use super::{
    location::{Aor, Contact},
    pbx::Pbx,
    reply::reply,
};
use crate::{
    server::{contacts::Call, registry::RingGroup},
    sip::{
        dialog::{Dialog, DialogId},
        endpoint::{ClientTransactionId, Endpoint},
        entropy::Entropy,
        flow::Flow,
        msg::{Headers, Method, Request, Response},
        uri::{Host, NameAddr, SipUri, Uri},
    },
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Calls being begun at a time, of all accounts and of one.
const MAX: usize = 200;
const MAX_OF_REALM: usize = 20;
/// How long the extension's devices ring.
const RINGS: Duration = Duration::from_secs(60);
/// How long the device may take to reach whoever it dials: as long as that may ring (Timer C, RFC 3261 §16.6), and a bit.
const DIALS: Duration = Duration::from_secs(200);
const ALLOW: &str = "ACK, BYE, CANCEL, NOTIFY, OPTIONS";
const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
const ENDED: &str = "SIP;cause=200;text=\"Ended by the TMS\"";

/// A call to be begun.
#[derive(Debug)]
pub struct Wanted {
    pub realm: String,
    /// As it is listed while the extension rings.
    pub call: Call,
    /// Where the extension's devices are, and our Contact for each.
    pub devices: Vec<(Flow, Uri, String)>,
    /// The extension, and what its device is to dial.
    pub extension: Uri,
    pub destination: Uri,
    /// Ours.
    pub tag: String,
}

/// The calls that the TMS has begun and that are not handed over yet.
#[derive(Debug, Default)]
pub struct Originations {
    /// By Call-ID.
    calls: BTreeMap<String, Origination>,
    /// The server stops.
    closed: bool,
}

#[derive(Debug)]
struct Origination {
    realm: String,
    call: Call,
    destination: Uri,
    /// INVITEs that have had no final response.
    pending: Vec<Branch>,
    phase: Phase,
    gives_up: Instant,
}

#[derive(Debug)]
struct Branch {
    client: ClientTransactionId,
    flow: Flow,
    contact: String,
    invite: Request,
}

#[derive(Debug)]
enum Phase {
    Ringing,
    Dialling(Box<Dialling>),
    /// Only the ends of cancelled branches are awaited.
    Over,
}

/// A device has answered `branch` and is dialling.
#[derive(Debug)]
struct Dialling {
    branch: Branch,
    dialog: Dialog,
    refer: ClientTransactionId,
}

impl Wanted {
    /// # Errors
    /// Why it cannot be begun, as a sentence.
    pub fn new(
        realm: &str,
        group: &RingGroup,
        destination: &str,
        devices: Vec<(Flow, Uri, String)>,
        since: Timestamp,
        entropy: &mut Entropy,
    ) -> Result<Self, String> {
        let number = &group.extension.number;
        if devices.is_empty() {
            return Err(format!("No device of extension {number} is online, so none can ring."));
        }
        let host: Host = realm.parse().map_err(|_| format!("{realm} cannot stand in a SIP address."))?;
        let address = |user: &str| Uri::Sip(SipUri::new(Some(user), host.clone(), None));
        let from = group.registrations.first().unwrap_or(number).clone();
        let call = Call { id: entropy.call_id(), from, to: destination.to_owned(), since, answered: false };
        let (extension, destination) = (address(number), address(destination));
        Ok(Self { realm: realm.to_owned(), call, devices, extension, destination, tag: entropy.tag() })
    }
}

impl Pbx {
    /// Rings the extension's devices and has the one that answers dial. The channel of the call that rings.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub fn originate(
        &mut self,
        now: Instant,
        realm: &str,
        group: &RingGroup,
        destination: &str,
    ) -> Result<String, String> {
        self.originations.admit(realm)?;
        let holder = |name: &String| self.location.holder(now, &Aor { realm: realm.to_owned(), name: name.clone() });
        let contacts = group.registrations.iter().filter_map(holder);
        let device = |held: &Contact| {
            let contact = NameAddr::new(Uri::Sip(self.own_uri("tms", held.binding.flow))).to_string();
            (held.binding.flow, held.binding.uri.clone(), contact)
        };
        let devices = contacts.map(device).collect();
        let since = self.wall(now);
        let wanted = Wanted::new(realm, group, destination, devices, since, &mut self.entropy)?;
        let id = wanted.call.id.clone();
        self.originations.begin(now, &mut self.endpoint, wanted);
        self.run(now);
        Ok(id)
    }

    /// Ends the calls that are being begun: the server stops.
    pub fn end_begun(&mut self, now: Instant) {
        self.originations.close(now, &mut self.endpoint);
        self.run(now);
    }

    /// Whether a call is being begun, or a device has yet to hear that it is not.
    pub fn is_beginning(&self) -> bool {
        !self.originations.is_empty()
    }
}

impl Originations {
    /// Whether another may be begun.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub fn admit(&self, realm: &str) -> Result<(), String> {
        if self.closed {
            return Err("This TMS is stopping and begins no calls any more. Try again once it runs again.".into());
        }
        if self.calls.len() >= MAX || self.calls.values().filter(|o| o.realm == realm).count() >= MAX_OF_REALM {
            return Err(
                "Too many calls are being begun at once. Try again when some of them have been answered.".into()
            );
        }
        Ok(())
    }

    /// The devices ring. There is at least one.
    pub fn begin(&mut self, now: Instant, endpoint: &mut Endpoint, wanted: Wanted) {
        let invite = |(flow, device, contact): &(Flow, Uri, String)| {
            let invite = invite(&wanted, *flow, device, contact);
            let client = endpoint.send_request(now, *flow, invite.clone());
            Branch { client, flow: *flow, contact: contact.clone(), invite }
        };
        let pending = wanted.devices.iter().map(invite).collect();
        let Wanted { realm, call, destination, .. } = wanted;
        let (phase, gives_up) = (Phase::Ringing, now + RINGS);
        self.calls.insert(call.id.clone(), Origination { realm, call, destination, pending, phase, gives_up });
    }

    /// A response, if it is to a request of ours that matters. Whether it was.
    pub fn handle_response(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        client: ClientTransactionId,
        response: &Response,
    ) -> bool {
        self.with(client, |origination| {
            if response.is_success() {
                origination.handle_success(now, endpoint, client, response);
            } else if !response.is_provisional() {
                origination.handle_failure(now, endpoint, client);
            }
        })
    }

    /// No response, or the way is gone.
    pub fn handle_failure(&mut self, now: Instant, endpoint: &mut Endpoint, client: ClientTransactionId) -> bool {
        self.with(client, |origination| origination.handle_failure(now, endpoint, client))
    }

    /// What a device says within a call of ours: the answer, if it is one.
    pub fn handle_request(&mut self, now: Instant, endpoint: &mut Endpoint, request: &Request) -> Option<Response> {
        let id = DialogId::of_request(request)?;
        let origination = self.calls.get_mut(&id.call_id)?;
        let Phase::Dialling(dialling) = &origination.phase else { return None };
        if *dialling.dialog.id() != id {
            return None;
        }
        let answer = match request.method {
            Method::BYE => {
                origination.phase = Phase::Over;
                reply(request, 200, "OK")
            }
            Method::NOTIFY => {
                if is_last(request) {
                    origination.end(now, endpoint, ENDED);
                }
                reply(request, 200, "OK")
            }
            Method::OPTIONS => reply(request, 200, "OK"),
            // There is nothing to be heard here.
            Method::INVITE | Method::UPDATE => reply(request, 488, "Not Acceptable Here"),
            _ => {
                let mut answer = reply(request, 405, "Method Not Allowed");
                answer.headers.push("Allow", ALLOW);
                answer
            }
        };
        self.sweep();
        Some(answer)
    }

    /// Ends one of a realm. Whether there is such a one.
    pub fn hang_up(&mut self, now: Instant, endpoint: &mut Endpoint, realm: &str, call_id: &str) -> bool {
        let Some(origination) = self.calls.get_mut(call_id).filter(|o| o.realm == realm) else { return false };
        if matches!(origination.phase, Phase::Over) {
            return false;
        }
        origination.end(now, endpoint, ENDED);
        self.sweep();
        true
    }

    /// Ends all of them, and begins no other: the server stops.
    pub fn close(&mut self, now: Instant, endpoint: &mut Endpoint) {
        self.closed = true;
        for origination in self.calls.values_mut().filter(|o| !matches!(o.phase, Phase::Over)) {
            origination.end(now, endpoint, ENDED);
        }
        self.sweep();
    }

    /// Those of a realm that ring; what a device dials then is listed as its own call.
    pub fn of(&self, realm: &str) -> impl Iterator<Item = Call> {
        let ringing = self.calls.values().filter(move |o| o.realm == realm && matches!(o.phase, Phase::Ringing));
        ringing.map(|o| o.call.clone())
    }

    /// What has rung for too long is given up.
    pub fn handle_timeout(&mut self, now: Instant, endpoint: &mut Endpoint) {
        for origination in self.calls.values_mut().filter(|o| o.gives_up <= now && !matches!(o.phase, Phase::Over)) {
            origination.end(now, endpoint, "SIP;cause=408;text=\"Rang too long\"");
        }
        self.sweep();
    }

    /// When [`Originations::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.calls.values().filter(|o| !matches!(o.phase, Phase::Over)).map(|o| o.gives_up).min()
    }

    /// Whether this call is one of them.
    pub fn has(&self, call_id: &str) -> bool {
        self.calls.contains_key(call_id)
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    fn with(&mut self, client: ClientTransactionId, act: impl FnOnce(&mut Origination)) -> bool {
        let Some(origination) = self.calls.values_mut().find(|o| o.owns(client)) else { return false };
        act(origination);
        self.sweep();
        true
    }

    fn sweep(&mut self) {
        self.calls.retain(|_, o| !matches!(o.phase, Phase::Over) || !o.pending.is_empty());
    }
}

impl Origination {
    fn owns(&self, client: ClientTransactionId) -> bool {
        let dialling = match &self.phase {
            Phase::Dialling(dialling) => dialling.branch.client == client || dialling.refer == client,
            Phase::Ringing | Phase::Over => false,
        };
        dialling || self.pending.iter().any(|branch| branch.client == client)
    }

    fn handle_success(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        client: ClientTransactionId,
        response: &Response,
    ) {
        let Some(at) = self.pending.iter().position(|branch| branch.client == client) else {
            if let Phase::Dialling(dialling) = &self.phase
                && dialling.branch.client == client
            {
                // Its 2xx again: the ACK was lost (RFC 3261 §13.2.2.4).
                acknowledge(now, endpoint, &dialling.branch, &dialling.dialog);
            }
            return;
        };
        let branch = self.pending.remove(at);
        let dialog =
            Dialog::uac(&branch.invite, response).or_else(|_| Dialog::uac_by_request_uri(&branch.invite, response));
        // Without From or To nothing can be sent to it; the 2xx is repeated and given up.
        let Ok(mut dialog) = dialog else { return self.handle_loss() };
        acknowledge(now, endpoint, &branch, &dialog);
        if !matches!(self.phase, Phase::Ringing) {
            return bye(now, endpoint, branch.flow, &mut dialog, ELSEWHERE);
        }
        for other in &self.pending {
            endpoint.cancel(now, other.client, Some(ELSEWHERE));
        }
        let mut refer = dialog.request(Method::REFER);
        refer.headers.push("Refer-To", NameAddr::new(self.destination.clone()).to_string());
        refer.headers.push("Contact", branch.contact.as_str());
        let refer = endpoint.send_request(now, branch.flow, refer);
        self.gives_up = now + DIALS;
        self.phase = Phase::Dialling(Box::new(Dialling { branch, dialog, refer }));
    }

    fn handle_failure(&mut self, now: Instant, endpoint: &mut Endpoint, client: ClientTransactionId) {
        self.pending.retain(|branch| branch.client != client);
        match &self.phase {
            // It cannot be told to dial.
            Phase::Dialling(dialling) if dialling.refer == client => self.end(now, endpoint, ENDED),
            Phase::Ringing => self.handle_loss(),
            Phase::Dialling(_) | Phase::Over => {}
        }
    }

    fn handle_loss(&mut self) {
        if self.pending.is_empty() && matches!(self.phase, Phase::Ringing) {
            self.phase = Phase::Over;
        }
    }

    fn end(&mut self, now: Instant, endpoint: &mut Endpoint, reason: &str) {
        for branch in &self.pending {
            endpoint.cancel(now, branch.client, Some(reason));
        }
        if let Phase::Dialling(dialling) = &mut self.phase {
            bye(now, endpoint, dialling.branch.flow, &mut dialling.dialog, reason);
        }
        self.phase = Phase::Over;
    }
}

fn invite(wanted: &Wanted, flow: Flow, device: &Uri, contact: &str) -> Request {
    let mut from = NameAddr::new(wanted.destination.clone());
    from.display = Some(format!("Call to {}", wanted.call.to));
    from.set_param("tag", Some(&wanted.tag));
    let mut headers = Headers::new();
    headers.push("From", from.to_string());
    headers.push("To", NameAddr::new(wanted.extension.clone()).to_string());
    headers.push("Call-ID", wanted.call.id.as_str());
    headers.push("CSeq", "1 INVITE");
    headers.push("Contact", contact);
    headers.push("Allow", ALLOW);
    headers.push("Content-Type", "application/sdp");
    // Nothing is to be heard until the device has dialled (RFC 3264 §5.1); port 9 takes nothing.
    let (family, none) = if flow.remote.is_ipv4() { ("IP4", "0.0.0.0") } else { ("IP6", "::") };
    let body = format!(
        "v=0\r\no=- 1 1 IN {family} {none}\r\ns=-\r\nc=IN {family} {none}\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 8\r\na=inactive\r\n"
    );
    Request { method: Method::INVITE, uri: device.clone(), headers, body: body.into_bytes() }
}

fn acknowledge(now: Instant, endpoint: &mut Endpoint, branch: &Branch, dialog: &Dialog) {
    if let Ok(ack) = dialog.ack(&branch.invite) {
        endpoint.send_ack(now, branch.flow, ack);
    }
}

fn bye(now: Instant, endpoint: &mut Endpoint, flow: Flow, dialog: &mut Dialog, reason: &str) {
    let mut bye = dialog.request(Method::BYE);
    bye.headers.push("Reason", reason);
    endpoint.send_request(now, flow, bye);
}

/// RFC 3515 §2.4.4, §2.4.5: the subscription ends, or its sipfrag is a final response.
fn is_last(notify: &Request) -> bool {
    let state = notify.headers.get("Subscription-State").unwrap_or_default().trim_start();
    let code = notify.body.strip_prefix(b"SIP/2.0 ").and_then(|rest| rest.first());
    state.to_ascii_lowercase().starts_with("terminated") || code.is_some_and(|first| *first >= b'2')
}
