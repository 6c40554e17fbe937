//! Contacts outlive the program: each change of [`super::location`] is written behind, many in one transaction, and read again
//! at the start. A contact over TCP died with its connection; its device comes again by itself, and what a takeover holds
//! for it is kept.

use super::location::{Aor, Binding, Contact, Saved};
use crate::{
    server::{
        clock,
        store::{Row, Store, Tx, query},
    },
    sip::flow::{Flow, Transport},
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// A slot as it is stored.
#[derive(Clone, Debug)]
pub struct Kept {
    pub saved: Saved,
    /// When the contact expires.
    pub expires_at: Timestamp,
    /// Whether what a takeover holds is to be written too; it seldom changes.
    pub with_hold: bool,
}

/// Writes behind; at most one entry for each registration waits.
pub struct Keeper {
    store: Store,
    waiting: BTreeMap<Aor, Kept>,
    pub writing: JoinSet<()>,
}

/// Where a contact was, so that only those are read again that can still be reached.
const UDP: &str = "udp";

impl Keeper {
    pub fn new(store: Store) -> Self {
        Self { store, waiting: BTreeMap::new(), writing: JoinSet::new() }
    }

    /// The newest state of a slot.
    pub fn keep(&mut self, aor: Aor, mut kept: Kept) {
        kept.with_hold |= self.waiting.get(&aor).is_some_and(|before| before.with_hold);
        self.waiting.insert(aor, kept);
    }

    /// Begins to write what waits, unless a write is under way.
    pub fn write(&mut self) {
        if self.waiting.is_empty() || !self.writing.is_empty() {
            return;
        }
        let (store, waiting) = (self.store.clone(), std::mem::take(&mut self.waiting));
        self.writing.spawn(async move {
            // What is not written now is written at the device's next refresh.
            if let Err(error) = put(&store, waiting).await {
                tracing::warn!(%error, "contacts could not be written");
            }
        });
    }

    /// What was kept and still holds at `now`, which is `wall` on the calendar.
    pub async fn read(store: &Store, now: Instant, wall: Timestamp) -> Result<Vec<(Aor, Saved)>, sqlx::Error> {
        let rows = query(
            "SELECT a.realm, r.name, c.uri, c.remote, c.instance_id, c.call_id, c.cseq, c.device, c.session_id, c.since,
                    c.expires_at, t.session_id AS hold_session, t.instance_id AS hold_instance
             FROM registration r
             JOIN extension e ON e.id = r.extension_id
             JOIN account a ON a.id = r.account_id
             LEFT JOIN sip_contact c ON c.registration_id = r.id AND c.transport = $1 AND c.expires_at > $2
             LEFT JOIN sip_takeover t ON t.registration_id = r.id
             WHERE (c.registration_id IS NOT NULL OR t.registration_id IS NOT NULL)
                 AND r.enabled AND e.enabled AND a.enabled",
        )
        .bind(UDP)
        .bind(wall.as_millisecond())
        .fetch_all(store)
        .await?;
        rows.iter().map(|row| Ok((aor(row)?, saved(row, now, wall)?))).collect()
    }
}

async fn put(store: &Store, slots: BTreeMap<Aor, Kept>) -> Result<(), sqlx::Error> {
    let mut tx = store.begin().await?;
    for (aor, kept) in &slots {
        match &kept.saved.contact {
            Some(contact) => put_contact(&mut tx, aor, contact, kept.expires_at).await?,
            None => take_away(&mut tx, aor, "DELETE FROM sip_contact WHERE registration_id = $1").await?,
        }
        if !kept.with_hold {
            continue;
        }
        match &kept.saved.hold {
            Some((session, instance)) => put_hold(&mut tx, aor, *session, instance).await?,
            None => take_away(&mut tx, aor, "DELETE FROM sip_takeover WHERE registration_id = $1").await?,
        }
    }
    tx.commit().await
}

async fn put_contact(tx: &mut Tx, aor: &Aor, contact: &Contact, expires_at: Timestamp) -> Result<(), sqlx::Error> {
    let binding = &contact.binding;
    query(
        "INSERT INTO sip_contact (registration_id, uri, transport, remote, instance_id, call_id, cseq, device, session_id,
                                  since, expires_at)
         SELECT r.id, $3, $4, $5, $6, $7, $8, $9, (SELECT id FROM session WHERE id = $10), $11, $12
         FROM registration r JOIN account a ON a.id = r.account_id WHERE a.realm = $1 AND r.name = $2
         ON CONFLICT (registration_id) DO UPDATE
         SET uri = excluded.uri, transport = excluded.transport, remote = excluded.remote,
             instance_id = excluded.instance_id, call_id = excluded.call_id, cseq = excluded.cseq,
             device = excluded.device, session_id = excluded.session_id, since = excluded.since,
             expires_at = excluded.expires_at",
    )
    .bind(&aor.realm)
    .bind(&aor.name)
    .bind(binding.uri.to_string())
    .bind(binding.flow.transport.uri_name())
    .bind(binding.flow.remote.to_string())
    .bind(binding.instance.clone())
    .bind(&binding.call_id)
    .bind(i64::from(binding.cseq))
    .bind(&binding.device)
    .bind(binding.session)
    .bind(contact.since.as_millisecond())
    .bind(expires_at.as_millisecond())
    .execute(tx)
    .await?;
    Ok(())
}

