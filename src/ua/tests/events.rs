//! Subscriptions: their life, their ends, and what they tell.

use super::bench::*;
use crate::{
    sip::msg::{Message, Method, Request},
    ua::api::{Account, ColleagueState, Command, Event, Messages, Package, RegistrationState},
};
use std::time::Duration;

const SUMMARY: &str = "Messages-Waiting: yes\r\nVoice-Message: 2/5\r\n";
const ACTIVE: &str = "active;expires=3600";

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Subscribed to `what` of `to`, with the SUBSCRIBE that went out.
fn subscribing(package: Package, to: &str) -> (Bench, Request) {
    let mut bench = Bench::ready(settings());
    bench.command(Command::Subscribe { package, to: to.into() });
    assert!(bench.subscribed.is_empty(), "the server has not answered yet");
    let subscribe = bench.request(Method::SUBSCRIBE);
    (bench, subscribe)
}

/// The notifier's NOTIFY in the dialog that our SUBSCRIBE made with its side tagged `tag`.
fn notify(subscribe: &Request, tag: &str, cseq: u32, state: &str, body: &str) -> Request {
    let mut notify = from_callee(subscribe, Method::NOTIFY, cseq, tag, "");
    notify.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-{tag}-{cseq}-{}", call_id(subscribe)));
    notify.headers.push("Event", subscribe.headers.get("Event").unwrap());
    notify.headers.push("Subscription-State", state);
    if !body.is_empty() {
        notify.headers.push("Content-Type", subscribe.headers.get("Accept").unwrap());
        notify.body = body.as_bytes().to_vec();
    }
    notify
}

fn call_id(request: &Request) -> &str {
    request.headers.call_id().unwrap()
}

impl Bench {
    #[track_caller]
    fn notified(&mut self, notify: Request, code: u16) {
        self.deliver(Message::Request(notify));
        self.response(code);
    }

    /// Time passes until something is sent.
    fn wait(&mut self) {
        for _ in 0..10_000 {
            if !self.sent.is_empty() {
                return;
            }
            self.advance(seconds(1));
        }
    }

    fn grant(&mut self, subscribe: &Request, code: u16) {
        let mut ok = answer(subscribe, code, "n", "");
        ok.headers.push("Expires", "3600");
        self.reply(ok);
    }

    #[track_caller]
    fn told(&mut self) -> Event {
        self.events.pop_front().expect("something to be told")
    }
}

fn two_new() -> Event {
    Event::Messages(Messages { waiting: true, new: 2, old: 5, account: None })
}

#[test]
fn voicemail_from_subscribing_through_refreshes_to_the_end() {
    for notify_first in [false, true] {
        let (mut bench, subscribe) = subscribing(Package::MessageSummary, "");
        let header = |name| subscribe.headers.get(name).unwrap_or_default().to_owned();
        assert_eq!(subscribe.uri.to_string(), "sip:100-acme@acme");
        assert_eq!((header("Event"), header("Expires")), ("message-summary".into(), "3600".into()));
        assert_eq!(header("Contact"), "<sip:100-acme@192.0.2.1:5062>");
        if notify_first {
            bench.notified(notify(&subscribe, "n", 1, ACTIVE, SUMMARY), 200);
            bench.grant(&subscribe, 200);
        } else {
            bench.grant(&subscribe, 202);
            bench.notified(notify(&subscribe, "n", 1, ACTIVE, SUMMARY), 200);
        }
        assert_eq!(bench.told(), two_new());
        bench.notified(notify(&subscribe, "n", 2, ACTIVE, SUMMARY), 200);
        assert!(bench.events.is_empty(), "told once");
        bench.wait();
        let refresh = bench.request(Method::SUBSCRIBE);
        bench.sent.clear(); // retransmissions
        assert_eq!(refresh.headers.get("Call-ID"), subscribe.headers.get("Call-ID"));
        assert_eq!(refresh.headers.to().unwrap().tag(), Some("n"));
        assert!(refresh.headers.cseq().unwrap().number > subscribe.headers.cseq().unwrap().number);
        bench.grant(&refresh, 200);
        bench.notified(notify(&subscribe, "n", 3, ACTIVE, ""), 200);
        bench.command(Command::Unsubscribe { package: Package::MessageSummary, to: String::new() });
        let last = bench.request(Method::SUBSCRIBE);
        assert_eq!(last.headers.get("Expires"), Some("0"));
        bench.reply(answer(&last, 200, "n", ""));
        bench.notified(notify(&subscribe, "n", 4, "terminated;reason=timeout", ""), 481);
        bench.settle();
    }
}

