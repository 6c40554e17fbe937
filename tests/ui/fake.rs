//! Snapshots as the program would publish them, at a fixed time.

use agent_manager::{secret::Secret, ui::snapshot::*};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The time every snapshot is made for; far enough from the clock's start to look back a day.
pub fn now() -> Instant {
    use std::sync::OnceLock;
    static NOW: OnceLock<Instant> = OnceLock::new();
    *NOW.get_or_init(|| Instant::now() + Duration::from_secs(100_000))
}

pub fn ago(seconds: u64) -> Instant {
    now() - Duration::from_secs(seconds)
}

pub fn signed_out() -> Snapshot {
    let settings = Settings { ringing_window: true, ..Settings::default() };
    Snapshot { about: about(), settings, ..Snapshot::default() }
}

pub fn demo_form() -> Snapshot {
    let sign_in = SignInForm {
        server: "http://127.0.0.1:8080".into(),
        username: "maria".into(),
        password: Secret("correct-horse".into()),
        api_key: Secret("tms_4f0c9a".into()),
        ..SignInForm::default()
    };
    Snapshot { sign_in, ..signed_out() }
}

pub fn refused() -> Snapshot {
    let reason = "This login has not been activated yet. Sign in to the TMS once in a browser, choose the account and tick \
                  “Account enabled”, then press Apply again.";
    Snapshot { status: Status::Refused { reason: reason.into() }, ..demo_form() }
}

/// The form for a server that has only the XML API.
pub fn tenant_form() -> Snapshot {
    let sign_in = SignInForm {
        server: "https://tms.example".into(),
        tenant: "acme".into(),
        secrets_remembered: true,
        xml: true,
        ..SignInForm::default()
    };
    Snapshot { sign_in, ..signed_out() }
}

pub fn sip_password(problem: Option<&str>) -> Snapshot {
    let wanted = SipPassword { registration: "100-acme-laptop".into(), problem: problem.map(str::to_owned) };
    Snapshot { sip_password: Some(wanted), sign_in: tenant_form().sign_in, ..initialized() }
}

/// Held elsewhere, at a server that can't move it.
pub fn stays() -> Snapshot {
    Snapshot { sign_in: tenant_form().sign_in, ..elsewhere() }
}

/// A whole tenant's extensions.
pub fn many() -> Snapshot {
    let rows = (1..40).map(|n| RegistrationRow {
        name: format!("{}-acme", 100 + n),
        extension: (100 + n).to_string(),
        in_use: None,
        ..registrations(false)[0].clone()
    });
    Snapshot { registrations: rows.collect(), sign_in: tenant_form().sign_in, ..initialized() }
}

pub fn initialized() -> Snapshot {
    Snapshot {
        status: Status::Initialized,
        identity: Some(Identity { user: "Maria Dlamini".into(), account: "acme".into(), tenant: "acme".into() }),
        registrations: registrations(false),
        ..demo_form()
    }
}

pub fn online() -> Snapshot {
    Snapshot {
        status: Status::Online { registration: "100-acme-laptop".into(), since: ago(4360), confirmed: ago(42) },
        registrations: registrations(true),
        history: history(),
        audio: audio(),
        ..initialized()
    }
}

pub fn with_calls(calls: Vec<Call>) -> Snapshot {
    Snapshot { calls, ..online() }
}

pub fn registrations(online: bool) -> Vec<RegistrationRow> {
    let row = |name: &str, primary, label: &str, ring_inbound, in_use, selected| RegistrationRow {
        name: name.into(),
        extension: "100".into(),
        primary,
        label: label.into(),
        ring_inbound,
        in_use,
        selected,
    };
    let held = |device: &str, address: &str, since: &str, this_device| {
        Some(InUse { device: device.into(), address: address.into(), since: since.into(), this_device })
    };
    let desk_phone = held("Yealink T46S", "10.0.0.12", "08:02", false);
    let here = held("Agent Manager", "10.0.0.31", "09:40", true).filter(|_| online);
    vec![
        row("100-acme", true, "Desk phone", true, desk_phone, false),
        row("100-acme-laptop", false, "Laptop", true, here, online),
        row("100-acme-home", false, "Home office", false, None, false),
    ]
}

