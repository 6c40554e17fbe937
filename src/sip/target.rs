//! What a URI says about where to send to: host, port, transport (RFC 3263 §4). What the DNS adds: [`super::locate`].

use super::{
    flow::{Flow, Transport},
    uri::{Host, Uri},
};

/// The next hop, before its name is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub host: Host,
    /// As the URI names it.
    pub port: Option<u16>,
    pub transport: Transport,
    /// The URI has no transport parameter.
    pub is_open: bool,
}

impl Target {
    /// Reads host, port and transport of a URI; `default` is the transport where the URI leaves it open.
    ///
    /// # Errors
    /// A clause: no SIP URI, or one that asks for what there is not.
    pub fn of(uri: &Uri, default: Transport) -> Result<Self, String> {
        let Uri::Sip(sip) = uri else { return Err(format!("{uri} is not a SIP address")) };
        let named = sip.param("transport").map(str::to_ascii_lowercase);
        let transport = match (named.as_deref(), sip.secure) {
            // RFC 5630 §3.1.2: a sips: request never goes unprotected; `tcp` there means TLS over TCP.
            (None | Some("tcp" | "tls"), true) => Transport::Tls,
            (Some("udp"), true) => return Err(format!("{uri} asks for a protected call over udp, which there is not")),
            (None, false) => default,
            (Some("udp"), false) => Transport::Udp,
            (Some("tcp"), false) => Transport::Tcp,
            (Some("tls"), false) => Transport::Tls,
            (Some(other), _) => return Err(format!("not supported yet: SIP over {other} ({uri})")),
        };
        // RFC 3263 §4: maddr names the host to contact.
        let host = match sip.param("maddr").map(str::parse) {
            Some(Ok(host)) => host,
            Some(Err(_)) => return Err(format!("{uri} cannot be reached: its maddr is not a host")),
            None => sip.host.clone(),
        };
        Ok(Self { host, port: sip.port, transport, is_open: named.is_none() })
    }

    /// The port where no SRV record gives one.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.transport.default_port())
    }

    /// The way there, where no name has to be looked up.
    pub fn numeric(&self) -> Option<Flow> {
        match self.host {
            Host::Ip(ip) => Some(Flow { transport: self.transport, remote: (ip, self.port()).into() }),
            Host::Name(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_and_transport() {
        use Transport::{Tcp, Udp};
        for (uri, default, expected) in [
            ("sip:a@10.0.0.1", Udp, "udp:10.0.0.1:5060"),
            ("sip:a@10.0.0.1", Tcp, "tcp:10.0.0.1:5060"),
            ("sip:10.0.0.1:5070;transport=TCP;lr", Udp, "tcp:10.0.0.1:5070"),
            ("sip:a@[::1]:5062", Udp, "udp:[::1]:5062"),
            ("sip:a@pbx.example;maddr=10.0.0.2", Udp, "udp:10.0.0.2:5060"),
            ("sip:a@10.0.0.1;maddr=10.0.0.2", Udp, "udp:10.0.0.2:5060"),
            ("sips:a@10.0.0.1", Udp, "tls:10.0.0.1:5061"),
            ("sips:a@10.0.0.1;transport=tcp", Udp, "tls:10.0.0.1:5061"),
            ("sip:a@10.0.0.1;transport=tls", Udp, "tls:10.0.0.1:5061"),
        ] {
            let target = Target::of(&uri.parse().expect(uri), default).expect(uri);
            assert_eq!(target.numeric().expect(uri).to_string(), expected);
        }
        let named = Target::of(&"sip:a@pbx.example".parse().expect("a URI"), Udp).expect("a target");
        assert_eq!(named.numeric(), None);
        for (uri, said) in [
            ("sips:a@10.0.0.1;transport=udp", "protected"),
            ("sip:a@10.0.0.1;transport=sctp", "not supported yet: SIP over sctp"),
            ("tel:+2721", "not a SIP address"),
        ] {
            let error = Target::of(&uri.parse().expect(uri), Udp).expect_err(uri);
            assert!(error.contains(said), "{error}");
        }
    }
}
