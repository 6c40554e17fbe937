//! `tms kamailio-config`: the configuration, written out for one place.

use std::{fmt::Write, net::SocketAddr, path::PathBuf};

use crate::tms::wire::problem::REGISTRATION_IN_USE;

/// Everything after the few lines that differ from place to place; valid by itself once those stand before it.
const TEMPLATE: [&str; 4] = [
    include_str!("template/core.cfg"),
    include_str!("template/request.cfg"),
    include_str!("template/register.cfg"),
    include_str!("template/call.cfg"),
];
/// Wrong passwords of one address for one user within a minute; then it is answered from memory, without the database.
const WRONG_PASSWORDS: u32 = 5;
/// What the role that Kamailio connects as may do, and no more.
const GRANTS: [&str; 4] = [
    "SELECT ON kamailio_credentials",
    "SELECT, INSERT, UPDATE, DELETE ON kamailio_location",
    "USAGE ON SEQUENCE kamailio_location_id_seq",
    "EXECUTE ON FUNCTION kamailio_refuse, kamailio_registered, kamailio_route, kamailio_called",
];

/// What differs from place to place.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Where phones reach it over UDP and TCP; it stands in Record-Route, so it is one address.
    pub sip: SocketAddr,
    pub tls: Option<Tls>,
    /// JSON-RPC for the TMS; loopback only.
    pub rpc: SocketAddr,
    /// `postgres://kamailio@127.0.0.1/tms`, without a password.
    pub database_url: String,
    /// Control port of rtpengine (ng protocol); without it media go from phone to phone.
    pub rtpengine: Option<SocketAddr>,
    /// Processes for each socket.
    pub workers: u32,
    /// Tells apart several Kamailios on one database.
    pub server_id: u32,
    /// From one address; more is a flood, which is not heard for five minutes. 0: no limit.
    pub requests_per_second: u32,
}

/// SIP over TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    pub address: SocketAddr,
    /// PEM, the whole chain.
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

/// A sentence with the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Configuration {
    /// The configuration file.
    ///
    /// # Errors
    /// Where it could not work, or would open what must stay closed.
    pub fn text(&self) -> Result<String, ConfigError> {
        self.check()?;
        let mut text = String::from(
            "#!KAMAILIO\n# Written by `tms kamailio-config` for Kamailio 5.6; write it anew rather than altering it.\n\
             # The password of its database role comes from the file that PGPASSFILE names in Kamailio's environment.\n",
        );
        let mut line = |line: std::fmt::Arguments<'_>| writeln!(text, "{line}").expect("a string takes everything");
        line(format_args!("#!define CHILDREN {}", self.workers));
        line(format_args!("#!define WRONG_PASSWORDS {WRONG_PASSWORDS}"));
        line(format_args!("server_id={}", self.server_id));
        line(format_args!("#!define RPC_PORT {}", self.rpc.port()));
        line(format_args!("#!substdef \"!RPC_HOST!{}!g\"", self.rpc.ip()));
        line(format_args!("#!substdef \"!DATABASE_URL!{}!g\"", self.database_url));
        line(format_args!("#!substdef \"!IN_USE_URN!{REGISTRATION_IN_USE}!g\""));
        if self.requests_per_second > 0 {
            // The module counts in units of two seconds.
            line(format_args!(
                "#!define WITH_PIKE\n#!define PIKE_DENSITY {}",
                self.requests_per_second.saturating_mul(2)
            ));
        }
        if let Some(rtpengine) = self.rtpengine {
            line(format_args!("#!define WITH_RTPENGINE\n#!substdef \"!RTPENGINE_ADDRESS!{rtpengine}!g\""));
        }
        if let Some(Tls { address, certificate, private_key }) = &self.tls {
            line(format_args!("#!define WITH_TLS\nenable_tls=yes\nlisten=tls:{address}"));
            line(format_args!("#!substdef \"!TLS_CERTIFICATE!{}!g\"", certificate.display()));
            line(format_args!("#!substdef \"!TLS_PRIVATE_KEY!{}!g\"", private_key.display()));
        }
        line(format_args!("listen=udp:{0}\nlisten=tcp:{0}\nlisten=tcp:{1}", self.sip, self.rpc));
        line(format_args!("socket_workers=1\nlisten=udp:{}", self.rpc));
        text.extend(TEMPLATE);
        Ok(text)
    }

    /// The SQL that gives the role in [`Configuration::database_url`] what Kamailio needs; for the database's owner to run.
    ///
    /// # Errors
    /// Where the URL names no role.
    pub fn grants(&self) -> Result<String, ConfigError> {
        let role = role(&self.database_url)?;
        Ok(GRANTS.iter().map(|what| format!("GRANT {what} TO \"{role}\";\n")).collect())
    }

    fn check(&self) -> Result<(), ConfigError> {
        role(&self.database_url)?;
        let refuse = |sentence: String| Err(ConfigError(sentence));
        if !self.rpc.ip().is_loopback() || self.rpc.port() == 0 {
            return refuse(format!(
                "--rpc {} must be a port on loopback: whoever reaches it commands Kamailio",
                self.rpc
            ));
        }
        for address in [Some(self.sip), self.tls.as_ref().map(|tls| tls.address)].into_iter().flatten() {
            if address.ip().is_unspecified() || address.port() == 0 {
                return refuse(format!(
                    "{address} must be the address and port that phones reach: it stands in Record-Route"
                ));
            }
        }
        if self.workers == 0 {
            return refuse("--workers must be 1 or more".to_owned());
        }
        let files = self.tls.iter().flat_map(|tls| [&tls.certificate, &tls.private_key]);
        match files.map(|file| file.display().to_string()).find(|file| !is_plain(file)) {
            Some(file) => {
                refuse(format!("{file} has a character that Kamailio's configuration cannot carry; rename it"))
            }
            None => Ok(()),
        }
    }
}

