//! Our certificate for handshakes (RFC 5763 §5): made anew with each start, signed by nobody, known by its fingerprint.

use crate::media::plan::Fingerprint;
use rtc_dtls::{
    crypto::Certificate,
    crypto_provider::{RTCCryptoProvider, default_provider},
};
use std::{fmt, sync::Arc};

/// A certificate (ECDSA over P-256) and its key. A clone is the same one.
#[derive(Clone)]
pub struct DtlsIdentity {
    pub(super) provider: Arc<dyn RTCCryptoProvider>,
    pub(super) certificate: Certificate,
}

/// There is no randomness or no cryptography.
#[derive(Debug, thiserror::Error)]
#[error("no certificate for encrypted calls can be made ({0})")]
pub struct IdentityError(String);

impl DtlsIdentity {
    /// Takes about a millisecond.
    pub fn generate() -> Result<Self, IdentityError> {
        let provider = default_provider().map_err(|e| IdentityError(e.to_string()))?;
        // RFC 8827 §6.5 speaks for a name that tells nothing.
        let certificate =
            Certificate::generate_self_signed(vec!["agent-manager.invalid".to_owned()], provider.crypto())
                .map_err(|e| IdentityError(e.to_string()))?;
        Ok(Self { provider, certificate })
    }

    /// What the session description says of it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.certificate.certificate.first().map_or(&[], |der| der.as_ref()))
    }
}

impl fmt::Debug for DtlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DtlsIdentity({})", self.fingerprint())
    }
}