/// The notifier's answer to SUBSCRIBE, then after how long there is another one, `None`: never, with what is said.
#[test]
fn refusals_end_or_postpone_it() {
    for (code, field, again, said) in [
        (489, None, None, Some("This phone system does not tell: calls of a colleague.")),
        (403, None, None, Some("This phone system does not let you see: calls of a colleague.")),
        (404, None, None, Some("This number or address does not exist")),
        (480, None, Some(30), None),
        (503, Some(("Retry-After", "120")), Some(120), None),
        (423, Some(("Min-Expires", "7200")), Some(0), None),
        (423, None, Some(30), None),
        (500, None, Some(30), None),
    ] {
        let (mut bench, subscribe) = subscribing(Package::Dialog, "101");
        let mut refusal = answer(&subscribe, code, "n", "");
        if let Some((name, value)) = field {
            refusal.headers.push(name, value);
        }
        bench.reply(refusal);
        match said {
            Some(words) => {
                let (_, refusal) = bench.subscribed.pop_front().expect("an answer");
                assert!(refusal.is_some_and(|said| said.starts_with(words)), "{code}");
            }
            None => bench.events.clear(),
        }
        bench.advance(seconds(again.unwrap_or(4_000)));
        match again {
            Some(_) => {
                let next = bench.request(Method::SUBSCRIBE);
                let raised = code == 423 && field.is_some();
                assert_eq!(next.headers.get("Expires"), Some(if raised { "7200" } else { "3600" }), "{code}");
            }
            None => bench.silent(),
        }
    }
}

/// The last NOTIFY's Subscription-State, then after how long there is a new subscription, `None`: never.
#[test]
fn each_reason_for_the_end_has_its_consequence() {
    for (state, again) in [
        ("terminated;reason=deactivated", Some(0)),
        ("terminated;reason=timeout", Some(0)),
        ("terminated;reason=probation;retry-after=90", Some(90)),
        ("terminated;reason=giveup", Some(30)),
        ("terminated", Some(30)),
        ("terminated;reason=rejected", None),
        ("terminated;reason=noresource", None),
        ("terminated;reason=invariant", None),
    ] {
        let (mut bench, subscribe) = subscribing(Package::Presence, "101");
        bench.grant(&subscribe, 200);
        bench.notified(notify(&subscribe, "n", 1, ACTIVE, ""), 200);
        bench.advance(seconds(60));
        bench.notified(notify(&subscribe, "n", 2, state, ""), 200);
        let Some(again) = again else {
            bench.advance(seconds(8_000));
            bench.silent();
            continue;
        };
        bench.advance(seconds(again));
        let anew = bench.request(Method::SUBSCRIBE);
        assert_ne!(anew.headers.get("Call-ID"), subscribe.headers.get("Call-ID"), "{state}");
        assert_eq!(anew.headers.to().unwrap().tag(), None, "{state}");
    }
}

#[test]
fn a_notifier_that_ends_it_at_once_gets_no_storm() {
    let (mut bench, mut subscribe) = subscribing(Package::Presence, "101");
    for _ in 0..3 {
        bench.grant(&subscribe, 200);
        bench.notified(notify(&subscribe, "n", 1, "terminated;reason=deactivated", ""), 200);
        bench.silent();
        bench.advance(seconds(10));
        subscribe = bench.request(Method::SUBSCRIBE);
    }
}

