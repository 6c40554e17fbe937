//! When to report (RFC 3550 §6.2, §6.3) and what the peer's reports mean for the call.

use super::{Block, DelaySince, Extended, Outgoing, parse, write};
use crate::media::{
    plan::{ExtendedReports, ReceiverRtt},
    rtp::Reception,
    stats::VoipMetrics,
};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Least interval between reports (§6.2); the first comes after half of it.
const INTERVAL: Duration = Duration::from_secs(5);
/// Makes up for timer reconsideration (§6.3.1).
const COMPENSATION: f64 = std::f64::consts::E - 1.5;
/// Reports of ours that an answer may refer to: those of half a minute and more.
const REMEMBERED: usize = 8;
/// A round trip beyond this is a mistake in the report.
const LONGEST_ROUND_TRIP: f64 = 30_000.0;

/// The control half of a stream.
#[derive(Debug)]
pub struct RtcpSession {
    ssrc: u32,
    cname: String,
    due: Instant,
    /// The peer's last sender report: SSRC, middle bits of its NTP time, when it came.
    last_sender_report: Option<(u32, u32, Instant)>,
    /// Packets sent as of the last report, to tell a sender from a listener.
    reported_packets: u64,
    /// What the peer asked for of extended reports.
    extended: ExtendedReports,
    /// The peer's last receiver reference time, likewise (RFC 3611 §4.4), until it is answered.
    last_reference_time: Option<(u32, u32, Instant)>,
    /// When ours were sent, as answers to them say it: middle bits of NTP times, oldest first.
    told_at: VecDeque<u32>,
    rtt_ms: Option<f64>,
    remote_loss: Option<f64>,
    remote: Option<VoipMetrics>,
}

/// What was sent so far, for a sender report.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// NTP time now: seconds since 1900 in the upper half.
    pub ntp: u64,
    pub timestamp: u32,
    pub packets: u64,
    pub bytes: u64,
}

/// What a well-formed compound packet has told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// What the peer lost of our packets since its report before, 0.0–1.0, where it says so.
    pub loss: Option<f64>,
}

/// Whose packets come, and how they fare here, for the reports.
pub type Received<'a> = Option<(&'a mut Reception, Option<VoipMetrics>)>;

impl RtcpSession {
    /// `cname`: a random name that lasts for the session (RFC 7022 §4.2). `unit`: a random number in 0.0–1.0.
    pub fn new(now: Instant, ssrc: u32, cname: String, unit: f64) -> Self {
        Self {
            ssrc,
            cname,
            due: now + interval(INTERVAL / 2, unit),
            last_sender_report: None,
            reported_packets: 0,
            extended: ExtendedReports::default(),
            last_reference_time: None,
            told_at: VecDeque::with_capacity(REMEMBERED),
            rtt_ms: None,
            remote_loss: None,
            remote: None,
        }
    }

    /// What the peer asked for of extended reports.
    pub const fn set_extended(&mut self, extended: ExtendedReports) {
        self.extended = extended;
    }

    /// Takes in a datagram; what is not a well-formed compound packet is ignored. `source`: whose packets are played; the reports
    /// of another one tell nothing of when those were sent.
    pub fn handle(&mut self, now: Instant, ntp: u64, datagram: &[u8], source: Option<u32>) -> Option<Heard> {
        let reports = parse(datagram)?;
        let is_of_source = source.is_none_or(|source| source == reports.ssrc);
        if let Some(sender_ntp) = reports.sender_ntp.filter(|_| is_of_source) {
            self.last_sender_report = Some((reports.ssrc, middle(sender_ntp), now));
        }
        let ours = self.ssrc;
        let mut heard = Heard { loss: None };
        for block in reports.blocks.iter().filter(|block| block.ssrc == ours) {
            heard.loss = Some(f64::from(block.fraction_lost) / 256.0);
            self.round_trip(ntp, block.last_sender_report, block.delay);
        }
        self.remote_loss = heard.loss.or(self.remote_loss);
        let extended = reports.extended;
        if let Some(reference) = extended.reference_time {
            self.last_reference_time = Some((reports.ssrc, middle(reference), now));
        }
        for delay in extended.delays.iter().filter(|delay| delay.ssrc == ours) {
            self.round_trip(ntp, delay.last_receiver_report, delay.delay);
        }
        if let Some((about, metrics)) = extended.metrics
            && about == ours
        {
            self.remote = Some(metrics);
        }
        Some(heard)
    }

