//! Lexical rules that header values share (RFC 3261 §25.1): tokens, quoted strings, lists, parameters.

use std::fmt::{self, Write};

/// Parameters in wire order: names in lower case, values as written (quoted ones with their quotes).
pub type Params = Vec<(String, Option<String>)>;

/// `token` characters: letters, digits and `-.!%*_+`'~`.
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// A non-empty `token`.
pub fn is_token(s: &str) -> bool {
    !s.is_empty() && s.bytes().all(is_token_byte)
}

/// `1*DIGIT` as a number; one too large for `u32` becomes `u32::MAX`, which every use reads as "very long".
pub fn digits(s: &str) -> Option<u32> {
    (!s.is_empty() && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().unwrap_or(u32::MAX))
}

/// Where `separator` first stands outside quoted strings and angle brackets.
pub fn find_outside(s: &str, separator: u8) -> Option<usize> {
    let (mut quoted, mut angle, mut escaped) = (false, false, false);
    for (at, byte) in s.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'<' => angle = true,
            b'>' => angle = false,
            _ if byte == separator && !angle => return Some(at),
            _ => {}
        }
    }
    None
}

/// The parts of a list, trimmed, empty ones included; separators in quoted strings and angle brackets do not count.
pub fn split(s: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(s);
    std::iter::from_fn(move || {
        let s = rest?;
        let (part, tail) = match find_outside(s, separator) {
            Some(at) => (&s[..at], Some(&s[at + 1..])),
            None => (s, None),
        };
        rest = tail;
        Some(part.trim())
    })
}

/// Reads `;name=value;name…`, with white space where RFC 3261 allows it; an empty string has none.
pub fn params(s: &str) -> Result<Params, &'static str> {
    let s = s.trim();
    if s.is_empty() {
        return Ok(Params::new());
    }
    let list = s.strip_prefix(';').ok_or("a semicolon was expected before the parameters")?;
    split(list, b';').map(param).collect()
}

/// Reads one `name` or `name=value`.
pub fn param(s: &str) -> Result<(String, Option<String>), &'static str> {
    let (name, value) = match s.split_once('=') {
        Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
        None => (s, None),
    };
    if !is_token(name) {
        return Err("a parameter has no name, or one that is not a token");
    }
    if let Some(value) = value {
        let well_formed = match value.strip_prefix('"') {
            Some(_) => quoted_string(value).is_some_and(|(_, rest)| rest.is_empty()),
            None => !value.is_empty() && !value.contains(|c: char| c.is_ascii_whitespace() || "\"<>,".contains(c)),
        };
        if !well_formed {
            return Err("a parameter's value is empty, unbalanced in its quotes, or holds what belongs in quotes");
        }
    }
    Ok((name.to_ascii_lowercase(), value.map(str::to_owned)))
}

/// Writes parameters as [`params`] reads them.
pub fn write_params(f: &mut fmt::Formatter<'_>, params: &[(String, Option<String>)]) -> fmt::Result {
    for (name, value) in params {
        match value {
            Some(value) => write!(f, ";{name}={value}")?,
            None => write!(f, ";{name}")?,
        }
    }
    Ok(())
}

/// The value of a parameter by its lower- or mixed-case name; without the quotes around it, escapes inside left alone.
pub fn get_param<'a>(params: &'a [(String, Option<String>)], name: &str) -> Option<&'a str> {
    let value = params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?.1.as_deref()?;
    Some(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
}

/// Whether a parameter is there, with or without a value.
pub fn has_param(params: &[(String, Option<String>)], name: &str) -> bool {
    params.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
}

/// Replaces a parameter's value in place, or appends the parameter.
pub fn set_param(params: &mut Params, name: &str, value: Option<&str>) {
    let value = value.map(str::to_owned);
    match params.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
        Some(param) => param.1 = value,
        None => params.push((name.to_ascii_lowercase(), value)),
    }
}

/// Reads the quoted string at the start of `s`: its unescaped text and what follows. `None` when it never ends.
pub fn quoted_string(s: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = s.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &s[at + 2..])),
            '\\' => text.push(chars.next()?.1),
            c => text.push(c),
        }
    }
    None
}

/// Writes `text` as a quoted string. Line breaks, which no escape can carry, become spaces.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '\r' | '\n' => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Undoes `%HH` (RFC 3261 §19.1.2). `None` for a broken escape or one that does not give UTF-8.
pub fn unescape(s: &str) -> Option<String> {
    if !s.contains('%') {
        return Some(s.to_owned());
    }
    let mut bytes = Vec::with_capacity(s.len());
    let mut rest = s.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let (high, low) = (char::from(rest.next()?).to_digit(16)?, char::from(rest.next()?).to_digit(16)?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Writes `text`, escaping what is neither `unreserved` (letters, digits, `-_.!~*'()`) nor in `allowed`.
pub fn escape(f: &mut impl Write, text: &str, allowed: &str) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) || allowed.as_bytes().contains(&byte) {
            f.write_char(char::from(byte))?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_outside_quotes_and_angles() {
        let parts: Vec<_> = split(r#""a, \"b" <sip:x,y>, c ,,d"#, b',').collect();
        assert_eq!(parts, [r#""a, \"b" <sip:x,y>"#, "c", "", "d"]);
    }

    #[test]
    fn params_read_with_white_space_and_quotes() {
        let read = params(r#" ; Tag = 1 ;lr; x="a;b\"" "#).unwrap();
        assert_eq!(get_param(&read, "tag"), Some("1"));
        assert!(has_param(&read, "LR"));
        assert_eq!(get_param(&read, "x"), Some(r#"a;b\""#));
        for bad in [";", ";;a", ";a=", ";a=\"x", ";a=b c", "a", ";=1", ";a=\"x\"y"] {
            assert!(params(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn escapes_go_both_ways() {
        assert_eq!(unescape("v%61lue%25%34%31").as_deref(), Some("value%41"));
        for bad in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
        let mut out = String::new();
        escape(&mut out, "a b%@ü", "@").unwrap();
        assert_eq!(out, "a%20b%25@%C3%BC");
    }

    #[test]
    fn numbers_saturate() {
        assert_eq!(digits("0068"), Some(68));
        assert_eq!(digits("99999999999999999999"), Some(u32::MAX));
        assert_eq!(digits("-1"), None);
        assert_eq!(digits(""), None);
    }
}
