//! How sessions end: by sign-out, by those who manage, by time. Their SIP credentials go with them, and so do the contacts
//! that were registered with those.

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{caller::Agent, managing::IDLE_MS};
use crate::server::{
    api_keys,
    contacts::{Contacts, Undone},
    http::{App, idempotency, problem::Answer},
    notices::{Notice, Notices},
    outbox,
    store::{Tx, query},
};

/// The session's SIP credentials stop working and its contact is removed.
pub async fn sign_out(app: &App, agent: &Agent) -> Answer<()> {
    end(app, &[agent.0.id], "You signed out.").await?;
    Ok(())
}

/// Ends these sessions; `reason` is shown to those who are signed in.
pub async fn end(app: &App, sessions: &[i64], reason: &'static str) -> Result<(), sqlx::Error> {
    if sessions.is_empty() {
        return Ok(());
    }
    let mut tx = app.store.begin().await?;
    let mut ended = Ended::default();
    for session in sessions {
        ended.session(&mut tx, *session, reason).await?;
    }
    let letter = outbox::post(&mut tx, ended, app.clock.now_ms()).await?;
    tx.commit().await?;
    app.outbox.send(letter).await;
    Ok(())
}

/// What a change has ended in its transaction, whose lists of registrations look different now, and who is to be told what: to be
/// carried out once that is kept, by way of the [`outbox`].
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Each with a sentence for who was signed in.
    sessions: Vec<(i64, String)>,
    /// Of the registrations below.
    realm: String,
    /// Registrations whose credential was withdrawn, with the session that had it; without one the lasting one.
    withdrawn: Vec<(Option<i64>, String)>,
    /// Registrations that nobody may hold any more, by whatever credential.
    emptied: Vec<String>,
    concerns: Concerns,
    /// The account says something else of its agents' calls.
    #[serde(default)]
    media: bool,
}

/// Whom a change on an account concerns: whose sessions may have to end, and whose softphones are told to look again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Concerns {
    /// Nothing that a softphone or somebody who watches extensions could see.
    #[default]
    Nobody,
    /// These memberships, and whoever watches extensions.
    Members(Vec<i64>),
    /// Everybody on it.
    Account,
}

/// The sessions that fit the condition and that the rules no longer allow at `$2`, with what tells why.
macro_rules! forbidden {
    ($of:literal) => {
        concat!(
            "SELECT s.id, m.state, a.enabled, k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2) AS key_good
             FROM session s
             JOIN membership m ON m.id = s.membership_id
             JOIN account a ON a.id = m.account_id
             JOIN api_key k ON k.id = s.api_key_id
             WHERE ",
            $of,
            " AND (m.state <> 'enabled' OR NOT a.enabled OR k.revoked_at IS NOT NULL OR k.expires_at <= $2 OR NOT EXISTS (
                 SELECT 1 FROM extension e
                 WHERE e.membership_id = s.membership_id AND e.api_key_id = s.api_key_id AND e.enabled))"
        )
    };
}

/// Deletes the SIP credentials that fit the condition and whose registration is not their session's to hold any more.
macro_rules! withdrawn {
    ($of:literal) => {
        concat!(
            "DELETE FROM sip_credential WHERE id IN (
                 SELECT c.id FROM sip_credential c
                 JOIN session s ON s.id = c.session_id
                 JOIN registration r ON r.id = c.registration_id
                 JOIN extension e ON e.id = r.extension_id
                 WHERE ",
            $of,
            " AND (NOT r.enabled OR NOT e.enabled
                     OR e.membership_id IS DISTINCT FROM s.membership_id OR e.api_key_id IS DISTINCT FROM s.api_key_id))
             RETURNING session_id, (SELECT name FROM registration WHERE id = registration_id) AS name"
        )
    };
}

/// Orders to the SIP side at a time.
const AT_ONCE: usize = 16;

impl Ended {
    /// Ends one softphone's session.
    pub async fn session(&mut self, tx: &mut Tx, session: i64, reason: &str) -> Result<(), sqlx::Error> {
        query("DELETE FROM session WHERE id = $1").bind(session).execute(tx).await?;
        self.sessions.push((session, reason.to_owned()));
        Ok(())
    }

    /// Ends every softphone's session of a login.
    pub async fn login(&mut self, tx: &mut Tx, login: i64, reason: &'static str) -> Result<(), sqlx::Error> {
        let rows = query(
            "DELETE FROM session WHERE membership_id IN (SELECT id FROM membership WHERE login_id = $1) RETURNING id",
        )
        .bind(login)
        .fetch_all(&mut *tx)
        .await?;
        for row in rows {
            self.sessions.push((row.try_get("id")?, reason.to_owned()));
        }
        Ok(())
    }

    /// Ends every softphone's session of a login on one account.
    pub async fn member(&mut self, tx: &mut Tx, membership: i64, reason: &'static str) -> Result<(), sqlx::Error> {
        let rows = query("DELETE FROM session WHERE membership_id = $1 RETURNING id").bind(membership);
        for row in rows.fetch_all(&mut *tx).await? {
            self.sessions.push((row.try_get("id")?, reason.to_owned()));
        }
        Ok(())
    }

    /// Whoever holds these registrations goes.
    pub fn empty(&mut self, registrations: impl IntoIterator<Item = String>) {
        self.emptied.extend(registrations);
    }

    /// Whoever holds this registration by its lasting password goes; a softphone that has a credential of its own stays.
    pub fn withdraw_lasting(&mut self, registration: &str) {
        self.withdrawn.push((None, registration.to_owned()));
    }

