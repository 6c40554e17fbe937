//! The window as a whole: which screen stands where, shortcuts, notices, announcements. It paints from a snapshot and returns
//! what the person asked for; it holds only what is typed and where the person is.

use super::{
    icon,
    screen::{
        Cx, Page, Subject, about, account, audio,
        calls::{
            self,
            data::{Card, Controls, InHand, announcement, in_hand, record, to_join},
            ui::HasControls,
        },
        detail, main, settings, sign_in, transfer,
    },
    snapshot::{Call, CallState, Intent, Notice, NoticeKind, Snapshot, Status, ThemeChoice},
    text::{fill, t},
    theme::{GRID, MARGIN, Tokens},
    widget::{Button, Live, Look, announce, dismissible, empty_state},
};
use egui::{Area, CentralPanel, Frame, Id, Key, KeyboardShortcut, Modifiers, Order, Panel, Popup, ThemePreference, Ui};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// From this width on, the thing in hand has its own side.
pub const WIDE: f32 = 860.0;
/// Size the window opens with, in points.
pub const COMPACT: [f32; 2] = [380.0, 640.0];
/// No window gets smaller.
pub const SMALLEST: [f32; 2] = [360.0, 480.0];
/// Width of the main column in the wide window.
const COLUMN: f32 = 380.0;
/// How long a notice stays; errors stay until they are dismissed.
const INFORMED: Duration = Duration::from_secs(8);
const WARNED: Duration = Duration::from_secs(20);
/// Notices shown at once; the oldest gives way.
const NOTICES: usize = 3;

/// Everything the window remembers between frames.
#[derive(Default)]
pub struct Window {
    page: Page,
    draft: sign_in::data::Draft,
    main: main::ui::Local,
    calls: calls::ui::Local,
    account: account::ui::Local,
    detail: detail::ui::Local,
    notices: VecDeque<(Notice, Instant)>,
    /// For what a screen reader says: the calls as last shown, and the last sentence.
    heard: Vec<Call>,
    said: String,
    /// The question last said.
    asked: Option<u32>,
    signed_in: bool,
    meters: bool,
    /// The call whose messages were asked for.
    traced: Option<u32>,
    /// Height of the calls' strip at the bottom: notices stand above it.
    strip: f32,
    title: String,
    theme: Option<ThemeChoice>,
}

impl Window {
    /// Shows a notice until it is dismissed or, but for an error, until it is old.
    pub fn notice(&mut self, notice: Notice, now: Instant) {
        self.say(notice.text.clone());
        self.notices.retain(|(shown, _)| shown.text != notice.text);
        self.notices.push_back((notice, now));
        while self.notices.len() > NOTICES {
            self.notices.pop_front();
        }
    }

    /// Lets a screen reader say this; the same again differs in a space, which is not heard.
    fn say(&mut self, mut sentence: String) {
        if sentence == self.said {
            sentence.push('\u{a0}');
        }
        self.said = sentence;
    }

    /// Opens a page, as pressing its way there would.
    pub fn open(&mut self, page: Page) {
        self.page = page;
    }

    /// Paints the window and returns what the person asked for.
    pub fn show(&mut self, ui: &mut Ui, snapshot: &Snapshot, now: Instant) -> Vec<Intent> {
        let mut cx = Cx::new(snapshot, now);
        cx.wide = ui.available_width() >= WIDE;
        self.follow(ui, snapshot);
        let signed_in = is_signed_in(snapshot);
        let live = snapshot.calls.iter().any(|call| !matches!(call.state, CallState::Ended { .. }));
        if signed_in || live {
            self.shortcuts(ui, &mut cx);
        }
        self.strip = 0.0;
        let frame = Frame::new().fill(Tokens::of(ui).background);
        CentralPanel::no_frame().frame(frame).show(ui, |ui| match (signed_in, cx.wide) {
            _ if snapshot.fatal.is_some() => fatal(ui, &mut cx),
            (false, _) => {
                // A call outlives the session that it was made in.
                self.strip = calls::ui::strip(ui, &mut cx, beside_pages);
                sign_in::ui::show(ui, &mut cx, &mut self.draft);
            }
            (true, false) => self.compact(ui, &mut cx),
            (true, true) => self.wide(ui, &mut cx),
        });
        self.show_notices(ui, &mut cx);
        announce(ui, "announcements", &self.said, Live::Assertive);
        self.meters(&mut cx);
        self.follow_trace(&mut cx);
        if let Some(subject) = cx.details {
            self.detail.open(subject);
        }
        if let Some(page) = cx.go {
            self.page = page;
            self.main.focus_dial = page == Page::Main;
            ui.ctx().request_repaint();
        }
        if let Some(wait) = cx.tick {
            ui.ctx().request_repaint_after(wait);
        }
        cx.intents
    }

