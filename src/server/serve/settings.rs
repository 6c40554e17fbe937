//! What `serve` is told, and whether it would be safe.

use std::{net::SocketAddr, path::PathBuf};

use super::ServeError;
use crate::{
    server::{
        http::{Reach, SipReach, tls::TlsFiles},
        media::MediaOptions,
    },
    sip::{
        digest::Algorithm,
        uri::{SipUri, Uri},
    },
};

/// What `serve` is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// On loopback only where it is plain.
    pub http: SocketAddr,
    /// With these, HTTP is served over TLS.
    pub tls: Option<TlsFiles>,
    /// UDP and TCP; `None` without a SIP side of our own.
    pub sip: Option<SocketAddr>,
    /// TLS for the same, with the certificate of `tls`.
    pub sip_tls: Option<SocketAddr>,
    /// What digest offers on our own SIP side, the preferred first.
    pub sip_digest: Vec<Algorithm>,
    /// Kamailio as the SIP side in place of our own.
    pub kamailio: Option<KamailioSide>,
    pub database_url: String,
    /// How the outside reaches this server through whatever stands before it: `https://tms.example`.
    pub public_url: Option<String>,
    /// Whether a reverse proxy on this machine appends the client's address to `X-Forwarded-For`.
    pub behind_proxy: Option<bool>,
    /// Seed the demonstration tenant; loopback only.
    pub demo_data: bool,
    /// The key that secrets are encrypted with; beside SQLite's database where it is `None`.
    pub secrets_key: Option<PathBuf>,
    /// Nobody manages others without two-step sign-in.
    pub demand_second_factor: bool,
    /// For the audio of softphones' calls.
    pub media: MediaOptions,
    /// The folder of the programs that are offered for download; the one of this program where it is `None`.
    pub downloads: Option<PathBuf>,
}

