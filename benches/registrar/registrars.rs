//! The registrars that are compared, each with the same accounts.

use crate::{
    load::{REALM, password, user},
    process::{AtEnd, Group, binary, bounded, free_port, poll_until},
    provider::{Kamailio, Postgres, grant},
};
use agent_manager::server::{
    registry::Ha1,
    store::{Store, Tx, query},
};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::UdpSocket,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

/// Folders of one run: one on the disk, with the logs, and one in memory for a database and nothing else.
pub struct Home {
    disk: tempfile::TempDir,
    memory: tempfile::TempDir,
    /// Memory is given back also when the bench is killed.
    _cleared: AtEnd,
}

impl Home {
    pub fn new() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let disk = tempfile::tempdir_in(target).expect("a folder on the disk");
        let memory = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
        let cleared = AtEnd::run("rm -rf -- \"$0\"", memory.path()).expect("there is a shell");
        Self { disk, memory, _cleared: cleared }
    }

    pub fn path(&self) -> &Path {
        self.disk.path()
    }

    fn database(&self, in_memory: bool) -> PathBuf {
        let folder = if in_memory { &self.memory } else { &self.disk };
        folder.path().join("tms.db")
    }
}

/// A registrar under load, ended when dropped.
pub struct Registrar {
    pub port: u16,
    server: Group,
}

/// Whence Kamailio has its passwords.
#[derive(Clone, Copy)]
pub enum Auth<'a> {
    /// Reckoned from the user name, without a database.
    Memory,
    Stock(&'a Postgres),
    View(&'a Postgres),
}

impl Registrar {
    /// Resident memory of all its processes, MiB. Shared pages count once for each; less would be wrong the other way.
    pub fn memory(&mut self) -> f64 {
        let main = self.server.leader().pid();
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap_or_default();
        let pids = children.split_whitespace().map(str::to_owned).chain([main.to_string()]);
        let proportional = |pid: String| {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap_or_default().to_owned();
            line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0)
        };
        pids.map(proportional).sum::<f64>() / 1024.0
    }
}

/// The devices' accounts in both SQLite files and in a PostgreSQL, which also has Kamailio's stock table of them.
pub fn seed(home: &Home, devices: usize) -> Postgres {
    let postgres = Postgres::start(home.disk.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for url in [home.database(true), home.database(false)].map(|file| format!("sqlite://{}", file.display())) {
        runtime.block_on(fill(&url, devices));
    }
    runtime.block_on(fill(&postgres.url("tms"), devices));
    grant(&postgres);
    let stock = "CREATE TABLE subscriber (id SERIAL PRIMARY KEY, username VARCHAR(64) NOT NULL DEFAULT '',
             domain VARCHAR(64) NOT NULL DEFAULT '', password VARCHAR(64) NOT NULL DEFAULT '',
             ha1 VARCHAR(128) NOT NULL DEFAULT '', ha1b VARCHAR(128) NOT NULL DEFAULT '',
             CONSTRAINT subscriber_account_idx UNIQUE (username, domain));
         CREATE INDEX subscriber_username_idx ON subscriber (username);
         INSERT INTO subscriber (username, domain, ha1) SELECT username, domain, ha1 FROM sip_user;
         GRANT SELECT ON subscriber TO kamailio; VACUUM ANALYZE";
    for statement in stock.split(';') {
        assert!(postgres.sql(statement), "{statement}");
    }
    postgres
}

async fn fill(url: &str, devices: usize) {
    let store = Store::open(url).await.expect("opens");
    let mut tx = store.begin().await.expect("begins");
    let account = "INSERT INTO account (name, tenant, realm, edition, created_at) VALUES ('Acme', $1, $1, 'express', 0)
         RETURNING id";
    let account: i64 = query(account).bind(REALM).scalar(&mut tx).await.expect("inserts");
    for device in 0..devices {
        add(&mut tx, account, device).await.expect("inserts");
    }
    tx.commit().await.expect("commits");
    store.close().await;
}

async fn add(tx: &mut Tx, account: i64, device: usize) -> Result<(), sqlx::Error> {
    query(
        "INSERT INTO extension (account_id, tenant, edition, number, name, created_at)
         VALUES ($1, $2, 'express', $3, 'Device', 0)",
    )
    .bind(account)
    .bind(REALM)
    .bind((1000 + device).to_string())
    .execute(&mut *tx)
    .await?;
    let ha1 = Ha1::of(&user(device), REALM, &password(device));
    query("UPDATE registration SET ha1_md5 = $1, ha1_sha256 = $2, ha1_sha512_256 = $3 WHERE name = $4")
        .bind(ha1.md5)
        .bind(ha1.sha256)
        .bind(ha1.sha512_256)
        .bind(user(device))
        .execute(tx)
        .await?;
    Ok(())
}