    /// Takes note of what changed since the last frame.
    fn follow(&mut self, ui: &Ui, snapshot: &Snapshot) {
        let signed_in = is_signed_in(snapshot);
        if signed_in != self.signed_in {
            self.signed_in = signed_in;
            self.page = Page::Main;
            self.main.focus_dial = signed_in;
            if signed_in {
                self.draft.forget_secrets();
            }
        }
        let known = |call: &Call| self.heard.iter().any(|old| old.id == call.id);
        if snapshot.calls.iter().any(|call| !call.incoming && !known(call)) {
            self.main.dialled();
        }
        if let Some(sentence) = announcement(&self.heard, &snapshot.calls) {
            self.say(sentence);
        }
        let asked = snapshot.dial_asked.as_ref().map(|asked| asked.request);
        if self.asked != asked {
            self.asked = asked;
            transfer::data::question(snapshot).into_iter().for_each(|text| self.say(text));
        }
        if self.heard != snapshot.calls {
            self.heard.clone_from(&snapshot.calls);
        }
        let title = title(snapshot);
        if title != self.title {
            ui.ctx().send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
            self.title = title;
        }
        ui.ctx().accesskit_node_builder(egui::accesskit_root_id(), |root| root.set_label(self.title.clone()));
        if self.theme.replace(snapshot.settings.theme) != Some(snapshot.settings.theme) {
            ui.ctx().set_theme(match snapshot.settings.theme {
                ThemeChoice::System => ThemePreference::System,
                ThemeChoice::Light => ThemePreference::Light,
                ThemeChoice::Dark => ThemePreference::Dark,
            });
        }
    }

    fn compact(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        if self.page == Page::Main {
            self.strip = main::ui::show(ui, cx, &mut self.main, &mut self.calls);
            return;
        }
        self.strip = calls::ui::strip(ui, cx, beside_pages);
        self.settings(ui, cx);
    }

    fn wide(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let has_details = matches!(self.page, Page::Main | Page::Details);
        let (chosen, opened) = (self.main.people.chosen, self.detail.subject);
        let shown = has_details.then(|| detail::data::detail(cx.snapshot, chosen, opened, cx.now)).flatten();
        cx.detailed = shown.and_then(|shown| shown.call);
        let column = Panel::left("column").exact_size(COLUMN).resizable(false).frame(Frame::new());
        self.strip = column.show(ui, |ui| main::ui::show(ui, cx, &mut self.main, &mut self.calls)).inner;
        if has_details {
            detail::ui::show(ui, cx, &mut self.detail, self.main.people.chosen);
        } else {
            self.settings(ui, cx);
        }
    }

    fn settings(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match self.page {
            Page::Main | Page::Settings => settings::ui::menu(ui, cx),
            Page::Details => detail::ui::show_page(ui, cx, &mut self.detail),
            Page::Account => account::ui::show(ui, cx, &mut self.account),
            Page::Audio => audio::ui::show(ui, cx),
            Page::Calls => settings::ui::calls(ui, cx),
            Page::Appearance => settings::ui::appearance(ui, cx),
            Page::Shortcuts => settings::ui::shortcuts_page(ui, cx),
            Page::About => about::ui::show(ui, cx),
        }
    }

