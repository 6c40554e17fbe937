//! Debian's Kamailio as registrar and proxy in memory: domain `am.test`, user U has password pwU, digest required.

use super::{
    certificate::certificate,
    phone::Phone,
    process::{Group, bounded, free_port, poll_until},
};
use std::{
    net::UdpSocket,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

pub struct Kamailio {
    _server: Group,
    pub port: u16,
    /// With [`Options::tls`].
    pub tls_port: u16,
    /// Who signed its certificate, which is for `am.test` and 127.0.0.1.
    pub ca: PathBuf,
}

/// What a test may vary.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Also listens on this address (baresip refuses loopback).
    pub also: Option<&'a str>,
    /// The registrar's longest interval, seconds; 0 leaves its default.
    pub max_expires: u32,
    /// Asks for digest on INVITE too.
    pub invite_auth: bool,
    /// Serves TLS too, with a certificate of its own.
    pub tls: bool,
    /// Its port; 0 takes a free one.
    pub port: u16,
    /// Is a presence agent too: tells of calls through it (RFC 4235), and of what is published (RFC 3903), for some seconds a
    /// subscription.
    pub presence: bool,
    /// Challenges as Debian's own configuration does: without a qop; nonces last a second.
    pub no_qop: bool,
}

impl Kamailio {
    pub fn start(dir: &Path, options: Options) -> Self {
        // The port is free now and may be taken a moment later: another try then.
        (0..3).find_map(|_| Self::try_start(dir, options)).expect("Kamailio starts and answers")
    }

    fn try_start(dir: &Path, options: Options) -> Option<Self> {
        let port = if options.port == 0 { free_port() } else { options.port };
        let tls_port = free_port();
        if options.tls {
            certificate(dir, "kamailio", "DNS:am.test,IP:127.0.0.1");
        }
        if options.presence {
            // pua does not start without a database; two text files are one.
            for table in ["version", "pua"] {
                let copied =
                    std::fs::copy(Path::new("/usr/share/kamailio/dbtext/kamailio").join(table), dir.join(table));
                copied.expect("Debian's Kamailio brings its tables as text");
            }
        }
        let config = dir.join("kamailio.cfg");
        std::fs::write(&config, configuration(dir, (port, tls_port), options))
            .expect("the test's folder can be written");
        let log = std::fs::File::create(dir.join("kamailio.log")).expect("the test's folder can be written");
        let mut command = bounded("kamailio");
        command
            .args(["-DD", "-E", "-m", "64", "-M", "8", "-f"])
            .arg(&config)
            .arg("-Y")
            .arg(dir)
            .arg("-P")
            .arg(dir.join("kamailio.pid"))
            .stdout(Stdio::null())
            .stderr(log);
        let mut server = Group::start(&mut command).expect("kamailio is installed (make test installs it)");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout can be set");
        let me = socket.local_addr().expect("a bound socket has an address");
        poll_until(Duration::from_secs(10), || {
            if server.has_ended() {
                return Some(false);
            }
            let options = format!(
                "OPTIONS sip:nobody@am.test SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKready;rport\r\n\
                 Max-Forwards: 9\r\nFrom: <sip:r@am.test>;tag=1\r\nTo: <sip:nobody@am.test>\r\nCall-ID: ready\r\n\
                 CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            );
            socket.send_to(options.as_bytes(), ("127.0.0.1", port)).ok()?;
            socket.recv(&mut [0; 2048]).ok().map(|_| true)
        })
        .filter(|up| *up)
        .map(|_| Self { _server: server, port, tls_port, ca: dir.join("ca.pem") })
    }

    /// A softphone with an account here: user `name`, its own password unless given.
    pub fn phone(&self, dir: &Path, name: &str, transport: &str, audio: &str, more: &[&str]) -> Phone {
        let port = if transport == "tls" { self.tls_port } else { self.port };
        let (account, proxy) =
            (format!("sip:{name}@am.test"), format!("sip:127.0.0.1:{port};transport={transport};lr"));
        let ca = self.ca.display().to_string();
        let mut args = vec!["--sip-account", &account, "--outbound-proxy", &proxy, "--transport", transport];
        args.extend(["--bind", "127.0.0.1:0", "--audio", audio]);
        if transport == "tls" {
            args.extend(["--ca-file", &ca]);
        }
        args.extend(more);
        Phone::start(dir, name, &args, &format!("pw{name}"), None)
    }
}

fn configuration(dir: &Path, (port, tls_port): (u16, u16), options: Options) -> String {
    let tls = if options.tls { " tls nathelper" } else { "" };
    let watching = if options.presence { PRESENCE_MODULES } else { "" };
    let modules = format!("tm sl rr pv maxfwd usrloc registrar textops siputils auth kex{tls}{watching}")
        .split(' ')
        .map(|m| format!("loadmodule \"{m}.so\"\n"))
        .collect::<String>();
    let also = options.also.map(|a| format!("listen=udp:{a}:{port}\n")).unwrap_or_default();
    let expires = match options.max_expires {
        0 => String::new(),
        s => format!("modparam(\"registrar\",\"max_expires\",{s})\nmodparam(\"usrloc\",\"timer_interval\",1)\n"),
    };
    let invite_auth = if options.invite_auth {
        "if (is_method(\"INVITE\")) { $var(pw) = \"pw\" + $au; if (!pv_auth_check(\"am.test\",\"$var(pw)\",\"0\",\"0\")) \
         { auth_challenge(\"am.test\",\"1\"); exit; } consume_credentials(); }"
    } else {
        ""
    };
    // Devices that connected are reached over their connection.
    let (listen_tls, tls, reach) = match options.tls {
        true => (
            format!("enable_tls=yes\nlisten=tls:127.0.0.1:{tls_port}\ntcp_connection_lifetime=600\n"),
            format!(
                "modparam(\"tls\",\"tls_method\",\"TLSv1.2+\")\nmodparam(\"tls\",\"certificate\",\"{0}/kamailio.pem\")\n\
                 modparam(\"tls\",\"private_key\",\"{0}/kamailio.key\")\n\
                 modparam(\"nathelper|registrar\",\"received_avp\",\"$avp(RECEIVED)\")\n",
                dir.display()
            ),
            "fix_nated_register();",
        ),
        false => (String::new(), String::new(), ""),
    };
    let (agent, events, watch) = if options.presence { presence(dir, port) } else { Default::default() };
    let (qop, nonces) = if options.no_qop { ("0", "modparam(\"auth\",\"nonce_expire\",1)\n") } else { ("1", "") };
    format!(
        r#"#!KAMAILIO
debug=1
log_stderror=yes
children=2
alias="am.test"
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
{also}{listen_tls}{modules}
modparam("usrloc","db_mode",0)
modparam("registrar","max_contacts",10)
{expires}{nonces}{tls}{agent}
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483","Too Many Hops"); exit; }}
  if (is_method("REGISTER")) {{
    $var(pw) = "pw" + $au;
    if (!pv_auth_check("am.test","$var(pw)","0","0")) {{ auth_challenge("am.test","{qop}"); exit; }}
    {reach} save("location"); exit;
  }}
  {events}
  if (has_totag()) {{
    # A GRUU (RFC 5627 §6.1): to the device that it names.
    if (loose_route()) {{ if (uri == myself) lookup("location"); t_relay(); exit; }}
    if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
    sl_send_reply("404","Not here"); exit;
  }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  {invite_auth}
  {watch}
  if (is_method("INVITE|SUBSCRIBE")) record_route();
  if (!lookup("location")) {{ sl_send_reply("404","Not Found"); exit; }}
  t_relay();
}}
"#
    )
}

