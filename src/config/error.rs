use std::path::PathBuf;

/// What can be wrong with what a person configured; each reads as a sentence with the way out.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{option}: {why}")]
    Option { option: &'static str, why: String },
    /// Known by the contract, not built yet.
    #[error("not supported yet: {0}")]
    NotSupported(String),
    #[error("{}: another Agent Manager uses this configuration folder; quit it first, or give this one a folder of its own with --config-dir", .0.display())]
    InUse(PathBuf),
    #[error("this system names no folder for settings (is HOME set?); give one with --config-dir")]
    NoFolder,
    #[error("cannot {what} {}: {source}; {way_out}", path.display())]
    File { what: &'static str, path: PathBuf, source: std::io::Error, way_out: &'static str },
    #[error("the keyring refuses: {0}; unlock it, or untick \"remember\"")]
    Keyring(String),
    #[error("the password is missing; set AGENT_MANAGER_PASSWORD, or use --secrets-stdin")]
    PasswordMissing,
    #[error("the API key is missing; set AGENT_MANAGER_API_KEY, or use --secrets-stdin")]
    ApiKeyMissing,
    #[error("no link has signed in at {0} with this configuration folder; give --username, or --link with a new link")]
    NoLinkSession(String),
    #[error("the first line of standard input is not {{\"password\":\"…\",\"api_key\":\"…\"}}")]
    SecretsLine,
}

impl ConfigError {
    /// The way out that fits the system's error best.
    pub(super) fn file(what: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let way_out = match source.kind() {
            K::StorageFull | K::QuotaExceeded => "free some space and try again",
            K::PermissionDenied | K::ReadOnlyFilesystem => {
                "give yourself the right to write there, or use --config-dir"
            }
            _ => "check the folder, or use another one with --config-dir",
        };
        Self::File { what, path: path.into(), source, way_out }
    }
}