    fn shortcuts(&mut self, ui: &Ui, cx: &mut Cx<'_>) {
        let pressed = |key| ui.input_mut(|i| i.consume_shortcut(&KeyboardShortcut::new(Modifiers::COMMAND, key)));
        let calls = &cx.snapshot.calls;
        if pressed(Key::Enter)
            && let Some(call) = in_hand(calls, InHand::Ringing)
        {
            cx.ask(Intent::Answer { call: call.id });
        }
        match in_hand(calls, InHand::Talking) {
            Some(call) => self.call_shortcuts(cx, call, &pressed),
            None if pressed(Key::K) => self.main.keypad = !self.main.keypad,
            None => {}
        }
        if pressed(Key::M)
            && let Some(call) = in_hand(calls, InHand::Ending)
        {
            cx.intents
                .extend(with_its_conference(calls, call).map(|one| Intent::Mute { call: one.id, on: !call.muted }));
        }
        if pressed(Key::E) {
            let ending = in_hand(calls, InHand::Ending).map(|call| with_its_conference(calls, call));
            let ringing = in_hand(calls, InHand::Ringing);
            match (ending, ringing) {
                (Some(all), _) => cx.intents.extend(all.map(|call| Intent::Hangup { call: call.id })),
                (None, Some(call)) => cx.ask(Intent::Reject { call: call.id }),
                (None, None) => {}
            }
        }
        if pressed(Key::Comma) {
            cx.go = Some(Page::Settings);
        }
        if pressed(Key::L) {
            cx.go = Some(Page::Main);
        }
        // Escape leads back and closes what is open, an open list by itself; it never touches a call.
        if !Popup::is_any_open(ui.ctx()) && ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Escape)) {
            self.escape(cx);
        }
    }

    /// Those of the call that is talked to, or waits; of all of its conference.
    fn call_shortcuts(&mut self, cx: &mut Cx<'_>, call: &Call, pressed: &dyn Fn(Key) -> bool) {
        let calls = &cx.snapshot.calls;
        let held = call.state == CallState::Held;
        let all = || with_its_conference(calls, call);
        let mut wanted: Vec<Intent> = vec![];
        if pressed(Key::H) {
            match held {
                // The others of a conference follow.
                true => wanted.push(Intent::Resume { call: call.id }),
                false => wanted.extend(all().map(|one| Intent::Hold { call: one.id })),
            }
        }
        if pressed(Key::S)
            && let Some(waiting) = calls.iter().find(|one| one.state == CallState::Held && one.id != call.id)
        {
            wanted.push(Intent::Resume { call: waiting.id });
        }
        if pressed(Key::J) && !to_join(calls).is_empty() {
            wanted.push(Intent::Conference { calls: to_join(calls) });
        }
        let both: Vec<&Call> = all().collect();
        if pressed(Key::R)
            && let Some(record) = record(cx.snapshot, &both)
        {
            wanted.extend(record.intents());
        }
        cx.intents.extend(wanted);
        if pressed(Key::I) {
            (cx.details, cx.go) = (Some(Subject::Call(call.id)), Some(Page::Details));
        }
        if pressed(Key::K) {
            self.calls.toggle_keypad(call.id);
        }
        if pressed(Key::T) {
            self.calls.toggle_transfer(call.id);
        }
    }

    fn escape(&mut self, cx: &mut Cx<'_>) {
        match self.page {
            Page::Main if std::mem::take(&mut self.main.people.editing) => {}
            Page::Main if self.calls.transfer.open.take().is_some() || self.calls.keypad.take().is_some() => {}
            Page::Main => self.main.keypad = false,
            Page::Account if self.account.asking.take().is_some() => {}
            Page::Settings | Page::Details => cx.go = Some(Page::Main),
            Page::Account | Page::Audio | Page::Calls | Page::Appearance | Page::Shortcuts | Page::About => {
                cx.go = Some(Page::Settings);
            }
        }
    }

    /// The messages of a call are told only while somebody looks at them.
    fn follow_trace(&mut self, cx: &mut Cx<'_>) {
        let page = cx.go.unwrap_or(self.page);
        let is_seen = self.signed_in && (page == Page::Details || (cx.wide && page == Page::Main));
        let wanted = self.detail.traced.take().filter(|_| is_seen);
        if wanted != self.traced {
            self.traced = wanted;
            cx.ask(Intent::Trace { call: wanted });
        }
    }

    /// Meters run only while they can be seen.
    fn meters(&mut self, cx: &mut Cx<'_>) {
        let wanted = self.signed_in && cx.go.unwrap_or(self.page) == Page::Audio;
        if wanted != self.meters {
            self.meters = wanted;
            cx.ask(Intent::Meter { on: wanted });
        }
    }

    fn show_notices(&mut self, ui: &Ui, cx: &mut Cx<'_>) {
        let now = cx.now;
        let left = |(notice, since): &(Notice, Instant)| {
            let age = now.saturating_duration_since(*since);
            match notice.kind {
                NoticeKind::Info => Some(INFORMED.saturating_sub(age)),
                NoticeKind::Warning => Some(WARNED.saturating_sub(age)),
                NoticeKind::Error => None,
            }
        };
        self.notices.retain(|shown| left(shown) != Some(Duration::ZERO));
        if self.notices.is_empty() {
            return;
        }
        cx.tick_in(self.notices.iter().filter_map(left).min());
        let screen = ui.max_rect();
        let width = (screen.width() - 2.0 * MARGIN).min(420.0);
        let mut dismissed = None;
        Area::new(Id::unique("notices"))
            .order(Order::Foreground)
            .anchor(egui::Align2::CENTER_BOTTOM, [0.0, -MARGIN - self.strip])
            .show(ui.ctx(), |ui| {
                ui.set_width(width);
                ui.spacing_mut().item_spacing.y = 2.0 * GRID;
                for (index, (notice, _)) in self.notices.iter().enumerate() {
                    if one_notice(ui, notice) {
                        dismissed = Some(index);
                    }
                }
            });
        if let Some(index) = dismissed {
            self.notices.remove(index);
        }
    }
}

