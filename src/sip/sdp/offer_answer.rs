//! One session's side of the negotiation (RFC 3264).

use super::{
    LocalCrypto, LocalIce, Outside, SdpError,
    format::{Encoding, Format, attribute},
    remote::{self, RemoteAudio, is_audio},
    reports,
};
use crate::media::plan::{
    Codec, ComfortNoise, Direction, IcePlan, KeyExchange, MediaPlan, OpusParams, Redundancy, TelephoneEvent, is_private,
};
use sdp_types::{Attribute, Connection, Media, Origin, Session, Time};
use std::net::{IpAddr, SocketAddr};

/// What must be remembered between exchanges of one session.
#[derive(Clone)]
pub struct OfferAnswer {
    /// Order of preference.
    codecs: Vec<Codec>,
    crypto: LocalCrypto,
    ice: Option<LocalIce>,
    /// Silence need not be sent (RFC 3389, RFC 7587 §6.1): it is offered, and done where both sides agree.
    suppresses_silence: bool,
    /// Where the peer's offer came from, by way of servers or not.
    source: Option<IpAddr>,
    /// `o=`: never changes, so that the version counts (RFC 3264 §8).
    session_id: u64,
    /// The description we sent last; its successor has the next version unless it is the same.
    sent: Option<Session>,
    /// One for each m= line there ever was: lines are never removed (RFC 3264 §8).
    lines: Vec<Line>,
    /// Our payload types, which must not change their meaning during a session (RFC 3264 §8.3.2).
    numbers: Vec<Format>,
    /// Our offer that is not answered yet.
    offered: Option<Offered>,
}

#[derive(Clone, Debug, PartialEq)]
enum Line {
    Audio {
        proto: String,
    },
    /// Written again with port 0.
    Refused {
        media: String,
        proto: String,
        fmt: String,
    },
}

#[derive(Clone, Debug)]
struct Offered {
    direction: Direction,
    formats: Vec<Format>,
}

impl OfferAnswer {
    /// `session_id`: random, for `o=`.
    pub fn new(codecs: &[Codec], session_id: u64, crypto: LocalCrypto) -> Self {
        Self {
            codecs: codecs.to_vec(),
            crypto,
            ice: None,
            suppresses_silence: false,
            source: None,
            // Some peers read it as a signed 64-bit number.
            session_id: session_id >> 1,
            sent: None,
            lines: Vec::new(),
            numbers: Vec::new(),
            offered: None,
        }
    }

    /// Takes part in checks of the ways, too.
    #[must_use]
    pub fn with_ice(self, ice: LocalIce) -> Self {
        Self { ice: Some(ice), ..self }
    }

    /// Whether silence need not be sent.
    #[must_use]
    pub fn with_silence_suppression(self, suppresses_silence: bool) -> Self {
        Self { suppresses_silence, ..self }
    }

    /// Where the peer's offer comes from.
    pub const fn set_source(&mut self, source: IpAddr) {
        self.source = Some(source);
    }

    /// Where our RTP port is reached besides.
    pub const fn set_outside(&mut self, outside: Outside) {
        if let Some(ice) = &mut self.ice {
            ice.set_outside(outside);
        }
    }

    /// The next offer begins the checks anew.
    pub const fn restart_ice(&mut self) {
        if let Some(ice) = &mut self.ice {
            ice.restart();
        }
    }

