//! INFO (RFC 6086): DTMF (`application/dtmf-relay` and `application/dtmf`, as the field uses them), and candidates (RFC 8840).

use super::{Phase, Session};
use crate::{
    sip::{
        endpoint::ServerTransactionId,
        msg::{Method, Request, Response},
        sdp::trickle,
    },
    ua::{
        api::{Event, Output},
        reason,
        stack::{Owner, Reply, RequestId, Stack},
    },
};
use std::{collections::VecDeque, time::Instant};

/// Digits on their way, one INFO after the other, so that they arrive in order; `None`: the end of a command's digits.
#[derive(Default)]
pub(in crate::ua) struct Digits {
    waiting: VecDeque<Option<char>>,
    sending: Option<RequestId>,
}

/// Nobody types more at once.
const MAX_WAITING: usize = 256;
/// Milliseconds, as most phones write.
const DURATION: u32 = 160;

impl Session {
    pub fn send_digits(&mut self, stack: &mut Stack, digits: &str) {
        let Phase::Established(established) = &mut self.phase else {
            return self.refuse_command(stack, "dtmf", "Digits can be sent in an answered call only.");
        };
        let queue = &mut established.digits;
        if digits.is_empty() || !digits.chars().all(is_digit) || queue.waiting.len() + digits.len() > MAX_WAITING {
            return self.refuse_command(stack, "dtmf", "Digits are 0 to 9, *, # and A to D, at most 256 at once.");
        }
        queue.waiting.extend(digits.chars().map(|c| Some(c.to_ascii_uppercase())).chain([None]));
        if queue.sending.is_none() {
            self.next_digit(stack);
        }
    }

    fn next_digit(&mut self, stack: &mut Stack) {
        let Phase::Established(established) = &mut self.phase else { return };
        established.digits.sending = None;
        let digit = loop {
            match established.digits.waiting.pop_front() {
                Some(Some(digit)) => break digit,
                Some(None) => {
                    let done = Event::Done { command: "dtmf", call: Some(self.id) };
                    stack.emit(Output::Event(done));
                }
                None => return,
            }
        };
        let mut request = established.dialog.request(Method::INFO);
        request.headers.push("Content-Type", "application/dtmf-relay");
        request.body = format!("Signal={digit}\r\nDuration={DURATION}\r\n").into_bytes();
        let hop = established.dialog.next_hop();
        established.digits.sending = Some(stack.send((&self.account, request), hop, Owner::Call(self.id), None));
    }

    pub(super) fn digit_reply(&mut self, stack: &mut Stack, id: RequestId, mut request: Request, reply: &Reply) {
        let Phase::Established(established) = &mut self.phase else { return };
        if established.digits.sending != Some(id) {
            return;
        }
        let why = match reply {
            Reply::Response(response, _) => match response.code() {
                100..200 => return,
                200..300 => return self.next_digit(stack),
                401 | 407 if stack.answer_challenge(&self.account, &mut request, response).is_ok() => {
                    established.dialog.renew(&mut request);
                    let hop = established.dialog.next_hop();
                    established.digits.sending =
                        Some(stack.send((&self.account, request), hop, Owner::Call(self.id), None));
                    return;
                }
                405 | 415 | 501 => "the other side does not take digits this way; send them in the audio".to_owned(),
                code => reason::call(code, &response.reason),
            },
            Reply::TimedOut => "no answer came".to_owned(),
            Reply::Unreachable(why) => why.clone(),
        };
        let commands = std::mem::take(&mut established.digits).waiting.iter().filter(|digit| digit.is_none()).count();
        let message = format!("The digits were not sent: {}.", why.trim_end_matches('.'));
        for _ in 0..commands {
            self.refuse_command(stack, "dtmf", &message);
        }
    }

    pub(super) fn handle_info(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        transaction: ServerTransactionId,
        request: &Request,
    ) {
        // RFC 6086 §4.2.2.
        if request
            .headers
            .get("Info-Package")
            .is_some_and(|package| !package.trim().eq_ignore_ascii_case(trickle::PACKAGE))
        {
            let mut response = Response::to(request, 469, None);
            response.headers.push("Recv-Info", trickle::PACKAGE);
            return stack.respond(now, transaction, response);
        }
        let kind = request.headers.get("Content-Type").unwrap_or_default().to_ascii_lowercase();
        let digit = match kind.split(';').next().unwrap_or_default().trim() {
            "application/dtmf-relay" => relayed_digit(&request.body),
            "application/dtmf" => single_digit(&String::from_utf8_lossy(&request.body)),
            trickle::MEDIA_TYPE => {
                self.trickled(stack, &request.body);
                None
            }
            _ if request.body.is_empty() => None,
            _ => {
                let mut response = Response::to(request, 415, None);
                response
                    .headers
                    .push("Accept", format!("application/dtmf-relay, application/dtmf, {}", trickle::MEDIA_TYPE));
                return stack.respond(now, transaction, response);
            }
        };
        stack.respond(now, transaction, Response::to(request, 200, None));
        if let Some(digit) = digit {
            stack.emit(Output::Event(Event::Dtmf { call: self.id, digit }));
        }
    }
}

const fn is_digit(c: char) -> bool {
    matches!(c, '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d')
}

/// `Signal=5` in a line of its own.
fn relayed_digit(body: &[u8]) -> Option<char> {
    let text = String::from_utf8_lossy(body);
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("signal") { single_digit(value) } else { None }
    })
}

/// A digit as itself or as its RFC 4733 event number.
fn single_digit(text: &str) -> Option<char> {
    match text.trim() {
        "10" => Some('*'),
        "11" => Some('#'),
        text => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) if is_digit(c) => Some(c.to_ascii_uppercase()),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_in_every_form() {
        for (body, expected) in [
            ("Signal=5\r\nDuration=160\r\n", Some('5')),
            ("Signal= #\r\nDuration= 250", Some('#')),
            ("Duration=100\nsignal=11\n", Some('#')),
            ("Signal=a", Some('A')),
            ("Signal=10", Some('*')),
            ("Signal=55", None),
            ("Signal=", None),
            ("", None),
            ("\u{fffd}", None),
        ] {
            assert_eq!(relayed_digit(body.as_bytes()), expected, "{body:?}");
        }
        assert_eq!(single_digit(" 7\r\n"), Some('7'));
        assert_eq!(single_digit("x"), None);
    }
}
