//! `tms admin`: operators, looked after at the machine itself.

use agent_manager::server::{
    audit,
    clock::Clock,
    http::problem::ApiError,
    logins::{
        self, ChosenBy, NewLogin,
        operators::{self, Deed},
    },
    passwords::{self, Passwords},
    secrets,
    store::Store,
    vault,
};
use clap::{Args, Subcommand};
use serde_json::json;

use super::Database;

#[derive(Subcommand)]
pub enum Admin {
    /// Create an operator, who may manage every account
    ///
    /// The password is read from TMS_ADMIN_PASSWORD; without it one is made and printed once.
    Create {
        #[arg(long, env = "TMS_ADMIN_USERNAME", default_value = "admin")]
        username: String,
        #[command(flatten)]
        database: Database,
    },
    /// List the operators, one line of JSON each
    List(Database),
    /// Switch an operator off: every session ends, and no sign-in is let in
    Disable(Operator),
    /// Switch an operator on again
    Enable(Operator),
    /// Give an operator a new password; every session ends
    ///
    /// The password is read from TMS_ADMIN_PASSWORD; without it one is made and printed once.
    Password(Operator),
    /// Remove an operator's second factor, where authenticator and recovery codes are lost
    RemoveSecondFactor(Operator),
    /// Let an operator turn two-step sign-in on within a week, where --demand-second-factor asks for it
    AllowSecondFactor(Operator),
    /// Where the secrets key is lost: remove everybody's second factor, which it alone could read; the next start makes a new key
    LostSecretsKey(Database),
}

#[derive(Args)]
pub struct Operator {
    username: String,
    #[command(flatten)]
    database: Database,
}

impl Admin {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { username, database } => create(&username, &database).await,
            Self::List(database) => list(&database).await,
            Self::Disable(operator) => operator.alter(Deed::Disable).await,
            Self::Enable(operator) => operator.alter(Deed::Enable).await,
            Self::Password(operator) => {
                let password = Password::new(&operator.username)?;
                operator.alter(Deed::SetPassword(&password.hash().await?)).await?;
                password.tell(&operator.username);
                Ok(())
            }
            Self::LostSecretsKey(database) => {
                let store = Store::open(database.url()?).await?;
                vault::forget(&store, Clock::system().now_ms()).await?;
                store.close().await;
                Ok(())
            }
            Self::RemoveSecondFactor(operator) => operator.alter(Deed::RemoveSecondFactor).await,
            Self::AllowSecondFactor(operator) => operator.alter(Deed::AllowSecondFactor).await,
        }
    }
}

impl Operator {
    async fn alter(&self, deed: Deed<'_>) -> anyhow::Result<()> {
        let store = Store::open(self.database.url()?).await?;
        operators::alter(&store, &self.username, deed, Clock::system().now_ms()).await?;
        store.close().await;
        Ok(())
    }
}

/// One from the environment, or a new one that must be told.
struct Password {
    text: String,
    made: bool,
}

impl Password {
    fn new(username: &str) -> anyhow::Result<Self> {
        let given = std::env::var("TMS_ADMIN_PASSWORD").ok();
        let (made, text) = (given.is_none(), given.unwrap_or_else(secrets::password));
        passwords::check(&text, username)?;
        Ok(Self { text, made })
    }

    async fn hash(&self) -> anyhow::Result<String> {
        Ok(Passwords::new().hash(&self.text).await?)
    }

    /// The only way to learn one that was made here; one that was given is not repeated.
    fn tell(&self, username: &str) {
        match self.made {
            true => println!("{}", json!({ "username": username, "password": self.text })),
            false => println!("{}", json!({ "username": username })),
        }
    }
}

async fn create(username: &str, database: &Database) -> anyhow::Result<()> {
    let username = logins::check_username(username)?;
    let password = Password::new(&username)?;
    let store = Store::open(database.url()?).await?;
    let hash = password.hash().await?;
    let login = NewLogin {
        username: &username,
        name: "Operator",
        email: None,
        password_hash: &hash,
        password_by: ChosenBy::Owner,
        operator: true,
    };
    let mut tx = store.begin().await?;
    logins::create(&mut tx, &login, Clock::system().now_ms())
        .await
        .map_err(|e| ApiError::from_rule(e, || format!("the user name {username} exists already")))?;
    audit::record(&mut tx, Clock::system().now_ms(), "create operator", &username).await?;
    tx.commit().await?;
    store.close().await;
    password.tell(&username);
    Ok(())
}

async fn list(database: &Database) -> anyhow::Result<()> {
    let store = Store::open(database.url()?).await?;
    for operators::Operator { username, enabled, second_factor } in operators::list(&store).await? {
        println!("{}", json!({ "username": username, "enabled": enabled, "second_factor": second_factor }));
    }
    store.close().await;
    Ok(())
}
