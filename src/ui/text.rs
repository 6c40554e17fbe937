//! Every text the window shows, in one table. Another language is another table.

/// Declares the table's fields and its English edition together.
macro_rules! texts {
    ($($name:ident: $english:literal,)*) => {
        /// The window's texts. `{}` marks where [`fill`] puts a value, in order.
        pub struct Texts { $(pub $name: &'static str,)* }
        pub static ENGLISH: Texts = Texts { $($name: $english,)* };
    };
}

/// The table in use.
pub fn t() -> &'static Texts {
    &ENGLISH
}

/// `template` with its `{}` replaced by `values`, in order.
pub fn fill(template: &str, values: &[&str]) -> String {
    let mut parts = template.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        filled.push_str(values.get(index).copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

texts! {
    app: "Agent Manager",
    // sign-in
    sign_in_subtitle: "Sign in to your phone system",
    server: "Server",
    server_hint: "tms.example.com",
    username: "User name",
    password: "Password",
    api_key: "API key",
    tenant: "Tenant",
    sip_server: "SIP server",
    sip_server_hint: "Only if you were given one",
    use_tenant: "Sign in with tenant and key",
    use_password: "Sign in with user name and password",
    remembered_hint: "Remembered",
    remember: "Remember on this computer",
    show_password: "Show password",
    hide_password: "Hide password",
    show_api_key: "Show API key",
    hide_api_key: "Hide API key",
    apply: "Apply",
    applying: "Signing in…",
    secrets_gone: "Your secrets for this login are not kept on this computer any more. Type them, then press Apply.",
    missing_server: "Enter the server's address, as your administrator gave it to you.",
    missing_username: "Enter your user name.",
    missing_password: "Enter your password.",
    missing_api_key: "Enter the API key that your administrator enabled on your extension.",
    missing_tenant: "Enter the tenant's name, as your administrator gave it to you.",
    missing_key: "Enter the tenant's API key, as your administrator gave it to you.",
    // the SIP password that a server with only the XML API can't give
    sip_password: "SIP password",
    show_sip_password: "Show SIP password",
    hide_sip_password: "Hide SIP password",
    sip_password_wanted: "{} needs its SIP password, once. Your administrator can give it to you.",
    sip_password_again: "{} Type the SIP password of {} again.",
    go_online: "Go online",
    // status
    signed_out: "Signed out",
    signing_in: "Signing in",
    refused: "Not signed in",
    tms_unreachable: "Server not reachable",
    initialized: "Initialized",
    connecting: "Connecting",
    online: "Online",
    online_elsewhere: "Online elsewhere",
    not_reachable: "Not reachable",
    no_registration: "No registration chosen",
    initialized_hint: "You are signed in. Choose a registration to make and take calls.",
    retry_in: "{} Trying again in {} s.",
    retry_now: "{} Trying again now.",
    choose_another: "Choose another",
    primary: "(P)",
    secondary: "(S)",
    primary_long: "primary",
    secondary_long: "secondary",
    // dialling and history
    dial_hint: "Number or SIP address",
    dial: "Call",
    dial_offline: "Go online to call",
    keypad: "Keypad",
    show_keypad: "Show keypad",
    hide_keypad: "Hide keypad",
    erase: "Erase last digit",
    recent: "Recent",
    recent_empty: "No calls yet",
    recent_empty_hint: "Calls you make and take will be listed here.",
    clear_recent: "Clear recent calls",
    call_back: "Call {} back",
    missed: "Missed",
    rejected: "Rejected",
    answered_elsewhere: "Answered elsewhere",
    not_connected: "Not connected",
    incoming: "Incoming",
    outgoing: "Outgoing",
    // calls
    dialing: "Calling…",
    early: "Ringing…",
    ringing: "Incoming call",
    connected: "Connected",
    held: "On hold",
    remote_held: "They put you on hold",
    ended: "Ended",
    failed: "Call failed",
    called_for: "for {}",
    unknown_caller: "Unknown caller",
    answer: "Answer",
    answer_and_hold: "Hold and answer",
    answer_and_hold_tip: "Put the other call on hold and answer this one",
    reject: "Reject",
    end: "End",
    mute: "Mute",
    unmute: "Unmute",
    muted: "Muted: they can't hear you",
    muted_short: "Muted",
    hold: "Hold",
    resume: "Resume",
    quality_excellent: "Excellent",
    quality_good: "Good",
    quality_fair: "Fair",
    quality_poor: "Poor",
    quality: "Sound quality",
    mos: "MOS",
    loss: "Lost",
    jitter: "Jitter",
    delay: "Delay",
    codec: "Codec",
    encrypted: "Encrypted",
    encrypted_tip: "The sound is encrypted, and its keys were sent encrypted to the server.",
    encrypted_openly: "Encrypted, keys sent openly",
    encrypted_openly_tip: "The sound is encrypted, but its keys were sent unencrypted: whoever can read the call set-up can listen. An account over TLS hides them.",
    percent: "{} %",
    milliseconds: "{} ms",
    sent_digits: "Sent: {}",
    dtmf_hint: "Keys are sent to the other party.",
    number: "Number",
    called: "Called",
    time: "Time",
    duration: "Duration",
    kind: "Call",
    detail_empty: "Nothing selected",
    detail_empty_hint: "A call's details show here while you talk. Choose a recent call to see more about it.",
    // transfer
    transfer: "Transfer",
    transfer_to: "Transfer to",
    transfer_hint: "Name or number",
    transfer_now: "Transfer",
    transfer_this: "Transfer the call",
    transfer_to_call: "Transfer to {}",
    transfer_to_call_tip: "Join the two calls; both end here",
    transferring: "Transferring…",
    transfer_ringing: "Transferring: it rings there",
    say_transferring: "Transferring {}.",
    dial_asked: "{} asks you to call {}.",
    dial_asked_yes: "Call {}",
    dial_asked_no: "Don't call",
    // settings
    settings: "Settings",
    back: "Back",
    select_account: "Select account",
    audio: "Audio",
    calls: "Calls",
    appearance: "Appearance",
    shortcuts: "Shortcuts",
    about: "About",
    sign_out: "Sign out",
    signed_in_as: "Signed in as {}",
    signed_in_at: "{} · {}",
    // select account
    extension: "Extension {}",
    no_rows: "No registrations",
    no_rows_hint: "Your login has no registration yet. Ask your administrator to add one to your extension, then refresh.",
    free: "Free",
    in_use_by: "In use: {}, {}, since {}",
    this_device: "Online on this computer",
    selected_not_online: "Chosen here",
    confirmed: "Confirmed by the server {} ago",
    seconds_short: "{} s",
    minutes_short: "{} min",
    hours_short: "{} h",
    rings: "Rings for incoming calls",
    rings_not: "Doesn't ring for incoming calls",
    conflict_title: "{} is in use by {}",
    conflict_body: "A registration works on one device at a time. Going online with it here would knock the other device off.",
    conflict_stays: "A registration works on one device at a time, and this kind of server can't move it here. Switch the other device off first, or choose another registration.",
    use_secondary: "Use the secondary",
    use_secondary_about: "Go online as {}. The other device stays online and keeps its calls.",
    take_over: "Take over",
    take_over_about: "Sign the other device off {}. It stays off until you give the registration back.",
    cancel: "Cancel",
    go_offline: "Go offline",
    refresh: "Refresh",
    find_extension: "Find an extension or registration",
    none_found: "Nothing found",
    none_found_hint: "No extension or registration is called like that.",
    // audio
    microphone: "Microphone",
    speaker: "Headset or speaker",
    ringer: "Ringing",
    system_default: "System default",
    level_microphone: "Microphone level",
    level_speaker: "Speaker level",
    test_tone: "Test tone",
    test_speaker: "Play a test tone on the headset or speaker",
    test_ringer: "Play a test tone on the ringing device",
    no_sound_card: "No sound card was found. Plug in a headset: it is used as soon as it is there.",
    speak_hint: "Speak: the bar should move.",
    // calls and appearance
    ringing_window: "Show a small window while it rings",
    ringing_window_hint: "It stays on top and never takes the keyboard from what you are typing.",
    cannot_start: "Agent Manager cannot start",
    has_stopped: "Agent Manager has stopped",
    quit: "Quit",
    digits_in_audio: "Keypad digits in the audio stream",
    digits_by_info: "Keypad digits by SIP INFO",
    shortcuts_hint: "Everything by keyboard",
    dtmf_via_info: "Send keypad digits by SIP INFO",
    dtmf_via_info_hint: "For phone systems that don't hear digits in the audio stream.",
    theme: "Colours",
    theme_system: "As the system",
    theme_light: "Light",
    theme_dark: "Dark",
    zoom_hint: "Make everything larger or smaller with Ctrl and +, Ctrl and −, Ctrl and 0.",
    // about
    version: "Version {}",
    sip_address: "SIP address",
    instance_id: "Installation",
    config_dir: "Settings folder",
    log_file: "Log file",
    copy: "Copy",
    licences: "Typeface: Source Sans 3, © Adobe, SIL Open Font License 1.1. Icons: Phosphor, MIT.",
    // shortcuts
    shortcut_dial: "Go to the dial field",
    shortcut_answer: "Answer, with another call put on hold",

    shortcut_mute: "Mute or unmute",
    shortcut_hold: "Hold or resume",
    shortcut_keypad: "Keypad",
    shortcut_transfer: "Transfer",
    shortcut_end: "End or reject the call",
    shortcut_settings: "Settings",
    shortcut_back: "Back, close (never ends a call)",
    shortcut_tab: "Next control; with Shift the one before",
    zoom_short: "Larger or smaller",
    // announcements
    ringing_from: "Incoming call from {}",
    say_ringing: "Incoming call from {}.",
    say_connected: "Connected to {}.",
    say_ended: "Call with {} ended: {}",
    say_held: "{} is on hold.",
    say_muted: "Microphone muted.",
    say_unmuted: "Microphone on.",
    dismiss: "Dismiss",
    ringing_for: "Ringing for {}",
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn values_take_their_places_in_order() {
        assert_eq!(fill("{} of {}", &["one", "two"]), "one of two");
        assert_eq!(fill("no place", &["x"]), "no place");
        assert_eq!(fill("a value is missing: {}.", &[]), "a value is missing: .");
    }
}
