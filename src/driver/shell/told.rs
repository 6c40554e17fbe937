//! What the TMS says of the audio of calls, where the user has said nothing, and of recording them.

use super::Shell;
use crate::{
    config::media::{MediaSettings, Turn, TurnAccess},
    driver::{api::RecordingRule, reach::access},
    media::plan::SrtpPolicy,
    sip::uri::Uri,
    stun::stun_server,
    tms::wire,
    ua::api::Secret,
};
use std::time::Instant;

impl Shell {
    /// From the next call on. `None`: no TMS says anything.
    pub(super) fn use_media(&mut self, now: Instant, told: Option<Box<wire::MediaSettings>>) {
        self.use_policy(now, told.as_ref().map(|told| told.policy));
        let told = told.map(|told| read(*told)).unwrap_or_default();
        // One that the user names is led to by the servers of the account.
        let is_theirs = self.options.media.quality_report.is_none();
        let media = self.options.media.clone().or(told);
        self.agent.offer_ice(media.opens_ways());
        self.quality_reports.send_to(media.quality_report, is_theirs);
        if let Some(turn) = &media.turn {
            self.media.exchange_access(turn.uri.to_string(), access(turn));
        }
        self.reach.use_servers(media.stun, media.turn);
    }

    /// Encryption from the next call on. `None`: no TMS says anything.
    pub(super) fn use_policy(&mut self, now: Instant, told: Option<wire::MediaPolicy>) {
        let rule = told.map(|told| RecordingRule { rule: told.recording, tone: told.recording_tone });
        self.keep_recording_rule(now, rule);
        self.agent.set_srtp(self.options.media.srtp.unwrap_or(match told.unwrap_or_default().srtp {
            wire::Srtp::Off => SrtpPolicy::Off,
            wire::Srtp::Optional => SrtpPolicy::Optional,
            wire::Srtp::Sdes => SrtpPolicy::Sdes,
            wire::Srtp::Dtls => SrtpPolicy::Dtls,
        }));
    }
}

/// What cannot be read counts as not said, for a call without a relay is worth more than no call.
fn read(told: wire::MediaSettings) -> MediaSettings {
    let turn = told.turn.and_then(|turn| {
        let access = TurnAccess { username: turn.username, password: Secret(turn.password) };
        let uri = turn.uri.parse().ok().or_else(|| unusable("TURN server", &turn.uri))?;
        Some(Turn { uri, access })
    });
    let stun = told.stun.and_then(|stun| stun_server(&stun).or_else(|| unusable("STUN server", &stun)));
    let quality_report = told.quality_report.and_then(|typed| match typed.parse() {
        Ok(uri @ Uri::Sip(_)) => Some(uri),
        _ => unusable("collector of quality reports", &typed),
    });
    MediaSettings { stun, turn, quality_report, srtp: None }
}

fn unusable<T>(what: &str, text: &str) -> Option<T> {
    tracing::warn!("the TMS names the {what} {text:?}, which is none; tell your IT staff");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tms_says_is_read_and_what_the_user_said_stays() {
        let turn = |uri: &str| wire::TurnServer {
            uri: uri.into(),
            username: "1800000000:100-acme".into(),
            password: "p".into(),
            expires_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let told = wire::MediaSettings {
            stun: Some("stun.example".into()),
            turn: Some(turn("turn:relay.example")),
            quality_report: Some("sip:quality@acme".into()),
            ..wire::MediaSettings::default()
        };
        let read_told = read(told.clone());
        assert_eq!(read_told.stun.as_deref(), Some("stun.example:3478"));
        let relay = read_told.turn.as_ref().expect("a relay");
        assert_eq!(
            (relay.uri.to_string().as_str(), relay.access.username.as_str()),
            ("turn:relay.example:3478", "1800000000:100-acme")
        );
        let said = MediaSettings { stun: Some("mine:1".into()), ..MediaSettings::default() };
        let both = said.or(read_told);
        assert_eq!(both.stun.as_deref(), Some("mine:1"));
        assert!(both.turn.is_some() && both.quality_report.is_some(), "the TMS's");

        let wrong = wire::MediaSettings {
            stun: Some("stun.example:".into()),
            turn: Some(turn("relay.example")),
            quality_report: Some("tel:1".into()),
            ..told
        };
        assert_eq!(read(wrong), MediaSettings::default());
    }
}