pub fn history() -> Vec<HistoryEntry> {
    let mut id = 9;
    let mut entry = |peer: &str, name: Option<&str>, kind, when: &str, duration_s| HistoryEntry {
        id: {
            id -= 1;
            id
        },
        peer: peer.into(),
        peer_name: name.map(str::to_owned),
        called: None,
        forwarded_by: None,
        kind,
        when: when.into(),
        duration_s,
        reason: None,
        call: None,
        heard: None,
    };
    vec![
        entry("+27 21 555 0142", Some("Maria Dlamini"), HistoryKind::Incoming, "10:42", Some(207)),
        entry("600", Some("Echo"), HistoryKind::Outgoing, "09:15", Some(34)),
        entry("+27 11 555 0199", None, HistoryKind::Missed, "09:02", None),
        entry("101", Some("Johan Botha"), HistoryKind::AnsweredElsewhere, "Mon 16:58", None),
        entry("+44 20 7946 0018", Some("Chloë Þórsdóttir-Featherstonehaugh"), HistoryKind::Failed, "Mon 16:31", None),
    ]
}

pub fn audio() -> Audio {
    Audio {
        microphones: vec!["Jabra Evolve2 65".into(), "Built-in microphone".into()],
        speakers: vec!["Jabra Evolve2 65".into(), "Built-in speakers".into()],
        microphone: Some("Jabra Evolve2 65".into()),
        speaker: Some("Jabra Evolve2 65".into()),
        ringer: Some("Built-in speakers".into()),
        microphone_level: 0.18,
        speaker_level: 0.0,
        voice: Voice { echo: true, noise: true, ..Voice::default() },
        headset: Some("The buttons of Jabra Evolve2 65 answer, hang up and mute.".into()),
        exposure: Some(
            "Your ears today: about 74 dB(A), 18 % of what eight hours allow (an estimate, assuming that usual speech \
             reaches your ear with 75 dB(A))."
                .into(),
        ),
        ..Audio::default()
    }
}

/// A check before the shift that has found a headset's fault and a network's.
pub fn checked() -> Check {
    let found = |good, words: &str| Finding { good, words: words.to_owned() };
    Check::Done(vec![
        found(true, "Your voice is heard well."),
        found(true, "The room is quiet enough."),
        found(
            false,
            "What you hear gets into the microphone: use a headset, turn it down, or leave echo cancelling on.",
        ),
        found(
            true,
            "The tone played on Jabra Evolve2 65. If you did not hear it, turn it up or choose another speaker.",
        ),
        found(false, "The ringer does not work: plug it in or choose another one."),
        found(
            true,
            "The network carries calls well: predicted MOS 4.4 there, with 0.0 % lost; predicted MOS 4.4 back, with 0.0 % lost; 2 ms jitter, 18 ms there and back.",
        ),
    ])
}

fn about() -> About {
    About {
        version: "0.1.0".into(),
        sip_address: "udp:10.0.0.31:5072".into(),
        instance_id: "urn:uuid:3f0e2a5c-7c1d-4e5a-9a54-0d6f4f1f9b11".into(),
        config_dir: "/home/maria/.config/agent-manager".into(),
        log_file: None,
    }
}

fn call(id: u32, state: CallState, seconds: u64) -> Call {
    Call {
        id,
        incoming: true,
        state,
        peer: "+27 21 555 0142".into(),
        peer_name: Some("Maria Dlamini".into()),
        called: None,
        forwarded_by: None,
        since: ago(seconds),
        muted: false,
        transfer: None,
        codec: None,
        encryption: Encryption::None,
        quality: None,
        verdict: None,
        course: vec![],
        in_conference: false,
        speaks: false,
        recorded: None,
        answered_by_itself: false,
    }
}

pub fn ringing() -> Call {
    Call { called: Some("Sales".into()), ..call(1, CallState::Ringing, 7) }
}

pub fn talking() -> Call {
    let quality = Quality {
        mos: 4.36,
        remote_mos: None,
        loss_percent: 0.2,
        jitter_ms: 3.4,
        delay_ms: Some(48.0),
        delay_out_ms: Some(61.0),
        concealed_percent: 0.1,
    };
    let called = Some("Sales".into());
    let codec = Some("opus/48000".into());
    // A little worse once, and on hold for a while.
    let mos = |n| (!(30..34).contains(&n)).then_some(if n == 12 { 3.4 } else { 4.4 });
    let course = (0..52).map(|n| Stretch { seconds: if n == 51 { 3 } else { 4 }, mos: mos(n) }).collect();
    Call { called, codec, quality: Some(quality), course, ..call(1, CallState::Connected, 207) }
}

