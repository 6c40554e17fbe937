//! Where a relay is: `turn:` and `turns:` URIs (RFC 7065).

use super::{ConfigError, plain::wrong};
use crate::ua::api::Secret;
use std::net::Ipv6Addr;

/// The ports that TURN servers have where none is given (RFC 7065 §3.1).
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

/// How a TURN server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnTransport {
    Udp,
    Tcp,
    Tls,
}

/// A TURN server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnUri {
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
    pub transport: TurnTransport,
}

/// How one is let in; empty where the server asks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnAccess {
    pub username: String,
    pub password: Secret,
}

/// A TURN server, and how one is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub uri: TurnUri,
    pub access: TurnAccess,
}

impl TurnUri {
    /// # Errors
    /// A sentence with `option`, which is what the person calls the field.
    pub fn parse(option: &'static str, typed: &str) -> Result<Self, ConfigError> {
        let (rest, asked) = typed.split_once('?').map_or((typed, None), |(rest, query)| (rest, Some(query)));
        let scheme = |name: &str| {
            let (begins, rest) = rest.split_at_checked(name.len())?;
            begins.eq_ignore_ascii_case(name).then_some(rest)
        };
        let (authority, is_tls) = match (scheme("turns:"), scheme("turn:")) {
            (Some(rest), _) => (rest, true),
            (None, Some(rest)) => (rest, false),
            (None, None) => return Err(expected(option)),
        };
        let asked = asked.map(str::to_ascii_lowercase);
        let transport = match (is_tls, asked.as_deref()) {
            (false, None | Some("transport=udp")) => TurnTransport::Udp,
            (false, Some("transport=tcp")) => TurnTransport::Tcp,
            (true, None | Some("transport=tcp")) => TurnTransport::Tls,
            (true, Some("transport=udp")) => {
                return Err(ConfigError::NotSupported(format!("{option} over DTLS; leave ?transport=udp out for TLS")));
            }
            _ => return Err(expected(option)),
        };
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
            Some(_) => return Err(expected(option)),
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let default = if is_tls { TLS_PORT } else { PORT };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port != 0),
            None => port.is_empty().then_some(default),
        };
        let is_name = |host: &str| !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._:".contains(c));
        match port {
            Some(port) if is_name(host) => Ok(Self { host: host.to_owned(), port, transport }),
            _ => Err(expected(option)),
        }
    }
}

impl std::fmt::Display for TurnUri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scheme, query) = match self.transport {
            TurnTransport::Udp => ("turn", ""),
            TurnTransport::Tcp => ("turn", "?transport=tcp"),
            TurnTransport::Tls => ("turns", ""),
        };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}:{open}{}{close}:{}{query}", self.host, self.port)
    }
}

fn expected(option: &'static str) -> ConfigError {
    wrong(option, "turn:HOST, turn:HOST?transport=tcp or turns:HOST is expected, each with :PORT where it has another")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_say_host_port_and_transport() {
        for (typed, expected) in [
            ("turn:relay.example", "turn:relay.example:3478"),
            ("TURN:relay.example:80?transport=udp", "turn:relay.example:80"),
            ("turn:192.0.2.1?transport=TCP", "turn:192.0.2.1:3478?transport=tcp"),
            ("turns:relay.example", "turns:relay.example:5349"),
            ("turns:[2001:db8::1]:443?transport=tcp", "turns:[2001:db8::1]:443"),
        ] {
            let uri = TurnUri::parse("--turn", typed).expect(typed);
            assert_eq!(uri.to_string(), expected);
            assert_eq!(TurnUri::parse("--turn", expected).expect(expected), uri);
        }
        for wrong in [
            "relay.example",
            "turn:",
            "turn::3478",
            "turn:a:0",
            "turn:a:x",
            "turn:a:99999",
            "turn:a?transport=sctp",
            "stun:a",
            "turn:a?x=y",
            "turn:user@a",
            "turn://a",
            "turn:[a]",
            "turn:[::1",
            "turn:a b",
            "turn:ä\u{0}",
            "",
        ] {
            let said = TurnUri::parse("--turn", wrong).expect_err(wrong).to_string();
            assert!(said.contains("--turn: turn:HOST"), "{wrong}: {said}");
        }
        let dtls = TurnUri::parse("--turn", "turns:a?transport=udp").expect_err("DTLS").to_string();
        assert!(dtls.contains("not supported yet: --turn over DTLS"), "{dtls}");
    }
}
