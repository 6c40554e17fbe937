use super::*;
use crate::tms::login::SipPasswords;

const HOURS_WORTH: usize = 200;

struct Bench {
    session: XmlSession,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let session = XmlSession::new("urn:uuid:x".into(), Entropy::from_seed(1));
        Self { session, now: Instant::now() }
    }

    fn login() -> XmlLogin {
        XmlLogin {
            url: "http://127.0.0.1:1/Euphoria.Api.aspx".into(),
            username: None,
            tenant: "acme".into(),
            key: Secret("k3y".into()),
            sip_server: None,
            passwords: SipPasswords::default(),
        }
    }

    fn signed_in() -> Self {
        let mut bench = Self::new();
        bench.session.sign_in(Self::login());
        let (_, events) = bench.answer(ok(ONE_HELD));
        let [_, Event::Login(LoginState::Initialized(me)), Event::Registrations { list, asked: false }] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!((me.account.tenant.as_str(), me.account.realm.as_str(), list.len()), ("acme", "acme.example", 2));
        bench
    }

    fn seen(&mut self) -> (Vec<(RequestId, ApiRequest)>, Vec<Event>) {
        let (mut requests, mut events) = (vec![], vec![]);
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Request { id, request } => requests.push((id, request)),
                Output::Event(event) => events.push(event),
                other => panic!("no stream here: {other:?}"),
            }
        }
        (requests, events)
    }

    /// The one request made, answered so; what came before and comes of it.
    fn answer(&mut self, result: Result<Answer, Failure>) -> (Vec<(RequestId, ApiRequest)>, Vec<Event>) {
        let (requests, mut events) = self.seen();
        let [(id, _)] = &requests[..] else { panic!("one request is expected: {requests:?} {events:?}") };
        self.session.handle_answer(self.now, *id, result);
        let (requests, more) = self.seen();
        events.extend(more);
        (requests, events)
    }

    fn pass_to_timeout(&mut self) -> Duration {
        let at = self.session.poll_timeout().expect("something is due");
        let passed = at - self.now;
        self.now = at;
        self.session.handle_timeout(at);
        passed
    }
}

const ONE_HELD: &str = "<XML><Status>Success</Status>
    <Sip><Domain>acme.example</Domain><Server>sip:10.0.0.1:5060;lr</Server><Transports>TCP udp</Transports></Sip>
    <Extensions><Extension><Number>100</Number><Name>Ann</Name><Registrations>
    <Registration><UserName>100-acme</UserName><Type>Primary</Type><Registered>true</Registered>
        <Device>T46S</Device><Address>10.0.0.12:5060</Address><Since>2026-01-01T08:00:00Z</Since>
        <Instance>urn:uuid:desk</Instance></Registration>
    <Registration><UserName>100-acme-laptop</UserName><Type>Additional</Type><RingInbound>false</RingInbound>
        <Registered>false</Registered></Registration>
    </Registrations></Extension></Extensions></XML>";

fn ok(body: &str) -> Result<Answer, Failure> {
    Ok(Answer { status: 200, content_type: "text/xml".into(), body: body.into() })
}

fn error() -> Result<Answer, Failure> {
    ok("<XML><Status>Error</Status><Error>The key was revoked.</Error></XML>")
}

#[test]
fn tenant_and_key_prove_each_request_and_show_nowhere() {
    let mut bench = Bench::new();
    bench.session.sign_in(Bench::login());
    let (requests, _) = bench.seen();
    let request = &requests[0].1;
    assert_eq!(request.url, "http://127.0.0.1:1/Euphoria.Api.aspx");
    let body = &request.body.as_ref().expect("a body").0;
    assert!(
        body.contains("<Name>acme</Name><Auth>k3y</Auth>") && body.contains("<ActionName>GetExtensions<"),
        "{body}"
    );
    assert!(!format!("{requests:?} {:?}", bench.session.state).contains("k3y"));
}

