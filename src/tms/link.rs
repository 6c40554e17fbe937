//! `agent-manager://link?tms=<base URL>&code=<code>[&registration=<name>]`: opens Agent Manager signed in.

use super::{
    login::{Proof, TmsLogin},
    url::TmsUrl,
};
use crate::secret::Secret;

/// A link's scheme, as the operating system is told of it.
pub const SCHEME: &str = "agent-manager";
/// Longer ones are no links of a TMS.
pub const LONGEST: usize = 4096;
/// Codes are some twenty letters; names of registrations are SIP user names.
const LONGEST_VALUE: usize = 256;

/// What a link says. Unknown parameters are for later versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub tms: TmsUrl,
    /// Good once and for 30 minutes.
    pub code: Secret,
    /// To come online with.
    pub registration: Option<String>,
}

impl Link {
    /// # Errors
    /// A sentence, which does not repeat the code.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let url = (text.len() <= LONGEST).then(|| reqwest::Url::parse(text).ok()).flatten();
        let url = url
            .filter(|url| url.scheme() == SCHEME && url.host_str() == Some("link") && matches!(url.path(), "" | "/"));
        let url = url.ok_or_else(|| broken("it does not begin with agent-manager://link?"))?;
        let tms = value(&url, "tms")?.ok_or_else(|| broken("it names no TMS"))?;
        // A link is followed without a look at it: no scheme is guessed.
        let tms =
            Some(&tms).filter(|tms| tms.contains("://")).and_then(|tms| TmsUrl::parse(tms).ok()).ok_or_else(|| {
                format!(
                    "This link leads to {tms}, which is not safe: a TMS is reached by https://, or by http:// on this \
                 computer only. Ask whoever sent it for another one."
                )
            })?;
        let code = value(&url, "code")?.ok_or_else(|| broken("it has no code"))?;
        Ok(Self { tms, code: Secret(code), registration: value(&url, "registration")? })
    }

    pub fn login(self) -> TmsLogin {
        let proof = Proof::Link { code: self.code, registration: self.registration };
        TmsLogin { url: self.tms.as_str().to_owned(), proof }
    }
}

/// One parameter, `None` where it is absent or empty.
fn value(url: &reqwest::Url, name: &str) -> Result<Option<String>, String> {
    let mut found = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let value = found.next().filter(|value| !value.is_empty());
    if found.next().is_some() {
        return Err(broken(&format!("it has more than one {name}")));
    }
    match value {
        Some(value) if value.len() > LONGEST_VALUE || value.chars().any(char::is_control) => {
            Err(broken(&format!("its {name} is none")))
        }
        value => Ok(value),
    }
}

fn broken(why: &str) -> String {
    format!("This link cannot be used: {why}. Copy the whole link, or ask whoever sent it for a new one.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_link_says() {
        for (text, tms, registration) in [
            ("agent-manager://link?tms=https%3A%2F%2Ftms.example&code=c0de", "https://tms.example", None),
            (
                "AGENT-MANAGER://link/?code=c0de&registration=100-acme-x%20y&tms=http%3A%2F%2F127.0.0.1%3A8080%2F&later=1",
                "http://127.0.0.1:8080",
                Some("100-acme-x y"),
            ),
            (" agent-manager://link?tms=https://tms.example/a&code=c0de&registration= ", "https://tms.example/a", None),
        ] {
            let link = Link::parse(text).expect(text);
            assert_eq!((link.tms.as_str(), link.code.0.as_str()), (tms, "c0de"));
            assert_eq!(link.registration.as_deref(), registration);
            assert!(!format!("{link:?} {:?}", link.clone().login()).contains("c0de"));
        }
    }

    #[test]
    fn what_is_refused_is_refused_in_a_sentence_without_the_code() {
        let long = format!("agent-manager://link?tms=https://tms.example&code={}", "c0de".repeat(100));
        let endless = format!("agent-manager://link?tms=https://tms.example&code=c0de&x={}", "x".repeat(LONGEST));
        for (text, said) in [
            ("", "does not begin"),
            ("https://link?tms=https://tms.example&code=c0de", "does not begin"),
            ("agent-manager:link?tms=https://tms.example&code=c0de", "does not begin"),
            ("agent-manager://dial?tms=https://tms.example&code=c0de", "does not begin"),
            ("agent-manager://link/more?tms=https://tms.example&code=c0de", "does not begin"),
            (&endless, "does not begin"),
            ("agent-manager://link?code=c0de", "names no TMS"),
            ("agent-manager://link?tms=&code=c0de", "names no TMS"),
            ("agent-manager://link?tms=https://tms.example", "has no code"),
            ("agent-manager://link?tms=https://tms.example&code=", "has no code"),
            ("agent-manager://link?tms=https://tms.example&code=c0de&code=x", "more than one code"),
            ("agent-manager://link?tms=https://a.example&tms=https://b.example&code=c0de", "more than one tms"),
            ("agent-manager://link?tms=https://tms.example&code=c0de%0A", "its code is none"),
            (&long, "its code is none"),
            ("agent-manager://link?tms=http://tms.example&code=c0de", "http://tms.example, which is not safe"),
            ("agent-manager://link?tms=tms.example&code=c0de", "which is not safe"),
            ("agent-manager://link?tms=ftp://tms.example&code=c0de", "which is not safe"),
            ("agent-manager://link?tms=file:///etc/passwd&code=c0de", "which is not safe"),
            ("agent-manager://link?tms=https://u:p@tms.example&code=c0de", "which is not safe"),
        ] {
            let error = Link::parse(text).expect_err(text);
            assert!(error.contains(said) && !error.contains("c0de"), "{text}: {error}");
        }
    }
}
