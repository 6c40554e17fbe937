//! Begins calls for extensions ([`Originations`]) through the Kamailios on this machine: by UDP at the address of their JSON-RPC,
//! where nobody else reaches them (`route[BEGIN]` in template/request.cfg).

use std::{io, net::SocketAddr, time::Duration};

use jiff::Timestamp;
use tokio::{
    net::UdpSocket,
    sync::{mpsc, oneshot},
    time::sleep_until,
};

use crate::{
    server::{
        contacts::Call,
        registry::RingGroup,
        sip::{Originations, Wanted, clock_now, reply},
    },
    sip::{
        endpoint::{Endpoint, Event, Output, Timers},
        entropy::Entropy,
        flow::{Flow, Transport},
        uri::{Host, NameAddr, SipUri, Uri},
        wire,
    },
};

const QUEUED: usize = 64;
const DATAGRAM: usize = 65_535;
/// Where nothing else is due.
const IDLE: Duration = Duration::from_secs(3_600);

/// Handle to the machine; cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller(mpsc::Sender<Ask>);

/// A call to be begun.
#[derive(Debug)]
pub struct Begin {
    pub realm: String,
    pub extension: RingGroup,
    /// The extension's registrations that somebody holds, each with the Kamailio that has it.
    pub devices: Vec<(SocketAddr, String)>,
    pub destination: String,
    pub since: Timestamp,
}

#[derive(Debug)]
enum Ask {
    Begin(Begin, oneshot::Sender<Result<String, String>>),
    HangUp { realm: String, call: String, reply: oneshot::Sender<bool> },
    List { realm: String, carried: Vec<Call>, reply: oneshot::Sender<Vec<Call>> },
    Close(oneshot::Sender<()>),
}

impl Caller {
    /// `nodes`: JSON-RPC of each Kamailio on this machine, all at one IP address.
    pub fn new(nodes: Vec<SocketAddr>) -> (Self, Machine) {
        let (sender, asks) = mpsc::channel(QUEUED);
        let mut entropy = Entropy::from_system();
        let endpoint = Endpoint::for_proxy(Timers::default(), entropy.fork());
        (Self(sender), Machine { nodes, asks, endpoint, originations: Originations::default(), entropy, closing: None })
    }

    /// The channel, or why there is none; `None` where the machine does not run.
    pub async fn begin(&self, begin: Begin) -> Option<Result<String, String>> {
        self.ask(|reply| Ask::Begin(begin, reply)).await
    }

    /// Whether it was one that is being begun.
    pub async fn hang_up(&self, realm: &str, call: &str) -> bool {
        let (realm, call) = (realm.to_owned(), call.to_owned());
        self.ask(|reply| Ask::HangUp { realm, call, reply }).await.unwrap_or(false)
    }

    /// Those that Kamailio carries without our own to devices, which are listed while they ring as what they are.
    pub async fn list(&self, realm: &str, carried: Vec<Call>) -> Vec<Call> {
        let (realm, all) = (realm.to_owned(), carried.clone());
        self.ask(|reply| Ask::List { realm, carried, reply }).await.unwrap_or(all)
    }

