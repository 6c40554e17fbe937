//! TLS towards SIP servers (RFC 3261 §26.3.1): whom we trust, under which name each address was asked for, and why a
//! handshake failed in words. The name that is checked is the one in the URI, never what the DNS made of it (RFC 5922 §7.1), and
//! a wildcard stands for no name (§7.2) but in a certificate that was given by hand.

mod verifier;

use crate::sip::uri::Host;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, RootCertStore,
    client::verify_server_name,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::OnceCell};
use tokio_rustls::{TlsConnector, client::TlsStream};
use verifier::SipVerifier;

/// An address stays with its name so long after it was last asked for: longer than a request goes from address to address.
const KEPT: Duration = Duration::from_secs(600);
/// Addresses whose names are known.
const MAX_NAMES: usize = 256;

/// What it takes to open a connection.
#[derive(Clone)]
pub(super) struct Way {
    trust: Arc<Trust>,
    name: ServerName<'static>,
}

/// Whom we trust: read at the first connection, so that who has no use for it pays nothing, and in a thread that may wait for
/// the disk.
struct Trust {
    /// Certificates (PEM) trusted besides the system's: authorities', and servers' own, each for that very server.
    ca_file: Option<PathBuf>,
    connector: OnceCell<TlsConnector>,
}

/// See the module.
pub(super) struct Tls {
    trust: Arc<Trust>,
    names: HashMap<SocketAddr, Asked>,
}

struct Asked {
    name: ServerName<'static>,
    at: Instant,
}

impl Tls {
    pub(super) fn new(ca_file: Option<PathBuf>) -> Self {
        Self { trust: Arc::new(Trust { ca_file, connector: OnceCell::new() }), names: HashMap::new() }
    }

    /// `remote` was found for `host`. `shown`: the certificate of the connection that leads there already.
    ///
    /// An address without a name, as Record-Route gives it, goes the way that its name was checked for. Two names at one
    /// address share it only where the certificate is good for both.
    ///
    /// # Errors
    /// A clause.
    pub(super) fn expect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        host: &Host,
        shown: Option<&CertificateDer<'static>>,
    ) -> Result<(), String> {
        let name = server_name(host)?;
        match self.names.get_mut(&remote) {
            Some(asked) if asked.name == name || matches!(host, Host::Ip(_)) => asked.at = now,
            Some(asked) if shown.is_some_and(|certificate| is_for(certificate, &name)) => asked.at = now,
            Some(asked) if shown.is_some() || now < asked.at + KEPT => {
                let known = asked.name.to_str().into_owned();
                return Err(format!("{host} leads to {remote}, which is {known}, and is not proved to be both"));
            }
            _ => {
                self.make_room();
                self.names.insert(remote, Asked { name, at: now });
            }
        }
        Ok(())
    }

    /// # Errors
    /// A clause: nobody asked for this address.
    pub(super) fn way(&self, remote: SocketAddr) -> Result<Way, String> {
        let asked = self.names.get(&remote).ok_or_else(|| format!("no server name is known for {remote}"))?;
        Ok(Way { trust: self.trust.clone(), name: asked.name.clone() })
    }

    fn make_room(&mut self) {
        if self.names.len() >= MAX_NAMES
            && let Some(oldest) = self.names.iter().min_by_key(|(_, asked)| asked.at).map(|(remote, _)| *remote)
        {
            self.names.remove(&oldest);
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("names", &self.names.len()).finish_non_exhaustive()
    }
}

impl Way {
    /// The handshake; besides the stream the certificate that proved the name.
    ///
    /// # Errors
    /// A clause with the way out.
    pub(super) async fn secure(
        self,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<CertificateDer<'static>>), String> {
        let name = self.name.to_str().into_owned();
        let connector = self.trust.connector().await?;
        let stream = connector.connect(self.name, stream).await.map_err(|e| failure(&name, &e))?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first().cloned());
        Ok((stream, certificate))
    }
}

impl Trust {
    /// # Errors
    /// A clause: certificates cannot be read; the next connection tries again.
    async fn connector(&self) -> Result<&TlsConnector, String> {
        let read = || async {
            let ca_file = self.ca_file.clone();
            tokio::task::spawn_blocking(move || connector(ca_file.as_ref())).await.map_err(|e| e.to_string())?
        };
        self.connector.get_or_try_init(read).await
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, String> {
    match host {
        Host::Ip(ip) => Ok(ServerName::from(*ip)),
        Host::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|_| format!("{name} is no name that a certificate can be for"))
        }
    }
}

