//! Numbers as people write them.

/// Without what stands between the digits for the eye.
pub fn bare(number: &str) -> String {
    number.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '(' | ')' | '/')).collect()
}

/// What is dialled for it, where a number is typed and no name or address.
pub fn dialled(typed: &str) -> Option<String> {
    let number = bare(typed);
    let is_number = number.contains(|c: char| c.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'*' | b'#'));
    is_number.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_for_the_eye_is_not_dialled() {
        for (typed, number) in [
            ("112", Some("112")),
            (" 9-9 9\u{a0}", Some("999")),
            ("+44 (20) 7946.0000/1", Some("+4420794600001")),
            ("*97#", Some("*97#")),
            ("", None),
            ("+*", None),
            ("()", None),
            ("sip:112", None),
            ("112@acme", None),
            ("1\u{7}12", None),
            ("١١٢", None),
        ] {
            assert_eq!(dialled(typed).as_deref(), number, "{typed:?}");
        }
    }
}
