//! A database that the first version made, with data in it, is brought up to date and goes on.

use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, PgPool, SqlitePool, migrate::Migrator};

use super::{
    audit,
    clock::Clock,
    http::testing::{GOOD, Harness, INSTANCE, OTHER_INSTANCE},
    passwords::Passwords,
    secrets::{self, ApiKey},
    store::{self, query},
};

/// The first version's schema alone, in an empty database, and what it stored. The newest version's number.
async fn first_version(url: &str, statements: &[String]) -> i64 {
    let newest = |migrator: &Migrator| migrator.iter().map(|m| m.version).max().expect("migrations");
    let only_the_first = |migrator: &Migrator| -> String {
        let first = migrator.iter().find(|m| m.version == 1).expect("the first migration");
        first.sql.as_str().to_owned()
    };
    // The same bookkeeping as the program's: migration 1 is done, with its checksum.
    let done = |migrator: &Migrator| {
        let first = migrator.iter().find(|m| m.version == 1).expect("the first migration");
        (first.description.to_string(), first.checksum.to_vec())
    };
    let book = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
        installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BYTES NOT NULL,
        execution_time BIGINT NOT NULL)";
    let noted = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (1, $1, TRUE, $2, 0)";
    if url.starts_with("sqlite") {
        let migrator = sqlx::migrate!("migrations/sqlite");
        let pool = SqlitePool::connect(&format!("{url}?mode=rwc")).await.expect("opens");
        pool.execute(AssertSqlSafe(only_the_first(&migrator))).await.expect("the first schema");
        pool.execute(AssertSqlSafe(book.replace("BYTES", "BLOB"))).await.expect("the book");
        let (description, checksum) = done(&migrator);
        sqlx::query(noted).bind(description).bind(checksum).execute(&pool).await.expect("noted");
        for statement in statements {
            pool.execute(AssertSqlSafe(statement.clone())).await.expect(statement);
        }
        pool.close().await;
        newest(&migrator)
    } else {
        let migrator = sqlx::migrate!("migrations/postgres");
        let pool = PgPool::connect(url).await.expect("opens");
        pool.execute("DROP SCHEMA public CASCADE").await.expect("emptied");
        pool.execute("CREATE SCHEMA public").await.expect("empty");
        pool.execute(AssertSqlSafe(only_the_first(&migrator))).await.expect("the first schema");
        pool.execute(AssertSqlSafe(book.replace("BYTES", "BYTEA"))).await.expect("the book");
        let (description, checksum) = done(&migrator);
        sqlx::query(noted).bind(description).bind(checksum).execute(&pool).await.expect("noted");
        for statement in statements {
            pool.execute(AssertSqlSafe(statement.clone())).await.expect(statement);
        }
        pool.close().await;
        newest(&migrator)
    }
}

/// What the harness's clock shows, and when everything here expires.
const NOW: i64 = 1_800_000_000_000;
const LATE: i64 = 4_000_000_000_000;
const CREDENTIAL: &str = "100-old-laptop~k3f9";
const CODE: &str = "a code of the first version";

/// What was open when the first version stopped: a session with its credential, one of somebody who manages, and a link.
fn left_open() -> [String; 5] {
    let hashes = ["softphone", "browser", CODE].map(secrets::hash);
    [
        "INSERT INTO registration (extension_id, account_id, edition, slot, name, label, ring_inbound, created_at)
             VALUES (1, 1, 'enterprise', 1, '100-old-laptop', 'Laptop', TRUE, 1)"
            .to_owned(),
        format!(
            "INSERT INTO session (token_hash, membership_id, api_key_id, instance_id, address, created_at, expires_at)
                 VALUES ('{}', 1, 1, '{INSTANCE}', '10.0.0.12', {NOW}, {LATE})",
            hashes[0]
        ),
        format!(
            "INSERT INTO sip_credential
                 (session_id, registration_id, username, ha1_md5, ha1_sha256, ha1_sha512_256, created_at)
                 VALUES (1, 2, '{CREDENTIAL}', 'a', 'b', 'c', {NOW})"
        ),
        format!(
            "INSERT INTO manage_session (token_hash, login_id, created_at, expires_at) VALUES ('{}', 2, {NOW}, {LATE})",
            hashes[1]
        ),
        format!(
            "INSERT INTO link (code_hash, extension_id, created_at, expires_at) VALUES ('{}', 1, {NOW}, {LATE})",
            hashes[2]
        ),
    ]
}

/// What the first version had of an account with an agent, its key, and somebody who manages.
fn an_account(password: &str, key: &ApiKey) -> [String; 6] {
    [
        "INSERT INTO account (name, tenant, realm, edition, created_at) VALUES ('Old', 'old', 'old.example', 'enterprise', 1)"
            .to_owned(),
        format!(
            "INSERT INTO login (username, name, password_hash, created_at) VALUES ('ann@old.example', 'Ann', '{password}', 1),
                 ('boss', 'Boss', '{password}', 1)"
        ),
        "INSERT INTO membership (login_id, account_id, role, state, activated_at)
             VALUES (1, 1, 'extension', 'enabled', 1), (2, 1, 'admin', 'enabled', 1)"
            .to_owned(),
        format!(
            "INSERT INTO api_key (account_id, name, prefix, hash, created_at) VALUES (1, 'K', '{}', '{}', 1)",
            key.prefix,
            secrets::hash(&key.key)
        ),
        "INSERT INTO extension (account_id, tenant, edition, number, name, membership_id, api_key_id, created_at)
             VALUES (1, 'old', 'enterprise', '100', 'Ann', 1, 1, 1)"
            .to_owned(),
        "INSERT INTO audit (at, account_id, actor, address, action, object)
             VALUES (1, 1, 'boss', '127.0.0.1', 'create extension', '100'), (2, NULL, 'boss', '::1', 'sign in to manage', 'boss')"
            .to_owned(),
    ]
}