async fn put_hold(tx: &mut Tx, aor: &Aor, session: i64, instance: &str) -> Result<(), sqlx::Error> {
    query(
        "INSERT INTO sip_takeover (registration_id, session_id, instance_id, until)
         SELECT r.id, s.id, $4, s.expires_at
         FROM registration r JOIN account a ON a.id = r.account_id JOIN session s ON s.id = $3
         WHERE a.realm = $1 AND r.name = $2
         ON CONFLICT (registration_id) DO UPDATE
         SET session_id = excluded.session_id, instance_id = excluded.instance_id, until = excluded.until",
    )
    .bind(&aor.realm)
    .bind(&aor.name)
    .bind(session)
    .bind(instance)
    .execute(tx)
    .await?;
    Ok(())
}

async fn take_away(tx: &mut Tx, aor: &Aor, statement: &'static str) -> Result<(), sqlx::Error> {
    let registration = query(
        "SELECT r.id FROM registration r JOIN account a ON a.id = r.account_id WHERE a.realm = $1 AND r.name = $2",
    );
    let row = registration.bind(&aor.realm).bind(&aor.name).fetch_optional(&mut *tx).await?;
    if let Some(row) = row {
        query(statement).bind(row.try_get::<i64>("id")?).execute(tx).await?;
    }
    Ok(())
}

fn aor(row: &Row) -> Result<Aor, sqlx::Error> {
    Ok(Aor { realm: row.try_get("realm")?, name: row.try_get("name")? })
}

fn saved(row: &Row, now: Instant, wall: Timestamp) -> Result<Saved, sqlx::Error> {
    let hold_session: Option<i64> = row.try_get("hold_session")?;
    let hold_instance: Option<String> = row.try_get("hold_instance")?;
    let uri: Option<String> = row.try_get("uri")?;
    let contact = match uri {
        Some(uri) => contact(row, &uri, now, wall)?,
        None => None,
    };
    Ok(Saved { contact, hold: hold_session.zip(hold_instance) })
}

/// `None` for what this version cannot read.
fn contact(row: &Row, uri: &str, now: Instant, wall: Timestamp) -> Result<Option<Contact>, sqlx::Error> {
    let (remote, cseq): (String, i64) = (row.try_get("remote")?, row.try_get("cseq")?);
    let (Ok(uri), Ok(remote), Ok(cseq)) = (uri.parse(), remote.parse(), cseq.try_into()) else { return Ok(None) };
    let expires_at: i64 = row.try_get("expires_at")?;
    let left = u64::try_from(expires_at - wall.as_millisecond()).unwrap_or(0);
    let binding = Binding {
        uri,
        flow: Flow { transport: Transport::Udp, remote },
        instance: row.try_get("instance_id")?,
        call_id: row.try_get("call_id")?,
        cseq,
        device: row.try_get("device")?,
        session: row.try_get("session_id")?,
        latency: None,
    };
    let since = clock::from_ms(row.try_get("since")?);
    Ok(Some(Contact { binding, since, expires: now + Duration::from_millis(left) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::http::testing::{Harness, INSTANCE};

    fn contact(transport: Transport, session: Option<i64>, now: Instant) -> Contact {
        let binding = Binding {
            uri: "sip:100@10.0.0.12:5070".parse().expect("a URI"),
            flow: Flow { transport, remote: ([10, 0, 0, 12], 5070).into() },
            instance: Some(INSTANCE.into()),
            call_id: "abc".into(),
            cseq: 7,
            device: "Yealink T46S".into(),
            session,
            latency: None,
        };
        let since = Timestamp::from_second(1_700_000_000).expect("in range");
        Contact { binding, since, expires: now + Duration::from_secs(60) }
    }

    /// Over a real database: what is written is read again, as far as it still holds.
    #[tokio::test]
    async fn what_was_kept_is_there_after_a_restart() {
        let h = Harness::new().await;
        h.agent().await;
        let (store, now, wall) = (&h.app.store, Instant::now(), h.app.clock.now());
        let aor = |name: &str| Aor { realm: "acme".into(), name: name.into() };
        let expires_at = wall + Duration::from_secs(60);
        let hold = Some((1, INSTANCE.to_owned()));
        let mut keeper = Keeper::new(store.clone());
        let desk = Saved { contact: Some(contact(Transport::Udp, None, now)), hold: None };
        let laptop = Saved { contact: Some(contact(Transport::Tcp, Some(1), now)), hold };
        for (name, saved) in [("100-acme", &desk), ("100-acme-laptop", &laptop), ("999-acme", &desk)] {
            keeper.keep(aor(name), Kept { saved: saved.clone(), expires_at, with_hold: true });
        }
        keeper.write();
        assert!(keeper.writing.join_next().await.is_some_and(|written| written.is_ok()));
        let over_tcp = Saved { contact: None, ..laptop };
        let read = Keeper::read(store, now, wall).await.expect("reads");
        assert_eq!(read.len(), 2, "{read:?}");
        assert!(
            read.contains(&(aor("100-acme"), desk)) && read.contains(&(aor("100-acme-laptop"), over_tcp)),
            "{read:?}"
        );

        let later = wall + Duration::from_secs(61);
        assert_eq!(Keeper::read(store, now, later).await.expect("reads").len(), 1, "an expired contact is none");
        for name in ["100-acme", "100-acme-laptop"] {
            keeper.keep(aor(name), Kept { saved: Saved::default(), expires_at, with_hold: true });
        }
        keeper.write();
        assert!(keeper.writing.join_next().await.is_some_and(|written| written.is_ok()));
        assert_eq!(Keeper::read(store, now, wall).await.expect("reads"), []);
    }
}
