//! What the agent keeps at hand: colleagues, recordings.

use super::{Running, moment};
use crate::{
    app::setup::RECORDINGS,
    config::settings::Colleague,
    driver::api::Command,
    media::{engine::MediaError, record::new_file},
    ua::api::{CallId, Package},
    ui::snapshot::{Notice, NoticeKind},
};
use std::path::PathBuf;

/// Colleagues listed; each costs the phone system two subscriptions.
const COLLEAGUES: usize = 100;

impl Running {
    /// Lists a colleague, or renames the one of that number.
    pub(super) fn add_colleague(&mut self, name: &str, number: &str) {
        let (name, number) = (name.trim(), number.trim());
        let listed = &self.memory.settings().colleagues;
        let is_new = !listed.iter().any(|one| one.number == number);
        if is_new && listed.len() >= COLLEAGUES {
            let text = format!("No more than {COLLEAGUES} colleagues can be listed; remove one first.");
            return self.shared.notice(Notice { kind: NoticeKind::Error, text });
        }
        let name = if name.is_empty() { number } else { name };
        let colleague = Colleague { name: name.to_owned(), number: number.to_owned() };
        let written = self.memory.change(|all| {
            all.colleagues.retain(|one| one.number != number);
            all.colleagues.push(colleague);
        });
        self.tell(written);
        self.show_colleagues();
        if is_new {
            self.watch(number);
        }
    }

    pub(super) fn remove_colleague(&mut self, number: &str) {
        let written = self.memory.change(|all| all.colleagues.retain(|one| one.number != number));
        self.tell(written);
        self.show_colleagues();
        for package in [Package::Dialog, Package::Presence] {
            self.send(Command::Unsubscribe { package, to: number.to_owned() });
        }
    }

    pub(super) fn show_colleagues(&mut self) {
        self.fold.list_colleagues(&self.memory.settings().colleagues);
    }

    /// Phone systems tell calls, presence, or both.
    pub(super) fn watch(&self, number: &str) {
        for package in [Package::Dialog, Package::Presence] {
            self.send(Command::Subscribe { package, to: number.to_owned() });
        }
    }

    pub(super) fn record(&mut self, call: CallId, on: bool) {
        let file = match on.then(|| self.recording_of(call)).transpose() {
            Ok(file) => file,
            Err(why) => {
                let text = format!("This call cannot be recorded: {why}.");
                return self.shared.notice(Notice { kind: NoticeKind::Error, text });
            }
        };
        self.send(Command::Record { call, file, tone: None });
    }

    fn recording_of(&self, call: CallId) -> Result<PathBuf, MediaError> {
        let call = self.fold.snapshot.calls.iter().find(|one| one.id == call);
        let who = call.map(|call| call.peer_name.as_ref().unwrap_or(&call.peer).clone()).unwrap_or_default();
        new_file(&self.memory.folder().path().join(RECORDINGS), &moment().wall, &who)
    }
}
