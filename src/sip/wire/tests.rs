use super::*;
use crate::sip::{
    msg::{Message, Method, Request, Response},
    uri::Host,
};

const HEAD: &str = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\n\
                    To: <sip:b@example.com>\r\nCall-ID: x\r\n";

fn request(method: &str, more: &str) -> Vec<u8> {
    format!("{method} sip:b@example.com SIP/2.0\r\n{HEAD}CSeq: 1 {method}\r\n{more}").into_bytes()
}

fn read_request(bytes: &[u8]) -> Request {
    match read(bytes) {
        Ok(Message::Request(request)) => request,
        other => panic!("{}: {other:?}", String::from_utf8_lossy(bytes)),
    }
}

fn answer(bytes: &[u8]) -> Response {
    match read(bytes) {
        Err(ReadError::Answer(response)) => *response,
        other => panic!("{}: {other:?}", String::from_utf8_lossy(bytes)),
    }
}

#[test]
fn bodies_are_framed_by_content_length() {
    assert_eq!(read_request(&request("INFO", "Content-Length: 3\r\n\r\nabcdef")).body, b"abc");
    let mut binary = request("INFO", "\r\n");
    binary.extend(b"\xff\0\r\n\r\n");
    assert_eq!(read_request(&binary).body, b"\xff\0\r\n\r\n");
    assert_eq!(read_request(&request("INFO", "l: 0\r\n\r\nabc")).body, b"");
    for bad in ["l: 4\r\n\r\nabc", "l: -1\r\n\r\nabc", "l: 1\r\nl: 1\r\n\r\nabc", "l: 99999999999999999999\r\n\r\nabc"]
    {
        assert_eq!(answer(&request("INFO", bad)).code(), 400, "{bad}");
    }
}

#[test]
fn line_ends_folds_and_compact_names() {
    let crlf = request("INVITE", "s :\r\n  one\r\n\ttwo  \r\nM: <sip:c@d>\r\nx-odd:a\rb\r\n\r\n");
    let lf: Vec<u8> = crlf.iter().copied().filter(|&b| b != b'\r').collect();
    let mut leading = b"\r\n\r\n".to_vec();
    leading.extend(&crlf);
    for bytes in [&crlf, &lf, &leading] {
        let request = read_request(bytes);
        assert_eq!(request.method, Method::INVITE);
        assert_eq!(request.headers.get("Subject"), Some("one two"));
        assert_eq!(request.headers.contacts().unwrap().len(), 1);
        assert!(!request.headers.get("x-odd").unwrap().contains('\r'));
    }
}

#[test]
fn keep_alives_and_foreign_bytes() {
    for keep_alive in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0\0\0\0"] {
        assert_eq!(read(keep_alive), Err(ReadError::KeepAlive));
    }
    for foreign in
        [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"hello", b"\xff\xfe\xfd", b"SIP/2.0", b"SIP/2.0 99 x\r\n\r\n"]
    {
        assert!(matches!(read(foreign), Err(ReadError::Drop(_))), "{foreign:?}");
    }
}

#[test]
fn the_answer_says_what_is_wrong_and_who_asked() {
    let response = answer(&request("OPTIONS", "Contact: <sip:a@b\r\n\r\n"));
    assert_eq!(response.code(), 400);
    assert!(response.reason.starts_with("the Contact header cannot be read"), "{}", response.reason);
    assert_eq!(response.headers.top_via().unwrap().branch(), Some("z9hG4bK1"));
    assert!(response.headers.to().unwrap().tag().is_some());
    assert_eq!(response, answer(&request("OPTIONS", "Contact: <sip:a@b\r\n\r\n")));
}

#[test]
fn an_invalid_ack_or_response_is_dropped() {
    assert!(matches!(read(&request("ACK", "Contact: <\r\n\r\n")), Err(ReadError::Drop(_))));
    assert!(matches!(read(b"OPTIONS sip:a@b SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n"), Err(ReadError::Drop(_))));
    assert!(matches!(read(b"SIP/2.0 200 OK\r\nCSeq: 1 OPTIONS\r\n\r\n"), Err(ReadError::Drop(_))));
}

