//! How many SIP messages a core reads, writes and authenticates in a second: `cargo bench --bench sip_messages`,
//! `-- --smoke` for a glance.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use agent_manager::sip::{
    auth::{ClientAuth, Credentials},
    entropy::Entropy,
    msg::{Message, Request, Response},
    wire::{StreamReader, read, write},
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const INVITE: &str = "INVITE sip:600@acme SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK3d9c5b1f0a7e4c62;rport\r
Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3-111\r
Max-Forwards: 70\r
From: \"Agent 100\" <sip:100-acme@acme>;tag=8f1d2c3b4a596877\r
To: <sip:600@acme>\r
Call-ID: 1f2e3d4c5b6a79880123456789abcdef\r
CSeq: 4711 INVITE\r
Contact: <sip:100-acme@192.0.2.1:5062;ob>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"\r
Record-Route: <sip:192.0.2.100;lr>, <sip:192.0.2.101;lr;transport=tcp>\r
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE\r
Supported: path, outbound, replaces\r
User-Agent: Agent Manager\r
Content-Type: application/sdp\r
Content-Length: 150\r
\r
v=0\r
o=mhandley 29739 7272939 IN IP4 192.0.2.1\r
s=-\r
c=IN IP4 192.0.2.1\r
t=0 0\r
m=audio 49217 RTP/AVP 0 12\r
m=video 3227 RTP/AVP 31\r
a=rtpmap:31 LPC\r
";

fn main() {
    let message = read(INVITE.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
    let Message::Request(request) = &message else { panic!("an INVITE is a request") };
    measure("read", || read(black_box(INVITE.as_bytes())));
    measure("write", || write(black_box(&message)));
    measure("look at what a transaction needs", || identity(black_box(request)));
    measure("answer", || write(&Message::Response(Response::to(black_box(request), 180, Some("8f1d2c3b")))));
    let stream = INVITE.repeat(10);
    measure("cut ten out of a stream", || cut(black_box(stream.as_bytes())));
    let mut client = challenged(request);
    let mut authorized = request.clone();
    measure("authorize with SHA-256", || client.authorize(black_box(&mut authorized)));
}

fn measure<T>(what: &str, mut work: impl FnMut() -> T) {
    let smoke = std::env::args().any(|a| a == "--smoke");
    let enough = Duration::from_millis(if smoke { 10 } else { 500 });
    let (start, mut rounds) = (Instant::now(), 0u32);
    while start.elapsed() < enough {
        for _ in 0..100 {
            black_box(work());
        }
        rounds += 100;
    }
    let each = start.elapsed() / rounds;
    println!("{what:<34} {each:>10.2?} {:>10.0} a second", 1.0 / each.as_secs_f64());
}

fn identity(request: &Request) -> bool {
    let headers = &request.headers;
    headers.top_via().is_ok() && headers.cseq().is_ok() && headers.from().is_ok() && headers.call_id().is_ok()
}

fn cut(stream: &[u8]) -> usize {
    let mut reader = StreamReader::new();
    reader.push(stream);
    std::iter::from_fn(|| reader.pop()).count()
}

fn challenged(request: &Request) -> ClientAuth {
    let mut challenge = Response::new(401);
    challenge.headers.push("WWW-Authenticate", r#"Digest realm="acme", nonce="1", algorithm=SHA-256, qop="auth""#);
    let credentials = Credentials { username: "100-acme".into(), password: "secret".into() };
    let mut client = ClientAuth::new(credentials);
    client.handle_challenge(request, &challenge, &mut Entropy::from_seed(1)).unwrap_or_else(|e| panic!("{e}"));
    client
}
