//! The provider's side of a TMS, started by a test: Debian's PostgreSQL, rtpengine and Kamailio on free ports, with the
//! configuration that `tms kamailio-config` writes.

use crate::process::{Group, binary, bounded, free_port, poll_until};
use std::{
    fs::{self, File, Permissions},
    net::UdpSocket,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// All of it.
pub struct Provider {
    pub kamailio: Kamailio,
    pub rtpengine: Rtpengine,
    pub postgres: Postgres,
}

impl Provider {
    /// `migrate` makes the tables in the database of this URL.
    pub fn start(folder: &Path, migrate: impl FnOnce(&str)) -> Self {
        let postgres = Postgres::start(folder);
        migrate(&postgres.url("tms"));
        grant(&postgres);
        let rtpengine = Rtpengine::start(folder);
        let kamailio = Kamailio::start(folder, &postgres, Some(&rtpengine));
        Self { kamailio, rtpengine, postgres }
    }
}

/// A test's PostgreSQL need not outlive a power cut, and leaves nothing in /dev/shm when it is killed.
const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "fsync=off",
    "full_page_writes=off",
    "max_connections=200",
    "dynamic_shared_memory_type=mmap",
];

/// PostgreSQL of one test, in a folder of its own.
pub struct Postgres {
    server: Group,
    port: u16,
}

impl Postgres {
    pub fn start(folder: &Path) -> Self {
        // Another program may take the port in between: another try then.
        (0..3).find_map(|_| Self::try_start(folder)).expect("PostgreSQL starts and answers")
    }