pub fn poor() -> Call {
    let words = "Sound got lost both ways (9.5 % to you, 4.2 % from you), most likely on your own network: use a cable, move \
                 closer to the Wi-Fi, stop large downloads.";
    let verdict = Some(Finding { good: false, words: words.to_owned() });
    let quality = Quality {
        mos: 2.4,
        remote_mos: Some(2.9),
        loss_percent: 9.5,
        jitter_ms: 61.0,
        delay_ms: Some(310.0),
        delay_out_ms: None,
        concealed_percent: 6.2,
    };
    let mut course = talking().course;
    course.iter_mut().rev().take(8).for_each(|piece| piece.mos = Some(2.4));
    Call { quality: Some(quality), verdict, course, ..talking() }
}

/// Nothing has come from the beginning.
pub fn unheard() -> Call {
    let words = "Nothing came from the other side, not even silence: something on the way, like a firewall, keeps it out. \
                 Tell your phone system's administrator.";
    let verdict = Some(Finding { good: false, words: words.to_owned() });
    Call { quality: None, verdict, ..talking() }
}

/// What comes sounds well, and nothing is said.
pub fn unsaid() -> Call {
    let words = "Your microphone has given no sound in this call, not even of the room: check the headset's own mute switch, \
                 and which microphone is chosen.";
    Call { verdict: Some(Finding { good: false, words: words.to_owned() }), ..talking() }
}

/// Its latest call was poor for a while, and all that is known of its sound is still there.
pub fn remembered() -> Snapshot {
    let Call { quality, codec, verdict, .. } = poor();
    let mos = |n: u32| if (20..26).contains(&n) { 1.9 } else { 4.3 };
    let course = (0..60).map(|n| Stretch { seconds: 3, mos: (n != 40).then(|| mos(n)) }).collect();
    let mut snapshot = online();
    snapshot.history[0].heard = Some(Arc::new(Heard { quality, codec, verdict, course }));
    snapshot
}

pub fn muted() -> Call {
    Call { muted: true, ..talking() }
}

/// With every mark that there is beside it.
pub fn muted_and_recorded() -> Call {
    Call { recorded: Some(recording(12)), encryption: Encryption::KeysHidden, ..muted() }
}

pub fn held() -> Call {
    Call { peer: "101".into(), peer_name: Some("Johan Botha".into()), ..call(2, CallState::Held, 41) }
}

pub fn remote_held() -> Call {
    Call { state: CallState::RemoteHeld, ..talking() }
}

/// Nothing has come back yet.
pub fn calling() -> Call {
    Call { state: CallState::Dialing, ..dialing() }
}

/// It rings there.
pub fn dialing() -> Call {
    Call { incoming: false, peer: "600".into(), peer_name: None, ..call(3, CallState::Early, 2) }
}

/// With its lock: `in_the_open`, the keys could be read on the way.
pub fn locked(in_the_open: bool) -> Call {
    let encryption = if in_the_open { Encryption::KeysInTheOpen } else { Encryption::KeysHidden };
    Call { encryption, ..talking() }
}

pub fn ended() -> Call {
    let state = CallState::Ended { reason: "They are busy. Try again later.".into(), failed: true };
    Call { incoming: false, peer: "101".into(), peer_name: Some("Johan Botha".into()), ..call(4, state, 3) }
}

pub fn second_ringing() -> Call {
    Call { id: 5, peer: "+27 31 555 0107".into(), peer_name: None, ..ringing() }
}

pub fn unreachable() -> Snapshot {
    let status = Status::NotReachable {
        registration: "100-acme-laptop".into(),
        reason: "No answer from pbx.example.".into(),
        retry_at: Some(now() + Duration::from_millis(11_300)),
    };
    Snapshot { status, ..online() }
}

/// The TMS is away while somebody was signed in.
pub fn tms_unreachable() -> Snapshot {
    let reason =
        "Nothing answers at https://tms.example; check the address, or ask your IT staff whether the TMS is running.";
    let retry_at = Some(now() + Duration::from_millis(4_300));
    Snapshot { status: Status::TmsUnreachable { reason: reason.into(), retry_at }, ..online() }
}

pub fn connecting() -> Snapshot {
    Snapshot { status: Status::Connecting { registration: "100-acme-laptop".into() }, ..initialized() }
}

pub fn elsewhere() -> Snapshot {
    let status = Status::OnlineElsewhere {
        registration: "100-acme".into(),
        reason: "100-acme is in use by Yealink T46S at 10.0.0.12.".into(),
    };
    Snapshot { status, registrations: registrations(false), ..online() }
}

/// One in each state.
pub fn colleagues() -> Vec<Colleague> {
    let one = |name: &str, number: &str, presence| Colleague {
        name: name.into(),
        number: number.into(),
        presence,
        unknown_because: None,
    };
    vec![
        one("Anna Nkosi", "102", Presence::Free),
        one("Ben Jacobs", "103", Presence::Busy),
        one("Carmen de Villiers", "104", Presence::Ringing),
        one("Dineo Molefe", "105", Presence::Away),
        one("Ewan McAllister", "106", Presence::NotRegistered),
        one("Farah Khan", "sip:farah@partner.example", Presence::Unknown),
    ]
}