    /// An offer of all our codecs on `local` (RTP; RTCP is the port above, or the same where the answer agrees).
    pub fn offer(&mut self, local: SocketAddr, direction: Direction) -> Vec<u8> {
        let known = self.lines.iter().find_map(|line| match line {
            Line::Audio { proto } => Some(proto.clone()),
            Line::Refused { .. } => None,
        });
        let proto = known.unwrap_or_else(|| {
            let proto = self.crypto.protocol().to_owned();
            self.lines.push(Line::Audio { proto: proto.clone() });
            proto
        });
        let security = self.crypto.offer(&proto);
        let mut encodings: Vec<_> = self.codecs.iter().copied().map(Encoding::Audio).collect();
        if self.codecs.contains(&Codec::Opus) {
            encodings.push(Encoding::TelephoneEvent { clock_rate: 48_000 });
        }
        encodings.push(Encoding::TelephoneEvent { clock_rate: 8_000 });
        if self.suppresses_silence && self.codecs.iter().any(|codec| codec.clock_rate() == 8_000) {
            encodings.push(Encoding::ComfortNoise);
        }
        let mut formats: Vec<_> = encodings.into_iter().map(|e| self.number(e)).collect();
        if let Some(opus) = formats.iter().find(|f| f.encoding == Encoding::Audio(Codec::Opus)).map(|f| f.payload_type)
        {
            let number = self.number(Encoding::Redundancy).payload_type;
            formats.push(Format::redundancy(number, opus));
        }
        let ice = self.ice.as_mut().map(|ice| ice.offer(local)).unwrap_or_default();
        let reports = Some(reports::offer());
        let written = Written { direction, formats: &formats, rtcp_mux: true, security: &security, ice: &ice, reports };
        let body = self.write(local, None, written);
        self.offered = Some(Offered { direction, formats });
        body
    }

    /// What an answer to our offer would mean, without accepting it: early media, where several forks may answer and the
    /// 2xx decides (RFC 3261 §13.2.1).
    pub fn preview(&self, answer: &[u8]) -> Result<MediaPlan, SdpError> {
        self.read_answer(answer).map(|(plan, _)| plan)
    }

    fn read_answer(&self, answer: &[u8]) -> Result<(MediaPlan, RemoteAudio), SdpError> {
        let offered = self.offered.as_ref().ok_or(SdpError::NoOffer)?;
        if answer.is_empty() {
            return Err(SdpError::NoAnswer);
        }
        let session = remote::parse(answer)?;
        let line = self.lines.iter().position(|l| matches!(l, Line::Audio { .. })).ok_or(SdpError::NoOffer)?;
        // RFC 3264 §6: each line of the offer has its answer in the same place and of the same kind.
        let media = session.medias.get(line).filter(|media| media.media == "audio").ok_or(SdpError::NoAudio)?;
        if media.port == 0 {
            return Err(SdpError::Refused);
        }
        let audio = remote::read_audio(&session, media)?;
        let keys = self.crypto.settle(&audio.security)?;
        let ice = self.ice.as_ref().and_then(|ice| ice.plan(audio.ice.as_ref(), true));
        let plan = plan(&audio, &offered.formats, offered.direction, (keys, ice))?;
        Ok((self.quieted(plan), audio))
    }

    /// The answer to our offer.
    pub fn accept_answer(&mut self, answer: &[u8]) -> Result<MediaPlan, SdpError> {
        let (plan, audio) = self.read_answer(answer)?;
        self.offered = None;
        if let Some(ice) = &mut self.ice {
            ice.answered_by(audio.ice.as_ref());
        }
        self.keep(&plan);
        Ok(plan)
    }

    /// Our offer was refused as a whole: what was agreed before holds (RFC 3261 §14.1).
    pub fn offer_failed(&mut self) {
        self.offered = None;
    }

    pub const fn is_offering(&self) -> bool {
        self.offered.is_some()
    }

    /// Where the peer's offer wants audio; `Err` when the offer cannot be answered.
    pub fn check_offer(&self, offer: &[u8]) -> Result<SocketAddr, SdpError> {
        check_offer(offer, &self.codecs, &self.crypto)
    }

