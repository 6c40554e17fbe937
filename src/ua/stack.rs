//! What the parts of the user agent share: the endpoint, where to send requests, and who hears what became of them.

mod credentials;
mod dead;
mod outcome;
mod realms;
mod way;

pub(super) use self::way::Gruus;
use self::{credentials::Auth, dead::DeadServers, way::is_good_enough};
use super::api::{Account, CallId, Output, ResolveId, Settings};
use crate::{
    media::plan::{Fingerprint, SrtpPolicy},
    sip::{
        endpoint::{self, Endpoint, ServerTransactionId, Timers},
        entropy::Entropy,
        flow::{Flow, Transport},
        msg::{Headers, Message, Method, Request, Response},
        sdp::{LocalCrypto, LocalIce},
        uri::{NameAddr, Uri},
    },
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

/// A request of ours from the moment it is wanted until its last response: also while its way is looked up and when it is
/// sent again another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RequestId(u64);

/// Who hears what became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Registration,
    Call(CallId),
    Subscription,
    /// A MESSAGE of ours.
    Message,
    /// A report to a collector.
    Publication,
    /// A BYE of a call that is over for the agent.
    Farewell,
    /// A NOTIFY to who asked, outside any call, that one be made.
    Referrer,
    /// An INVITE whose call is over: a 2xx is confirmed and ended at once.
    Abandoned,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// And the way it came.
    Response(Response, Flow),
    /// To be read as 408 (RFC 3261 §8.1.3.1).
    TimedOut,
    /// Not delivered, or there is no way to the target: a sentence.
    Unreachable(String),
}

/// What the endpoint has to say, for the user agent to hand out.
#[derive(Debug)]
pub(super) enum Incoming {
    Request {
        transaction: ServerTransactionId,
        request: Request,
        flow: Flow,
    },
    Ack {
        request: Request,
        flow: Flow,
    },
    Cancelled {
        transaction: ServerTransactionId,
        cancel: Request,
    },
    NoAck {
        transaction: ServerTransactionId,
    },
    Reply {
        owner: Owner,
        id: RequestId,
        request: Request,
        reply: Reply,
    },
    /// A 2xx that nobody waits for: another fork's, or one that crossed our CANCEL. To be confirmed and ended.
    Stray {
        id: RequestId,
        account: Arc<Account>,
        invite: Request,
        response: Response,
    },
    /// A lookup without a request, for [`Stack::resolve`].
    Resolved {
        call: CallId,
        flows: Result<Vec<Flow>, String>,
    },
}

/// The Contact of a request, filled in when its transport is known.
#[derive(Clone, Debug, Default)]
pub(super) struct ContactOf {
    /// Header parameters, written out: `;expires=0`.
    pub params: String,
    /// Without saying who we are.
    pub anonymous: bool,
}

pub(super) struct Stack {
    endpoint: Endpoint,
    pub entropy: Entropy,
    pub settings: Settings,
    pub timers: Timers,
    /// Of the media engine's certificate.
    pub certificate: Option<Fingerprint>,
    /// ICE is offered; it is answered in any case.
    pub offers_ice: bool,
    /// By transport, and whether it is IPv6.
    local: BTreeMap<(Transport, bool), SocketAddr>,
    dead: DeadServers,
    home: Option<Flow>,
    /// And its registrar keeps it (RFC 5626).
    keeps_flow: bool,
    /// What our registrar has named us by.
    gruus: Option<Gruus>,
    /// They were our Contact, and calls do not know yet that they lead here no more.
    lost_gruus: bool,
    /// How our registrar sees us, where that is another address than our own; by transport, and whether it is IPv6.
    seen_as: BTreeMap<(Transport, bool), SocketAddr>,
    outputs: VecDeque<Output>,
    incoming: VecDeque<Incoming>,
    requests: BTreeMap<RequestId, Pending>,
    transactions: HashMap<endpoint::ClientTransactionId, RequestId>,
    lookups: HashMap<ResolveId, Lookup>,
    auths: Vec<Auth>,
    last_id: u64,
}

struct Pending {
    owner: Owner,
    account: Arc<Account>,
    request: Request,
    contact: Option<ContactOf>,
    way: Way,
}

enum Way {
    Resolving,
    Sent {
        transaction: endpoint::ClientTransactionId,
        flow: Flow,
        /// Where to try next (RFC 3263 §4.3); nowhere any more once this one works on it.
        others: VecDeque<Flow>,
        /// When to try there, if this one has not said a word: a dead server must not cost a caller half a minute.
        impatient_at: Option<Instant>,
    },
    /// An INVITE after its 2xx: further ones are confirmed here until `until` (RFC 6026 §7.2).
    Accepted {
        transaction: endpoint::ClientTransactionId,
        confirmed: Vec<Confirmed>,
        until: Instant,
    },
}

/// A fork that answered, with the ACK it got, for retransmissions of its 2xx.
struct Confirmed {
    remote_tag: String,
    /// How its 2xx came: the way for an ACK whose own leads nowhere.
    came: Flow,
    ack: Option<(Request, Flow)>,
}

