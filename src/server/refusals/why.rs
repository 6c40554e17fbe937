//! The reasons, and what they are in words.

use crate::tms::wire::problem;

/// Why a device was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    WrongSecret,
    /// No such digest user; [`super::write`] looks whether one of the three below is nearer to the truth.
    UnknownUser,
    Disabled,
    /// No lasting SIP password was made.
    NotActivated,
    /// A session's credential, and the session is over.
    SessionEnded,
    /// A user of this realm, asked for in another.
    WrongRealm,
    /// A right password, for another registration.
    WrongName,
    OtherInstallation,
    InUse,
    TakenOver,
    /// More than the server takes on.
    Limit,
    /// Too many wrong passwords came from there.
    Banned,
    /// Agent Manager's sign-in, by a login that has not enabled its account yet.
    LoginPending,
    LoginDisabled,
    /// Agent Manager's sign-in, with an API key that is not the extension's.
    KeyNotEnabled,
    /// Agent Manager's sign-in, with a password that is not the login's.
    LoginPassword,
    /// Agent Manager's sign-in, after too many such passwords from one address.
    LoginAttempts,
}

/// As they are stored, by Kamailio too.
const STORED: [(Why, &str); 17] = [
    (Why::WrongSecret, "wrong_secret"),
    (Why::UnknownUser, "unknown_user"),
    (Why::Disabled, "disabled"),
    (Why::NotActivated, "not_activated"),
    (Why::SessionEnded, "session_ended"),
    (Why::WrongRealm, "wrong_realm"),
    (Why::WrongName, "wrong_name"),
    (Why::OtherInstallation, "other_installation"),
    (Why::InUse, "in_use"),
    (Why::TakenOver, "taken_over"),
    (Why::Limit, "limit"),
    (Why::Banned, "banned"),
    (Why::LoginPending, "login_pending"),
    (Why::LoginDisabled, "login_disabled"),
    (Why::KeyNotEnabled, "key_not_enabled"),
    (Why::LoginPassword, "login_password"),
    (Why::LoginAttempts, "login_attempts"),
];

impl Why {
    /// As the database has it.
    pub fn stored(self) -> &'static str {
        STORED.iter().find(|(why, _)| *why == self).map_or("limit", |(_, stored)| stored)
    }

    /// `None`: a later version wrote it.
    pub fn read(stored: &str) -> Option<Self> {
        STORED.iter().find(|(_, name)| *name == stored).map(|(why, _)| *why)
    }

    /// Why Agent Manager's sign-in was refused, where it is something that the extension's people can mend.
    pub fn of_sign_in(kind: &str) -> Option<Self> {
        match kind {
            problem::LOGIN_NOT_ACTIVATED => Some(Self::LoginPending),
            problem::LOGIN_DISABLED => Some(Self::LoginDisabled),
            problem::API_KEY_NOT_ENABLED => Some(Self::KeyNotEnabled),
            problem::ACCOUNT_DISABLED => Some(Self::Disabled),
            problem::WRONG_CREDENTIALS => Some(Self::LoginPassword),
            problem::TOO_MANY_ATTEMPTS => Some(Self::LoginAttempts),
            _ => None,
        }
    }

    /// What happened and the way out, for whoever looks after the extension. `detail` as in [`super::Note`].
    pub fn sentence(self, registration: &str, detail: &str) -> String {
        match self {
            Self::WrongSecret => format!(
                "The password is not {detail}'s. Make a new SIP password under Details and type it into the device."
            ),
            Self::UnknownUser => {
                format!("There is no SIP user {detail}. The device's user name must read {registration}.")
            }
            Self::Disabled => {
                "The account, the extension or this registration is disabled. Enable it in Extension Manager."
                    .to_owned()
            }
            Self::NotActivated => {
                format!("{registration} has no SIP password yet. Make one under Details and type it into the device.")
            }
            Self::SessionEnded => {
                "The session that Agent Manager had there is over. Sign in again in Agent Manager.".to_owned()
            }
            Self::WrongRealm => format!(
                "The device asked for {registration} in the SIP domain {detail}, which is not this account's. Set its domain to the \
                 one under Details."
            ),
            Self::WrongName => format!(
                "The password is {detail}'s, and the device wants to be {registration}. Set its user name and its address to \
                 the same registration."
            ),
            Self::OtherInstallation => {
                "The SIP credential belongs to another installation of Agent Manager. Sign in on this \
                                        one; a credential cannot be copied."
                    .to_owned()
            }
            Self::InUse => format!(
                "{registration} is in use by {detail}. Switch that device off, use another registration, or take it over in \
                 Agent Manager."
            ),
            Self::TakenOver => format!(
                "{registration} was taken over in Agent Manager. It is free again when that user signs out, or is offline \
                 for five minutes."
            ),
            Self::Limit => "The server had more to do than it can. The device tries again by itself.".to_owned(),
            Self::LoginPending => format!(
                "{detail} has not enabled the account yet. Ask for a sign-in to the TMS in a browser, and a tick at Account \
                 enabled."
            ),
            Self::LoginDisabled => format!("The login {detail} is disabled. Enable it under Users."),
            Self::KeyNotEnabled => format!(
                "{detail} signed in with an API key that is not enabled on this extension. Choose the key under API key and \
                 press Update."
            ),
            Self::LoginPassword => format!(
                "Agent Manager was given a password that is not {detail}'s. Type it anew there; a link sets another one."
            ),
            Self::LoginAttempts => format!(
                "Too many sign-ins as {detail} failed from this address, so the next ones were not looked at. Wait five minutes and \
                 type the right password in Agent Manager."
            ),
            Self::Banned => format!(
                "Too many wrong passwords for {detail} came from this address, so it was not heard for a minute. Correct the \
                 password in the device."
            ),
        }
    }
}
