//! What softphones are told for the audio of their calls: servers that open a way for it, who hears how it was, and what their
//! account says of it.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha1::Sha1;

use crate::{
    secret::Secret,
    sip::uri::Uri,
    stun::{TurnUri, stun_server},
    tms::wire::{self, MediaPolicy},
};

/// How long a relay's password is good for, unless the session ends before. A call that goes on for longer keeps its relay: that asks
/// when a call begins, and a softphone asks us for another password after four fifths.
const TURN_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// More is no secret that somebody has typed or drawn.
const LONGEST_SECRET: u64 = 4096;

/// As `serve` is told.
#[derive(Clone, Debug, Default)]
pub struct MediaOptions {
    /// `HOST:PORT`.
    pub stun: Option<String>,
    /// Its URI, and the file of the secret that it shares with us.
    pub turn: Option<(String, PathBuf)>,
    /// A SIP URI.
    pub quality_collector: Option<String>,
}

/// What all softphones are told.
#[derive(Clone, Debug, Default)]
pub struct MediaServers {
    /// `HOST:PORT`.
    pub stun: Option<String>,
    pub turn: Option<Relay>,
    pub quality_collector: Option<String>,
}

/// A TURN server that takes time-limited passwords (draft-uberti-behave-turn-rest-00, coturn's `use-auth-secret`).
#[derive(Clone, Debug)]
pub struct Relay {
    pub uri: TurnUri,
    pub secret: Secret,
}

impl MediaOptions {
    /// # Errors
    /// A sentence about what is wrong, or cannot be read.
    pub fn open(&self) -> Result<MediaServers, String> {
        let stun = |typed: &String| {
            stun_server(typed).ok_or_else(|| format!("--stun {typed} must read stun.example or stun.example:3478"))
        };
        let collector = |typed: &String| match typed.parse() {
            Ok(Uri::Sip(_)) => Ok(typed.clone()),
            _ => Err(format!("--quality-collector {typed} must be a SIP address, like sip:quality@pbx.example")),
        };
        let relay = |(typed, file): &(String, PathBuf)| {
            let uri = typed.parse().map_err(|why| format!("--turn {typed}: {why}"))?;
            Ok::<_, String>(Relay { uri, secret: secret(file)? })
        };
        Ok(MediaServers {
            stun: self.stun.as_ref().map(stun).transpose()?,
            turn: self.turn.as_ref().map(relay).transpose()?,
            quality_collector: self.quality_collector.as_ref().map(collector).transpose()?,
        })
    }
}

fn secret(file: &Path) -> Result<Secret, String> {
    let read = || match fs::metadata(file)? {
        found if found.len() > LONGEST_SECRET => Err(io::Error::other("it is too long for a secret")),
        found if found.permissions().mode() & 0o007 != 0 => {
            Err(io::Error::other("everybody on this machine may; chmod 640 it first"))
        }
        _ => fs::read_to_string(file),
    };
    let text = read().map_err(|why| format!("--turn-secret-file {} cannot be read: {why}", file.display()))?;
    match text.trim() {
        "" => Err(format!(
            "--turn-secret-file {} is empty: put the TURN server's static-auth-secret there",
            file.display()
        )),
        secret => Ok(Secret(secret.to_owned())),
    }
}

impl MediaServers {
    /// For the softphone that is given `registration`, of an account with this `policy`, until `session_ends`.
    pub fn tell(
        &self,
        now: Timestamp,
        policy: MediaPolicy,
        registration: &str,
        session_ends: Timestamp,
    ) -> wire::MediaSettings {
        let ends = now.checked_add(TURN_LIFETIME).unwrap_or(session_ends).min(session_ends);
        wire::MediaSettings {
            policy,
            stun: self.stun.clone(),
            turn: self.turn.as_ref().map(|relay| relay.credential(registration, ends)),
            quality_report: self.quality_collector.clone(),
        }
    }
}

impl Relay {
    fn credential(&self, who: &str, expires_at: Timestamp) -> wire::TurnServer {
        let username = format!("{}:{who}", expires_at.as_second());
        let mut signed = Hmac::<Sha1>::new_from_slice(self.secret.0.as_bytes()).expect("any length is a key");
        signed.update(username.as_bytes());
        let password = BASE64_STANDARD.encode(signed.finalize().into_bytes());
        wire::TurnServer { uri: self.uri.to_string(), username, password, expires_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    /// The password: `printf %s 1800086400:100-acme-laptop | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn a_relay_s_password_is_for_a_day_or_until_the_session_ends() {
        let turn = Some(Relay { uri: "turn:relay.example".parse().expect("a URI"), secret: Secret("north".into()) });
        let servers = MediaServers { turn, ..MediaServers::default() };
        let told = |ends| {
            servers.tell(at(1_800_000_000), MediaPolicy::default(), "100-acme-laptop", ends).turn.expect("a relay")
        };
        let relay = told(at(1_900_000_000));
        assert_eq!((relay.uri.as_str(), relay.expires_at), ("turn:relay.example:3478", at(1_800_086_400)));
        assert_eq!(relay.username, "1800086400:100-acme-laptop");
        assert_eq!(relay.password, "slJP1BO4Ow+ZyWqrMGmHM5z6qIY=");
        let short = told(at(1_800_000_060));
        assert_eq!((short.username.as_str(), short.expires_at), ("1800000060:100-acme-laptop", at(1_800_000_060)));
        assert_ne!(short.password, relay.password);
    }

    #[test]
    fn what_serve_is_told_is_looked_at_before_it_starts() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("writes");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
            path
        };
        let (good, empty) = (file("good", " north\n", 0o640), file("empty", "\n", 0o600));
        let (long, exposed) = (file("long", &"x".repeat(5000), 0o600), file("exposed", "north", 0o644));
        let turn = |uri: &str, file: &Path| MediaOptions {
            turn: Some((uri.to_owned(), file.to_owned())),
            ..MediaOptions::default()
        };
        let stun = |typed: &str| MediaOptions { stun: Some(typed.to_owned()), ..MediaOptions::default() };
        let collector = |typed: &str| {
            let quality_collector = Some(typed.to_owned());
            MediaOptions { quality_collector, ..MediaOptions::default() }
        };
        let opened = turn("turns:relay.example", &good).open().expect("opens").turn.expect("a relay");
        assert_eq!((opened.uri.to_string().as_str(), opened.secret.0.as_str()), ("turns:relay.example:5349", "north"));
        assert_eq!(stun("stun.example").open().expect("opens").stun.as_deref(), Some("stun.example:3478"));
        assert!(collector("sip:quality@acme").open().expect("opens").quality_collector.is_some());
        assert!(MediaOptions::default().open().expect("opens").turn.is_none());
        for (options, said) in [
            (stun("stun.example:"), "--stun stun.example: must read"),
            (collector("tel:1"), "--quality-collector tel:1 must be a SIP address"),
            (turn("relay.example", &good), "--turn relay.example: turn:HOST"),
            (turn("turns:relay.example?transport=udp", &good), "leave ?transport=udp out"),
            (turn("turn:relay.example", &empty), "is empty"),
            (turn("turn:relay.example", &long), "too long"),
            (turn("turn:relay.example", &exposed), "chmod 640"),
            (turn("turn:relay.example", &folder.path().join("none")), "cannot be read"),
        ] {
            let why = options.open().expect_err(said);
            assert!(why.contains(said) && !why.contains("north"), "{why}");
        }
    }
}
