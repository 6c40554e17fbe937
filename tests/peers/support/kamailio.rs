//! Debian's Kamailio as registrar and proxy in memory: domain `am.test`, user U has password pwU, digest required.

use super::{
    phone::Phone,
    process::{Group, bounded, free_port, poll_until},
};
use std::{net::UdpSocket, path::Path, process::Stdio, time::Duration};

pub struct Kamailio {
    _server: Group,
    pub port: u16,
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
    /// Challenges as Debian's own configuration does: without a qop; nonces last a second.
    pub no_qop: bool,
}

impl Kamailio {
    pub fn start(dir: &Path, options: Options) -> Self {
        // The port is free now and may be taken a moment later: another try then.
        (0..3).find_map(|_| Self::try_start(dir, options)).expect("Kamailio starts and answers")
    }

    fn try_start(dir: &Path, options: Options) -> Option<Self> {
        let port = free_port();
        let config = dir.join("kamailio.cfg");
        std::fs::write(&config, configuration(port, options)).expect("the test's folder can be written");
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
        .map(|_| Self { _server: server, port })
    }

    /// A softphone with an account here: user `name`, its own password unless given.
    pub fn phone(&self, dir: &Path, name: &str, transport: &str, audio: &str, more: &[&str]) -> Phone {
        let (account, proxy) =
            (format!("sip:{name}@am.test"), format!("sip:127.0.0.1:{};transport={transport};lr", self.port));
        let mut args = vec!["--sip-account", &account, "--outbound-proxy", &proxy, "--transport", transport];
        args.extend(["--bind", "127.0.0.1:0", "--audio", audio]);
        args.extend(more);
        Phone::start(dir, name, &args, &format!("pw{name}"), None)
    }
}

fn configuration(port: u16, options: Options) -> String {
    let modules = "tm sl rr pv maxfwd usrloc registrar textops siputils auth kex"
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
    let (qop, nonces) = if options.no_qop { ("0", "modparam(\"auth\",\"nonce_expire\",1)\n") } else { ("1", "") };
    format!(
        r#"#!KAMAILIO
debug=1
log_stderror=yes
children=2
alias="am.test"
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
{also}{modules}
modparam("usrloc","db_mode",0)
modparam("registrar","max_contacts",10)
{expires}{nonces}
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483","Too Many Hops"); exit; }}
  if (is_method("REGISTER")) {{
    $var(pw) = "pw" + $au;
    if (!pv_auth_check("am.test","$var(pw)","0","0")) {{ auth_challenge("am.test","{qop}"); exit; }}
    save("location"); exit;
  }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
    sl_send_reply("404","Not here"); exit;
  }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  {invite_auth}
  if (is_method("INVITE|SUBSCRIBE")) record_route();
  if (!lookup("location")) {{ sl_send_reply("404","Not Found"); exit; }}
  t_relay();
}}
"#
    )
}
