use super::data::{Panel, panel, question};
use crate::ui::{
    icon,
    screen::Cx,
    snapshot::{Intent, Transfer},
    text::{fill, t},
    theme::{CONTROL, GRID, MARGIN, Tokens},
    widget::{Button, Field, Look, Row, banner, dismissible},
};
use egui::{Key, ScrollArea, Ui};

/// Lowest the list gets: a row, and that there are more.
const SMALLEST: f32 = 76.0;

/// What the window remembers about transferring.
#[derive(Default)]
pub struct Local {
    /// The call whose panel is open.
    pub open: Option<u32>,
    to: String,
    /// Give the field the keyboard at the next frame.
    focus: bool,
    /// The call whose failure has been read.
    read: Option<u32>,
}

impl Local {
    pub fn toggle(&mut self, call: u32) {
        self.open = if self.open == Some(call) { None } else { Some(call) };
        self.focus = true;
        self.to.clear();
    }

    fn done(&mut self) {
        self.open = None;
        self.read = None;
    }
}

/// Under a call's controls: where to, while that is asked for, and why it did not succeed.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, call: u32, local: &mut Local) {
    if local.open == Some(call) {
        return choose(ui, cx, call, local);
    }
    failure(ui, cx, call, local);
}

/// Why a transfer did not succeed, until it has been read.
pub fn failure(ui: &mut Ui, cx: &Cx<'_>, call: u32, local: &mut Local) {
    let transfer = cx.snapshot.calls.iter().find(|one| one.id == call).and_then(|one| one.transfer.as_ref());
    match transfer {
        Some(Transfer::Failed { reason }) if local.read != Some(call) => {
            if dismissible(ui, icon::WARNING, Tokens::of(ui).hold, reason) {
                local.read = Some(call);
            }
        }
        Some(Transfer::Trying { .. }) if local.read == Some(call) => local.read = None,
        Some(_) | None => {}
    }
}

fn choose(ui: &mut Ui, cx: &mut Cx<'_>, call: u32, local: &mut Local) {
    let tokens = Tokens::of(ui);
    let Panel { suggestions, others } = panel(cx.snapshot, call, &local.to);
    ui.spacing_mut().item_spacing.y = 2.0 * GRID;
    for other in &others {
        let join = Button::new(&other.label, Look::Filled(tokens.accent)).icon(icon::TRANSFER);
        if ui.add(join.width(ui.available_width()).tip(t().transfer_to_call_tip)).clicked() {
            cx.ask(Intent::TransferTo { call: other.call, with: other.with });
            return local.done();
        }
    }
    let field = ui.add(Field::new(t().transfer_to, &mut local.to).hint(t().transfer_hint));
    if std::mem::take(&mut local.focus) {
        field.request_focus();
    }
    let entered = field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    let to = local.to.trim().to_owned();
    // Between the field and the button, which stays in view, the rest scrolls.
    let below = CONTROL + MARGIN + 4.0 * GRID;
    let room = (ui.clip_rect().bottom() - ui.cursor().top() - below).max(SMALLEST);
    ScrollArea::vertical().id_salt("suggestions").max_height(room).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = GRID;
        for one in &suggestions {
            let name = fill(t().transfer_to_call, &[&one.title]);
            let row = match one.lamp {
                Some((sign, tone)) => Row::new(sign, &one.title).icon_color(tone.hue(tokens).text),
                None => Row::new(icon::CALL, &one.title),
            };
            if ui.push_id(&one.to, |ui| ui.add(row.detail(one.detail.as_deref()).name(name))).inner.clicked() {
                // Ready to be sent there, not sent: one press on a list never moves anybody.
                local.to.clone_from(&one.to);
                local.focus = true;
            }
        }
    });
    let look = if others.is_empty() { Look::Filled(tokens.accent) } else { Look::Tinted(tokens.accent) };
    let send = Button::new(t().transfer_now, look).icon(icon::TRANSFER).enabled(!to.is_empty()).name(t().transfer_this);
    if (ui.add(send.width(ui.available_width())).clicked() || entered) && !to.is_empty() {
        cx.ask(Intent::Transfer { call, to });
        local.done();
    }
}

/// A call that somebody else asks for.
pub fn asked(ui: &mut Ui, cx: &mut Cx<'_>) {
    let (Some(asked), Some(text)) = (&cx.snapshot.dial_asked, question(cx.snapshot)) else { return };
    let tokens = Tokens::of(ui);
    let answer = banner(ui, icon::INFO, tokens.accent, &text, |ui| {
        ui.horizontal_wrapped(|ui| {
            let yes = fill(t().dial_asked_yes, &[&asked.to]);
            let yes = ui.add(Button::new(&yes, Look::Filled(tokens.go)).icon(icon::ANSWER)).clicked();
            let no = ui.add(Button::new(t().dial_asked_no, Look::Tinted(tokens.neutral))).clicked();
            (yes || no).then_some(yes)
        })
        .inner
    });
    if let Some(accept) = answer {
        cx.ask(Intent::AnswerDial { request: asked.request, accept });
    }
}
