use super::*;

fn headers(fields: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.push(name, *value);
    }
    headers
}

#[test]
fn names_compare_without_case_and_order_is_kept() {
    let mut h = headers(&[("vIA", "1"), ("X-Thing", "a"), ("Route", "<sip:r>"), ("via", "2"), ("x-thing", "b")]);
    assert_eq!(h.get("x-THING"), Some("a"));
    assert_eq!(h.get_all("Via").collect::<Vec<_>>(), ["1", "2"]);
    h.push_front("Via", "0");
    assert_eq!(h.get("via"), Some("0"));
    h.set("X-Thing", "c");
    h.remove("route");
    assert_eq!(h.iter().collect::<Vec<_>>(), [("Via", "0"), ("Via", "1"), ("X-Thing", "c"), ("Via", "2")]);
    assert!(!h.contains("Route"));
}

#[test]
fn vias_in_fields_and_lists() {
    let mut h = headers(&[
        ("Via", "SIP  /   2.0 /UDP     192.0.2.2;branch=390skdjuw"),
        (
            "Via",
            "SIP/2.0/TCP spindle.example.com : 5070 ;  branch  =   z9hG4bK9ikj8  , SIP/2.0/UDP [2001:db8::9]:5060;received=2001:db8::1;rport",
        ),
    ]);
    let vias = h.vias().unwrap();
    assert_eq!(vias.len(), 3);
    assert_eq!((vias[0].transport.as_str(), vias[0].host.as_str(), vias[0].port), ("UDP", "192.0.2.2", None));
    assert_eq!((vias[1].branch(), vias[1].port), (Some("z9hG4bK9ikj8"), Some(5070)));
    assert_eq!((vias[2].host.as_str(), vias[2].port), ("[2001:db8::9]", Some(5060)));
    assert!(vias[2].has_param("rport") && vias[2].param("received") == Some("2001:db8::1"));
    h.pop_via();
    assert_eq!(h.top_via().unwrap(), vias[1]);
    let mut top = vias[1].clone();
    top.set_param("received", Some("192.0.2.7"));
    h.set_top_via(&top);
    assert_eq!(h.vias().unwrap(), [top, vias[2].clone()]);
    h.pop_via();
    h.pop_via();
    assert_eq!(h.vias(), Err(HeaderError::Missing("Via")));
}

#[test]
fn lists_numbers_and_tokens() {
    let h = headers(&[
        ("Contact", r#""a, b" <sip:a@b>;q=0.5, <sip:c,e@d>"#),
        ("Contact", "*"),
        ("Supported", "path, ,outbound"),
        ("Supported", "gruu"),
        ("Retry-After", "18000;duration=3600"),
        ("Expires", "99999999999"),
        ("Min-Expires", "soon"),
    ]);
    let contacts = h.contacts().unwrap();
    assert_eq!(contacts.len(), 3);
    assert!(
        matches!(&contacts[0], Contact::Addr(a) if a.display.as_deref() == Some("a, b") && a.param("Q") == Some("0.5"))
    );
    assert_eq!(contacts[2], Contact::Star);
    assert_eq!(h.tokens("supported"), ["path", "outbound", "gruu"]);
    assert_eq!(h.number("Retry-After"), Some(18000));
    assert_eq!(h.number("Expires"), Some(u32::MAX));
    assert_eq!(h.number("Min-Expires"), None);
    assert_eq!(h.number("Max-Forwards"), None);
}

#[test]
fn errors_name_the_header() {
    let h = headers(&[("CSeq", "36893488147419103232 REGISTER"), ("Call-ID", "")]);
    assert_eq!(h.from().unwrap_err().to_string(), "the From header is missing");
    assert!(h.cseq().unwrap_err().to_string().starts_with("the CSeq header cannot be read: "));
    assert!(h.call_id().is_err());
    assert!(headers(&[("CSeq", "1")]).cseq().is_err());
    assert_eq!(headers(&[("CSeq", "0009  INVITE")]).cseq(), Ok(CSeq { number: 9, method: Method::INVITE }));
}

#[test]
fn a_response_copies_what_identifies_the_request() {
    let request = Request {
        method: Method::INVITE,
        uri: "sip:b@example.com".parse().unwrap(),
        headers: headers(&[
            ("Via", "SIP/2.0/UDP a;branch=z9hG4bK1"),
            ("Via", "SIP/2.0/UDP b;branch=z9hG4bK2"),
            ("From", "<sip:a@example.com>;tag=1"),
            ("To", "sip:b@example.com"),
            ("Call-ID", "x"),
            ("CSeq", "1 INVITE"),
            ("Timestamp", "54"),
            ("Contact", "<sip:a@a>"),
        ]),
        body: b"v=0".to_vec(),
    };
    let ringing = Response::to(&request, 180, Some("2"));
    assert_eq!((ringing.code(), ringing.reason.as_str()), (180, "Ringing"));
    assert_eq!(ringing.headers.get_all("Via").count(), 2);
    assert_eq!(ringing.headers.to().unwrap().tag(), Some("2"));
    assert!(!ringing.headers.contains("Contact") && !ringing.headers.contains("Timestamp") && ringing.body.is_empty());
    let trying = Response::to(&request, 100, None);
    assert_eq!(trying.headers.get("Timestamp"), Some("54"));
    assert_eq!(trying.headers.to().unwrap().tag(), None);
    assert_eq!((Response::new(499).reason.as_str(), Response::new(499).code()), ("Request Failure", 499));
}

#[test]
fn methods_are_case_sensitive() {
    for name in ["INVITE", "PRACK", "invite", "X-Method"] {
        assert_eq!(Method::from_token(name).as_str(), name);
    }
    assert_eq!(Method::from_token("ACK"), Method::ACK);
    assert_ne!(Method::from_token("ack"), Method::ACK);
}