    /// §6.4.1: A − LSR − DLSR, in 1/65536 s, where LSR is a report of ours and DLSR no longer than since then.
    fn round_trip(&mut self, ntp: u64, last_report: u32, delay: u32) {
        if !self.told_at.contains(&last_report) {
            return;
        }
        let since = middle(ntp).wrapping_sub(last_report);
        let ms = (f64::from(since) - f64::from(delay)) * 1000.0 / 65_536.0;
        // Clocks of 1/65536 s can make a short round trip look negative.
        if (-1.0..LONGEST_ROUND_TRIP).contains(&ms) {
            self.rtt_ms = Some(ms.max(0.0));
        }
    }

    pub fn poll_timeout(&self) -> Instant {
        self.due
    }

    /// The report, if it is due. `received`: from whom, and how that fares here.
    pub fn poll(&mut self, now: Instant, sent: Sent, received: Received<'_>, unit: f64) -> Option<Vec<u8>> {
        if now < self.due {
            return None;
        }
        self.due = now + interval(INTERVAL, unit);
        Some(self.report(now, sent, received, false))
    }

    /// The last report, with BYE.
    pub fn bye(&mut self, now: Instant, sent: Sent, received: Received<'_>) -> Vec<u8> {
        self.report(now, sent, received, true)
    }

    pub fn rtt_ms(&self) -> Option<f64> {
        self.rtt_ms
    }

    /// What the peer loses of our packets, 0.0–1.0.
    pub fn remote_loss(&self) -> Option<f64> {
        self.remote_loss
    }

    /// How the peer fares, as it reported last (RFC 3611 §4.7).
    pub const fn remote(&self) -> Option<VoipMetrics> {
        self.remote
    }

    fn report(&mut self, now: Instant, sent: Sent, received: Received<'_>, bye: bool) -> Vec<u8> {
        let sends = sent.packets > self.reported_packets;
        self.reported_packets = sent.packets;
        let since = |came: Instant| (now.saturating_duration_since(came).as_secs_f64() * 65_536.0) as u32;
        let (source, metrics) = received.map(|(reception, metrics)| ((reception.ssrc, reception), metrics)).unzip();
        let delays = self.last_reference_time.take().map(|(ssrc, last_receiver_report, came)| DelaySince {
            ssrc,
            last_receiver_report,
            delay: since(came),
        });
        let wanted = self.extended;
        let answers = wanted.receiver_rtt.is_some_and(|who| sends || who == ReceiverRtt::All);
        // Who sends learns the round trip from sender reports.
        let asks = wanted.receiver_rtt.is_some() && !sends;
        if sends || asks {
            if self.told_at.len() == REMEMBERED {
                self.told_at.pop_front();
            }
            self.told_at.push_back(middle(sent.ntp));
        }
        let extended = Extended {
            reference_time: asks.then_some(sent.ntp),
            delays: delays.filter(|_| answers).into_iter().collect(),
            metrics: source.as_ref().map(|(ssrc, _)| *ssrc).zip(metrics.flatten()).filter(|_| wanted.voip_metrics),
        };
        let block = source.map(|(_, reception)| {
            let (last_sender_report, delay) = match self.last_sender_report {
                Some((ssrc, middle, came)) if ssrc == reception.ssrc => (middle, since(came)),
                _ => (0, 0),
            };
            Block {
                ssrc: reception.ssrc,
                fraction_lost: reception.fraction_lost(),
                cumulative_lost: reception.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
                highest: reception.highest(),
                jitter: reception.jitter() as u32,
                last_sender_report,
                delay,
            }
        });
        let sender = sends.then_some((sent.ntp, sent.timestamp, sent.packets as u32, sent.bytes as u32));
        write(&Outgoing { ssrc: self.ssrc, sender, block, cname: &self.cname, extended, bye })
    }
}

/// Half to one and a half times `base`, compensated (§6.3.1).
fn interval(base: Duration, unit: f64) -> Duration {
    base.mul_f64((0.5 + unit) / COMPENSATION)
}

fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::{
        super::{tests::goodbyes, xr::tests::METRICS},
        *,
    };

    fn sent(ms: u64, packets: u64) -> Sent {
        Sent { ntp: (ms << 32) / 1000 + (100 << 32), timestamp: 0, packets, bytes: packets * 160 }
    }

    #[test]
    fn two_parties_learn_round_trip_and_loss() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut ours = RtcpSession::new(start, 1, "a".into(), 0.5);
        let mut theirs = RtcpSession::new(start, 2, "b".into(), 0.5);
        theirs.set_extended(ExtendedReports { voip_metrics: true, receiver_rtt: Some(ReceiverRtt::All) });
        // Theirs received 3 of 4 of our packets; the network takes 40 ms each way.
        let mut reception = Reception::new(1, 10);
        for sequence in [10, 11, 13] {
            reception.update(start, sequence);
        }
        let report = ours.poll(at(10_000), sent(10_000, 50), None, 0.5).unwrap();
        theirs.handle(at(10_040), sent(10_040, 0).ntp, &report, Some(1));
        // Somebody else's report, and what is none.
        let other = RtcpSession::new(start, 3, "c".into(), 0.5).poll(at(11_000), sent(0, 9), None, 0.5).unwrap();
        assert_eq!(theirs.handle(at(11_000), sent(11_000, 0).ntp, &other, Some(1)), Some(Heard { loss: None }));
        for junk in [&[0x80, 200][..], &report[..report.len() - 2], b""] {
            assert_eq!(theirs.handle(at(11_000), sent(11_000, 0).ntp, junk, Some(1)), None);
        }
        let answer = theirs.poll(at(12_000), sent(12_000, 20), Some((&mut reception, Some(METRICS))), 0.5).unwrap();
        let heard = ours.handle(at(12_040), sent(12_040, 0).ntp, &answer, None);
        assert_eq!(heard, Some(Heard { loss: Some(0.25) }));
        assert!((ours.rtt_ms().unwrap() - 80.0).abs() < 1.0, "{:?}", ours.rtt_ms());
        assert_eq!(ours.remote_loss(), Some(0.25));
        assert_eq!(ours.remote(), Some(METRICS));
    }

    /// What somebody makes up would make a good call a bad one, in words and figures.
    #[test]
    fn a_round_trip_is_believed_of_reports_of_ours_alone() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut ours = RtcpSession::new(start, 1, "a".into(), 0.5);
        ours.poll(at(10_000), sent(10_000, 50), None, 0.5).unwrap();
        let last = middle(sent(10_000, 0).ntp);
        let mut rtt_ms = |last_sender_report, delay| {
            let block = Some(Block { ssrc: 1, last_sender_report, delay, ..Block::default() });
            let extended = Extended::default();
            let report = write(&Outgoing { ssrc: 2, sender: None, block, cname: "b", extended, bye: false });
            ours.handle(at(12_000), sent(12_000, 0).ntp, &report, None).unwrap();
            ours.rtt_ms().map(f64::round)
        };
        let second = 65_536;
        for made_up in [(0, 0), (1, 0), (last + 1, 0), (last - 19 * second, 0), (last, 3 * second), (last, u32::MAX)] {
            assert_eq!(rtt_ms(made_up.0, made_up.1), None, "{made_up:?}");
        }
        assert_eq!(rtt_ms(last, second), Some(1_000.0));
        assert_eq!(rtt_ms(last - second, 0), Some(1_000.0));
    }

    #[test]
    fn a_listener_learns_the_round_trip_too() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let talks = 20;
        for (who, packets, answered) in [
            (ReceiverRtt::All, talks, true),
            (ReceiverRtt::Senders, talks, true),
            (ReceiverRtt::All, 0, true),
            (ReceiverRtt::Senders, 0, false),
        ] {
            let mut listener = RtcpSession::new(start, 1, "a".into(), 0.5);
            let mut other = RtcpSession::new(start, 2, "b".into(), 0.5);
            for session in [&mut listener, &mut other] {
                session.set_extended(ExtendedReports { receiver_rtt: Some(who), voip_metrics: false });
            }
            let asked = listener.poll(at(10_000), sent(10_000, 0), None, 0.5).unwrap();
            other.handle(at(10_030), sent(10_030, 0).ntp, &asked, None);
            let mut reception = Reception::new(1, 10);
            let about = Some((&mut reception, Some(METRICS)));
            let answer = other.poll(at(13_000), sent(13_000, packets), about, 0.5).unwrap();
            listener.handle(at(13_030), sent(13_030, 0).ntp, &answer, None);
            let is_right = |rtt: f64| (rtt - 60.0).abs() < 1.0;
            assert_eq!(listener.rtt_ms().map(is_right), answered.then_some(true), "{who:?}, {packets}");
            assert_eq!(listener.remote(), None, "nobody asked for it");
        }
    }

    #[test]
    fn reports_come_at_random_intervals_around_the_least_one() {
        let start = Instant::now();
        let mut session = RtcpSession::new(start, 1, "a".into(), 0.0);
        assert!(session.poll(start, sent(0, 0), None, 0.0).is_none());
        for unit in [0.0, 0.5, 1.0] {
            let due = session.poll_timeout();
            assert!(session.poll(due, sent(0, 0), None, unit).is_some());
            let next = (session.poll_timeout() - due).as_secs_f64();
            assert!((2.0..=6.2).contains(&next), "{next}");
        }
    }

    #[test]
    fn a_listener_sends_receiver_reports_and_all_say_goodbye() {
        let mut session = RtcpSession::new(Instant::now(), 1, "a".into(), 0.5);
        let last = session.bye(Instant::now(), sent(0, 0), None);
        assert_eq!((parse(&last).unwrap().sender_ntp, goodbyes(&last)), (None, vec![1]));
    }
}
