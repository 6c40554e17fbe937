//! The header fields of a message, by name and by type.

use super::{CSeq, Contact, HeaderError, Via, field};
use crate::sip::{
    lex,
    uri::{NameAddr, UriError},
};

/// Header fields in wire order; names compare without case, compact names are expanded when read (RFC 3261 §7.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(rsip::Headers);

impl Headers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// First value of that name, unfolded and trimmed.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every header field value of that name in order; a comma list in one field counts once. Use the typed accessors
    /// for lists.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether a header field of that name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Appends.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(field::header(name, value.into()));
    }

    /// Puts in front of the others (Via, Record-Route, Route).
    pub fn push_front(&mut self, name: &str, value: impl Into<String>) {
        self.edit(|fields| fields.insert(0, field::header(name, value.into())));
    }

    /// Replaces all of that name by one, which stands where the first stood.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let header = field::header(name, value.into());
        self.edit(|fields| {
            let at = position(fields, name).unwrap_or(fields.len());
            fields.retain(|h| !field::name(h).eq_ignore_ascii_case(name));
            fields.insert(at, header);
        });
    }

    /// Removes all of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|h| !field::name(h).eq_ignore_ascii_case(name));
    }

    /// Names and values in wire order; names in canonical form where it is known.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|h| (field::name(h), field::value(h)))
    }

    // Typed access. `Err` names the header and what is wrong with it, for a 400's reason.

    /// Every Via, topmost first; fields and comma lists flattened. At least one.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        let vias: Vec<Via> = self.list("Via", str::parse)?;
        if vias.is_empty() { Err(HeaderError::Missing("Via")) } else { Ok(vias) }
    }

    /// The topmost Via.
    pub fn top_via(&self) -> Result<Via, HeaderError> {
        let field = self.get("Via").ok_or(HeaderError::Missing("Via"))?;
        first(field).0.parse().map_err(|e| malformed("Via", e))
    }

    /// Replaces the topmost Via (of a list or of a field of its own), keeping the rest.
    pub fn set_top_via(&mut self, via: &Via) {
        self.replace_first("Via", Some(via.to_string()));
    }

    /// Removes the topmost Via, for a proxy passing a response on (RFC 3261 §16.7).
    pub fn pop_via(&mut self) {
        self.replace_first("Via", None);
    }

    /// Removes the topmost Route values, as many as name this proxy (RFC 3261 §16.4).
    pub fn pop_routes(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let left: Vec<String> =
            self.get_all("Route").flat_map(|value| lex::split(value, b',')).skip(count).map(str::to_owned).collect();
        if left.is_empty() {
            self.remove("Route");
        } else {
            self.set("Route", left.join(", "));
        }
    }

    /// How many values header fields of that name hold, comma lists flattened; nothing of them is read.
    pub fn count(&self, name: &str) -> usize {
        self.get_all(name).flat_map(|value| lex::split(value, b',')).count()
    }

    /// From (RFC 3261 §20.20).
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.name_addr("From")
    }

    /// To (RFC 3261 §20.39).
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.name_addr("To")
    }

    /// Call-ID (RFC 3261 §20.8), never empty.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        let id = self.get("Call-ID").ok_or(HeaderError::Missing("Call-ID"))?;
        if id.is_empty() || id.contains(|c: char| c.is_ascii_whitespace()) {
            return Err(malformed("Call-ID", UriError("it is one word")));
        }
        Ok(id)
    }

    /// CSeq (RFC 3261 §20.16).
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        let value = self.get("CSeq").ok_or(HeaderError::Missing("CSeq"))?;
        value.parse().map_err(|e| malformed("CSeq", e))
    }

    /// `Contact` fields and comma lists, flattened; `*` is [`Contact::Star`].
    pub fn contacts(&self) -> Result<Vec<Contact>, HeaderError> {
        self.list("Contact", str::parse)
    }

    fn name_addr(&self, name: &'static str) -> Result<NameAddr, HeaderError> {
        self.get(name).ok_or(HeaderError::Missing(name))?.parse().map_err(|e| malformed(name, e))
    }

    /// A list of name-addrs: Route, Record-Route, Path, Service-Route, P-Asserted-Identity, …
    pub fn name_addrs(&self, name: &str) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(name, str::parse)
    }

    /// A comma list of tokens: Supported, Require, Allow, Unsupported, …
    pub fn tokens(&self, name: &str) -> Vec<String> {
        self.get_all(name)
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|token| !token.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// A decimal header such as Expires, Min-Expires, Max-Forwards, Retry-After (its parameters and comment ignored). One
    /// beyond `u32` is `u32::MAX`; `None` where it is missing or no number.
    pub fn number(&self, name: &str) -> Option<u32> {
        let value = self.get(name)?;
        lex::digits(value.split([';', '(', ' ', '\t']).next().unwrap_or_default())
    }

    fn list<T>(&self, name: &str, read: impl Fn(&str) -> Result<T, UriError>) -> Result<Vec<T>, HeaderError> {
        self.get_all(name)
            .flat_map(|value| lex::split(value, b','))
            .map(|v| read(v).map_err(|e| malformed(name, e)))
            .collect()
    }

    /// Replaces or removes the first element of the first field of that name.
    fn replace_first(&mut self, name: &str, element: Option<String>) {
        self.edit(|fields| {
            let Some(at) = position(fields, name) else { return };
            let rest = first(field::value(&fields[at])).1;
            let value = match (element, rest) {
                (Some(element), Some(rest)) => format!("{element}, {rest}"),
                (Some(element), None) => element,
                (None, Some(rest)) => rest.to_owned(),
                (None, None) => {
                    fields.remove(at);
                    return;
                }
            };
            fields[at] = field::header(name, value);
        });
    }

    /// rsip's collection can only append and retain: edit its vector.
    fn edit(&mut self, edit: impl FnOnce(&mut Vec<rsip::Header>)) {
        let mut fields: Vec<rsip::Header> = std::mem::take(&mut self.0).into();
        edit(&mut fields);
        self.0 = fields.into();
    }
}

fn position(fields: &[rsip::Header], name: &str) -> Option<usize> {
    fields.iter().position(|h| field::name(h).eq_ignore_ascii_case(name))
}

/// The first element of a comma list, and the rest if there is one.
fn first(list: &str) -> (&str, Option<&str>) {
    match lex::find_outside(list, b',') {
        Some(comma) => (list[..comma].trim(), Some(list[comma + 1..].trim())),
        None => (list, None),
    }
}

fn malformed(name: &str, error: UriError) -> HeaderError {
    HeaderError::Malformed { name: name.to_owned(), why: error.0 }
}