#[test]
fn a_subscription_that_is_unknown_there_is_made_anew_and_one_without_notify_too() {
    let (mut bench, subscribe) = subscribing(Package::Dialog, "101");
    bench.grant(&subscribe, 200);
    bench.advance(seconds(32));
    let second = bench.request(Method::SUBSCRIBE);
    assert_ne!(second.headers.get("Call-ID"), subscribe.headers.get("Call-ID"), "no NOTIFY, no subscription");
    bench.grant(&second, 200);
    bench.notified(notify(&second, "n", 1, ACTIVE, ""), 200);
    bench.wait();
    let refresh = bench.request(Method::SUBSCRIBE);
    bench.sent.clear(); // retransmissions
    bench.reply(answer(&refresh, 481, "n", ""));
    let third = bench.request(Method::SUBSCRIBE);
    assert_ne!(third.headers.get("Call-ID"), second.headers.get("Call-ID"));
}

#[test]
fn of_a_fork_the_first_that_speaks_is_taken() {
    let (mut bench, subscribe) = subscribing(Package::Presence, "101");
    bench.notified(notify(&subscribe, "a", 1, ACTIVE, ""), 200);
    bench.notified(notify(&subscribe, "b", 1, ACTIVE, ""), 481);
    bench.grant(&subscribe, 200);
    bench.notified(notify(&subscribe, "a", 2, ACTIVE, ""), 200);
    let mut late = notify(&subscribe, "a", 1, ACTIVE, "");
    late.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-late"));
    bench.notified(late, 500);
    let mut nameless = notify(&subscribe, "a", 3, ACTIVE, "");
    nameless.headers.remove("Subscription-State");
    bench.notified(nameless, 400);
}

fn dialog_info(version: u32, state: &str) -> String {
    format!(
        r#"<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="full" entity="sip:101@acme">
           <dialog id="d" call-id="c1" local-tag="lt" remote-tag="rt" direction="recipient"><state>{state}</state>
           <remote><target uri="sip:bob@192.0.2.9:5060"/></remote></dialog></dialog-info>"#
    )
}

fn pidf(basic: &str, doing: &str) -> String {
    format!(
        r#"<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:101@acme"><tuple id="t"><status><basic>{basic}</basic>
           </status></tuple><person><activities>{doing}</activities></person></presence>"#
    )
}

#[test]
fn a_colleague_by_calls_and_by_presence() {
    let (mut bench, dialog) = subscribing(Package::Dialog, "101");
    bench.command(Command::Subscribe { package: Package::Presence, to: "101".into() });
    let presence = bench.request(Method::SUBSCRIBE);
    bench.events.clear();
    let steps = [
        (&presence, pidf("closed", ""), Some(ColleagueState::NotRegistered)),
        (&presence, pidf("open", ""), Some(ColleagueState::Free)),
        (&dialog, dialog_info(1, "early"), Some(ColleagueState::Ringing)),
        (&dialog, dialog_info(2, "confirmed"), Some(ColleagueState::Busy)),
        (&presence, pidf("open", "<away/>"), None),
        (&dialog, dialog_info(3, "terminated"), Some(ColleagueState::Away)),
        (&dialog, "rubbish".to_owned(), None),
        (&presence, pidf("open", "<on-the-phone/>"), Some(ColleagueState::Busy)),
    ];
    for (cseq, (subscribe, body, state)) in (1..).zip(steps) {
        bench.notified(notify(subscribe, "n", cseq, ACTIVE, &body), 200);
        let told = state.map(|state| Event::Colleague { uri: "sip:101@acme".into(), state });
        assert_eq!(bench.events.pop_front(), told, "{body}");
    }
}

