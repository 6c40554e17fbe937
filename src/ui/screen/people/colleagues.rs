//! Colleagues: a lamp each, and what one press does; the list is edited in its place.

use super::{
    data::{Action, Person, action_name, people},
    ui::Local,
};
use crate::ui::{
    icon::{self, Icon},
    screen::Cx,
    snapshot::Intent,
    text::{fill, t},
    theme::{CONTROL, GRID, Tokens, small},
    widget::{Button, Field, IconButton, Look, Row, card, empty_state, spacer},
};
use egui::{Key, Ui};

pub fn colleagues(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, cannot: Option<&'static str>) -> Option<String> {
    let list = people(cx.snapshot, "");
    if local.editing {
        edit(ui, cx, local, &list);
        return None;
    }
    if list.is_empty() {
        empty_state(ui, icon::PEOPLE, t().colleagues_empty, t().colleagues_empty_hint);
        ui.vertical_centered(|ui| {
            let add = Button::new(t().add_colleague, Look::Tinted(Tokens::of(ui).accent)).icon(icon::ADD_PERSON);
            local.editing = ui.add(add).clicked();
        });
        return None;
    }
    matches(ui, cx, &list, cannot)
}

/// A row for each; the number of the one that was pressed.
pub fn matches(ui: &mut Ui, cx: &mut Cx<'_>, list: &[Person], cannot: Option<&'static str>) -> Option<String> {
    ui.spacing_mut().item_spacing.y = GRID;
    let mut pressed = None;
    for person in list {
        ui.push_id(("colleague", &person.number), |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = GRID;
                let row = row(ui, person).keep(person.actions.len() as f32 * (CONTROL + GRID));
                let mut shown = ui.add(row);
                if let Some(hint) = &person.hint {
                    shown = shown.on_hover_text(hint);
                }
                if shown.clicked() {
                    pressed = Some(person.number.clone());
                }
                for action in &person.actions {
                    act(ui, cx, person, *action, cannot);
                }
            });
        });
    }
    pressed
}

fn row<'a>(ui: &Ui, person: &'a Person) -> Row<'a> {
    let (sign, tone) = person.lamp;
    let ink = tone.hue(Tokens::of(ui)).text;
    Row::new(sign, &person.name).icon_color(ink).detail(Some(&person.detail)).name(person.said.clone())
}

fn act(ui: &mut Ui, cx: &mut Cx<'_>, person: &Person, action: Action, cannot: Option<&'static str>) {
    let tokens = Tokens::of(ui);
    let (sign, look): (Icon, _) = match action {
        Action::Call => (icon::CALL, Look::Plain(tokens.go)),
        Action::PickUp => (icon::PICK_UP, Look::Filled(tokens.go)),
        Action::Transfer { .. } => (icon::TRANSFER, Look::Plain(tokens.accent)),
    };
    let name = action_name(action, person);
    // A call that is up is transferred within itself.
    let cannot = cannot.filter(|_| !matches!(action, Action::Transfer { .. }));
    let button = IconButton::new(sign, cannot.unwrap_or(&name), look).enabled(cannot.is_none());
    if ui.add(button).clicked() {
        let to = person.number.clone();
        cx.ask(match action {
            Action::Call => Intent::Dial { to },
            Action::PickUp => Intent::PickUp { to },
            Action::Transfer { call } => Intent::Transfer { call, to },
        });
    }
}

/// Name and number of a new one, and a way to remove each.
fn edit(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, list: &[Person]) {
    let tokens = Tokens::of(ui);
    card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0 * GRID;
        let name = ui.add(Field::new(t().colleague_name, &mut local.name));
        let number = ui.add(Field::new(t().colleague_number, &mut local.number).hint(t().dial_hint));
        let entered = (name.lost_focus() || number.lost_focus()) && ui.input(|i| i.key_pressed(Key::Enter));
        if local.missing {
            ui.label(small(t().missing_number).color(tokens.stop.text));
        }
        let add = Button::new(t().add, Look::Filled(tokens.accent)).icon(icon::ADD_PERSON).name(t().add_colleague);
        if ui.add(add.width(ui.available_width())).clicked() || entered {
            local.missing = local.number.trim().is_empty();
            if !local.missing {
                let (added, number) = (std::mem::take(&mut local.name), std::mem::take(&mut local.number));
                cx.ask(Intent::AddColleague { name: added, number });
                // Ready for the next one.
                name.request_focus();
            }
        }
    });
    spacer(ui, 1.0);
    for person in list {
        ui.push_id(("edit", &person.number), |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = GRID;
                let row = row(ui, person).keep(CONTROL + GRID);
                if ui.add(row).clicked() {
                    // Ready to be renamed.
                    (local.name, local.number) = (person.name.clone(), person.number.clone());
                }
                let name = fill(t().remove_colleague, &[&person.name]);
                if ui.add(IconButton::new(icon::TRASH, &name, Look::Plain(tokens.stop))).clicked() {
                    cx.ask(Intent::RemoveColleague { number: person.number.clone() });
                }
            });
        });
    }
}