#[test]
fn limits_are_answered() {
    let long = format!("OPTIONS sip:{}@b SIP/2.0\r\n{HEAD}CSeq: 1 OPTIONS\r\n\r\n", "x".repeat(MAX_URI));
    assert_eq!(answer(long.as_bytes()).code(), 414);
    let many = request("OPTIONS", &format!("{}\r\n", "X: y\r\n".repeat(MAX_HEADERS)));
    assert_eq!(answer(&many).code(), 513);
    assert_eq!(answer(&request("OPTIONS", "X: y\r\n")).reason, "no empty line ends the header fields");
}

#[test]
fn what_is_not_utf_8_is_read_as_latin_1() {
    let mut bytes = request("OPTIONS", "Subject: Gr\u{fc}n\r\nX-Name: ");
    bytes.extend(b"Gr\xfcn\r\n\r\n");
    let request = read_request(&bytes);
    assert_eq!(request.headers.get("Subject"), Some("Grün"));
    assert_eq!(request.headers.get("X-Name"), Some("Grün"));
}

/// IPv6 in every place where RFC 5118 puts it, and where it is wrong.
#[test]
fn ipv6_addresses() {
    let with = |uri: &str, via: &str, more: &str| {
        format!(
            "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK1\r\nFrom: <sip:a@[2001:db8::1]>;tag=1\r\n\
             To: <sip:a@example.com>\r\nCall-ID: x@[2001:db8::20]\r\nCSeq: 1 REGISTER\r\n{more}\r\n"
        )
        .into_bytes()
    };
    for (uri, host, port) in [
        ("sip:[2001:db8::10]", "2001:db8::10", None),
        ("sip:[2001:db8::10]:5070", "2001:db8::10", Some(5070)),
        // The port stands inside: it is part of the address.
        ("sip:[2001:db8::10:5070]", "2001:db8::10:5070", None),
        ("sip:user@[::ffff:192.0.2.10]:19823", "::ffff:192.0.2.10", Some(19823)),
    ] {
        let via = "[2001:db8::9:1]:5060;received=[2001:db8::9:255]";
        let request = read_request(&with(uri, via, "Contact: <sip:a@[2001:db8::9:1]>\r\n"));
        let sip = request.uri.as_sip().unwrap();
        assert_eq!((&sip.host, sip.port), (&Host::Ip(host.parse().unwrap()), port), "{uri}");
        let top = request.headers.top_via().unwrap();
        assert_eq!((top.host.as_str(), top.port), ("[2001:db8::9:1]", Some(5060)));
        assert_eq!(top.param("received"), Some("[2001:db8::9:255]"));
    }
    let bare = read_request(&with("sip:a", "[2001:db8::9:1];received=2001:db8::9:255", ""));
    assert_eq!(bare.headers.top_via().unwrap().param("received"), Some("2001:db8::9:255"));
    for (uri, via) in
        [("sip:2001:db8::10", "a"), ("sip:[2001:db8:::1]", "a"), ("sip:a", "2001:db8::9:1"), ("sip:a", "[x]")]
    {
        assert_eq!(answer(&with(uri, via, "")).code(), 400, "{uri} {via}");
    }
}

#[test]
fn written_messages_read_back() {
    let sent = read_request(&request("INVITE", "Contact: <sip:a@[2001:db8::1]:5070;ob>\r\n\r\nv=0"));
    let bytes = write_request(&sent);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("INVITE sip:b@example.com SIP/2.0\r\nVia: "), "{text}");
    let mut back = read_request(&bytes);
    assert_eq!(back.headers.get("Content-Length"), Some(sent.body.len().to_string().as_str()));
    back.headers.remove("Content-Length");
    assert_eq!(back, sent);
    let busy = Response::to(&sent, 486, Some("9"));
    let bytes = write_response(&busy);
    assert!(bytes.starts_with(b"SIP/2.0 486 Busy Here\r\n") && bytes.ends_with(b"Content-Length: 0\r\n\r\n"));
    let Ok(Message::Response(back)) = read(&bytes) else { panic!("{}", String::from_utf8_lossy(&bytes)) };
    assert_eq!((back.code(), back.headers.to().unwrap().tag()), (486, Some("9")));
}

