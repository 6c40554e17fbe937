//! `application/simple-message-summary` (RFC 3842 §5): voicemail waiting.

use crate::ua::api::Messages;

/// Longest body looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// `None`: it does not say whether messages wait.
pub(super) fn read(body: &[u8]) -> Option<Messages> {
    let text = String::from_utf8_lossy(body.get(..LONGEST).unwrap_or(body));
    let line = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(n, value)| n.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned()))
    };
    let waiting = match line("Messages-Waiting")?.to_ascii_lowercase().as_str() {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    let (new, old) = line("Voice-Message").as_deref().and_then(counts).unwrap_or_default();
    Some(Messages { waiting, new, old, account: line("Message-Account").filter(|account| !account.is_empty()) })
}

/// `2/8 (0/2)`: new and old, and how many of each are urgent.
fn counts(value: &str) -> Option<(u32, u32)> {
    let (new, old) = value.split('(').next()?.split_once('/')?;
    Some((new.trim().parse().ok()?, old.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries() {
        let known = |waiting, new, old, account: Option<&str>| {
            Some(Messages { waiting, new, old, account: account.map(str::to_owned) })
        };
        for (body, expected) in [
            (
                "Messages-Waiting: yes\r\nMessage-Account: sip:vm@acme\r\nVoice-Message: 2/8 (0/2)\r\n",
                known(true, 2, 8, Some("sip:vm@acme")),
            ),
            ("messages-waiting:no\n", known(false, 0, 0, None)),
            ("Messages-Waiting: yes\r\nVoice-Message: 1/0\r\n", known(true, 1, 0, None)),
            ("Messages-Waiting: yes\r\nVoice-Message: many\r\n", known(true, 0, 0, None)),
            ("Messages-Waiting: perhaps\r\n", None),
            ("Voice-Message: 2/8\r\n", None),
            ("", None),
        ] {
            assert_eq!(read(body.as_bytes()), expected, "{body}");
        }
    }
}
