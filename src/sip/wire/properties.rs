//! What must hold for any bytes and any message: nothing panics, what was read is written back the same, a stream is cut
//! the same however it comes, and memory has a bound.

use super::*;
use crate::{
    properties::config,
    sip::{
        auth::{Asker, ClientAuth, Credentials, ServerAuth},
        digest::Algorithm,
        entropy::Entropy,
        msg::{Headers, Message, Method, Request, Response},
        uri::{Host, NameAddr, SipUri, Uri},
    },
};
use proptest::{
    prelude::*,
    sample::{Index, select},
};
use std::{fs, path::Path, sync::LazyLock, time::Duration};

/// The torture messages: rich in what a reader can trip over.
static CORPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folders = ["rfc4475", "rfc5118"].map(|folder| fs::read_dir(fixtures.join(folder)).unwrap());
    let mut files: Vec<_> = folders.into_iter().flatten().map(|f| f.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
});

/// Pieces that mean something to the reader, to be put where they do not belong.
const PIECES: [&str; 24] = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\r\n ",
    "\"",
    "<",
    ">",
    ",",
    ";",
    "=",
    ":",
    "%",
    "\\",
    "\0",
    " ",
    "SIP/2.0",
    "sip:",
    "[::1]",
    "Content-Length: 5\r\n",
    "l: 99999999999\r\n",
    "*",
    "/",
    "é",
];

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<Index>(), 0..4u8, any::<u8>(), select(&PIECES[..]));
    (any::<Index>(), prop::collection::vec(change, 0..6)).prop_map(|(message, changes)| {
        let mut bytes = message.get(&CORPUS).clone();
        for (at, other, kind, byte, piece) in changes {
            let at = at.index(bytes.len() + 1);
            match kind {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] = byte,
                2 => drop(bytes.splice(at..at, piece.bytes())),
                // Doubles or moves a stretch.
                _ => {
                    let stretch = bytes[other.index(at + 1)..at].to_vec();
                    let to = other.index(bytes.len() + 1);
                    bytes.splice(to..to, stretch);
                }
            }
        }
        bytes
    })
}

/// Everything a reader of headers may ask for.
fn ask_everything(headers: &Headers) {
    let _ = (headers.vias(), headers.top_via(), headers.from(), headers.to(), headers.cseq(), headers.contacts());
    for (name, _) in headers.iter() {
        let _ = (headers.name_addrs(name), headers.tokens(name), headers.number(name), headers.get(name));
    }
    let mut edited = headers.clone();
    edited.pop_via();
    edited.pop_routes(1);
}

/// Without Content-Length, which the writer counts itself.
fn bare(mut message: Message) -> Message {
    match &mut message {
        Message::Request(r) => r.headers.remove("Content-Length"),
        Message::Response(r) => r.headers.remove("Content-Length"),
    }
    message
}

fn user() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9+*#-]{1,15}", "[a-z0-9._~-]{1,20}", "\\PC{1,12}"]
}

fn token() -> impl Strategy<Value = String> {
    "[a-z0-9.!%*_+`'~-]{1,12}"
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        "[a-z0-9][a-z0-9.-]{0,20}".prop_map(|name| name.parse().unwrap()),
        any::<[u8; 4]>().prop_map(|a| Host::Ip(a.into())),
        any::<[u8; 16]>().prop_map(|a| Host::Ip(a.into())),
    ]
}

fn sip_uri() -> impl Strategy<Value = Uri> {
    let params = prop::collection::vec((token(), prop::option::of("\\PC{1,8}")), 0..4);
    let headers = prop::collection::vec((token(), "\\PC{0,8}"), 0..3);
    let userinfo = prop::option::of((user(), prop::option::of("\\PC{1,8}")));
    (any::<bool>(), userinfo, host(), prop::option::of(any::<u16>()), params, headers).prop_map(
        |(secure, userinfo, host, port, params, headers)| {
            let (user, password) = userinfo.map_or((None, None), |(user, password)| (Some(user), password));
            Uri::Sip(SipUri { secure, user, password, host, port, params, headers })
        },
    )
}

fn name_addr() -> impl Strategy<Value = NameAddr> {
    let params = prop::collection::vec((token(), prop::option::of(token())), 0..3);
    let uri = prop_oneof![4 => sip_uri(), 1 => Just("tel:+27-21-555;x=y".parse().unwrap()), 1 => Just("urn:service:sos".parse().unwrap())];
    (prop::option::of("\\PC{0,12}"), uri, params).prop_map(|(display, uri, params)| NameAddr { display, uri, params })
}

fn message() -> impl Strategy<Value = Message> {
    let extra = prop::collection::vec((token().prop_map(|t| format!("X-{t}")), "[!-~]([ -~é€]{0,30}[!-~])?"), 0..6);
    let start = prop_oneof![
        ("[A-Z]{1,10}", sip_uri()).prop_map(|(method, mut uri)| {
            if let Uri::Sip(sip) = &mut uri {
                sip.headers.clear();
            }
            Ok((Method::from_token(&method), uri))
        }),
        (100..700u16, "\\PC{0,20}").prop_map(Err),
    ];
    (start, name_addr(), name_addr(), extra, prop::collection::vec(any::<u8>(), 0..200), 0..1u32 << 31).prop_map(
        |(start, from, to, extra, body, number)| {
            let mut headers = Headers::new();
            headers.push("Via", "SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK1;rport");
            headers.push("From", from.to_string());
            headers.push("To", to.to_string());
            headers.push("Call-ID", "a84b4c76e66710");
            let method = start.as_ref().map_or("OPTIONS", |(method, _)| method.as_str());
            headers.push("CSeq", format!("{number} {method}"));
            extra.into_iter().for_each(|(name, value)| headers.push(&name, value));
            match start {
                Ok((method, uri)) => Message::Request(Request { method, uri, headers, body }),
                Err((code, reason)) => Message::Response(Response { reason, headers, body, ..Response::new(code) }),
            }
        },
    )
}

