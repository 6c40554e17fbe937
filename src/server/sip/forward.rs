//! Where a request goes and what it looks like when it leaves (RFC 3261 §16.3 to §16.6), inside a dialog and outside.

use super::{
    calls::{Begun, HangUp},
    decision::{Attempt, Class},
    location::{Aor, Contact},
    pbx::Pbx,
    reply::reply,
    routing::{Facts, Target},
};
use crate::{
    server::{
        calls::Party,
        contacts::Call,
        registry::{Credentials, Extension, Registration},
    },
    sip::{
        endpoint::ServerTransactionId,
        flow::{Flow, Transport},
        msg::{Method, Request, Response},
        uri::{Host, NameAddr, SipUri, Uri},
    },
};
use std::time::Instant;

/// RFC 3261 §8.1.1.6.
const MAX_FORWARDS: u32 = 70;
/// Values of Via, Route or Record-Route in a request: as many as it can have hops.
const MAX_HOP_VALUES: usize = 70;
/// Methods that make sense outside of a dialog here.
const FORWARDED: [Method; 3] = [Method::INVITE, Method::MESSAGE, Method::OPTIONS];
const ALLOW: &str = "REGISTER, INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, INFO, UPDATE, PRACK, REFER, NOTIFY";
/// What `urn:service:sos` (RFC 5031) stands for.
const EMERGENCY: &str = "112";
/// Most of a reason phrase for a realm or a number that came from outside.
const QUOTED_CHARS: usize = 60;

/// A request as it came, waiting for an answer.
#[derive(Debug)]
pub(super) struct Incoming {
    pub transaction: ServerTransactionId,
    pub request: Request,
    pub flow: Flow,
}

/// The flow of the last of our Route values, from its token.
pub(super) type NextHop = Option<Flow>;

impl Pbx {
    /// RFC 3261 §16.3: what no proxy may forward, and §8.2.2.3 for what is ours to understand.
    pub(super) fn validate(&self, request: &Request) -> Result<(), Response> {
        if matches!(request.uri, Uri::Other { .. }) && !is_sos(&request.uri) {
            return Err(reply(request, 416, "only sip: addresses and tel: numbers can be called here"));
        }
        if request.headers.number("Max-Forwards") == Some(0) {
            return Err(reply(request, 483, "Too Many Hops"));
        }
        for name in ["Via", "Route", "Record-Route"] {
            if request.headers.count(name) > MAX_HOP_VALUES {
                return Err(reply(request, 400, &format!("more than {MAX_HOP_VALUES} values of {name}")));
            }
        }
        // We forward to devices only: what carries our Via has come back from one (RFC 5393).
        let vias = request.headers.vias().map_err(|e| reply(request, 400, &e.to_string()))?;
        let ours = self.address.ip().to_string();
        let returned = |host: &str, port: Option<u16>| {
            host.trim_matches(['[', ']']) == ours && self.is_our_port(port.unwrap_or(Transport::Udp.default_port()))
        };
        if vias.iter().any(|via| returned(&via.host, via.port)) {
            return Err(reply(request, 482, "Loop Detected"));
        }
        let option_header = if request.method == Method::REGISTER { "Require" } else { "Proxy-Require" };
        let options = request.headers.tokens(option_header);
        if !options.is_empty() {
            let mut response = reply(request, 420, "Bad Extension");
            response.headers.push("Unsupported", options.join(", "));
            return Err(response);
        }
        Ok(())
    }

    /// RFC 3261 §16.4: takes our Route values off; the last one's token names where to go on.
    pub(super) fn pop_own_routes(&self, request: &mut Request) -> NextHop {
        let routes = request.headers.name_addrs("Route").unwrap_or_default();
        let ours = routes.iter().map_while(|route| route.uri.as_sip().filter(|uri| self.is_us(uri)));
        let count = ours.clone().count();
        let token = ours.last().and_then(|uri| uri.user.as_deref());
        let call_id = request.headers.call_id().unwrap_or_default();
        let next_hop = token.and_then(|token| self.tokens.open(token, call_id));
        request.headers.pop_routes(count);
        next_hop
    }

