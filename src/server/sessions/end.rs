//! How sessions end: by sign-out, by those who manage, by time. Their SIP credentials go with them, and so do the contacts
//! that were registered with those.

use super::{caller::Agent, queries::IDLE_MS};
use crate::server::{
    accounts::AccountRow,
    http::{App, idempotency, problem::Answer},
    notices::Notice,
    store::{Tx, query},
};

/// The session's SIP credentials stop working and its contact is removed.
pub async fn sign_out(app: &App, agent: &Agent) -> Answer<()> {
    end(app, &[agent.0.id], "You signed out.").await?;
    Ok(())
}

/// Ends these sessions; `reason` is shown to those who are signed in.
pub async fn end(app: &App, sessions: &[i64], reason: &str) -> Result<(), sqlx::Error> {
    for session in sessions {
        query("DELETE FROM session WHERE id = $1").bind(session).execute(&app.store).await?;
        ended(app, *session, reason).await;
    }
    Ok(())
}

async fn ended(app: &App, session: i64, reason: &str) {
    app.notices.publish(Notice::SessionEnded { session, reason: reason.to_owned() });
    app.contacts.end_session(session).await;
}

/// What a change has ended in its transaction, to be told once that is kept.
#[derive(Debug, Default)]
pub struct Ended {
    sessions: Vec<(i64, &'static str)>,
    /// Registrations whose credential was withdrawn, with the session that had it.
    withdrawn: Vec<(i64, String)>,
    /// Registrations that nobody may hold any more, by whatever credential.
    emptied: Vec<String>,
}

impl Ended {
    /// Ends every softphone's session of a login.
    pub async fn login(&mut self, tx: &mut Tx, login: i64, reason: &'static str) -> Result<(), sqlx::Error> {
        let rows = query(
            "DELETE FROM session WHERE membership_id IN (SELECT id FROM membership WHERE login_id = $1) RETURNING id",
        )
        .bind(login)
        .fetch_all(&mut *tx)
        .await?;
        for row in rows {
            self.sessions.push((row.try_get("id")?, reason));
        }
        Ok(())
    }

    /// Whoever holds these registrations goes.
    pub fn empty(&mut self, registrations: impl IntoIterator<Item = String>) {
        self.emptied.extend(registrations);
    }

    /// Ends what the account's rules no longer allow: sessions, then SIP credentials.
    pub async fn enforce(&mut self, tx: &mut Tx, account: i64, now: i64) -> Result<(), sqlx::Error> {
        let rows = query(
            "SELECT s.id, m.state, a.enabled, k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2) AS key_good
             FROM session s
             JOIN membership m ON m.id = s.membership_id
             JOIN account a ON a.id = m.account_id
             JOIN api_key k ON k.id = s.api_key_id
             WHERE a.id = $1 AND (m.state <> 'enabled' OR NOT a.enabled OR k.revoked_at IS NOT NULL OR k.expires_at <= $2 OR NOT EXISTS (
                 SELECT 1 FROM extension e
                 WHERE e.membership_id = s.membership_id AND e.api_key_id = s.api_key_id AND e.enabled))",
        )
        .bind(account)
        .bind(now)
        .fetch_all(&mut *tx)
        .await?;
        for row in rows {
            let reason = if !row.try_get("enabled")? {
                "This account was disabled. Your provider can enable it again."
            } else if row.try_get::<String>("state")? != "enabled" {
                "This login was disabled. Whoever manages your TMS can enable it again."
            } else if !row.try_get("key_good")? {
                "The API key was revoked or has expired. Ask whoever manages your TMS for a new one."
            } else {
                "The API key is no longer enabled on any extension of yours."
            };
            let session: i64 = row.try_get("id")?;
            query("DELETE FROM session WHERE id = $1").bind(session).execute(&mut *tx).await?;
            self.sessions.push((session, reason));
        }
        self.withdraw(tx, account).await
    }