#[test]
fn a_call_that_rings_at_a_colleague_is_taken_over() {
    let (mut bench, subscribe) = subscribing(Package::Dialog, "101");
    bench.command(Command::PickUp { to: "101".into() });
    assert_eq!(bench.refused(), ("pick_up", "No call that can be taken over rings at 101.".to_owned()));
    bench.notified(notify(&subscribe, "n", 1, ACTIVE, &dialog_info(1, "early")), 200);
    bench.command(Command::PickUp { to: "101".into() });
    let invite = bench.request(Method::INVITE);
    assert_eq!(invite.uri.to_string(), "sip:bob@192.0.2.9:5060");
    assert_eq!(invite.headers.get("Replaces"), Some("c1;to-tag=rt;from-tag=lt;early-only"));
    assert_eq!(invite.headers.get("Require"), Some("replaces"));

    let services = crate::ua::api::Services { pickup_prefix: Some("*8".into()), ..Default::default() };
    let mut bench = Bench::ready(crate::ua::api::Settings { services, ..settings() });
    bench.command(Command::PickUp { to: "101".into() });
    assert_eq!(bench.request(Method::INVITE).uri.to_string(), "sip:*8101@acme");
}

#[test]
fn a_wish_waits_for_an_account_and_follows_it() {
    let mut bench = Bench::offline(settings());
    bench.command(Command::Subscribe { package: Package::Dialog, to: "101".into() });
    bench.silent();
    bench.command(Command::SetAccount(Box::new(account(false))));
    let subscribe = bench.request(Method::SUBSCRIBE);
    bench.grant(&subscribe, 200);
    bench.notified(notify(&subscribe, "n", 1, ACTIVE, ""), 200);
    bench.command(Command::ClearAccount);
    assert_eq!(bench.request(Method::SUBSCRIBE).headers.get("Expires"), Some("0"));
    bench.command(Command::SetAccount(Box::new(account(false))));
    bench.request(Method::SUBSCRIBE);
}

#[test]
fn what_comes_unasked_is_taken_from_our_own_servers_only() {
    let unasked = |event: &str| {
        let mut notify = outside(Method::NOTIFY, "sip:100-acme@192.0.2.1:5062");
        notify.headers.push("Event", event);
        notify.headers.push("Subscription-State", "active");
        notify.body = SUMMARY.into();
        notify
    };
    let mut bench = Bench::ready(settings());
    bench.notified(unasked("message-summary"), 200);
    assert_eq!(bench.told(), two_new());
    let mut bench = Bench::ready(settings());
    bench.notified(unasked("check-sync;reboot=true"), 200);
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    assert!(matches!(bench.told(), Event::Notice(_)));
    let mut bench = Bench::ready(settings());
    bench.notified(unasked("dialog"), 481);
    let mut bench = Bench::ready(settings());
    bench.notified(unasked("weather"), 489);
    for event in ["message-summary", "check-sync"] {
        let mut bench = Bench::ready(settings());
        let stranger = crate::sip::flow::Flow { remote: "198.51.100.7:5060".parse().unwrap(), ..flow() };
        bench.agent.handle_message(bench.now, stranger, Message::Request(unasked(event)));
        bench.drain();
        bench.response(481);
        assert!(bench.events.is_empty(), "{event}");
    }
}

#[test]
fn the_list_is_bounded() {
    let mut bench = Bench::offline(settings());
    for n in 0..300 {
        bench.command(Command::Subscribe { package: Package::Dialog, to: n.to_string() });
    }
    let refused = bench.subscribed.iter().filter(|(_, refusal)| refusal.is_some()).count();
    assert_eq!(refused, 300 - 256);
}

