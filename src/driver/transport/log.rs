//! SIP messages in the log, at level trace, without what a listener could use.

use crate::sip::flow::Flow;

pub(super) fn sent(flow: Flow, bytes: &[u8]) {
    tracing::trace!(target: "sip", "sent {} bytes to {flow}\n{}", bytes.len(), Redacted(bytes));
}

pub(super) fn received(flow: Flow, bytes: &[u8]) {
    tracing::trace!(target: "sip", "received {} bytes from {flow}\n{}", bytes.len(), Redacted(bytes));
}

/// The message as text with the values of authentication headers left out, keys in SDP (RFC 4568 §9.1), passwords of checks
/// (RFC 8839 §5.4), and digits by INFO, which may be a card's.
pub(in crate::driver) struct Redacted<'a>(pub &'a [u8]);

impl std::fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mut hidden, mut digits) = (false, false);
        for line in String::from_utf8_lossy(self.0).lines() {
            // A folded line (RFC 3261 §7.3.1) belongs to the header before.
            let continues = hidden && line.starts_with([' ', '\t']);
            let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
            let names_a_secret = matches!(
                name.as_str(),
                "authorization" | "proxy-authorization" | "a=crypto" | "a=key-mgmt" | "a=ice-pwd"
            );
            hidden = continues || names_a_secret;
            digits |= matches!(name.as_str(), "content-type" | "c") && line.to_ascii_lowercase().contains("dtmf");
            if line.is_empty() && digits {
                return writeln!(f, "\n…");
            }
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
            Proxy-Authorization: Digest response=\"secret\"\r\n\r\na=crypto:1 AES inline:secret\r\na=ice-pwd:secret\r\na=sendrecv\r\n";
        let shown = Redacted(message).to_string();
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("CSeq: 2 REGISTER\n") && shown.contains("a=sendrecv"), "{shown}");
        for (kind, body) in [("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"), ("Application/DTMF", "5")] {
            let message = format!("INFO sip:a@b SIP/2.0\r\nCSeq: 3 INFO\r\nContent-Type: {kind}\r\n\r\n{body}");
            let shown = Redacted(message.as_bytes()).to_string();
            assert!(shown.contains("CSeq: 3 INFO") && !shown.contains("5"), "{shown}");
        }
    }
}
