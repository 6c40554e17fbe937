//! The link between two entries.

use sha2::{Digest, Sha256};

use crate::server::secrets;

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since 1970.
    pub at: i64,
    pub account: Option<i64>,
    pub actor: String,
    pub address: String,
    pub action: String,
    pub object: String,
}

/// Carried by the first entry.
pub const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Event {
    /// SHA-256 over the hash of the entry before and everything that this one says, each part led by its length.
    pub fn hash(&self, previous: &str) -> String {
        let (at, account) = (self.at.to_string(), self.account.map(|id| id.to_string()).unwrap_or_default());
        let mut hash = Sha256::new();
        for part in [previous, &at, &account, &self.actor, &self.address, &self.action, &self.object] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        secrets::hex(&hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let event = Event {
            at: 1,
            account: Some(2),
            actor: "a".into(),
            address: "b".into(),
            action: "c".into(),
            object: "d".into(),
        };
        let others = [
            Event { at: 2, ..event.clone() },
            Event { account: None, ..event.clone() },
            Event { actor: "x".into(), ..event.clone() },
            Event { address: "x".into(), ..event.clone() },
            Event { action: "x".into(), ..event.clone() },
            Event { object: "x".into(), ..event.clone() },
            Event { actor: "ab".into(), address: String::new(), ..event.clone() },
        ];
        let hash = event.hash(START);
        assert_eq!((hash.len(), START.len()), (64, 64));
        assert!(others.iter().all(|other| other.hash(START) != hash));
        assert_ne!(event.hash(&hash), hash);
    }
}
