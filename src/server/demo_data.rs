//! The demonstration tenant *acme*: made where it is missing, its secrets new at every start, so that none of them is ever
//! known beforehand or kept in the clear.

use serde::Serialize;

use super::{
    accounts::{self, AccountRow, Place},
    api_keys::{self, NewKeyRow, Scope},
    clock::Clock,
    extensions::{self, ExtensionRow},
    http::problem::ApiError,
    logins::{self, ChosenBy, NewLogin},
    passwords::Passwords,
    registrations,
    registry::Ha1,
    secrets,
    sessions::Role,
    store::{Store, Tx, query},
};
use crate::tms::wire::{Account, Edition};

/// Tenant and realm.
pub const TENANT: &str = "acme";
const USERNAME: &str = "agent@acme.example";
const ADMIN: &str = "ada@acme.example";
const KEY_NAME: &str = "Agent Manager (demonstration)";
/// Number and name of each extension: the agent's, the colleague's, the echo and the one that calls back.
const EXTENSIONS: [(&str, &str); 4] =
    [("100", "Alex Agent"), ("101", "Chris Colleague"), ("600", "Echo"), ("601", "Call me back")];

/// What signs in to the demonstration tenant.
#[derive(Clone)]
pub struct Demo {
    pub username: String,
    pub password: String,
    pub api_key: String,
    /// The account's administrator, for the portal.
    pub admin: PortalLogin,
    /// Lasting SIP passwords of the primaries: `100-acme`, `101-acme`, `600-acme`, `601-acme`.
    pub sip: Vec<SipLogin>,
}

/// Who signs in to the portal.
#[derive(Clone, Serialize)]
pub struct PortalLogin {
    pub username: String,
    pub password: String,
}

/// A lasting SIP password, with the digest user that it is of.
#[derive(Clone, Serialize)]
pub struct SipLogin {
    pub username: String,
    pub password: String,
}

impl Demo {
    /// The primary registration of an extension.
    pub fn sip(&self, extension: &str) -> Option<&SipLogin> {
        let name = format!("{extension}-{TENANT}");
        self.sip.iter().find(|login| login.username == name)
    }
}

/// Makes or mends the tenant; everything or nothing.
pub async fn seed(store: &Store, clock: &Clock, passwords: &Passwords) -> Result<Demo, ApiError> {
    let now = clock.now_ms();
    let password = secrets::password();
    let password_hash = passwords.hash(&password).await?;
    let admin = PortalLogin { username: ADMIN.into(), password: secrets::password() };
    let admin_hash = passwords.hash(&admin.password).await?;
    let key = secrets::ApiKey::generate();
    let mut tx = store.begin().await?;
    let account = account(&mut tx, now).await?;
    let agent = login(&mut tx, account.id, (USERNAME, "Alex Agent", Role::Extension), &password_hash, now).await?;
    login(&mut tx, account.id, (ADMIN, "Ada Admin", Role::Admin), &admin_hash, now).await?;
    let api_key = api_key(&mut tx, account.id, &key, now).await?;
    let mut sip = Vec::new();
    for (number, name) in EXTENSIONS {
        let id = extension(&mut tx, &account, number, name, now).await?;
        if number == "100" {
            let (number, name) = (number.to_owned(), name.to_owned());
            let (membership, api_key) = (Some(agent), Some(api_key));
            let row = ExtensionRow { id, number, name, enabled: true, membership, login: None, api_key };
            extensions::update(&mut tx, &row).await?;
            laptop(&mut tx, id, now).await?;
        }
        let login = SipLogin { username: format!("{number}-{TENANT}"), password: secrets::password() };
        let ha1 = Ha1::of(&login.username, &account.account.realm, &login.password);
        registrations::set_password(&mut tx, &login.username, &ha1).await?;
        sip.push(login);
    }
    tx.commit().await?;
    Ok(Demo { username: USERNAME.into(), password, api_key: key.key, admin, sip })
}

async fn find(tx: &mut Tx, sql: &'static str, value: &str) -> Result<Option<i64>, sqlx::Error> {
    query(sql).bind(value).fetch_optional(tx).await?.map(|row| row.try_get(0)).transpose()
}

