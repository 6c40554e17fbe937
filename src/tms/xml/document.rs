//! Requests and answers of the XML API.

use crate::{
    secret::Secret,
    tms::{
        login::XmlLogin,
        outcome::{self, Answer, ApiError, Failure},
        session::{ApiRequest, Content, Method},
        url::TmsUrl,
        wire,
    },
};
use roxmltree::{Document, Node, ParsingOptions};

const PATH: &str = "/Euphoria.Api.aspx";
/// Some twenty a registration.
const NODES: u32 = 200_000;
/// `kind` of an `<Error>`, for which this API has no types.
const REFUSED: &str = "urn:agent-manager:problem:xml-error";

/// The answer to GetExtensions.
#[derive(Debug)]
pub(super) struct Tenant {
    pub sip: Sip,
    pub extensions: Vec<wire::Extension>,
    pub rows: Vec<Row>,
}

/// Where its phones register; what is absent is the TMS's own host.
#[derive(Clone, Debug, Default)]
pub(super) struct Sip {
    pub domain: Option<String>,
    pub server: Option<String>,
    pub transports: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub registration: wire::Registration,
    pub enabled: bool,
    /// `+sip.instance` of the holder.
    pub instance: Option<String>,
}

pub(super) fn request(base: &TmsUrl, tenant: &str, key: &Secret, action: &str) -> ApiRequest {
    let (tenant, key) = (escape(tenant), escape(&key.0));
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><XML><Tenant><Name>{tenant}</Name><Auth>{key}</Auth></Tenant><ActionName>{action}</ActionName></XML>"#
    );
    ApiRequest {
        method: Method::Post,
        url: base.join(PATH),
        token: None,
        api_key: None,
        body: Some(Secret(body)),
        content: Content::Xml,
    }
}

/// People copy the whole address.
pub(super) fn without_path(url: &str) -> &str {
    let url = url.trim();
    let at = url.len().saturating_sub(PATH.len());
    match url.get(at..) {
        Some(end) if end.eq_ignore_ascii_case(PATH) => &url[..at],
        _ => url,
    }
}

/// Reads the answer to GetExtensions.
pub(super) fn tenant(base: &TmsUrl, result: Result<Answer, Failure>) -> Result<Tenant, ApiError> {
    let answer = outcome::check(base.as_str(), result)?;
    let not_one = || ApiError::Unreachable(outcome::not_a_tms(base.as_str(), &answer));
    let text = std::str::from_utf8(&answer.body).map_err(|_| not_one())?;
    // A DOCTYPE could make entities expand.
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text.trim_start_matches('\u{feff}').trim(), options);
    let document = document.map_err(|_| not_one())?;
    let root = document.root_element();
    if !root.has_tag_name("XML") {
        return Err(not_one());
    }
    if let Some(detail) = text_of(root, "Error") {
        let problem =
            wire::Problem { kind: REFUSED.into(), title: String::new(), status: 403, detail, retry_after: None };
        return Err(ApiError::Problem(problem));
    }
    let extensions = child(root, "Extensions").ok_or_else(not_one)?;
    let extensions = || extensions.children().filter(|node| node.has_tag_name("Extension"));
    let number = |node| text_of(node, "Number");
    let rows = extensions()
        .filter_map(|node| Some((number(node)?, child(node, "Registrations")?, says(node, "Enabled", true))));
    Ok(Tenant {
        sip: child(root, "Sip").map(sip).unwrap_or_default(),
        extensions: extensions()
            .filter_map(|node| {
                Some(wire::Extension { number: number(node)?, name: text_of(node, "Name").unwrap_or_default() })
            })
            .collect(),
        rows: rows
            .flat_map(|(number, list, enabled)| list.children().filter_map(move |node| row(&number, enabled, node)))
            .collect(),
    })
}

/// Who is signed in, as far as such a TMS says.
pub(super) fn me(base: &TmsUrl, typed: &XmlLogin, tenant: &Tenant) -> wire::Me {
    let account = wire::Account {
        name: base.host().to_owned(),
        tenant: typed.tenant.clone(),
        realm: tenant.sip.domain.clone().unwrap_or_else(|| base.host().to_owned()),
        // It is not told, and nothing here depends on it.
        edition: wire::Edition::Enterprise,
        emergency_numbers: Vec::new(),
    };
    let user = wire::User { name: typed.username.as_ref().unwrap_or(&typed.tenant).clone() };
    wire::Me { user, account, extensions: tenant.extensions.clone() }
}

fn sip(node: Node<'_, '_>) -> Sip {
    let transports = text_of(node, "Transports").unwrap_or_default();
    Sip {
        domain: text_of(node, "Domain"),
        server: text_of(node, "Server"),
        transports: transports.split_whitespace().map(str::to_ascii_lowercase).collect(),
    }
}

fn row(extension: &str, enabled: bool, node: Node<'_, '_>) -> Option<Row> {
    let name = text_of(node, "UserName").filter(|_| node.has_tag_name("Registration"))?;
    let kind = match text_of(node, "Type").as_deref() {
        Some("Additional") => wire::Kind::S,
        _ => wire::Kind::P,
    };
    let in_use = says(node, "Registered", false).then(|| wire::InUse {
        device: text_of(node, "Device").unwrap_or_else(|| "another device".into()),
        address: text_of(node, "Address").unwrap_or_else(|| "an unknown address".into()),
        since: text_of(node, "Since").and_then(|since| since.parse().ok()).unwrap_or_default(),
        this_device: false,
    });
    let registration = wire::Registration {
        name,
        extension: text_of(node, "Extension").unwrap_or_else(|| extension.to_owned()),
        kind,
        label: text_of(node, "Label").unwrap_or_default(),
        ring_inbound: says(node, "RingInbound", true),
        in_use,
    };
    Some(Row { registration, enabled: enabled && says(node, "Enabled", true), instance: text_of(node, "Instance") })
}

fn child<'a, 'i>(of: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    of.children().find(|node| node.has_tag_name(name))
}

fn says(of: Node<'_, '_>, name: &str, absent: bool) -> bool {
    text_of(of, name).map_or(absent, |text| text.eq_ignore_ascii_case("true"))
}

/// Trimmed, `None` where it is absent or empty.
fn text_of(of: Node<'_, '_>, name: &str) -> Option<String> {
    let text = child(of, name)?.text()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// XML 1.0 §2.4; what §2.2 forbids even escaped is left out.
fn escape(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_copy_and_type() {
        for (typed, base) in [
            ("https://tms.example/Euphoria.Api.aspx", "https://tms.example"),
            (" tms.example/euphoria.api.aspx ", "tms.example"),
            ("tms.example", "tms.example"),
            ("é", "é"),
        ] {
            assert_eq!(without_path(typed), base);
        }
        let base = TmsUrl::parse("https://tms.example").expect("an address");
        let request = request(&base, "a<b", &Secret("k&\n>".into()), "DoNothing");
        let body = request.body.expect("a body").0;
        assert!(body.contains("<Name>a&lt;b</Name><Auth>k&amp;&gt;</Auth>"), "{body}");
        assert_eq!(request.url, "https://tms.example/Euphoria.Api.aspx");
    }
}