    /// Softphones are told what the account says of their calls.
    pub fn tell_media(&mut self) {
        self.media = true;
    }

    /// Ends what the account's rules no longer allow to whom it concerns: sessions, then SIP credentials.
    pub async fn enforce(
        &mut self,
        tx: &mut Tx,
        (account, realm): (i64, &str),
        concerns: Concerns,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        realm.clone_into(&mut self.realm);
        match &concerns {
            Concerns::Nobody => {}
            Concerns::Members(members) => {
                for member in members {
                    self.forbidden(tx, forbidden!("m.id = $1"), *member, now).await?;
                    self.withdraw(tx, withdrawn!("s.membership_id = $1"), *member).await?;
                }
            }
            Concerns::Account => {
                self.forbidden(tx, forbidden!("a.id = $1"), account, now).await?;
                self.withdraw(tx, withdrawn!("e.account_id = $1"), account).await?;
            }
        }
        self.concerns = concerns;
        Ok(())
    }

    /// Sessions that the rules no longer allow.
    async fn forbidden(&mut self, tx: &mut Tx, sql: &'static str, of: i64, now: i64) -> Result<(), sqlx::Error> {
        for row in query(sql).bind(of).bind(now).fetch_all(&mut *tx).await? {
            let reason = if !row.try_get("enabled")? {
                "This account was disabled. Your provider can enable it again."
            } else if row.try_get::<String>("state")? != "enabled" {
                "This login was disabled. Whoever manages your TMS can enable it again."
            } else if !row.try_get("key_good")? {
                "The API key was revoked or has expired. Ask whoever manages your TMS for a new one."
            } else {
                "The API key is no longer enabled on any extension of yours."
            };
            self.session(tx, row.try_get("id")?, reason).await?;
        }
        Ok(())
    }

    /// Credentials for registrations that are switched off or belong to someone else now.
    async fn withdraw(&mut self, tx: &mut Tx, sql: &'static str, of: i64) -> Result<(), sqlx::Error> {
        for row in query(sql).bind(of).fetch_all(&mut *tx).await? {
            self.withdrawn.push((Some(row.try_get("session_id")?), row.try_get("name")?));
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.withdrawn.is_empty()
            && self.emptied.is_empty()
            && self.concerns == Concerns::Nobody
            && !self.media
    }

    /// Tells those who were signed in, the SIP side, and those who watch the registrations; what could not be done is left.
    pub async fn tell(self, contacts: &Contacts, notices: &Notices) -> Self {
        let Self { sessions, realm, withdrawn, emptied, concerns, media } = self;
        let realm_of = realm.as_str();
        let sessions = each(sessions, |(session, reason)| {
            notices.publish(Notice::SessionEnded { session, reason });
            contacts.end_session(session)
        })
        .await;
        let withdrawn = each(withdrawn, async |(session, name)| {
            let held = contacts.holders(realm_of, vec![name.clone()]).await?;
            match held.iter().any(|contact| contact.session == session) {
                true => contacts.remove(realm_of, &name).await,
                false => Ok(()),
            }
        })
        .await;
        let emptied = each(emptied, async |name: String| contacts.remove(realm_of, &name).await).await;
        match concerns {
            Concerns::Nobody => {}
            Concerns::Members(members) => {
                notices.publish(Notice::Registrations { realm: realm.clone(), members: Some(members) });
            }
            Concerns::Account => notices.publish(Notice::Registrations { realm: realm.clone(), members: None }),
        }
        if media {
            notices.publish(Notice::Media { realm: realm.clone() });
        }
        Self { sessions, realm, withdrawn, emptied, concerns: Concerns::Nobody, media: false }
    }
}

/// Does it for each, several at a time; those for which it could not be done.
async fn each<T: Clone, F: Future<Output = Result<(), Undone>>>(of: Vec<T>, order: impl Fn(T) -> F) -> Vec<T> {
    let tried = stream::iter(of).map(|one| {
        let done = order(one.clone());
        async move { done.await.err().map(|Undone| one) }
    });
    tried.buffer_unordered(AT_ONCE).filter_map(|left| async { left }).collect().await
}

/// After ten minutes of trying, the SIP side is not told any more: what it was to remove is refused at its next refresh, and may
/// be allowed again meanwhile.
const TRIES: i64 = 15;

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
    const CALL_RECORDS: i64 = 10_000_000;
    for (statement, bound) in [
        ("DELETE FROM manage_session WHERE expires_at <= $1", now),
        ("DELETE FROM manage_session WHERE used_at <= $1", now - IDLE_MS),
        ("UPDATE api_key SET former_hash = NULL, former_until = NULL WHERE former_until <= $1", now),
        ("DELETE FROM link WHERE expires_at <= $1", now),
        ("DELETE FROM invitation WHERE expires_at <= $1", now),
        ("DELETE FROM sign_in_step WHERE expires_at <= $1", now),
        ("DELETE FROM idempotency WHERE created_at <= $1", now - idempotency::KEPT_MS),
        ("DELETE FROM call_record WHERE started_at <= $1", now - LOG_KEPT_MS),
        ("DELETE FROM call_record WHERE id <= (SELECT max(id) FROM call_record) - $1", CALL_RECORDS),
        ("DELETE FROM outbox WHERE tries >= $1", TRIES),
    ] {
        query(statement).bind(bound).execute(&app.store).await?;
    }
    api_keys::forget_uses(&app.store, now).await
}
