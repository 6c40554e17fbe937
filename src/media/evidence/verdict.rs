//! Whose fault it is, in words. A judgement of likelihood: one end sees its own machine, what comes in, and what the other end
//! reports of what goes out.

use super::Span;

/// Calls shorter than this say nothing.
const SHORTEST: u32 = 3;
/// Shares and times from which something is heard to be wrong.
const LOSS: f64 = 0.01;
const STALLED: f64 = 0.01;
const ABSENT: f64 = 0.05;
const JITTER_MS: f64 = 40.0;
const RTT_MS: f64 = 400.0;
const DELAYED: f64 = 0.05;
/// A microphone or a peer that nothing has come from in so many seconds of the call may have something to hear about it.
const SILENT: u32 = 30;

/// Where the trouble is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nobody,
    Device,
    Computer,
    LocalNetwork,
    /// On the way, and nothing tells whether at this end of it.
    Network,
    Provider,
    OtherSide,
}

impl Fault {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "none",
            Self::Device => "device",
            Self::Computer => "computer",
            Self::LocalNetwork => "local_network",
            Self::Network => "network",
            Self::Provider => "provider",
            Self::OtherSide => "other_side",
        }
    }
}

/// What is to be judged by. Shares are 0.0–1.0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    pub seconds: u32,
    /// Something has come in this call so far.
    pub began: bool,
    pub packets: u64,
    /// Those that could not be authenticated.
    pub unreadable: u64,
    /// Of what was sent to us, on average.
    pub loss: f64,
    /// Of what was sent to us, what came too late.
    pub late: f64,
    /// Of what we sent, on average, where the other side reports it.
    pub remote_loss: Option<f64>,
    /// Of what we sent, what could not be made up for there, and what came too late to be played, by the end.
    pub remote_missing: Option<f64>,
    pub remote_late: Option<f64>,
    /// Of what was heard, what was made up, because nothing was there in time.
    pub concealed: f64,
    /// On average.
    pub jitter_ms: f64,
    /// The longest.
    pub rtt_ms: Option<f64>,
    /// Of the time, in which what was heard was too old for a conversation.
    pub delayed: f64,
    /// The longest delay within this computer that waited for what was late.
    pub buffer_ms: f64,
    /// On average; `None` while there is nothing to judge, for a sender that is silent on purpose is judged.
    pub mos: Option<f64>,
    /// Of the time.
    pub stalled: f64,
    pub absent: f64,
    /// Of the time, in which the other side answered no checks any more.
    pub unanswered: f64,
    /// Seconds of the call in which there was nothing to hear so far, and no sound from the microphone; zero once there was.
    pub unheard: u32,
    pub unsaid: u32,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub fault: Fault,
    /// A sentence with what helps.
    pub words: String,
}

impl Evidence {
    pub fn of<'a>(spans: impl Iterator<Item = &'a Span> + Clone) -> Self {
        let seconds: u32 = spans.clone().map(|span| span.seconds).sum();
        let count = |of: fn(&Span) -> u64| spans.clone().map(of).sum::<u64>();
        let share = |of: fn(&Span) -> u64| (count(of) as f64 / (f64::from(seconds.max(1)) * 1000.0)).min(1.0);
        let mean = |of: fn(&Span) -> Option<f64>| {
            let known = || spans.clone().filter_map(|span| Some((of(span)?, f64::from(span.seconds))));
            let time: f64 = known().map(|(_, seconds)| seconds).sum();
            (time > 0.0).then(|| known().map(|(value, seconds)| value * seconds).sum::<f64>() / time)
        };
        let (packets, lost) = (count(|span| span.packets), count(|span| span.lost));
        let of_sent = |count: u64| count as f64 / (packets + lost).max(1) as f64;
        Self {
            seconds,
            began: packets > 0,
            packets,
            unreadable: count(|span| span.unreadable),
            loss: of_sent(lost),
            late: of_sent(count(|span| span.late)),
            remote_loss: mean(|span| span.remote_loss),
            remote_missing: spans.clone().filter_map(|span| span.remote_missing).last(),
            remote_late: spans.clone().filter_map(|span| span.remote_late).last(),
            concealed: share(|span| span.concealed_ms),
            jitter_ms: mean(|span| Some(span.jitter_ms)).unwrap_or_default(),
            rtt_ms: spans.clone().filter_map(|span| span.rtt_ms).reduce(f64::max),
            delayed: share(|span| span.delayed_ms),
            buffer_ms: spans.clone().map(|span| span.buffer_ms).fold(0.0, f64::max),
            mos: mean(|span| span.mos),
            stalled: share(|span| span.stalled_ms),
            absent: share(|span| span.absent_ms),
            unanswered: share(|span| span.unanswered_ms),
            unheard: if count(|span| span.heard_ms) == 0 { seconds } else { 0 },
            unsaid: if count(|span| span.said_ms) == 0 { seconds } else { 0 },
        }
    }
}

