//! Calls in the snapshot, as an agent reads them.

use super::{ENDED_SHOWN, Fold, Moment, sound};
use crate::{
    app::window::history::{Finished, Kind},
    media::{
        plan::{Codec, Srtp},
        stats::CallStats,
    },
    ua::api::{CallDirection, CallInfo, CallState as UaState, EndedBy},
    ui::{
        snapshot::{Call, CallState, Encryption, Quality},
        text::t,
    },
};

impl Fold {
    pub(super) fn with_call(&mut self, id: u32, change: impl FnOnce(&mut Call)) {
        if let Some(call) = self.snapshot.calls.iter_mut().find(|call| call.id == id) {
            change(call);
        }
    }

    pub(super) fn call(&mut self, at: &Moment, info: &CallInfo) -> Option<Finished> {
        let connected = self.connected.iter().find(|(id, _)| *id == info.call).map(|(_, since)| *since);
        let state = call_state(&info.state, info.direction, connected.is_some());
        let connected = match state {
            // Some are answered straight into hold (RFC 3264 §8.4).
            _ if connected.is_none() && info.state.is_answered() => {
                self.connected.push((info.call, at.now));
                Some(at.now)
            }
            _ => connected,
        };
        let old = self.snapshot.calls.iter().find(|call| call.id == info.call);
        let shown = Call {
            id: info.call,
            incoming: info.direction == CallDirection::In,
            state,
            peer: self.peer(info),
            peer_name: match info.origin.anonymous {
                true => Some(t().number_withheld.to_owned()),
                false => self.peer_name(info),
            },
            called: self.called(info),
            forwarded_by: self.party(info.origin.forwarded_by.as_deref(), info.origin.forwarded_by_name.as_deref()),
            since: connected.or(old.map(|old| old.since)).unwrap_or(at.now),
            muted: old.is_some_and(|old| old.muted),
            codec: info.codec.map(Codec::label),
            encryption: encryption(info.srtp),
            quality: old.and_then(|old| old.quality.clone()),
            verdict: old.and_then(|old| old.verdict.clone()),
            course: old.map(|old| old.course.clone()).unwrap_or_default(),
            transfer: old.and_then(|old| old.transfer.clone()),
            in_conference: old.is_some_and(|old| old.in_conference),
            speaks: old.is_some_and(|old| old.speaks),
            recorded: old.and_then(|old| old.recorded.clone()),
            answered_by_itself: info.origin.answers_itself,
        };
        let finished = match &info.state {
            UaState::Ended { ended_by, reason, .. } => {
                self.connected.retain(|(id, _)| *id != info.call);
                self.leaving.push((info.call, at.now + ENDED_SHOWN));
                let duration_s = connected.map(|since| at.now.saturating_duration_since(since).as_secs());
                let shown = shown.clone();
                let heard = sound::heard(&shown);
                let kind = match kind(info.direction, *ended_by, connected.is_some()) {
                    // Turned away before it rang: nobody has rejected it.
                    Kind::Incoming if old.is_none() => Kind::Missed,
                    kind => kind,
                };
                let (peer, peer_name, called, forwarded_by) =
                    (shown.peer, shown.peer_name, shown.called, shown.forwarded_by);
                let reason = Some(reason.clone()).filter(|reason| !reason.is_empty());
                let (at, call) = (at.wall.timestamp(), Some(info.call));
                Some(Finished { peer, peer_name, called, forwarded_by, kind, at, duration_s, reason, call, heard })
            }
            _ => None,
        };
        match self.snapshot.calls.iter_mut().find(|call| call.id == info.call) {
            Some(call) => *call = shown,
            // One that was turned away before it rang is for the history only.
            None if matches!(shown.state, CallState::Ended { .. }) => {}
            None => self.snapshot.calls.push(shown),
        }
        finished
    }

    /// What to dial to call the other party; nothing where that is not to be known.
    fn peer(&self, info: &CallInfo) -> String {
        match info.origin.anonymous {
            true => String::new(),
            false => short_address(&info.peer, self.domain.as_deref()),
        }
    }

    /// As the other side says, or as the agent has listed it.
    fn peer_name(&self, info: &CallInfo) -> Option<String> {
        let told = info.peer_name.clone().filter(|name| !name.trim().is_empty());
        told.or_else(|| self.listed(&info.peer).map(|at| self.snapshot.colleagues[at].name.clone()))
    }