#[test]
fn what_is_no_answer_of_a_tms_is_said() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><XML><Extensions>&a;</Extensions></XML>";
    for (result, refused) in [
        (error(), true),
        (ok("<html/>"), false),
        (ok("<XML>Nothing Done</XML>"), false),
        (ok("<XML><Extensions>"), false),
        (ok(bomb), false),
        (Ok(Answer { status: 200, content_type: "text/xml".into(), body: vec![0xff, 0xfe] }), false),
        (Err(Failure::Refused), false),
    ] {
        let mut bench = Bench::new();
        bench.session.sign_in(Bench::login());
        let (_, events) = bench.answer(result.clone());
        match (events.last(), refused) {
            (Some(Event::Login(LoginState::Refused { reason, .. })), true) => {
                assert_eq!((reason.as_str(), bench.session.poll_timeout()), ("The key was revoked.", None));
            }
            (Some(Event::Login(LoginState::Unreachable { .. })), false) => {
                bench.pass_to_timeout();
                bench.answer(ok(ONE_HELD));
                assert!(bench.session.is_signed_in(), "it was tried again");
            }
            _ => panic!("{result:?}: {events:?}"),
        }
    }
}

#[test]
fn a_registration_comes_with_its_password_and_where_to_register() {
    let mut bench = Bench::signed_in();
    bench.session.select("100-acme-laptop");
    let (_, events) = bench.answer(ok(ONE_HELD));
    assert_eq!(events, [Event::PasswordWanted { registration: "100-acme-laptop".into() }]);
    bench.session.sip_password("100-acme-laptop", Secret("s3cret".into()));
    let (_, events) = bench.answer(ok(ONE_HELD));
    let [Event::Credential { credential, .. }] = &events[..] else { panic!("{events:?}") };
    let wire::SipCredential { aor, username, password, realm, outbound_proxy, transports, .. } = credential.0.clone();
    assert_eq!((aor.as_str(), realm.as_str()), ("sip:100-acme-laptop@acme.example", ""), "its realm is not told");
    assert_eq!((username.as_str(), password.as_str()), ("100-acme-laptop", "s3cret"));
    assert_eq!(outbound_proxy, "sip:10.0.0.1:5060;lr");
    assert_eq!(transports, ["tcp", "udp"]);
    bench.session.select("100-acme-laptop");
    let (_, events) = bench.answer(ok(ONE_HELD));
    assert!(matches!(&events[..], [Event::Credential { .. }]), "asked once: {events:?}");
}