enum Lookup {
    Request(RequestId),
    Call(CallId),
    Ack { invite: RequestId, remote_tag: String, ack: Box<Request> },
}

/// Forks of one INVITE that are answered; proxies fork to fewer.
const MAX_FORKS: usize = 16;

impl Stack {
    pub fn new(settings: Settings, mut entropy: Entropy, timers: Timers) -> Self {
        Self {
            endpoint: Endpoint::new(timers, entropy.fork()),
            entropy,
            settings,
            timers,
            certificate: None,
            offers_ice: false,
            local: BTreeMap::new(),
            dead: DeadServers::default(),
            home: None,
            keeps_flow: false,
            gruus: None,
            lost_gruus: false,
            seen_as: BTreeMap::new(),
            outputs: VecDeque::new(),
            incoming: VecDeque::new(),
            requests: BTreeMap::new(),
            transactions: HashMap::new(),
            lookups: HashMap::new(),
            auths: Vec::new(),
            last_id: 0,
        }
    }

    pub fn set_local(&mut self, transport: Transport, address: SocketAddr) {
        let way = (transport, address.is_ipv6());
        if self.local.insert(way, address) != Some(address) {
            // From another network we are seen in another way.
            self.seen_as.remove(&way);
        }
        self.endpoint.set_local(transport, address);
    }

    /// What a new call offers and takes of encryption.
    pub fn crypto(&mut self, account: &Account, policy: SrtpPolicy) -> LocalCrypto {
        let crypto = LocalCrypto::new(policy, self.certificate.clone(), &mut self.entropy);
        if account.transport == Transport::Udp { crypto.brief() } else { crypto }
    }

    /// What a new call offers and takes of ways through NATs.
    pub fn ice(&mut self) -> LocalIce {
        LocalIce::new(self.offers_ice, &mut self.entropy)
    }

    pub fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A request outside a dialog, without Via, Contact and body.
    pub fn request(&self, method: Method, uri: Uri, from: &NameAddr, to: &NameAddr, call: (&str, u32)) -> Request {
        let mut request = Request { method, uri, headers: Headers::new(), body: Vec::new() };
        let headers = &mut request.headers;
        headers.push("Max-Forwards", "70");
        headers.push("From", from.to_string());
        headers.push("To", to.to_string());
        headers.push("Call-ID", call.0);
        headers.push("CSeq", format!("{} {}", call.1, request.method.as_str()));
        request
    }

    /// Looks up the ways to `hop` for a call: [`Incoming::Resolved`].
    pub fn resolve(&mut self, call: CallId, hop: &Uri, default: Transport) {
        self.look_up(hop, default, Lookup::Call(call));
    }

    /// Sends `request` to `hop`.
    pub fn send(
        &mut self,
        (account, request): (&Arc<Account>, Request),
        hop: &Uri,
        owner: Owner,
        contact: Option<ContactOf>,
    ) -> RequestId {
        let id = self.next_id();
        let (account, default) = (account.clone(), account.transport);
        self.requests.insert(id, Pending { owner, account, request, contact, way: Way::Resolving });
        self.look_up(hop, default, Lookup::Request(id));
        id
    }

    /// Sends `request` by the first of `flows` that works.
    pub fn send_on(
        &mut self,
        now: Instant,
        (account, request): (&Arc<Account>, Request),
        flows: &[Flow],
        owner: Owner,
        contact: Option<ContactOf>,
    ) -> RequestId {
        let id = self.next_id();
        let account = account.clone();
        self.requests.insert(id, Pending { owner, account, request, contact, way: Way::Resolving });
        self.transmit(now, id, flows.iter().copied().collect());
        id
    }

    pub fn handle_resolved(&mut self, now: Instant, id: ResolveId, mut result: Result<Vec<Flow>, String>) {
        let lookup = self.lookups.remove(&id);
        if let Ok(flows) = &mut result {
            // REGISTER alone tries whether a better server has recovered; everything else goes where we are registered.
            let registers = matches!(&lookup, Some(Lookup::Request(request)) if self.registers(*request));
            self.dead.put_last(now, self.home.filter(|_| !registers), flows);
        }
        match lookup {
            Some(Lookup::Call(call)) => self.incoming.push_back(Incoming::Resolved { call, flows: result }),
            Some(Lookup::Request(request)) => match result {
                Ok(flows) => self.transmit(now, request, flows.into()),
                Err(reason) => self.finish(request, Reply::Unreachable(reason)),
            },
            // Where the route names a place that does not exist, the answer still came from somewhere.
            Some(Lookup::Ack { invite, remote_tag, ack }) => {
                let account = self.requests.get(&invite).map(|pending| pending.account.clone());
                let good = |flow: &Flow| account.as_ref().is_some_and(|account| is_good_enough(account, &ack, *flow));
                let flow = result.ok().and_then(|flows| flows.into_iter().find(good));
                if let Some(flow) = flow.or_else(|| self.came_from(invite, &remote_tag).filter(good)) {
                    self.send_ack(now, invite, &remote_tag, *ack, flow);
                }
            }
            None => {}
        }
    }