    /// Ends all that are being begun; returns once their devices know.
    pub async fn close(&self) {
        let _ = self.ask(Ask::Close).await;
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(ask(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// The calls that are being begun, on their socket.
pub struct Machine {
    nodes: Vec<SocketAddr>,
    asks: mpsc::Receiver<Ask>,
    endpoint: Endpoint,
    originations: Originations,
    entropy: Entropy,
    /// Waits for the last to end.
    closing: Option<oneshot::Sender<()>>,
}

impl Machine {
    /// Serves until nobody can ask any more.
    pub async fn run(mut self) {
        if let Err(error) = self.serve().await {
            tracing::error!(%error, "no calls can be begun for extensions");
            // The others go without an answer: there is none to be listed or ended.
            while let Some(ask) = self.asks.recv().await {
                if let Ask::Begin(_, reply) = ask {
                    let why = "The TMS has no socket beside its Kamailio, so it cannot begin calls";
                    let _ =
                        reply.send(Err(format!("{why}: {error}. Whoever runs it must mend that and start it anew.")));
                }
            }
        }
    }

    async fn serve(&mut self) -> io::Result<()> {
        let Some(node) = self.nodes.first() else { return Ok(()) };
        let socket = UdpSocket::bind(SocketAddr::new(node.ip(), 0)).await?;
        let own = socket.local_addr()?;
        self.endpoint.set_local(Transport::Udp, own);
        let mut datagram = vec![0; DATAGRAM];
        loop {
            let timeouts = [self.endpoint.poll_timeout(), self.originations.poll_timeout()];
            let due = timeouts.into_iter().flatten().min().unwrap_or_else(|| clock_now() + IDLE);
            tokio::select! {
                // An error is a Kamailio's that is down; its transactions time out.
                received = socket.recv_from(&mut datagram) => if let Ok((length, remote)) = received {
                    self.handle_datagram(remote, &datagram[..length]);
                },
                ask = self.asks.recv() => match ask {
                    Some(ask) => self.handle_ask(ask, own),
                    None => return Ok(()),
                },
                () = sleep_until(due.into()) => {
                    self.endpoint.handle_timeout(clock_now());
                    self.originations.handle_timeout(clock_now(), &mut self.endpoint);
                }
            }
            while let Some(output) = self.endpoint.poll_output() {
                match output {
                    Output::Transmit { flow, payload, client } => {
                        if let (Err(error), Some(client)) = (socket.send_to(&payload, flow.remote).await, client) {
                            self.endpoint.transport_failed(clock_now(), client, &error.to_string());
                        }
                    }
                    Output::Event(event) => self.handle_event(event),
                }
            }
            if self.originations.is_empty()
                && let Some(closing) = self.closing.take()
            {
                let _ = closing.send(());
            }
        }
    }

    fn handle_datagram(&mut self, remote: SocketAddr, datagram: &[u8]) {
        if let (true, Ok(message)) = (self.nodes.contains(&remote), wire::read(datagram)) {
            self.endpoint.handle_message(clock_now(), Flow { transport: Transport::Udp, remote }, message);
        }
    }

    /// Whoever asked may have gone.
    fn handle_ask(&mut self, ask: Ask, own: SocketAddr) {
        let now = clock_now();
        match ask {
            Ask::Begin(begin, reply) => {
                let _ = reply.send(self.begin(&begin, own));
            }
            Ask::HangUp { realm, call, reply } => {
                let _ = reply.send(self.originations.hang_up(now, &mut self.endpoint, &realm, &call));
            }
            Ask::List { realm, mut carried, reply } => {
                carried.retain(|call| !self.originations.has(&call.id));
                carried.extend(self.originations.of(&realm));
                let _ = reply.send(carried);
            }
            Ask::Close(reply) => {
                self.originations.close(now, &mut self.endpoint);
                self.closing = Some(reply);
            }
        }
    }

    fn begin(&mut self, begin: &Begin, own: SocketAddr) -> Result<String, String> {
        let Begin { realm, extension, devices: held, destination, since } = begin;
        self.originations.admit(realm)?;
        let contact = NameAddr::new(Uri::Sip(SipUri::new(Some("tms"), Host::Ip(own.ip()), Some(own.port()))));
        let mut devices = Vec::new();
        for (remote, name) in held {
            let device: Uri =
                format!("sip:{name}@{realm}").parse().map_err(|_| format!("{name} cannot be dialled."))?;
            devices.push((Flow { transport: Transport::Udp, remote: *remote }, device, contact.to_string()));
        }
        let wanted = Wanted::new(realm, extension, destination, devices, *since, &mut self.entropy)?;
        let id = wanted.call.id.clone();
        self.originations.begin(clock_now(), &mut self.endpoint, wanted);
        Ok(id)
    }

    fn handle_event(&mut self, event: Event) {
        let now = clock_now();
        match event {
            Event::Request { transaction, request, .. } => {
                let answer = self.originations.handle_request(now, &mut self.endpoint, &request);
                let unknown = || reply(&request, 481, "Call/Transaction Does Not Exist");
                self.endpoint.respond(now, transaction, answer.unwrap_or_else(unknown));
            }
            Event::Response { transaction, response, .. } => {
                self.originations.handle_response(now, &mut self.endpoint, transaction, &response);
            }
            Event::TimedOut { transaction } | Event::TransportFailed { transaction, .. } => {
                self.originations.handle_failure(now, &mut self.endpoint, transaction);
            }
            Event::Ack { .. } | Event::Cancelled { .. } | Event::NoAck { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        server::registry::Extension,
        sip::msg::{Message, Method, Request},
    };
    use tokio::task::JoinSet;

    fn begin(node: SocketAddr) -> Begin {
        let extension = RingGroup {
            extension: Extension { number: "100".into(), name: "Alex".into() },
            registrations: vec!["100-acme".into()],
        };
        let devices = vec![(node, "100-acme".into())];
        Begin { realm: "acme".into(), extension, devices, destination: "101".into(), since: Timestamp::UNIX_EPOCH }
    }

    /// The next request of this method that a Kamailio hears, and from where.
    async fn heard(node: &UdpSocket, method: Method) -> (Request, SocketAddr) {
        let mut datagram = vec![0; DATAGRAM];
        loop {
            let (length, from) = node.recv_from(&mut datagram).await.expect("receives");
            match wire::read(&datagram[..length]).expect("it is SIP") {
                Message::Request(request) if request.method == method => return (request, from),
                _ => {}
            }
        }
    }

    #[tokio::test]
    async fn what_rings_is_cancelled_before_it_closes() {
        closes("127.0.0.1:0", "IN IP4 0.0.0.0").await;
    }

    #[tokio::test]
    async fn a_kamailio_at_an_ipv6_address_is_spoken_to_in_ipv6() {
        closes("[::1]:0", "IN IP6 ::").await;
    }

    /// Whether a bind failed since the address family is switched off, or left out of the system (EAFNOSUPPORT, for which the
    /// standard library has no kind).
    fn is_without(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(97)
    }

    /// Begins a call at a Kamailio there, and closes. `connection`: what the offer says of the media's address.
    async fn closes(kamailio: &str, connection: &str) {
        let node = match UdpSocket::bind(kamailio).await {
            // The machine has no IPv6.
            Err(error) if kamailio.starts_with('[') && is_without(&error) => {
                return println!("not proved here: {kamailio}: {error}");
            }
            node => node.expect("a port"),
        };
        let at = node.local_addr().expect("an address");
        let (caller, machine) = Caller::new(vec![at]);
        let mut running = JoinSet::new();
        running.spawn(machine.run());
        caller.begin(begin(at)).await.expect("it runs").expect("it rings");
        let (invite, from) = heard(&node, Method::INVITE).await;
        assert!(String::from_utf8_lossy(&invite.body).contains(connection), "{invite:?}");
        assert_eq!(invite.headers.get("Contact"), Some(&*format!("<sip:tms@{from}>")));
        let device = async {
            for (request, code) in [(None, 180), (Some(Method::CANCEL), 200), (None, 487)] {
                let request = match request {
                    Some(method) => heard(&node, method).await.0,
                    None => invite.clone(),
                };
                let answer = wire::write_response(&reply(&request, code, "Answer"));
                node.send_to(&answer, from).await.expect("sends");
            }
        };
        tokio::join!(caller.close(), device);
        heard(&node, Method::ACK).await;
        assert!(!caller.hang_up("acme", invite.headers.get("Call-ID").expect("it has one")).await, "it goes on");
        let late = caller.begin(begin(at)).await.expect("it answers").expect_err("it has closed");
        assert!(late.contains("stopping"), "{late}");
    }

    #[tokio::test]
    async fn why_no_call_can_be_begun_is_said() {
        // No address of this machine (RFC 5737).
        let at = SocketAddr::from(([192, 0, 2, 1], 5066));
        let (caller, machine) = Caller::new(vec![at]);
        let mut running = JoinSet::new();
        running.spawn(machine.run());
        let refused = caller.begin(begin(at)).await.expect("it answers").expect_err("it has no socket");
        assert!(refused.contains("no socket"), "{refused}");
        assert_eq!(caller.list("acme", Vec::new()).await, []);
    }
}
