//! Time from INVITE to 200 as a peer sees it, over a plain UDP socket.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

/// One call to `sip:user@address:port` from INVITE to BYE; milliseconds until its 200.
pub fn measure(address: &str, port: u16, user: &str, n: u32) -> f64 {
    let socket = UdpSocket::bind((address, 0)).expect("the address has free ports");
    socket.connect((address, port)).expect("the address can be reached");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout can be set");
    let me = socket.local_addr().expect("a bound socket has an address");
    let head = |method: &str, cseq: u32, to_tag: &str, body: &str| {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} sip:{user}@{address}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK{n}{method}{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bench@{me}>;tag=f{n}\r\nTo: <sip:{user}@{address}>{to_tag}\r\n\
             Call-ID: bench-{n}-{me}\r\nCSeq: {cseq} {method}\r\nContact: <sip:bench@{me}>\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n\
         a=rtpmap:0 PCMU/8000\r\n"
    );
    let start = Instant::now();
    socket.send(head("INVITE", 1, "", &sdp).as_bytes()).expect("loopback takes it");
    let answer = final_response(&socket, "INVITE");
    let elapsed = start.elapsed().as_secs_f64() * 1000.0;
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    let to = answer.lines().find(|l| l.to_lowercase().starts_with("to:")).unwrap_or_default();
    let tag = to.split(";tag=").nth(1).map(|t| format!(";tag={}", t.trim())).unwrap_or_default();
    socket.send(head("ACK", 1, &tag, "").as_bytes()).expect("loopback takes it");
    socket.send(head("BYE", 2, &tag, "").as_bytes()).expect("loopback takes it");
    final_response(&socket, "BYE");
    elapsed
}

fn final_response(socket: &UdpSocket, method: &str) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).expect("the peer answers within two seconds");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let ours = text.lines().any(|l| l.starts_with("CSeq") && l.ends_with(method));
        if ours && text.starts_with("SIP/2.0 ") && !text.starts_with("SIP/2.0 1") {
            return text;
        }
    }
}
