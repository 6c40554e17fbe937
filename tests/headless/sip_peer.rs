//! A SIP peer that does what a test tells it, over UDP or one TCP connection.

use crate::phone::Phone;
use agent_manager::sip::{
    msg::{Message, Request, Response},
    uri::{Host, SipUri, Uri},
    wire::{self, StreamItem, StreamReader},
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(10);

pub struct Peer {
    link: Link,
    address: SocketAddr,
    number: u32,
    patience: Duration,
}

enum Link {
    Udp { socket: UdpSocket, phone: Option<SocketAddr> },
    Waiting(TcpListener),
    Tcp { stream: TcpStream, reader: StreamReader },
}

impl Peer {
    pub fn udp() -> Self {
        Self::at("udp", ([127, 0, 0, 1], 0).into())
    }

    pub fn tcp() -> Self {
        Self::at("tcp", ([127, 0, 0, 1], 0).into())
    }

    /// At an address where another was before.
    pub fn at(transport: &str, address: SocketAddr) -> Self {
        let (link, address) = if transport == "udp" {
            let socket = UdpSocket::bind(address).expect("a port");
            socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let address = socket.local_addr().expect("an address");
            (Link::Udp { socket, phone: None }, address)
        } else {
            let listener = TcpListener::bind(address).expect("a port");
            let address = listener.local_addr().expect("an address");
            (Link::Waiting(listener), address)
        };
        Self { link, address, number: 0, patience: PATIENCE }
    }

    /// Waits so long for each message; to be said before the first.
    pub fn patient(mut self, limit: Duration) -> Self {
        self.patience = limit;
        if let Link::Udp { socket, .. } = &self.link {
            socket.set_read_timeout(Some(limit)).expect("a timeout");
        }
        self
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn transport(&self) -> &'static str {
        if matches!(self.link, Link::Udp { .. }) { "udp" } else { "tcp" }
    }

    /// Starts a softphone with an account at this peer.
    pub fn phone(&self, dir: &Path, more: &[&str]) -> Phone {
        let transport = self.transport();
        let proxy = format!("sip:{};transport={transport};lr", self.address);
        let mut args = vec!["--sip-account", "sip:a@pbx.test", "--outbound-proxy", &proxy, "--transport", transport];
        args.extend(["--bind", "127.0.0.1:0"]);
        if !more.contains(&"--audio") {
            args.extend(["--audio", "null"]);
        }
        args.extend(more);
        Phone::start(dir, "phone", &args, "secret", None)
    }

    /// A softphone that is registered, and the request that registered it.
    pub fn registered(&mut self, dir: &Path, more: &[&str]) -> (Phone, Request) {
        let phone = self.phone(dir, more);
        let register = self.expect("REGISTER");
        self.accept_register(&register);
        phone.wait(serde_json::json!({"event": "registration", "state": "online", "name": "a"}));
        (phone, register)
    }

    pub fn accept_register(&mut self, register: &Request) {
        self.grant(register, 120);
    }

    /// Accepts a REGISTER for so many seconds.
    pub fn grant(&mut self, register: &Request, seconds: u32) {
        let granted = format!("expires={seconds}");
        let contact = register.headers.get("Contact").expect("a contact").replace("expires=600", &granted);
        self.respond(register, 200, &[("Contact", &contact), ("Expires", &seconds.to_string())], "");
    }

    /// A final response with a phrase of its own.
    pub fn refuse(&mut self, request: &Request, code: u16, phrase: &str) {
        let mut response = Response::to(request, code, Some("peer"));
        phrase.clone_into(&mut response.reason);
        self.send(&wire::write_response(&response));
    }

    /// The next message; keep-alives are passed over.
    pub fn receive(&mut self) -> Message {
        if let Link::Waiting(listener) = &self.link {
            let (stream, _) = listener.accept().expect("the phone connects");
            stream.set_read_timeout(Some(self.patience)).expect("a timeout");
            self.link = Link::Tcp { stream, reader: StreamReader::new() };
        }
        let mut buffer = vec![0; 65_535];
        loop {
            match &mut self.link {
                Link::Udp { socket, phone } => {
                    let (length, from) = socket.recv_from(&mut buffer).expect("a datagram in time");
                    *phone = Some(from);
                    if let Ok(message) = wire::read(&buffer[..length]) {
                        return message;
                    }
                }
                Link::Tcp { stream, reader } => {
                    while let Some(item) = reader.pop() {
                        if let StreamItem::Message(message) = item {
                            return message;
                        }
                    }
                    let length = stream.read(&mut buffer).expect("bytes in time");
                    assert!(length > 0, "the phone keeps the connection");
                    reader.push(&buffer[..length]);
                }
                Link::Waiting(_) => unreachable!("accepted above"),
            }
        }
    }

    /// The next keep-alive over UDP (RFC 5626 §4.4.2); messages are passed over.
    pub fn expect_ping(&mut self) {
        let Link::Udp { socket, .. } = &self.link else { panic!("over streams they are answered") };
        let mut buffer = vec![0; 65_535];
        while socket.recv(&mut buffer).expect("a datagram in time") != 4 || !buffer.starts_with(b"\r\n\r\n") {}
    }

    /// The next request of that method; retransmissions of others and responses are passed over.
    pub fn expect(&mut self, method: &str) -> Request {
        loop {
            match self.receive() {
                Message::Request(request) if request.method.as_str() == method => return request,
                _ => {}
            }
        }
    }

    /// The next final response to `method`.
    pub fn expect_final(&mut self, method: &str) -> Response {
        loop {
            match self.receive() {
                Message::Response(response)
                    if !response.is_provisional()
                        && response.headers.cseq().is_ok_and(|cseq| cseq.method.as_str() == method) =>
                {
                    return response;
                }
                _ => {}
            }
        }
    }

    pub fn respond(&mut self, request: &Request, code: u16, headers: &[(&str, &str)], body: &str) {
        let mut response = Response::to(request, code, Some("peer"));
        for (name, value) in headers {
            response.headers.push(name, *value);
        }
        if !body.is_empty() {
            response.headers.push("Content-Type", "application/sdp");
        }
        if code < 300 && request.method.as_str() == "INVITE" {
            response.headers.push("Contact", format!("<sip:peer@{};transport={}>", self.address, self.transport()));
        }
        response.body = body.into();
        self.send(&wire::write_response(&response));
    }

    /// A request of ours outside or inside a dialog, as text without Via, Content-Length and the blank line.
    pub fn request(&mut self, head: &str, body: &str) {
        self.number += 1;
        let via = format!(
            "Via: SIP/2.0/{} {};branch=z9hG4bKpeer{};rport\r\n",
            self.transport().to_ascii_uppercase(),
            self.address,
            self.number
        );
        let (line, headers) = head.split_once('\n').expect("a request line and headers");
        let headers: String = headers.lines().map(|h| format!("{}\r\n", h.trim())).collect();
        let kind =
            if body.is_empty() || head.contains("Content-Type") { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{}\r\n{via}{headers}Max-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            line.trim(),
            body.len()
        );
        self.send(text.as_bytes());
    }

    pub fn send(&mut self, bytes: &[u8]) {
        match &mut self.link {
            Link::Udp { socket, phone } => {
                socket.send_to(bytes, phone.expect("the phone spoke first")).expect("sent");
            }
            Link::Tcp { stream, .. } => stream.write_all(bytes).expect("sent"),
            Link::Waiting(_) => panic!("the phone has not connected yet"),
        }
    }

    pub fn contact(&self) -> String {
        format!("<sip:peer@{};transport={}>", self.address, self.transport())
    }

    pub fn is_own(&self, uri: &Uri) -> bool {
        let own = SipUri::new(Some("peer"), Host::Ip(self.address.ip()), Some(self.address.port()));
        matches!(uri, Uri::Sip(sip) if sip.host == own.host && sip.port == own.port)
    }
}

/// A session description that sends and receives PCMU nowhere in particular.
pub fn sdp(direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
}
