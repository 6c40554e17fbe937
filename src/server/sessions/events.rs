//! `GET /v1/me/events`: server-sent events to one softphone.

use std::{collections::HashSet, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::stream;
use serde_json::json;
use tokio::sync::{broadcast, watch};

use super::caller::Agent;
use crate::{
    server::{
        accounts,
        http::{App, listener::stopped, problem::Answer},
        notices::Notice,
        pace::{Caller, Stream},
        registrations,
    },
    tms::wire::Problem,
};

/// Often enough that a proxy in between keeps the connection, and that a dead one is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What changes, as it changes
///
/// Server-sent events: `registrations` (the list of `GET /v1/me/registrations` changed; read it again), `media` (what the account
/// says of its agents' calls, as in the SIP credential's `media`) and `session` (it ended, with the `reason`; the last event). A
/// first `registrations` and a first `media` come at once, for what changed before. A session has ten streams at a time; another one
/// ends the oldest.
#[utoipa::path(get, path = "/v1/me/events", tag = "softphone", security(("bearer" = [])),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 401, body = Problem)))]
pub async fn events(State(app): State<Arc<App>>, agent: Agent) -> Answer<impl IntoResponse> {
    // Subscribed before the names are read, so that nothing falls in between.
    let notices = app.notices.subscribe();
    let names = registrations::names(&app.store.within(agent.0.account.id), &agent.0).await?;
    let (stopping, stream) = (app.stopping.clone(), app.pace.stream(Caller::Agent(agent.0.id)));
    let listener = Listener { stopping, stream, app, agent, notices, names, state: Phase::First };
    let events = stream::unfold(listener, |mut listener| async {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Listener {
    app: Arc<App>,
    agent: Agent,
    notices: broadcast::Receiver<Notice>,
    stopping: watch::Receiver<bool>,
    stream: Stream,
    /// Registrations that the agent sees.
    names: HashSet<String>,
    state: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    First,
    Media,
    Listening,
    Ended,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        match self.state {
            Phase::Ended => return None,
            Phase::First => {
                self.state = Phase::Media;
                return Some(changed());
            }
            Phase::Media => return self.media().await,
            Phase::Listening => {}
        }
        let left = self.agent.0.expires_at - self.app.clock.now_ms();
        let expiry = tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
        tokio::pin!(expiry);
        loop {
            tokio::select! {
                notice = self.notices.recv() => {
                    if let Some(event) = self.event(notice).await {
                        return Some(event);
                    }
                    if self.state == Phase::Ended {
                        return None;
                    }
                }
                () = &mut expiry => return Some(self.ended("Your session has expired. Sign in again.")),
                () = self.stream.ended() => return None,
                () = stopped(&mut self.stopping) => return None,
            }
        }
    }

    async fn event(&mut self, notice: Result<Notice, broadcast::error::RecvError>) -> Option<Event> {
        let session = &self.agent.0;
        match notice {
            Ok(Notice::Holder { realm, registration }) => {
                (realm == session.account.realm() && self.names.contains(&registration)).then(changed)
            }
            Ok(Notice::Registrations { realm, .. }) if realm != session.account.realm() => None,
            Ok(Notice::Registrations { members: Some(members), .. }) if !members.contains(&session.membership) => None,
            Ok(Notice::Media { realm }) if realm != session.account.realm() => None,
            Ok(Notice::Media { .. }) => self.media().await,
            // Fell behind, or the list itself changed: what the agent sees is read anew.
            Ok(Notice::Registrations { .. }) | Err(broadcast::error::RecvError::Lagged(_)) => {
                if notice.is_err() {
                    self.state = Phase::Media;
                }
                match registrations::names(&self.app.store.within(session.account.id), session).await {
                    Ok(names) => self.names = names,
                    Err(error) => tracing::warn!(%error, "the names of an agent's registrations could not be read"),
                }
                Some(changed())
            }
            Ok(Notice::Evict { .. }) => None,
            Ok(Notice::SessionEnded { session: ended, reason }) => (ended == session.id).then(|| self.ended(&reason)),
            // Even the session may have ended. The softphone comes again at once, and what it may know stands there.
            Ok(Notice::Missed) | Err(broadcast::error::RecvError::Closed) => {
                self.state = Phase::Ended;
                None
            }
        }
    }

    async fn media(&mut self) -> Option<Event> {
        let account = self.agent.0.account.id;
        let told = accounts::media::of_account(&self.app.store.within(account), account).await;
        let event = told.map(|policy| Event::default().event("media").data(json!(policy).to_string()));
        self.state = if event.is_ok() { Phase::Listening } else { Phase::Ended };
        // The softphone comes again, and is told then.
        event.inspect_err(|error| tracing::warn!(%error, "what an account says of calls could not be read")).ok()
    }

    fn ended(&mut self, reason: &str) -> Event {
        self.state = Phase::Ended;
        Event::default().event("session").data(json!({ "ended": true, "reason": reason }).to_string())
    }
}

fn changed() -> Event {
    Event::default().event("registrations").data("{}")
}
