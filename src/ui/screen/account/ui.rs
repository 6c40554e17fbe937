use super::{
    data::{Conflict, Plain, Row, account},
    proof::Check,
};
use crate::ui::{
    icon,
    screen::{Cx, Page, settings::ui::page},
    snapshot::Intent,
    text::{fill, t},
    theme::{GRID, MARGIN, RADIUS, RADIUS_CARD, Tokens, body, semibold, small, strong},
    widget::{Button, Field, IconButton, Look, card, chip, empty_state, focus_ring, line, section, spacer, words},
};
use egui::{Align, Frame, Label, Layout, Sense, Stroke, Ui, UiBuilder, WidgetInfo, accesskit::Role, pos2, vec2};

/// What the window remembers about *Select account*.
#[derive(Default)]
pub struct Local {
    /// The registration in use elsewhere that was pressed, and asks what to do.
    pub asking: Option<String>,
    /// What it asks is to come into view.
    reveal: bool,
    pub search: String,
}

pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local) {
    let shown = account(cx.snapshot, &local.search, cx.now);
    cx.tick_in(shown.next_change);
    let refresh = |ui: &mut Ui, cx: &mut Cx<'_>| {
        if cx.snapshot.sip_account.is_some() {
            return;
        }
        let look = Look::Plain(Tokens::of(ui).neutral);
        if ui.add(IconButton::new(icon::REFRESH, t().refresh, look)).clicked() {
            cx.ask(Intent::RefreshRegistrations);
        }
    };
    page(ui, cx, t().select_account, Page::Settings, refresh, |ui, cx| {
        if let Some(who) = &shown.signed_in_as {
            ui.label(body(fill(t().signed_in_as, &[who])).color(Tokens::of(ui).text_weak));
        }
        if let Some(account) = &shown.plain {
            return plain_account(ui, cx, account);
        }
        if shown.searchable {
            ui.add(Field::new(t().find_extension, &mut local.search));
        } else {
            local.search.clear();
        }
        if shown.groups.is_empty() && shown.searchable {
            empty_state(ui, icon::ACCOUNT, t().none_found, t().none_found_hint);
        } else if shown.groups.is_empty() {
            empty_state(ui, icon::ACCOUNT, t().no_rows, t().no_rows_hint);
        }
        for group in &shown.groups {
            section(ui, &group.title);
            for row in &group.rows {
                ui.push_id(&row.registration, |ui| registration(ui, cx, local, row));
            }
        }
        if shown.can_go_offline {
            spacer(ui, 1.0);
            let look = Look::Tinted(Tokens::of(ui).neutral);
            if ui.add(Button::new(t().go_offline, look).icon(icon::OFFLINE).width(ui.available_width())).clicked() {
                cx.ask(Intent::GoOffline);
            }
        }
    });
}

/// A plain account: how it stands, what was typed, and the way to change it.
fn plain_account(ui: &mut Ui, cx: &mut Cx<'_>, account: &Plain) {
    let tokens = Tokens::of(ui);
    card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = GRID;
        line(ui, strong(&account.address));
        let ink = account.tone.hue(tokens);
        let place = marked(ui, small(account.state).color(ink.text), true);
        ui.painter().circle_filled(place, 5.0, ink.fill);
        proof(ui, &account.proof, true);
        spacer(ui, 1.0);
        for (label, value) in &account.facts {
            ui.label(small(*label).color(tokens.text_weak));
            line(ui, body(value));
        }
    });
    let change = Button::new(t().change_account, Look::Tinted(tokens.accent)).icon(icon::EDIT);
    if ui.add(change.width(ui.available_width()).tip(t().change_account_tip)).clicked() {
        cx.ask(Intent::SignOut);
    }
}

/// What shows that calls arrive; what does not is told by sign and words. `named`: read by itself, not with what it is part of.
fn proof(ui: &mut Ui, checks: &[Check], named: bool) {
    let tokens = Tokens::of(ui);
    for check in checks {
        let (sign, hue) = if check.holds { (icon::CHECK, tokens.go) } else { (icon::WARNING, tokens.hold) };
        let place = marked(ui, small(&check.text).color(hue.text), named);
        sign.paint(ui.painter(), place, 16.0, hue.text);
    }
}

/// A registration as a card that is one button; under it, where it is in use elsewhere, what to do about it.
fn registration(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, row: &Row) {
    let tokens = Tokens::of(ui);
    let asking = local.asking.as_deref() == Some(&row.registration) && row.conflict.is_some();
    let width = ui.available_width();
    let id = ui.scope_id().with("row");
    let was = ui.ctx().read_response(id);
    let hovered = was.as_ref().is_some_and(egui::Response::hovered);
    let fill = if hovered { tokens.raised } else { tokens.surface };
    let edge = if row.selected || asking { tokens.accent.text } else { tokens.hairline };
    let painted =
        Frame::new().fill(fill).stroke(Stroke::new(1.0, edge)).corner_radius(RADIUS_CARD).inner_margin(MARGIN).show(
            ui,
            |ui| {
                ui.set_width(width - 2.0 * MARGIN - 2.0);
                row_lines(ui, row);
            },
        );
    let response = ui.interact(painted.response.rect, id, Sense::click());
    let mut said = vec![row.registration.as_str(), row.kind.1, &row.label, &row.holder];
    said.extend(row.proof.iter().map(|check| check.text.as_str()));
    said.push(rings(row));
    let said = said.join(", ");
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, row.selected, &said));
    focus_ring(ui, &response, RADIUS_CARD);
    if response.clicked() {
        match &row.conflict {
            Some(_) => {
                local.asking = if asking { None } else { Some(row.registration.clone()) };
                local.reveal = true;
            }
            None if !row.selected => {
                local.asking = None;
                cx.ask(Intent::Select { registration: row.registration.clone(), takeover: false });
                cx.go = Some(Page::Main);
            }
            None => {}
        }
    }
    if let (true, Some(conflict)) = (asking, &row.conflict) {
        ask(ui, cx, local, row, conflict);
    }
}

