//! The dialogs one INVITE of ours makes: a proxy may fork it, and every branch answers with a To tag of its own.

use super::{Dialog, DialogError, DialogId};
use crate::sip::msg::{Method, Request, Response};

/// Branches beyond this many make no dialog.
const MAX_FORKS: usize = 32;

/// Early and confirmed dialogs of one INVITE (RFC 3261 §12.1.2, §13.2.2), in order of their first response.
#[derive(Clone, Debug, Default)]
pub struct Forks {
    dialogs: Vec<Dialog>,
}

impl Forks {
    /// A response to `invite` came: makes or updates its dialog, and returns it. `None` where a response makes no dialog:
    /// 100, a provisional response without To tag, 300 and above, and a branch too many.
    ///
    /// # Errors
    /// Names the header of the response that is missing or cannot be read.
    pub fn handle_response(
        &mut self,
        invite: &Request,
        response: &Response,
    ) -> Result<Option<&mut Dialog>, DialogError> {
        if response.code() == 100 || response.code() >= 300 {
            return Ok(None);
        }
        let Some(id) = DialogId::of_response(response).or_else(|| response.is_success().then(|| untagged(response))?)
        else {
            return Ok(None);
        };
        match self.dialogs.iter().position(|dialog| dialog.id == id) {
            Some(index) => {
                let dialog = &mut self.dialogs[index];
                dialog.handle_response(&Method::INVITE, response)?;
                Ok(Some(dialog))
            }
            None if self.dialogs.len() >= MAX_FORKS => Ok(None),
            None => {
                self.dialogs.push(Dialog::uac(invite, response)?);
                Ok(self.dialogs.last_mut())
            }
        }
    }

    /// For a request within one of them.
    pub fn get_mut(&mut self, id: &DialogId) -> Option<&mut Dialog> {
        self.dialogs.iter_mut().find(|dialog| dialog.id == *id)
    }

    /// In order of their first response.
    pub fn iter(&self) -> impl Iterator<Item = &Dialog> {
        self.dialogs.iter()
    }
}

/// RFC 3261 §12.1.2: a 2xx without a To tag is from a peer of RFC 2543's time; its tag is empty.
fn untagged(response: &Response) -> Option<DialogId> {
    let local_tag = super::tag(&response.headers.from().ok()?);
    Some(DialogId { call_id: response.headers.call_id().ok()?.to_owned(), local_tag, remote_tag: String::new() })
}