    /// What was dialled, unless it is just the extension that we are, or who forwarded the call.
    fn called(&self, info: &CallInfo) -> Option<String> {
        let address = info.called.as_deref().filter(|called| info.origin.forwarded_by.as_deref() != Some(*called))?;
        let number = short_address(address, self.domain.as_deref());
        let selected = self.registration_shown().and_then(|name| self.rows.iter().find(|row| row.name == name));
        let other = selected.is_none_or(|row| row.extension != number);
        other.then(|| info.origin.called_name.clone().unwrap_or(number))
    }

    fn party(&self, address: Option<&str>, name: Option<&str>) -> Option<String> {
        name.map(str::to_owned).or_else(|| Some(short_address(address?, self.domain.as_deref())))
    }
}

fn call_state(state: &UaState, direction: CallDirection, was_connected: bool) -> CallState {
    match state {
        UaState::Dialing => CallState::Dialing,
        UaState::Early { .. } => CallState::Early,
        UaState::Ringing => CallState::Ringing,
        UaState::Connected => CallState::Connected,
        UaState::Held => CallState::Held,
        UaState::RemoteHeld => CallState::RemoteHeld,
        UaState::Ended { ended_by, reason, .. } => {
            let failed = match ended_by {
                EndedBy::Local | EndedBy::AnsweredElsewhere => false,
                EndedBy::Remote => direction == CallDirection::Out && !was_connected,
                EndedBy::Network => true,
            };
            CallState::Ended { reason: reason.clone(), failed }
        }
    }
}

fn kind(direction: CallDirection, ended_by: EndedBy, was_connected: bool) -> Kind {
    match (direction, was_connected, ended_by) {
        (CallDirection::In, true, _) => Kind::Incoming,
        (CallDirection::Out, true, _) => Kind::Outgoing,
        (CallDirection::In, false, EndedBy::AnsweredElsewhere) => Kind::AnsweredElsewhere,
        // Rejected here: the agent knows of it.
        (CallDirection::In, false, EndedBy::Local) => Kind::Incoming,
        (CallDirection::In, false, EndedBy::Remote | EndedBy::Network) => Kind::Missed,
        (CallDirection::Out, false, EndedBy::Local) => Kind::Outgoing,
        (CallDirection::Out, false, _) => Kind::Failed,
    }
}

/// "101" for `sip:101@acme` at home, "+27215550142" for any telephone number, else the whole address: what one would dial.
pub(super) fn short_address(address: &str, domain: Option<&str>) -> String {
    let bare = address.split_once(':').map_or(address, |(_, rest)| rest);
    let bare = bare.split([';', '?']).next().unwrap_or(bare);
    match bare.split_once('@') {
        Some((user, host)) => {
            let number = !user.is_empty() && user.chars().all(|c| c.is_ascii_digit() || "+*#-.()".contains(c));
            let home = domain.is_some_and(|domain| host.eq_ignore_ascii_case(domain));
            if number || home { user.to_owned() } else { address.to_owned() }
        }
        None => bare.to_owned(),
    }
}

const fn encryption(srtp: Srtp) -> Encryption {
    match srtp {
        Srtp::Off => Encryption::None,
        Srtp::Sdes { in_the_open: true } => Encryption::KeysInTheOpen,
        Srtp::Dtls { in_the_open: true } => Encryption::HandshakeInTheOpen,
        Srtp::Sdes { in_the_open: false } | Srtp::Dtls { in_the_open: false } => Encryption::KeysHidden,
    }
}

/// Figures as fine as they are shown, so that a figure that reads the same is the same snapshot.
pub(super) fn quality(stats: &CallStats) -> Option<Quality> {
    let tenths = |value: f64| (value * 10.0).round() / 10.0;
    let (lost, got) = (stats.rx.lost as f64, stats.rx.packets as f64);
    let loss = if lost + got > 0.0 { 100.0 * lost / (lost + got) } else { 0.0 };
    let delays = stats.delays_ms();
    let inwards = delays.map(|(inwards, _)| inwards).or_else(|| Some(stats.rtt_ms? / 2.0 + stats.rx.buffer_ms));
    Some(Quality {
        mos: tenths(stats.mos?),
        remote_mos: stats.remote.as_deref().and_then(|theirs| theirs.mos).map(tenths),
        loss_percent: tenths(loss),
        jitter_ms: stats.rx.jitter_ms.round(),
        delay_ms: inwards.map(f64::round),
        delay_out_ms: delays.map(|(_, outwards)| outwards.round()),
        concealed_percent: tenths(100.0 * stats.rx.concealed_share),
    })
}
