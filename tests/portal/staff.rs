//! What IT staff do in the browser again and again.

use crate::browser::Browser;

impl Browser {
    /// *Add New Account*, from the list of accounts. `edition` as the form offers it.
    pub async fn add_account(&self, name: &str, tenant: &str, edition: &str) {
        self.press("Add New Account").await;
        self.fill("name", name).await;
        self.fill("tenant", tenant).await;
        self.choose("edition", edition).await;
        self.press("Add New Account").await;
        self.sees("was added").await;
    }

    /// *Add extension*; its page is shown then.
    pub async fn add_extension(&self, tenant: &str, number: &str, name: &str) {
        self.open(&format!("/accounts/{tenant}/extensions")).await;
        self.press("Add extension").await;
        self.fill("number", number).await;
        self.fill("name", name).await;
        self.press("Add extension").await;
        self.sees("with its primary registration").await;
    }
}
