//! Who may do what: the one place that decides. An account, and what belongs to it, is only ever reached through
//! [`Manager::account`] and [`Manager::extension`], which look it up within what the caller may touch; what belongs to others
//! is answered as if it did not exist.

#[cfg(test)]
mod tests;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    caller::Manager,
    queries::{self, State},
};
use crate::{
    server::{
        accounts::AccountRow,
        extensions::{self, ExtensionRow},
        http::{
            App,
            problem::{Answer, ApiError},
        },
    },
    tms::wire::problem,
};

/// What a login is on an account; each may do what those before it may. An operator is an administrator of every account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Uses its own extensions.
    Extension,
    /// Sets up extensions, registrations and the logins that use them.
    Manager,
    /// Everything but what the account is charged for.
    Admin,
}

/// What somebody wants to do on an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    SeeAccount,
    AlterAccount,
    /// Extensions and who holds their registrations; an agent's own ones only.
    SeeExtensions,
    /// Ring inbound, and the lasting SIP password of a device; an agent's own extensions only.
    UseExtensions,
    /// Add, alter and remove extensions and registrations, tie logins and keys to them, make links.
    ManageExtensions,
    /// Add and alter logins; a manager only those of agents.
    ManageLogins,
    SeeKeys,
    /// Who calls whom.
    SeeCalls,
    /// Add, rotate and revoke keys.
    ManageKeys,
    SeeAudit,
}

impl Right {
    /// The least role that has it.
    fn least(self) -> Role {
        match self {
            Self::SeeAccount | Self::SeeExtensions | Self::UseExtensions => Role::Extension,
            Self::ManageExtensions | Self::ManageLogins | Self::SeeKeys | Self::SeeCalls => Role::Manager,
            Self::AlterAccount | Self::ManageKeys | Self::SeeAudit => Role::Admin,
        }
    }
}

impl Role {
    /// As the database writes it.
    pub fn written(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Extension => "extension",
        }
    }

    /// # Errors
    /// When the database wrote something else.
    pub fn read(stored: &str) -> Result<Self, sqlx::Error> {
        match stored {
            "admin" => Ok(Self::Admin),
            "manager" => Ok(Self::Manager),
            "extension" => Ok(Self::Extension),
            other => Err(sqlx::Error::Decode(format!("{other:?} is no role").into())),
        }
    }
}

/// An account that the caller may do something with, and as what.
#[derive(Clone, Debug)]
pub struct Access {
    pub account: AccountRow,
    pub role: Role,
    /// Of the caller; an operator has none.
    pub membership: Option<i64>,
}

impl Access {
    /// The membership whose extensions are all that the caller sees; `None` where he sees every one.
    pub fn only_own(&self) -> Option<i64> {
        self.membership.filter(|_| self.role == Role::Extension)
    }
}

impl Manager {
    /// The account, if the caller has this right on it.
    ///
    /// # Errors
    /// "Does not exist" where the caller is no member of it; forbidden, with the reason, where he is one but may not.
    pub async fn account(&self, app: &App, tenant: &str, right: Right) -> Answer<Access> {
        let unknown = || ApiError::not_found(format_args!("The account {tenant}"));
        let standing = queries::standing(&app.store, self.login, tenant).await?.ok_or_else(unknown)?;
        if self.operator {
            self.must_be_proved_twice()?;
            return Ok(Access { account: standing.account, role: Role::Admin, membership: None });
        }
        let (membership, role, state) = standing.membership.ok_or_else(unknown)?;
        must_be_good(&standing.account, state)?;
        if role > Role::Extension {
            self.must_be_proved_twice()?;
        }
        if role < right.least() {
            return Err(ApiError::forbidden(match right.least() {
                Role::Admin => "Only an administrator of the account may do this; ask one.",
                _ => "Only an administrator or a manager of the account may do this; ask one.",
            }));
        }
        Ok(Access { account: standing.account, role, membership: Some(membership) })
    }

    /// An extension of the account, if the caller has this right on it.
    ///
    /// # Errors
    /// As [`Manager::account`]; "does not exist" also where an agent does not own it.
    pub async fn extension(
        &self,
        app: &App,
        tenant: &str,
        number: &str,
        right: Right,
    ) -> Answer<(Access, ExtensionRow)> {
        let access = self.account(app, tenant, right).await?;
        let row = extensions::by_number(&app.store.within(access.account.id), access.account.id, number).await?;
        let only_own = access.only_own();
        let row = row.filter(|row| only_own.is_none() || row.membership == only_own);
        Ok((access, row.ok_or_else(|| ApiError::not_found(format_args!("The extension {number}")))?))
    }

    /// # Errors
    /// Forbidden for everybody else.
    pub fn must_be_operator(&self) -> Answer<()> {
        if self.operator {
            self.must_be_proved_twice()
        } else {
            Err(ApiError::forbidden("Only an operator may do this."))
        }
    }

    /// Whoever manages others needs two-step sign-in where that is demanded.
    fn must_be_proved_twice(&self) -> Answer<()> {
        if self.second_factor || !self.second_factor_demanded {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "Whoever manages this TMS needs two-step sign-in. Turn it on under Your profile; then everything is open to you.",
        ))
    }
}

fn must_be_good(account: &AccountRow, state: State) -> Answer<()> {
    let forbidden = |kind, title, detail: String| Err(ApiError::refused(StatusCode::FORBIDDEN, kind, title, detail));
    match state {
        State::Pending => forbidden(
            problem::LOGIN_NOT_ACTIVATED,
            "Login not activated",
            "This login is not activated yet. Select the account and tick Account enabled.".into(),
        ),
        State::Disabled => forbidden(problem::LOGIN_DISABLED, "Login disabled", DISABLED.into()),
        State::Enabled if !account.enabled => {
            forbidden(problem::ACCOUNT_DISABLED, "Account disabled", account_disabled(&account.account.name))
        }
        State::Enabled => Ok(()),
    }
}

/// To the owner of a login that somebody has switched off.
pub const DISABLED: &str = "This login is disabled. Whoever manages your TMS can enable it again.";

/// To whoever belongs to an account that is switched off.
pub fn account_disabled(name: &str) -> String {
    format!("The account {name} is disabled. Your provider can enable it again.")
}
