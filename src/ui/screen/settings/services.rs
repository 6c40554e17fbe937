//! Settings › Calls: do not disturb, forwarding, and what the phone system may ask for.

use crate::ui::{
    screen::Cx,
    snapshot::{Intent, Services},
    text::t,
    theme::{Tokens, body},
    widget::{Button, Field, Look, card, spacer, switch},
};
use egui::{Id, Ui};

/// What is typed, and what it was when typing began.
#[derive(Clone, Default)]
struct Draft {
    from: Services,
    typed: Services,
    after: String,
}

pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    let Some(now) = &cx.snapshot.services else { return };
    let mut changed = now.clone();
    card(ui, |ui| {
        let switches = [
            (&mut changed.do_not_disturb, t().do_not_disturb, t().do_not_disturb_hint),
            (&mut changed.do_not_disturb_as_unreachable, t().as_unreachable, t().as_unreachable_hint),
            (&mut changed.answer_on_request, t().answer_on_request, t().answer_on_request_hint),
            (&mut changed.withhold_identity, t().withhold_identity, t().withhold_identity_hint),
        ];
        for (number, (on, label, hint)) in switches.into_iter().enumerate() {
            if number > 0 {
                spacer(ui, 3.0);
            }
            if switch(ui, *on, label, hint) {
                *on = !*on;
            }
        }
    });
    if changed != *now {
        return cx.ask(Intent::Services(changed));
    }
    forwarding(ui, cx, now);
}

fn forwarding(ui: &mut Ui, cx: &mut Cx<'_>, now: &Services) {
    let id = Id::unique("forwarding");
    let mut draft = ui
        .data(|data| data.get_temp::<Draft>(id))
        .filter(|draft| draft.from == *now)
        .unwrap_or_else(|| Draft { from: now.clone(), typed: now.clone(), after: now.forward_after_s.to_string() });
    let typed = &mut draft.typed;
    card(ui, |ui| {
        ui.label(body(t().forward_title));
        spacer(ui, 1.0);
        for (label, value) in [
            (t().forward_always, &mut typed.forward_always),
            (t().forward_busy, &mut typed.forward_busy),
            (t().forward_no_answer, &mut typed.forward_no_answer),
        ] {
            ui.add(Field::new(label, value).hint(t().forward_hint));
            spacer(ui, 1.0);
        }
        ui.add(Field::new(t().forward_after, &mut draft.after));
        spacer(ui, 1.0);
        ui.add(Field::new(t().pickup_prefix, &mut typed.pickup_prefix).hint(t().pickup_prefix_hint));
        spacer(ui, 2.0);
        // What is no number is refused in words where it is applied.
        typed.forward_after_s = draft.after.trim().parse().unwrap_or_default();
        let ready = typed != now;
        let apply = Button::new(t().apply_forwarding, Look::Filled(Tokens::of(ui).accent)).enabled(ready);
        if ui.add(apply).clicked() {
            cx.ask(Intent::Services(typed.clone()));
        }
    });
    ui.data_mut(|data| data.insert_temp(id, draft));
}
