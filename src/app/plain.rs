//! A plain SIP account, from what the command line or the form says.

use crate::{
    config::{
        ConfigError,
        media::{MediaSettings, Turn, TurnAccess},
        plain,
    },
    driver::account::EXPIRES,
    media::plan::SrtpPolicy,
    sip::{
        flow::Transport,
        uri::{SipUri, Uri},
    },
    ua::api::{Account, Secret},
    ui::{
        snapshot::{AudioEncryption, SipAccount, SipTransport},
        text::t,
    },
};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// Where DNS servers listen.
const DNS: u16 = 53;

/// What the driver is started with because of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// What everything typed agrees on.
    pub transport: Option<Transport>,
    pub ca_file: Option<PathBuf>,
    pub dns_server: Option<SocketAddr>,
    pub media: MediaSettings,
}

/// The account at `aor`. `way` to it: the proxy and the transport.
pub fn account(
    mut aor: SipUri,
    way: (Option<Uri>, Option<Transport>),
    auth_username: String,
    password: Secret,
    register: bool,
) -> Account {
    // How to get there is no part of the name.
    aor.params.retain(|(name, _)| name != "transport");
    Account {
        name: aor.user.clone().unwrap_or_default(),
        aor: Uri::Sip(aor),
        auth_username,
        password,
        realm: None,
        outbound_proxy: way.0,
        transport: way.1.unwrap_or(Transport::Udp),
        register,
        expires: EXPIRES,
        // The driver's options name them.
        emergency_numbers: Vec::new(),
    }
}

/// What was typed as an account and the way to it.
///
/// # Errors
/// A sentence about the first field that is wrong.
pub fn check(typed: &SipAccount, password: Secret) -> Result<(Account, Way), ConfigError> {
    let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let aor = plain::address(t().sip_address, &with_scheme(&typed.address), "101@pbx.example")?;
    let proxy = filled(&typed.outbound_proxy).map(|proxy| with_scheme(&proxy));
    let proxy = proxy.map(|proxy| plain::proxy(t().outbound_proxy, &proxy, "proxy.example")).transpose()?;
    let asked = match typed.transport {
        SipTransport::Automatic => None,
        SipTransport::Udp => Some(Transport::Udp),
        SipTransport::Tcp => Some(Transport::Tcp),
        SipTransport::Tls => Some(Transport::Tls),
    };
    let collector = filled(&typed.quality_collector).map(|collector| with_scheme(&collector));
    let home = Uri::Sip((*aor).clone());
    let uris = [(t().outbound_proxy, proxy.as_ref()), (t().sip_address, Some(&home))];
    let way = Way {
        transport: plain::agreed((t().transport, asked), uris)?,
        ca_file: filled(&typed.ca_file).map(|file| plain::readable(t().ca_file, file.into())).transpose()?,
        dns_server: filled(&typed.dns_server).map(|server| dns_server(&server)).transpose()?,
        media: MediaSettings {
            stun: filled(&typed.stun_server).map(|server| plain::stun(t().stun_server, &server)).transpose()?,
            turn: filled(&typed.turn_server).map(|uri| turn(&uri, typed)).transpose()?,
            quality_report: collector
                .map(|uri| plain::proxy(t().quality_collector, &uri, "quality@pbx.example"))
                .transpose()?,
            srtp: match typed.encryption {
                // So it is without a word.
                AudioEncryption::Optional => None,
                AudioEncryption::Required => Some(SrtpPolicy::Sdes),
                AudioEncryption::Handshake => Some(SrtpPolicy::Dtls),
                AudioEncryption::Off => Some(SrtpPolicy::Off),
            },
        },
    };
    let username = filled(&typed.username).or_else(|| aor.user.clone()).unwrap_or_default();
    Ok((account(*aor, (proxy, way.transport), username, password, typed.register), way))
}

fn turn(uri: &str, typed: &SipAccount) -> Result<Turn, ConfigError> {
    let (username, password) = (typed.turn_username.trim().to_owned(), typed.turn_password.clone());
    Ok(Turn { uri: plain::turn(t().turn_server, uri)?, access: TurnAccess { username, password } })
}

