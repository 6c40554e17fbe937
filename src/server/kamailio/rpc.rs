//! JSON-RPC to Kamailio's `jsonrpcs` module over HTTP on loopback.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};

/// On the same machine an answer takes a millisecond; a Kamailio that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(2);

/// One Kamailio. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rpc {
    http: reqwest::Client,
    url: String,
    address: SocketAddr,
}

/// Why Kamailio did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    #[error("Kamailio at {url} does not answer: {source}")]
    Unreachable { url: String, source: reqwest::Error },
    /// Its own words; among them that what was asked about does not exist.
    #[error("Kamailio: {0}")]
    Refused(String),
}

/// A call in the list of the `dialog` module.
#[derive(Debug, Deserialize)]
pub struct Dialog {
    /// Its place in the module's table.
    pub h_entry: u64,
    pub h_id: u64,
    #[serde(rename = "call-id")]
    pub call_id: String,
    pub from_uri: String,
    pub to_uri: String,
    /// 1 and 2 ring, 3 and 4 talk, 5 is over.
    pub state: u8,
    /// When it was answered, seconds since 1970; 0 before.
    pub start_ts: i64,
    pub init_ts: i64,
    pub caller: DialogSide,
}

/// One side of a dialog, as Kamailio lists it.
#[derive(Debug, Deserialize)]
pub struct DialogSide {
    /// Of the INVITE.
    pub cseq: String,
}

impl Rpc {
    /// `url`: `http://127.0.0.1:5066/rpc`.
    ///
    /// # Errors
    /// A sentence, where it is no such URL on loopback: whoever reaches it commands Kamailio.
    pub fn new(url: &str) -> Result<Self, String> {
        let parsed: Option<reqwest::Url> = url.parse().ok().filter(|url: &reqwest::Url| url.scheme() == "http");
        let address = parsed.as_ref().and_then(on_loopback).ok_or_else(|| {
            format!("--kamailio {url} must read http://127.0.0.1:5066/rpc: Kamailio's JSON-RPC, on loopback")
        })?;
        // Plain HTTP; the client wants to know all the same who would do TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build();
        Ok(Self { http: http.map_err(|e| e.to_string())?, url: url.to_owned(), address })
    }

    /// Where Kamailio listens for us, by UDP too.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Removes all contacts of an address of record; that there are none is no error.
    pub async fn remove(&self, table: &str, aor: &str) -> Result<(), RpcError> {
        match self.call("ul.rm", json!([table, aor])).await {
            Ok(_) | Err(RpcError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether it has a contact of this address of record.
    pub async fn has(&self, table: &str, aor: &str) -> Result<bool, RpcError> {
        match self.call("ul.lookup", json!([table, aor])).await {
            Ok(_) => Ok(true),
            Err(RpcError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The calls in progress.
    pub async fn dialogs(&self) -> Result<Vec<Dialog>, RpcError> {
        match self.call("dlg.list", json!([])).await? {
            // Without any, Kamailio answers with an empty object.
            Value::Array(dialogs) => {
                let read = |dialog| serde_json::from_value(dialog).map_err(|e| RpcError::Refused(e.to_string()));
                dialogs.into_iter().map(read).collect()
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Ends a call: with BYE to both sides, or with CANCEL while it rings. Whether it was still there.
    pub async fn hang_up(&self, dialog: &Dialog) -> Result<bool, RpcError> {
        if !dialog.is_answered() {
            return self.cancel(dialog).await;
        }
        match self.call("dlg.end_dlg", json!([dialog.h_entry, dialog.h_id])).await {
            Ok(_) => Ok(true),
            Err(RpcError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// No RPC does it: see `xhttp:request` in template/request.cfg.
    async fn cancel(&self, dialog: &Dialog) -> Result<bool, RpcError> {
        let url = self.url.replace("/rpc", "/cancel");
        let asked = self.http.post(&url).body(format!("{} {}", dialog.caller.cseq, dialog.call_id)).send().await;
        let answer = asked.map_err(|source| RpcError::Unreachable { url, source })?;
        Ok(answer.status().is_success())
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let unreachable = |source| RpcError::Unreachable { url: self.url.clone(), source };
        let request = json!({ "jsonrpc": "2.0", "method": method, "params": params, "id": 1 });
        // An error comes with a status of its own and a body that says more.
        let response = self.http.post(&self.url).json(&request).send().await.map_err(unreachable)?;
        let mut answer: Value = response.json().await.map_err(unreachable)?;
        match answer.get("error") {
            Some(error) => Err(RpcError::Refused(error["message"].as_str().unwrap_or("refused").to_owned())),
            None => Ok(answer["result"].take()),
        }
    }
}

impl Dialog {
    pub fn is_answered(&self) -> bool {
        self.start_ts > 0
    }
}

fn on_loopback(url: &reqwest::Url) -> Option<SocketAddr> {
    let ip = match url.host_str()? {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.trim_matches(['[', ']']).parse().ok()?,
    };
    Some(SocketAddr::new(ip, url.port_or_known_default()?)).filter(|_| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_commanded() {
        for url in ["http://127.0.0.1:5066/rpc", "http://[::1]:5066/rpc", "http://localhost:5066/rpc"] {
            assert!(Rpc::new(url).is_ok(), "{url}");
        }
        for url in ["http://10.0.0.5:5066/rpc", "https://127.0.0.1/rpc", "127.0.0.1:5066", "nonsense"] {
            assert!(Rpc::new(url).expect_err(url).contains("loopback"), "{url}");
        }
    }
}