/// The role that a database URL names, once all of the URL is good for the configuration.
fn role(url: &str) -> Result<&str, ConfigError> {
    let must_read = || {
        ConfigError(
            "--database-url must read postgres://kamailio@127.0.0.1/tms: a role of its own, no password".to_owned(),
        )
    };
    let rest = url.strip_prefix("postgres://").filter(|_| is_plain(url)).ok_or_else(must_read)?;
    let (role, place) = rest.split_once('@').ok_or_else(must_read)?;
    let named = !role.is_empty() && role.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let database = place.split_once('/').is_some_and(|(host, name)| !host.is_empty() && !name.is_empty());
    if named && database { Ok(role) } else { Err(must_read()) }
}

/// Whether `#!substdef` and a quoted string carry it as it is.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "/:@._-[]~=+,".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::sip::SERVERS_WORD;

    fn configuration() -> Configuration {
        Configuration {
            sip: ([10, 0, 0, 5], 5060).into(),
            tls: None,
            rpc: ([127, 0, 0, 1], 5066).into(),
            database_url: "postgres://kamailio@127.0.0.1/tms".into(),
            rtpengine: None,
            workers: 4,
            server_id: 0,
            requests_per_second: 100,
        }
    }

    #[test]
    fn what_differs_from_place_to_place_stands_first() {
        let tls = Tls {
            address: ([10, 0, 0, 5], 5061).into(),
            certificate: "/etc/tms/chain.pem".into(),
            private_key: "/etc/tms/key.pem".into(),
        };
        let rtpengine = Some(([127, 0, 0, 1], 2223).into());
        let text = Configuration { tls: Some(tls), rtpengine, ..configuration() }.text().expect("a configuration");
        for line in [
            "listen=udp:10.0.0.5:5060",
            "listen=tls:10.0.0.5:5061",
            "listen=tcp:127.0.0.1:5066",
            "#!define PIKE_DENSITY 200",
            "#!substdef \"!RTPENGINE_ADDRESS!127.0.0.1:2223!g\"",
            "#!substdef \"!TLS_PRIVATE_KEY!/etc/tms/key.pem!g\"",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}");
        }
        let plain = Configuration { requests_per_second: 0, ..configuration() }.text().expect("a configuration");
        for absent in ["#!define WITH_TLS", "#!define WITH_PIKE", "#!define WITH_RTPENGINE"] {
            assert!(!plain.contains(absent), "{absent}");
        }
    }

    #[test]
    fn what_would_not_work_is_refused_in_a_sentence() {
        let url = |url: &str| Configuration { database_url: url.into(), ..configuration() };
        let cases = [
            (Configuration { rpc: ([10, 0, 0, 5], 5066).into(), ..configuration() }, "loopback"),
            (Configuration { sip: ([0, 0, 0, 0], 5060).into(), ..configuration() }, "Record-Route"),
            (Configuration { workers: 0, ..configuration() }, "--workers"),
            (url("sqlite:///var/lib/tms/tms.db"), "postgres://"),
            (url("postgres://kamailio:secret@127.0.0.1/tms"), "no password"),
            (url("postgres://127.0.0.1/tms"), "a role of its own"),
            (url("postgres://kamailio@127.0.0.1/tms\"!g"), "must read"),
        ];
        for (configuration, word) in cases {
            let told = configuration.text().expect_err(word).to_string();
            assert!(told.contains(word) && !told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn what_phones_believe_of_their_server_is_taken_off() {
        let text = configuration().text().expect("a configuration");
        let removed: String = text.lines().filter(|line| line.trim().starts_with("remove_hf")).collect();
        let names = removed.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let names: Vec<_> = names.collect();
        for name in SERVERS_WORD {
            assert!(names.contains(&name), "{name}: {removed}");
        }
    }

    #[test]
    fn kamailio_may_do_no_more_than_it_needs() {
        let grants = configuration().grants().expect("SQL");
        assert!(grants.lines().all(|line| line.starts_with("GRANT ") && line.ends_with(" TO \"kamailio\";")));
        assert!(!grants.contains(" sip_") && !grants.contains("ON registration"));
    }
}
