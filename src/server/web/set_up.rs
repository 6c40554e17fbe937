//! *Set up an agent*: pick the extension, send the one-time link, done.

use std::sync::Arc;

use axum::{Router, extract::State, response::Response, routing::get};
use jiff::Timestamp;
use maud::{Markup, Render, html};
use serde::Deserialize;

use super::{
    guard::{Form, chosen},
    icon::Icon,
    parts::{self, Field, Refusal},
    shell::Section,
    visitor::{At, Signed, escape},
};
use crate::{
    server::{
        api_keys::manage::{self as api_keys, ManagedKey, Scope},
        extensions::manage::{self as extensions, ManagedExtension},
        http::{
            App,
            input::{Asked, Peer, Segments},
            page::{Listed, Page},
            problem::Answer,
        },
        sessions::{Access, Right},
        setup::{self, Invitation, NewAgent},
    },
    tms::wire::Edition,
};

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/accounts/{tenant}/set-up", get(pick))
        .route("/accounts/{tenant}/set-up/{number}", get(agent).post(send))
}

const TITLE: &str = "Set up an agent";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Pick,
    Send,
    Done,
}

fn base(tenant: &str) -> String {
    format!("{}/set-up", Section::Account.of(tenant))
}

fn page(signed: &Signed, access: &Access, step: Step, refusal: Option<&Refusal>, body: &Markup) -> Response {
    let steps = [(Step::Pick, "Pick the extension"), (Step::Send, "Send the link"), (Step::Done, "Done")];
    let front = steps.iter().position(|(s, _)| *s == step).unwrap_or(0);
    let body = html! {
        (parts::head(TITLE, None, &html! {}))
        ol.steps {
            @for (at, (_, words)) in steps.iter().enumerate() {
                li.past[at < front] aria-current=[(at == front).then_some("step")] { (words) }
            }
        }
        (body)
    };
    signed.page_at(&At::of(access), Section::Extensions, parts::status(refusal), TITLE, None, &body)
}

async fn pick(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments(tenant): Segments<String>,
    Asked(asked): Asked<Page>,
) -> Answer<Response> {
    let access = signed.manager.account(&app, &tenant, Right::ManageExtensions).await?;
    let asked = parts::short(asked);
    let listed = extensions::list(&app, &signed.manager, &tenant, &asked).await?;
    Ok(page(&signed, &access, Step::Pick, None, &extensions_to_pick(&tenant, &listed, &asked)))
}

fn extensions_to_pick(tenant: &str, listed: &Listed<ManagedExtension>, asked: &Page) -> Markup {
    let base = base(tenant);
    html! {
        div.card {
            header { (parts::search(&base, "Search by number, name or user", asked)) }
            @if listed.rows.is_empty() {
                div.empty {
                    h2 { "No extension found" }
                    p { "Add the agent's extension first." }
                    a.button.main href={ (Section::Extensions.of(tenant)) "/new" } { (Icon::Add.draw()) "Add extension" }
                }
            } @else {
                div.choices {
                    @for extension in &listed.rows {
                        a href={ (base) "/" (extension.number) } {
                            div.two-lines {
                                span { strong.number { (extension.number) } " " (extension.name) }
                                span.weak { (extension.login.as_deref().unwrap_or("No TMS account yet")) }
                            }
                            (Icon::Right.draw())
                        }
                    }
                }
                (parts::pages(&base, asked, listed.next))
            }
        }
    }
}

async fn agent(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    form(&app, &signed, (&tenant, &number), None, None).await
}

#[derive(Deserialize)]
struct Given {
    name: Option<String>,
    username: Option<String>,
    #[serde(default)]
    api_key: String,
}

async fn send(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let wanted =
        NewAgent { name: given.name.clone(), username: given.username.clone(), api_key: chosen(&given.api_key)? };
    match parts::refused(setup::begin(&app, &signed.manager, peer, (&tenant, &number), wanted).await)? {
        Ok(invitation) => {
            let access = signed.manager.account(&app, &tenant, Right::SeeExtensions).await?;
            Ok(page(&signed, &access, Step::Done, None, &made(&tenant, &number, &invitation)))
        }
        Err(refusal) => form(&app, &signed, (&tenant, &number), Some(&given), Some(&refusal)).await,
    }
}

