//! What each action answers.

use std::collections::HashMap;

use maud::{Markup, html};

use super::{Action, XmlError, history};
use crate::{
    server::{
        api_keys::KeyRow,
        calls::{self, History},
        contacts::{Call, Contact, Unanswered},
        extensions,
        http::{App, problem::ApiError},
        registrations::{self, RegistrationRow},
        registry::Registry,
    },
    tms::wire::Kind,
};

/// What stands in the answer's `<XML>`.
pub async fn carry_out(app: &App, key: &KeyRow, action: Action) -> Result<Markup, XmlError> {
    match action {
        Action::DoNothing => Ok(html! { XML { "Nothing Done" } }),
        Action::GetExtensions => get_extensions(app, key).await,
        Action::GetSimpleSipStatus { username } => {
            let (row, holder) = registration(app, key, &username).await?;
            Ok(html! { XML {
                Status { "Success" }
                UserName { (row.name) }
                Registered { (holder.is_some()) }
            } })
        }
        Action::GetFullSipStatus { username } => {
            let (row, holder) = registration(app, key, &username).await?;
            Ok(html! { XML { Status { "Success" } (full(&row, holder.as_ref())) } })
        }
        Action::GetCurrentCalls => {
            let calls = app.contacts.calls(key.account.realm()).await.map_err(unanswered)?;
            Ok(html! { XML { Status { "Success" } Calls { @for call in &calls { (current(call)) } } } })
        }
        Action::HangUpChannel { channel } => hang_up(app, key, &channel).await,
        Action::Originate { extension, destination } => originate(app, key, &extension, &destination).await,
        Action::History(wanted) => get_history(app, key, &wanted).await,
        Action::NotHere(reason) => Err(XmlError::refused(reason)),
    }
}

async fn get_extensions(app: &App, key: &KeyRow) -> Result<Markup, XmlError> {
    let store = app.store.within(key.account.id);
    let extensions = extensions::all(&store, key.account.id).await?;
    let rows = registrations::of_account(&store, key.account.id).await?;
    let held = app.contacts.held(key.account.realm(), rows.iter().map(|r| r.name.clone()).collect()).await;
    let held: HashMap<&str, &Contact> = held.iter().map(|c| (c.registration.as_str(), c)).collect();
    let mut of_extension: HashMap<&str, Vec<&RegistrationRow>> = HashMap::new();
    for row in &rows {
        of_extension.entry(&row.extension).or_default().push(row);
    }
    Ok(html! { XML {
        Status { "Success" }
        @if let Some(sip) = &app.reach.sip {
            Sip {
                Domain { (key.account.realm()) }
                Server { (sip.outbound_proxy) }
                Transports { (sip.transports.join(" ")) }
            }
        }
        Extensions { @for extension in &extensions {
            Extension {
                Number { (extension.number) }
                Name { (clean(&extension.name)) }
                Enabled { (extension.enabled) }
                Registrations { @for row in of_extension.get(extension.number.as_str()).into_iter().flatten() {
                    Registration { (full(row, held.get(row.name.as_str()).copied())) }
                } }
            }
        } }
    } })
}

async fn hang_up(app: &App, key: &KeyRow, channel: &str) -> Result<Markup, XmlError> {
    if !app.contacts.hang_up(key.account.realm(), channel).await.map_err(unanswered)? {
        return Err(XmlError::refused(
            "There is no such call in progress that can be ended. GetCurrentCalls lists the calls with their channels.",
        ));
    }
    Ok(html! { XML { Status { "Success" } Channel { (clean(channel)) } } })
}

fn unanswered(why: Unanswered) -> XmlError {
    XmlError::refused(why.to_string())
}

async fn originate(app: &App, key: &KeyRow, extension: &str, destination: &str) -> Result<Markup, XmlError> {
    let realm = key.account.realm();
    let registry = Registry::new(app.store.within(key.account.id), app.clock.clone());
    let group = registry.ring_group(realm, extension).await.map_err(ApiError::from)?;
    let group = group.ok_or_else(|| {
        let number = clean(extension);
        XmlError::refused(format!("There is no extension {number} in this tenant, or it is disabled."))
    })?;
    let number = group.extension.number.clone();
    let begun = app.contacts.originate(realm, group, destination).await.map_err(unanswered)?;
    let channel = begun.map_err(XmlError::refused)?;
    Ok(html! { XML {
        Status { "Success" }
        Channel { (channel) }
        Extension { (number) }
        Destination { (destination) }
    } })
}

async fn get_history(app: &App, key: &KeyRow, wanted: &History) -> Result<Markup, XmlError> {
    let records = calls::history(&app.store.within(key.account.id), key.account.id, wanted).await?;
    Ok(html! { XML {
        Status { "Success" }
        Records { @for (id, call) in &records { (history::record(*id, call, wanted.direction)) } }
    } })
}

/// A registration of the key's own account, and who holds it.
async fn registration(app: &App, key: &KeyRow, name: &str) -> Result<(RegistrationRow, Option<Contact>), XmlError> {
    let row = registrations::by_name(&app.store.within(key.account.id), key.account.id, name)
        .await?
        .ok_or_else(|| XmlError::refused(format!("There is no SIP user {} in this tenant.", clean(name))))?;
    let holder = app.contacts.held(key.account.realm(), vec![row.name.clone()]).await.into_iter().next();
    Ok((row, holder))
}

fn full(row: &RegistrationRow, holder: Option<&Contact>) -> Markup {
    html! {
        UserName { (row.name) }
        Extension { (row.extension) }
        Type { (match row.kind { Kind::P => "Primary", Kind::S => "Additional" }) }
        Label { (clean(&row.label)) }
        RingInbound { (row.ring_inbound) }
        Enabled { (row.enabled) }
        Registered { (holder.is_some()) }
        @if let Some(holder) = holder {
            Device { (clean(&holder.device)) }
            Address { (holder.address) }
            Since { (holder.since) }
            Expires { (holder.expires_at) }
            @if let Some(took) = holder.latency { Latency { (took.as_millis()) } }
            @if let Some(instance) = &holder.instance_id { Instance { (clean(instance)) } }
        }
    }
}

fn current(call: &Call) -> Markup {
    html! { Call {
        Channel { (clean(&call.id)) }
        Source { (clean(&call.from)) }
        Destination { (clean(&call.to)) }
        StartTime { (call.since) }
        Answered { (call.answered) }
    } }
}

/// Without the control characters that XML 1.0 §2.2 forbids even escaped; a device may name itself as it likes.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}
