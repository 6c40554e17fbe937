//! A TMS on SQLite with one large account, whose extensions all have an owner and a device.

use crate::process::{Process, binary};
use agent_manager::server::{
    passwords::Passwords,
    store::{Store, Tx, query},
};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::SystemTime,
};

pub const TENANT: &str = "acme";
pub const PASSWORD: &str = "seven green umbrellas";
/// The first extension's number.
const FIRST: usize = 1000;

pub struct Site {
    /// Of HTTP: `127.0.0.1:PORT`.
    pub address: String,
    process: Process,
    _folder: tempfile::TempDir,
}

impl Site {
    /// With so many who manage the account.
    pub fn start(extensions: usize, people: usize) -> Self {
        let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("a folder on the disk");
        let database = format!("sqlite://{}/tms.db", folder.path().display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(fill(&database, extensions, people)).expect("the account is made");
        let mut child = Command::new(binary("tms"))
            .args(["serve", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--database-url", &database])
            .stdout(Stdio::piped())
            .spawn()
            .expect("tms starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
        let ready: serde_json::Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let address = ready["http"].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address");
        Self { address: address.to_owned(), process: Process(child), _folder: folder }
    }

    /// Resident, MiB.
    pub fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
    }
}

async fn fill(url: &str, extensions: usize, people: usize) -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open(url).await?;
    let hash = Passwords::new().hash(PASSWORD).await?;
    let mut tx = store.begin().await?;
    let account =
        "INSERT INTO account (name, tenant, realm, edition, created_at) VALUES ('Acme', $1, $1, 'enterprise', 0)
         RETURNING id";
    let account: i64 = query(account).bind(TENANT).scalar(&mut tx).await?;
    for at in 0..people {
        member(&mut tx, account, (&administrator(at), "Ada Admin", "admin"), &hash).await?;
    }
    for at in 0..extensions {
        let (username, name) = (format!("agent{at}@acme.example"), format!("Agent {at}"));
        let owner = member(&mut tx, account, (&username, &name, "extension"), &hash).await?;
        extension(&mut tx, account, owner, (FIRST + at, &name)).await?;
    }
    tx.commit().await?;
    store.close().await;
    Ok(())
}

/// User name of one of those who manage the account.
pub fn administrator(at: usize) -> String {
    format!("admin{at}@{TENANT}.example")
}

async fn member(
    tx: &mut Tx,
    account: i64,
    (username, name, role): (&str, &str, &str),
    hash: &str,
) -> Result<i64, sqlx::Error> {
    let login = "INSERT INTO login (username, name, password_hash, created_at) VALUES ($1, $2, $3, 0) RETURNING id";
    let login: i64 = query(login).bind(username).bind(name).bind(hash).scalar(&mut *tx).await?;
    let membership = "INSERT INTO membership (login_id, account_id, role, state, activated_at)
         VALUES ($1, $2, $3, 'enabled', 0) RETURNING id";
    query(membership).bind(login).bind(account).bind(role).scalar(tx).await
}

/// With a device that holds its primary registration.
async fn extension(tx: &mut Tx, account: i64, owner: i64, (number, name): (usize, &str)) -> Result<(), sqlx::Error> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let insert = "INSERT INTO extension (account_id, tenant, edition, number, name, membership_id, created_at)
         VALUES ($1, $2, 'enterprise', $3, $4, $5, 0)";
    let insert = query(insert).bind(account).bind(TENANT).bind(number.to_string()).bind(name).bind(owner);
    insert.execute(&mut *tx).await?;
    query(
        "INSERT INTO sip_contact (registration_id, uri, transport, remote, call_id, cseq, device, since, expires_at)
         SELECT id, 'sip:' || name || '@127.0.0.1:5066', 'udp', '127.0.0.1:5066', name, 1, 'Desk phone', $1, $2
         FROM registration WHERE name = $3",
    )
    .bind(now)
    .bind(now + 3_600_000)
    .bind(format!("{number}-{TENANT}"))
    .execute(tx)
    .await?;
    Ok(())
}
