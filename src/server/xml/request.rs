//! The request document, read without DTD, so that entities neither expand nor fetch anything.

use roxmltree::{Document, Node, ParsingOptions};

use super::{
    XmlError,
    history::{self, history},
};
use crate::server::calls::{Direction, History};

/// Elements and texts of a request at most; one has about ten.
const NODES: u32 = 500;

/// Of what is dialled, in characters.
const LONGEST_NUMBER: usize = 64;

/// A request as it came: tenant, key, action and fields.
#[derive(Debug)]
pub struct XmlRequest {
    pub tenant: String,
    pub key: String,
    /// Letters and digits only.
    pub action: String,
    fields: Vec<(String, String)>,
}

impl XmlRequest {
    pub fn read(body: &[u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(body).map_err(|_| XmlError::refused("The request is not UTF-8."))?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err(XmlError::refused("The request is empty; send an <XML> document."));
        }
        let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(|error| match error {
            roxmltree::Error::DtdDetected => XmlError::refused("A request must not have a DOCTYPE."),
            error => XmlError::refused(format!("The request is not well-formed XML: {error}.")),
        })?;
        let root = document.root_element();
        if !root.has_tag_name("XML") {
            return Err(XmlError::refused("The request's root element must be <XML>; node names are case sensitive."));
        }
        let tenant = child(root, "Tenant")?;
        let action = content(child(root, "ActionName")?);
        if action.is_empty() || action.len() > 50 || !action.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(XmlError::refused("<ActionName> must be the name of an action, such as DoNothing."));
        }
        let fields = root.children().filter(Node::is_element);
        Ok(Self {
            tenant: content(child(tenant, "Name")?),
            key: content(child(tenant, "Auth")?),
            action,
            fields: fields.map(|node| (node.tag_name().name().to_owned(), content(node))).collect(),
        })
    }

    /// A field that may be left out.
    pub(super) fn optional(&self, name: &str) -> Option<String> {
        self.fields.iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.clone())
    }

    /// A field that the action cannot do without.
    pub(super) fn required(&self, name: &str) -> Result<String, XmlError> {
        self.optional(name).ok_or_else(|| {
            XmlError::refused(format!("{} needs the field <{name}>; node names are case sensitive.", self.action))
        })
    }
}

fn child<'a, 'i>(of: Node<'a, 'i>, name: &str) -> Result<Node<'a, 'i>, XmlError> {
    of.children().find(|node| node.has_tag_name(name)).ok_or_else(|| {
        let of = of.tag_name().name();
        XmlError::refused(format!("<{name}> is missing in <{of}>; node names are case sensitive."))
    })
}

fn content(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_owned()
}

/// What is asked for, with its fields.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    DoNothing,
    GetExtensions,
    GetSimpleSipStatus {
        username: String,
    },
    GetFullSipStatus {
        username: String,
    },
    GetCurrentCalls,
    HangUpChannel {
        channel: String,
    },
    Originate {
        extension: String,
        destination: String,
    },
    /// The three histories.
    History(History),
    /// An action of the API that this version does not do, with the reason.
    NotHere(&'static str),
}

/// Every action of the API, with the fields that it cannot do without.
pub const ACTIONS: [(&str, &[&str]); 12] = [
    ("DoNothing", &[]),
    ("GetCallingCredit", &[]),
    ("GetExtensions", &[]),
    ("GetSimpleSipStatus", &["UserName"]),
    ("GetFullSipStatus", &["UserName"]),
    ("GetCurrentCalls", &[]),
    ("HangUpChannel", &["Channel"]),
    ("Originate", &["Extension", "Destination"]),
    ("GetInboundCallingHistory", history::FIELDS),
    ("GetOutboundCallingHistory", history::FIELDS),
    ("GetAnyCallDetailRecords", history::FIELDS),
    ("GetQueueAnalytics", &["QueueName", "startDate", "endDate"]),
];

impl Action {
    pub fn read(request: &XmlRequest) -> Result<Self, XmlError> {
        let (action, fields) = ACTIONS
            .iter()
            .find(|(name, _)| *name == request.action)
            .ok_or_else(|| XmlError::refused(format!("{} is no action of this API.", request.action)))?;
        for field in *fields {
            request.required(field)?;
        }
        Ok(match *action {
            "DoNothing" => Self::DoNothing,
            "GetExtensions" => Self::GetExtensions,
            "GetSimpleSipStatus" => Self::GetSimpleSipStatus { username: request.required("UserName")? },
            "GetFullSipStatus" => Self::GetFullSipStatus { username: request.required("UserName")? },
            "GetCurrentCalls" => Self::GetCurrentCalls,
            "GetCallingCredit" => Self::NotHere("This TMS does no billing yet, so there is no credit to report."),
            "HangUpChannel" => Self::HangUpChannel { channel: request.required("Channel")? },
            "GetInboundCallingHistory" => Self::History(history(request, Direction::Inbound)?),
            "GetOutboundCallingHistory" => Self::History(history(request, Direction::Outbound)?),
            "GetAnyCallDetailRecords" => Self::History(history(request, Direction::Any)?),
            "Originate" => Self::Originate {
                extension: request.required("Extension")?,
                destination: destination(request.required("Destination")?)?,
            },
            _ => Self::NotHere("This TMS has no queues yet, so there are no figures to report."),
        })
    }
}

/// What somebody may dial on a phone.
fn destination(dialled: String) -> Result<String, XmlError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"+*#-_.".contains(&b);
    if dialled.len() > LONGEST_NUMBER || !dialled.bytes().all(good) {
        return Err(XmlError::refused(format!(
            "<Destination> must be a number or a name as it is dialled: up to {LONGEST_NUMBER} letters, digits, + * # - _ and .",
        )));
    }
    Ok(dialled)
}
