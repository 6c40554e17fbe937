//! One's own profile: password, second factor, and where one is signed in.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use maud::{Markup, PreEscaped, Render, html};
use qrcode::{QrCode, render::svg};
use serde::Deserialize;

use super::{
    guard::Form,
    icon::Icon,
    parts::{self, Field, Refusal},
    shell::Section,
    visitor::{CHOOSE_ANOTHER, Signed},
};
use crate::server::{
    http::{App, input::Peer, problem::Answer},
    second_factor::{self, Enrolment, Standing},
    sessions::{
        Manager,
        own::{self, NewPassword, OwnSession},
    },
};

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/profile", get(page))
        .route("/profile/password", post(password))
        .route("/profile/sessions", post(end_session))
        .route("/profile/second-factor", get(enrol).post(confirm))
        .route("/profile/second-factor/codes", get(ask_codes).post(renew_codes))
        .route("/profile/second-factor/off", get(ask_off).post(turn_off))
}

async fn page(State(app): State<Arc<App>>, signed: Signed) -> Answer<Response> {
    shown(&app, &signed, None).await
}

async fn shown(app: &App, signed: &Signed, refusal: Option<&Refusal>) -> Answer<Response> {
    if signed.manager.password_given {
        return Ok(first_password(signed, refusal));
    }
    let standing = second_factor::standing(app, signed.manager.login).await?;
    let sessions = own::sessions(app, &signed.manager).await?;
    let factor = two_steps(&standing, cannot_turn_on(app, &signed.manager));
    let body = body(&signed.manager.username, &factor, &sessions, &signed.form_token(), refusal);
    Ok(signed.page_with(parts::status(refusal), Section::Profile, Section::Profile.title(), &body))
}

/// All that there is for who has not chosen a password yet.
fn first_password(signed: &Signed, refusal: Option<&Refusal>) -> Response {
    let body = html! {
        (parts::head("Choose your password", Some(&html! { (signed.manager.username) }), &html! {}))
        div.card.pad {
            p { (CHOOSE_ANOTHER) }
            (password_form("Password that you were given", &signed.form_token(), refusal))
        }
    };
    signed.page_with(parts::status(refusal), Section::Profile, "Choose your password", &body)
}

fn password_form(current: &str, form_token: &str, refusal: Option<&Refusal>) -> Markup {
    html! {
        (parts::trouble(refusal, &["current", "password"]))
        form.stack method="post" action="/profile/password" {
            (parts::hidden(form_token))
            (Field::password("current", current, "current-password").refusal(refusal).render())
            (Field::new_password("password", "New password").refusal(refusal).render())
            p.small.weak { "You are signed out everywhere else, in Agent Manager too." }
            div.row { button.main type="submit" { "Change password" } }
        }
    }
}

fn body(
    username: &str,
    two_steps: &Markup,
    sessions: &[OwnSession],
    form_token: &str,
    refusal: Option<&Refusal>,
) -> Markup {
    html! {
        (parts::head(Section::Profile.title(), Some(&html! { (username) }), &html! {}))
        div.card.pad {
            h2 { "Password" }
            (password_form("Current password", form_token, refusal))
        }
        (two_steps)
        (session_list(sessions, form_token))
    }
}

/// Why two-step sign-in is not offered: the rules would refuse it.
fn cannot_turn_on(app: &App, manager: &Manager) -> Option<&'static str> {
    let no_key = "It cannot be turned on yet: this TMS has no key to keep its secrets with. Whoever runs it starts it with \
        --secrets-key.";
    match (app.vault.has_key(), second_factor::is_allowed(app, manager)) {
        (false, _) => Some(no_key),
        (true, false) => Some(second_factor::NOT_ALLOWED),
        (true, true) => None,
    }
}

