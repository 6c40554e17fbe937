//! The requests a session makes, and which of them are unanswered.

use super::{TmsLogin, TmsUrl, segment};
use crate::{
    tms::wire::{CredentialRequest, SignIn},
    ua::api::Secret,
};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Delete,
}

/// One request of the REST API, ready to be sent. `Debug` shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    pub method: Method,
    pub url: String,
    /// `Authorization: Bearer …`
    pub token: Option<Secret>,
    /// `X-API-Key: …`
    pub api_key: Option<Secret>,
    /// JSON.
    pub body: Option<Secret>,
}

impl ApiRequest {
    pub(super) fn sign_in(base: &TmsUrl, login: &TmsLogin, instance_id: &str) -> Self {
        let body = SignIn {
            username: login.username.clone(),
            password: login.password.0.clone(),
            instance_id: instance_id.to_owned(),
        };
        Self {
            method: Method::Post,
            url: base.join("/v1/sessions"),
            token: None,
            api_key: Some(login.api_key.clone()),
            body: Some(json(&body)),
        }
    }

    pub(super) fn sign_out(base: &TmsUrl, token: &Secret) -> Self {
        Self::plain(Method::Delete, base.join("/v1/sessions/current"), token)
    }

    pub(super) fn registrations(base: &TmsUrl, token: &Secret) -> Self {
        Self::plain(Method::Get, base.join("/v1/me/registrations"), token)
    }

    pub(super) fn events(base: &TmsUrl, token: &Secret) -> Self {
        Self::plain(Method::Get, base.join("/v1/me/events"), token)
    }

    pub(super) fn credential(
        base: &TmsUrl,
        token: &Secret,
        registration: &str,
        instance_id: &str,
        takeover: bool,
    ) -> Self {
        let url = base.join(&format!("/v1/me/registrations/{}/sip-credential", segment(registration)));
        let body = json(&CredentialRequest { instance_id: instance_id.to_owned(), takeover });
        Self { body: Some(body), ..Self::plain(Method::Post, url, token) }
    }

    fn plain(method: Method, url: String, token: &Secret) -> Self {
        Self { method, url, token: Some(token.clone()), api_key: None, body: None }
    }
}

fn json(value: &impl serde::Serialize) -> Secret {
    Secret(serde_json::to_string(value).expect("strings and booleans always serialise"))
}

/// What an unanswered request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    SignIn,
    SignOut,
    /// `asked`: by a person or program, rather than by ourselves.
    Registrations {
        asked: bool,
    },
    Credential {
        registration: String,
        takeover: bool,
        attempt: u32,
    },
}

/// More unanswered requests than that, and the oldest is forgotten.
const MOST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Asked {
    last: u64,
    unanswered: BTreeMap<RequestId, Asking>,
}

impl Asked {
    pub(super) fn put(&mut self, asking: Asking) -> RequestId {
        self.last += 1;
        let id = RequestId(self.last);
        if self.unanswered.len() >= MOST {
            self.unanswered.pop_first();
        }
        self.unanswered.insert(id, asking);
        id
    }

    /// The latest question.
    pub(super) fn last(&self) -> Option<RequestId> {
        Some(RequestId(self.last))
    }

    pub(super) fn take(&mut self, id: RequestId) -> Option<Asking> {
        self.unanswered.remove(&id)
    }

    /// Forgets all; what was forgotten.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Asking> + use<> {
        std::mem::take(&mut self.unanswered).into_values()
    }

    /// A later choice makes an earlier question void.
    pub(super) fn forget_credential(&mut self) {
        self.unanswered.retain(|_, asking| !matches!(asking, Asking::Credential { .. }));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unanswered.is_empty()
    }
}
