//! Validated options of the headless softphone.

use super::{
    ConfigError,
    cli::HeadlessArgs,
    media::{MediaSettings, Turn, TurnAccess},
    plain,
    settings::is_dialled,
};
use crate::{
    media::{
        engine::{AudioChoice, Impairment},
        plan::{Codec, SrtpPolicy},
        voice::VoiceProcessing,
    },
    sip::{
        flow::Transport,
        uri::{SipUri, Uri},
    },
    ua::api::Secret,
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// What headless was asked to be, without its secrets.
#[derive(Clone, Debug)]
pub struct HeadlessOptions {
    pub who: Who,
    pub bind: SocketAddr,
    /// As asked for; `None`: UDP, or what the TMS says is best.
    pub transport: Option<Transport>,
    pub audio: AudioChoice,
    pub voice: VoiceProcessing,
    /// For whoever is on hold.
    pub hold_music: Option<PathBuf>,
    pub codecs: Vec<Codec>,
    /// Silence need not be sent.
    pub silence_suppression: bool,
    /// Recorded calls have a tone.
    pub recording_tone: bool,
    pub auto_answer: Option<Duration>,
    pub max_calls: Option<usize>,
    pub impairment: Option<Impairment>,
    pub ca_file: Option<PathBuf>,
    pub dns_server: Option<SocketAddr>,
    /// As asked for; how one is let in at the TURN server is left out.
    pub media: MediaSettings,
    /// As asked for, in place of the settings'.
    pub emergency_numbers: Option<Vec<String>>,
    pub secrets_stdin: bool,
}

#[derive(Clone, Debug)]
pub enum Who {
    /// Without a user name: by the session that a link has opened.
    Tms {
        url: String,
        username: Option<String>,
        registration: Option<String>,
    },
    /// A TMS that has only the XML API.
    Xml {
        url: String,
        username: Option<String>,
        tenant: String,
        sip_server: Option<String>,
        registration: Option<String>,
    },
    /// As given; an `agent-manager://` link.
    Link {
        link: Secret,
        registration: Option<String>,
    },
    Sip {
        aor: Box<SipUri>,
        outbound_proxy: Option<Uri>,
        auth_username: String,
        register: bool,
    },
}

impl Who {
    /// To come online after the login.
    pub fn registration(&self) -> Option<&str> {
        match self {
            Self::Tms { registration, .. } | Self::Xml { registration, .. } | Self::Link { registration, .. } => {
                registration.as_deref()
            }
            Self::Sip { .. } => None,
        }
    }
}

/// All codecs, in the contract's default order.
pub const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

impl HeadlessOptions {
    /// # Errors
    /// A sentence about the first option that is wrong, or not built yet.
    pub fn new(args: &HeadlessArgs) -> Result<Self, ConfigError> {
        let asked = args.transport.as_deref().map(transport).transpose()?;
        let (who, audio) = (who(args)?, audio(&args.audio)?);
        Ok(Self {
            transport: agreed(asked, &who)?,
            who,
            bind: args.bind,
            voice: voice(args.voice_processing.as_deref(), &audio)?,
            audio,
            hold_music: args.hold_music.clone().map(|file| plain::readable("--hold-music", file)).transpose()?,
            codecs: args.codecs.as_deref().map_or_else(|| Ok(CODECS.to_vec()), codecs)?,
            silence_suppression: switch("--silence-suppression", args.silence_suppression.as_deref())?,
            recording_tone: switch("--recording-tone", args.recording_tone.as_deref())?,
            auto_answer: args.auto_answer.map(Duration::from_millis),
            max_calls: args.max_calls,
            impairment: args.impair.as_deref().map(impairment).transpose()?,
            ca_file: args.ca_file.clone().map(|file| plain::readable("--ca-file", file)).transpose()?,
            dns_server: args.dns_server,
            media: media(args)?,
            emergency_numbers: args.emergency_numbers.as_deref().map(emergency_numbers).transpose()?,
            secrets_stdin: args.secrets_stdin,
        })
    }
}

fn who(args: &HeadlessArgs) -> Result<Who, ConfigError> {
    let registration = args.registration.clone();
    if let Some(link) = &args.link {
        return Ok(Who::Link { link: link.clone(), registration });
    }
    let proxy = |typed: &String| plain::proxy("--outbound-proxy", typed, "sip:proxy.example;lr");
    let outbound_proxy = args.outbound_proxy.as_ref().map(proxy).transpose()?;
    if let (Some(url), Some(tenant)) = (&args.tms, &args.tenant) {
        let (url, username, tenant) = (url.clone(), args.username.clone(), tenant.clone());
        let sip_server = outbound_proxy.map(|uri| uri.to_string());
        return Ok(Who::Xml { url, username, tenant, sip_server, registration });
    }
    if let Some(url) = &args.tms {
        if outbound_proxy.is_some() {
            return Err(wrong("--outbound-proxy", "it is for a plain account or --tenant; the TMS says its own"));
        }
        return Ok(Who::Tms { url: url.clone(), username: args.username.clone(), registration });
    }
    let account = args.sip_account.as_deref().unwrap_or_default();
    let aor = plain::address("--sip-account", account, "sip:101@pbx.example")?;
    let auth_username = args.auth_user.clone().or_else(|| aor.user.clone()).unwrap_or_default();
    Ok(Who::Sip { aor, outbound_proxy, auth_username, register: !args.no_register })
}

fn media(args: &HeadlessArgs) -> Result<MediaSettings, ConfigError> {
    let turn = |typed: &str| Ok(Turn { uri: plain::turn("--turn", typed)?, access: TurnAccess::default() });
    Ok(MediaSettings {
        stun: args.stun.as_deref().map(|server| plain::stun("--stun", server)).transpose()?,
        turn: args.turn.as_deref().map(turn).transpose()?,
        quality_report: args.quality_report.as_deref().map(collector).transpose()?,
        srtp: args.srtp.as_deref().map(srtp).transpose()?,
    })
}

fn collector(typed: &str) -> Result<Uri, ConfigError> {
    plain::proxy("--quality-report", typed, "sip:collector@pbx.example")
}

fn agreed(asked: Option<Transport>, who: &Who) -> Result<Option<Transport>, ConfigError> {
    let Who::Sip { aor, outbound_proxy, .. } = who else { return Ok(asked) };
    let aor = Uri::Sip((**aor).clone());
    let uris = [("--outbound-proxy", outbound_proxy.as_ref()), ("--sip-account", Some(&aor))];
    plain::agreed(("--transport", asked), uris)
}

fn transport(text: &str) -> Result<Transport, ConfigError> {
    match text {
        "udp" => Ok(Transport::Udp),
        "tcp" => Ok(Transport::Tcp),
        "tls" => Ok(Transport::Tls),
        _ => Err(wrong("--transport", "udp, tcp or tls is expected")),
    }
}

fn audio(text: &str) -> Result<AudioChoice, ConfigError> {
    match text {
        "device" => {
            Ok(AudioChoice::Device { microphone: None, speaker: None, ringer: None, alert: None, alone: false })
        }
        "null" => Ok(AudioChoice::Null),
        _ => match text.strip_prefix("file:").and_then(|files| files.split_once(',')) {
            Some((input, output)) if !input.is_empty() && !output.is_empty() => {
                Ok(AudioChoice::File { input: input.into(), output: output.into() })
            }
            _ => Err(wrong("--audio", "device, null or file:IN.wav,OUT.wav is expected")),
        },
    }
}

/// People are helped by it; what a program plays is to arrive as it is.
fn voice(asked: Option<&str>, audio: &AudioChoice) -> Result<VoiceProcessing, ConfigError> {
    match asked {
        Some("on") => Ok(VoiceProcessing::ON),
        Some("off") => Ok(VoiceProcessing::OFF),
        None if matches!(audio, AudioChoice::Device { .. }) => Ok(VoiceProcessing::ON),
        None => Ok(VoiceProcessing::OFF),
        Some(_) => Err(wrong("--voice-processing", "on or off is expected")),
    }
}

/// Off unless asked for.
fn switch(option: &'static str, asked: Option<&str>) -> Result<bool, ConfigError> {
    match asked {
        Some("on") => Ok(true),
        Some("off") | None => Ok(false),
        Some(_) => Err(wrong(option, "on or off is expected")),
    }
}

fn codecs(text: &str) -> Result<Vec<Codec>, ConfigError> {
    let mut list = Vec::new();
    for name in text.split(',').map(|n| n.trim().to_ascii_lowercase()) {
        let codec = match name.as_str() {
            "opus" => Codec::Opus,
            "pcmu" => Codec::Pcmu,
            "pcma" => Codec::Pcma,
            "g722" => Codec::G722,
            _ => return Err(wrong("--codecs", &format!("{name:?} is not one of opus, g722, pcmu, pcma"))),
        };
        if !list.contains(&codec) {
            list.push(codec);
        }
    }
    Ok(list)
}

fn srtp(text: &str) -> Result<SrtpPolicy, ConfigError> {
    match text {
        "off" => Ok(SrtpPolicy::Off),
        "optional" => Ok(SrtpPolicy::Optional),
        "sdes" => Ok(SrtpPolicy::Sdes),
        "dtls" => Ok(SrtpPolicy::Dtls),
        _ => Err(wrong("--srtp", "off, optional, sdes or dtls is expected")),
    }
}

fn emergency_numbers(text: &str) -> Result<Vec<String>, ConfigError> {
    let numbers: Vec<_> = text.split(',').map(|number| number.trim().to_owned()).collect();
    let wrong = || wrong("--emergency-numbers", "numbers as they are dialled are expected, like 110,112");
    if numbers.iter().all(|number| is_dialled(number)) { Ok(numbers) } else { Err(wrong()) }
}

fn impairment(text: &str) -> Result<Impairment, ConfigError> {
    let mut found = Impairment { loss_percent: 0.0, burst: None, delay_ms: 0, jitter_ms: 0, seed: 1 };
    let expected =
        || wrong("--impair", "loss=PERCENT,burst=MEAN,delay_ms=N,jitter_ms=N,seed=N is expected, none of them needed");
    let mut named = Vec::new();
    for (name, value) in text.split(',').map(|part| part.split_once('=').unwrap_or((part, ""))) {
        let name = name.trim();
        if named.contains(&name) {
            return Err(wrong("--impair", &format!("{name} is there twice: say it once")));
        }
        named.push(name);
        match name {
            "loss" => {
                found.loss_percent = value.parse().ok().filter(|l| (0.0..=100.0).contains(l)).ok_or_else(expected)?;
            }
            "burst" => {
                found.burst = Some(value.parse().ok().filter(|b| (1.0..=100.0).contains(b)).ok_or_else(expected)?);
            }
            "delay_ms" => found.delay_ms = value.parse().ok().filter(|d| *d <= 10_000).ok_or_else(expected)?,
            "jitter_ms" => found.jitter_ms = value.parse().ok().filter(|j| *j <= 10_000).ok_or_else(expected)?,
            "seed" => found.seed = value.parse().map_err(|_| expected())?,
            _ => return Err(expected()),
        }
    }
    // At least one packet arrives between two bursts.
    let most = found.burst.map_or(100.0, |mean| 100.0 * mean / (mean + 1.0));
    if found.loss_percent > most {
        return Err(wrong(
            "--impair",
            &format!("bursts of that length lose at most {most:.0} %: make burst longer, or loss less"),
        ));
    }
    Ok(found)
}

fn wrong(option: &'static str, why: &str) -> ConfigError {
    ConfigError::Option { option, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cli::{Cli, Mode};
    use clap::Parser;

    fn options(line: &str) -> Result<HeadlessOptions, String> {
        let cli = Cli::try_parse_from(line.split_whitespace()).map_err(|e| e.kind().to_string())?;
        match cli.mode {
            Some(Mode::Headless(args)) => HeadlessOptions::new(&args).map_err(|e| e.to_string()),
            Some(Mode::Ring) | None => Err("the window".into()),
        }
    }

    #[test]
    fn a_tms_login() {
        let o = options("agent-manager headless --tms http://127.0.0.1:8080 --username a@b --registration 100-acme --bind 127.0.0.1:0")
            .expect("valid");
        assert!(
            matches!(o.who, Who::Tms { registration: Some(r), username: Some(u), .. } if r == "100-acme" && u == "a@b")
        );
        assert_eq!((o.codecs.as_slice(), o.media.srtp), (CODECS.as_slice(), None));
        assert_eq!(o.transport, None);
        let o = options("agent-manager headless --tms https://tms.example").expect("by an earlier link");
        assert!(matches!(o.who, Who::Tms { username: None, .. }));
        let o = options("agent-manager headless --tms https://a --tenant acme --outbound-proxy sip:sip.example:5080")
            .expect("valid");
        assert!(
            matches!(o.who, Who::Xml { tenant, sip_server: Some(sip), .. } if tenant == "acme" && sip.contains("5080"))
        );
        let o = options("agent-manager headless --link agent-manager://link?tms=https://a&code=c0de").expect("valid");
        assert!(matches!(o.who, Who::Link { registration: None, .. }) && !format!("{o:?}").contains("c0de"));
    }

    #[test]
    fn a_plain_account_with_everything() {
        let o = options(
            "agent-manager headless --sip-account sip:101@pbx.example --auth-user x --no-register --transport tcp \
             --audio file:a.wav,b.wav --codecs pcma,OPUS,g722,pcma --auto-answer 20 --max-calls 3 --impair loss=5,burst=2.5,delay_ms=30,seed=7 --srtp off",
        )
        .expect("valid");
        assert!(matches!(o.who, Who::Sip { register: false, ref auth_username, .. } if auth_username == "x"));
        assert_eq!((o.codecs, o.media.srtp), (vec![Codec::Pcma, Codec::Opus, Codec::G722], Some(SrtpPolicy::Off)));
        assert_eq!(o.audio, AudioChoice::File { input: "a.wav".into(), output: "b.wav".into() });
        assert_eq!(
            o.impairment,
            Some(Impairment { loss_percent: 5.0, burst: Some(2.5), delay_ms: 30, jitter_ms: 0, seed: 7 })
        );
        assert_eq!((o.auto_answer, o.max_calls), (Some(Duration::from_millis(20)), Some(3)));
    }

    #[test]
    fn a_voice_is_processed_where_a_person_speaks_or_where_it_is_asked_for() {
        let account = "agent-manager headless --sip-account sip:101@pbx.example";
        for (more, expected) in [
            ("", VoiceProcessing::ON),
            ("--audio null", VoiceProcessing::OFF),
            ("--audio file:a.wav,b.wav", VoiceProcessing::OFF),
            ("--audio file:a.wav,b.wav --voice-processing on", VoiceProcessing::ON),
            ("--voice-processing off", VoiceProcessing::OFF),
        ] {
            assert_eq!(options(&format!("{account} {more}")).expect(more).voice, expected, "{more}");
        }
    }

    #[test]
    fn the_transport_that_everything_named_agrees_on() {
        use Transport::{Tcp, Tls, Udp};
        for (line, expected) in [
            ("sip:101@pbx.example", None),
            ("sip:101@pbx.example --transport tls", Some(Tls)),
            ("sip:101@pbx.example;transport=tls", Some(Tls)),
            ("sips:101@pbx.example", Some(Tls)),
            ("sips:101@pbx.example;transport=tcp --transport tls", Some(Tls)),
            ("sip:101@pbx.example --outbound-proxy sip:p.example;transport=tcp", Some(Tcp)),
            ("sip:101@pbx.example --transport udp --outbound-proxy sip:p.example", Some(Udp)),
        ] {
            let options = options(&format!("agent-manager headless --sip-account {line}")).expect(line);
            assert_eq!(options.transport, expected, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_or_later_is_said_in_words() {
        let account = "agent-manager headless --sip-account sip:101@pbx.example";
        for (more, expected) in [
            (
                "--transport udp --outbound-proxy sips:p.example",
                "--outbound-proxy: it asks for tls, and --transport for udp",
            ),
            ("--transport tls --outbound-proxy sip:p.example;transport=tcp", "--outbound-proxy: it asks for tcp"),
            ("--transport sctp", "--transport: udp, tcp or tls"),
            ("--srtp maybe", "--srtp: off"),
            ("--codecs mp3", "--codecs: \"mp3\" is not one of"),
            ("--audio file:a.wav", "--audio: device"),
            ("--stun stun.example:", "--stun: HOST or HOST:PORT"),
            ("--stun :3478", "--stun: HOST or HOST:PORT"),
            ("--silence-suppression no", "--silence-suppression: on or off"),
            ("--recording-tone yes", "--recording-tone: on or off"),
            ("--quality-report collector", "--quality-report: a SIP address"),
            ("--emergency-numbers 110,police", "--emergency-numbers: numbers as they are dialled"),
            ("--emergency-numbers 110,", "--emergency-numbers: numbers as they are dialled"),
            ("--turn relay.example", "--turn: turn:HOST"),
            ("--turn turns:a?transport=udp", "not supported yet: --turn over DTLS"),
            ("--dns-server dns.example", "invalid value"),
            ("--tenant acme", "cannot be used with"),
            ("--voice-processing loud", "on or off is expected"),
            ("--impair loss=101", "--impair: "),
            ("--impair wobble=1", "--impair: loss=PERCENT"),
            ("--impair loss=1,seed=2,loss=5", "--impair: loss is there twice"),
            ("--impair loss=80,burst=2", "--impair: bursts of that length lose at most 67 %"),
            ("--impair burst=2.5,loss=100", "--impair: bursts of that length lose at most 71 %"),
            ("--outbound-proxy tel:1", "--outbound-proxy: "),
            ("--outbound-proxy sip:p.example;transport=sctp", "--outbound-proxy: not supported yet: SIP over sctp"),
            ("--ca-file /nowhere/ca.pem", "--ca-file: /nowhere/ca.pem cannot be read"),
            ("--ca-file /", "--ca-file: / is not a file"),
            ("--bogus", "unexpected"),
        ] {
            let said = options(&format!("{account} {more}")).expect_err(more);
            assert!(said.contains(expected), "{more}: {said}");
        }
        for line in [
            "agent-manager headless",
            "agent-manager headless --link https://a",
            "agent-manager headless --tms https://a --outbound-proxy sip:a",
            "agent-manager headless --link agent-manager://link --tms https://a",
            "agent-manager headles",
            "agent-manager --register-links --dark",
            "agent-manager headless --sip-account tel:5",
            "agent-manager headless --sip-account sips:101@pbx.example --transport tcp",
            "agent-manager headless --sip-account sips:101@pbx.example --outbound-proxy sip:p.example;transport=udp",
        ] {
            options(line).expect_err(line);
        }
    }
}
