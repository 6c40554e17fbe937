//! What becomes of a call before it rings here: do not disturb, forwarding, and the emergency numbers that no such thing
//! stands in the way of.

use super::{api::Account, target};
use crate::sip::{
    msg::{Request, Response},
    uri::{Host, NameAddr, SipUri, Uri},
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Emergency numbers where nobody has named others.
pub const EMERGENCY_NUMBERS: [&str; 5] = ["112", "911", "999", "10111", "10177"];

/// [`EMERGENCY_NUMBERS`], as an account has them.
pub fn usual_emergency_numbers() -> Vec<String> {
    EMERGENCY_NUMBERS.map(str::to_owned).to_vec()
}
/// So long after an emergency call everybody gets through: the emergency service may call back.
const CALL_BACK: Duration = Duration::from_secs(30 * 60);
/// A call that was forwarded so often is not sent on once more.
const MOST_FORWARDS: usize = 5;
/// How long it may ring before it is forwarded.
const AFTER_S: std::ops::RangeInclusive<u64> = 1..=180;
/// How long it rings before it is forwarded, where nobody has said.
const DEFAULT_AFTER_S: u64 = 20;

/// How calls are treated; kept in the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Services {
    pub do_not_disturb: bool,
    /// Whom do not disturb turns away hears that we cannot be reached (480) rather than that we are busy (486).
    pub do_not_disturb_as_unreachable: bool,
    /// As typed; every call.
    pub forward_always: Option<String>,
    /// Calls that come during another one, or with do not disturb on.
    pub forward_busy: Option<String>,
    pub forward_no_answer: Option<NoAnswer>,
    /// Our PBX may ask us to answer without ringing.
    pub answer_on_request: bool,
    /// Dialled before a colleague's number to take over a call that rings there; without it, INVITE with Replaces.
    pub pickup_prefix: Option<String>,
    /// Calls of ours do not show who calls (RFC 3323), emergency calls excepted.
    pub withhold_identity: bool,
}

impl Default for NoAnswer {
    /// To nobody.
    fn default() -> Self {
        Self { to: String::new(), after_s: DEFAULT_AFTER_S }
    }
}

/// Where a call goes that nobody answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoAnswer {
    pub to: String,
    pub after_s: u64,
}

/// A change of [`Services`], as it is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceCommand {
    DoNotDisturb {
        on: bool,
    },
    /// `after_s`: for [`ForwardWhen::NoAnswer`].
    Forward {
        when: ForwardWhen,
        to: Option<String>,
        after_s: Option<u64>,
    },
    /// All of it.
    Set(Box<Services>),
}

/// Which calls are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardWhen {
    Always,
    Busy,
    NoAnswer,
    /// None at all.
    Off,
}

/// Whether another call leaves room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occupied {
    No,
    /// Another call is up.
    Busy,
    /// No further call can be taken.
    Full,
}

/// Why a call went on to somebody else: the words of RFC 5806 §4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Unconditional,
    UserBusy,
    NoAnswer,
}

/// What is to become of a call.
#[derive(Debug)]
pub(super) enum Treatment {
    /// And, where nobody answers, to be sent elsewhere after so long.
    Ring(Option<(Duration, Redirect)>),
    /// To be answered at once, without ringing; why, where the agent is to know of the call.
    TurnAway(Response, Option<String>),
}

/// What a 302 says, and why, for the agent.
#[derive(Debug)]
pub(super) struct Redirect {
    fields: Vec<(&'static str, String)>,
    pub why: String,
}

impl Redirect {
    pub fn write(self, response: &mut Response) {
        for (name, value) in self.fields {
            response.headers.push(name, value);
        }
    }
}

impl Default for Services {
    fn default() -> Self {
        Self {
            do_not_disturb: false,
            do_not_disturb_as_unreachable: false,
            forward_always: None,
            forward_busy: None,
            forward_no_answer: None,
            answer_on_request: true,
            pickup_prefix: None,
            withhold_identity: false,
        }
    }
}

impl ServiceCommand {
    /// The command's name in the headless contract.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::DoNotDisturb { .. } => "do_not_disturb",
            Self::Forward { .. } => "forward",
            Self::Set(_) => "services",
        }
    }
}

impl Services {
    /// Carries a change out, or leaves everything as it was. `account`: the one in use, if any.
    ///
    /// # Errors
    /// A sentence with the way out.
    pub fn change(&self, command: ServiceCommand, account: Option<&Account>) -> Result<Self, String> {
        let mut new = self.clone();
        match command {
            ServiceCommand::DoNotDisturb { on } => new.do_not_disturb = on,
            ServiceCommand::Forward { when: ForwardWhen::Off, .. } => {
                (new.forward_always, new.forward_busy, new.forward_no_answer) = (None, None, None);
            }
            ServiceCommand::Forward { when, to, after_s } => {
                let to = to.ok_or("Say where to forward the calls: a number or an address.")?;
                match when {
                    ForwardWhen::Always => new.forward_always = Some(to),
                    ForwardWhen::Busy => new.forward_busy = Some(to),
                    ForwardWhen::NoAnswer | ForwardWhen::Off => {
                        new.forward_no_answer = Some(NoAnswer { to, after_s: after_s.unwrap_or(DEFAULT_AFTER_S) });
                    }
                }
            }
            ServiceCommand::Set(all) => new = *all,
        }
        let no_answer = new.forward_no_answer.as_ref();
        for to in [&new.forward_always, &new.forward_busy].into_iter().flatten().chain(no_answer.map(|n| &n.to)) {
            check_target(to, account)?;
        }
        match no_answer {
            Some(NoAnswer { after_s, .. }) if !AFTER_S.contains(after_s) => {
                let (least, most) = AFTER_S.into_inner();
                Err(format!("Calls can be forwarded after {least} to {most} seconds, not after {after_s}."))
            }
            _ => Ok(new),
        }
    }

