//! What lines say of sound: a call's figures and quality, the ear's exposure, the check before the shift.

use crate::media::{
    check::Step,
    evidence::{Span, Verdict},
    stats::CallStats,
    voice,
};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Stats {
    call: u32,
    rx: Rx,
    tx: Tx,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mos: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_in_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_out_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<Remote>,
}

/// What the other side reports of how we sound there.
#[derive(Serialize)]
struct Remote {
    #[serde(skip_serializing_if = "Option::is_none")]
    mos: Option<f64>,
    loss: f64,
    late: f64,
    buffer_ms: u16,
}

/// How a call sounded.
#[derive(Serialize)]
pub(super) struct Quality<'a> {
    call: u32,
    fault: &'static str,
    verdict: &'a str,
    last: bool,
    timeline: Vec<Piece>,
}

/// Of a call's timeline.
#[derive(Serialize)]
struct Piece {
    seconds: u32,
    packets: u64,
    lost: u64,
    concealed_ms: u64,
    jitter_ms: f64,
    buffer_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mos: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_mos: Option<f64>,
}

/// What the ear got of the last day; an estimate.
#[derive(Serialize)]
pub(super) struct Exposure {
    level_dba: f64,
    peak_dbc: f64,
    /// Of what directive 2003/10/EC allows.
    share: f64,
    heard_s: u64,
    assumes: &'static str,
}

/// Of the check before the shift.
#[derive(Default, Serialize)]
pub(super) struct Check<'a> {
    state: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    what: &'a str,
    good: bool,
    message: &'a str,
}

#[derive(Serialize)]
struct Rx {
    packets: u64,
    lost: u64,
    late: u64,
    unreadable: u64,
    concealed_ms: u64,
    jitter_ms: f64,
    buffer_ms: f64,
    /// Of full scale, unless it is silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    level_db: Option<f64>,
}

#[derive(Serialize)]
struct Tx {
    packets: u64,
    bytes: u64,
}

/// The power of what is more than silence, which on a telephone has a faint noise: -60 dB of full scale.
const AUDIBLE: f32 = 1e-6;

pub(super) fn figures(call: u32, stats: &CallStats) -> Stats {
    let CallStats { rx, tx, here, .. } = stats;
    Stats {
        call,
        rx: Rx {
            packets: rx.packets,
            lost: rx.lost,
            late: rx.late,
            unreadable: rx.unreadable,
            concealed_ms: rx.concealed_ms,
            jitter_ms: tenths(rx.jitter_ms),
            buffer_ms: tenths(rx.buffer_ms),
            level_db: (here.loudness > AUDIBLE).then(|| tenths(10.0 * f64::from(here.loudness).log10())),
        },
        tx: Tx { packets: tx.packets, bytes: tx.bytes },
        rtt_ms: stats.rtt_ms.map(tenths),
        mos: stats.mos.map(|mos| (mos * 100.0).round() / 100.0),
        delay_in_ms: stats.delays_ms().map(|(inwards, _)| tenths(inwards)),
        delay_out_ms: stats.delays_ms().map(|(_, outwards)| tenths(outwards)),
        remote: stats.remote.as_ref().map(|remote| Remote {
            mos: remote.mos,
            loss: thousandths(remote.loss),
            late: thousandths(remote.discarded),
            buffer_ms: remote.buffer_ms,
        }),
    }
}

pub(super) fn check(step: &Step) -> Check<'_> {
    let at = |state| Check { state, ..Check::default() };
    match step {
        Step::Speak => at("speak"),
        Step::Headset => at("headset"),
        Step::Ringer => at("ringer"),
        Step::Network => at("network"),
        Step::Done(findings) => {
            let told = findings.iter().map(|f| Finding { what: f.what, good: f.good, message: &f.words });
            Check { findings: told.collect(), ..at("done") }
        }
    }
}

pub(super) fn quality<'a>(call: u32, verdict: &'a Verdict, timeline: &[Span], last: bool) -> Quality<'a> {
    let timeline = timeline.iter().map(piece).collect();
    Quality { call, fault: verdict.fault.name(), verdict: &verdict.words, last, timeline }
}

fn piece(span: &Span) -> Piece {
    Piece {
        seconds: span.seconds,
        packets: span.packets,
        lost: span.lost,
        concealed_ms: span.concealed_ms,
        jitter_ms: tenths(span.jitter_ms),
        buffer_ms: tenths(span.buffer_ms),
        rtt_ms: span.rtt_ms.map(tenths),
        mos: span.mos.map(|mos| (mos * 100.0).round() / 100.0),
        remote_loss: span.remote_loss.map(thousandths),
        remote_mos: span.remote_mos,
    }
}

impl From<&voice::Exposure> for Exposure {
    fn from(exposure: &voice::Exposure) -> Self {
        Self {
            level_dba: tenths(exposure.level_db),
            peak_dbc: tenths(exposure.peak_db),
            share: thousandths(exposure.share()),
            heard_s: exposure.heard.as_secs(),
            assumes: voice::ASSUMPTION,
        }
    }
}

fn thousandths(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

fn tenths(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}