    /// Credentials for registrations that are switched off or belong to someone else now.
    async fn withdraw(&mut self, tx: &mut Tx, account: i64) -> Result<(), sqlx::Error> {
        let rows = query(
            "DELETE FROM sip_credential WHERE id IN (
                 SELECT c.id FROM sip_credential c
                 JOIN session s ON s.id = c.session_id
                 JOIN registration r ON r.id = c.registration_id
                 JOIN extension e ON e.id = r.extension_id
                 WHERE e.account_id = $1 AND (NOT r.enabled OR NOT e.enabled
                     OR e.membership_id IS DISTINCT FROM s.membership_id OR e.api_key_id IS DISTINCT FROM s.api_key_id))
             RETURNING session_id, (SELECT name FROM registration WHERE id = registration_id) AS name",
        )
        .bind(account)
        .fetch_all(&mut *tx)
        .await?;
        for row in rows {
            self.withdrawn.push((row.try_get("session_id")?, row.try_get("name")?));
        }
        Ok(())
    }

    /// Tells those who were signed in, the SIP side, and those who watch the registrations of the account that was changed.
    pub async fn tell(self, app: &App, account: Option<&AccountRow>) {
        for (session, reason) in self.sessions {
            ended(app, session, reason).await;
        }
        let Some(realm) = account.map(AccountRow::realm) else { return };
        for (session, name) in self.withdrawn {
            if app.contacts.held(realm, vec![name.clone()]).await.iter().any(|c| c.session == Some(session)) {
                app.contacts.remove(realm, &name).await;
            }
        }
        for name in self.emptied {
            app.contacts.remove(realm, &name).await;
        }
        app.notices.publish(Notice::Registrations { realm: realm.to_owned() });
    }
}

/// Removes what time has ended: sessions, one-time codes, remembered answers, the API keys' log, records of calls.
pub async fn purge(app: &App) -> Result<(), sqlx::Error> {
    let now = app.clock.now_ms();
    for (statement, reason) in [
        ("SELECT id FROM session WHERE expires_at <= $1", "Your session has expired. Sign in again."),
        (
            "SELECT s.id FROM session s JOIN api_key k ON k.id = s.api_key_id WHERE k.expires_at <= $1",
            "The API key has expired. Ask whoever manages your TMS for a new one.",
        ),
    ] {
        let rows = query(statement).bind(now).fetch_all(&app.store).await?;
        let over: Vec<i64> = rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
        end(app, &over, reason).await?;
    }
    const LOG_KEPT_MS: i64 = 90 * 24 * 3600 * 1000;
    const LOG_ENTRIES: i64 = 1_000_000;
    const CALL_RECORDS: i64 = 10_000_000;
    for (statement, bound) in [
        ("DELETE FROM manage_session WHERE expires_at <= $1", now),
        ("DELETE FROM manage_session WHERE used_at <= $1", now - IDLE_MS),
        ("UPDATE api_key SET former_hash = NULL, former_until = NULL WHERE former_until <= $1", now),
        ("DELETE FROM link WHERE expires_at <= $1", now),
        ("DELETE FROM invitation WHERE expires_at <= $1", now),
        ("DELETE FROM sign_in_step WHERE expires_at <= $1", now),
        ("DELETE FROM idempotency WHERE created_at <= $1", now - idempotency::KEPT_MS),
        ("DELETE FROM api_key_use WHERE at <= $1", now - LOG_KEPT_MS),
        // An integration that asks every second writes millions of entries.
        ("DELETE FROM api_key_use WHERE id <= (SELECT max(id) FROM api_key_use) - $1", LOG_ENTRIES),
        ("DELETE FROM call_record WHERE started_at <= $1", now - LOG_KEPT_MS),
        ("DELETE FROM call_record WHERE id <= (SELECT max(id) FROM call_record) - $1", CALL_RECORDS),
    ] {
        query(statement).bind(bound).execute(&app.store).await?;
    }
    Ok(())
}
