//! What operators do with accounts: add one, alter its edition and status. Its name is its administrator's to alter too.

use std::{fmt::Display, sync::Arc};

use axum::{extract::State, response::Response};
use maud::{Markup, Render, html};
use serde::Deserialize;

use super::{edition, home};
use crate::{
    server::{
        accounts::manage::{self, AccountChange, ManagedAccount, NewAccount},
        http::{
            App,
            input::{Peer, Segments},
            page::Page,
            problem::{Answer, ApiError},
        },
        web::{
            guard::{Form, ticked},
            parts::{self, Field, Refusal},
            shell::Section,
            visitor::Signed,
        },
    },
    tms::wire::{Edition, MediaPolicy, Recording, Srtp},
};

const EDITIONS: [Edition; 3] = [Edition::Express, Edition::Enterprise, Edition::Integrator];

fn editions() -> Vec<(String, String)> {
    EDITIONS.iter().map(|e| (edition(*e).to_owned(), words(*e).to_owned())).collect()
}

fn words(edition: Edition) -> &'static str {
    match edition {
        Edition::Express => "Express: one registration per extension",
        Edition::Enterprise => "Enterprise: two additional registrations per extension",
        Edition::Integrator => "Integrator: two additional registrations per extension",
    }
}

/// Browsers offer the names they know while it is typed, where the script runs.
fn time_zone(value: &str, refusal: Option<&Refusal>) -> Markup {
    html! {
        (Field::text("time_zone", "Time zone").value(value).longest(50).list("time-zones").refusal(refusal)
            .hint("A name such as Europe/Berlin.").render())
        datalist id="time-zones" data-zones {}
    }
}

fn chosen(word: &str) -> Answer<Edition> {
    let found = EDITIONS.into_iter().find(|e| edition(*e) == word);
    found.ok_or_else(|| ApiError::invalid("edition must be one of those that the form offers."))
}

pub async fn new(State(app): State<Arc<App>>, signed: Signed) -> Answer<Response> {
    signed.manager.must_be_operator()?;
    let given = Given { edition: "Enterprise".into(), time_zone: "UTC".into(), ..Given::default() };
    form(&app, &signed, &given, None).await
}

#[derive(Default, Deserialize)]
pub struct Given {
    name: String,
    tenant: String,
    realm: Option<String>,
    edition: String,
    time_zone: String,
    #[serde(default)]
    parent: String,
}

pub async fn create(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let wanted = NewAccount {
        name: given.name.clone(),
        tenant: given.tenant.trim().to_lowercase(),
        realm: given.realm.clone().map(|r| r.trim().to_lowercase()).filter(|r| !r.is_empty()),
        edition: chosen(&given.edition)?,
        time_zone: Some(given.time_zone.trim().to_owned()),
        parent: Some(given.parent.trim().to_lowercase()).filter(|parent| !parent.is_empty()),
        emergency_numbers: None,
    };
    match parts::refused(manage::create(&app, &signed.manager, peer, wanted).await)? {
        Ok(made) => {
            let said = format!("The account {} was added. Add its administrator next.", made.account.name);
            Ok(signed.to(&Section::Users.of(&made.account.tenant), &said))
        }
        Err(refusal) => form(&app, &signed, &given, Some(&refusal)).await,
    }
}

/// Accounts offered while somebody types; others are found by typing the whole tenant.
const OFFERED: u32 = 500;

async fn form(app: &App, signed: &Signed, given: &Given, refusal: Option<&Refusal>) -> Answer<Response> {
    let first = Page { limit: Some(OFFERED), ..Page::default() };
    let offered = manage::list(app, &signed.manager, &first).await?.rows;
    let body = html! {
        (parts::trouble(refusal, &["name", "tenant", "realm", "time_zone", "parent"]))
        form.stack method="post" action="/accounts/new" {
            (parts::hidden_once(&signed.form_token()))
            (Field::text("name", "Name").value(&given.name).focused().refusal(refusal).render())
            (Field::text("tenant", "Tenant").value(&given.tenant).longest(30).refusal(refusal)
                .hint("One word of lower-case letters and digits, the last part of every SIP user name: 100-acme. It never changes.").render())
            (Field::text("realm", "Realm").value(given.realm.as_deref().unwrap_or_default()).optional().refusal(refusal)
                .hint("SIP domain and digest realm; the tenant where it is left empty. It never changes.").render())
            (parts::select("edition", "Edition", &editions(), &given.edition))
            (time_zone(&given.time_zone, refusal))
            (Field::text("parent", "Made under").value(&given.parent).longest(30).optional().list("parents").refusal(refusal)
                .hint("Tenant of a reseller, say: its administrators manage this account too. It never changes.").render())
            datalist id="parents" { @for row in &offered { option value=(row.account.tenant) { (row.account.name) } } }
            (parts::send("Add New Account", "/accounts"))
        }
    };
    let page = parts::sheet(&parts::crumb("/accounts", "Accounts"), "Add New Account", &body);
    Ok(signed.page_with(parts::status(refusal), Section::Accounts, "Add New Account", &page))
}