    /// Inside a dialog the flow token is the proof that the request belongs here.
    pub(super) fn forward_in_dialog(
        &mut self,
        now: Instant,
        incoming: Incoming,
        next_hop: NextHop,
    ) -> Result<(), Response> {
        let Incoming { transaction, request, .. } = incoming;
        let Some(flow) = next_hop else {
            return Err(reply(&request, 481, "Call/Transaction Does Not Exist"));
        };
        let mut branch = request.clone();
        count_hop(&mut branch);
        strip(&mut branch);
        self.calls.passed(now, &request);
        self.proxy.forward(now, &mut self.endpoint, transaction, request, vec![(flow, branch)]);
        Ok(())
    }

    /// The ACK of a 2xx (RFC 3261 §16.11); nobody waits for an answer to it.
    pub(super) fn forward_ack(&mut self, now: Instant, mut ack: Request) {
        if self.validate(&ack).is_err() {
            return;
        }
        if let Some(flow) = self.pop_own_routes(&mut ack) {
            count_hop(&mut ack);
            strip(&mut ack);
            self.endpoint.send_ack(now, flow, ack);
        }
    }

    /// What is dialled, unless the request is for this server or for nobody here.
    pub(super) fn dialled(&self, request: &Request, realm: &str) -> Result<String, Response> {
        let user = match &request.uri {
            Uri::Tel { number, .. } => Some(number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect()),
            Uri::Sip(uri) if uri.host.to_string() == realm || self.is_us(uri) => uri.user.clone(),
            Uri::Sip(uri) => {
                let host: String = uri.host.to_string().chars().take(QUOTED_CHARS).collect();
                return Err(reply(request, 404, &format!("calls to {host} are not possible from here: dial a number")));
            }
            // `validate` lets no other through.
            Uri::Other { .. } => Some(EMERGENCY.to_owned()),
        };
        match user {
            None if request.method == Method::OPTIONS => Err(answer_options(request)),
            None => Err(reply(request, 404, "no number was dialled")),
            Some(_) if matches!(request.method, Method::SUBSCRIBE | Method::PUBLISH) => {
                Err(reply(request, 489, "subscriptions are not served here"))
            }
            Some(_) if !FORWARDED.contains(&request.method) => {
                let mut response = reply(request, 405, "Method Not Allowed");
                response.headers.push("Allow", ALLOW);
                Err(response)
            }
            Some(user) => Ok(user),
        }
    }

    /// An authenticated request outside of a dialog: forks it (RFC 3261 §16.5, §16.6).
    pub(super) fn forward_to_target(
        &mut self,
        now: Instant,
        incoming: &Incoming,
        realm: &str,
        facts: &Facts,
    ) -> Result<(), Response> {
        let Incoming { transaction, request, flow } = incoming;
        let (Some(credentials), Some(caller)) = (&facts.credentials, &facts.caller) else {
            return Err(reply(request, 403, "this device belongs to no extension: register it again"));
        };
        let class = Class::of(facts.emergency, !matches!(facts.target, Target::Unknown));
        let attempt = Attempt { caller, refused: credentials.refused.as_deref(), class };
        attempt.decide().map_err(|why| reply(request, 403, &why))?;
        if class != Class::Emergency {
            require_honest_from(request, credentials, &caller.extension)?;
        }
        let begun = self.begun(now, incoming, realm, caller, &facts.target);
        let contacts = match self.targets(now, request, realm, credentials, &facts.target) {
            Ok(contacts) => contacts,
            Err(response) => {
                if let Some(begun) = begun {
                    self.calls.missed(begun, response.code());
                }
                return Err(match class {
                    // Nobody may take it for a wrong number.
                    Class::Emergency => reply(
                        request,
                        response.code(),
                        "no line leads out of here: make the emergency call from another phone",
                    ),
                    Class::Internal | Class::External => response,
                });
            }
        };
        let call_id = request.headers.call_id().unwrap_or_default();
        let branches = contacts
            .iter()
            .map(|contact| {
                let mut branch = request.clone();
                branch.uri = contact.binding.uri.clone();
                count_hop(&mut branch);
                strip(&mut branch);
                vouch(&mut branch, realm, &caller.extension);
                // The nearer side's on top, so that each side finds the other's last (RFC 5658's double Record-Route).
                for flow in [*flow, contact.binding.flow] {
                    branch.headers.push_front("Record-Route", self.record_route(flow, call_id));
                }
                (contact.binding.flow, branch)
            })
            .collect();
        if let Some(begun) = begun {
            self.calls.begin(now, begun);
        }
        self.proxy.forward(now, &mut self.endpoint, *transaction, request.clone(), branches);
        Ok(())
    }

