//! `GET /v1/me/events`: server-sent events to one softphone.

use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

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
    let waiting = VecDeque::from([changed()]);
    let mut listener = Listener { stopping, stream, app, agent, notices, names, waiting, is_over: false };
    listener.media().await;
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
    /// To be told next.
    waiting: VecDeque<Event>,
    /// Nothing comes after those.
    is_over: bool,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        let left = self.agent.0.expires_at - self.app.clock.now_ms();
        let expiry = tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
        tokio::pin!(expiry);
        while self.waiting.is_empty() && !self.is_over {
            tokio::select! {
                notice = self.notices.recv() => self.hear(notice).await,
                () = &mut expiry => self.end("Your session has expired. Sign in again."),
                () = self.stream.ended() => return None,
                () = stopped(&mut self.stopping) => return None,
            }
        }
        self.waiting.pop_front()
    }

    async fn hear(&mut self, notice: Result<Notice, broadcast::error::RecvError>) {
        let session = &self.agent.0;
        let is_ours = |realm: &str| realm == session.account.realm();
        match notice {
            Ok(Notice::Holder { realm, registration }) if is_ours(&realm) && self.names.contains(&registration) => {
                self.waiting.push_back(changed());
            }
            Ok(Notice::Registrations { realm, members })
                if is_ours(&realm) && members.as_ref().is_none_or(|members| members.contains(&session.membership)) =>
            {
                self.registrations().await;
            }
            Ok(Notice::Media { realm }) if is_ours(&realm) => self.media().await,
            Ok(Notice::SessionEnded { session: ended, reason }) if ended == session.id => self.end(&reason),
            // Fell behind: all of it may have changed.
            Err(broadcast::error::RecvError::Lagged(_)) => {
                self.registrations().await;
                self.media().await;
            }
            // Even the session may have ended. The softphone comes again at once, and what it may know stands there.
            Ok(Notice::Missed) | Err(broadcast::error::RecvError::Closed) => self.is_over = true,
            Ok(
                Notice::Holder { .. }
                | Notice::Registrations { .. }
                | Notice::Media { .. }
                | Notice::SessionEnded { .. }
                | Notice::Evict { .. },
            ) => {}
        }
    }

    /// The list itself has changed: what the agent sees is read anew.
    async fn registrations(&mut self) {
        let session = &self.agent.0;
        match registrations::names(&self.app.store.within(session.account.id), session).await {
            Ok(names) => self.names = names,
            Err(error) => tracing::warn!(%error, "the names of an agent's registrations could not be read"),
        }
        self.waiting.push_back(changed());
    }

    async fn media(&mut self) {
        let account = self.agent.0.account.id;
        match accounts::media::of_account(&self.app.store.within(account), account).await {
            Ok(policy) => self.waiting.push_back(Event::default().event("media").data(json!(policy).to_string())),
            Err(error) => {
                // The softphone comes again, and is told then.
                self.is_over = true;
                tracing::warn!(%error, "what an account says of calls could not be read");
            }
        }
    }

    fn end(&mut self, reason: &str) {
        let told = json!({ "ended": true, "reason": reason });
        self.waiting.push_back(Event::default().event("session").data(told.to_string()));
        self.is_over = true;
    }
}

fn changed() -> Event {
    Event::default().event("registrations").data("{}")
}