/// The nearest cause that explains what was heard: what is wrong here makes the figures of the network look bad too.
pub fn verdict(evidence: &Evidence) -> Verdict {
    let (fault, words) = if evidence.seconds < SHORTEST {
        (Fault::Nobody, "The call was too short to tell.".into())
    } else {
        let found = here(evidence).or_else(|| unanswered(evidence)).or_else(|| lost(evidence));
        let found = found.or_else(|| uneven(evidence)).or_else(|| silent(evidence));
        found.unwrap_or_else(|| (Fault::Nobody, well(evidence)))
    };
    Verdict { fault, words }
}

type Judged = Option<(Fault, String)>;

/// Device and computer.
fn here(evidence: &Evidence) -> Judged {
    if evidence.absent > ABSENT {
        let share = percent(evidence.absent);
        let words = format!(
            "Microphone or speaker stood still for {share} of the time: check the headset's plug; if that is in, close programs \
             that you don't need."
        );
        return Some((Fault::Device, words));
    }
    (evidence.stalled > STALLED).then(|| {
        let share = percent(evidence.stalled);
        let words = format!(
            "This computer was too busy for sound for {share} of the time: close programs that you don't need."
        );
        (Fault::Computer, words)
    })
}

/// The way to the other side broke, whatever the way back: audio that came meanwhile says whose end it is.
fn unanswered(evidence: &Evidence) -> Judged {
    (evidence.unanswered >= LOSS).then(|| {
        let share = percent(evidence.unanswered);
        let heard = evidence.packets > 0 && evidence.concealed < evidence.unanswered / 2.0;
        let (fault, meanwhile) = match heard {
            true => (
                Fault::OtherSide,
                "although you heard them: their network or computer is the likely cause. Call again; if that does not help",
            ),
            false => (
                Fault::Network,
                "nor you them: the connection was broken, at their end or at yours. Use a cable or move closer to the Wi-Fi; if it comes \
                 again",
            ),
        };
        let words = format!(
            "For {share} of the time nothing answered where your sound goes to, so the other side hardly heard you, {meanwhile}, tell your \
             phone system's administrator."
        );
        (fault, words)
    })
}

fn well(evidence: &Evidence) -> String {
    let (come, gone) = (evidence.loss, evidence.remote_loss.unwrap_or_default());
    if come < LOSS && gone < LOSS {
        return "Nothing was wrong with the sound.".into();
    }
    let (come, gone) = (percent(come), percent(gone));
    format!(
        "What got lost on the way ({come} to you, {gone} from you) was made up for: nothing was wrong with the sound."
    )
}

/// Which ways packets got lost so that it was heard.
fn lost(evidence: &Evidence) -> Judged {
    if evidence.packets == 0 && evidence.mos.is_none() {
        return Some(nothing(evidence));
    }
    let come = if evidence.concealed >= LOSS { evidence.loss } else { 0.0 };
    let is_heard_there = evidence.remote_missing.is_none_or(|missing| missing >= LOSS);
    let gone = evidence.remote_loss.filter(|_| is_heard_there).unwrap_or_default();
    let told = evidence.remote_loss.is_some();
    match (come >= LOSS, gone >= LOSS) {
        (true, true) => {
            let (come, gone) = (percent(come), percent(gone));
            let words = format!(
                "Sound got lost both ways ({come} to you, {gone} from you), most likely on your own network: use a cable, move \
                 closer to the Wi-Fi, stop large downloads."
            );
            Some((Fault::LocalNetwork, words))
        }
        (false, true) => {
            let gone = percent(gone);
            let words = format!(
                "{gone} of what you said got lost and what you heard did not, as when the way out of your network is full: \
                 stop uploads, use a cable."
            );
            Some((Fault::LocalNetwork, words))
        }
        (true, false) if !told => {
            let come = percent(come);
            let words = format!(
                "{come} of the sound to you got lost on the way; the other side does not tell whether yours gets there, so nobody \
                 can say where. Use a cable or move closer to the Wi-Fi; if that does not help, it is beyond your network."
            );
            Some((Fault::Network, words))
        }
        (true, false) => {
            let come = percent(come);
            let words = format!(
                "{come} of the sound to you got lost and none from you: the trouble lies beyond your network, at the provider \
                 or with the other side."
            );
            Some((Fault::Provider, words))
        }
        (false, false) => None,
    }
}

