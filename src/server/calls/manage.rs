//! What may be seen of an account's calls.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{CallRecord, EndedBy, queries};
use crate::server::{
    contacts::Call,
    http::{
        App,
        page::{Listed, Page},
        problem::{Answer, ApiError, kind},
    },
    sessions::{Manager, Right},
};
use axum::http::StatusCode;

/// A call in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LiveCall {
    /// Opaque and unique among the calls in progress.
    pub id: String,
    /// SIP user that dialled: `100-acme`.
    pub from: String,
    /// What was dialled.
    pub to: String,
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    pub answered: bool,
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PastCall {
    /// SIP user that dialled: `100-acme`.
    pub from: String,
    /// Its extension's name.
    pub from_name: String,
    /// What was dialled.
    pub to: String,
    /// The name of the extension where that led.
    pub to_name: String,
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub answered_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub ended_at: Timestamp,
    /// Seconds that were spoken.
    pub duration: i64,
    /// How it ended, in a word and in a sentence.
    pub status: &'static str,
    pub detail: String,
    /// Who hung up, where somebody answered.
    #[schema(value_type = Option<EndedBy>)]
    pub ended_by: Option<EndedBy>,
}

/// The calls in progress, oldest first.
pub async fn live(app: &App, manager: &Manager, tenant: &str) -> Answer<Vec<LiveCall>> {
    let access = manager.account(app, tenant, Right::SeeCalls).await?;
    let mut calls = app.contacts.calls(access.account.realm()).await.map_err(|_| unlisted())?;
    calls.sort_by_key(|call| call.since);
    Ok(calls.into_iter().map(shown).collect())
}

/// The calls that are over, newest first.
pub async fn past(app: &App, manager: &Manager, tenant: &str, page: &Page) -> Answer<Listed<PastCall>> {
    let access = manager.account(app, tenant, Right::SeeCalls).await?;
    app.notebook.flush().await;
    let found = queries::list(&app.store.within(access.account.id), access.account.id, page).await?;
    Ok(page.of(found, recorded))
}

fn unlisted() -> ApiError {
    ApiError::refused(
        StatusCode::SERVICE_UNAVAILABLE,
        kind::BUSY,
        "Calls unknown",
        "The SIP side of this TMS does not say which calls are in progress. Try again; tell whoever runs the TMS if it lasts.",
    )
    .retry_after(5)
}

fn shown(Call { id, from, to, since, answered }: Call) -> LiveCall {
    LiveCall { id, from, to, since, answered }
}

fn recorded(record: CallRecord) -> PastCall {
    let (status, detail) = record.outcome();
    PastCall {
        duration: record.duration(),
        from: record.caller,
        from_name: record.caller_extension.name,
        to: record.dialled,
        to_name: record.callee_extension.name,
        started_at: record.started_at,
        answered_at: record.answered_at,
        ended_at: record.ended_at,
        status,
        detail,
        ended_by: record.ended_by,
    }
}
