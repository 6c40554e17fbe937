//! What the readable messages say (RFC 4475 §3.1.1, and those whose fault lies higher up).

use super::{bytes, request, response};
use agent_manager::sip::{
    msg::{Contact, Message, Method},
    uri::{Host, NameAddr, SipUri, Uri},
    wire::{StreamItem, StreamReader, read, write},
};

fn sip(uri: &Uri) -> &SipUri {
    uri.as_sip().unwrap_or_else(|| panic!("{uri}"))
}

fn contact(contact: &Contact) -> &NameAddr {
    match contact {
        Contact::Addr(address) => address,
        Contact::Star => panic!("a star"),
    }
}

#[test]
fn wsinv_a_short_tortuous_invite() {
    let m = request("wsinv");
    assert_eq!(m.method, Method::INVITE);
    assert_eq!(m.uri.to_string(), "sip:vivekg@chair-dnrc.example.com;unknownparam");
    assert_eq!(m.headers.to().unwrap().tag(), Some("1918181833n"));
    let from = m.headers.from().unwrap();
    assert_eq!((from.display.as_deref(), from.tag()), (Some("J Rosenberg \\\""), Some("98asjd8")));
    assert_eq!(m.headers.number("Max-Forwards"), Some(68));
    assert_eq!(m.headers.call_id(), Ok("wsinv.ndaksdj@192.0.2.1"));
    assert_eq!(m.headers.cseq().unwrap().number, 9);
    let vias = m.headers.vias().unwrap();
    let seen: Vec<_> = vias.iter().map(|v| (v.transport.as_str(), v.host.as_str(), v.branch())).collect();
    assert_eq!(
        seen,
        [
            ("UDP", "192.0.2.2", Some("390skdjuw")),
            ("TCP", "spindle.example.com", Some("z9hG4bK9ikj8")),
            ("UDP", "192.168.255.111", Some("z9hG4bK30239")),
        ]
    );
    assert_eq!(m.headers.get("Subject"), Some(""));
    assert_eq!(m.headers.get("NewFangledHeader"), Some("newfangled value continued newfangled value"));
    assert_eq!(m.headers.get("UnknownHeaderWithUnusualValue"), Some(";;,,;;,;"));
    let route = m.headers.name_addrs("Route").unwrap();
    assert!(sip(&route[0].uri).has_param("lr") && sip(&route[0].uri).has_param("unknown-no-value"));
    let contacts = m.headers.contacts().unwrap();
    let c = contact(&contacts[0]);
    assert_eq!(c.display.as_deref(), Some("Quoted string \"\""));
    assert_eq!((c.param("newparam"), c.has_param("secondparam"), c.param("q")), (Some("newvalue"), true, Some("0.33")));
    assert_eq!(m.body.len(), 150);
}

