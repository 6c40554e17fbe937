use super::{
    colleagues::{colleagues, matches},
    data::{Recent, people, recents},
};
use crate::ui::{
    icon::{self, Icon},
    screen::{Cx, Page, Subject},
    snapshot::{HistoryKind, Intent},
    text::{fill, t},
    theme::{BODY, CONTROL, GRID, RADIUS, Tokens, semibold},
    widget::{IconButton, Look, Row, empty_state, focus_ring, paint_line, section},
};
use egui::{Align, Align2, Layout, Sense, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

/// What the window remembers about the lists.
#[derive(Default)]
pub struct Local {
    pub tab: Tab,
    /// The recent call that was pressed last.
    pub chosen: Option<u64>,
    /// The list of colleagues is being edited.
    pub editing: bool,
    pub name: String,
    pub number: String,
    /// What *Add* found missing.
    pub missing: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    #[default]
    Recent,
    Colleagues,
}

/// The lists, or what of both fits what is typed; the number that was pressed.
pub fn show(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    local: &mut Local,
    typed: &str,
    cannot: Option<&'static str>,
) -> Option<String> {
    if !typed.trim().is_empty() && !local.editing {
        return found(ui, cx, local, typed, cannot);
    }
    let tools = tabs(ui, cx, local);
    if tools {
        cx.ask(Intent::ClearHistory);
        local.chosen = None;
    }
    match local.tab {
        Tab::Recent => {
            let list = recents(cx.snapshot, "");
            if list.is_empty() {
                empty_state(ui, icon::HISTORY, t().recent_empty, t().recent_empty_hint);
            }
            recent(ui, cx, local, &list, cannot)
        }
        Tab::Colleagues => colleagues(ui, cx, local, cannot),
    }
}

/// Colleagues first, then whom one has talked to.
fn found(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, typed: &str, cannot: Option<&'static str>) -> Option<String> {
    let (people, recents) = (people(cx.snapshot, typed), recents(cx.snapshot, typed));
    let mut pressed = None;
    if !people.is_empty() {
        section(ui, t().colleagues);
        pressed = matches(ui, cx, &people, cannot);
    }
    if !recents.is_empty() {
        section(ui, t().recent);
        pressed = recent(ui, cx, local, &recents, cannot).or(pressed);
    }
    pressed
}

/// Which list, and at the right what can be done with all of it: true for emptying the recent calls.
fn tabs(ui: &mut Ui, cx: &Cx<'_>, local: &mut Local) -> bool {
    let tokens = Tokens::of(ui);
    let mut clear = false;
    let row = vec2(ui.available_width(), 36.0);
    ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        for (tab, label) in [(Tab::Recent, t().recent), (Tab::Colleagues, t().colleagues)] {
            if tab_button(ui, label, local.tab == tab) {
                (local.tab, local.editing) = (tab, false);
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let quiet = Look::Plain(tokens.neutral);
            match local.tab {
                Tab::Recent if cx.snapshot.history.is_empty() => {}
                Tab::Recent => {
                    clear = ui.add(IconButton::new(icon::TRASH, t().clear_recent, quiet).size(32.0)).clicked()
                }
                Tab::Colleagues => {
                    let (sign, name, look) = match local.editing {
                        true => (icon::CHECK, t().edit_done, Look::Tinted(tokens.accent)),
                        false => (icon::EDIT, t().edit_colleagues, quiet),
                    };
                    if ui.add(IconButton::new(sign, name, look).size(32.0)).clicked() {
                        local.editing = !local.editing;
                    }
                }
            }
        });
    });
    clear
}

fn tab_button(ui: &mut Ui, label: &str, is_open: bool) -> bool {
    let tokens = Tokens::of(ui);
    let ink = if is_open { tokens.text } else { tokens.text_weak };
    let font = egui::FontId::new(BODY, semibold());
    let width = ui.painter().layout_no_wrap(label.to_owned(), font, ink).size().x;
    let (rect, response) = ui.allocate_exact_size(vec2(width + 4.0 * GRID, 36.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, is_open, label));
    if response.hovered() {
        ui.painter().rect_filled(rect, RADIUS, tokens.raised);
    }
    let at = (pos2(rect.left() + 2.0 * GRID, rect.center().y - 1.0), Align2::LEFT_CENTER);
    let word = paint_line(ui.painter(), at, width + 1.0, label, (BODY, semibold()), ink);
    if is_open {
        let line = egui::Rect::from_x_y_ranges(word.x_range(), rect.bottom() - 3.0..=rect.bottom());
        ui.painter().rect_filled(line, 2, tokens.accent.text);
    }
    focus_ring(ui, &response, RADIUS);
    response.clicked()
}

fn recent(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    local: &mut Local,
    list: &[Recent],
    cannot: Option<&'static str>,
) -> Option<String> {
    ui.spacing_mut().item_spacing.y = GRID;
    let mut pressed = None;
    for entry in list {
        ui.push_id(entry.id, |ui| {
            if recent_row(ui, cx, local, entry, cannot) {
                local.chosen = Some(entry.id);
                pressed = Some(entry.peer.clone());
            }
        });
    }
    pressed
}

fn recent_row(ui: &mut Ui, cx: &mut Cx<'_>, local: &Local, entry: &Recent, cannot: Option<&'static str>) -> bool {
    let tokens = Tokens::of(ui);
    let (sign, color) = mark(entry.kind, tokens);
    let is_chosen = local.chosen == Some(entry.id);
    // Beside the list there is room for the details themselves.
    let leads_on = is_chosen && !cx.wide;
    let buttons = 1.0 + if leads_on { 1.0 } else { 0.0 };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        let row = Row::new(sign, &entry.title)
            .icon_color(color)
            .detail(Some(&entry.detail))
            .right(&entry.when)
            .keep(buttons * (CONTROL + GRID))
            .selected(is_chosen)
            .name(entry.name.clone());
        let pressed = ui.add(row).clicked();
        if leads_on {
            let name = fill(t().details_of, &[&entry.title]);
            if ui.add(IconButton::new(icon::ABOUT, &name, Look::Plain(tokens.accent))).clicked() {
                (cx.details, cx.go) = (Some(Subject::Past(entry.id)), Some(Page::Details));
            }
        }
        let name = fill(t().call_back, &[&entry.title]);
        let look = Look::Plain(tokens.go);
        let back = IconButton::new(icon::CALL, cannot.unwrap_or(&name), look).enabled(cannot.is_none());
        if ui.add(back).clicked() {
            cx.ask(Intent::Dial { to: entry.peer.clone() });
        }
        pressed
    })
    .inner
}

/// Icon and colour of a kind of call.
fn mark(kind: HistoryKind, tokens: &Tokens) -> (Icon, egui::Color32) {
    match kind {
        HistoryKind::Incoming => (icon::INCOMING, tokens.go.text),
        HistoryKind::Outgoing => (icon::OUTGOING, tokens.accent.text),
        HistoryKind::Missed => (icon::MISSED, tokens.stop.text),
        HistoryKind::AnsweredElsewhere => (icon::INCOMING, tokens.text_weak),
        HistoryKind::Failed => (icon::OUTGOING, tokens.stop.text),
    }
}
