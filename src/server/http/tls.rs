//! TLS for the listener: certificate and key from PEM files, read again while it runs.

use std::{io, path::PathBuf, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// The files that `--tls-cert` and `--tls-key` name.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate and those between it and a root, in this order.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why a certificate cannot serve: a sentence with the way out.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("--{option} {file} cannot be read: {source}; may this user read it?")]
    File { option: &'static str, file: PathBuf, source: io::Error },
    #[error(
        "--tls-cert {0} has no certificate: give the certificate and its chain in PEM, -----BEGIN CERTIFICATE-----"
    )]
    NoCertificate(PathBuf),
    #[error("--tls-key {0} has no private key: give it in PEM and without a password, -----BEGIN PRIVATE KEY-----")]
    NoKey(PathBuf),
    #[error("--tls-cert {} and --tls-key {} cannot be used together: {source}; is the key this certificate's?",
            .files.certificate.display(), .files.key.display())]
    Unfit { files: TlsFiles, source: rustls::Error },
}

/// What the files say now, for every connection from now on.
pub struct Tls {
    files: TlsFiles,
    current: watch::Sender<TlsAcceptor>,
}

impl Tls {
    /// # Errors
    /// The files cannot be read, or what they hold cannot serve.
    pub fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let acceptor = files.acceptor()?;
        Ok(Self { files, current: watch::Sender::new(acceptor) })
    }

    pub fn acceptors(&self) -> watch::Receiver<TlsAcceptor> {
        self.current.subscribe()
    }

    /// Reads the files anew at each SIGHUP, as programs that renew certificates send it. What cannot serve is logged, and the
    /// certificate before it stays.
    pub async fn follow(self, mut hangups: tokio::signal::unix::Signal) {
        while hangups.recv().await.is_some() {
            match self.files.acceptor() {
                Ok(acceptor) => drop(self.current.send_replace(acceptor)),
                Err(error) => tracing::error!(%error, "the certificate in use stays"),
            }
        }
    }
}

impl TlsFiles {
    fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let unfit = |source| TlsError::Unfit { files: self.clone(), source };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(self.chain()?, self.private_key()?)
            .map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let file = &self.certificate;
        let none = || TlsError::NoCertificate(file.clone());
        let chain = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
        let chain: Vec<_> = chain.map_err(|error| io_or(error, "tls-cert", file, none()))?;
        if chain.is_empty() { Err(none()) } else { Ok(chain) }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let key = PrivateKeyDer::from_pem_file(&self.key);
        key.map_err(|error| io_or(error, "tls-key", &self.key, TlsError::NoKey(self.key.clone())))
    }
}

/// The parser's own words could quote the file, which may hold a key.
fn io_or(error: pem::Error, option: &'static str, file: &std::path::Path, otherwise: TlsError) -> TlsError {
    match error {
        pem::Error::Io(source) => TlsError::File { option, file: file.to_owned(), source },
        _ => otherwise,
    }
}