fn row_lines(ui: &mut Ui, row: &Row) {
    let tokens = Tokens::of(ui);
    ui.spacing_mut().item_spacing.y = GRID;
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if row.selected {
                let (rect, _) = ui.allocate_exact_size(vec2(20.0, 20.0), Sense::hover());
                icon::CHECK.paint(ui.painter(), rect.center(), 20.0, tokens.accent.text);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 2.0 * GRID;
                words(ui, strong(&row.registration), false);
                let hue = if row.kind.0 == t().primary { tokens.accent } else { tokens.neutral };
                chip(ui, row.kind.0, hue);
                words(ui, small(&row.label).color(tokens.text_weak), false);
            });
        });
    });
    let ink = row.tone.hue(tokens);
    let place = marked(ui, small(&row.holder).color(ink.text), false);
    ui.painter().circle_filled(place, 5.0, ink.fill);
    proof(ui, &row.proof, false);
    let sign = if row.rings { icon::BELL } else { icon::BELL_OFF };
    let place = marked(ui, small(rings(row)).color(tokens.text_weak), false);
    sign.paint(ui.painter(), place, 16.0, tokens.text_weak);
}

/// Text with room for a mark before its first line; returns the mark's centre.
fn marked(ui: &mut Ui, text: egui::RichText, named: bool) -> egui::Pos2 {
    ui.horizontal_top(|ui| {
        ui.add_space(6.0 * GRID);
        let rect = if named { ui.add(Label::new(text).wrap()).rect } else { words(ui, text, true) };
        pos2(rect.left() - 16.0, rect.top() + 10.5)
    })
    .inner
}

fn rings(row: &Row) -> &'static str {
    if row.rings { t().rings } else { t().rings_not }
}

/// Two ways on, each explained. Inside the page: a dialog would stand over a call.
fn ask(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, row: &Row, conflict: &Conflict) {
    let tokens = Tokens::of(ui);
    let panel = Frame::new().fill(tokens.hold.tint).corner_radius(RADIUS_CARD).inner_margin(MARGIN).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(20.0, 24.0), Sense::hover());
            icon::WARNING.paint(ui.painter(), rect.center(), 20.0, tokens.hold.text);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = GRID;
                ui.add(Label::new(strong(&conflict.title)).wrap());
                ui.add(Label::new(small(conflict.body)).wrap());
            });
        });
        let mut select = |registration: &str, takeover| {
            cx.ask(Intent::Select { registration: registration.to_owned(), takeover });
            cx.go = Some(Page::Main);
            local.asking = None;
        };
        if let Some((name, about)) = &conflict.secondary
            && option(ui, t().use_secondary, about, true)
        {
            select(name, false);
        }
        if let Some(about) = &conflict.take_over
            && option(ui, t().take_over, about, false)
        {
            select(&row.registration, true);
        }
        if ui.add(Button::new(t().cancel, Look::Plain(tokens.neutral))).clicked() {
            local.asking = None;
        }
    });
    if std::mem::take(&mut local.reveal) {
        panel.response.scroll_to_me_animation(None, egui::style::ScrollAnimation::none());
    }
}

/// A button with an explanation under its words.
fn option(ui: &mut Ui, label: &str, about: &str, first: bool) -> bool {
    let tokens = Tokens::of(ui);
    let id = ui.scope_id().with(label);
    let hovered = ui.ctx().read_response(id).is_some_and(|was| was.hovered());
    let fill = if hovered { tokens.raised } else { tokens.surface };
    let edge = if first { tokens.accent.text } else { tokens.hairline };
    let shown =
        Frame::new().fill(fill).stroke(Stroke::new(1.0, edge)).corner_radius(RADIUS).inner_margin(3.0 * GRID).show(
            ui,
            |ui| {
                ui.set_width(ui.available_width());
                ui.spacing_mut().item_spacing.y = 0.0;
                let inside = UiBuilder::new();
                ui.scope_builder(inside, |ui| {
                    ui.set_max_width(ui.available_width() - 24.0);
                    let ink = if first { tokens.accent.text } else { tokens.text };
                    words(ui, body(label).family(semibold()).color(ink), false);
                    words(ui, small(about).color(tokens.text_weak), true);
                });
            },
        );
    let rect = shown.response.rect;
    icon::OPEN.paint(ui.painter(), pos2(rect.right() - 18.0, rect.center().y), 16.0, tokens.text_weak);
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, label));
    focus_ring(ui, &response, RADIUS);
    response.on_hover_text(about).clicked()
}
