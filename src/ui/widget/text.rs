//! Single lines of text that are cut with "…" where room ends.

use crate::ui::theme::Tokens;
use egui::{Align2, Color32, FontFamily, FontId, Painter, Pos2, Response, RichText, Sense, Ui, text::LayoutJob};
use egui::{FontSelection, Galley, Label, Rect, TextFormat, TextWrapMode, WidgetText};
use std::sync::Arc;

/// A label on one line, cut where the room ends; the whole text stays its accessible name.
pub fn line(ui: &mut Ui, text: RichText) -> Response {
    ui.add(Label::new(WidgetText::from(text)).wrap_mode(TextWrapMode::Truncate).sense(Sense::hover()))
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
