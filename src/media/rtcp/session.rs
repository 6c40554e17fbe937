//! When to report (RFC 3550 §6.2, §6.3) and what the peer's reports mean for the call.

use super::{Block, Outgoing, parse, write};
use crate::media::rtp::Reception;
use std::time::{Duration, Instant};

/// Least interval between reports (§6.2); the first comes after half of it.
const INTERVAL: Duration = Duration::from_secs(5);
/// Makes up for timer reconsideration (§6.3.1).
const COMPENSATION: f64 = std::f64::consts::E - 1.5;
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
    rtt_ms: Option<f64>,
    remote_loss: Option<f64>,
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

impl RtcpSession {
    /// `cname`: a random name that lasts for the session (RFC 7022 §4.2). `unit`: a random number in 0.0–1.0.
    pub fn new(now: Instant, ssrc: u32, cname: String, unit: f64) -> Self {
        Self {
            ssrc,
            cname,
            due: now + interval(INTERVAL / 2, unit),
            last_sender_report: None,
            reported_packets: 0,
            rtt_ms: None,
            remote_loss: None,
        }
    }

    /// Takes in a datagram; what is not a well-formed compound packet is ignored.
    pub fn handle(&mut self, now: Instant, ntp: u64, datagram: &[u8]) {
        let Some(reports) = parse(datagram) else { return };
        if let Some(sender_ntp) = reports.sender_ntp {
            self.last_sender_report = Some((reports.ssrc, middle(sender_ntp), now));
        }
        for block in reports.blocks.iter().filter(|block| block.ssrc == self.ssrc) {
            self.remote_loss = Some(f64::from(block.fraction_lost) / 256.0);
            if block.last_sender_report != 0 {
                // §6.4.1: A − LSR − DLSR, in 1/65536 s.
                let units = middle(ntp).wrapping_sub(block.last_sender_report).wrapping_sub(block.delay) as i32;
                let ms = f64::from(units) * 1000.0 / 65_536.0;
                // Clocks of 1/65536 s can make a short round trip look negative.
                if (-1.0..LONGEST_ROUND_TRIP).contains(&ms) {
                    self.rtt_ms = Some(ms.max(0.0));
                }
            }
        }
    }

    pub fn poll_timeout(&self) -> Instant {
        self.due
    }

    /// The report, if it is due.
    pub fn poll(&mut self, now: Instant, sent: Sent, reception: Option<&mut Reception>, unit: f64) -> Option<Vec<u8>> {
        if now < self.due {
            return None;
        }
        self.due = now + interval(INTERVAL, unit);
        Some(self.report(now, sent, reception, false))
    }

    /// The last report, with BYE.
    pub fn bye(&mut self, now: Instant, sent: Sent, reception: Option<&mut Reception>) -> Vec<u8> {
        self.report(now, sent, reception, true)
    }

    pub fn rtt_ms(&self) -> Option<f64> {
        self.rtt_ms
    }

    /// What the peer loses of our packets, 0.0–1.0.
    pub fn remote_loss(&self) -> Option<f64> {
        self.remote_loss
    }

    fn report(&mut self, now: Instant, sent: Sent, reception: Option<&mut Reception>, bye: bool) -> Vec<u8> {
        let sends = sent.packets > self.reported_packets;
        self.reported_packets = sent.packets;
        let block = reception.map(|reception| {
            let (last_sender_report, delay) = match self.last_sender_report {
                Some((ssrc, middle, came)) if ssrc == reception.ssrc => {
                    let delay = now.saturating_duration_since(came).as_secs_f64() * 65_536.0;
                    (middle, delay as u32)
                }
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
        write(&Outgoing { ssrc: self.ssrc, sender, block, cname: &self.cname, bye })
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
    use super::{super::tests::goodbyes, *};

    fn sent(ms: u64, packets: u64) -> Sent {
        Sent { ntp: (ms << 32) / 1000 + (100 << 32), timestamp: 0, packets, bytes: packets * 160 }
    }

    #[test]
    fn two_parties_learn_round_trip_and_loss() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut ours = RtcpSession::new(start, 1, "a".into(), 0.5);
        let mut theirs = RtcpSession::new(start, 2, "b".into(), 0.5);
        // Theirs received 3 of 4 of our packets; the network takes 40 ms each way.
        let mut reception = Reception::new(1, 10);
        for sequence in [10, 11, 13] {
            reception.update(sequence);
        }
        let report = ours.poll(at(10_000), sent(10_000, 50), None, 0.5).unwrap();
        theirs.handle(at(10_040), sent(10_040, 0).ntp, &report);
        let answer = theirs.poll(at(12_000), sent(12_000, 20), Some(&mut reception), 0.5).unwrap();
        ours.handle(at(12_040), sent(12_040, 0).ntp, &answer);
        assert!((ours.rtt_ms().unwrap() - 80.0).abs() < 1.0, "{:?}", ours.rtt_ms());
        assert_eq!(ours.remote_loss(), Some(0.25));
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
