//! Text messages outside of calls (RFC 3428): plain text, both ways.

use super::{
    api::{Account, Event, Output},
    identity, reason,
    registration::Registration,
    stack::{Owner, Reply, RequestId, Stack},
    target,
};
use crate::sip::{
    body::{Unsupported, plain_text},
    msg::{Method, Request, Response},
    uri::NameAddr,
    wire,
};
use std::{collections::BTreeMap, sync::Arc};

/// RFC 3428 §8: longest request, in bytes, where not every hop is known to hold back under load.
const LONGEST: usize = 1_300;
/// What is added on the way out: Via, User-Agent.
const ADDED: usize = 150;
/// Messages whose answer is awaited; a person types fewer.
const MOST: usize = 32;

/// Messages of ours that wait for their answer.
#[derive(Default)]
pub(super) struct Outbox(BTreeMap<RequestId, Sent>);

struct Sent {
    account: Arc<Account>,
    /// It was challenged once.
    proved: bool,
}

impl Outbox {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Sends a message; its end is [`Event::Done`] or [`Event::Refused`].
    ///
    /// # Errors
    /// A sentence with the way out.
    pub fn send(&mut self, stack: &mut Stack, registration: &Registration, to: &str, text: &str) -> Result<(), String> {
        let account = registration.account().clone();
        let uri = target::parse(to, &account.aor)?;
        if text.trim().is_empty() {
            return Err("Write something to send.".to_owned());
        }
        if self.0.len() >= MOST {
            return Err("Many messages still wait for their answer; try again in a moment.".to_owned());
        }
        let mut from = NameAddr::new(account.aor.clone());
        from.set_param("tag", Some(&stack.entropy.tag()));
        let call_id = stack.entropy.call_id();
        let mut request =
            stack.request(Method::MESSAGE, uri.clone(), &from, &NameAddr::new(uri.clone()), (&call_id, 1));
        let routes = registration.route_set();
        for route in &routes {
            request.headers.push("Route", route.to_string());
        }
        request.headers.push("Content-Type", "text/plain;charset=UTF-8");
        request.body = text.as_bytes().to_vec();
        let size = wire::write_request(&request).len() + ADDED;
        if size > LONGEST {
            let over = size - LONGEST;
            return Err(format!(
                "The message is {over} bytes too long to be sent at once; shorten it, or send it in parts."
            ));
        }
        stack.authorize(&account, &mut request);
        let hop = routes.first().map_or(&uri, |route| &route.uri);
        let id = stack.send((&account, request), hop, Owner::Message, None);
        self.0.insert(id, Sent { account, proved: false });
        Ok(())
    }

    pub fn handle_reply(&mut self, stack: &mut Stack, id: RequestId, mut request: Request, reply: &Reply) {
        if matches!(reply, Reply::Response(response, _) if response.is_provisional()) {
            return;
        }
        let Some(Sent { account, proved }) = self.0.remove(&id) else { return };
        let message = match reply {
            Reply::Response(response, _) if response.is_success() => {
                return stack.emit(Output::Event(Event::Done { command: "message", call: None }));
            }
            Reply::Response(response, _) => {
                let challenged = matches!(response.code(), 401 | 407) && !proved;
                if challenged && stack.answer_challenge(&account, &mut request, response).is_ok() {
                    request.headers.set("CSeq", "2 MESSAGE");
                    let hop = request.headers.name_addrs("Route").ok().and_then(|r| r.into_iter().next());
                    let hop = hop.map_or_else(|| request.uri.clone(), |route| route.uri);
                    let id = stack.send((&account, request), &hop, Owner::Message, None);
                    self.0.insert(id, Sent { account, proved: true });
                    return;
                }
                not_sent(response)
            }
            Reply::TimedOut => "The message was not confirmed by any server; it may not have arrived.".to_owned(),
            Reply::Unreachable(why) => format!("The message could not be sent: {}.", why.trim_end_matches('.')),
        };
        stack.emit(Output::Event(Event::Refused { command: "message", call: None, message }));
    }
}

fn not_sent(response: &Response) -> String {
    match response.code() {
        405 | 415 | 501 => "The other side takes no text messages.".to_owned(),
        480 => "The other side cannot be reached at the moment; the message was not delivered.".to_owned(),
        413 | 513 => "The message is too long for the other side.".to_owned(),
        code => format!("The message was not delivered. {}", reason::call(code, &reason::phrase(response))),
    }
}

/// Takes in a message for us. The answer, and what it said.
pub(super) fn receive(request: &Request, account: &Account) -> (Response, Option<Event>) {
    let text = match plain_text(&request.headers, &request.body) {
        Ok(Some(text)) => text,
        Ok(None) if request.body.is_empty() => &[],
        Ok(None) | Err(Unsupported) => {
            let mut response = Response::to(request, 415, None);
            response.headers.push("Accept", "text/plain");
            response.headers.push("Accept-Encoding", "identity");
            return (response, None);
        }
    };
    if request.body.len() > LONGEST {
        return (Response::to(request, 513, None), None);
    }
    let (Ok(text), Ok(from)) = (std::str::from_utf8(text), request.headers.from()) else {
        return (Response::to(request, 400, None), None);
    };
    let has_text = !text.is_empty();
    let identity = identity::of(&request.headers, &from, account);
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let said = Event::Message { from: identity.peer, from_name: identity.peer_name, text };
    // RFC 3428 §7: a 200 says that it has reached the person.
    (Response::to(request, 200, None), has_text.then_some(said))
}