/// A device may register a Contact with header fields (RFC 4475 §3.3.14); a request to it still has to be a request.
#[test]
fn a_request_uri_is_written_without_header_fields() {
    let mut request = read_request(&request("INVITE", "\r\n"));
    request.uri = "sip:user@example.com;lr?Route=%3Csip:sip.example.com%3E".parse().unwrap();
    assert_eq!(read_request(&write_request(&request)).uri.to_string(), "sip:user@example.com;lr");
}

#[test]
fn no_value_breaks_a_line() {
    let mut response = Response::new(200);
    response.reason = "OK\r\nX: injected".into();
    response.headers.push("Subject", "a\r\nY: injected\n\n");
    assert_eq!(
        String::from_utf8(write_response(&response)).unwrap(),
        "SIP/2.0 200 OK  X: injected\r\nSubject: a  Y: injected  \r\nContent-Length: 0\r\n\r\n"
    );
}

/// Everything that pops out of `bytes` pushed in pieces of `piece`.
fn items(bytes: &[u8], piece: usize) -> Vec<StreamItem> {
    let mut reader = StreamReader::new();
    let mut items = Vec::new();
    for chunk in bytes.chunks(piece) {
        reader.push(chunk);
        items.extend(std::iter::from_fn(|| reader.pop()));
    }
    items
}

#[test]
fn a_stream_is_cut_the_same_however_it_comes() {
    let first = request("INFO", "Content-Length: 5\r\n\r\nab\r\n\r");
    let second = request("OPTIONS", "l: 0\r\n\r\n");
    let unreadable = request("OPTIONS", "Contact: <\r\nl: 0\r\n\r\n");
    let unframed = request("OPTIONS", "\r\n");
    let mut stream = first.clone();
    for part in [&b"\r\n\r\n\r\n"[..], &second, b"\r\n\r\n", b"\n", &unreadable, &second, &unframed, &second] {
        stream.extend_from_slice(part);
    }
    let whole = items(&stream, stream.len());
    let message = |bytes: &[u8]| StreamItem::Message(read(bytes).unwrap());
    let Some(StreamItem::Broken(ReadError::Answer(last))) = whole.last() else { panic!("{whole:?}") };
    assert_eq!(last.reason, "on a stream Content-Length is required");
    assert_eq!(
        whole[..whole.len() - 1],
        [
            message(&first),
            StreamItem::Ping,
            StreamItem::Pong,
            message(&second),
            StreamItem::Ping,
            StreamItem::Unreadable(read(&unreadable).unwrap_err()),
            message(&second),
        ]
    );
    for piece in [1, 2, 3, 7, 64] {
        let mut cut = items(&stream, piece);
        // Of a ping in two pieces the first is told as a pong.
        let halves = |at: usize| cut[at] == StreamItem::Pong && cut.get(at + 1) == Some(&StreamItem::Ping);
        let halves: Vec<_> = (0..cut.len()).filter(|at| halves(*at)).collect();
        halves.iter().rev().for_each(|at| drop(cut.remove(*at)));
        assert_eq!(cut, whole, "pieces of {piece}");
    }
}

#[test]
fn a_stream_without_end_is_given_up() {
    let endless = request("OPTIONS", &"X-Pad: 0123456789\r\n".repeat(4000));
    let got = items(&endless, 1000);
    assert!(matches!(&got[..], [StreamItem::Broken(ReadError::Answer(r))] if r.code() == 513), "{got:?}");
    let got = items(&request("OPTIONS", "Content-Length: 65536\r\n\r\n"), 1000);
    assert!(matches!(&got[..], [StreamItem::Broken(ReadError::Answer(r))] if r.code() == 513), "{got:?}");
    let got = items(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nmore", 1000);
    assert!(matches!(&got[..], [StreamItem::Broken(ReadError::Drop(_))]), "{got:?}");
    let mut reader = StreamReader::new();
    reader.push(&[b'x'; 70_000]);
    assert!(matches!(reader.pop(), Some(StreamItem::Broken(_))));
    reader.push(&second_message());
    assert_eq!(reader.pop(), None);
}

fn second_message() -> Vec<u8> {
    request("OPTIONS", "l: 0\r\n\r\n")
}
