//! What makes a plain SIP account, checked before the first request; `option` is what the person calls the field.

use super::ConfigError;
use crate::{
    sip::{
        flow::Transport,
        target::Target,
        uri::{SipUri, Uri},
    },
    stun::{TurnUri, TurnUriError, stun_server},
};
use std::path::PathBuf;

/// An address of record with a user.
pub fn address(option: &'static str, typed: &str, like: &str) -> Result<Box<SipUri>, ConfigError> {
    match typed.parse() {
        Ok(Uri::Sip(sip)) if sip.user.is_some() => {
            sendable(option, Uri::Sip(sip.clone()))?;
            Ok(Box::new(sip))
        }
        _ => Err(wrong(option, &format!("a SIP address with a user is expected, like {like}"))),
    }
}

/// A proxy that requests can be sent to.
pub fn proxy(option: &'static str, typed: &str, like: &str) -> Result<Uri, ConfigError> {
    match typed.parse() {
        Ok(uri @ Uri::Sip(_)) => sendable(option, uri),
        _ => Err(wrong(option, &format!("a SIP address is expected, like {like}"))),
    }
}

fn sendable(option: &'static str, uri: Uri) -> Result<Uri, ConfigError> {
    Target::of(&uri, Transport::Udp).map_err(|why| wrong(option, &why))?;
    Ok(uri)
}

/// A file, found out now rather than with the first request.
pub fn readable(option: &'static str, file: PathBuf) -> Result<PathBuf, ConfigError> {
    match std::fs::File::open(&file).and_then(|file| file.metadata()) {
        Ok(found) if found.is_file() => Ok(file),
        Ok(_) => Err(wrong(option, &format!("{} is not a file", file.display()))),
        Err(e) => Err(wrong(option, &format!("{} cannot be read: {e}", file.display()))),
    }
}

/// `HOST:PORT` of a STUN server, with the port that these have where none is given.
pub fn stun(option: &'static str, typed: &str) -> Result<String, ConfigError> {
    stun_server(typed).ok_or_else(|| wrong(option, "HOST or HOST:PORT is expected"))
}

/// A TURN server.
pub fn turn(option: &'static str, typed: &str) -> Result<TurnUri, ConfigError> {
    typed.parse().map_err(|why| match why {
        TurnUriError::Malformed => wrong(option, &why.to_string()),
        TurnUriError::OverDtls => {
            ConfigError::NotSupported(format!("{option} over DTLS; leave ?transport=udp out for TLS"))
        }
    })
}

/// The transport that everything named agrees on: what was asked for, then the proxy, then the account. One that is better than
/// another is never left for it.
pub fn agreed(
    asked: (&'static str, Option<Transport>),
    uris: [(&'static str, Option<&Uri>); 2],
) -> Result<Option<Transport>, ConfigError> {
    let mut agreed = asked.1.map(|transport| (asked.0, transport));
    for (option, uri) in uris {
        let Some(named) = uri.and_then(named_transport) else { continue };
        match agreed {
            Some((by, other)) if other != named => {
                let why =
                    format!("it asks for {}, and {by} for {}; make them the same", named.uri_name(), other.uri_name());
                return Err(wrong(option, &why));
            }
            _ => agreed = Some((option, named)),
        }
    }
    Ok(agreed.map(|(_, transport)| transport))
}

/// What the URI itself insists on.
fn named_transport(uri: &Uri) -> Option<Transport> {
    let of = |default| Target::of(uri, default).ok().map(|target| target.transport);
    of(Transport::Udp).filter(|named| of(Transport::Tls) == Some(*named))
}

fn wrong(option: &'static str, why: &str) -> ConfigError {
    ConfigError::Option { option, why: why.to_owned() }
}