pub fn with_colleagues(calls: Vec<Call>) -> Snapshot {
    Snapshot { colleagues: colleagues(), ..with_calls(calls) }
}

/// Two calls that are one.
pub fn joined() -> Snapshot {
    let other = Call { state: CallState::Connected, ..held() };
    let [one, other] = [talking(), other].map(|call| Call { in_conference: true, ..call });
    with_calls(vec![Call { speaks: true, ..one }, other])
}

/// Three of them: one is poor and speaks, one is well, of one nothing comes.
pub fn joined_badly() -> Snapshot {
    let well = joined().calls.remove(1);
    let poor = Call { speaks: true, in_conference: true, recorded: Some(recording(12)), ..poor() };
    let third = Call { id: 3, peer: "104".into(), peer_name: Some("Chloë Dubois".into()), ..unheard() };
    with_calls(vec![poor, well, Call { in_conference: true, called: None, since: ago(30), ..third }])
}

/// All of it is recorded, as the agent chose.
pub fn joined_and_recorded() -> Snapshot {
    let calls = joined().calls.into_iter().map(|call| Call { recorded: Some(recording(12)), ..call });
    Snapshot { calls: calls.collect(), ..recorded() }
}

pub fn recording(seconds: u64) -> Recorded {
    Recorded { since: ago(seconds), file: "call.opus".into(), has_tone: false }
}

pub fn recorded() -> Snapshot {
    let settings = Settings { may_record: true, ..online().settings };
    Snapshot { settings, ..with_calls(vec![Call { recorded: Some(recording(12)), ..talking() }]) }
}

pub fn sip_account() -> SipAccount {
    SipAccount {
        address: "101@pbx.example".into(),
        outbound_proxy: "edge.example:5061".into(),
        transport: SipTransport::Tls,
        stun_server: "stun.example".into(),
        encryption: AudioEncryption::Required,
        ..SipAccount::default()
    }
}

/// The form for a plain account.
pub fn sip_form() -> Snapshot {
    let sign_in = SignInForm { plain: true, sip_account: sip_account(), ..SignInForm::default() };
    Snapshot { sign_in, ..signed_out() }
}

/// A plain account, online.
pub fn plain() -> Snapshot {
    Snapshot {
        status: Status::Online { registration: "101".into(), since: ago(4360), confirmed: ago(42) },
        proof: Some(Proof { by: ProvedBy::Answer, is_listed: true }),
        sip_account: Some(sip_account()),
        registrations: vec![],
        identity: None,
        ..online()
    }
}

/// Online, and nothing shows that calls arrive.
pub fn unproved() -> Snapshot {
    Snapshot {
        status: Status::Online { registration: "100-acme-laptop".into(), since: ago(4360), confirmed: ago(1300) },
        proof: Some(Proof { by: ProvedBy::Register, is_listed: false }),
        registrations: registrations(false),
        ..online()
    }
}

/// The messages of a call that nobody took.
pub fn trace(call: u32) -> Trace {
    let message = |time: &str, sent, text: &str| SipMessage {
        time: format!("10:42:{time}"),
        sent,
        flow: "UDP 192.0.2.10:5060".into(),
        text: format!("{text}\r\nCall-ID: 8f21c7@10.0.0.31\r\nCSeq: 1 INVITE\r\n\r\n"),
    };
    let to = "sip:101@acme.example";
    let messages = vec![
        message("07.123", true, &format!("INVITE {to} SIP/2.0")),
        message("07.141", false, "SIP/2.0 401 Unauthorized"),
        message("07.143", true, &format!("ACK {to} SIP/2.0")),
        message("07.144", true, &format!("INVITE {to} SIP/2.0\r\nAuthorization: …")),
        message("07.162", false, "SIP/2.0 100 Trying"),
        message("07.310", false, "SIP/2.0 180 Ringing"),
        message("14.902", false, "SIP/2.0 486 Busy Here"),
        message("14.905", true, &format!("ACK {to} SIP/2.0")),
    ];
    Trace { call, messages }
}

/// A call that failed, among the recent ones.
pub fn failed() -> Snapshot {
    let mut snapshot = online();
    let entry = &mut snapshot.history[4];
    (entry.reason, entry.call) = (Some("The other side is busy.".into()), Some(7));
    Snapshot { trace: Some(trace(7)), ..snapshot }
}