/// What pops out when `bytes` come in pieces of these lengths, over and over, and how much was held at most.
fn pop_all(bytes: &[u8], pieces: &[usize]) -> (Vec<StreamItem>, usize) {
    let (mut reader, mut items, mut held, mut rest) = (StreamReader::new(), Vec::new(), 0, bytes);
    for &piece in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(piece.min(rest.len()));
        rest = later;
        reader.push(now);
        items.extend(std::iter::from_fn(|| reader.pop()));
        held = held.max(reader.held());
    }
    (items, held)
}

proptest! {
    #![proptest_config(config(4000, 4475))]

    #[test]
    fn mutated_messages_never_panic_and_read_back_as_written(bytes in mutated()) {
        match read(&bytes) {
            Ok(message) => {
                ask_everything(message.headers());
                let again = read(&write(&message)).unwrap();
                prop_assert_eq!(bare(again), bare(message));
            }
            Err(ReadError::Answer(answer)) => {
                prop_assert!((400..=513).contains(&answer.code()));
                let written = write_response(&answer);
                prop_assert!(written.ends_with(b"Content-Length: 0\r\n\r\n"));
            }
            Err(ReadError::Drop(_) | ReadError::KeepAlive) => {}
        }
    }
}

proptest! {
    #![proptest_config(config(500, 4475))]

    #[test]
    fn any_message_is_read_as_it_was_written(message in message()) {
        let written = write(&message);
        let mut trimmed = message;
        if let Message::Response(response) = &mut trimmed {
            // The reason is text up to the line end; nothing else is trimmed.
            response.reason = response.reason.replace(['\r', '\n'], " ");
        }
        prop_assert_eq!(read(&written).map(bare), Ok(trimmed));
    }

    #[test]
    fn any_address_is_read_as_it_was_written(address in name_addr()) {
        prop_assert_eq!(address.to_string().parse::<NameAddr>(), Ok(address.clone()));
        prop_assert!(address.uri.equivalent(&address.uri.to_string().parse().unwrap()));
    }

    #[test]
    fn a_stream_is_cut_the_same_however_it_comes(
        messages in prop::collection::vec(prop_oneof![mutated(), message().prop_map(|m| write(&m))], 1..4),
        pieces in prop::collection::vec(1..100usize, 1..5),
    ) {
        let stream = messages.concat();
        let (whole, _) = pop_all(&stream, &[stream.len().max(1)]);
        let (pieced, held) = pop_all(&stream, &pieces);
        prop_assert_eq!(whole, pieced);
        prop_assert!(held <= 2 * MAX_MESSAGE);
    }

    #[test]
    fn any_bytes_cost_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (read(&bytes), pop_all(&bytes, &[7]));
        let text = String::from_utf8_lossy(&bytes);
        let _ = (text.parse::<Uri>(), text.parse::<NameAddr>(), text.parse::<crate::sip::msg::Via>());
    }

    #[test]
    fn any_challenge_or_credentials_cost_no_panic(
        words in prop::collection::vec(
            prop_oneof![
                select(&PIECES[..]).prop_map(str::to_owned),
                select(vec!["Digest ", "realm=", "\"a\"", "nonce=", "qop=", "auth", "algorithm=", "MD5", "uri=", "nc=", "response=", "username=", "cnonce="])
                    .prop_map(str::to_owned),
                "\\PC{0,5}",
            ],
            0..30,
        )
    ) {
        let (value, mut entropy, now) = (words.concat(), Entropy::from_seed(1), std::time::Instant::now());
        let mut request = Request {
            method: Method::REGISTER,
            uri: "sip:a".parse().unwrap(),
            headers: Headers::new(),
            body: Vec::new(),
        };
        request.headers.push("Authorization", value.clone());
        let mut challenge = Response::new(401);
        challenge.headers.push("WWW-Authenticate", value);
        let credentials = Credentials { username: "u".into(), password: "p".into() };
        let mut client = ClientAuth::new(credentials);
        let _ = client.handle_challenge(&request, &challenge, &mut entropy);
        let mut server = ServerAuth::new(now, vec![Algorithm::MD5], Duration::from_secs(1), &mut entropy);
        if let Some(pending) = server.credentials(&request, Asker::Server, "a") {
            server.verify(now, &request, &pending, None);
        }
        client.authorize(&mut request);
    }
}

#[test]
fn endless_input_is_held_within_the_bound() {
    for line in ["x", "X-Pad: 1\r\n", "\r\n", "INVITE sip:a@b SIP/2.0\r\nl: 65000\r\nVia: SIP/2.0/UDP a\r\n"] {
        let (_, held) = pop_all(line.repeat(300_000 / line.len()).as_bytes(), &[1000]);
        assert!(held <= 2 * MAX_MESSAGE, "{line}: {held}");
    }
}
