//! The fields of a plain SIP account that few need: how to get to the server, and what is asked of calls.

use super::data::Draft;
use crate::ui::{
    icon,
    screen::account::data::{encryption_name, transport_name},
    snapshot::{AudioEncryption, SipTransport},
    text::t,
    theme::{GRID, Tokens},
    widget::{Button, Field, Look, choose, spacer, switch},
};
use egui::{Key, Ui};

/// True when Enter was pressed in a field.
pub fn more(ui: &mut Ui, draft: &mut Draft, busy: bool, secret_hint: &str) -> bool {
    let (label, sign) = if draft.more { (t().fewer_settings, icon::UP) } else { (t().more_settings, icon::DOWN) };
    if ui.add(Button::new(label, Look::Plain(Tokens::of(ui).accent)).icon(sign)).clicked() {
        draft.more = !draft.more;
    }
    if !draft.more {
        return false;
    }
    let sip = &mut draft.sip;
    let mut entered = false;
    let mut add = |ui: &mut Ui, field: Field<'_>| {
        let response = ui.add(field.enabled(!busy));
        entered |= response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    };
    add(ui, Field::new(t().auth_user, &mut sip.username).hint(t().auth_user_hint));
    add(ui, Field::new(t().outbound_proxy, &mut sip.outbound_proxy).hint(t().outbound_proxy_hint));
    ui.add_enabled_ui(!busy, |ui| choose(ui, t().transport, &SipTransport::ALL, &mut sip.transport, transport_name));
    add(ui, Field::new(t().ca_file, &mut sip.ca_file).hint(t().ca_file_hint));
    add(ui, Field::new(t().dns_server, &mut sip.dns_server).hint(t().dns_server_hint));
    add(ui, Field::new(t().stun_server, &mut sip.stun_server).hint(t().stun_server_hint));
    add(ui, Field::new(t().turn_server, &mut sip.turn_server).hint(t().turn_server_hint));
    if !sip.turn_server.trim().is_empty() {
        add(ui, Field::new(t().turn_username, &mut sip.turn_username));
        let password = Field::new(t().turn_password, &mut sip.turn_password.0);
        let password = password.hint(secret_hint).secret(t().show_password, t().hide_password);
        add(ui, password);
    }
    add(ui, Field::new(t().quality_collector, &mut sip.quality_collector).hint(t().quality_collector_hint));
    ui.add_enabled_ui(!busy, |ui| {
        choose(ui, t().audio_encryption, &AudioEncryption::ALL, &mut sip.encryption, encryption_name);
    });
    spacer(ui, 1.0);
    if switch(ui, sip.register, t().register, t().register_hint) && !busy {
        sip.register = !sip.register;
    }
    ui.add_space(GRID);
    entered
}