async fn account(tx: &mut Tx, now: i64) -> Result<AccountRow, sqlx::Error> {
    let account = Account {
        name: "Acme".into(),
        tenant: TENANT.into(),
        realm: TENANT.into(),
        edition: Edition::Enterprise,
        emergency_numbers: accounts::emergency::of_installation(tx).await?,
    };
    let id = match find(tx, "SELECT id FROM account WHERE tenant = $1", TENANT).await? {
        Some(id) => id,
        None => accounts::create(tx, &account, &Place { time_zone: "UTC", parent: None }, now).await?,
    };
    Ok(AccountRow { id, account, enabled: true })
}

async fn login(
    tx: &mut Tx,
    account: i64,
    (username, name, role): (&str, &str, Role),
    password_hash: &str,
    now: i64,
) -> Result<i64, sqlx::Error> {
    let id = match find(tx, "SELECT id FROM login WHERE username = $1", username).await? {
        Some(id) => id,
        None => {
            let password_by = ChosenBy::Owner;
            let login = NewLogin { username, name, email: None, password_hash, password_by, operator: false };
            let id = logins::create(tx, &login, now).await?;
            logins::add_membership(tx, id, account, role).await?;
            id
        }
    };
    logins::set_password(tx, id, (password_hash, ChosenBy::Owner), now).await?;
    let enabled = query(
        "UPDATE membership SET state = 'enabled', activated_at = coalesce(activated_at, $1)
         WHERE login_id = $2 AND account_id = $3 RETURNING id",
    );
    enabled.bind(now).bind(id).bind(account).fetch_one(tx).await?.try_get("id")
}

/// A new key in place of the last start's.
async fn api_key(tx: &mut Tx, account: i64, key: &secrets::ApiKey, now: i64) -> Result<i64, sqlx::Error> {
    let last = "SELECT id FROM api_key WHERE name = $1 AND revoked_at IS NULL";
    while let Some(id) = find(tx, last, KEY_NAME).await? {
        api_keys::revoke(tx, account, id, now).await?;
    }
    let row = NewKeyRow { account, name: KEY_NAME, scope: Scope::All, expires_at: None };
    api_keys::create(tx, &row, key, now).await
}

async fn extension(tx: &mut Tx, account: &AccountRow, number: &str, name: &str, now: i64) -> Result<i64, sqlx::Error> {
    let primary = format!("{number}-{TENANT}");
    match find(tx, "SELECT extension_id FROM registration WHERE name = $1", &primary).await? {
        Some(id) => Ok(id),
        None => extensions::create(tx, account, number, name, now).await,
    }
}

async fn laptop(tx: &mut Tx, extension: i64, now: i64) -> Result<(), sqlx::Error> {
    let name = format!("100-{TENANT}-laptop");
    if find(tx, "SELECT id FROM registration WHERE name = $1", &name).await?.is_none() {
        registrations::add(tx, extension, &name, "Laptop", true, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn seeding_twice_makes_nothing_twice_and_new_secrets() {
        let store = Store::open(&crate::server::store::testing::database().await).await.expect("opens");
        let (clock, passwords) = (Clock::system(), Passwords::new());
        let first = seed(&store, &clock, &passwords).await.expect("seeds");
        let second = seed(&store, &clock, &passwords).await.expect("seeds again");
        assert_ne!((&first.password, &first.api_key), (&second.password, &second.api_key));
        assert_ne!(first.sip("101").map(|s| &s.password), second.sip("101").map(|s| &s.password));
        for (table, rows) in [("account", 1), ("login", 2), ("membership", 2), ("extension", 4), ("registration", 5)] {
            let count: i64 = query(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
                .scalar(&store)
                .await
                .expect("counts");
            assert_eq!(count, rows, "{table}");
        }
        let live = query("SELECT count(*) FROM api_key WHERE revoked_at IS NULL");
        assert_eq!(live.scalar::<i64>(&store).await.expect("counts"), 1);
    }
}