async fn form(
    app: &App,
    signed: &Signed,
    (tenant, number): (&str, &str),
    given: Option<&Given>,
    refusal: Option<&Refusal>,
) -> Answer<Response> {
    let (access, _) = signed.manager.extension(app, tenant, number, Right::ManageExtensions).await?;
    let extension = extensions::read(app, &signed.manager, tenant, number).await?;
    let keys = api_keys::list(app, &signed.manager, tenant, &Page::default()).await?.rows;
    let edition = access.account.account.edition;
    let keys = (keys.as_slice(), app.clock.now());
    let body = form_body((tenant, edition), &extension, keys, &signed.form_token(), given, refusal);
    Ok(page(signed, &access, Step::Send, refusal, &body))
}

fn form_body(
    (tenant, edition): (&str, Edition),
    extension: &ManagedExtension,
    (keys, now): (&[ManagedKey], Timestamp),
    form_token: &str,
    given: Option<&Given>,
    refusal: Option<&Refusal>,
) -> Markup {
    let usable: Vec<_> = keys.iter().filter(|key| key.usable_for(Scope::Agent, now)).collect();
    let options: Vec<_> =
        usable.iter().map(|key| (key.id.to_string(), format!("{} ({}…)", key.name, key.prefix))).collect();
    let chosen = match (given, extension.api_key) {
        (Some(given), _) => given.api_key.clone(),
        (None, key) => key.map(|key| key.to_string()).unwrap_or_default(),
    };
    html! {
        div.card.pad {
            h2 { span.number { (extension.number) } " " (extension.name) }
            (parts::trouble(refusal, &["name", "username"]))
            form.stack method="post" action={ (base(tenant)) "/" (extension.number) } {
                (parts::hidden_once(form_token))
                @match &extension.login {
                    Some(login) => p { "It belongs to " strong { (login) } ", who gets a new link. The password that is set with it "
                        "takes the place of the present one." },
                    None => {
                        (Field::text("name", "Agent's full name").value(given.and_then(|g| g.name.as_deref()).unwrap_or(&extension.name)).refusal(refusal).render())
                        (Field::text("username", "User name").value(given.and_then(|g| g.username.as_deref()).unwrap_or_default()).focused()
                            .hint("Mostly the agent's e-mail address.").refusal(refusal).render())
                    }
                }
                @if options.len() > 1 { (parts::select("api_key", "API key for Agent Manager", &options, &chosen)) }
                div.row.end {
                    a.button href=(base(tenant)) { "Back" }
                    button.main type="submit" { "Make the link" }
                }
            }
        }
        p.small.weak {
            @if extension.login.is_none() { "This makes the TMS account and ties it to the extension, enables the API key on it, and " }
            @else { "This enables the API key on the extension, and " }
            @match edition {
                Edition::Express => "gives Agent Manager its primary registration.",
                Edition::Enterprise | Edition::Integrator => {
                    "adds a registration of its own for Agent Manager, which rings with the primary."
                }
            }
        }
    }
}

fn made(tenant: &str, number: &str, invitation: &Invitation) -> Markup {
    html! {
        (link(invitation, "set up Agent Manager"))
        div.row {
            a.button href=(base(tenant)) { "Set up another agent" }
            a.button.main href={ (Section::Extensions.of(tenant)) "/" (number) } { "To the extension" }
        }
    }
}

/// The link, to copy or to send.
pub fn link(invitation: &Invitation, what_for: &str) -> Markup {
    let text = format!(
        "Hello {},\n\nopen this link to {what_for}:\n\n{}\n\nIt works once, until {}.\n",
        invitation.name,
        invitation.url,
        invitation.expires_at.strftime("%H:%M UTC"),
    );
    html! {
        div.card.pad {
            h2 { "The link for " (invitation.name) }
            (parts::once("link", "One-time link", &invitation.url))
            div.row {
                a.button href={ "mailto:" (invitation.email.as_deref().map(escape).unwrap_or_default()) "?subject=" (escape("Your telephone")) "&body=" (escape(&text)) } {
                    "Send by e-mail"
                }
                span.small.weak { "Good once, until " (parts::moment(invitation.expires_at)) ". It is shown this once; make another if it gets lost." }
            }
            @if let Some(registration) = &invitation.registration {
                dl.facts {
                    dt { "User name" } dd { (invitation.username) }
                    dt { "Registration" } dd.code { (registration) }
                }
            }
        }
    }
}
