//! Calls joined: each of the parties hears us and all the others, never himself.

use super::{SessionId, session::Session};
use std::collections::BTreeMap;

/// Who is in it; nobody, or two and more.
#[derive(Debug, Default)]
pub struct Conference(Vec<SessionId>);

impl Conference {
    /// Joins these in place of those before.
    pub fn set(&mut self, members: Vec<SessionId>, sessions: &mut BTreeMap<SessionId, Session>) {
        self.0 = if members.len() < 2 { Vec::new() } else { members };
        for (id, session) in sessions {
            session.join(self.0.contains(id));
        }
    }

    /// A call has ended.
    pub fn left(&mut self, id: SessionId, sessions: &mut BTreeMap<SessionId, Session>) {
        if self.0.contains(&id) {
            let members = self.0.iter().copied().filter(|member| *member != id).collect();
            self.set(members, sessions);
        }
    }

    /// What each of them hears of the others: `count` samples.
    pub fn others(&self, count: usize, sessions: &mut BTreeMap<SessionId, Session>) -> BTreeMap<SessionId, Vec<f32>> {
        let mut heard: BTreeMap<SessionId, Vec<f32>> =
            self.0.iter().filter_map(|id| Some((*id, sessions.get_mut(id)?.pass_on(count)))).collect();
        let mut all = vec![0.0; count];
        for voice in heard.values() {
            all.iter_mut().zip(voice).for_each(|(sum, sample)| *sum += sample);
        }
        for own in heard.values_mut() {
            own.iter_mut().zip(&all).for_each(|(own, all)| *own = all - *own);
        }
        heard
    }
}
