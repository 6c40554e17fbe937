//! Who the headless softphone is: its first command, from the options and the secrets.

use crate::{
    app::{plain, setup::Setup, vault::Vault},
    config::{
        ConfigError,
        options::{HeadlessOptions, Who},
        secrets::Secrets,
    },
    driver::api::{Command, Login, Proof, SipPasswords, TmsLogin, XmlLogin},
    tms::link::Link,
    ua::api::Secret,
};

/// `given`: from the environment or standard input; where there are none, those kept for this login are used.
///
/// # Errors
/// A sentence about the option that is wrong or the secret that is missing.
pub fn first_command(options: &HeadlessOptions, given: Secrets, setup: &Setup) -> Result<Command, ConfigError> {
    let vault = setup.memory.vault();
    let login = match &options.who {
        Who::Tms { url, username: Some(username), .. } => {
            let login = |Secrets { password, api_key, .. }| {
                let proof = Proof::Password { username: username.clone(), password, api_key };
                Login::Rest(TmsLogin { url: url.clone(), proof })
            };
            let secrets = given_or_kept(given, &vault, login)?;
            if secrets.password.0.is_empty() {
                return Err(ConfigError::PasswordMissing);
            }
            require_key(&secrets)?;
            login(secrets)
        }
        Who::Tms { url, username: None, .. } => {
            let login = |Secrets { token, .. }| Login::Rest(TmsLogin { url: url.clone(), proof: Proof::Token(token) });
            let kept = given_or_kept(Secrets::default(), &vault, login)?;
            if kept.token.0.is_empty() {
                return Err(ConfigError::NoLinkSession(url.clone()));
            }
            login(kept)
        }
        Who::Xml { url, username, tenant, sip_server, .. } => {
            let login = |Secrets { password: any, api_key: key, sip_passwords: of, .. }| {
                let passwords = SipPasswords { any, of };
                let (url, username, tenant) = (url.clone(), username.clone(), tenant.clone());
                Login::Xml(XmlLogin { url, username, tenant, key, sip_server: sip_server.clone(), passwords })
            };
            // A SIP password may be missing: who only looks at registrations needs none.
            let secrets = given_or_kept(given, &vault, login)?;
            require_key(&secrets)?;
            login(secrets)
        }
        Who::Link { link, .. } => match Link::parse(&link.0) {
            Ok(link) => Login::Rest(link.login()),
            Err(why) => return Err(ConfigError::Option { option: "--link", why }),
        },
        Who::Sip { aor, outbound_proxy, auth_username, register } => {
            let way = (outbound_proxy.clone(), options.transport);
            let account = plain::account((**aor).clone(), way, auth_username.clone(), given.password, *register);
            return Ok(Command::UseAccount(Box::new(account)));
        }
    };
    Ok(Command::SignIn(login))
}

fn given_or_kept(given: Secrets, vault: &Vault, login: impl Fn(Secrets) -> Login) -> Result<Secrets, ConfigError> {
    if given.is_empty() { Ok(vault.load(&login(given))?.unwrap_or_default()) } else { Ok(given) }
}

fn require_key(secrets: &Secrets) -> Result<(), ConfigError> {
    if secrets.api_key == Secret::default() { Err(ConfigError::ApiKeyMissing) } else { Ok(()) }
}
