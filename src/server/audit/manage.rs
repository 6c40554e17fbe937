//! What may be seen of the audit.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::queries;
use crate::server::{
    http::{
        App,
        page::{Listed, Page},
        problem::Answer,
    },
    sessions::{Manager, Right},
};

/// Who did what to what, when and from where.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Entry {
    /// Of the account that it is about; null where it is about none, or a login that belongs to several.
    pub tenant: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub actor: String,
    pub address: String,
    pub action: String,
    pub object: String,
}

/// Who did what on an account, newest first.
pub async fn list(app: &App, manager: &Manager, tenant: &str, page: &Page) -> Answer<Listed<Entry>> {
    let access = manager.account(app, tenant, Right::SeeAudit).await?;
    let found = queries::list(&app.store, Some(access.account.id), page).await?;
    Ok(page.of(found, |entry| entry))
}

/// Who did what, on every account and on none, newest first; for operators.
pub async fn list_all(app: &App, manager: &Manager, page: &Page) -> Answer<Listed<Entry>> {
    manager.must_be_operator()?;
    Ok(page.of(queries::list(&app.store, None, page).await?, |entry| entry))
}
