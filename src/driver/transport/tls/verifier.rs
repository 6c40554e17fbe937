//! Server certificates as SIP wants them: as the web's, but a wildcard stands for no name (RFC 5922 §7.2), unless somebody who
//! knows has named the very certificate.

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::sync::Arc;
use webpki::EndEntityCert;

#[derive(Debug)]
pub(super) struct SipVerifier {
    pub web: Arc<WebPkiServerVerifier>,
    /// Certificates that were given by hand: a wildcard in one of them stands for what it does on the web.
    pub given: Vec<CertificateDer<'static>>,
}

/// Whether that very name stands in the certificate; of an address the verifier has asked already.
pub(super) fn has_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(name) = name else { return true };
    EndEntityCert::try_from(certificate)
        .is_ok_and(|parsed| parsed.valid_dns_names().any(|known| known.eq_ignore_ascii_case(name.as_ref())))
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
        let verified = self.web.verify_server_cert(certificate, intermediates, name, ocsp, now)?;
        if has_name(certificate, name) || self.given.iter().any(|given| given == certificate) {
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
        self.web.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
    }
}