#[test]
fn the_same_account_with_other_credentials_keeps_what_it_is_told() {
    let (mut bench, subscribe) = subscribing(Package::MessageSummary, "");
    bench.grant(&subscribe, 200);
    bench.notified(notify(&subscribe, "n", 1, ACTIVE, SUMMARY), 200);
    assert_eq!(bench.told(), two_new());
    let renewed = Account { password: crate::ua::api::Secret("other".into()), ..account(false) };
    bench.command(Command::SetAccount(Box::new(renewed.clone())));
    bench.silent();
    // Its refresh proves itself by the new ones.
    bench.events.clear();
    bench.wait();
    let refresh = bench.request(Method::SUBSCRIBE);
    assert_eq!(refresh.headers.get("Call-ID"), subscribe.headers.get("Call-ID"));
    let mut challenge = answer(&refresh, 401, "n", "");
    challenge.headers.push("WWW-Authenticate", "Digest realm=\"acme\", nonce=\"n1\"");
    bench.sent.clear();
    bench.reply(challenge);
    let again = bench.request(Method::SUBSCRIBE);
    assert!(again.headers.contains("Authorization"));
    bench.grant(&again, 200);
    bench.notified(notify(&subscribe, "n", 2, ACTIVE, SUMMARY), 200);
    assert!(bench.events.is_empty(), "nothing new: {:?}", bench.events);
    // By another way everything begins anew.
    let moved = Account { outbound_proxy: Some("sip:192.0.2.9:5070".parse().unwrap()), ..renewed };
    bench.command(Command::SetAccount(Box::new(moved)));
    assert_eq!(bench.request(Method::SUBSCRIBE).headers.get("Expires"), Some("0"));
    assert_ne!(bench.request(Method::SUBSCRIBE).headers.get("Call-ID"), subscribe.headers.get("Call-ID"));
}

/// One that only ever sends changes is asked for the whole once, not at each of them.
#[test]
fn a_gap_is_asked_about_once_and_then_made_the_best_of() {
    let (mut bench, subscribe) = subscribing(Package::Dialog, "101");
    bench.grant(&subscribe, 200);
    let partial = |version, state: &str| dialog_info(version, state).replace("\"full\"", "\"partial\"");
    bench.notified(notify(&subscribe, "n", 1, ACTIVE, &partial(5, "early")), 200);
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    let whole = bench.request(Method::SUBSCRIBE);
    bench.grant(&whole, 200);
    for (cseq, state, colleague) in [(2, "early", ColleagueState::Ringing), (3, "confirmed", ColleagueState::Busy)] {
        bench.notified(notify(&subscribe, "n", cseq, ACTIVE, &partial(5 + 2 * cseq, state)), 200);
        bench.silent();
        assert_eq!(bench.told(), Event::Colleague { uri: "sip:101@acme".into(), state: colleague });
    }
}

/// Each wish has one answer, which names it: that of the server, or at once where there is none yet to be asked.
#[test]
fn who_subscribes_hears_once_what_became_of_it() {
    let (mut bench, _) = subscribing(Package::Dialog, "101");
    bench.advance(seconds(32));
    bench.sent.clear();
    let (to, refusal) = bench.subscribed.pop_front().expect("an answer");
    assert!(to == "101" && refusal.is_some_and(|words| words.contains("asked again")));
    bench.wait();
    let again = bench.request(Method::SUBSCRIBE);
    bench.grant(&again, 200);
    assert!(bench.subscribed.is_empty(), "once");
    for (code, taken) in [(200, true), (202, true), (480, true), (503, false), (403, false)] {
        let (mut bench, subscribe) = subscribing(Package::Dialog, "101");
        bench.command(Command::Subscribe { package: Package::Dialog, to: "102".into() });
        let other = bench.request(Method::SUBSCRIBE);
        bench.grant(&other, code);
        bench.grant(&subscribe, 200);
        let (to, refusal) = bench.subscribed.pop_front().expect("the first answer");
        assert_eq!((to.as_str(), refusal.is_none()), ("102", taken), "{code}: {refusal:?}");
        assert_eq!(bench.subscribed.pop_front(), Some(("101".into(), None)));
    }
    // Offline it is kept; asked for again it is there already.
    let mut bench = Bench::offline(settings());
    for _ in 0..2 {
        bench.command(Command::Subscribe { package: Package::Dialog, to: "101".into() });
        assert_eq!(bench.subscribed.pop_front(), Some(("101".into(), None)));
    }
    // Whoever goes offline meanwhile keeps the wish, whoever takes it back has it no more.
    for (command, kept) in
        [(Command::ClearAccount, true), (Command::Unsubscribe { package: Package::Dialog, to: "101".into() }, false)]
    {
        let (mut bench, _) = subscribing(Package::Dialog, "101");
        bench.command(command);
        assert_eq!(bench.subscribed.pop_front().map(|(_, refusal)| refusal.is_none()), Some(kept));
    }
}
