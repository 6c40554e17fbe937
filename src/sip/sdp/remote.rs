//! What the peer's description says about its audio.

use super::{
    LocalCrypto, SdpError,
    format::{self, Encoding, Format},
    ice::{self, RemoteIce},
    reports,
    security::{Profile, RemoteSecurity},
};
use crate::media::plan::{Codec, Direction, ExtendedReports};
use sdp_types::{Attribute, Connection, Media, Session};
use std::net::{IpAddr, SocketAddr};

/// The peer's audio stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RemoteAudio {
    pub rtp: SocketAddr,
    /// When not multiplexed.
    pub rtcp: SocketAddr,
    pub rtcp_mux: bool,
    /// As the peer sees it; hold by a null address is folded in.
    pub direction: Direction,
    pub formats: Vec<Format>,
    pub security: RemoteSecurity,
    /// Only together with RTCP on one port, so that there is one way to find.
    pub ice: Option<RemoteIce>,
    /// One of 10, 20, 40, 60.
    pub ptime_ms: u32,
    pub reports: Option<ExtendedReports>,
}

/// Nobody sends more m= lines; an answer repeats each of them.
const MAX_LINES: usize = 32;

pub(super) fn parse(body: &[u8]) -> Result<Session, SdpError> {
    let session = Session::parse(body).map_err(|e| SdpError::Malformed(e.to_string()))?;
    if session.medias.len() > MAX_LINES {
        return Err(SdpError::Malformed("it has too many m= lines".to_owned()));
    }
    Ok(session)
}

/// The first audio line of an offer that we can take, and its place.
pub(super) fn choose_audio(
    session: &Session,
    codecs: &[Codec],
    ours: &LocalCrypto,
) -> Result<(usize, RemoteAudio), SdpError> {
    let mut why = SdpError::NoAudio;
    for (index, media) in session.medias.iter().enumerate() {
        if media.media != "audio" || media.port == 0 {
            continue;
        }
        match read_audio(session, media) {
            Ok(audio) if !audio.formats.iter().any(|f| is_audio(f, codecs)) => why = SdpError::NoCommonCodec,
            Ok(audio) => match ours.choose(&audio.security, false) {
                Ok(_) => return Ok((index, audio)),
                Err(error) => why = error,
            },
            Err(error) => why = error,
        }
    }
    Err(why)
}

pub(super) fn read_audio(session: &Session, media: &Media) -> Result<RemoteAudio, SdpError> {
    let profile = Profile::read(&media.proto).ok_or(SdpError::NoAudio)?;
    let connection = media.connections.first().or(session.connection.as_ref());
    let ip = address(connection, &session.origin.unicast_address)?;
    let rtp = SocketAddr::new(ip, media.port);
    let direction = direction(&media.attributes).or_else(|| self::direction(&session.attributes)).unwrap_or_default();
    let rtcp_mux = find(&media.attributes, "rtcp-mux").is_some();
    let ice = ice::read(session, media, rtp).filter(|_| rtcp_mux);
    // The address is to come.
    let is_to_come = ice.as_ref().is_some_and(|ice| ice.trickles);
    Ok(RemoteAudio {
        rtp,
        rtcp: rtcp_address(media, rtp),
        rtcp_mux,
        ice,
        direction: if ip.is_unspecified() && !is_to_come { without_receiving(direction) } else { direction },
        formats: format::read(media),
        security: RemoteSecurity::read(profile, session, media),
        ptime_ms: packet_time(media),
        reports: reports::read(session, media),
    })
}

pub(super) fn is_audio(format: &Format, codecs: &[Codec]) -> bool {
    matches!(format.encoding, Encoding::Audio(codec) if codecs.contains(&codec))
}

fn address(connection: Option<&Connection>, origin: &str) -> Result<IpAddr, SdpError> {
    // RFC 8866 §5.7 asks for a c= line; where there is none at all, the origin's address is the best guess.
    let text = connection.map_or(origin, |c| c.connection_address.as_str());
    let host = text.split('/').next().unwrap_or_default();
    match host.parse::<IpAddr>() {
        Ok(ip) if !ip.is_multicast() => Ok(ip),
        _ => Err(SdpError::Address(text.chars().take(100).collect())),
    }
}

/// RFC 3605: `a=rtcp:53020` or `a=rtcp:53020 IN IP4 126.16.64.4`; otherwise the port above RTP's.
fn rtcp_address(media: &Media, rtp: SocketAddr) -> SocketAddr {
    let stated = find(&media.attributes, "rtcp").flatten().and_then(|value| {
        let mut parts = value.split_ascii_whitespace();
        let port = parts.next()?.parse::<u16>().ok().filter(|p| *p != 0)?;
        let ip = parts.nth(2).map_or(Some(rtp.ip()), |ip| ip.parse().ok())?;
        Some(SocketAddr::new(ip, port))
    });
    stated.unwrap_or_else(|| SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1)))
}

fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|a| match a.attribute.as_str() {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    })
}

/// RFC 3264 §8.4: `c=0.0.0.0` is the old spelling of hold.
const fn without_receiving(direction: Direction) -> Direction {
    match direction {
        Direction::SendRecv | Direction::SendOnly => Direction::SendOnly,
        Direction::RecvOnly | Direction::Inactive => Direction::Inactive,
    }
}

/// `a=ptime`, bounded by `a=maxptime`, rounded down to whole tens up to 60; 20 where it says nothing sensible.
fn packet_time(media: &Media) -> u32 {
    let read = |name: &str| {
        let value = find(&media.attributes, name).flatten()?;
        value.trim().split('.').next()?.parse::<u32>().ok().filter(|ms| *ms > 0)
    };
    let wanted = read("ptime").unwrap_or(20).min(read("maxptime").unwrap_or(u32::MAX));
    wanted.clamp(10, 60) / 10 * 10
}

/// The attribute's value (`None` for one without a value), if the attribute is there.
fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<Option<&'a str>> {
    attributes.iter().find(|a| a.attribute == name).map(|a| a.value.as_deref())
}
