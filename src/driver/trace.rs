//! The SIP messages of the latest calls, kept to be looked at. Bounded in calls, messages and bytes, whoever sends them; what
//! is secret is left out where they are told.

use super::{api::Traced, transport::log::Redacted};
use crate::{
    sip::{
        flow::Flow,
        msg::{Message, Method},
    },
    ua::api::CallId,
};
use jiff::Timestamp;
use std::collections::VecDeque;

/// Calls whose messages are kept; more than are seen at once.
const CALLS: usize = 20;
/// Messages of one call; the first ones explain most, so they stay, and of the others the latest.
const MESSAGES: usize = 60;
const FIRST: usize = 20;
/// Of one message; a description of many streams is shorter.
const LONGEST: usize = 6 * 1024;

/// No `Debug`: the messages are as they were sent.
#[derive(Default)]
pub(super) struct Trace {
    /// Oldest first.
    calls: VecDeque<Kept>,
    followed: Option<CallId>,
}

struct Kept {
    call_id: String,
    call: Option<CallId>,
    messages: VecDeque<Noted>,
}

struct Noted {
    at: Timestamp,
    sent: bool,
    flow: Flow,
    bytes: Vec<u8>,
}

impl Trace {
    /// Notes what is sent. Whether it belongs to the call that is followed.
    pub(super) fn sent(&mut self, at: Timestamp, flow: Flow, bytes: &[u8]) -> bool {
        let Some(call_id) = call_id(bytes) else { return false };
        let kept = || Noted { at, sent: true, flow, bytes: bytes[..bytes.len().min(LONGEST)].to_vec() };
        self.note(call_id, bytes.starts_with(b"INVITE "), kept)
    }

    /// Notes what was received. Whether it belongs to the call that is followed.
    pub(super) fn received(&mut self, at: Timestamp, flow: Flow, message: &Message, mut bytes: Vec<u8>) -> bool {
        let begins = matches!(message, Message::Request(request) if request.method == Method::INVITE);
        let Ok(call_id) = message.headers().call_id() else { return false };
        self.note(call_id, begins, || {
            bytes.truncate(LONGEST);
            bytes.shrink_to_fit();
            Noted { at, sent: false, flow, bytes }
        })
    }

    /// `call_id` is this call's.
    pub(super) fn link(&mut self, call: CallId, call_id: &str) {
        match self.calls.iter_mut().find(|kept| kept.call_id == call_id) {
            Some(kept) => kept.call = Some(call),
            // Its first message is still to be sent.
            None => self.keep(call_id).call = Some(call),
        }
    }

    pub(super) const fn follow(&mut self, call: Option<CallId>) {
        self.followed = call;
    }

    /// All that is kept of the call that is followed.
    pub(super) fn followed(&self) -> Option<(CallId, Vec<Traced>)> {
        let call = self.followed?;
        // A call that was sent elsewhere keeps its number.
        let of_it = self.calls.iter().filter(|kept| kept.call == Some(call));
        Some((call, of_it.flat_map(|kept| &kept.messages).map(Noted::told).collect()))
    }

    fn note(&mut self, call_id: &str, begins: bool, noted: impl FnOnce() -> Noted) -> bool {
        let followed = self.followed;
        let kept = match self.calls.iter().position(|kept| kept.call_id == call_id) {
            Some(at) => &mut self.calls[at],
            None if begins => self.keep(call_id),
            None => return false,
        };
        if kept.messages.len() >= MESSAGES {
            kept.messages.remove(FIRST);
        }
        kept.messages.push_back(noted());
        kept.call.is_some() && kept.call == followed
    }

    fn keep(&mut self, call_id: &str) -> &mut Kept {
        if self.calls.len() >= CALLS {
            // What has become no call, a stranger's attempt, goes before what somebody may look at.
            let stranger = self.calls.iter().position(|kept| kept.call.is_none());
            self.calls.remove(stranger.unwrap_or_default());
        }
        self.calls.push_back(Kept { call_id: call_id.to_owned(), call: None, messages: VecDeque::new() });
        self.calls.back_mut().expect("just put there")
    }
}

impl Noted {
    fn told(&self) -> Traced {
        let Flow { transport, remote } = self.flow;
        let flow = format!("{} {remote}", transport.via_name());
        Traced { at: self.at, sent: self.sent, flow, text: Redacted(&self.bytes).to_string() }
    }
}

/// The Call-ID of a message that we have written, so with the header's full name.
fn call_id(bytes: &[u8]) -> Option<&str> {
    const NAME: &[u8] = b"\r\nCall-ID: ";
    let start = bytes.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let rest = &bytes[start..];
    let end = rest.iter().position(|byte| *byte == b'\r')?;
    std::str::from_utf8(&rest[..end]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::flow::Transport;

    fn flow() -> Flow {
        Flow { transport: Transport::Udp, remote: ([192, 0, 2, 10], 5060).into() }
    }

    fn sent(trace: &mut Trace, method: &str, call_id: &str) -> bool {
        let message = format!(
            "{method} sip:101@acme SIP/2.0\r\nCall-ID: {call_id}\r\nAuthorization: Digest response=\"secret\"\r\n\r\n"
        );
        trace.sent(Timestamp::UNIX_EPOCH, flow(), message.as_bytes())
    }

    #[test]
    fn the_messages_of_a_call_are_told_without_secrets() {
        let mut trace = Trace::default();
        trace.link(7, "one");
        assert!(!sent(&mut trace, "INVITE", "one"), "nobody looks");
        assert!(!sent(&mut trace, "REGISTER", "other"), "that is no call");
        trace.follow(Some(7));
        let answer =
            b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
            Call-ID: one\r\nCSeq: 1 INVITE\r\n\r\n";
        let read = crate::sip::wire::read(answer).expect("a response");
        assert!(trace.received(Timestamp::UNIX_EPOCH, flow(), &read, answer.to_vec()));
        let (call, messages) = trace.followed().expect("somebody looks");
        assert_eq!((call, messages.len()), (7, 2));
        assert_eq!((messages[0].sent, messages[0].flow.as_str()), (true, "UDP 192.0.2.10:5060"));
        assert!(messages[0].text.starts_with("INVITE sip:101@acme") && !messages[0].text.contains("secret"));
        assert!(!messages[1].sent && messages[1].text.starts_with("SIP/2.0 180"));
    }

    #[test]
    fn what_is_kept_is_bounded_and_strangers_go_first() {
        let mut trace = Trace::default();
        trace.link(1, "ours");
        trace.follow(Some(1));
        for n in 0..500 {
            sent(&mut trace, "INVITE", &n.to_string());
            sent(&mut trace, "INFO", "ours");
        }
        assert_eq!(trace.calls.len(), CALLS);
        assert_eq!(trace.followed().map(|(_, messages)| messages.len()), Some(MESSAGES));
        let long = format!("INVITE sip:a SIP/2.0\r\nCall-ID: long\r\n\r\n{}", "x".repeat(60_000));
        trace.sent(Timestamp::UNIX_EPOCH, flow(), long.as_bytes());
        let bytes: usize = trace.calls.iter().flat_map(|kept| &kept.messages).map(|noted| noted.bytes.len()).sum();
        assert!(bytes < CALLS * MESSAGES * LONGEST / 8, "{bytes}");
    }
}
