//! Percent-encoding (RFC 3986 §2.1).

/// For parts of an address, a query's or a cookie's value.
pub fn escape(value: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    value.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
