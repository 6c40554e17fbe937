//! HTTP to the TMS: moves requests and answers, decides nothing. The HTTP and TLS libraries are set up at the first request,
//! so that a plain SIP account pays nothing for them.

use super::{
    outcome::{Answer, Failure},
    session::{ApiRequest, Method},
    sse::{Parser, ServerEvent},
};
use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// An answer larger than that is not a TMS's; the XML API lists a whole tenant, 500 bytes a registration.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For an exchange, and for the opening of a stream.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// A TMS sends a comment at least every half minute.
const STREAM_SILENCE: Duration = Duration::from_secs(75);

/// Cheap to clone; clones share their connections.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// For a TMS on this machine, over plain HTTP.
    plain: Option<reqwest::Client>,
    secure: Option<reqwest::Client>,
    /// Certificate authority (PEM) trusted besides the system's.
    ca_file: Option<PathBuf>,
}

impl Client {
    pub fn new(ca_file: Option<PathBuf>) -> Self {
        Self { plain: None, secure: None, ca_file }
    }

    /// The HTTP client for this URL, made now if this is the first request.
    ///
    /// # Errors
    /// When the CA file or the system's certificates cannot be read.
    pub fn ready(&mut self, url: &str) -> Result<reqwest::Client, Failure> {
        let secure = url.starts_with("https:");
        let made = if secure { &mut self.secure } else { &mut self.plain };
        if let Some(http) = made {
            return Ok(http.clone());
        }
        // A second call finds the provider installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("AgentManager/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(60));
        let builder = match (secure, &self.ca_file) {
            // No certificates are read, and no proxy is asked for a way to this very machine.
            (false, _) => builder.tls_certs_only([]).no_proxy(),
            (true, Some(path)) => builder.tls_certs_merge(certificates(path)?),
            (true, None) => builder,
        };
        Ok(made.insert(builder.build().map_err(|e| Failure::Other(innermost(&e)))?).clone())
    }
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let unusable = |why: String| Failure::Other(format!("--ca-file {}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|e| unusable(e.to_string()))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err(unusable("it holds no certificate in PEM".into())),
    }
}

/// One exchange, normally within [`REQUEST_TIMEOUT`].
///
/// # Errors
/// Everything that is not a whole response.
pub async fn exchange(http: reqwest::Client, request: ApiRequest, within: Duration) -> Result<Answer, Failure> {
    let mut response = build(&http, request).timeout(within).send().await.map_err(|e| failure(&e))?;
    let mut answer = head(&response);
    while let Some(chunk) = response.chunk().await.map_err(|e| failure(&e))? {
        if answer.body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(Failure::TooLarge);
        }
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}

/// The stream of server-sent events.
#[derive(Debug)]
pub struct EventStream {
    response: reqwest::Response,
    parser: Parser,
}

impl EventStream {
    /// # Errors
    /// `Ok(answer)` is a response that is no stream of events.
    pub async fn open(http: reqwest::Client, request: ApiRequest) -> Result<Self, Result<Answer, Failure>> {
        let opening = build(&http, request).header("Accept", "text/event-stream").send();
        let response = match tokio::time::timeout(REQUEST_TIMEOUT, opening).await {
            Ok(sent) => sent.map_err(|e| Err(failure(&e)))?,
            Err(_) => return Err(Err(Failure::TimedOut)),
        };
        let answer = head(&response);
        match (answer.status, answer.content_type.as_str()) {
            (200, "text/event-stream") => Ok(Self { response, parser: Parser::default() }),
            _ => Err(Ok(answer)),
        }
    }

    /// The next events; never an empty list.
    ///
    /// # Errors
    /// The stream ended, fell silent, or broke its bounds.
    pub async fn next(&mut self) -> Result<Vec<ServerEvent>, Failure> {
        loop {
            let chunk = tokio::time::timeout(STREAM_SILENCE, self.response.chunk());
            let bytes = chunk.await.map_err(|_| Failure::TimedOut)?.map_err(|e| failure(&e))?;
            let bytes = bytes.ok_or_else(|| Failure::Other("the TMS closed the stream of events".into()))?;
            let events = self.parser.push(&bytes).map_err(|_| Failure::TooLarge)?;
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }
}

fn build(http: &reqwest::Client, request: ApiRequest) -> reqwest::RequestBuilder {
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Delete => reqwest::Method::DELETE,
    };
    let mut builder = http.request(method, request.url);
    if let Some(token) = request.token {
        builder = builder.bearer_auth(token.0);
    }
    if let Some(key) = request.api_key {
        // A key with characters that no header may carry cannot be a right one: the TMS shall say so.
        let mut value = reqwest::header::HeaderValue::from_str(&key.0)
            .unwrap_or_else(|_| reqwest::header::HeaderValue::from_static("unusable"));
        value.set_sensitive(true);
        builder = builder.header("X-API-Key", value);
    }
    match request.body {
        Some(body) => builder.header("Content-Type", request.content.media_type()).body(body.0),
        None => builder,
    }
}

fn head(response: &reqwest::Response) -> Answer {
    let content_type = response.headers().get("Content-Type").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Answer { status: response.status().as_u16(), content_type, body: Vec::new() }
}

fn failure(error: &reqwest::Error) -> Failure {
    for cause in causes(error) {
        if let Some(rustls::Error::InvalidCertificate(why)) = cause.downcast_ref() {
            return Failure::Certificate(certificate_clause(why));
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return Failure::Refused,
            Some(io::ErrorKind::TimedOut) => return Failure::TimedOut,
            _ => {}
        }
        if cause.to_string().contains("dns error") {
            return Failure::NoAddress;
        }
    }
    if error.is_timeout() { Failure::TimedOut } else { Failure::Other(innermost(error)) }
}

/// The error and what caused it. An I/O error's `source` passes over the very error it carries, which is where TLS errors
/// travel.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |&cause| {
        let carried = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        carried.map(|e| e as &(dyn Error + 'static)).or_else(|| cause.source())
    })
}

fn certificate_clause(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError as C;
    match why {
        C::Expired | C::ExpiredContext { .. } => "its certificate has expired".into(),
        C::NotValidYet | C::NotValidYetContext { .. } => "its certificate is not valid yet".into(),
        C::UnknownIssuer => "its certificate comes from an authority that this computer does not trust".into(),
        C::NotValidForName | C::NotValidForNameContext { .. } => "its certificate is for another name".into(),
        C::Revoked => "its certificate was revoked".into(),
        other => format!("its certificate cannot be used ({other})"),
    }
}

/// The last cause, for reqwest's own words are general and name the URL.
fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests;