/// Our own registrar. sipp understands one digest algorithm only.
pub fn tms(home: &Home, in_memory: bool) -> Registrar {
    let database = format!("sqlite://{}", home.database(in_memory).display());
    let mut command = bounded(binary("tms"));
    command
        .args(["serve", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--sip-digest", "md5"])
        .args(["--database-url", &database])
        .stdout(Stdio::piped());
    let mut server = Group::start(&mut command).expect("tms starts");
    let mut line = String::new();
    BufReader::new(server.leader().0.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
    let ready: serde_json::Value = serde_json::from_str(&line).expect("the ready line is JSON");
    let port = ready["sip"].as_str().and_then(|sip| sip.rsplit_once(':')?.1.parse().ok()).expect("a port");
    Registrar { port, server }
}

/// Kamailio with our whole configuration: view, conflict rule, contacts written through.
pub fn whole(home: &Home, postgres: &Postgres) -> Registrar {
    let (port, server) = Kamailio::start(home.path(), postgres, None).into_parts();
    Registrar { port, server }
}

/// A plain registrar in memory that differs in where the password comes from and in nothing else.
pub fn kamailio(home: &Home, auth: Auth) -> Registrar {
    let (port, file) = (free_port(), home.path().join("plain.cfg"));
    fs::write(&file, plain(port, auth)).expect("the folder can be written");
    let log = File::create(home.path().join("plain.log")).expect("the folder can be written");
    let mut command = bounded("kamailio");
    command
        .args(["-DD", "-E", "-m", "256", "-M", "8", "-f"])
        .arg(&file)
        .arg("-Y")
        .arg(home.path())
        .arg("-P")
        .arg(home.path().join("plain.pid"))
        .stdout(Stdio::null())
        .stderr(log);
    let server = Group::start(&mut command).expect("kamailio is installed (make test installs it)");
    let registrar = Registrar { port, server };
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout can be set");
    let me = socket.local_addr().expect("a bound socket has an address");
    let request = format!(
        "REGISTER sip:{REALM} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKready;rport\r\nMax-Forwards: 9\r\n\
         From: <sip:r@{REALM}>;tag=1\r\nTo: <sip:r@{REALM}>\r\nCall-ID: ready\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
    );
    let up = poll_until(Duration::from_secs(10), || {
        socket.send_to(request.as_bytes(), ("127.0.0.1", port)).ok()?;
        socket.recv(&mut [0; 2048]).ok()
    });
    up.expect("Kamailio answers");
    registrar
}

fn plain(port: u16, auth: Auth) -> String {
    let database = |postgres: &Postgres| {
        format!(
            "loadmodule \"db_postgres.so\"\nloadmodule \"auth_db.so\"\nmodparam(\"auth_db\",\"db_url\",\"{}\")\n\
             modparam(\"auth_db\",\"version_table\",0)\nmodparam(\"auth_db\",\"calculate_ha1\",0)\n\
             modparam(\"auth_db\",\"password_column\",\"ha1\")\nmodparam(\"auth_db\",\"use_domain\",1)\n",
            postgres.url("kamailio")
        )
    };
    let loaded = "modparam(\"auth_db\",\"load_credentials\",\"$avp(claims)=claims\")\n";
    let (modules, check) = match auth {
        Auth::Memory => {
            // load::password: "secret-" and the device's number, which is its extension's less 1000.
            let password = "$var(pw) = \"secret-\" + $(var(device){s.int});";
            let device = format!("$var(device) = $(au{{s.select,0,-}}{{s.int}}) - 1000; {password}");
            (String::new(), format!("{device} if (!pv_auth_check(\"{REALM}\",\"$var(pw)\",\"0\",\"0\"))"))
        }
        Auth::Stock(postgres) => {
            (database(postgres), format!("if (!www_authenticate(\"{REALM}\",\"subscriber\",\"REGISTER\"))"))
        }
        Auth::View(postgres) => {
            let check = format!("if (!www_authenticate(\"{REALM}\",\"kamailio_credentials\",\"REGISTER\"))");
            (format!("{}{loaded}", database(postgres)), check)
        }
    };
    format!(
        r#"#!KAMAILIO
debug=0
log_stderror=yes
children=2
listen=udp:127.0.0.1:{port}
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
{modules}modparam("usrloc","db_mode",0)
modparam("usrloc","hash_size",14)
request_route {{
  if (!is_method("REGISTER")) exit;
  {check} {{ auth_challenge("{REALM}","1"); exit; }}
  save("location");
}}
"#
    )
}
