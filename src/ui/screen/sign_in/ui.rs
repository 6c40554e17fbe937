use super::{
    data::{Draft, Mode, SignIn, sign_in},
    sip,
};
use crate::ui::{
    icon,
    screen::Cx,
    snapshot::Intent,
    text::t,
    theme::{self, GRID, Tokens, body, title},
    widget::{Button, Field, Live, Look, announce, banner, spacer},
};
use egui::{Align, Key, Layout, ScrollArea, Sense, Ui, Vec2};

/// Widest the form gets.
const WIDTH: f32 = 348.0;

pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, draft: &mut Draft) {
    draft.follow(&cx.snapshot.sign_in);
    let shown = sign_in(cx.snapshot, draft, cx.now);
    cx.tick_in(shown.next_change);
    let side = ((ui.available_width() - WIDTH) / 2.0).max(theme::MARGIN);
    let top = ((ui.available_height() - 600.0) / 3.0).max(3.0 * GRID);
    ScrollArea::vertical().show(ui, |ui| {
        ui.add_space(top);
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            ui.add_space(side);
            ui.vertical(|ui| {
                ui.set_width(ui.available_width().min(WIDTH));
                head(ui, shown.problem.as_deref(), draft.mode);
                let entered = fields(ui, draft, shown.busy, shown.secret_hint);
                spacer(ui, 1.0);
                let look = Look::Filled(Tokens::of(ui).accent);
                let apply =
                    Button::new(shown.apply, look).enabled(!shown.busy).width(ui.available_width()).height(44.0);
                if (ui.add(apply).clicked() || entered) && !shown.busy {
                    cx.intents.extend(draft.apply());
                    ui.ctx().request_repaint();
                }
                others(ui, cx, draft, &shown);
                let said = if shown.busy { t().applying } else { shown.problem.as_deref().unwrap_or_default() };
                announce(ui, "sign-in", said, Live::Assertive);
                spacer(ui, 4.0);
            });
        });
    });
}

/// The way back from a sign-in that is under way, else the other kinds of sign-in.
fn others(ui: &mut Ui, cx: &mut Cx<'_>, draft: &mut Draft, shown: &SignIn) {
    let press = |ui: &mut Ui, label: &str| {
        let other = Button::new(label, Look::Plain(Tokens::of(ui).neutral));
        ui.add(other.width(ui.available_width())).clicked()
    };
    if shown.busy {
        if press(ui, t().cancel) {
            cx.ask(Intent::CancelSignIn);
            ui.ctx().request_repaint();
        }
        return;
    }
    ui.spacing_mut().item_spacing.y = 0.0;
    for mode in shown.others {
        if press(ui, mode.name()) {
            draft.switch(mode);
            ui.ctx().request_repaint();
        }
    }
}

/// The program's name, or, where something is wrong, what: above the fields, where no window is too low to show it whole.
fn head(ui: &mut Ui, problem: Option<&str>, mode: Mode) {
    let weak = Tokens::of(ui).text_weak;
    if let Some(problem) = problem {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 3.0 * GRID;
            logo(ui, 36.0);
            ui.label(title(t().app));
        });
        spacer(ui, 1.0);
        banner(ui, icon::ERROR, Tokens::of(ui).stop, problem, |_| ());
        return spacer(ui, 1.0);
    }
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        logo(ui, 52.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.label(title(t().app));
        let subtitle = if mode == Mode::Sip { t().sip_subtitle } else { t().sign_in_subtitle };
        ui.label(body(subtitle).color(weak));
    });
    spacer(ui, 2.0);
}

/// The program's mark: a headset on the accent colour.
pub fn logo(ui: &mut Ui, size: f32) {
    let hue = Tokens::of(ui).accent;
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(size), Sense::hover());
    ui.painter().rect_filled(rect, (size * 0.26) as u8, hue.fill);
    icon::HEADSET.paint(ui.painter(), rect.center(), size * 0.6, hue.on_fill);
}

/// The form; true when Enter was pressed in a field.
fn fields(ui: &mut Ui, draft: &mut Draft, busy: bool, secret_hint: &str) -> bool {
    ui.spacing_mut().item_spacing.y = 2.0 * GRID;
    let server = Field::new(t().server, &mut draft.server).hint(t().server_hint);
    let api_key =
        Field::new(t().api_key, &mut draft.api_key.0).hint(secret_hint).secret(t().show_api_key, t().hide_api_key);
    let password = Field::new(t().password, &mut draft.password.0);
    let password = password.hint(secret_hint).secret(t().show_password, t().hide_password);
    let form = match draft.mode {
        Mode::Password => {
            vec![server, Field::new(t().username, &mut draft.username), password, api_key]
        }
        Mode::Tenant => {
            let sip_server = Field::new(t().sip_server, &mut draft.sip_server).hint(t().sip_server_hint);
            vec![server, Field::new(t().tenant, &mut draft.tenant), api_key, sip_server]
        }
        Mode::Sip => {
            vec![Field::new(t().sip_address, &mut draft.sip.address).hint(t().sip_address_hint), password]
        }
    };
    let mut entered = false;
    for field in form {
        let response = ui.add(field.enabled(!busy));
        entered |= response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    }
    if draft.mode == Mode::Sip {
        entered |= sip::more(ui, draft, busy, secret_hint);
    }
    ui.add_enabled_ui(!busy, |ui| ui.checkbox(&mut draft.remember, body(t().remember)));
    entered
}
