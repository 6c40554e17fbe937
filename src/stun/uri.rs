//! Where STUN and TURN servers are: `stun:`, `turn:` and `turns:` URIs (RFC 7064, RFC 7065).

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// The ports that servers have where none is given (RFC 8489 §18.6, RFC 7065 §3.1).
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

/// `HOST:PORT` of a STUN server, which may be written with its scheme and without its port; an IPv6 address gets brackets.
pub fn stun_server(typed: &str) -> Option<String> {
    let typed = after_scheme(typed, "stun:").unwrap_or(typed);
    let (host, port) = if is_ipv6(typed) { (typed, PORT) } else { authority(typed, PORT)? };
    Some(written(host, port))
}

fn after_scheme<'a>(uri: &'a str, scheme: &str) -> Option<&'a str> {
    let (begins, rest) = uri.split_at_checked(scheme.len())?;
    begins.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

/// Host, without the brackets that an IPv6 address has and nothing else, and port.
fn authority(text: &str, default: u16) -> Option<(&str, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(host, _)| is_ipv6(host))?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._:".contains(c));
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port != 0),
        None => port.is_empty().then_some(default),
    };
    Some((host, port.filter(|_| is_host)?))
}

fn written(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

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

/// What is no TURN server, or none that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnUriError {
    #[error("turn:HOST, turn:HOST?transport=tcp or turns:HOST is expected, each with :PORT where it has another")]
    Malformed,
    /// RFC 7350.
    #[error("TURN over DTLS is not supported yet; leave ?transport=udp out for TLS")]
    OverDtls,
}

impl FromStr for TurnUri {
    type Err = TurnUriError;

    fn from_str(typed: &str) -> Result<Self, TurnUriError> {
        let (rest, asked) = typed.split_once('?').map_or((typed, None), |(rest, query)| (rest, Some(query)));
        let (rest, is_tls) = match (after_scheme(rest, "turns:"), after_scheme(rest, "turn:")) {
            (Some(rest), _) => (rest, true),
            (None, Some(rest)) => (rest, false),
            (None, None) => return Err(TurnUriError::Malformed),
        };
        let asked = asked.map(str::to_ascii_lowercase);
        let transport = match (is_tls, asked.as_deref()) {
            (false, None | Some("transport=udp")) => TurnTransport::Udp,
            (false, Some("transport=tcp")) => TurnTransport::Tcp,
            (true, None | Some("transport=tcp")) => TurnTransport::Tls,
            (true, Some("transport=udp")) => return Err(TurnUriError::OverDtls),
            _ => return Err(TurnUriError::Malformed),
        };
        let default = if is_tls { TLS_PORT } else { PORT };
        let (host, port) = authority(rest, default).ok_or(TurnUriError::Malformed)?;
        Ok(Self { host: host.to_owned(), port, transport })
    }
}

impl TurnUri {
    /// `HOST:PORT`; an IPv6 address has brackets.
    pub fn authority(&self) -> String {
        written(&self.host, self.port)
    }
}

impl fmt::Display for TurnUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, query) = match self.transport {
            TurnTransport::Udp => ("turn", ""),
            TurnTransport::Tcp => ("turn", "?transport=tcp"),
            TurnTransport::Tls => ("turns", ""),
        };
        write!(f, "{scheme}:{}{query}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turn_uris_say_host_port_and_transport() {
        for (typed, expected) in [
            ("turn:relay.example", "turn:relay.example:3478"),
            ("TURN:relay.example:80?transport=udp", "turn:relay.example:80"),
            ("turn:192.0.2.1?transport=TCP", "turn:192.0.2.1:3478?transport=tcp"),
            ("turns:relay.example", "turns:relay.example:5349"),
            ("turns:[2001:db8::1]:443?transport=tcp", "turns:[2001:db8::1]:443"),
        ] {
            let uri: TurnUri = typed.parse().expect(typed);
            assert_eq!(uri.to_string(), expected);
            assert_eq!(expected.parse(), Ok(uri));
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
            assert_eq!(wrong.parse::<TurnUri>(), Err(TurnUriError::Malformed), "{wrong}");
        }
        assert_eq!("turns:a?transport=udp".parse::<TurnUri>(), Err(TurnUriError::OverDtls));
    }

    #[test]
    fn stun_servers_have_a_port() {
        for (typed, expected) in [
            ("stun.example", Some("stun.example:3478")),
            ("stun:stun.example:80", Some("stun.example:80")),
            ("STUN:192.0.2.1", Some("192.0.2.1:3478")),
            ("[2001:db8::1]", Some("[2001:db8::1]:3478")),
            ("2001:db8::1", Some("[2001:db8::1]:3478")),
            ("[2001:db8::1]:80", Some("[2001:db8::1]:80")),
            ("stun.example:", None),
            (":3478", None),
            ("a:0", None),
            ("[a:80", None),
            ("a]:80", None),
            ("[a]:80", None),
            ("a:b:80", None),
            ("[::1]80", None),
            ("stun:", None),
            ("a b", None),
            ("", None),
        ] {
            assert_eq!(stun_server(typed).as_deref(), expected, "{typed}");
        }
    }
}
