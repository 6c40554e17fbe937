//! The calls in progress, for people to see.

use crate::server::contacts::Call;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Calls listed at most. A call whose BYE never came leaves the list when room is needed, the oldest first.
const MAX_CALLS: usize = 10_000;

/// By Call-ID.
#[derive(Debug, Default)]
pub struct Calls(BTreeMap<String, (String, Call)>);

impl Calls {
    /// An INVITE was forwarded.
    pub fn begin(&mut self, realm: &str, call_id: &str, from: &str, to: &str, since: Timestamp) {
        if self.0.len() >= MAX_CALLS
            && let Some(oldest) = self.0.iter().min_by_key(|(_, (_, call))| call.since).map(|(id, _)| id.clone())
        {
            self.0.remove(&oldest);
        }
        let call = Call { id: call_id.to_owned(), from: from.to_owned(), to: to.to_owned(), since, answered: false };
        self.0.insert(call_id.to_owned(), (realm.to_owned(), call));
    }

    pub fn answered(&mut self, call_id: &str) {
        if let Some((_, call)) = self.0.get_mut(call_id) {
            call.answered = true;
        }
    }

    /// It failed, or a BYE went by.
    pub fn end(&mut self, call_id: &str) {
        self.0.remove(call_id);
    }

    pub fn of(&self, realm: &str) -> Vec<Call> {
        self.0.values().filter(|(of, _)| of == realm).map(|(_, call)| call.clone()).collect()
    }
}
