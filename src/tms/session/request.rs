//! The requests a session makes, and which of them are unanswered.

use super::{Login, Proof, TmsUrl, segment};
use crate::{
    secret::Secret,
    tms::wire::{CredentialRequest, LinkExchange, SignIn},
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
    pub body: Option<Secret>,
    /// The body's.
    pub content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Json,
    Xml,
}

impl Content {
    /// RFC 9110 §8.3.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "text/xml; charset=utf-8",
        }
    }
}

impl Login {
    /// What opens a session, or finds it again.
    pub(super) fn request(&self, instance_id: &str) -> ApiRequest {
        let instance_id = instance_id.to_owned();
        let open = |path, api_key, body| ApiRequest {
            method: Method::Post,
            url: self.base.join(path),
            token: None,
            api_key,
            body: Some(body),
            content: Content::Json,
        };
        match &self.proof {
            Proof::Password { username, password, api_key } => {
                let (username, password) = (username.clone(), password.0.clone());
                let body = json(&SignIn { username, password, instance_id });
                open("/v1/sessions", Some(api_key.clone()), body)
            }
            Proof::Link { code, .. } => {
                open("/v1/link", None, json(&LinkExchange { code: code.0.clone(), instance_id }))
            }
            Proof::Token(token) => ApiRequest::plain(Method::Get, self.base.join("/v1/me"), token),
        }
    }
}

impl ApiRequest {
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
        Self { method, url, token: Some(token.clone()), api_key: None, body: None, content: Content::Json }
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
    /// A link's code, beside a session that runs.
    Exchange(Login),
    /// `asked`: by a person or program, rather than by ourselves.
    Registrations {
        asked: bool,
    },
    Credential {
        registration: String,
        takeover: bool,
        attempt: u32,
        then: Then,
    },
}

/// What is to become of the answer about a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Use,
    /// Another choice was made.
    Drop,
    /// The same choice was made with another `takeover`.
    Ask {
        takeover: bool,
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

    /// Forgets all that belongs to a session; what was forgotten.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Asking> + use<> {
        let all = std::mem::take(&mut self.unanswered);
        let (kept, forgotten): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(_, asking)| matches!(asking, Asking::Exchange(_)));
        self.unanswered = kept;
        forgotten.into_values()
    }

    pub(super) fn forget_exchange(&mut self) {
        self.unanswered.retain(|_, asking| !matches!(asking, Asking::Exchange(_)));
    }

    /// A later choice makes the answer to an earlier one void.
    pub(super) fn forget_credential(&mut self) {
        for asking in self.unanswered.values_mut() {
            if let Asking::Credential { then, .. } = asking {
                *then = Then::Drop;
            }
        }
    }

    /// Whether the question is asked already. Each answer voids the credential before it, so that two questions at once
    /// could leave us with the wrong one: this one waits for its turn.
    pub(super) fn is_asking_credential(&mut self, wanted: &str, takeover: bool) -> bool {
        let mut asked = self.unanswered.values_mut().filter_map(|asking| match asking {
            Asking::Credential { registration, takeover: before, then, .. } if registration == wanted => {
                Some((before, then))
            }
            _ => None,
        });
        let Some((before, then)) = asked.next() else { return false };
        *then = if *before == takeover { Then::Use } else { Then::Ask { takeover } };
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unanswered.is_empty()
    }
}
