//! Reports of ours to a collector (RFC 3903, RFC 6035): sent once, and again after a challenge. Nobody's call waits for them.

use super::{
    api::{Account, Event, Output},
    stack::{Owner, Reply, RequestId, Stack},
};
use crate::sip::{
    msg::{Method, Request},
    uri::{NameAddr, Uri},
};
use std::{collections::BTreeMap, sync::Arc};

/// Reports whose answer is awaited; of more calls that end at once, some go unreported.
const MOST: usize = 32;

/// Reports that wait for their answer; `true`: it was challenged once.
#[derive(Default)]
pub(super) struct Publications(BTreeMap<RequestId, (Arc<Account>, bool)>);

impl Publications {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Publishes the quality of a call (RFC 6035 §4.4) to `collector`, by way of `routes` or, without any, directly. Such a state
    /// is never refreshed: it says no Expires.
    pub fn report_quality(
        &mut self,
        stack: &mut Stack,
        (account, routes): (&Arc<Account>, &[NameAddr]),
        collector: Uri,
        body: String,
    ) {
        if self.0.len() >= MOST {
            return not_taken(stack, "it does not answer the ones before");
        }
        let mut from = NameAddr::new(account.aor.clone());
        from.set_param("tag", Some(&stack.entropy.tag()));
        let (call_id, to) = (stack.entropy.call_id(), NameAddr::new(collector.clone()));
        let mut request = stack.request(Method::PUBLISH, collector.clone(), &from, &to, (&call_id, 1));
        for route in routes {
            request.headers.push("Route", route.to_string());
        }
        request.headers.push("Event", "vq-rtcpxr");
        request.headers.push("Content-Type", "application/vq-rtcpxr");
        request.body = body.into_bytes();
        stack.authorize(account, &mut request);
        let hop = routes.first().map_or(&collector, |route| &route.uri);
        let id = stack.send((account, request), hop, Owner::Publication, None);
        self.0.insert(id, (account.clone(), false));
    }

    pub fn handle_reply(&mut self, stack: &mut Stack, id: RequestId, mut request: Request, reply: &Reply) {
        if matches!(reply, Reply::Response(response, _) if response.is_provisional()) {
            return;
        }
        let Some((account, proved)) = self.0.remove(&id) else { return };
        match reply {
            Reply::Response(response, _) if response.is_success() => {}
            Reply::Response(response, _) => {
                let challenged = matches!(response.code(), 401 | 407) && !proved;
                if challenged && stack.answer_challenge(&account, &mut request, response).is_ok() {
                    request.headers.set("CSeq", "2 PUBLISH");
                    let hop = request.headers.name_addrs("Route").ok().and_then(|routes| routes.into_iter().next());
                    let hop = hop.map_or_else(|| request.uri.clone(), |route| route.uri);
                    let id = stack.send((&account, request), &hop, Owner::Publication, None);
                    self.0.insert(id, (account, true));
                } else {
                    not_taken(stack, &format!("it answers {}", response.code()));
                }
            }
            Reply::TimedOut => not_taken(stack, "it does not answer"),
            Reply::Unreachable(why) => not_taken(stack, why.trim_end_matches('.')),
        }
    }
}

fn not_taken(stack: &mut Stack, why: &str) {
    let text = format!("The report of a call's quality did not reach its collector: {why}. Check its address.");
    stack.emit(Output::Event(Event::Notice(text)));
}
