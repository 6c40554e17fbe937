//! REGISTER from an authenticated user (RFC 3261 §10.3), against the one-contact rule of [`Location`].

use super::{
    location::{Aor, Binding, Contact, Location, Refusal},
    reply::{self, reply},
};
use crate::{
    server::{refusals::Why, registry::Credentials},
    sip::{
        flow::Flow,
        msg::{self, HeaderError, Request, Response},
        uri::NameAddr,
    },
    tms::wire::problem::REGISTRATION_IN_USE,
};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// Shortest registration granted; less is answered 423 (RFC 3261 §10.2.8).
pub const MIN_EXPIRES: u32 = 10;
/// Longest registration granted, and what is granted where nothing is asked for.
pub const MAX_EXPIRES: u32 = 3600;
/// What of a User-Agent header field is kept.
const DEVICE_CHARS: usize = 80;

/// What the registrar works with: now, on both clocks, and who asks from where.
pub struct Registrar<'a> {
    pub now: Instant,
    pub wall: Timestamp,
    pub location: &'a mut Location,
    pub flow: Flow,
    /// How long the device took to answer the challenge, where this REGISTER does.
    pub round_trip: Option<Duration>,
    /// Of the digest user, whose response has been verified.
    pub credentials: &'a Credentials,
}

/// What a REGISTER wants.
enum Wish {
    /// No Contact: tell what is registered.
    Query,
    Bind(NameAddr, Duration),
    Unbind(NameAddr),
    /// `Contact: *` with `Expires: 0`.
    UnbindAll,
}

/// A final response that grants nothing.
#[derive(Debug)]
pub struct Denied {
    pub response: Box<Response>,
    /// For the extension's page, where it is something that its people can mend; with what the sentence needs besides.
    pub why: Option<(Why, String)>,
}

impl From<Response> for Denied {
    fn from(response: Response) -> Self {
        Self { response: Box::new(response), why: None }
    }
}