fn two_steps(standing: &Standing, cannot: Option<&str>) -> Markup {
    html! {
        div.card.pad {
            div.row {
                h2 { "Two-step sign-in" }
                @match standing { Standing::Off => span.mark { "Off" }, Standing::On { .. } => span.mark.go { "On" } }
            }
            p { "After the password, this TMS asks for a code from an authenticator on your telephone. Agent Manager does not ask "
                "for it; it has the API key." }
            @match (standing, cannot) {
                (Standing::Off, Some(why)) => p.small.weak { (why) },
                (Standing::Off, None) => div.row { a.button.main href="/profile/second-factor" { "Turn on" } },
                (Standing::On { recovery_codes_left }, _) => {
                    p.small.weak { (recovery_codes_left) " recovery codes are left." }
                    div.row {
                        a.button href="/profile/second-factor/codes" data-dialog { "New recovery codes" }
                        a.button href="/profile/second-factor/off" data-dialog { "Turn off" }
                    }
                }
            }
        }
    }
}

fn session_list(sessions: &[OwnSession], form_token: &str) -> Markup {
    html! {
        div.card {
            header { h2 { "Where you are signed in" } }
            div.scroll {
                table.folds {
                    thead { tr {
                        th scope="col" { "Device" } th scope="col" { "Address" } th scope="col" { "Since" }
                        th scope="col" { span.hidden-text { "Actions" } }
                    } }
                    tbody {
                        @for session in sessions {
                            tr {
                                td { span.two-lines { (parts::browser(&session.device)) span.weak { (kind(&session.id)) } } }
                                td data-label="Address" { span.number { (session.address) } }
                                td data-label="Since" { (parts::moment(session.created_at)) }
                                td.actions {
                                    @if session.current {
                                        span.mark.go { "This one" }
                                    } @else {
                                        form method="post" action="/profile/sessions" {
                                            (parts::hidden(form_token))
                                            input type="hidden" name="session" value=(session.id);
                                            button.quiet.slim type="submit" { "End" span.hidden-text { " the session of " (session.device) } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn kind(session: &str) -> &'static str {
    match session.split_once('-').map(|(kind, _)| kind) {
        Some("browser") => "Browser",
        Some(own::SOFTPHONE) => "Agent Manager",
        _ => "Program, by the REST API",
    }
}

#[derive(Deserialize)]
struct Ended {
    session: String,
}

async fn end_session(State(app): State<Arc<App>>, signed: Signed, Form(given): Form<Ended>) -> Answer<Response> {
    own::end_session(&app, &signed.manager, &given.session).await?;
    Ok(signed.to("/profile", "The session has ended."))
}

async fn password(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Form(given): Form<NewPassword>,
) -> Answer<Response> {
    match parts::refused(own::change_password(&app, &signed.manager, peer, &given).await)? {
        // Every session has ended with it; this browser goes on with a new one.
        Ok(session) => {
            let on = if signed.manager.password_given { "/accounts" } else { "/profile" };
            let response = signed.to(on, "The password was changed.");
            Ok(signed.with_session(response, Some(&session.token)))
        }
        Err(refusal) => shown(&app, &signed, Some(&refusal)).await,
    }
}

async fn enrol(State(app): State<Arc<App>>, signed: Signed) -> Answer<Response> {
    let enrolment = second_factor::enrol(&app, &signed.manager).await?;
    Ok(enrolment_page(&signed, &enrolment, None))
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

async fn confirm(State(app): State<Arc<App>>, signed: Signed, peer: Peer, Form(given): Form<Code>) -> Answer<Response> {
    match parts::refused(second_factor::confirm(&app, &signed.manager, peer, &given.code).await)? {
        Ok(codes) => Ok(signed.page(Section::Profile, "Recovery codes", &recovery("Two-step sign-in is on", &codes))),
        Err(refusal) => {
            let enrolment = second_factor::enrol(&app, &signed.manager).await?;
            Ok(enrolment_page(&signed, &enrolment, Some(&refusal)))
        }
    }
}

fn enrolment_page(signed: &Signed, enrolment: &Enrolment, refusal: Option<&Refusal>) -> Response {
    let body = html! {
        (parts::trouble(refusal, &["code"]))
        p { "Scan this with an authenticator on your telephone, then type the code that it shows. Your other browsers and programs are signed out then." }
        div.row {
            div.qr role="img" aria-label="QR code of the secret, which also stands beside it" { (picture(&enrolment.url)) }
            div.two-lines { span.weak { "Or type this into it:" } span.code { (in_groups(&enrolment.secret, 4)) } }
        }
        form.stack method="post" action="/profile/second-factor" {
            (parts::hidden_once(&signed.form_token()))
            (Field::text("code", "Code").longest(20).numeric().autocomplete("one-time-code").focused().refusal(refusal).render())
            (parts::send("Turn on", "/profile"))
        }
    };
    let page = parts::sheet(&parts::crumb("/profile", Section::Profile.title()), "Turn two-step sign-in on", &body);
    signed.page_with(parts::status(refusal), Section::Profile, "Two-step sign-in", &page)
}

/// The picture of an address; nothing where it is too long for one, for then it is typed.
fn picture(url: &str) -> Markup {
    let Ok(code) = QrCode::new(url.as_bytes()) else { return html! {} };
    let picture = code.render::<svg::Color>().quiet_zone(false).build();
    PreEscaped(picture.split_once("?>").map_or(picture.clone(), |(_, svg)| svg.to_owned()))
}

fn in_groups(secret: &str, of: usize) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(of).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

fn recovery(title: &str, codes: &[String]) -> Markup {
    let body = html! {
        div.said.hold { (Icon::Warning.draw()) p { "Keep these where you find them without your telephone. Each lets you sign in once in place of a code. They are shown this once." } }
        ul.codes { @for code in codes { li.code { (in_groups(code, 5)) } } }
        (parts::close("/profile"))
    };
    parts::sheet(&parts::crumb("/profile", Section::Profile.title()), title, &body)
}

async fn ask_codes(signed: Signed) -> Response {
    password_page(&signed, &CODES, None)
}

async fn renew_codes(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Form(given): Form<Password>,
) -> Answer<Response> {
    match parts::refused(second_factor::renew_codes(&app, &signed.manager, peer, &given.password).await)? {
        Ok(codes) => Ok(signed.page(Section::Profile, "Recovery codes", &recovery("New recovery codes", &codes))),
        Err(refusal) => Ok(password_page(&signed, &CODES, Some(&refusal))),
    }
}

async fn ask_off(signed: Signed) -> Response {
    password_page(&signed, &OFF, None)
}

#[derive(Deserialize)]
struct Password {
    password: String,
}

async fn turn_off(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Form(given): Form<Password>,
) -> Answer<Response> {
    match parts::refused(second_factor::turn_off(&app, &signed.manager, peer, &given.password).await)? {
        Ok(()) => Ok(signed.to("/profile", "Two-step sign-in is off.")),
        Err(refusal) => Ok(password_page(&signed, &OFF, Some(&refusal))),
    }
}

/// What is done for who proves himself by the password once more.
struct Proved {
    address: &'static str,
    title: &'static str,
    about: &'static str,
    button: &'static str,
}

const CODES: Proved = Proved {
    address: "/profile/second-factor/codes",
    title: "New recovery codes?",
    about: "Those that are left stop working.",
    button: "Make new codes",
};

const OFF: Proved = Proved {
    address: "/profile/second-factor/off",
    title: "Turn two-step sign-in off?",
    about: "Your password alone signs you in then, and the recovery codes are worth nothing.",
    button: "Turn off",
};

fn password_page(signed: &Signed, what: &Proved, refusal: Option<&Refusal>) -> Response {
    let body = html! {
        (parts::trouble(refusal, &[]))
        p { (what.about) }
        form.stack method="post" action=(what.address) {
            (parts::hidden(&signed.form_token()))
            (Field::password("password", "Your password", "current-password").focused().render())
            (parts::send(what.button, "/profile"))
        }
    };
    let page = parts::sheet(&parts::crumb("/profile", Section::Profile.title()), what.title, &body);
    signed.page_with(parts::status(refusal), Section::Profile, "Two-step sign-in", &page)
}
