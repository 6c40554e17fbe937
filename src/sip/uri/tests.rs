use super::*;

fn sip(s: &str) -> SipUri {
    match s.parse() {
        Ok(Uri::Sip(uri)) => uri,
        other => panic!("{s}: {other:?}"),
    }
}

#[test]
fn sip_uris_read_and_write_back() {
    for same in [
        "sip:alice@atlanta.com",
        "sip:alice:secretword@atlanta.com;transport=tcp",
        "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:+1-212-555-1212:1234@gateway.com;user=phone",
        "sips:1212@gateway.com",
        "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
        "sip:alice;day=tuesday@atlanta.com",
        "sip:[2001:db8::10]",
        "sip:user@[2001:db8::9:1]:5070;lr",
        "sip:192.0.2.1:5060;transport=udp;ob",
        "sip:100-acme@acme",
        "sip:sips%3Auser%40example.com@example.net",
        "tel:+27-21-555-0142",
        "tel:863-1234;phone-context=+1-914-555",
        "urn:service:sos",
        "http://www.example.com/a?b=c",
    ] {
        assert_eq!(same.parse::<Uri>().unwrap().to_string(), same);
    }
}

#[test]
fn the_parts_of_a_sip_uri() {
    let uri = sip("sip:a%20b:p%40w@Example.COM:5070;Transport=TCP;lr;%6C%72x=v%61lue%25%34%31?Replaces=1%3Bto-tag%3D2");
    assert_eq!(uri.user.as_deref(), Some("a b"));
    assert_eq!(uri.password.as_deref(), Some("p@w"));
    assert_eq!(uri.host, Host::Name("example.com".into()));
    assert_eq!(uri.port, Some(5070));
    assert_eq!(uri.param("transport"), Some("TCP"));
    assert!(uri.has_param("LR") && uri.param("lr").is_none());
    assert_eq!(uri.param("lrx"), Some("value%41"));
    assert_eq!(uri.headers, [("Replaces".to_owned(), "1;to-tag=2".to_owned())]);
}

#[test]
fn what_is_no_uri_is_refused() {
    for bad in [
        "",
        "sip",
        "sip:",
        ":x",
        "1x:y",
        "sip:@host",
        "sip:user@",
        "sip:user@host:",
        "sip:user@host:99999",
        "sip:user@host:5o60",
        "sip:2001:db8::10",
        "sip:[2001:db8::10",
        "sip:[::g]",
        "sip:user@ho st",
        "sip:user@host;",
        "sip:user@host;;lr",
        "sip:%zz@host",
        "sip:%ff@host",
        "<sip:user@host>",
        "tel:",
        "tel:hello",
        "tel:123;",
        "urn:",
    ] {
        assert!(bad.parse::<Uri>().is_err(), "{bad}");
    }
}

#[test]
fn equivalence_follows_the_examples_of_rfc_3261() {
    let same = [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
        ("URN:service:sos", "urn:service:sos"),
    ];
    let different = [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("tel:123;phone-context=a", "tel:123"),
        ("sip:a@b", "tel:1"),
    ];
    for (list, expected) in [(&same[..], true), (&different[..], false)] {
        for (a, b) in list {
            let (x, y): (Uri, Uri) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(x.equivalent(&y), expected, "{a} {b}");
            assert_eq!(y.equivalent(&x), expected, "{b} {a}");
        }
    }
}

#[test]
fn name_addrs_in_every_form() {
    let cases: [(&str, Option<&str>, &str, Option<&str>); 8] = [
        (
            r#""J Rosenberg \\\"" <sip:jdrosen@example.com> ; tag = 98"#,
            Some(r#"J Rosenberg \""#),
            "sip:jdrosen@example.com",
            Some("98"),
        ),
        ("caller<sip:caller@example.com>;tag=323", Some("caller"), "sip:caller@example.com", Some("323")),
        ("sip:+16505552222@ss1.example.net;user=phone;tag=1", None, "sip:+16505552222@ss1.example.net", Some("1")),
        ("<sip:a@b;transport=tcp;lr>;TAG=x", None, "sip:a@b;transport=tcp;lr", Some("x")),
        (r#""" <sip:a@b>"#, Some(""), "sip:a@b", None),
        (r#""<not this>" <tel:+123>"#, Some("<not this>"), "tel:+123", None),
        ("Jürgen Groß (Büro) <sip:a@b>", Some("Jürgen Groß (Büro)"), "sip:a@b", None),
        (r#"sip:a@b;+sip.instance="<urn:uuid:0>""#, None, "sip:a@b", None),
    ];
    for (text, display, uri, tag) in cases {
        let read: NameAddr = text.parse().unwrap();
        assert_eq!(read.display.as_deref(), display, "{text}");
        assert_eq!(read.uri.to_string(), uri, "{text}");
        assert_eq!(read.tag(), tag, "{text}");
        assert_eq!(read.to_string().parse::<NameAddr>().unwrap(), read, "{text}");
    }
}

#[test]
fn an_instance_id_keeps_its_quotes() {
    let text = r#"<sip:a@b>;+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>";reg-id=1"#;
    let read: NameAddr = text.parse().unwrap();
    assert_eq!(read.param("+sip.instance"), Some("<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"));
    assert_eq!(read.to_string(), text);
}

#[test]
fn what_is_no_name_addr_is_refused() {
    for bad in [
        "",
        r#""Mr. J. User <sip:j.user@example.com>"#,
        "Bell, Alexander <sip:a.g.bell@example.com>",
        "< sip:t.watson@example.org >",
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
        r#""Joe" <sip:joe@example.org>;;;;"#,
        "<sip:a@b",
        "<sip:a@b> x",
        r#""a" sip:a@b"#,
    ] {
        assert!(bad.parse::<NameAddr>().is_err(), "{bad}");
    }
}
