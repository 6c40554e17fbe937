use super::{
    data::{Advice, Help, main},
    dial::dial,
    header::header,
};
use crate::{
    secret::Secret,
    ui::{
        icon,
        screen::{Cx, Page, Tone, calls, people, transfer},
        snapshot::{Intent, Services},
        text::{fill, t},
        theme::{GRID, MARGIN, Tokens},
        widget::{Button, Field, Look, banner, spacer},
    },
};
use egui::{Frame, Key, Margin, ScrollArea, Ui};

/// What the window remembers about the main column.
#[derive(Default)]
pub struct Local {
    pub dial: String,
    /// It was filled in by a press on a list, which then stays as it is.
    pub filled: bool,
    /// What the driver was asked to dial; it stays in the field until there is a call, for it may be refused.
    pub(super) asked: Option<String>,
    pub keypad: bool,
    pub people: people::ui::Local,
    /// Give the dial field the keyboard at the next frame.
    pub focus_dial: bool,
    /// As typed, until it is applied.
    pub sip_password: Secret,
}

impl Local {
    /// There is a new call of ours: what was dialled has served.
    pub fn dialled(&mut self) {
        if self.asked.take().is_some_and(|to| to == self.dial.trim()) {
            self.dial.clear();
            self.keypad = false;
        }
    }
}

/// Returns the height of the calls' strip.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, calls: &mut calls::ui::Local) -> f32 {
    let shown = main(cx.snapshot, cx.now);
    cx.tick_in(shown.next_change);
    header(ui, cx, &shown);
    let strip = calls::ui::strip(ui, cx, |card| calls.beside_main(card));
    let margin = Margin::symmetric(MARGIN as i8, 0);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        Frame::new().inner_margin(margin).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 3.0 * GRID;
            spacer(ui, 1.0);
            if let Some(text) = &shown.network {
                banner(ui, icon::NO_NETWORK, Tokens::of(ui).hold, text, |_| ());
            }
            if let Some(advice) = &shown.advice {
                show_advice(ui, cx, advice, &mut local.sip_password);
            }
            transfer::ui::asked(ui, cx);
            calls::ui::show(ui, cx, calls);
            dial(ui, cx, local, shown.cannot_dial);
            let typed = if local.filled { "" } else { local.dial.as_str() };
            let press = people::ui::show(ui, cx, &mut local.people, typed, shown.cannot_dial);
            if let Some(number) = press {
                // Ready to be dialled, not dialled: one press on a list never calls anybody.
                (local.dial, local.filled) = (number, true);
            }
            spacer(ui, 2.0);
        });
    });
    strip
}

fn show_advice(ui: &mut Ui, cx: &mut Cx<'_>, advice: &Advice, typed: &mut Secret) {
    let tokens = Tokens::of(ui);
    let hue = advice.tone.hue(tokens);
    let sign = if advice.tone == Tone::Accent { icon::INFO } else { icon::WARNING };
    banner(ui, sign, hue, &advice.text, |ui| match &advice.help {
        Help::None => {}
        Help::SelectAccount => {
            if ui.add(Button::new(t().select_account, Look::Filled(tokens.accent))).clicked() {
                cx.go = Some(Page::Account);
            }
        }
        Help::ChooseAnother => {
            if ui.add(Button::new(t().choose_another, Look::Filled(tokens.accent))).clicked() {
                cx.go = Some(Page::Account);
            }
        }
        Help::ChangeAccount => {
            if ui.add(Button::new(t().change_account, Look::Filled(tokens.accent))).clicked() {
                cx.go = Some(Page::Account);
            }
        }
        Help::EndDoNotDisturb => {
            if ui.add(Button::new(t().do_not_disturb_end, Look::Filled(tokens.hold))).clicked()
                && let Some(services) = cx.snapshot.services.clone()
            {
                cx.ask(Intent::Services(Services { do_not_disturb: false, ..services }));
            }
        }
        Help::Forwarding => {
            if ui.add(Button::new(t().forwarding_change, Look::Filled(tokens.hold))).clicked() {
                cx.go = Some(Page::Calls);
            }
        }
        Help::Password { registration } => password(ui, cx, registration, typed),
        Help::Elsewhere { secondary, take_over } => {
            let mut select = |registration: &str, takeover| {
                cx.ask(Intent::Select { registration: registration.to_owned(), takeover });
            };
            ui.horizontal_wrapped(|ui| {
                if let Some(name) = secondary {
                    let tip = fill(t().use_secondary_about, &[name]);
                    if ui.add(Button::new(t().use_secondary, Look::Filled(tokens.accent)).tip(tip)).clicked() {
                        select(name, false);
                    }
                }
                if let Some(name) = take_over {
                    let tip = fill(t().take_over_about, &[name]);
                    let look = Look::Plain(tokens.hold);
                    if ui.add(Button::new(t().take_over, look).tip(tip)).clicked() {
                        select(name, true);
                    }
                }
            });
        }
    });
}

/// A SIP password, and the way online with it.
fn password(ui: &mut Ui, cx: &mut Cx<'_>, registration: &str, typed: &mut Secret) {
    ui.set_width(ui.available_width());
    let field = Field::new(t().sip_password, &mut typed.0).secret(t().show_sip_password, t().hide_sip_password);
    let response = ui.add(field);
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    let ready = !typed.0.is_empty();
    let go = Button::new(t().go_online, Look::Filled(Tokens::of(ui).accent)).enabled(ready);
    if (ui.add(go).clicked() || entered) && ready {
        let (registration, password) = (registration.to_owned(), std::mem::take(typed));
        cx.ask(Intent::SipPassword { registration, password });
    }
}
