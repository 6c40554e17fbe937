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
pub fn more(ui: &mut Ui, draft: &mut Draft, busy: bool) -> bool {
    let (label, sign) = if draft.more { (t().fewer_settings, icon::UP) } else { (t().more_settings, icon::DOWN) };
    if ui.add(Button::new(label, Look::Plain(Tokens::of(ui).accent)).icon(sign)).clicked() {
        draft.more = !draft.more;
    }
    if !draft.more {
        return false;
    }
    let sip = &mut draft.sip;
    let mut entered = false;
    let mut field = |ui: &mut Ui, label, value: &mut String, hint| {
        let response = ui.add(Field::new(label, value).hint(hint).enabled(!busy));
        entered |= response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    };
    field(ui, t().auth_user, &mut sip.username, t().auth_user_hint);
    field(ui, t().outbound_proxy, &mut sip.outbound_proxy, t().outbound_proxy_hint);
    ui.add_enabled_ui(!busy, |ui| choose(ui, t().transport, &SipTransport::ALL, &mut sip.transport, transport_name));
    field(ui, t().ca_file, &mut sip.ca_file, t().ca_file_hint);
    field(ui, t().dns_server, &mut sip.dns_server, t().dns_server_hint);
    field(ui, t().stun_server, &mut sip.stun_server, t().stun_server_hint);
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
