//! What the TMS says of the audio of calls, where the user has said nothing, and of recording them.

use super::Shell;
use crate::{
    config::{
        media::{MediaSettings, Turn, TurnAccess},
        plain,
    },
    driver::api::RecordingRule,
    media::plan::SrtpPolicy,
    stun::stun_server,
    tms::wire,
    ua::api::Secret,
};
use std::time::Instant;

impl Shell {
    /// From the next call on. `None`: no TMS says anything.
    pub(super) fn use_media(&mut self, now: Instant, told: Option<Box<wire::MediaSettings>>) {
        let (told, rule) = told.map(|told| read(*told)).unwrap_or_default();
        self.keep_recording_rule(now, rule);
        // One that the user names is led to by the servers of the account.
        let is_theirs = self.options.media.quality_report.is_none();
        let media = self.options.media.clone().or(told);
        self.agent.offer_ice(media.opens_ways());
        self.agent.set_srtp(media.srtp.unwrap_or_default());
        self.quality_reports.send_to(media.quality_report, is_theirs);
        self.reach.use_servers(media.stun, media.turn);
    }
}

/// What cannot be read counts as not said: a call without a relay is better than none.
fn read(told: wire::MediaSettings) -> (MediaSettings, RecordingRule) {
    let rule = RecordingRule { rule: told.recording.unwrap_or_default(), tone: told.recording_tone };
    let turn = told.turn.and_then(|turn| {
        let access = TurnAccess { username: turn.username, password: Secret(turn.password) };
        let uri = turn.uri.parse().ok().or_else(|| unusable("TURN server", &turn.uri))?;
        Some(Turn { uri, access })
    });
    let stun = told.stun.and_then(|stun| stun_server(&stun).or_else(|| unusable("STUN server", &stun)));
    let media = MediaSettings {
        stun,
        turn,
        quality_report: told
            .quality_report
            .and_then(|uri| plain::proxy("", &uri, "").ok().or_else(|| unusable("collector of quality reports", &uri))),
        srtp: told.srtp.map(|srtp| match srtp {
            wire::Srtp::Off => SrtpPolicy::Off,
            wire::Srtp::Optional => SrtpPolicy::Optional,
            wire::Srtp::Sdes => SrtpPolicy::Sdes,
            wire::Srtp::Dtls => SrtpPolicy::Dtls,
        }),
    };
    (media, rule)
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
            srtp: Some(wire::Srtp::Dtls),
            stun: Some("stun.example".into()),
            turn: Some(turn("turn:relay.example")),
            quality_report: Some("sip:quality@acme".into()),
            recording: Some(wire::Recording::Required),
            recording_tone: true,
        };
        let (read_told, rule) = read(told.clone());
        assert_eq!(rule, RecordingRule { rule: wire::Recording::Required, tone: true });
        assert_eq!(read_told.stun.as_deref(), Some("stun.example:3478"));
        let relay = read_told.turn.as_ref().expect("a relay");
        assert_eq!(
            (relay.uri.to_string().as_str(), relay.access.username.as_str()),
            ("turn:relay.example:3478", "1800000000:100-acme")
        );
        assert_eq!(read_told.srtp, Some(SrtpPolicy::Dtls));
        let said =
            MediaSettings { stun: Some("mine:1".into()), srtp: Some(SrtpPolicy::Off), ..MediaSettings::default() };
        let both = said.or(read_told);
        assert_eq!((both.stun.as_deref(), both.srtp), (Some("mine:1"), Some(SrtpPolicy::Off)));
        assert!(both.turn.is_some() && both.quality_report.is_some(), "the TMS's");

        let wrong = wire::MediaSettings {
            stun: Some("stun.example:".into()),
            turn: Some(turn("relay.example")),
            quality_report: Some("tel:1".into()),
            ..told
        };
        let srtp = Some(SrtpPolicy::Dtls);
        assert_eq!(read(wrong).0, MediaSettings { srtp, ..MediaSettings::default() });
    }
}