async fn goes_on(h: &Harness) {
    let store = &h.app.store;
    assert_eq!(h.get("/v1/me").token("softphone").send().await.json["extensions"][0]["number"], "100");
    assert_eq!(h.get("/v1/manage/sessions").token("browser").send().await.status.as_u16(), 200);
    let known = h.registry().credentials("old.example", CREDENTIAL).await.expect("reads").expect("it is known");
    assert_eq!(known.registration, "100-old-laptop");
    if store.postgres().is_some() {
        // The one that a configuration of today reads, and the one that was read before.
        for sql in [
            "SELECT count(*) AS n FROM kamailio_credentials WHERE username = $1",
            "SELECT count(*) AS n FROM kamailio_subscriber WHERE username = $1",
        ] {
            let seen = query(sql).bind(CREDENTIAL).scalar::<i64>(store).await.expect("counts");
            assert_eq!(seen, 1, "Kamailio does not know it: {sql}");
        }
    }
    let exchanged = h.post("/v1/link", json!({"code": CODE, "instance_id": OTHER_INSTANCE})).send().await;
    assert_eq!(exchanged.status.as_u16(), 201, "{}", exchanged.text);
}

#[tokio::test]
async fn the_first_versions_database_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = match store::testing::database().await {
        url if url == "sqlite::memory:" => format!("sqlite://{}", folder.path().join("tms.db").display()),
        url => url,
    };
    let key = ApiKey::generate();
    let statements = an_account(&Passwords::new().hash(GOOD).await.expect("hashes"), &key);
    let newest = first_version(&url, &[&statements[..], &left_open()].concat()).await;

    let h = Harness::on(&url).await;
    let done = query("SELECT max(version) AS n FROM _sqlx_migrations WHERE success");
    assert_eq!(done.scalar::<i64>(&h.app.store).await.expect("reads"), newest);
    let signed_in = h.try_sign_in("ann@old.example", GOOD, &key.key).await;
    assert_eq!(signed_in.status.as_u16(), 201, "{}", signed_in.text);
    let list = h.get("/v1/me/registrations").token(&signed_in.string("token")).send().await;
    assert_eq!(list.json[0]["name"], "100-old", "{}", list.text);

    // Nobody is shut out where a second factor is demanded: as with a new password there is a week to turn it on.
    let (soon, week) = (Clock::system().now_ms(), 7 * 24 * 3600 * 1000);
    let let_in = query("SELECT count(*) AS n FROM login WHERE second_factor_until BETWEEN $1 AND $2");
    let let_in = let_in.bind(soon + week / 2).bind(soon + week + 1000).scalar::<i64>(&h.app.store).await;
    assert_eq!(let_in.expect("counts"), 2);

    let boss = h.manager("boss", GOOD).await;
    let account = h.get("/v1/accounts/old").token(&boss).send().await;
    assert_eq!(
        (&account.json["time_zone"], &account.json["parent"]),
        (&json!("UTC"), &json!(null)),
        "{}",
        account.text
    );
    let keys = h.get("/v1/accounts/old/api-keys").token(&boss).send().await;
    assert_eq!((&keys.json[0]["scope"], &keys.json[0]["expires_at"]), (&json!("all"), &json!(null)), "{}", keys.text);
    let logins = h.get("/v1/accounts/old/logins").token(&boss).send().await;
    let emails: Vec<_> = logins.json.as_array().expect("a list").iter().map(|l| l["email"].clone()).collect();
    assert_eq!(emails, [json!("ann@old.example"), json!(null)]);

    // The first sign-in above linked the two old entries, then itself; then came the other.
    assert_eq!(audit::verify(&h.app.store).await.expect("whole"), 4);
    let linked: i64 =
        query("SELECT count(*) FROM audit WHERE previous IS NULL").scalar(&h.app.store).await.expect("counts");
    assert_eq!(linked, 0);
    let shown = h.get("/v1/accounts/old/audit").token(&boss).send().await;
    assert_eq!(shown.json[2]["action"], "create extension", "{}", shown.text);
    goes_on(&h).await;
}

/// Lists of numbers that none may have, as migration 0016 made them of the installation's.
#[tokio::test]
async fn emergency_numbers_that_no_list_may_have_are_taken_off() {
    let h = Harness::new().await;
    let store = &h.app.store;
    for (before, after) in [
        ("1 112 999 1234567", "112 999"),
        ("112 123456789012", "112"),
        ("7", "112 911"),
        ("112 10111 112233", "112 10111 112233"),
    ] {
        let write = query("UPDATE account SET emergency_numbers = $1 WHERE realm = 'acme'").bind(before);
        write.execute(store).await.expect(before);
        match store.postgres() {
            Some(pool) => {
                let mend = include_str!("../../migrations/postgres/0018_emergency_numbers_mended.sql");
                pool.execute(mend).await.map(drop).expect(before);
            }
            None => {
                let mend = include_str!("../../migrations/sqlite/0018_emergency_numbers_mended.sql");
                query(mend).execute(store).await.map(drop).expect(before);
            }
        }
        let list = query("SELECT emergency_numbers FROM account WHERE realm = 'acme'");
        assert_eq!(list.scalar::<String>(store).await.expect("reads"), after, "{before}");
    }
}
