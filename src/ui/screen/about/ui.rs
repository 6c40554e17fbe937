use super::data::facts;
use crate::ui::{
    icon,
    screen::{
        Cx, Page,
        settings::ui::{page, plain},
        sign_in::ui::logo,
    },
    text::{fill, t},
    theme::{GRID, Tokens, body, small, title},
    widget::{IconButton, Look, card, line, spacer},
};
use egui::{Align, Label, Layout, Ui};

pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    page(ui, cx, t().about, Page::Settings, plain, |ui, cx| {
        let weak = Tokens::of(ui).text_weak;
        ui.vertical_centered(|ui| {
            spacer(ui, 2.0);
            logo(ui, 64.0);
            ui.label(title(t().app));
            ui.label(body(fill(t().version, &[&cx.snapshot.about.version])).color(weak));
            spacer(ui, 2.0);
        });
        card(ui, |ui| {
            for (label, value) in facts(&cx.snapshot.about) {
                fact(ui, label, &value);
            }
        });
        ui.add(Label::new(small(t().licences).color(weak)).wrap());
    });
}

fn fact(ui: &mut Ui, label: &str, value: &str) {
    let tokens = Tokens::of(ui);
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let name = format!("{}: {label}", t().copy);
            if ui.add(IconButton::new(icon::COPY, &name, Look::Plain(tokens.neutral))).clicked() {
                ui.ctx().copy_text(value.to_owned());
            }
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.label(small(label).color(tokens.text_weak));
                line(ui, body(value)).on_hover_text(value);
            });
        });
    });
    ui.add_space(GRID);
}
