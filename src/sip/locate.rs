//! Locating SIP servers (RFC 3263 §4): what to ask the DNS, and in which order to try what it answers. The shell asks.
//!
//! ```text
//! host:port ─────────────────────────────▶ A, AAAA
//! host ─▶ NAPTR, SRV of each transport ─┬▶ SRV that the NAPTR names ─▶ A, AAAA of its targets
//!                                       ├▶ SRV found ───────────────▶ A, AAAA of its targets
//!                                       └▶ neither ─────────────────▶ A, AAAA of the host, the default port
//! ```

use super::{
    entropy::Entropy,
    flow::{Flow, Transport},
    target::Target,
    uri::Host,
};
use std::{cmp::Reverse, net::IpAddr};

/// Ways to a name that are tried.
const MAX_FLOWS: usize = 16;
/// Targets of one name that are asked for.
const MAX_TARGETS: usize = 8;
/// Records of one answer that are looked at.
const MAX_RECORDS: usize = 64;

/// One thing to ask the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    Naptr(String),
    Srv(String),
    /// A and AAAA.
    Addresses(String),
}

/// What came of it; an empty list where there is no such record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Naptr(Vec<Naptr>),
    Srv(Vec<Srv>),
    Addresses(Vec<IpAddr>),
    /// The DNS does not tell.
    Failed,
}

/// RFC 2915 §2, without its regular expression, which SIP does not use (RFC 3263 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    pub order: u16,
    pub preference: u16,
    pub flags: String,
    pub services: String,
    pub replacement: String,
}

/// RFC 2782.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// All of these; the answers in the same order go to [`Locate::next`].
    Ask(Vec<Question>),
    /// In the order to be tried; never empty.
    Found(Vec<Flow>),
    /// A clause with the way out.
    Failed(String),
}

/// One look-up.
#[derive(Debug)]
pub struct Locate {
    host: String,
    transport: Transport,
    port: u16,
    /// Transports that may be used, the best first.
    wanted: Vec<Transport>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Begin,
    /// NAPTR and SRV of the host were asked for.
    Services(Vec<Question>),
    /// SRV of what NAPTR named, for this transport.
    Replacement(Transport),
    /// The addresses of these SRV targets, in order.
    Targets(Transport, Vec<Srv>),
    /// The addresses of the host.
    Host,
}

impl Locate {
    /// `only`: the transport that must be used where the URI leaves it open; `None`: what the domain prefers.
    ///
    /// A host that is an address is no name to be looked up: `None`.
    pub fn new(target: &Target, only: Option<Transport>) -> Option<Self> {
        let Host::Name(host) = &target.host else { return None };
        let wanted = match only {
            None if target.is_open && target.transport != Transport::Tls => {
                vec![target.transport, Transport::Udp, Transport::Tcp, Transport::Tls]
            }
            _ => vec![target.transport],
        };
        let mut known = Vec::new();
        for transport in wanted {
            if !known.contains(&transport) {
                known.push(transport);
            }
        }
        let stage = if target.port.is_some() { Stage::Host } else { Stage::Begin };
        Some(Self { host: host.clone(), transport: target.transport, port: target.port(), wanted: known, stage })
    }

    /// `answers` to what was asked last, none at first. `entropy` draws among SRV records of one priority by their weights;
    /// from the same seed it is the same order, so that one client stays with its server.
    pub fn next(&mut self, answers: Vec<Answer>, entropy: &mut Entropy) -> Step {
        match std::mem::replace(&mut self.stage, Stage::Host) {
            Stage::Begin => {
                let mut questions = vec![Question::Naptr(self.host.clone())];
                questions.extend(self.wanted.iter().map(|transport| Question::Srv(service(*transport, &self.host))));
                self.stage = Stage::Services(questions.clone());
                Step::Ask(questions)
            }
            Stage::Services(asked) => self.choose(&asked, answers, entropy),
            Stage::Replacement(transport) => match records(answers.into_iter().next()) {
                Some(records) => self.targets(transport, records, entropy),
                None => self.plain(),
            },
            Stage::Targets(transport, targets) => self.found(transport, &targets, answers),
            Stage::Host if answers.is_empty() => self.plain(),
            Stage::Host => {
                let srv = Srv { priority: 0, weight: 0, port: self.port, target: self.host.clone() };
                self.found(self.transport, &[srv], answers)
            }
        }
    }

