use crate::ui::{
    icon::{self, Icon},
    screen::{Page, main::data::status_line},
    snapshot::{Snapshot, Status, ThemeChoice},
    text::t,
};

/// An entry of the settings wheel.
#[derive(Debug, PartialEq)]
pub struct Entry {
    pub icon: Icon,
    pub title: &'static str,
    pub detail: String,
    pub page: Page,
}

pub fn entries(snapshot: &Snapshot) -> Vec<Entry> {
    let status = status_line(snapshot);
    let account = match (status.registration, status.kind, &snapshot.status) {
        (Some(name), Some((kind, _)), _) => format!("{name} {kind}"),
        (Some(name), None, _) => name,
        (None, _, Status::Initialized) => t().no_registration.to_owned(),
        (None, ..) => status.word.to_owned(),
    };
    let device = snapshot.audio.speaker.clone().unwrap_or_else(|| t().system_default.to_owned());
    let calls = if snapshot.settings.dtmf_via_info { t().digits_by_info } else { t().digits_in_audio };
    let entry = |icon, title, detail: String, page| Entry { icon, title, detail, page };
    vec![
        entry(icon::ACCOUNT, t().select_account, account, Page::Account),
        entry(icon::AUDIO, t().audio, device, Page::Audio),
        entry(icon::CALL, t().calls, calls.to_owned(), Page::Calls),
        entry(icon::APPEARANCE, t().appearance, theme_name(snapshot.settings.theme).to_owned(), Page::Appearance),
        entry(icon::KEYBOARD, t().shortcuts, t().shortcuts_hint.to_owned(), Page::Shortcuts),
        entry(icon::ABOUT, t().about, crate::ui::text::fill(t().version, &[&snapshot.about.version]), Page::About),
    ]
}

pub fn theme_name(theme: ThemeChoice) -> &'static str {
    match theme {
        ThemeChoice::System => t().theme_system,
        ThemeChoice::Light => t().theme_light,
        ThemeChoice::Dark => t().theme_dark,
    }
}

/// Every shortcut and what it does.
pub fn shortcuts() -> [(&'static str, &'static str); 15] {
    [
        ("Ctrl+L", t().shortcut_dial),
        ("Ctrl+Enter", t().shortcut_answer),
        ("Ctrl+M", t().shortcut_mute),
        ("Ctrl+H", t().shortcut_hold),
        ("Ctrl+K", t().shortcut_keypad),
        ("Ctrl+T", t().shortcut_transfer),
        ("Ctrl+S", t().shortcut_swap),
        ("Ctrl+J", t().shortcut_join),
        ("Ctrl+R", t().shortcut_record),
        ("Ctrl+I", t().shortcut_details),
        ("Ctrl+E", t().shortcut_end),
        ("Ctrl+,", t().shortcut_settings),
        ("Esc", t().shortcut_back),
        ("Tab", t().shortcut_tab),
        ("Ctrl + / −", t().zoom_short),
    ]
}