/// Each call that lives has its controls in the strip while another page is open.
fn beside_pages(card: &Card) -> Option<HasControls> {
    (card.controls != Controls::Ended).then_some(true)
}

/// The call, and whoever hears it and is heard by it.
fn with_its_conference<'a>(calls: &'a [Call], call: &'a Call) -> impl Iterator<Item = &'a Call> {
    calls.iter().filter(|one| one.id == call.id || (call.in_conference && one.in_conference))
}

/// The program cannot work: why, and the only thing left to do.
fn fatal(ui: &mut Ui, cx: &mut Cx<'_>) {
    Frame::new().inner_margin(MARGIN).show(ui, |ui| {
        let why = cx.snapshot.fatal.as_deref().unwrap_or_default();
        ui.add_space(ui.available_height() / 5.0);
        // It has an address once it has started.
        let had_started = !cx.snapshot.about.sip_address.is_empty();
        let what = if had_started { t().has_stopped } else { t().cannot_start };
        empty_state(ui, icon::ERROR, what, why);
        ui.vertical_centered(|ui| {
            if ui.add(Button::new(t().quit, Look::Filled(Tokens::of(ui).accent))).clicked() {
                cx.ask(Intent::Quit);
            }
        });
    });
}

/// Paints a notice; true when it was dismissed.
fn one_notice(ui: &mut Ui, notice: &Notice) -> bool {
    let tokens = Tokens::of(ui);
    let (sign, hue) = match notice.kind {
        NoticeKind::Info => (icon::INFO, tokens.accent),
        NoticeKind::Warning => (icon::WARNING, tokens.hold),
        NoticeKind::Error => (icon::ERROR, tokens.stop),
    };
    dismissible(ui, sign, hue, &notice.text)
}

/// The native window's title: what matters most first, for the task bar.
pub fn title(snapshot: &Snapshot) -> String {
    let ringing = in_hand(&snapshot.calls, InHand::Ringing);
    let muted = in_hand(&snapshot.calls, InHand::Ending).is_some_and(|call| call.muted);
    let state = match (ringing, muted) {
        (Some(call), _) => fill(t().ringing_from, &[call.peer_name.as_deref().unwrap_or(&call.peer)]),
        (None, true) => t().muted_short.to_owned(),
        (None, false) => main::data::status_line(snapshot).word.to_owned(),
    };
    format!("{state} – {}", t().app)
}

/// Whether there is more to show than the sign-in form.
fn is_signed_in(snapshot: &Snapshot) -> bool {
    match snapshot.status {
        Status::SignedOut | Status::SigningIn | Status::Refused { .. } | Status::TmsUnreachable { .. } => {
            snapshot.identity.is_some()
        }
        Status::Initialized
        | Status::Connecting { .. }
        | Status::Online { .. }
        | Status::OnlineElsewhere { .. }
        | Status::NotReachable { .. } => true,
    }
}