/// Where Kamailio is.
#[derive(Clone, Debug)]
pub struct KamailioSide {
    /// JSON-RPC of each: `http://127.0.0.1:5066/rpc`.
    pub rpc: Vec<String>,
    /// How phones reach it: `sip.example:5060`.
    pub proxy: String,
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), ServeError> {
        let refuse = |sentence: String| Err(ServeError::Settings(sentence));
        if !self.http.ip().is_loopback() && self.tls.is_none() {
            return refuse(format!(
                "--http {} is not on loopback and would be plain: give --tls-cert and --tls-key, or listen on 127.0.0.1, put a \
                 reverse proxy with TLS before it and give its address with --public-url",
                self.http
            ));
        }
        let sip_beyond = self.sip.into_iter().chain(self.sip_tls).find(|sip| !sip.ip().is_loopback());
        let http_beyond = Some(self.http).filter(|http| !http.ip().is_loopback());
        if let (true, Some(beyond)) = (self.demo_data, sip_beyond.or(http_beyond)) {
            return refuse(format!("--demo-data is refused on {beyond}: the demonstration stays on loopback"));
        }
        if self.sip_tls.is_some() && self.sip.is_none() {
            return refuse("--sip-tls is of this program's own SIP side, which --no-sip leaves out".to_owned());
        }
        if self.sip_tls.is_some() && self.tls.is_none() {
            return refuse("--sip-tls needs a certificate: give it with --tls-cert and --tls-key".to_owned());
        }
        if let Some(KamailioSide { proxy, .. }) = &self.kamailio
            && !format!("sip:{proxy}").parse::<Uri>().is_ok_and(|uri| uri.as_sip().is_some_and(is_place))
        {
            return refuse(format!("--sip-proxy {proxy} must read sip.example:5060, as phones reach Kamailio"));
        }
        self.kamailio.as_ref().map(KamailioSide::nodes).transpose()?;
        match &self.public_url {
            Some(url) if host(url).is_none() => refuse(format!(
                "--public-url {url} must read https://tms.example, or http://127.0.0.1:8080 on loopback"
            )),
            Some(url) if url.starts_with("https://") && self.tls.is_none() && self.behind_proxy.is_none() => {
                refuse(format!(
                    "--public-url {url} needs something with TLS before --http, which is plain: say --behind-proxy=true if that \
                     appends the client's address to X-Forwarded-For, or =false if not; then all who come through it count as \
                     one where attempts to sign in are limited"
                ))
            }
            Some(url) if self.tls.is_some() && !url.starts_with("https://") => {
                refuse(format!("--public-url {url} must begin with https://, since --tls-cert makes it so"))
            }
            None if sip_beyond.is_some_and(|sip| sip.ip().is_unspecified()) => refuse(
                "--sip listens on every address, so --public-url must tell the name by which phones reach this server"
                    .to_owned(),
            ),
            None if self.http.ip().is_unspecified() => refuse(
                "--http listens on every address, so --public-url must tell the name that the certificate is for"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    pub(super) fn own_url(&self, http: SocketAddr) -> String {
        format!("{}://{http}", if self.tls.is_some() { "https" } else { "http" })
    }

    /// How devices know a SIP side that listens on every address.
    pub(super) fn public_host(&self, sip: SocketAddr) -> Option<&str> {
        self.public_url.as_deref().and_then(host).filter(|_| sip.ip().is_unspecified())
    }

    pub(super) fn reach(&self, http: &str, sip: Option<SocketAddr>, sip_tls: Option<SocketAddr>) -> Reach {
        let url = self.public_url.clone().unwrap_or_else(|| http.to_owned());
        let built_in = sip
            .map(|sip| self.public_host(sip).map_or_else(|| sip.to_string(), |host| format!("{host}:{}", sip.port())));
        // The name that the certificate is for, wherever it listens.
        let over_tls = sip_tls.map(|sip| match self.public_url.as_deref().and_then(host) {
            Some(host) => format!("sip:{host}:{};transport=tls;lr", sip.port()),
            None => format!("sip:{sip};transport=tls;lr"),
        });
        let place = built_in.or_else(|| self.kamailio.as_ref().map(|side| side.proxy.clone()));
        let sip = place.map(|place| SipReach {
            outbound_proxy: format!("sip:{place};lr"),
            transports: over_tls.iter().map(|_| "tls").chain(["udp", "tcp"]).map(str::to_owned).collect(),
            outbound_proxy_tls: over_tls,
        });
        Reach { url: url.trim_end_matches('/').to_owned(), sip, behind_proxy: self.behind_proxy == Some(true) }
    }
}

/// Host and port, and nothing besides.
fn is_place(uri: &SipUri) -> bool {
    *uri == SipUri::new(None, uri.host.clone(), uri.port)
}

/// The host of a URL that may be public: HTTPS, or HTTP on loopback.
fn host(url: &str) -> Option<&str> {
    let (secure, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://")?),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => port.parse::<u16>().ok().map(|_| host)?,
        _ => authority,
    };
    let named = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-[]:".contains(c));
    let loopback = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
    (named && (secure || loopback)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            http: ([127, 0, 0, 1], 0).into(),
            tls: None,
            sip: None,
            sip_tls: None,
            sip_digest: vec![Algorithm::MD5],
            kamailio: None,
            database_url: "sqlite::memory:".into(),
            public_url: None,
            behind_proxy: None,
            demo_data: false,
            secrets_key: None,
            demand_second_factor: false,
            media: MediaOptions::default(),
            downloads: None,
        }
    }

    #[test]
    fn what_would_not_be_safe_is_refused_in_a_sentence() {
        let any: SocketAddr = ([0, 0, 0, 0], 5060).into();
        let lan: SocketAddr = ([10, 0, 0, 1], 5060).into();
        let behind = |behind_proxy, sip| {
            let public_url = Some("https://tms.example:8443/".into());
            Settings { public_url, behind_proxy, sip: Some(sip), ..settings() }
        };
        let kamailio = |proxy: &str| Some(KamailioSide { rpc: Vec::new(), proxy: proxy.to_owned() });
        let beside = |nodes: &[&str]| {
            let rpc = nodes.iter().map(|node| format!("http://{node}/rpc")).collect();
            Some(KamailioSide { rpc, proxy: "sip.example:5060".into() })
        };
        let tls = Some(TlsFiles { certificate: "a.pem".into(), key: "a.key".into() });
        let https = |http, public_url: Option<&str>| {
            let public_url = public_url.map(str::to_owned);
            Settings { http, tls: tls.clone(), public_url, ..settings() }
        };
        let cases = [
            (Settings { http: any, ..settings() }, Some("reverse proxy")),
            (https(any, None), Some("--public-url")),
            (https(lan, Some("http://127.0.0.1:8080")), Some("https://")),
            (Settings { demo_data: true, ..https(lan, None) }, Some("loopback")),
            (https(any, Some("https://tms.example")), None),
            (https(lan, None), None),
            (Settings { sip: Some(any), ..settings() }, Some("--public-url")),
            (Settings { sip: Some(lan), demo_data: true, ..settings() }, Some("loopback")),
            (Settings { public_url: Some("http://tms.example".into()), ..settings() }, Some("https://")),
            (Settings { public_url: Some("https://user:pw@tms.example".into()), ..settings() }, Some("https://")),
            (Settings { public_url: Some("https://".into()), ..settings() }, Some("https://")),
            (
                Settings { public_url: Some("https://tms.example:8443/".into()), ..settings() },
                Some("--behind-proxy=true"),
            ),
            (behind(Some(true), any), None),
            (behind(Some(false), any), None),
            (Settings { sip: Some(lan), ..settings() }, None),
            (Settings { sip: Some(lan), sip_tls: Some(lan), ..settings() }, Some("--tls-cert")),
            (Settings { sip_tls: Some(lan), tls: tls.clone(), ..settings() }, Some("--no-sip")),
            (Settings { kamailio: kamailio("me@sip.example"), ..settings() }, Some("--sip-proxy")),
            (Settings { kamailio: kamailio("sip.example;lr"), ..settings() }, Some("--sip-proxy")),
            (Settings { kamailio: kamailio("sip.example:5060"), ..settings() }, None),
            (Settings { kamailio: beside(&["127.0.0.1:5066", "[::1]:5066"]), ..settings() }, Some("by one address")),
            (
                Settings { kamailio: beside(&["127.0.0.1:5066", "127.0.0.2:5067"]), ..settings() },
                Some("by one address"),
            ),
            (Settings { kamailio: beside(&["[::1]:5066", "[::1]:5067"]), ..settings() }, None),
            (settings(), None),
        ];
        for (settings, refused) in cases {
            let told = settings.check().err().map(|e| e.to_string());
            assert_eq!(told.is_some(), refused.is_some(), "{settings:?}: {told:?}");
            assert!(told.unwrap_or_default().contains(refused.unwrap_or_default()), "{settings:?}");
        }
    }

    #[test]
    fn phones_are_told_a_name_where_the_address_says_nothing() {
        let any: SocketAddr = ([0, 0, 0, 0], 5060).into();
        let named = Settings { public_url: Some("https://tms.example:8443".into()), ..settings() };
        let proxy =
            |settings: &Settings, sip| settings.reach("http://x", Some(sip), None).sip.map(|s| s.outbound_proxy);
        assert_eq!(proxy(&named, any).as_deref(), Some("sip:tms.example:5060;lr"));
        let lan: SocketAddr = ([10, 0, 0, 1], 5060).into();
        assert_eq!(proxy(&settings(), lan).as_deref(), Some("sip:10.0.0.1:5060;lr"));
        let tls: SocketAddr = ([10, 0, 0, 1], 5061).into();
        let sip = named.reach("http://x", Some(lan), Some(tls)).sip.expect("a SIP side");
        assert_eq!(sip.transports, ["tls", "udp", "tcp"], "the best first");
        assert_eq!(sip.outbound_proxy_tls.as_deref(), Some("sip:tms.example:5061;transport=tls;lr"));
    }
}
