//! A softphone's own registrations: who holds each, and the credential to hold one.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::queries::{self, RegistrationRow};
use crate::{
    server::{
        accounts, audit, clock,
        contacts::Contact,
        http::{
            App,
            idempotency::Once,
            input::{Input, Peer, Segments},
            problem::{Answer, ApiError, kind},
        },
        registry::Ha1,
        secrets,
        sessions::{self, Agent, Session},
    },
    tms::wire::{CredentialRequest, InUse, Problem, Registration, SipCredential, problem},
};

/// The registrations of the session's extensions, and who holds each now
#[utoipa::path(get, path = "/v1/me/registrations", tag = "softphone", security(("bearer" = [])),
    responses((status = 200, body = [Registration]), (status = 401, body = Problem)))]
pub async fn list(State(app): State<Arc<App>>, Agent(session): Agent) -> Answer<Json<Vec<Registration>>> {
    let rows = queries::of_session(&app.store.within(session.account.id), &session).await?;
    let names = rows.iter().map(|r| r.name.clone()).collect();
    let held = app.contacts.held(session.account.realm(), names).await;
    let show = |row: RegistrationRow| {
        let holder = held.iter().find(|c| c.registration == row.name);
        Registration {
            in_use: holder.map(|c| in_use(c, &session)),
            name: row.name,
            extension: row.extension,
            kind: row.kind,
            label: row.label,
            ring_inbound: row.ring_inbound,
        }
    };
    Ok(Json(rows.into_iter().map(show).collect()))
}

/// A SIP credential to hold a registration with
///
/// Bound to this session and installation; the one that the session had for this registration stops working. In use on
/// another device it is refused, unless `takeover` is asked for: then the other device is removed and kept away.
#[utoipa::path(post, path = "/v1/me/registrations/{name}/sip-credential", tag = "softphone", security(("bearer" = [])),
    params(("name" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = CredentialRequest,
    responses((status = 201, body = SipCredential), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn sip_credential(
    State(app): State<Arc<App>>,
    Agent(session): Agent,
    peer: Peer,
    Segments(name): Segments<String>,
    Input(wanted): Input<CredentialRequest>,
) -> Answer<Once<SipCredential>> {
    if !sessions::instance_id(&wanted.instance_id)?.eq_ignore_ascii_case(&session.instance_id) {
        return Err(ApiError::forbidden("This session belongs to another installation. Sign in on this one."));
    }
    let sip = app.reach.sip.as_ref().ok_or_else(|| {
        ApiError::refused(
            StatusCode::SERVICE_UNAVAILABLE,
            kind::FAILED,
            "No SIP side",
            "This TMS runs without its SIP side, so nothing can be registered with it. Whoever runs it must start it without \
             --no-sip.",
        )
    })?;
    let rows = queries::of_session(&app.store.within(session.account.id), &session).await?;
    let row = rows.into_iter().find(|r| r.name == name);
    let row = row.ok_or_else(|| ApiError::not_found(format_args!("The registration {name}")))?;
    let realm = session.account.realm();
    if !wanted.takeover {
        let held = app.contacts.held(realm, vec![name.clone()]).await;
        if let Some(other) = held.into_iter().find(|c| !is_this_device(c, &session)) {
            return Err(in_use_elsewhere(&row, &other));
        }
    }
    // Nobody is pushed off for an answer that cannot be given.
    let policy = accounts::media::of_account(&app.store, session.account.id).await?;
    let password = secrets::password();
    let username = store_credential(&app, peer, &session, &row, &password, wanted.takeover).await?;
    if wanted.takeover {
        app.contacts.take_over(realm, &name, session.id, &session.instance_id).await.map_err(|undone| {
            tracing::error!(%undone, "takeover");
            ApiError::refused(
                StatusCode::SERVICE_UNAVAILABLE,
                kind::BUSY,
                "SIP side unavailable",
                "The SIP side of this TMS does not answer, so the other device could not be removed. Try again; tell whoever \
                 runs the TMS if it lasts.",
            )
            .retry_after(5)
        })?;
    }
    let expires_at = clock::from_ms(session.expires_at);
    let media = app.media.tell(app.clock.now(), policy, &name, expires_at);
    let body = SipCredential {
        media: Some(Box::new(media)),
        aor: name,
        username,
        password,
        realm: realm.to_owned(),
        outbound_proxy: sip.outbound_proxy.clone(),
        outbound_proxy_tls: sip.outbound_proxy_tls.clone(),
        transports: sip.transports.clone(),
        expires_at,
    };
    Ok(Once { body, secrets: &["password", "media.turn.password"] })
}

async fn store_credential(
    app: &App,
    peer: Peer,
    session: &Session,
    row: &RegistrationRow,
    password: &str,
    takeover: bool,
) -> Answer<String> {
    // Four characters are one in a million: two alike are tried again.
    for _ in 0..8 {
        let username = format!("{}~{}", row.name, secrets::random(4));
        let ha1 = Ha1::of(&username, session.account.realm(), password);
        let mut tx = app.store.begin().await?;
        let stored = queries::set_credential(&mut tx, session.id, row.id, &username, &ha1, app.clock.now_ms()).await;
        match stored {
            Err(e) if e.as_database_error().is_some_and(|e| e.is_unique_violation()) => continue,
            Ok(false) => return Err(ApiError::not_found(format_args!("The registration {}", row.name))),
            stored => stored?,
        };
        if takeover {
            queries::withdraw_others(&mut tx, row.id, session.id).await?;
            let (account, actor) = (Some(session.account.id), &session.username);
            audit::record_in(&mut tx, app, account, actor, peer, "take over registration", &row.name).await?;
        }
        tx.commit().await?;
        return Ok(username);
    }
    Err(ApiError::conflict(kind::CONFLICT, "No free user name was found; try again."))
}

fn is_this_device(contact: &Contact, session: &Session) -> bool {
    // Schemes and UUIDs have no case (RFC 8141 §3.1, 9562 §4).
    contact.instance_id.as_ref().is_some_and(|instance| instance.eq_ignore_ascii_case(&session.instance_id))
}

fn in_use(contact: &Contact, session: &Session) -> InUse {
    InUse {
        device: contact.device.clone(),
        address: contact.address.to_string(),
        since: contact.since,
        this_device: is_this_device(contact, session),
    }
}

fn in_use_elsewhere(row: &RegistrationRow, other: &Contact) -> ApiError {
    ApiError::conflict(
        problem::REGISTRATION_IN_USE,
        format!(
            "{} is in use by {} at {}. Choose another registration, or take it over: that device goes offline then.",
            row.name, other.device, other.address
        ),
    )
}