    /// What is to be known of this call, where it is one, to an extension.
    fn begun(
        &self,
        now: Instant,
        Incoming { transaction, request, flow }: &Incoming,
        realm: &str,
        caller: &Registration,
        target: &Target,
    ) -> Option<Begun> {
        let Target::Extension(group) = target else { return None };
        let id = request.headers.call_id().ok().filter(|_| request.method == Method::INVITE)?.to_owned();
        let to = request.uri.as_sip().and_then(|uri| uri.user.clone()).unwrap_or_else(|| request.uri.to_string());
        let call = Call { id, from: caller.name.clone(), to, since: self.wall(now), answered: false };
        let party = |Extension { number, name }: &Extension| Party { number: number.clone(), name: name.clone() };
        let (caller, callee) = (party(&caller.extension), party(&group.extension));
        Some(Begun { realm: realm.to_owned(), call, caller, callee, transaction: *transaction, flow: *flow })
    }

    /// The devices that ring (RFC 3261 §16.5), never the one that calls.
    fn targets(
        &self,
        now: Instant,
        request: &Request,
        realm: &str,
        caller: &Credentials,
        target: &Target,
    ) -> Result<Vec<Contact>, Response> {
        let holder = |name: &str| self.location.holder(now, &Aor { realm: realm.to_owned(), name: name.to_owned() });
        let group = match target {
            Target::Extension(group) => group,
            Target::Unknown => return Err(reply(request, 404, "there is no such extension: check the number")),
            Target::Additional(Registration { name, .. }) if takes_over(request) => {
                let why = || reply(request, 480, &format!("no device is online as {name}"));
                return holder(name).cloned().map(|contact| vec![contact]).ok_or_else(why);
            }
            Target::Additional(Registration { name, extension, .. }) => {
                let number = &extension.number;
                let why = format!("{name} is an additional registration and cannot be dialled: dial {number}");
                return Err(reply(request, 403, &why));
            }
        };
        let contacts: Vec<Contact> = group
            .registrations
            .iter()
            .filter(|name| **name != caller.registration)
            .filter_map(|name| holder(name))
            .cloned()
            .collect();
        if contacts.is_empty() {
            let why = format!("no device of extension {} is online", group.extension.number);
            return Err(reply(request, 480, &why));
        }
        Ok(contacts)
    }

    /// Ends a call of a realm, on both sides. Whether there is such a call, and it can be ended.
    pub fn hang_up(&mut self, now: Instant, realm: &str, call_id: &str) -> bool {
        let done = match self.calls.hang_up(realm, call_id) {
            None => self.originations.hang_up(now, &mut self.endpoint, realm, call_id),
            Some(HangUp::Cancel(invite)) => {
                self.proxy.give_up(now, &mut self.endpoint, invite, "SIP;cause=487;text=\"Ended by the TMS\"")
            }
            Some(HangUp::Bye(byes)) => {
                for (flow, bye) in *byes {
                    self.endpoint.send_request(now, flow, bye);
                }
                self.calls.ended(call_id, self.wall(now));
                true
            }
        };
        self.run(now);
        done
    }

    /// `<sip:TOKEN@tms.example:5060;transport=udp;lr>`
    fn record_route(&self, flow: Flow, call_id: &str) -> String {
        let token = self.tokens.seal(flow, call_id);
        let mut uri = self.own_uri(&token, flow);
        uri.set_param("lr", None);
        NameAddr::new(Uri::Sip(uri)).to_string()
    }