fn is_for(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    ParsedCertificate::try_from(certificate).is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
        && verifier::has_name(certificate, name)
}

fn connector(ca_file: Option<&PathBuf>) -> Result<TlsConnector, String> {
    config(ca_file, false).map(|config| TlsConnector::from(Arc::new(config)))
}

/// For servers of the web's kind, such as relays: the same trust, and a wildcard stands for what it does on the web.
///
/// # Errors
/// A clause.
pub fn web_config(ca_file: Option<&PathBuf>) -> Result<Arc<ClientConfig>, String> {
    config(ca_file, true).map(Arc::new)
}

fn config(ca_file: Option<&PathBuf>, wildcards: bool) -> Result<ClientConfig, String> {
    let mut authorities = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    authorities.add_parsable_certificates(system.certs);
    let mut pinned = Vec::new();
    if let Some(file) = ca_file {
        let unusable = |why: String| format!("--ca-file {} cannot be used: {why}", file.display());
        let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let given = read.map_err(|e| unusable(e.to_string()))?;
        let (given, old): (Vec<_>, Vec<_>) =
            given.into_iter().partition(|one| ParsedCertificate::try_from(one).is_ok());
        // X.509 version 1 has no word for what a certificate is good for: who gives one by hand means an authority.
        let (known, _) = authorities.add_parsable_certificates(old);
        if given.is_empty() && known == 0 {
            return Err(unusable("it holds no certificate in PEM".to_owned()));
        }
        // What is an authority's may be shown by a server too, which has signed for itself.
        authorities.add_parsable_certificates(given.iter().filter(|given| verifier::is_authority(given)).cloned());
        pinned = given;
    }
    if authorities.is_empty() && pinned.is_empty() {
        return Err(
            "this computer trusts no certificate authority; install ca-certificates, or give one with --ca-file"
                .to_owned(),
        );
    }
    // TLS 1.2 and 1.3, nothing older.
    let provider = Arc::new(ring::default_provider());
    let verifier = SipVerifier::new(authorities, pinned, wildcards, &provider)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn failure(name: &str, error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(why)) => certificate(name, why),
        Some(Error::PeerIncompatible(_) | Error::AlertReceived(AlertDescription::ProtocolVersion)) => {
            format!("{name} speaks no TLS 1.2 or 1.3; its administrator must bring it up to date")
        }
        Some(Error::InvalidMessage(_)) => {
            format!("{name} does not speak TLS at this port; give the port for TLS, often 5061, or another transport")
        }
        Some(other) => format!("no protected connection to {name} comes about: {other}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!("{name} closed the connection before it was protected; is this its port for TLS?")
        }
        None => format!("the connection to {name} was lost before it was protected: {error}"),
    }
}

fn certificate(name: &str, why: &CertificateError) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!(
                "the certificate of {name} has expired; its administrator must renew it (is this computer's date right?)"
            )
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {name} is not valid yet; set this computer's date and time")
        }
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            let names: Vec<_> = presented.iter().map(|shown| dns_name(shown)).collect();
            let way_out = match names.iter().any(|name| name.starts_with("*.")) {
                true => {
                    "in SIP a star stands for no name (RFC 5922), so its administrator must have this one named in it; \
                     until then, give that very certificate with --ca-file"
                }
                false => "use the name it is for",
            };
            format!("the server is not {name}: its certificate is for {}; {way_out}", names.join(", "))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the server's certificate is not for {name}; use the name it is for")
        }
        CertificateError::Revoked => format!("the certificate of {name} was revoked; ask its administrator"),
        CertificateError::UnknownIssuer => format!(
            "nobody whom this computer trusts has signed the certificate of {name}; where it is self-signed or of your \
             company's own authority, give that certificate with --ca-file"
        ),
        CertificateError::Other(other) => {
            // rustls has no name of its own for a certificate that signs itself.
            if other.to_string().contains("CaUsedAsEndEntity") {
                format!(
                    "the certificate of {name} is self-signed, as an authority's own; give that very certificate with --ca-file, \
                     or have its administrator make one for the server"
                )
            } else {
                format!(
                    "the certificate of {name} cannot be used ({other}); its administrator must make one for the server"
                )
            }
        }
        other => format!("the certificate of {name} is not good ({other}); ask its administrator"),
    }
}

/// `DnsName("pbx.example")`, as the verifier shows it.
fn dns_name(shown: &str) -> &str {
    shown.split('"').nth(1).unwrap_or(shown)
}

#[cfg(test)]
mod tests;