    /// RFC 3263 §4.1: what the domain prefers of what may be used, else the first transport that has SRV records, else the
    /// host itself.
    fn choose(&mut self, asked: &[Question], answers: Vec<Answer>, entropy: &mut Entropy) -> Step {
        let mut answers = answers.into_iter();
        if let Some(Answer::Naptr(records)) = answers.next()
            && let Some((transport, replacement)) = preferred(records, &self.wanted)
        {
            let known = asked.iter().skip(1).position(|q| *q == Question::Srv(replacement.clone()));
            return match known.and_then(|at| records_at(answers, at)) {
                Some(records) => self.targets(transport, records, entropy),
                None => {
                    self.stage = Stage::Replacement(transport);
                    Step::Ask(vec![Question::Srv(replacement)])
                }
            };
        }
        let mut found = self.wanted.clone().into_iter().zip(answers);
        let first = found.find_map(|(transport, answer)| Some((transport, records(Some(answer))?)));
        match first {
            Some((transport, records)) => self.targets(transport, records, entropy),
            None => self.plain(),
        }
    }

    fn targets(&mut self, transport: Transport, records: Vec<Srv>, entropy: &mut Entropy) -> Step {
        // RFC 2782: a root target says that the service is decidedly not there.
        if records.iter().all(|srv| matches!(srv.target.as_str(), "" | ".")) {
            return Step::Failed(format!("{} offers no calls over {}", self.host, transport.uri_name()));
        }
        let mut targets = in_order(records, entropy);
        targets.retain(|srv| !matches!(srv.target.as_str(), "" | "."));
        targets.truncate(MAX_TARGETS);
        let questions = targets.iter().map(|srv| Question::Addresses(srv.target.clone())).collect();
        self.stage = Stage::Targets(transport, targets);
        Step::Ask(questions)
    }

    fn plain(&mut self) -> Step {
        self.stage = Stage::Host;
        Step::Ask(vec![Question::Addresses(self.host.clone())])
    }

    fn found(&self, transport: Transport, targets: &[Srv], answers: Vec<Answer>) -> Step {
        let mut flows: Vec<Flow> = Vec::new();
        let failed = answers.contains(&Answer::Failed);
        for (srv, answer) in targets.iter().zip(answers) {
            let Answer::Addresses(addresses) = answer else { continue };
            for ip in addresses {
                let flow = Flow { transport, remote: (ip, srv.port).into() };
                if flows.len() < MAX_FLOWS && !flows.contains(&flow) {
                    flows.push(flow);
                }
            }
        }
        match flows.is_empty() {
            false => Step::Found(flows),
            true if failed => Step::Failed(format!("{} cannot be looked up now; check your network", self.host)),
            true => Step::Failed(format!("{} cannot be found; check the address and your network", self.host)),
        }
    }
}

/// `_sips._tcp.pbx.example` (RFC 3263 §4.1).
fn service(transport: Transport, host: &str) -> String {
    let label = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    format!("{label}.{host}")
}

fn records(answer: Option<Answer>) -> Option<Vec<Srv>> {
    match answer {
        Some(Answer::Srv(records)) if !records.is_empty() => Some(records),
        _ => None,
    }
}

fn records_at(mut answers: impl Iterator<Item = Answer>, at: usize) -> Option<Vec<Srv>> {
    records(answers.nth(at))
}

/// The first record by order and preference whose service we may use, and the name of its SRV records.
fn preferred(mut records: Vec<Naptr>, wanted: &[Transport]) -> Option<(Transport, String)> {
    records.truncate(MAX_RECORDS);
    records.sort_by_key(|naptr| (naptr.order, naptr.preference));
    records.into_iter().find_map(|naptr| {
        let transport = match naptr.services.to_ascii_uppercase().as_str() {
            "SIP+D2U" => Transport::Udp,
            "SIP+D2T" => Transport::Tcp,
            "SIPS+D2T" => Transport::Tls,
            _ => return None,
        };
        let usable = naptr.flags.eq_ignore_ascii_case("s") && wanted.contains(&transport);
        usable.then_some((transport, naptr.replacement))
    })
}

/// RFC 2782: by priority; within one priority drawn one after another, each as likely as its weight among those left.
fn in_order(mut records: Vec<Srv>, entropy: &mut Entropy) -> Vec<Srv> {
    records.truncate(MAX_RECORDS);
    // The order in which an answer lists them says nothing; those without weight come first, so that they have a chance.
    records.sort_by_key(|srv| (Reverse(srv.priority), Reverse(srv.weight), srv.target.clone(), srv.port));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.last().map(|srv| srv.priority) {
        let start = records.iter().position(|srv| srv.priority == priority).unwrap_or_default();
        let total: u64 = records[start..].iter().map(|srv| u64::from(srv.weight)).sum();
        let drawn = (entropy.unit() * (total + 1) as f64) as u64;
        let mut sum = 0;
        let chosen = (start..records.len()).rev().find(|at| {
            sum += u64::from(records[*at].weight);
            sum >= drawn
        });
        ordered.push(records.remove(chosen.unwrap_or(start)));
    }
    ordered
}

#[cfg(test)]
mod tests;