impl Registrar<'_> {
    /// The final response.
    pub fn answer(self, request: &Request) -> Result<Response, Denied> {
        let bad = |e: HeaderError| reply(request, 400, &e.to_string());
        let aor = self.authorised(request)?;
        let wish = Wish::read(request)?;
        let cseq = request.headers.cseq().map_err(bad)?.number;
        let call_id = request.headers.call_id().map_err(bad)?.to_owned();
        let changed = match wish {
            Wish::Query => Ok(()),
            Wish::Bind(contact, expires) => {
                let binding = self.binding(request, &contact, call_id, cseq);
                self.require_own_instance(request, &binding)?;
                self.location.bind(self.now, self.wall, &aor, binding, expires)
            }
            Wish::Unbind(contact) => {
                let binding = self.binding(request, &contact, call_id, cseq);
                self.location.unbind(self.now, &aor, &binding)
            }
            Wish::UnbindAll => match self.location.holder(self.now, &aor).map(|held| held.binding.clone()) {
                // `*` names no device: only the one that registered with this very Call-ID or session is meant by it.
                Some(held) if held.call_id == call_id || (held.session.is_some() && held.session == self.session()) => {
                    self.location.unbind(self.now, &aor, &Binding { call_id, cseq, ..held })
                }
                Some(_) | None => Ok(()),
            },
        };
        changed.map_err(|refusal| refused(request, &refusal))?;
        Ok(self.granted(request, &aor))
    }

    /// RFC 3261 §10.3 steps 3 to 5: the digest user may change this address of record and no other.
    fn authorised(&self, request: &Request) -> Result<Aor, Denied> {
        let to = request.headers.to().map_err(|e| reply(request, 400, &e.to_string()))?;
        let name = to.uri.as_sip().and_then(|uri| uri.user.as_deref()).unwrap_or_default();
        let allowed = &self.credentials.registration;
        if name != allowed {
            let why = format!("this password is for {allowed}, not for {name}: register {allowed}");
            return Err(Denied {
                response: reply(request, 403, &why).into(),
                why: Some((Why::WrongName, allowed.clone())),
            });
        }
        if let Some(why) = &self.credentials.refused {
            return Err(Denied {
                response: reply(request, 403, why).into(),
                why: Some((Why::Disabled, String::new())),
            });
        }
        Ok(Aor { realm: self.credentials.realm.clone(), name: allowed.clone() })
    }

    /// A session's credential is good on the installation that signed in, and nowhere else.
    fn require_own_instance(&self, request: &Request, binding: &Binding) -> Result<(), Denied> {
        match &self.credentials.session {
            Some(bound) if !binding.is_instance(&bound.instance_id) => {
                let why = "this password belongs to another installation of Agent Manager: sign in there again";
                Err(Denied {
                    response: reply(request, 403, why).into(),
                    why: Some((Why::OtherInstallation, String::new())),
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn session(&self) -> Option<i64> {
        self.credentials.session.as_ref().map(|bound| bound.session)
    }

    fn binding(&self, request: &Request, contact: &NameAddr, call_id: String, cseq: u32) -> Binding {
        Binding {
            uri: contact.uri.clone(),
            flow: self.flow,
            instance: instance_of(contact),
            call_id,
            cseq,
            device: device(request).unwrap_or_else(|| "a device that gives no name".to_owned()),
            session: self.session(),
            latency: self.round_trip,
        }
    }

    /// 200 with the contact in force (RFC 3261 §10.3 step 8).
    fn granted(&self, request: &Request, aor: &Aor) -> Response {
        let mut response = Response::to(request, 200, Some(&reply::tag(request)));
        if let Some(contact) = self.location.holder(self.now, aor) {
            response.headers.push("Contact", written(contact, self.now));
        }
        response.headers.push("Date", self.wall.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        response
    }
}

impl Wish {
    fn read(request: &Request) -> Result<Self, Response> {
        let bad = |why: &str| reply(request, 400, why);
        let mut contacts = request.headers.contacts().map_err(|e| bad(&e.to_string()))?;
        let asked = request.headers.number("Expires");
        match (contacts.pop(), contacts.is_empty()) {
            (None, _) => Ok(Self::Query),
            (Some(_), false) => Err(reply(request, 403, "a registration has one contact: register one device")),
            (Some(msg::Contact::Star), true) if asked == Some(0) => Ok(Self::UnbindAll),
            (Some(msg::Contact::Star), true) => Err(bad("Contact: * goes with Expires: 0 only")),
            (Some(msg::Contact::Addr(contact)), true) => {
                // RFC 3261 §10.2.1.1: a malformed expires parameter counts as 3600.
                let own = contact.param("expires").map(|text| text.parse().unwrap_or(MAX_EXPIRES));
                match own.or(asked).unwrap_or(MAX_EXPIRES) {
                    0 => Ok(Self::Unbind(contact)),
                    short if short < MIN_EXPIRES => {
                        let mut response = reply(request, 423, "Interval Too Brief");
                        response.headers.push("Min-Expires", MIN_EXPIRES.to_string());
                        Err(response)
                    }
                    seconds => Ok(Self::Bind(contact, Duration::from_secs(seconds.min(MAX_EXPIRES).into()))),
                }
            }
        }
    }
}

fn refused(request: &Request, refusal: &Refusal) -> Denied {
    let why = match refusal {
        Refusal::InUse { device, address, since, .. } => (Why::InUse, format!("{device} at {address} since {since}")),
        Refusal::TakenOver { .. } => (Why::TakenOver, String::new()),
        // RFC 3261 §10.3: the update is aborted and the request fails.
        Refusal::OutOfOrder => return reply(request, 500, &refusal.to_string()).into(),
    };
    let mut response = reply(request, 403, &refusal.to_string());
    // RFC 3261 §20.18: for softphones, whatever the sentence says.
    response.headers.push("Error-Info", format!("<{REGISTRATION_IN_USE}>"));
    Denied { response: response.into(), why: Some(why) }
}

/// The User-Agent header field, cut to what fits a table.
pub fn device(request: &Request) -> Option<String> {
    let device = request.headers.get("User-Agent")?.trim();
    Some(device.chars().filter(|c| !c.is_control()).take(DEVICE_CHARS).collect())
}

/// `+sip.instance="<urn:uuid:…>"` without quotes and brackets (RFC 5626 §4.1).
fn instance_of(contact: &NameAddr) -> Option<String> {
    let quoted = contact.param("+sip.instance")?;
    Some(quoted.trim_matches('"').trim_start_matches('<').trim_end_matches('>').to_owned())
}

fn written(contact: &Contact, now: Instant) -> String {
    let mut address = NameAddr::new(contact.binding.uri.clone());
    if let Some(instance) = &contact.binding.instance {
        address.set_param("+sip.instance", Some(&format!("\"<{instance}>\"")));
    }
    address.set_param("expires", Some(&contact.expires.saturating_duration_since(now).as_secs().to_string()));
    address.to_string()
}