#[test]
fn a_tms_that_says_less_is_made_do_with() {
    let bare = "<XML><Extensions><Extension><Number>7</Number><Registrations><Registration><UserName>7-acme</UserName>\
        <Registered>true</Registered></Registration></Registrations></Extension></Extensions></XML>";
    let free = bare.replace("true", "false");
    for (sip_server, proxy) in [(None, "sip:127.0.0.1"), (Some("sip.example:5080"), "sip:sip.example:5080")] {
        let mut bench = Bench::new();
        let any = Secret("s3cret".into());
        let passwords = SipPasswords { any, ..SipPasswords::default() };
        let sip_server = sip_server.map(str::to_owned);
        bench.session.sign_in(XmlLogin { sip_server, passwords, ..Bench::login() });
        bench.answer(ok(&free));
        bench.session.select("7-acme");
        let (_, events) = bench.answer(ok(&free));
        let [Event::Credential { credential, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!((credential.0.aor.as_str(), credential.0.outbound_proxy.as_str()), ("sip:7-acme@127.0.0.1", proxy));
        bench.session.registrations();
        let (_, events) = bench.answer(ok(bare));
        let [Event::Registrations { list, asked: true }] = &events[..] else { panic!("{events:?}") };
        assert!(list[0].in_use.as_ref().is_some_and(|holder| holder.this_device), "no instance is named: {list:?}");
    }
}

#[test]
fn what_cannot_be_chosen_changes_nothing() {
    let disabled = ONE_HELD.replace("<UserName>100-acme-laptop</UserName>", "$0<Enabled>false</Enabled>");
    let disabled = disabled.replace("$0", "<UserName>100-acme-laptop</UserName>");
    let mut bench = Bench::signed_in();
    for (name, answer, said) in [
        ("nowhere", ok(ONE_HELD), "no registration nowhere"),
        ("100-acme-laptop", ok(&disabled), "is disabled"),
        ("100-acme-laptop", error(), "was revoked"),
    ] {
        bench.session.select(name);
        let (_, events) = bench.answer(answer);
        let told = |e: &Event| matches!(e, Event::Failed { command: "select", message } if message.contains(said));
        assert!(events.iter().any(told), "{name}: {events:?}");
    }
    bench.session.select("100-acme");
    let (_, events) = bench.answer(ok(ONE_HELD));
    let [Event::Conflict { reason, .. }] = &events[..] else { panic!("{events:?}") };
    assert!(reason.contains("in use by T46S at 10.0.0.12:5060") && reason.contains("another registration"), "{reason}");
}

#[test]
fn a_choice_that_cannot_be_asked_for_is_asked_again() {
    let mut bench = Bench::signed_in();
    bench.session.select("100-acme-laptop");
    let (_, events) = bench.answer(Err(Failure::TimedOut));
    assert!(matches!(&events[..], [Event::SelectDelayed { .. }]), "{events:?}");
    bench.pass_to_timeout();
    let (_, events) = bench.answer(ok(ONE_HELD));
    assert!(matches!(&events[..], [Event::PasswordWanted { .. }]), "{events:?}");
    bench.session.select("100-acme-laptop");
    bench.answer(Err(Failure::TimedOut));
    bench.session.deselect();
    bench.pass_to_timeout();
    let (requests, _) = bench.seen();
    assert_eq!(requests.len(), 1, "the list, and no choice any more");
}

#[test]
fn the_list_is_looked_at_again_and_again_and_told_when_it_changes() {
    let mut bench = Bench::signed_in();
    for _ in 0..HOURS_WORTH {
        assert_eq!(bench.pass_to_timeout(), POLL);
        let (_, events) = bench.answer(ok(ONE_HELD));
        assert_eq!(events, []);
    }
    bench.pass_to_timeout();
    let (_, events) = bench.answer(ok(&ONE_HELD.replace("T46S", "T48U")));
    assert!(matches!(&events[..], [Event::Registrations { asked: false, .. }]), "{events:?}");
    // A TMS that is away is nobody's concern while calls come and go.
    for _ in 0..HOURS_WORTH {
        bench.pass_to_timeout();
        assert_eq!(bench.answer(Err(Failure::Refused)).1, []);
    }
    assert!(bench.session.is_signed_in());
}

#[test]
fn one_error_is_trouble_and_three_in_a_row_are_the_end() {
    let mut bench = Bench::signed_in();
    for _ in 0..2 {
        for _ in 1..REFUSALS {
            bench.pass_to_timeout();
            assert_eq!(bench.answer(error()).1, []);
        }
        bench.pass_to_timeout();
        bench.answer(ok(ONE_HELD));
    }
    let mut spent = Duration::ZERO;
    for n in 1..=REFUSALS {
        let waited = bench.pass_to_timeout();
        spent += if n == 1 { Duration::ZERO } else { waited };
        let (_, events) = bench.answer(error());
        assert_eq!(events.is_empty(), n < REFUSALS, "{events:?}");
        if let [Event::Login(LoginState::Refused { reason, .. })] = &events[..] {
            assert_eq!(reason, "The key was revoked.");
        }
    }
    assert!(spent < Duration::from_secs(10) && !bench.session.is_active(), "{spent:?}");
    assert_eq!(bench.session.poll_timeout(), None);
}

#[test]
fn signing_out_answers_what_is_still_asked() {
    let mut bench = Bench::signed_in();
    bench.session.registrations();
    bench.session.select("100-acme");
    bench.session.sign_out();
    let (_, events) = bench.seen();
    let [
        Event::Failed { command: first, .. },
        Event::Failed { command: second, .. },
        Event::Login(LoginState::SignedOut),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((*first, *second, bench.session.is_quiet()), ("registrations", "select", true));
    bench.session.registrations();
    bench.session.select("100-acme");
    let said = |e: &Event| matches!(e, Event::Failed { message, .. } if message == SIGN_IN_FIRST);
    assert!(bench.seen().1.iter().all(said));
}
