//! The upper part of a card: who, which number, what state; at the right the clock, how it sounds, whether it is recorded.

use super::{
    data::{Card, Lock, Mark},
    sound::Sound,
};
use crate::ui::{
    icon::{self, Icon},
    screen::Tone,
    text::{fill, t},
    theme::{GRID, RADIUS_MARK, RECORDED, SMALL, TITLE, Tokens, semibold, small},
    widget::{avatar, line, padlock, paint_line, quality_bars, words},
};
use egui::{
    Align, Align2, FontFamily, FontId, Layout, Rect, Sense, Ui, UiBuilder, WidgetInfo, accesskit::Role, pos2, vec2,
};

/// What it shows.
pub struct Head<'a> {
    pub name: &'a str,
    pub line: Option<&'a str>,
    pub forwarded: Option<&'a str>,
    /// In the face, else its icon.
    pub initials: Option<&'a str>,
    pub sign: Icon,
    pub state: &'a str,
    pub tone: Tone,
    pub clock: &'a str,
    /// Said in place of the state, when the microphone is off.
    pub muted: Option<&'a str>,
    pub sound: Option<&'a Sound>,
    pub lock: Option<Lock>,
    pub recording: Option<&'a Mark>,
}

impl<'a> Head<'a> {
    pub fn of(one: &'a Card) -> Self {
        Self {
            name: &one.name,
            line: one.line.as_deref(),
            forwarded: one.forwarded.as_deref(),
            initials: one.initials.as_deref(),
            sign: icon::CALL.filled(),
            state: &one.state,
            tone: one.tone,
            clock: one.clock.as_deref().unwrap_or_default(),
            muted: one.muted.as_deref(),
            sound: one.sound.as_ref(),
            lock: one.lock,
            recording: one.recording.as_ref(),
        }
    }
}

pub fn head(ui: &mut Ui, one: &Head<'_>) {
    let tokens = Tokens::of(ui);
    let hue = one.tone.hue(tokens);
    // Three lines also where there are only two: a name may come with the answer.
    let lines = 3.0 + f32::from(u8::from(one.forwarded.is_some()));
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 4.0 + 22.0 * lines), Sense::hover());
    let recorded = one.recording.map(|mark| fill(t().recording, &[&mark.clock]));
    let clock = Some(one.clock).filter(|clock| !clock.is_empty());
    let said: Vec<&str> = [Some(one.name), one.line, one.forwarded, Some(one.state), clock, recorded.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, said.join(", ")));

    let face = Rect::from_min_size(rect.min, vec2(48.0, 48.0));
    let mut place = ui.new_child(UiBuilder::new().max_rect(face));
    match one.muted {
        None => avatar(&mut place, one.initials, one.sign, hue, 48.0),
        Some(_) => {
            place.painter().circle_filled(face.center(), 24.0, tokens.hold.fill);
            icon::MICROPHONE_OFF.paint(place.painter(), face.center(), 28.0, tokens.hold.on_fill);
        }
    }
    let painter = ui.painter();
    let right = (rect.right_top() + vec2(0.0, 13.0), Align2::RIGHT_CENTER);
    let clock_rect = paint_line(painter, right, 120.0, one.clock, (TITLE, FontFamily::Proportional), tokens.text);
    let left = face.right() + 3.0 * GRID;
    let at = |row: f32| (pos2(left, rect.top() + row), Align2::LEFT_CENTER);
    paint_line(painter, at(13.0), clock_rect.left() - 2.0 * GRID - left, one.name, (TITLE, semibold()), tokens.text);
    let mut row = 38.0;
    for line in [one.line, one.forwarded].into_iter().flatten() {
        paint_line(painter, at(row), rect.right() - left, line, (SMALL, FontFamily::Proportional), tokens.text_weak);
        row += 21.0;
    }
    let place = Rect::from_x_y_ranges(left..=rect.right(), rect.top() + row - 10.0..=rect.top() + row + 10.0);
    let end = marks(ui, one, place);
    let gap = if end < place.right() { 2.0 * GRID } else { 0.0 };
    let width = end - gap - left;
    match one.muted {
        None => drop(paint_line(ui.painter(), at(row), width, one.state, (SMALL, semibold()), hue.text)),
        Some(words) => muted_band(ui, Rect::from_min_size(place.min, vec2(width, place.height())), words),
    }
}

/// Sound, lock, recording, from the right; where they end.
fn marks(ui: &mut Ui, one: &Head<'_>, place: Rect) -> f32 {
    let tokens = Tokens::of(ui);
    let layout = Layout::right_to_left(Align::Center);
    let mut right = ui.new_child(UiBuilder::new().max_rect(place).layout(layout));
    if let Some(sound) = one.sound {
        sound_mark(&mut right, sound, one.muted.is_none() && one.recording.is_none());
    }
    if let Some(lock) = one.lock {
        let color = if lock.is_safe { tokens.go.text } else { tokens.text_weak };
        padlock(&mut right, color, lock.name).on_hover_text(lock.tip);
    }
    if let Some(mark) = one.recording {
        right.spacing_mut().item_spacing.x = GRID;
        let time = words(&mut right, small(&mark.clock).family(semibold()).color(tokens.stop.text), false);
        let (dot, _) = right.allocate_exact_size(vec2(12.0, 16.0), Sense::hover());
        right.painter().circle_filled(dot.center(), RECORDED / 2.0, tokens.stop.fill);
        let place = right.interact(dot.union(time), right.scope_id().with("recording"), Sense::hover());
        place.on_hover_text(&mark.tip);
    }
    right.min_rect().left()
}

fn sound_mark(ui: &mut Ui, sound: &Sound, in_words: bool) {
    let hue = sound.tone.hue(Tokens::of(ui));
    let name = format!("{}: {}", t().quality, sound.word);
    let tip: Vec<String> = sound.figures.iter().map(|(label, value)| format!("{label}  {value}")).collect();
    ui.spacing_mut().item_spacing.x = 1.5 * GRID;
    if in_words {
        words(ui, small(sound.word).color(hue.text), false);
    }
    quality_bars(ui, sound.bars, hue.text, &name).on_hover_text(tip.join("\n"));
}

/// Amber with the face and the tile, seen from two metres; in the state's place, so that nothing moves. Beside many marks it is
/// one word rather than half a sentence.
fn muted_band(ui: &mut Ui, place: Rect, words: &str) {
    let hue = Tokens::of(ui).hold;
    let place = place.translate(vec2(0.0, 2.0));
    ui.painter().rect_filled(place.expand2(vec2(0.0, 2.0)), RADIUS_MARK, hue.fill);
    let layout = Layout::left_to_right(Align::Center);
    let place = place.shrink2(vec2(2.0 * GRID, 0.0));
    let font = FontId::new(SMALL, semibold());
    let fits = ui.painter().layout_no_wrap(words.to_owned(), font, hue.on_fill).size().x <= place.width();
    let words = if fits { words } else { t().muted_short };
    let mut place = ui.new_child(UiBuilder::new().max_rect(place).layout(layout));
    line(&mut place, small(words).family(semibold()).color(hue.on_fill));
}