    /// Us, as whoever is at the end of this flow reaches us.
    pub(super) fn own_uri(&self, user: &str, flow: Flow) -> SipUri {
        let port = self.tls_port.filter(|_| flow.transport == Transport::Tls).unwrap_or(self.address.port());
        let mut uri = SipUri::new(Some(user), self.known_as.clone(), Some(port));
        uri.set_param("transport", Some(flow.transport.uri_name()));
        uri
    }

    fn is_us(&self, uri: &SipUri) -> bool {
        let port = uri.port.unwrap_or(Transport::Udp.default_port());
        let is_here = uri.host == Host::Ip(self.address.ip()) || uri.host == self.known_as;
        is_here && self.is_our_port(port)
    }

    fn is_our_port(&self, port: u16) -> bool {
        port == self.address.port() || Some(port) == self.tls_port
    }
}

/// The emergency service in general or one of them: `urn:service:sos`, `urn:service:sos.fire`.
fn is_sos(uri: &Uri) -> bool {
    let Uri::Other { scheme, rest } = uri else { return false };
    let rest = rest.to_ascii_lowercase();
    scheme.eq_ignore_ascii_case("urn") && (rest == "service:sos" || rest.starts_with("service:sos."))
}

/// A caller may show its registration or its extension, or nobody (RFC 3323); a proxy cannot rewrite From, so anything else
/// is refused.
fn require_honest_from(request: &Request, credentials: &Credentials, caller: &Extension) -> Result<(), Response> {
    let from = request.headers.from().map_err(|e| reply(request, 400, &e.to_string()))?;
    let user = from.uri.as_sip().and_then(|uri| uri.user.as_deref()).unwrap_or_default();
    if [credentials.registration.as_str(), &caller.number, "anonymous"].contains(&user) {
        return Ok(());
    }
    let shown: String = user.chars().take(QUOTED_CHARS).collect();
    let own = &credentials.registration;
    Err(reply(request, 403, &format!("{own} cannot call as {shown}: set the caller's address to {own}")))
}

/// RFC 3325: who calls, by our word and no one else's. The extension's number, so that it can be called back; left out where
/// the caller asks for privacy, as a device is no part of the trust domain (§7).
fn vouch(branch: &mut Request, realm: &str, caller: &Extension) {
    let private =
        branch.headers.get("Privacy").is_some_and(|p| p.split(';').any(|p| p.trim().eq_ignore_ascii_case("id")));
    if !private && let Ok(host) = realm.parse() {
        let mut identity = NameAddr::new(Uri::Sip(SipUri::new(Some(&caller.number), host, None)));
        identity.display = Some(caller.name.clone()).filter(|name| !name.is_empty());
        branch.headers.push("P-Asserted-Identity", identity.to_string());
    }
}

/// What phones believe of their own server: no device may say who it is (RFC 3325 §5), who forwarded a call, or that a call
/// answers itself or gets through although nobody is to be disturbed.
pub const SERVERS_WORD: [&str; 10] = [
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Remote-Party-ID",
    "Diversion",
    "History-Info",
    "Alert-Info",
    "Call-Info",
    "Answer-Mode",
    "Priv-Answer-Mode",
    "Priority",
];

/// Leaves neither that nor what was meant for us alone.
fn strip(branch: &mut Request) {
    for name in SERVERS_WORD.iter().chain(&["Proxy-Authorization"]) {
        branch.headers.remove(name);
    }
}

/// A call that takes the place of one there is, and rings nowhere (RFC 3891): it finds an additional registration too, which
/// may be in that call.
fn takes_over(request: &Request) -> bool {
    let requires = || request.headers.tokens("Require").iter().any(|tag| tag.eq_ignore_ascii_case("replaces"));
    request.method == Method::INVITE && request.headers.contains("Replaces") && requires()
}

/// RFC 3261 §16.6 step 3.
fn count_hop(branch: &mut Request) {
    let left = branch.headers.number("Max-Forwards").map_or(MAX_FORWARDS, |hops| hops.min(255).saturating_sub(1));
    branch.headers.set("Max-Forwards", left.to_string());
}

/// RFC 3261 §11.2; phones ask this to see whether we are there.
fn answer_options(request: &Request) -> Response {
    let mut response = reply(request, 200, "OK");
    response.headers.push("Allow", ALLOW);
    response.headers.push("Accept", "application/sdp");
    response
}
