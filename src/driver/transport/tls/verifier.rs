//! Server certificates as SIP wants them: as the web's, but a wildcard stands for no name (RFC 5922 §7.2). One that somebody who
//! knows has given by hand proves that very server, whoever signed it and also by a wildcard, and vouches for no other.

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage};

#[derive(Debug)]
pub(super) struct SipVerifier {
    /// Asks the authorities; `None` where there are none.
    web: Option<Arc<WebPkiServerVerifier>>,
    /// Servers' own certificates.
    pinned: Vec<CertificateDer<'static>>,
    /// A wildcard stands for what it does on the web.
    wildcards: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl SipVerifier {
    /// `authorities`: whose word counts for any server. `pinned`: good for the servers that show them. `wildcards`: not for SIP.
    ///
    /// # Errors
    /// A clause.
    pub fn new(
        authorities: RootCertStore,
        pinned: Vec<CertificateDer<'static>>,
        wildcards: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let build = |roots| WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        let web = (!authorities.is_empty()).then(|| build(authorities)).transpose().map_err(|e| e.to_string())?;
        Ok(Self { web, pinned, wildcards, algorithms: provider.signature_verification_algorithms })
    }
}

/// Whether a certificate says of itself that it is an authority's (RFC 5280 §4.2.1.9), and not a server's.
pub(super) fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    // Asked for a time when it is valid: that comes first.
    let asked = match own_faults(certificate, UnixTime::since_unix_epoch(std::time::Duration::ZERO)) {
        Err(webpki::Error::CertNotValidYet { not_before, .. }) => own_faults(certificate, not_before),
        other => other,
    };
    asked == Err(webpki::Error::CaUsedAsEndEntity)
}

/// What is wrong with it as a server's certificate, whoever signed it: this comes before any issuer is looked for.
fn own_faults(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), webpki::Error> {
    let parsed = EndEntityCert::try_from(certificate)?;
    match parsed.verify_for_usage(&[], &[], &[], now, KeyUsage::server_auth(), None, None) {
        Ok(_) | Err(webpki::Error::UnknownIssuer) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether that very name stands in the certificate; of an address the verifier has asked already.
pub(super) fn has_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(name) = name else { return true };
    EndEntityCert::try_from(certificate)
        .is_ok_and(|parsed| parsed.valid_dns_names().any(|known| known.eq_ignore_ascii_case(name.as_ref())))
}

/// Telephone systems often sign for themselves as if they were an authority; the very certificate was given, so that is no fault.
fn verify_pinned(certificate: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
    match own_faults(certificate, now) {
        Ok(()) | Err(webpki::Error::CaUsedAsEndEntity) => {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)
        }
        Err(webpki::Error::CertExpired { .. } | webpki::Error::InvalidCertValidity) => {
            Err(CertificateError::Expired.into())
        }
        Err(webpki::Error::CertNotValidYet { .. }) => Err(CertificateError::NotValidYet.into()),
        Err(error) => Err(CertificateError::Other(OtherError(Arc::new(error))).into()),
    }
}

impl ServerCertVerifier for SipVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pinned.iter().any(|pinned| pinned == certificate) {
            return verify_pinned(certificate, name, now).map(|()| ServerCertVerified::assertion());
        }
        let web = self.web.as_ref().ok_or(CertificateError::UnknownIssuer)?;
        let verified = web.verify_server_cert(certificate, intermediates, name, ocsp, now)?;
        if self.wildcards || has_name(certificate, name) {
            return Ok(verified);
        }
        let parsed = EndEntityCert::try_from(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let presented = parsed.valid_dns_names().map(|known| format!("DnsName({known:?})")).collect();
        Err(CertificateError::NotValidForNameContext { expected: name.to_owned(), presented }.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