    /// Answers the peer's offer. `wanted`: the most we would do (send-receive, or send-only while we hold).
    pub fn answer(
        &mut self,
        offer: &[u8],
        local: SocketAddr,
        wanted: Direction,
    ) -> Result<(Vec<u8>, MediaPlan), SdpError> {
        let session = remote::parse(offer)?;
        let (index, audio) = remote::choose_audio(&session, &self.codecs, &self.crypto)?;
        let formats = answered_formats(&audio, &self.codecs, self.suppresses_silence);
        let (security, keys) = self.crypto.choose(&audio.security, self.is_hidden(&audio))?.unzip();
        let (mut ice_lines, mut ice_plan) = (Vec::new(), None);
        if let Some(ice) = &mut self.ice {
            ice.offered_by(audio.ice.as_ref());
            (ice_lines, ice_plan) = (ice.answer(local, audio.ice.as_ref()), ice.plan(audio.ice.as_ref(), false));
        }
        let plan = self.quieted(plan(&audio, &formats, wanted, (keys, ice_plan))?);
        self.lines = session.medias.iter().enumerate().map(|(i, media)| line(media, i == index)).collect();
        for format in &formats {
            self.numbers.retain(|n| n.encoding != format.encoding && n.payload_type != format.payload_type);
            self.numbers.push(format.clone());
        }
        let (direction, security) = (plan.direction, security.unwrap_or_default());
        let written = Written {
            direction,
            formats: &formats,
            rtcp_mux: audio.rtcp_mux,
            security: &security,
            ice: &ice_lines,
            reports: audio.reports.map(reports::answer),
        };
        let body = self.write(local, Some(&session.times), written);
        self.keep(&plan);
        Ok((body, plan))
    }

    /// Whether a NAT is between us and the peer's audio that nothing but its own packets will show: its address is of a network
    /// that its offer did not come from.
    fn is_hidden(&self, audio: &RemoteAudio) -> bool {
        let is_checked = self.ice.is_some() && audio.ice.is_some();
        is_private(audio.rtp.ip()) && !is_checked && self.source.is_some_and(|source| !is_private(source))
    }

    /// Comfort noise is taken wherever it is offered, and sent where we want that; Opus pauses where both want it to.
    fn quieted(&self, mut plan: MediaPlan) -> MediaPlan {
        plan.opus.dtx &= self.suppresses_silence;
        if let Some(noise) = &mut plan.comfort_noise {
            noise.sends = self.suppresses_silence;
        }
        plan
    }

    /// What is in use is offered first from now on, so that a hold changes neither codec nor keys.
    fn keep(&mut self, plan: &MediaPlan) {
        self.codecs.sort_by_key(|codec| *codec != plan.send.1);
        self.crypto.agreed(plan.srtp.as_ref());
    }

    /// Our payload type for an encoding: the one used before, the usual one, or a free dynamic one.
    fn number(&mut self, encoding: Encoding) -> Format {
        if let Some(known) = self.numbers.iter().find(|n| n.encoding == encoding) {
            return Format::ours(known.payload_type, encoding, self.suppresses_silence);
        }
        let is_free = |n: &u8| self.numbers.iter().all(|other| other.payload_type != *n);
        let usual = encoding.usual_payload_type();
        let payload_type =
            std::iter::once(usual).chain(96..=127).find(is_free).expect("eight encodings cannot use up 32 numbers");
        let format = Format::ours(payload_type, encoding, self.suppresses_silence);
        self.numbers.push(format.clone());
        format
    }

    fn write(&mut self, local: SocketAddr, times: Option<&[Time]>, audio: Written<'_>) -> Vec<u8> {
        let local = self.ice.as_ref().map_or(local, |ice| ice.default(local));
        let version = self.sent.as_ref().map_or(1, |s| s.origin.sess_version);
        let mut session = Session::new(Origin::with_ip_addr(self.session_id, version, local.ip()), "-");
        session.connection = Some(Connection::from_ip_addr(local.ip()));
        // RFC 3264 §6: the answer's t= is the offer's.
        session.times = times.map_or_else(|| vec![Time::new(0, 0)], <[Time]>::to_vec);
        session.medias = self
            .lines
            .iter()
            .map(|line| match line {
                Line::Audio { proto } => audio_line(proto, local.port(), &audio),
                Line::Refused { media, proto, fmt } => empty_line(media, 0, proto, fmt),
            })
            .collect();
        // RFC 3264 §8: the version goes up by one exactly when the description changes.
        if self.sent.as_ref().is_some_and(|sent| *sent != session) {
            session.origin.sess_version += 1;
        }
        let mut body = Vec::with_capacity(512);
        session.write(&mut body).expect("writing to a Vec cannot fail");
        self.sent = Some(session);
        body
    }
}