#[derive(Deserialize)]
pub struct Changed {
    name: String,
    time_zone: String,
    emergency_numbers: String,
    srtp: Option<Srtp>,
    recording: Option<Recording>,
    recording_tone: Option<String>,
    edition: Option<String>,
    enabled: Option<String>,
}

impl Changed {
    /// People put spaces between them, or what they put between things elsewhere.
    fn numbers(&self) -> Vec<String> {
        let numbers = self.emergency_numbers.split([' ', ',', ';']).filter(|number| !number.is_empty());
        numbers.map(str::to_owned).collect()
    }

    /// What was typed, in place of what is kept.
    pub fn show_in(&self, row: &mut ManagedAccount) {
        row.account.name.clone_from(&self.name);
        row.time_zone.clone_from(&self.time_zone);
        row.account.emergency_numbers = self.numbers();
        row.media.srtp = self.srtp.unwrap_or(row.media.srtp);
        row.media.recording = self.recording.unwrap_or(row.media.recording);
        row.media.recording_tone = ticked(self.recording_tone.as_ref());
    }
}

pub async fn update(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Form(given): Form<Changed>,
) -> Answer<Response> {
    let operator = signed.manager.operator;
    let change = AccountChange {
        name: Some(given.name.clone()),
        time_zone: Some(given.time_zone.trim().to_owned()),
        edition: given.edition.as_deref().map(chosen).transpose()?,
        enabled: operator.then(|| ticked(given.enabled.as_ref())),
        emergency_numbers: Some(given.numbers()),
        srtp: given.srtp,
        recording: given.recording,
        recording_tone: Some(ticked(given.recording_tone.as_ref())),
        ..AccountChange::default()
    };
    match parts::refused(manage::update(&app, &signed.manager, peer, &tenant, change).await)? {
        Ok(_) => Ok(signed.to(&Section::Account.of(&tenant), "The account was updated.")),
        Err(refusal) => home::shown(&app, &signed, &tenant, Some(&refusal), Some(&given)).await,
    }
}

fn offered<T: Display>(words: impl IntoIterator<Item = (T, &'static str)>) -> Vec<(String, String)> {
    words.into_iter().map(|(value, words)| (value.to_string(), words.to_owned())).collect()
}

/// What holds for agents' calls.
fn calls(policy: &MediaPolicy) -> Markup {
    let srtp = [
        (Srtp::Optional, "Where the other side takes it"),
        (Srtp::Sdes, "Always, or no call (SDES)"),
        (Srtp::Dtls, "Always, or no call (DTLS)"),
        (Srtp::Off, "Never"),
    ];
    let recording = [
        (Recording::Allowed, "Agents may record their calls"),
        (Recording::Required, "Every call is recorded, on the agent's computer"),
        (Recording::Forbidden, "No call is recorded"),
    ];
    html! {
        (parts::select("srtp", "Encryption of calls", &offered(srtp), &policy.srtp.to_string()))
        (parts::select("recording", "Recording", &offered(recording), &policy.recording.to_string()))
        (parts::tick("recording_tone", "Sound a tone while recording, which both sides hear", policy.recording_tone))
        p.small.weak { "Agents who are online are told of a change at once. Encryption holds from the next call on; an Agent Manager that was \
            started with its own rule keeps that. Recording begins, or stops, in calls that go on, too." }
    }
}

/// The settings of an account; edition and status are the operator's.
pub fn settings(row: &ManagedAccount, operator: bool, form_token: &str, refusal: Option<&Refusal>) -> Markup {
    html! {
        div.card.pad {
            h2 { "Account" }
            dl.facts {
                dt { "Tenant" } dd.code { (row.account.tenant) }
                dt { "SIP domain and realm" } dd.code { (row.account.realm) }
                @if let Some(parent) = &row.parent { dt { "Made under" } dd.code { (parent) } }
                @if !operator { dt { "Edition" } dd { (words(row.account.edition)) } }
            }
            form.stack method="post" action={ (Section::Account.of(&row.account.tenant)) "/settings" } {
                (parts::hidden(form_token))
                (Field::text("name", "Name").value(&row.account.name).refusal(refusal).render())
                (time_zone(&row.time_zone, refusal))
                (Field::text("emergency_numbers", "Emergency numbers").value(&row.account.emergency_numbers.join(" ")).longest(150)
                    .refusal(refusal).hint("With spaces between. They are never refused; Agent Manager dials them offline, too, \
                        from its next sign-in on.").render())
                (calls(&row.media))
                @if operator {
                    (parts::select("edition", "Edition", &editions(), edition(row.account.edition)))
                    (parts::tick("enabled", "Enabled: its users may sign in and its devices may register", row.enabled))
                }
                div.row { button.main type="submit" { "Update" } }
            }
        }
    }
}