/// What is said of audio that comes from `peer` under other keys than were agreed on, or in the open.
pub fn undecrypted(peer: &str) -> String {
    format!(
        "What comes from {peer} cannot be decrypted: their keys do not fit, or they do not encrypt as was agreed on. The fault is most \
         likely theirs or the provider's. Call again; if that does not help, tell your phone system's administrator."
    )
}

fn nothing(evidence: &Evidence) -> (Fault, String) {
    // One a second is no chance.
    if evidence.unreadable >= u64::from(evidence.seconds) {
        return (Fault::Provider, undecrypted("the other side"));
    }
    let words = "Nothing came from the other side, not even silence: something on the way, like a firewall, keeps it out. Tell \
                 your phone system's administrator.";
    if !evidence.began {
        return (Fault::Provider, words.into());
    }
    let words = "Nothing comes from the other side any more, not even silence: they have stopped sending, or the connection is \
                 broken. If you don't hear them, hang up and call again.";
    (Fault::Network, words.into())
}

/// What came, but not in time.
fn uneven(evidence: &Evidence) -> Judged {
    if evidence.concealed >= LOSS {
        let share = percent(evidence.concealed);
        return Some(if evidence.late >= evidence.concealed / 2.0 {
            let words = format!(
                "{share} of the sound to you came too late to be heard, as on a shared Wi-Fi: use a cable or move closer."
            );
            (Fault::LocalNetwork, words)
        } else {
            let words = format!(
                "For {share} of the time nothing was there to be heard, although little or none was lost: the network stood still, or \
                 the other side stopped sending. If it comes again, use a cable or move closer to the Wi-Fi."
            );
            (Fault::Network, words)
        });
    }
    if let Some(held) = held(evidence) {
        return Some(held);
    }
    if evidence.jitter_ms >= JITTER_MS {
        let jitter = evidence.jitter_ms;
        let words = format!(
            "Sound arrived unevenly (by {jitter:.0} ms) and none was lost, as on a shared Wi-Fi: use a cable or move closer."
        );
        return Some((Fault::LocalNetwork, words));
    }
    if let Some(late) = evidence.remote_late.filter(|late| *late >= LOSS) {
        let late = percent(late);
        let words = format!(
            "{late} of what you said reached the other side too late to be heard, although what you heard was punctual: their \
             network or computer is the likely cause."
        );
        return Some((Fault::OtherSide, words));
    }
    evidence.rtt_ms.filter(|rtt| *rtt >= RTT_MS).map(|rtt| {
        let words = format!(
            "The way to the other side and back takes {rtt:.0} ms, which makes people talk at the same time: ask the provider \
             for a shorter one."
        );
        (Fault::Provider, words)
    })
}

/// Delay that is mostly made here, so that nothing is missed.
fn held(evidence: &Evidence) -> Judged {
    let way_ms = evidence.rtt_ms.unwrap_or_default() / 2.0;
    (evidence.delayed >= DELAYED && evidence.buffer_ms > way_ms).then(|| {
        let (share, ms) = (percent(evidence.delayed), evidence.buffer_ms + way_ms);
        let age = if ms < 1_000.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1_000.0) };
        let words = format!(
            "For {share} of the time what you heard was up to {age} old, which makes people talk at the same time: it came so unevenly \
             that it had to be held back here. Use a cable or move closer to the Wi-Fi; if it stays, hang up and call again."
        );
        (Fault::Network, words)
    })
}

/// Sound that came all right and said nothing, ever: whoever listens for a while, with a headset or a telephone that shuts its
/// microphone meanwhile, has said something before.
fn silent(evidence: &Evidence) -> Judged {
    if evidence.unsaid >= SILENT {
        let words = "Your microphone has given no sound in this call, not even of the room: check the headset's own mute switch, \
                     and which microphone is chosen.";
        return Some((Fault::Device, words.into()));
    }
    (evidence.unheard >= SILENT).then(|| {
        let words = "Nothing but silence has come from the other side in this call: if they speak, their microphone is muted or \
                     does not work.";
        (Fault::OtherSide, words.into())
    })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests;
