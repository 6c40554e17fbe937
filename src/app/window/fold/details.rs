//! What else is known of the registration and of calls: proofs, messages, recordings, who is joined with whom.

use super::{Fold, Moment};
use crate::{
    driver::api::{self, RecordingState, Traced},
    tms::wire,
    ua::api::{self as ua, Reachable},
    ui::{
        snapshot::{
            Notice, NoticeKind, Proof, ProvedBy, Recorded, Recording, RecordingRule, SipAccount, SipMessage, Status,
            Trace,
        },
        text::{fill, t},
    },
};
use std::{collections::BTreeSet, path::PathBuf, time::Instant};

pub(super) const fn proof(proof: Reachable) -> Proof {
    let by = match proof.by {
        ua::ProvedBy::Register => ProvedBy::Register,
        ua::ProvedBy::Pong | ua::ProvedBy::Options => ProvedBy::Answer,
    };
    Proof { by, is_listed: proof.is_listed }
}

impl Fold {
    /// A plain account takes the place of whatever was there; it is called `name` and lives at `domain`.
    pub fn use_plain(&mut self, at: &Moment, account: SipAccount, name: String, domain: Option<String>) {
        self.forget_login(Status::Connecting { registration: name });
        self.snapshot.sip_account = Some(account);
        self.domain = domain;
        self.show_rows(at);
    }

    pub(super) fn trace(&mut self, at: &Moment, call: u32, messages: Vec<Traced>) {
        let zone = at.wall.time_zone();
        let shown = |message: Traced| SipMessage {
            time: message.at.to_zoned(zone.clone()).strftime("%H:%M:%S%.3f").to_string(),
            sent: message.sent,
            flow: message.flow,
            text: message.text,
        };
        self.snapshot.trace = Some(Trace { call, messages: messages.into_iter().map(shown).collect() });
    }

    /// Who hears whom.
    pub fn join(&mut self, joined: &BTreeSet<u32>) {
        for call in &mut self.snapshot.calls {
            call.in_conference = joined.contains(&call.id);
            call.speaks &= call.in_conference;
        }
    }

    /// A recording is seen while it runs; then it is told where to find it.
    pub(super) fn recording(
        &mut self,
        now: Instant,
        call: u32,
        file: PathBuf,
        state: RecordingState,
    ) -> Option<Notice> {
        self.with_call(call, |shown| match state {
            RecordingState::Begun { tone } => {
                shown.recorded = Some(Recorded { since: now, file: file.clone(), has_tone: tone });
            }
            // Another one may have begun meanwhile.
            RecordingState::Over | RecordingState::Failed => {
                shown.recorded.take_if(|recorded| recorded.file == file);
            }
        });
        // Where every call is recorded, the settings say where.
        let is_news = self.snapshot.recording.rule != Recording::Required;
        (is_news && state == RecordingState::Over).then(|| {
            let text = fill(t().recording_kept, &[&file.display().to_string()]);
            Notice { kind: NoticeKind::Info, text }
        })
    }
}