const PRESENCE_MODULES: &str =
    " tmx presence presence_xml presence_mwi presence_dialoginfo db_text dialog pua pua_dialoginfo";

/// Settings; what is done with SUBSCRIBE and PUBLISH; what is done with a call.
fn presence(dir: &Path, port: u16) -> (String, &'static str, &'static str) {
    let me = format!("sip:127.0.0.1:{port}");
    let set = |module: &str, name: &str, value: &str| format!("modparam(\"{module}\",\"{name}\",{value})\n");
    let text = |value: &str| format!("\"{value}\"");
    let database = text(&format!("text://{}", dir.display()));
    let settings = [
        set("presence", "db_url", "\"\"")
            + &set("presence", "subs_db_mode", "0")
            + &set("presence", "publ_cache", "2")
            + &set("presence", "server_address", &text(&me))
            + &set("presence", "min_expires", "1")
            + &set("presence", "max_expires", "4")
            + &set("presence", "send_fast_notify", "1"),
        set("presence_xml", "force_active", "1") + &set("presence_xml", "disable_winfo", "1"),
        set("presence_dialoginfo", "force_single_dialog", "1") + &set("dialog", "dlg_flag", "4"),
        set("pua", "db_mode", "0") + &set("pua", "db_url", &database) + &set("pua", "outbound_proxy", &text(&me)),
        set("pua_dialoginfo", "include_callid", "1") + &set("pua_dialoginfo", "include_tags", "1"),
    ];
    let events = r#"if (is_method("SUBSCRIBE") && !has_totag()) {
    $var(pw) = "pw" + $au;
    if (!pv_auth_check("am.test","$var(pw)","0","0")) { auth_challenge("am.test","1"); exit; }
  }
  if (is_method("PUBLISH|SUBSCRIBE")) {
    if (has_totag()) loose_route(); else if (is_method("SUBSCRIBE")) record_route();
    if (!t_newtran()) { sl_reply_error(); exit; }
    if (is_method("PUBLISH")) handle_publish(); else handle_subscribe();
    t_release(); exit;
  }"#;
    (settings.concat(), events, r#"if (is_method("INVITE")) { setflag(4); dlg_manage(); }"#)
}