/// What the audio line of a description says besides transport and port.
struct Written<'a> {
    direction: Direction,
    formats: &'a [Format],
    rtcp_mux: bool,
    /// Keys, or the certificate's fingerprint and who begins.
    security: &'a [Attribute],
    ice: &'a [Attribute],
    /// Which extended reports we want.
    reports: Option<Attribute>,
}

/// Where an offer wants audio; `Err` when it cannot be answered.
pub fn check_offer(offer: &[u8], codecs: &[Codec], crypto: &LocalCrypto) -> Result<SocketAddr, SdpError> {
    remote::choose_audio(&remote::parse(offer)?, codecs, crypto).map(|(_, audio)| audio.rtp)
}

/// One codec, so that both directions use the same: the offer's first that we know (RFC 3264 §6.1), and telephone-event at
/// its clock rate, or else at 8000. `dtx`: silence need not be sent to us.
fn answered_formats(audio: &RemoteAudio, codecs: &[Codec], dtx: bool) -> Vec<Format> {
    let chosen = audio.formats.iter().find(|f| is_audio(f, codecs));
    let event = chosen.and_then(|f| telephone_event(&audio.formats, f.encoding));
    let copies = chosen.and_then(|f| redundancy(&audio.formats, f)).zip(chosen);
    let copies = copies.map(|(red, opus)| Format::redundancy(red.payload_type, opus.payload_type));
    let noise = chosen.and_then(|f| comfort_noise(&audio.formats, f.encoding));
    chosen
        .into_iter()
        .chain(event)
        .chain(noise)
        .map(|f| Format::ours(f.payload_type, f.encoding, dtx))
        .chain(copies)
        .collect()
}

/// Comfort noise beside a codec with its clock.
fn comfort_noise(formats: &[Format], beside: Encoding) -> Option<&Format> {
    let fits = matches!(beside, Encoding::Audio(codec) if codec.clock_rate() == 8_000);
    formats.iter().find(|f| fits && f.encoding == Encoding::ComfortNoise)
}

/// Copies of earlier packets beside Opus (RFC 2198).
fn redundancy<'a>(formats: &'a [Format], beside: &Format) -> Option<&'a Format> {
    let is_opus = beside.encoding == Encoding::Audio(Codec::Opus);
    formats.iter().find(|f| is_opus && f.is_redundancy_of(beside.payload_type))
}

/// RFC 4733 §2.1 wants the clock of the audio it accompanies; many peers offer 8000 only.
fn telephone_event(formats: &[Format], beside: Encoding) -> Option<&Format> {
    let clock_rate = match beside {
        Encoding::Audio(codec) => codec.clock_rate(),
        Encoding::TelephoneEvent { clock_rate } => clock_rate,
        Encoding::ComfortNoise => 8_000,
        Encoding::Redundancy => 48_000,
    };
    let at = |rate| formats.iter().find(move |f| f.encoding == Encoding::TelephoneEvent { clock_rate: rate });
    at(clock_rate).or_else(|| at(8_000))
}

