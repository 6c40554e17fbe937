//! Lines of text that are cut with "…" where room ends, and sentences that go on in the next line.

use crate::ui::theme::Tokens;
use egui::{Align2, Color32, FontFamily, FontId, Painter, Pos2, Response, RichText, Sense, Ui, text::LayoutJob};
use egui::{FontSelection, Galley, Label, Rect, TextFormat, TextWrapMode, WidgetInfo, WidgetText, accesskit::Role};
use std::sync::Arc;

/// A label on one line, cut where the room ends; the whole text stays its accessible name.
pub fn line(ui: &mut Ui, text: RichText) -> Response {
    ui.add(Label::new(WidgetText::from(text)).wrap_mode(TextWrapMode::Truncate).sense(Sense::hover()))
}

/// A sentence over as many lines as it needs, none of which parts a number from its unit; its accessible name is as written.
pub fn prose(ui: &mut Ui, words: &str, style: impl FnOnce(String) -> RichText) {
    let label = ui.add(Label::new(style(unparted(words))).wrap());
    label.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
}

/// Units as they stand in sentences.
const UNITS: [&str; 4] = ["%", "ms", "s", "min"];

/// No line ends between a number and its unit.
fn unparted(words: &str) -> String {
    let mut all = words.split(' ');
    let mut shown = all.next().unwrap_or_default().to_owned();
    for word in all {
        let is_unit = UNITS.contains(&word.trim_end_matches([',', '.', ';', ':', ')']));
        shown.push(if is_unit && shown.ends_with(|c: char| c.is_ascii_digit()) { '\u{a0}' } else { ' ' });
        shown.push_str(word);
    }
    shown
}

/// Text that is only painted: part of a control that is named as a whole. `wrap` over several lines, else cut.
pub fn words(ui: &mut Ui, text: RichText, wrap: bool) -> Rect {
    let mode = if wrap { TextWrapMode::Wrap } else { TextWrapMode::Truncate };
    let galley = WidgetText::from(text).into_galley(ui, Some(mode), ui.available_width(), FontSelection::Default);
    let (rect, _) = ui.allocate_exact_size(galley.size(), Sense::hover());
    ui.painter().galley(rect.min, galley, Tokens::of(ui).text);
    rect
}

/// Paints one line at `at` inside `width`; returns its place. Paint only: no accessible node of its own.
pub fn paint_line(
    painter: &Painter,
    at: (Pos2, Align2),
    width: f32,
    text: &str,
    font: (f32, FontFamily),
    color: Color32,
) -> Rect {
    let galley = lay_out(painter, text, font, color, width);
    let rect = at.1.anchor_size(at.0, galley.size());
    painter.galley(rect.min, galley, color);
    rect
}

fn lay_out(painter: &Painter, text: &str, font: (f32, FontFamily), color: Color32, width: f32) -> Arc<Galley> {
    let format = TextFormat::simple(FontId::new(font.0, font.1), color);
    let mut job = LayoutJob::single_section(text.to_owned(), format);
    job.wrap = egui::text::TextWrapping::truncate_at_width(width.max(0.0));
    painter.layout_job(job)
}

#[cfg(test)]
mod tests {
    use super::unparted;

    #[test]
    fn a_number_keeps_its_unit() {
        assert_eq!(unparted("lost 4.2 % of 20 s, twice"), "lost 4.2\u{a0}% of 20\u{a0}s, twice");
        let other = "MOS 4.4 there,  with % and s";
        assert_eq!(unparted(other), other);
    }
}