    fn registers(&self, id: RequestId) -> bool {
        self.requests.get(&id).is_some_and(|pending| pending.request.method == Method::REGISTER)
    }

    /// The flow that we are registered over; `kept`: by the registrar (RFC 5626).
    pub const fn set_home(&mut self, flow: Option<Flow>, kept: bool) {
        (self.home, self.keeps_flow) = (flow, kept);
    }

    /// Whether what came this way is our own server's word; an account without a registrar has nobody else's either.
    pub fn is_home(&self, account: &Account, flow: Flow) -> bool {
        !account.register || self.home == Some(flow)
    }

    /// The call gave its INVITE up: CANCEL it; should a 2xx come all the same, it is confirmed and ended.
    pub fn abandon(&mut self, now: Instant, id: RequestId) {
        let Some(pending) = self.requests.get_mut(&id) else { return };
        pending.owner = Owner::Abandoned;
        match &pending.way {
            Way::Resolving => drop(self.requests.remove(&id)),
            Way::Sent { transaction, .. } => self.endpoint.cancel(now, *transaction, None),
            Way::Accepted { .. } => {}
        }
    }

    /// ACK for a 2xx to the INVITE `id`; its retransmissions get the same.
    pub fn confirm(&mut self, id: RequestId, remote_tag: &str, ack: Request, (hop, default): (&Uri, Transport)) {
        let lookup = Lookup::Ack { invite: id, remote_tag: remote_tag.to_owned(), ack: Box::new(ack) };
        self.look_up(hop, default, lookup);
    }

    fn came_from(&self, invite: RequestId, tag: &str) -> Option<Flow> {
        match &self.requests.get(&invite)?.way {
            Way::Accepted { confirmed, .. } => Some(confirmed.iter().find(|fork| fork.remote_tag == tag)?.came),
            Way::Resolving | Way::Sent { .. } => None,
        }
    }

    fn send_ack(&mut self, now: Instant, id: RequestId, tag: &str, ack: Request, flow: Flow) {
        self.endpoint.send_ack(now, flow, ack.clone());
        if let Some(Pending { way: Way::Accepted { confirmed, .. }, .. }) = self.requests.get_mut(&id)
            && let Some(fork) = confirmed.iter_mut().find(|c| c.remote_tag == tag)
        {
            fork.ack = Some((ack, flow));
        }
    }

    /// Answers; a To tag is added where the response is to have one and its maker gave none (RFC 3261 §8.2.6.2).
    pub fn respond(&mut self, now: Instant, transaction: ServerTransactionId, mut response: Response) {
        if let Ok(mut to) = response.headers.to()
            && to.tag().is_none()
        {
            to.set_param("tag", Some(&self.entropy.tag()));
            response.headers.set("To", to.to_string());
        }
        response.headers.push("Server", self.settings.user_agent.as_str());
        self.endpoint.respond(now, transaction, response);
    }

    pub fn acknowledged(&mut self, now: Instant, transaction: ServerTransactionId) {
        self.endpoint.acknowledged(now, transaction);
    }

    pub fn handle_message(&mut self, now: Instant, flow: Flow, message: Message) {
        self.endpoint.handle_message(now, flow, message);
    }

    pub fn handle_transport_failed(&mut self, now: Instant, token: u64, reason: &str) {
        self.endpoint.transport_failed(now, endpoint::ClientTransactionId(token), reason);
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.grow_impatient(now);
        let over = |p: &Pending| matches!(p.way, Way::Accepted { until, .. } if until <= now);
        let transactions = &mut self.transactions;
        self.requests.retain(|_, pending| {
            if let (true, Way::Accepted { transaction, .. }) = (over(pending), &pending.way) {
                transactions.remove(transaction);
                return false;
            }
            true
        });
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let requests = self.requests.values().filter_map(|p| match p.way {
            Way::Accepted { until, .. } => Some(until),
            Way::Sent { impatient_at, .. } => impatient_at,
            Way::Resolving => None,
        });
        requests.chain(self.endpoint.poll_timeout()).min()
    }

    /// Requests of ours that wait for something, and transactions.
    pub fn pending(&self) -> usize {
        self.requests.len() + self.lookups.len() + self.endpoint.transaction_count()
    }

    /// Whether a request of this owner waits for its answer.
    pub fn awaits(&self, owner: Owner) -> bool {
        self.requests.values().any(|p| p.owner == owner && !matches!(p.way, Way::Accepted { .. }))
    }

    /// The shell is asked for an address too: it knows how we are seen from there.
    fn look_up(&mut self, hop: &Uri, default: Transport, lookup: Lookup) {
        self.last_id += 1;
        let id = ResolveId(self.last_id);
        self.lookups.insert(id, lookup);
        self.emit(Output::Resolve { id, uri: hop.clone(), transport: default });
    }

    fn next_id(&mut self) -> RequestId {
        self.last_id += 1;
        RequestId(self.last_id)
    }
}
