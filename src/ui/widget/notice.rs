//! Sentences that want to be noticed: banners for the eye, announcements for the ear.

use super::{IconButton, Look, text::prose};
use crate::ui::{
    icon::{self, Icon},
    text::t,
    theme::{GRID, Hue, RADIUS_CARD, Tokens, body, small},
};
use egui::{Frame, InnerResponse, Margin, Rect, Sense, Ui, UiBuilder, accesskit, pos2, vec2};

/// How soon a screen reader says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// When it has finished what it is saying.
    Polite,
    /// At once: ringing, muted.
    Assertive,
}

/// A sentence on a tint with its icon, and what helps under it.
pub fn banner<R>(ui: &mut Ui, icon: Icon, hue: Hue, sentence: &str, help: impl FnOnce(&mut Ui) -> R) -> R {
    let margin = Margin { left: 14, right: 12, top: 12, bottom: 12 };
    tinted(ui, icon, hue, sentence, margin, help).inner
}

/// A banner that can be sent away; true when it was.
pub fn dismissible(ui: &mut Ui, icon: Icon, hue: Hue, sentence: &str) -> bool {
    let margin = Margin { left: 14, right: 48, top: 12, bottom: 12 };
    let shown = tinted(ui, icon, hue, sentence, margin, |_| ()).response.rect;
    let corner = Rect::from_min_size(pos2(shown.right() - 40.0, shown.top() + 8.0), vec2(32.0, 32.0));
    let mut place = ui.new_child(UiBuilder::new().max_rect(corner));
    place.add(IconButton::new(icon::CLOSE, t().dismiss, Look::Plain(hue)).size(32.0)).clicked()
}

fn tinted<R>(
    ui: &mut Ui,
    icon: Icon,
    hue: Hue,
    sentence: &str,
    margin: Margin,
    help: impl FnOnce(&mut Ui) -> R,
) -> InnerResponse<R> {
    Frame::new().fill(hue.tint).corner_radius(RADIUS_CARD).inner_margin(margin).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0 * GRID;
            let (rect, _) = ui.allocate_exact_size(vec2(20.0, 24.0), Sense::hover());
            icon.paint(ui.painter(), rect.center(), 20.0, hue.text);
            ui.vertical(|ui| {
                let ink = Tokens::of(ui).text;
                prose(ui, sentence, |words| body(words).color(ink));
                ui.spacing_mut().item_spacing = vec2(2.0 * GRID, 2.0 * GRID);
                help(ui)
            })
            .inner
        })
        .inner
    })
}

/// A sentence in small type with its icon, in the hue of what it says.
pub fn remark(ui: &mut Ui, icon: Icon, hue: Hue, sentence: &str) {
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0 * GRID;
        let (rect, _) = ui.allocate_exact_size(vec2(18.0, 20.0), Sense::hover());
        icon.paint(ui.painter(), rect.center(), 18.0, hue.text);
        let ink = Tokens::of(ui).text;
        prose(ui, sentence, |words| small(words).color(ink));
    });
}

/// Lets a screen reader say `text` when it changes. It has no look: the same truth is always painted elsewhere.
pub fn announce(ui: &mut Ui, id: &str, text: &str, live: Live) {
    let id = ui.scope_id().with(id);
    let rect = Rect::from_min_size(ui.max_rect().min, vec2(1.0, 1.0));
    ui.interact(rect, id, Sense::hover());
    ui.ctx().accesskit_node_builder(id, |node| {
        node.set_role(accesskit::Role::Status);
        node.set_live(match live {
            Live::Polite => accesskit::Live::Polite,
            Live::Assertive => accesskit::Live::Assertive,
        });
        if !text.is_empty() {
            node.set_label(text.to_owned());
        }
    });
}