    fn try_start(folder: &Path) -> Option<Self> {
        let (port, data) = (free_port(), folder.join("postgres"));
        // It refuses to run as root, and must be able to reach its folder as another user.
        fs::set_permissions(folder, Permissions::from_mode(0o711)).expect("the test's folder is ours");
        fs::create_dir_all(&data).expect("the test's folder can be written");
        if is_root() {
            assert!(Command::new("chown").arg("postgres").arg(&data).status().expect("chown runs").success());
        }
        let cluster = data.join("data");
        if !cluster.exists() {
            let options = ["-U", "tms", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"];
            let made = program("initdb").arg("-D").arg(&cluster).args(options).current_dir(&data).output();
            let made = made.expect("PostgreSQL is installed (make test installs it)");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        Self::serve(folder, port)
    }

    /// What is in the folder already.
    fn serve(folder: &Path, port: u16) -> Option<Self> {
        let data = folder.join("postgres");
        let log = File::create(folder.join("postgres.log")).expect("the test's folder can be written");
        let mut command = program("postgres");
        command.arg("-D").arg(data.join("data")).arg("-k").arg(&data).args(["-p", &port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.current_dir(&data).stdout(Stdio::null()).stderr(log);
        let mut postgres = Self { server: Group::start(&mut command).expect("postgres starts"), port };
        poll_until(Duration::from_secs(20), || match postgres.server.has_ended() {
            false => postgres.sql("SELECT 1").then_some(true),
            true => Some(false),
        })
        .filter(|up| *up)
        .map(|_| postgres)
    }

    /// Ends it as for an update: every connection is cut.
    pub fn stop(&mut self) {
        let server = self.server.leader();
        let told = Command::new("kill").args(["-INT", &server.pid().to_string()]).status();
        assert!(told.expect("kill runs").success());
        server.wait(Duration::from_secs(20));
    }

    /// After [`Self::stop`]: at the same port, with what it had.
    pub fn start_again(&mut self, folder: &Path) {
        *self = Self::serve(folder, self.port).expect("PostgreSQL starts and answers");
    }

    /// For this role, without a password.
    pub fn url(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/postgres", self.port)
    }

    /// Whether these statements succeed, as the database's owner.
    pub fn sql(&self, statements: &str) -> bool {
        let mut command = Command::new("psql");
        command.args(["-q", "-v", "ON_ERROR_STOP=1", "-d", &self.url("tms"), "-c", statements]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}

/// rtpengine in userspace.
pub struct Rtpengine {
    server: Group,
    control: u16,
}

impl Rtpengine {
    pub fn start(folder: &Path) -> Self {
        (0..3).find_map(|_| Self::try_start(folder)).expect("rtpengine starts and answers")
    }

    fn try_start(folder: &Path) -> Option<Self> {
        let (control, media) = (free_port(), free_port().clamp(20_000, 60_000));
        let log = File::create(folder.join("rtpengine.log")).expect("the test's folder can be written");
        let mut command = bounded("rtpengine");
        command
            .args(["--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--delete-delay=0"])
            .args(["--interface=127.0.0.1", "--num-threads=2", &format!("--listen-ng=127.0.0.1:{control}")])
            .args([format!("--port-min={media}"), format!("--port-max={}", media + 200)])
            .stdout(Stdio::null())
            .stderr(log);
        let server = Group::start(&mut command).expect("rtpengine is installed (make test installs it)");
        let mut rtpengine = Self { server, control };
        poll_until(Duration::from_secs(10), || match rtpengine.server.has_ended() {
            false => rtpengine.ask("d7:command4:pinge").filter(|answer| answer.contains("pong")).map(|_| true),
            true => Some(false),
        })
        .filter(|up| *up)
        .map(|_| rtpengine)
    }

    /// Packets that it has relayed in the calls it has now.
    pub fn relayed(&self) -> u64 {
        let list = self.ask("d7:command4:liste").unwrap_or_default();
        // d5:callsl32:CALL-IDe6:result2:oke, of which the strings between "callsl" and "e6:result" are wanted.
        let calls = list.split_once("5:callsl").and_then(|(_, rest)| rest.split_once("e6:result"));
        let call = calls.map(|(call, _)| call).filter(|call| !call.is_empty());
        let totals = call.and_then(|call| self.ask(&format!("d7:call-id{call}7:command5:querye")));
        let counts = totals.as_deref().unwrap_or_default().split("7:packetsi").skip(1);
        counts.filter_map(|rest| rest.split_once('e')?.0.parse::<u64>().ok()).max().unwrap_or(0)
    }

    /// The ng protocol: a cookie, by which it knows repetitions, and a dictionary in bencode.
    fn ask(&self, command: &str) -> Option<String> {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout can be set");
        let cookie = socket.local_addr().expect("a bound socket has an address").port();
        socket.send_to(format!("{cookie}-{} {command}", command.len()).as_bytes(), ("127.0.0.1", self.control)).ok()?;
        let mut answer = [0; 65_535];
        let length = socket.recv(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..length]).into_owned())
    }
}

/// Kamailio with our configuration.
pub struct Kamailio {
    server: Group,
    sip: u16,
    rpc: u16,
    log: PathBuf,
}

impl Kamailio {
    /// The database is migrated, and its role `kamailio` has its rights.
    pub fn start(folder: &Path, postgres: &Postgres, rtpengine: Option<&Rtpengine>) -> Self {
        Self::start_as("0", folder, postgres, rtpengine)
    }

    /// One of several on the same database, each with a number of its own.
    pub fn start_as(id: &str, folder: &Path, postgres: &Postgres, rtpengine: Option<&Rtpengine>) -> Self {
        (0..3).find_map(|_| Self::try_start(id, folder, postgres, rtpengine)).expect("Kamailio starts and answers")
    }

    fn try_start(id: &str, folder: &Path, postgres: &Postgres, rtpengine: Option<&Rtpengine>) -> Option<Self> {
        let (sip, rpc) = (free_port(), free_port());
        let mut command = Command::new(binary("tms"));
        command.args(["kamailio-config", "--workers", "2", "--requests-per-second", "0", "--server-id", id]);
        command.args(["--sip", &format!("127.0.0.1:{sip}"), "--rpc", &format!("127.0.0.1:{rpc}")]);
        command.args(["--database-url", &postgres.url("kamailio")]);
        if let Some(rtpengine) = rtpengine {
            command.args(["--rtpengine", &format!("127.0.0.1:{}", rtpengine.control)]);
        }
        let written = command.output().expect("tms runs");
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        let (file, log) = (folder.join("kamailio.cfg"), folder.join("kamailio.log"));
        fs::write(&file, written.stdout).expect("the test's folder can be written");
        let run = folder.join("kamailio");
        fs::create_dir_all(&run).expect("the test's folder can be written");
        let mut command = bounded("kamailio");
        command
            .args(["-DD", "-E", "-m", "64", "-M", "8", "-f"])
            .arg(&file)
            .arg("-Y")
            .arg(&run)
            .arg("-P")
            .arg(run.join("pid"))
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("the test's folder can be written"));
        let server = Group::start(&mut command).expect("kamailio is installed (make test installs it)");
        let mut kamailio = Self { server, sip, rpc, log };
        poll_until(Duration::from_secs(10), || match kamailio.server.has_ended() {
            false => kamailio.answers().then_some(true),
            true => Some(false),
        })
        .filter(|up| *up)
        .map(|_| kamailio)
    }

    /// Its SIP port, and the processes that it ends with.
    pub fn into_parts(self) -> (u16, Group) {
        (self.sip, self.server)
    }

    pub fn rpc_url(&self) -> String {
        format!("http://127.0.0.1:{}/rpc", self.rpc)
    }

    /// Where phones reach it.
    pub fn proxy(&self) -> String {
        format!("127.0.0.1:{}", self.sip)
    }

    /// Errors that it logged; there should be none.
    pub fn complaints(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let complaint = |line: &&str| line.contains("ERROR") || line.contains("CRITICAL") || line.contains("BUG");
        log.lines().filter(complaint).map(str::to_owned).collect()
    }

    fn answers(&self) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout can be set");
        let me = socket.local_addr().expect("a bound socket has an address");
        let sip = self.sip;
        let options = format!(
            "OPTIONS sip:127.0.0.1:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKready;rport\r\nMax-Forwards: 9\r\n\
             From: <sip:r@acme>;tag=1\r\nTo: <sip:127.0.0.1:{sip}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let sent = socket.send_to(options.as_bytes(), ("127.0.0.1", sip));
        sent.is_ok() && socket.recv(&mut [0; 2048]).is_ok()
    }
}

/// Gives Kamailio's role its rights, with the SQL that `tms kamailio-config --grants` writes.
pub fn grant(postgres: &Postgres) {
    let url = postgres.url("kamailio");
    let grants = Command::new(binary("tms")).args(["kamailio-config", "--grants", "--database-url", &url]).output();
    let grants = String::from_utf8(grants.expect("tms runs").stdout).expect("SQL");
    assert!(postgres.sql(&format!("CREATE ROLE kamailio LOGIN; {grants}")), "the grants are refused: {grants}");
}

/// One of PostgreSQL's programs, as a user that it accepts.
fn program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed (make test installs it)");
    let bin = versions.filter_map(Result::ok).map(|entry| entry.path().join("bin")).max().expect("a version");
    let mut command = bounded(bin.join(name));
    if is_root() {
        let id = |option| {
            let output = Command::new("id").args([option, "postgres"]).output().expect("id runs");
            String::from_utf8_lossy(&output.stdout).trim().parse().expect("the user postgres exists")
        };
        // In place of root itself, so that the process that is ended is the server.
        command.uid(id("-u")).gid(id("-g"));
    }
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
