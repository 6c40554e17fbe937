//! The address of a TMS, as a person types it.

use std::net::IpAddr;

/// Scheme, host and perhaps a port and a path: `https://tms.example`, never with a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TmsUrl {
    text: String,
    host: String,
}

impl TmsUrl {
    /// Reads an address; without a scheme `https://` is meant, but for the machine itself.
    ///
    /// # Errors
    /// A sentence: not an address, or plain HTTP to another machine.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let read = |full: &str| {
            reqwest::Url::parse(full)
                .map_err(|_| format!("{text:?} is not an address; type the TMS's, like https://tms.example."))
        };
        let url = if text.contains("://") {
            read(text)?
        } else {
            let secure = read(&format!("https://{text}"))?;
            match is_loopback(secure.host_str().unwrap_or_default()) {
                true => read(&format!("http://{text}"))?,
                false => secure,
            }
        };
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => {
                return Err(format!("Plain http:// would show your password to the network; use https://{host}."));
            }
            other => return Err(format!("{other}:// is not how a TMS is reached; use https://{host}.")),
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(
                "Type only the TMS's address, like https://tms.example, without user names or anything after a ?."
                    .into(),
            );
        }
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), host: host.to_owned() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Name or address, the latter in brackets where it is IPv6.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// An endpoint of the API; `path` starts with a slash and is escaped already.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// One path segment with everything but RFC 3986's unreserved characters percent-encoded.
pub fn segment(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type() {
        for (typed, means) in [
            ("https://tms.example", "https://tms.example"),
            (" tms.example/ ", "https://tms.example"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("http://localhost:1", "http://localhost:1"),
            ("localhost", "http://localhost"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080/", "http://[::1]:8080"),
            ("https://localhost", "https://localhost"),
            ("https://example.com/tms/", "https://example.com/tms"),
        ] {
            assert_eq!(TmsUrl::parse(typed).expect(typed).as_str(), means);
        }
        for (typed, said) in [
            ("http://tms.example", "use https://tms.example"),
            ("ftp://tms.example", "use https://"),
            ("https://u:p@tms.example", "without user names"),
            ("https://tms.example/?key=1", "without user names"),
            ("", "is not an address"),
            ("https://", "is not an address"),
            ("two words", "is not an address"),
        ] {
            let error = TmsUrl::parse(typed).expect_err(typed);
            assert!(error.contains(said), "{typed:?}: {error}");
        }
    }

    #[test]
    fn segments_are_escaped() {
        assert_eq!(segment("100-acme_x~1"), "100-acme_x~1");
        assert_eq!(segment("../a b?"), "..%2Fa%20b%3F");
    }
}