fn plan(
    audio: &RemoteAudio,
    ours: &[Format],
    wanted: Direction,
    (srtp, ice): (Option<KeyExchange>, Option<Box<IcePlan>>),
) -> Result<MediaPlan, SdpError> {
    let number = |encoding: Encoding| ours.iter().find(|f| f.encoding == encoding).map(|f| f.payload_type);
    let mut common = audio.formats.iter().filter_map(|theirs| match theirs.encoding {
        Encoding::Audio(codec) => Some((theirs, codec, number(theirs.encoding)?)),
        Encoding::TelephoneEvent { .. } | Encoding::ComfortNoise | Encoding::Redundancy => None,
    });
    let (first, codec, receive) = common.next().ok_or(SdpError::NoCommonCodec)?;
    let event = telephone_event(&audio.formats, first.encoding).and_then(|theirs| match theirs.encoding {
        Encoding::TelephoneEvent { clock_rate } => Some(TelephoneEvent {
            send_payload_type: theirs.payload_type,
            receive_payload_type: number(theirs.encoding)?,
            clock_rate,
        }),
        Encoding::Audio(_) | Encoding::ComfortNoise | Encoding::Redundancy => None,
    });
    let copies = redundancy(&audio.formats, first).and_then(|theirs| {
        let receive_payload_type = number(Encoding::Redundancy)?;
        Some(Redundancy { send_payload_type: theirs.payload_type, receive_payload_type })
    });
    let comfort_noise = comfort_noise(&audio.formats, first.encoding).and_then(|theirs| {
        let receive_payload_type = number(Encoding::ComfortNoise)?;
        Some(ComfortNoise { send_payload_type: theirs.payload_type, receive_payload_type, sends: false })
    });
    let opus = audio.formats.iter().find(|f| f.encoding == Encoding::Audio(Codec::Opus));
    Ok(MediaPlan {
        remote_rtp: audio.rtp,
        remote_rtcp: if audio.rtcp_mux { audio.rtp } else { audio.rtcp },
        rtcp_mux: audio.rtcp_mux,
        direction: meet(wanted, audio.direction),
        on_hold: !wanted.receives(),
        send: (first.payload_type, codec),
        receive: std::iter::once((receive, codec)).chain(common.map(|(_, codec, number)| (number, codec))).collect(),
        telephone_event: event,
        opus: OpusParams { redundancy: copies, ..opus.map_or_else(OpusParams::default, Format::opus_params) },
        srtp,
        ice,
        ptime_ms: audio.ptime_ms,
        extended_reports: audio.reports.unwrap_or_default(),
        comfort_noise,
    })
}

/// What is left of our wish, given the peer's direction as the peer sees it (RFC 3264 §6.1).
const fn meet(wanted: Direction, peer: Direction) -> Direction {
    match (wanted.sends() && peer.receives(), wanted.receives() && peer.sends()) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

fn line(media: &Media, is_audio: bool) -> Line {
    if is_audio {
        Line::Audio { proto: media.proto.clone() }
    } else {
        Line::Refused { media: media.media.clone(), proto: media.proto.clone(), fmt: media.fmt.clone() }
    }
}

fn audio_line(proto: &str, port: u16, audio: &Written<'_>) -> Media {
    let numbers: Vec<_> = audio.formats.iter().map(|f| f.payload_type.to_string()).collect();
    let mut media = empty_line("audio", port, proto, &numbers.join(" "));
    for format in audio.formats {
        format.write(&mut media.attributes);
    }
    media.attributes.extend_from_slice(audio.security);
    media.attributes.extend_from_slice(audio.ice);
    media.attributes.push(attribute("ptime", "20"));
    media.attributes.push(Attribute::new(match audio.direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }));
    if audio.rtcp_mux {
        media.attributes.push(Attribute::new("rtcp-mux"));
    }
    media.attributes.extend(audio.reports.clone());
    media
}

fn empty_line(media: &str, port: u16, proto: &str, fmt: &str) -> Media {
    Media {
        media: media.to_owned(),
        port,
        num_ports: None,
        proto: proto.to_owned(),
        fmt: fmt.to_owned(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