    /// `calls_back`: it may be the emergency service, which nothing keeps from ringing but a lack of room.
    pub(super) fn treat(&self, invite: &Request, account: &Account, now: Occupied, calls_back: bool) -> Treatment {
        let forward = |to: &Option<String>, reason| forward(invite, account, to.as_deref()?, reason);
        if !calls_back {
            let busy = now != Occupied::No || self.do_not_disturb;
            let always = forward(&self.forward_always, Reason::Unconditional);
            let to = always.or_else(|| busy.then(|| forward(&self.forward_busy, Reason::UserBusy)).flatten());
            if let Some(redirect) = to {
                let (mut response, why) = (Response::to(invite, 302, None), redirect.why.clone());
                redirect.write(&mut response);
                return Treatment::TurnAway(response, Some(why));
            }
            if self.do_not_disturb {
                let code = if self.do_not_disturb_as_unreachable { 480 } else { 486 };
                let why = "Do not disturb was on.".to_owned();
                return Treatment::TurnAway(Response::to(invite, code, None), Some(why));
            }
        }
        if now == Occupied::Full {
            return Treatment::TurnAway(Response::to(invite, 486, None), None);
        }
        let no_answer = self.forward_no_answer.as_ref().filter(|_| !calls_back);
        Treatment::Ring(no_answer.and_then(|NoAnswer { to, after_s }| {
            let redirect = forward(&Some(to.clone()), Reason::NoAnswer)?;
            Some((Duration::from_secs(*after_s), redirect))
        }))
    }
}

/// Whether what is dialled is an emergency number of the account, however it is written.
pub(super) fn is_emergency(uri: &Uri, account: &Account) -> bool {
    let dialled = match uri {
        Uri::Sip(uri) => uri.user.as_deref().unwrap_or_default(),
        Uri::Tel { number, .. } => number,
        Uri::Other { .. } => return false,
    };
    let digits = dialled.split(';').next().unwrap_or_default();
    account.emergency_numbers.iter().any(|number| number == digits)
}

/// Until when the emergency service may call back.
pub(super) fn call_back_until(now: Instant) -> Instant {
    now + CALL_BACK
}

/// RFC 7090 §5: the emergency service says so itself.
pub(super) fn is_call_back(invite: &Request) -> bool {
    invite.headers.get("Priority").is_some_and(|p| p.eq_ignore_ascii_case("psap-callback"))
}

fn check_target(to: &str, account: Option<&Account>) -> Result<Uri, String> {
    let nowhere = || Uri::Sip(SipUri::new(None, Host::Name("localhost".to_owned()), None));
    let uri = target::parse(to, &account.map_or_else(nowhere, |a| a.aor.clone()))?;
    let Some(account) = account else { return Ok(uri) };
    if is_emergency(&uri, account) {
        return Err(format!("Calls cannot be forwarded to the emergency number {to}."));
    }
    if uri.equivalent(&account.aor) {
        return Err(format!("{to} is this phone: calls that are forwarded to it go in a circle."));
    }
    Ok(uri)
}

/// 302 to the other number, with who sent the call there (RFC 5806 §4.1). `None`: it has been sent on by us before or too
/// often, comes from there, or this account cannot call there.
fn forward(invite: &Request, account: &Account, to: &str, reason: Reason) -> Option<Redirect> {
    let target = check_target(to, Some(account)).ok()?;
    let diversions = invite.headers.name_addrs("Diversion").unwrap_or_default();
    let counter = |d: &NameAddr| d.param("counter").and_then(|n| n.parse().ok()).unwrap_or(1_usize);
    let times = diversions.iter().fold(0_usize, |sum, d| sum.saturating_add(counter(d)));
    let from = invite.headers.from().ok()?;
    let in_a_circle = times >= MOST_FORWARDS
        || diversions.iter().any(|d| d.uri.equivalent(&account.aor))
        || from.uri.equivalent(&target);
    if in_a_circle {
        return None;
    }
    let mut us = NameAddr::new(account.aor.clone());
    us.set_param("reason", Some(reason.word()));
    us.set_param("counter", Some("1"));
    let earlier = diversions.iter().map(|d| ("Diversion", d.to_string()));
    let new = [("Contact", NameAddr::new(target).to_string()), ("Diversion", us.to_string())];
    let why = match reason {
        Reason::Unconditional => format!("The call was forwarded to {to}."),
        Reason::UserBusy => format!("You were busy, so the call was forwarded to {to}."),
        Reason::NoAnswer => format!("Nobody answered here, so the call was forwarded to {to}."),
    };
    Some(Redirect { fields: new.into_iter().chain(earlier).collect(), why })
}

impl Reason {
    const fn word(self) -> &'static str {
        match self {
            Self::Unconditional => "unconditional",
            Self::UserBusy => "user-busy",
            Self::NoAnswer => "no-answer",
        }
    }
}