/// What the account says of recordings.
pub fn recording_rule(told: api::RecordingRule) -> RecordingRule {
    let rule = match told.rule {
        wire::Recording::Allowed => Recording::Allowed,
        wire::Recording::Forbidden => Recording::Forbidden,
        wire::Recording::Required => Recording::Required,
    };
    RecordingRule { rule, tone: told.tone }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{driver::api::Event, ui::snapshot::CallState};
    use jiff::Zoned;

    fn moment() -> Moment {
        let wall: Zoned = "2026-11-22T10:50[Africa/Johannesburg]".parse().expect("a zoned time");
        Moment { now: Instant::now(), wall }
    }

    fn with_a_call() -> Fold {
        let mut fold = Fold::default();
        let call = crate::ui::snapshot::Call {
            id: 1,
            incoming: true,
            state: CallState::Connected,
            peer: "101".into(),
            peer_name: None,
            called: None,
            forwarded_by: None,
            since: moment().now,
            muted: false,
            codec: None,
            encryption: Default::default(),
            quality: None,
            verdict: None,
            course: vec![],
            transfer: None,
            in_conference: false,
            speaks: false,
            recorded: None,
            answered_by_itself: false,
        };
        fold.snapshot.calls.push(call);
        fold
    }

    #[test]
    fn a_recording_is_seen_while_it_runs_and_told_where_it_is() {
        use RecordingState::{Failed, Over};
        const BEGUN: RecordingState = RecordingState::Begun { tone: true };
        let (mut fold, at) = (with_a_call(), moment());
        let recorded = |fold: &Fold| fold.snapshot.calls[0].recorded.clone().map(|one| (one.since, one.has_tone));
        let hear = |fold: &mut Fold, file: &str, state| {
            let told = fold.handle_event(&at, Event::Recording { call: 1, file: file.into(), state }).notices;
            told.into_iter().map(|notice| notice.text).collect::<Vec<_>>()
        };
        assert_eq!(hear(&mut fold, "/r/a.opus", BEGUN), [""; 0]);
        assert_eq!(recorded(&fold), Some((at.now, true)));
        assert_eq!(hear(&mut fold, "/r/a.opus", Over), ["The recording is in /r/a.opus."]);
        assert_eq!(recorded(&fold), None);
        hear(&mut fold, "/r/b.opus", BEGUN);
        assert_eq!(hear(&mut fold, "/r/b.opus", Failed), [""; 0], "there is a notice of that");
        assert_eq!(recorded(&fold), None, "the disk filled up in between");
        let rule = api::RecordingRule { rule: wire::Recording::Required, tone: false };
        fold.handle_event(&at, Event::RecordingRule(rule));
        hear(&mut fold, "/r/b.opus", BEGUN);
        assert_eq!(hear(&mut fold, "/r/b.opus", Over), [""; 0], "where each call is, is known");
        fold.handle_event(&at, Event::RecordingRule(api::RecordingRule::default()));
        // Of two at once, the first is complete last.
        hear(&mut fold, "/r/b.opus", BEGUN);
        hear(&mut fold, "/r/c.opus", BEGUN);
        hear(&mut fold, "/r/b.opus", Over);
        assert_eq!(recorded(&fold), Some((at.now, true)));
    }

    #[test]
    fn who_speaks_in_a_conference_is_seen_until_it_is_over() {
        let (mut fold, at) = (with_a_call(), moment());
        fold.join(&BTreeSet::from([1, 2]));
        fold.handle_event(&at, Event::Speaks { call: 1, on: true });
        fold.join(&BTreeSet::from([1, 2]));
        assert!(fold.snapshot.calls[0].speaks);
        fold.join(&BTreeSet::new());
        assert!(!fold.snapshot.calls[0].speaks);
    }

    #[test]
    fn messages_are_told_in_the_users_time() {
        let mut fold = with_a_call();
        let (at, text) = ("2026-11-22T08:42:07.1239Z".parse().expect("a time"), "INVITE sip:a SIP/2.0".to_owned());
        let message = Traced { at, sent: true, flow: "UDP 192.0.2.10:5060".into(), text };
        fold.handle_event(&moment(), Event::Trace { call: 1, messages: vec![message] });
        let trace = fold.snapshot.trace.expect("shown");
        assert_eq!((trace.call, trace.messages[0].time.as_str()), (1, "10:42:07.123"));
    }

    #[test]
    fn a_plain_account_takes_the_place_of_a_login_and_is_not_ended_by_its_end() {
        let (mut fold, at) = (Fold::default(), moment());
        fold.use_plain(&at, SipAccount::default(), "101".into(), Some("pbx.example".into()));
        fold.handle_event(&at, Event::Login(crate::driver::api::LoginState::SignedOut));
        assert_eq!(fold.snapshot.status, Status::Connecting { registration: "101".into() });
        assert!(fold.snapshot.sip_account.is_some());
    }
}