#[test]
fn intmeth_a_wide_range_of_characters() {
    let m = request("intmeth");
    assert_eq!(m.method.as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    let uri = sip(&m.uri);
    assert_eq!(uri.user.as_deref(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri.password.as_deref(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(uri.host, Host::Name("example.com".into()));
    assert_eq!(m.headers.to().unwrap().display.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    let from = m.headers.from().unwrap();
    assert_eq!(from.display.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!((from.tag(), from.param("fromParam''~+*_!.-%")), (Some("_token~1'+`*%!-."), Some("работающий")));
    assert_eq!(m.headers.call_id(), Ok("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"));
    assert_eq!(m.headers.get("extensionHeader-!.%*+_`'~"), Some("\u{feff}大停電"));
    assert_eq!(m.headers.top_via().unwrap().branch(), Some("z9hG4bK-.!%66*_+`'~"));
}

#[test]
fn esc01_and_escnull_escapes_in_uris() {
    let m = request("esc01");
    let uri = sip(&m.uri);
    assert_eq!((uri.user.as_deref(), uri.password.as_deref()), (Some("sips:user@example.com"), None));
    assert_eq!(uri.host, Host::Name("example.net".into()));
    assert_eq!(sip(&m.headers.to().unwrap().uri).user.as_deref(), Some("user"));
    assert_eq!(sip(&m.headers.from().unwrap().uri).user.as_deref(), Some("I have spaces"));
    let contacts = m.headers.contacts().unwrap();
    let c = sip(&contact(&contacts[0]).uri);
    assert_eq!((c.user.as_deref(), c.has_param("lr"), c.param("name")), (Some("caller"), true, Some("value%41")));
    assert!(c.to_string().contains("name=value%2541"), "{c}");

    let m = request("escnull");
    assert_eq!(sip(&m.headers.to().unwrap().uri).user.as_deref(), Some("null-\0-null"));
    let users: Vec<_> =
        m.headers.contacts().unwrap().iter().map(|c| sip(&contact(c).uri).user.clone().unwrap()).collect();
    assert_eq!(users, ["\0", "\0\0"]);
}

#[test]
fn esc02_percent_signs_that_are_no_escapes() {
    let m = request("esc02");
    assert_eq!(m.method, Method::Extension("RE%47IST%45R".into()));
    assert_eq!(m.headers.to().unwrap().display.as_deref(), Some("%Z%45"));
    assert_eq!(m.headers.top_via().unwrap().branch(), Some("z9hG4bK209%fzsnel234"));
    assert_eq!(m.headers.contacts().unwrap().len(), 2);
    assert_eq!(m.headers.get("C%6Fntact"), Some("<sip:alias2@host2.example.com>"));
}

#[test]
fn lwsdisp_no_space_between_display_name_and_bracket() {
    let from = request("lwsdisp").headers.from().unwrap();
    assert_eq!((from.display.as_deref(), from.tag()), (Some("caller"), Some("323")));
}

#[test]
fn longreq_long_values() {
    let m = request("longreq");
    assert_eq!(m.headers.vias().unwrap().len(), 34);
    let to = m.headers.to().unwrap();
    assert_eq!(sip(&to.uri).port, Some(6000));
    assert_eq!(to.display.map(|d| d.len()), Some(103));
    assert!(m.headers.call_id().unwrap().starts_with("longreq.onereally"));
    assert_eq!(m.body.len(), 150);
}

#[test]
fn dblreq_one_request_a_datagram_two_on_a_stream() {
    let m = request("dblreq");
    assert_eq!((m.method, m.body.len()), (Method::REGISTER, 0));
    let mut reader = StreamReader::new();
    reader.push(&bytes("dblreq"));
    let mut messages = Vec::new();
    let mut rest = Vec::new();
    for item in std::iter::from_fn(|| reader.pop()) {
        match item {
            StreamItem::Message(Message::Request(request)) => messages.push((request.method, request.body.len())),
            StreamItem::Ping | StreamItem::Pong => {}
            other => rest.push(other),
        }
    }
    assert_eq!(messages, [(Method::REGISTER, 0), (Method::INVITE, 150)]);
    // The body is longer than its Content-Length; what is left over is no message.
    assert!(matches!(rest[..], [StreamItem::Broken(_)]), "{rest:?}");
}

#[test]
fn semiuri_parameters_in_the_user_part() {
    let m = request("semiuri");
    let uri = sip(&m.uri);
    assert_eq!((uri.user.as_deref(), uri.params.len()), (Some("user;par=u@example.net"), 0));
    assert_eq!(m.uri.to_string(), "sip:user;par=u%40example.net@example.com");
    assert_eq!(m.headers.tokens("Accept").len(), 6);
}

#[test]
fn transports_known_and_unknown() {
    let vias = request("transports").headers.vias().unwrap();
    let names: Vec<_> = vias.iter().map(|v| v.transport.as_str()).collect();
    assert_eq!(names, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

#[test]
fn mpart01_a_binary_body() {
    let m = request("mpart01");
    assert_eq!(m.method, Method::MESSAGE);
    assert!(std::str::from_utf8(&m.body).is_err() && m.body.contains(&0));
    assert!(m.body.ends_with(b"--7a9cbec02ceef655--\r\n"));
    assert_eq!(m.headers.number("Content-Length"), Some(m.body.len() as u32));
    let route = m.headers.name_addrs("Route").unwrap();
    assert_eq!(sip(&route[0].uri).port, Some(5080));
}

#[test]
fn unreason_and_noreason_reason_phrases() {
    let m = response("unreason");
    assert_eq!((m.code(), m.is_success()), (200, true));
    assert!(m.reason.starts_with("= 2**3 * 5**2 но сто девяносто девять"), "{}", m.reason);
    let m = response("noreason");
    assert_eq!((m.code(), m.reason.as_str()), (100, ""));
}

#[test]
fn faults_that_are_not_the_readers() {
    assert_eq!(request("baddate").headers.get("Date"), Some("Fri, 01 Jan 2010 16:00:00 EST"));
    assert_eq!(request("badbranch").headers.top_via().unwrap().branch(), Some("z9hG4bK"));
    // For 416 (RFC 4475 §3.3.2, §3.3.3).
    for (name, scheme) in [("unkscm", "nobodyKnowsThisScheme"), ("novelsc", "soap.beep")] {
        assert!(matches!(request(name).uri, Uri::Other { scheme: s, .. } if s == scheme), "{name}");
    }
    let m = request("unksm2");
    assert_eq!(m.headers.to().unwrap().uri.to_string(), "isbn:2983792873");
    assert_eq!(m.headers.from().unwrap().uri.to_string(), "http://www.example.com");
    assert_eq!(contact(&m.headers.contacts().unwrap()[0]).uri.to_string(), "name:John_Smith");
    // For 420.
    let m = request("bext01");
    assert_eq!(m.headers.tokens("Require"), ["nothingSupportsThis", "nothingSupportsThisEither"]);
    assert_eq!(m.headers.tokens("Proxy-Require").len(), 2);
    // For 415 and 406.
    assert_eq!(request("invut").headers.get("Content-Type"), Some("application/unknownformat"));
    assert_eq!(request("sdp01").headers.tokens("Accept"), ["text/nobodyKnowsThis"]);
    assert_eq!(request("zeromf").headers.number("Max-Forwards"), Some(0));
}

#[test]
fn cparam_and_regescrt_whose_parameters_they_are() {
    let contacts = request("cparam01").headers.contacts().unwrap();
    assert!(contact(&contacts[0]).has_param("unknownparam") && sip(&contact(&contacts[0]).uri).params.is_empty());
    let contacts = request("cparam02").headers.contacts().unwrap();
    assert!(contact(&contacts[0]).params.is_empty() && sip(&contact(&contacts[0]).uri).has_param("unknownparam"));
    let contacts = request("regescrt").headers.contacts().unwrap();
    assert_eq!(sip(&contact(&contacts[0]).uri).headers, [("Route".to_owned(), "<sip:sip.example.com>".to_owned())]);
}

#[test]
fn inv2543_before_rfc_3261() {
    let m = request("inv2543");
    assert_eq!((m.headers.from().unwrap().tag(), m.headers.top_via().unwrap().branch()), (None, None));
    assert!(m.body.starts_with(b"v=0\r\n") && m.body.ends_with(b"m=audio 49217 RTP/AVP 0\r\n"));
    // Without brackets the parameter is the header's, as the RFC says of it.
    assert_eq!(m.headers.to().unwrap().param("user"), Some("phone"));
}

#[test]
fn what_was_read_is_written_back_the_same() {
    for (name, _) in super::MESSAGES {
        let Ok(mut sent) = read(&bytes(name)) else { continue };
        let mut back = read(&write(&sent)).unwrap_or_else(|e| panic!("{name}: {e}"));
        for message in [&mut sent, &mut back] {
            match message {
                Message::Request(r) => r.headers.remove("Content-Length"),
                Message::Response(r) => r.headers.remove("Content-Length"),
            }
        }
        assert_eq!(sent, back, "{name}");
    }
}
