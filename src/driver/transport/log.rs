//! SIP messages in the log, at level trace, without what a listener could use.

use crate::sip::flow::Flow;

pub(super) fn sent(flow: Flow, bytes: &[u8]) {
    tracing::trace!(target: "sip", "sent {} bytes to {flow}\n{}", bytes.len(), Redacted(bytes));
}

pub(super) fn received(flow: Flow, bytes: &[u8]) {
    tracing::trace!(target: "sip", "received {} bytes from {flow}\n{}", bytes.len(), Redacted(bytes));
}

/// The message as text with the values of authentication headers left out, and keys in SDP (RFC 4568 §9.1) with them.
struct Redacted<'a>(&'a [u8]);

impl std::fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut hidden = false;
        for line in String::from_utf8_lossy(self.0).lines() {
            // A folded line (RFC 3261 §7.3.1) belongs to the header before.
            let continues = hidden && line.starts_with([' ', '\t']);
            let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
            let names_a_secret =
                matches!(name.as_str(), "authorization" | "proxy-authorization" | "a=crypto" | "a=key-mgmt");
            hidden = continues || names_a_secret;
            match (continues, names_a_secret) {
                (true, _) => {}
                (false, true) => writeln!(f, "{}: …", line.split(':').next().unwrap_or_default())?,
                (false, false) => writeln!(f, "{line}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let message = b"REGISTER sip:acme SIP/2.0\r\nAUTHORIZATION : Digest username=\"a\",\r\n response=\"secret\"\r\nCSeq: 2 REGISTER\r\n\
            Proxy-Authorization: Digest response=\"secret\"\r\n\r\na=crypto:1 AES inline:secret\r\na=sendrecv\r\n";
        let shown = Redacted(message).to_string();
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("CSeq: 2 REGISTER\n") && shown.contains("a=sendrecv"), "{shown}");
    }
}
