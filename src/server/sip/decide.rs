//! What becomes of a request once the store has answered: the digest is checked, and the request registered, forwarded or refused.

use super::{
    forward::Incoming,
    pbx::{Output, Pbx, Waiting},
    registrar::{self, Registrar},
    reply::{self, reply},
    routing::Facts,
};
use crate::{
    server::refusals::{Note, Why},
    sip::{
        auth::{Asker, Verdict},
        digest::{Ha1, HashFunction},
        msg::Method,
    },
};
use std::time::Instant;

/// What of a name from outside is noted.
const NOTED_CHARS: usize = 100;

impl Pbx {
    /// The store has answered: authenticate, then register or forward.
    pub(super) fn decide(&mut self, now: Instant, waiting: Waiting, facts: Facts) {
        let Waiting { incoming, round_trip, asker, realm, digest } = waiting;
        let Incoming { transaction, request, flow } = &incoming;
        let transaction = *transaction;
        if !facts.serves {
            let why = format!("there is no account {realm} here: check the part after the @ of your SIP address");
            self.refuse(&incoming, &realm, digest.username(), Why::UnknownUser, String::new());
            return self.endpoint.respond_statelessly(transaction, &reply(request, 404, &why));
        }
        let ha1 = facts.credentials.as_ref().map(|credentials| match digest.algorithm().hash {
            HashFunction::Md5 => Ha1::from_hex(&credentials.ha1.md5),
            HashFunction::Sha256 => Ha1::from_hex(&credentials.ha1.sha256),
            HashFunction::Sha512_256 => Ha1::from_hex(&credentials.ha1.sha512_256),
        });
        let verdict = self.auth.verify(now, request, &digest, ha1.as_ref());
        let (Verdict::Accepted, Some(credentials)) = (verdict, &facts.credentials) else {
            let stale = verdict == Verdict::Stale;
            if !stale {
                self.wrong_password(now, &incoming, &realm, digest.username(), facts.credentials.is_some());
            }
            let tag = reply::tag(request);
            let challenge = self.auth.challenge(now, request, asker, &realm, stale, Some(&tag));
            return self.endpoint.respond_statelessly(transaction, &challenge);
        };
        self.failures.passed(flow.remote.ip(), digest.username());
        match asker {
            Asker::Server => {
                let wall = self.wall(now);
                let location = &mut self.location;
                let registrar = Registrar { now, wall, location, flow: *flow, round_trip, credentials };
                let response = match registrar.answer(request) {
                    Ok(granted) => granted,
                    Err(denied) => {
                        if let Some((why, detail)) = denied.why {
                            self.refuse(&incoming, &realm, digest.username(), why, detail);
                        }
                        *denied.response
                    }
                };
                self.endpoint.respond(now, transaction, response);
            }
            Asker::Proxy => {
                if let Err(response) = self.forward_to_target(now, &incoming, &realm, &facts) {
                    self.endpoint.respond(now, transaction, response);
                }
            }
        }
    }

    /// Counts it against the address it came from, and lets the extension's people know.
    fn wrong_password(&mut self, now: Instant, incoming: &Incoming, realm: &str, username: &str, known: bool) {
        let banned = self.failures.failed(now, incoming.flow.remote.ip(), username);
        let why = match known {
            _ if banned => Why::Banned,
            true => Why::WrongSecret,
            false => Why::UnknownUser,
        };
        self.refuse(incoming, realm, username, why, String::new());
    }

    pub(super) fn refuse(&mut self, incoming: &Incoming, realm: &str, username: &str, why: Why, detail: String) {
        let request = &incoming.request;
        let own = if request.method == Method::REGISTER { request.headers.to() } else { request.headers.from() };
        let own = own.ok().and_then(|own| own.uri.as_sip().and_then(|uri| uri.user.clone()));
        let cut = |text: &str| text.chars().take(NOTED_CHARS).collect::<String>();
        self.outputs.push_back(Output::Refused(Note {
            realm: cut(realm),
            registration: cut(&own.unwrap_or_default()),
            username: cut(username),
            why,
            detail,
            address: incoming.flow.remote.ip(),
            device: registrar::device(request).unwrap_or_default(),
        }));
    }
}
