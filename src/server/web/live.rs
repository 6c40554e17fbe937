//! `GET /accounts/{tenant}/events`: tells an open page that something on its account changed; it fetches itself anew then.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, stream};
use tokio::sync::broadcast::error::RecvError;

use super::visitor::Signed;
use crate::server::{
    http::{App, input::Segments, listener::stopped, problem::Answer},
    notices::Notice,
    pace::{Caller, Stream as Place},
    sessions::Right,
};

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A browser then connects again by itself, and is refused if its session has ended meanwhile.
const LONGEST: Duration = Duration::from_secs(5 * 60);

pub async fn events(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments(tenant): Segments<String>,
) -> Answer<impl IntoResponse> {
    let access = signed.manager.account(&app, &tenant, Right::SeeExtensions).await?;
    let stream = app.pace.stream(Caller::Manager(signed.manager.session));
    let changes = changes(&app, access.account.realm().to_owned(), stream);
    Ok(Sse::new(changes).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn changes(app: &App, realm: String, place: Place) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let (notices, stopping) = (app.notices.subscribe(), app.stopping.clone());
    let end = Box::pin(tokio::time::sleep(LONGEST));
    stream::unfold((notices, stopping, end, place), move |(mut notices, mut stopping, mut end, mut place)| {
        let realm = realm.clone();
        async move {
            loop {
                let notice = tokio::select! {
                    notice = notices.recv() => notice,
                    () = stopped(&mut stopping) => return None,
                    () = &mut end => return None,
                    () = place.ended() => return None,
                };
                match notice {
                    Ok(Notice::Registrations { realm: changed, .. } | Notice::Holder { realm: changed, .. })
                        if changed == realm => {}
                    // Whatever it was that was missed, the page is read anew.
                    Ok(Notice::Missed) | Err(RecvError::Lagged(_)) => {}
                    Ok(_) => continue,
                    Err(RecvError::Closed) => return None,
                }
                return Some((Ok(Event::default().event("changed").data("yes")), (notices, stopping, end, place)));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{http::testing::Harness, web::testing::Browser};
    use futures_util::StreamExt;

    #[tokio::test]
    async fn a_page_that_may_have_missed_something_is_read_anew() {
        let h = Harness::new().await;
        let browser = Browser::signed_in(&h, &h.demo.username, &h.demo.password).await;
        let cookies: Vec<_> = browser.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let page = h.get("/accounts/acme/events").header("cookie", &cookies.join("; ")).stream().await;
        let mut page = page.into_body().into_data_stream();
        h.app.notices.publish(Notice::Missed);
        let chunk = page.next().await.expect("it hears of it").expect("a chunk");
        assert!(chunk.starts_with(b"event: changed"), "{chunk:?}");
    }
}
