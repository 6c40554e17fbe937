//! What the portal and the API show of refusals.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Why, queries};
use crate::server::{
    clock,
    http::{App, problem::Answer},
    sessions::{Manager, Right},
};

/// A device that was not let in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownRefusal {
    /// Name of the registration that it wanted.
    pub registration: String,
    /// What happened and the way out.
    pub sentence: String,
    pub address: String,
    /// Empty where it gives no name.
    pub device: String,
    /// How often, from the first time to the last.
    pub times: i64,
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
}

/// The last refusals of an extension's registrations, newest first.
pub async fn of_extension(app: &App, manager: &Manager, tenant: &str, number: &str) -> Answer<Vec<ShownRefusal>> {
    let (access, extension) = manager.extension(app, tenant, number, Right::SeeExtensions).await?;
    app.notebook.flush().await;
    let rows = queries::of_extension(&app.store.within(access.account.id), extension.id).await?;
    let shown = |row: queries::RefusalRow| {
        // A word of a newer version, which shares the database, says at least what it is about.
        let sentence = Why::read(&row.why).map_or(row.why, |why| why.sentence(&row.registration, &row.detail));
        ShownRefusal {
            sentence,
            registration: row.registration,
            address: row.address,
            device: row.device,
            times: row.times,
            first_at: clock::from_ms(row.first_at),
            last_at: clock::from_ms(row.last_at),
        }
    };
    Ok(rows.into_iter().map(shown).collect())
}
