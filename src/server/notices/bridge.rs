//! Notices among processes that share a PostgreSQL, by NOTIFY and LISTEN; triggers of the database send some too. There is no
//! master: each process tells all others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::mpsc;

use super::{Elsewhere, Notice, Notices};

const CHANNEL: &str = "tms";
/// Notices waiting to be sent; beyond, the others are told that they missed some.
const QUEUED: usize = 1024;
/// Before a lost connection is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// The connection between this process's [`Notices`] and the others'.
pub struct Bridge {
    database: PgPool,
    notices: Notices,
    queue: mpsc::Receiver<Notice>,
    overflowed: Arc<AtomicBool>,
    /// Tells our own notices from others' when they come back.
    name: String,
}

/// What goes through the database.
#[derive(Serialize, Deserialize)]
struct Letter {
    /// The process; absent in a trigger's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    notice: Notice,
}

impl Bridge {
    /// The bus of this process, and the bridge to run beside it.
    pub fn new(database: PgPool) -> (Notices, Self) {
        let (sender, queue) = mpsc::channel(QUEUED);
        let overflowed = Arc::new(AtomicBool::new(false));
        let elsewhere = Elsewhere { queue: sender, overflowed: Arc::clone(&overflowed) };
        let notices = Notices { elsewhere: Some(elsewhere), ..Notices::new() };
        let name = uuid::Uuid::new_v4().to_string();
        (notices.clone(), Self { database, notices, queue, overflowed, name })
    }

    /// Until dropped.
    pub async fn run(mut self) {
        loop {
            let Self { database, notices, queue, overflowed, name } = &mut self;
            let ended = tokio::select! {
                ended = hear(database, notices, name) => ended,
                ended = tell(database, queue, overflowed, name) => ended,
            };
            if let Err(error) = ended {
                tracing::warn!(%error, "other processes' notices are missed for a while");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn hear(database: &PgPool, notices: &Notices, name: &str) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(database).await?;
    listener.listen(CHANNEL).await?;
    // Nobody knows what happened before.
    notices.deliver(Notice::Missed);
    loop {
        // `None`: the connection was lost and is there again.
        let Some(heard) = listener.try_recv().await? else {
            notices.deliver(Notice::Missed);
            continue;
        };
        match serde_json::from_str::<Letter>(heard.payload()) {
            Ok(letter) if letter.from.as_deref() != Some(name) => notices.deliver(letter.notice),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "a notice that is none"),
        }
    }
}

async fn tell(
    database: &PgPool,
    queue: &mut mpsc::Receiver<Notice>,
    overflowed: &AtomicBool,
    name: &str,
) -> Result<(), sqlx::Error> {
    while let Some(notice) = queue.recv().await {
        let notice = if overflowed.swap(false, Ordering::Relaxed) { Notice::Missed } else { notice };
        let letter = Letter { from: Some(name.to_owned()), notice };
        let payload = serde_json::to_string(&letter).map_err(|e| sqlx::Error::Encode(e.into()))?;
        if let Err(error) = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(database).await
        {
            overflowed.store(true, Ordering::Relaxed);
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::store::{Store, testing};
    use tokio::task::JoinSet;

    /// Where the tests run on PostgreSQL: two processes on one database hear each other and not themselves.
    #[tokio::test]
    async fn what_one_process_publishes_the_others_hear() {
        let url = testing::database().await;
        let Some(database) = Store::open(&url).await.expect("opens").postgres().cloned() else { return };
        let mut running = JoinSet::new();
        let mut start = || {
            let (notices, bridge) = Bridge::new(database.clone());
            let heard = notices.subscribe();
            running.spawn(bridge.run());
            (notices, heard)
        };
        let ((first, mut heard_first), (_second, mut heard_second)) = (start(), start());
        for heard in [&mut heard_first, &mut heard_second] {
            assert_eq!(heard.recv().await.expect("open"), Notice::Missed, "once it listens");
        }
        let ended = Notice::SessionEnded { session: 7, reason: "You signed out.".into() };
        first.publish(ended.clone());
        assert_eq!(heard_second.recv().await.expect("open"), ended);
        assert_eq!(heard_first.recv().await.expect("open"), ended);

        // Kamailio's table tells everyone.
        sqlx::query("INSERT INTO kamailio_location (ruid, username, domain) VALUES ('r', '100-acme', 'acme')")
            .execute(&database)
            .await
            .expect("inserts");
        let held = Notice::Holder { realm: "acme".into(), registration: "100-acme".into() };
        for heard in [&mut heard_first, &mut heard_second] {
            assert_eq!(heard.recv().await.expect("open"), held, "and nothing came twice");
        }
    }
}
