//! Another last day for a key, or none.

use super::*;

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, id)): Segments<(String, i64)>,
) -> Answer<Response> {
    let key = manage::read(&app, &signed.manager, &tenant, id).await?;
    let account = accounts::read(&app, &signed.manager, &tenant).await?;
    let zone = TimeZone::get(&account.time_zone).unwrap_or(TimeZone::UTC);
    // The end is the first moment at which it works no more.
    let last = key.expires_at.and_then(|end| end.checked_sub(SignedDuration::from_secs(1)).ok());
    let day = last.map(|last| last.to_zoned(zone).date().to_string()).unwrap_or_default();
    shown(&app, &signed, &tenant, &key, &day, None).await
}

#[derive(Deserialize)]
pub struct Day {
    #[serde(default)]
    expires_at: String,
}

pub async fn alter(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, id)): Segments<(String, i64)>,
    Form(given): Form<Day>,
) -> Answer<Response> {
    let altered = async {
        let expires_at = end_of_day(&app, &signed, &tenant, &given.expires_at).await?;
        manage::alter(&app, &signed.manager, peer, (&tenant, id), KeyChange { expires_at: Some(expires_at) }).await
    };
    match parts::refused(altered.await)? {
        Ok(key) => {
            let said = format!("The last day of {} was changed.", key.name);
            Ok(signed.to(&format!("{}/{id}", Section::ApiKeys.of(&tenant)), &said))
        }
        Err(refusal) => {
            let key = manage::read(&app, &signed.manager, &tenant, id).await?;
            shown(&app, &signed, &tenant, &key, &given.expires_at, Some(&refusal)).await
        }
    }
}

async fn shown(
    app: &App,
    signed: &Signed,
    tenant: &str,
    key: &ManagedKey,
    day: &str,
    refusal: Option<&Refusal>,
) -> Answer<Response> {
    let access = signed.manager.account(app, tenant, Right::ManageKeys).await?;
    let path = format!("{}/{}", Section::ApiKeys.of(tenant), key.id);
    let title = format!("Last day of {}", key.name);
    let body = html! {
        (parts::trouble(refusal, &["expires_at"]))
        form.stack method="post" action={ (path) "/expiry" } {
            (parts::hidden(&signed.form_token()))
            (Field::date("expires_at", "Last day").value(day).optional().refusal(refusal).focused()
                .hint("After it the key works no more, and who signed in with it is signed out. Left empty, it works until it is revoked.").render())
            (parts::send("Update", &path))
        }
    };
    let page = parts::sheet(&parts::crumb(&path, &key.name), &title, &body);
    Ok(at(signed, &access, &title, refusal, &page))
}