/// People write addresses as they write them in e-mails.
fn with_scheme(typed: &str) -> String {
    let typed = typed.trim();
    let begins = |scheme: &str| typed.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if ["sip:", "sips:", "tel:"].into_iter().any(begins) { typed.to_owned() } else { format!("sip:{typed}") }
}

fn dns_server(typed: &str) -> Result<SocketAddr, ConfigError> {
    let alone = typed.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS));
    typed.parse().or(alone).map_err(|_| ConfigError::Option {
        option: t().dns_server,
        why: "an address is expected, like 192.0.2.53 or 192.0.2.53:5353".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(address: &str) -> SipAccount {
        SipAccount { address: address.into(), ..SipAccount::default() }
    }

    #[test]
    fn an_account_as_typed() {
        let form = SipAccount {
            outbound_proxy: "edge.example;lr".into(),
            username: " agent ".into(),
            transport: SipTransport::Tls,
            dns_server: "192.0.2.53".into(),
            stun_server: " stun.example ".into(),
            turn_server: "turns:relay.example ".into(),
            turn_username: "alice".into(),
            turn_password: Secret("s3cret".into()),
            quality_collector: " quality@pbx.example".into(),
            encryption: AudioEncryption::Handshake,
            register: false,
            ..typed(" 101@pbx.example ")
        };
        let (account, way) = check(&form, Secret("p".into())).expect("an account");
        assert_eq!((account.name.as_str(), account.aor.to_string().as_str()), ("101", "sip:101@pbx.example"));
        assert_eq!((account.auth_username.as_str(), account.register), ("agent", false));
        assert_eq!(account.outbound_proxy.map(|proxy| proxy.to_string()).as_deref(), Some("sip:edge.example;lr"));
        let (dns_server, stun) = (Some(([192, 0, 2, 53], DNS).into()), Some("stun.example:3478".into()));
        let transport = Some(Transport::Tls);
        let access = TurnAccess { username: "alice".into(), password: Secret("s3cret".into()) };
        let turn = Some(Turn { uri: "turns:relay.example:5349".parse().expect("a server"), access });
        let quality_report = Some("sip:quality@pbx.example".parse().expect("an address"));
        let media = MediaSettings { stun, turn, quality_report, srtp: Some(SrtpPolicy::Dtls) };
        assert_eq!(way, Way { transport, ca_file: None, dns_server, media });
        assert_eq!(account.transport, Transport::Tls);
        let (plain, way) = check(&typed("sips:101@pbx.example"), Secret::default()).expect("an account");
        assert_eq!((plain.auth_username.as_str(), way.transport), ("101", Some(Transport::Tls)));
        assert_eq!(way.media, MediaSettings::default());
    }

    #[test]
    fn what_is_wrong_is_said_with_the_name_of_its_field() {
        let base = || typed("101@pbx.example");
        for (form, said) in [
            (typed("pbx.example"), "SIP address: a SIP address with a user is expected, like 101@pbx.example"),
            (typed("tel:101"), "SIP address: "),
            (SipAccount { outbound_proxy: "tel:1".into(), ..base() }, "Outbound proxy: "),
            (
                SipAccount { transport: SipTransport::Tcp, ..typed("sips:101@pbx.example") },
                "SIP address: it asks for tls, and Transport for tcp; make them the same",
            ),
            (SipAccount { ca_file: "/nowhere/ca.pem".into(), ..base() }, "/nowhere/ca.pem cannot be read"),
            (SipAccount { dns_server: "dns.example".into(), ..base() }, "DNS server: an address is expected"),
            (
                SipAccount { stun_server: "stun.example:".into(), ..base() },
                "STUN server: HOST or HOST:PORT is expected",
            ),
            (SipAccount { turn_server: "relay.example".into(), ..base() }, "TURN server: turn:HOST"),
            (
                SipAccount { quality_collector: "tel:1".into(), ..base() },
                "Quality reports to: a SIP address is expected, like quality@pbx.example",
            ),
        ] {
            let why = check(&form, Secret::default()).expect_err(said).to_string();
            assert!(why.contains(said), "{why}");
        }
    }
}
