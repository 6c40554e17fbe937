//! Which passwords are taken: long enough, and none that is guessed first. There are no rules of composition (NIST SP 800-63B
//! §3.1.1.2).

use std::sync::LazyLock;

use super::{LONGEST, SHORTEST};
use crate::server::http::problem::{Answer, ApiError};

/// Common passwords in lower case, sorted.
static COMMON: LazyLock<Vec<&str>> =
    LazyLock::new(|| include_str!("../../../assets/passwords/common.txt").lines().collect());

/// Words of the product itself.
const OURS: [&str; 6] = ["tms", "agentmanager", "softphone", "telephone", "extension", "operator"];

/// # Errors
/// With the reason, in a sentence that names the way out.
pub fn check(password: &str, username: &str) -> Answer<()> {
    weakness(password, username).map_or(Ok(()), |reason| Err(ApiError::invalid(reason)))
}

/// Why a password of this user is not taken; `None` when it is.
pub fn weakness(password: &str, username: &str) -> Option<String> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Some(format!(
            "The password is too short: {length} characters, at least {SHORTEST} are needed. A few words make a good one."
        ));
    }
    if password.len() > LONGEST {
        return Some(format!("The password is too long; at most {LONGEST} bytes."));
    }
    let (lower, username) = (password.to_lowercase(), username.trim().to_lowercase());
    if !username.is_empty() && (lower.contains(&username) || username.contains(&lower)) {
        return Some("The password must not contain the user name; that is guessed first.".to_owned());
    }
    let unit = repeated(&lower);
    // What stands before and after a word, years and marks mostly, is tried for each word of the list.
    let core = unit.trim_matches(|c: char| !c.is_alphabetic());
    let joined: String = core.chars().filter(|c| !c.is_whitespace()).collect();
    let known = |word: &str| COMMON.binary_search(&word).is_ok();
    let near =
        |word: &str| username.split(|c: char| !c.is_alphanumeric()).any(|part| part == word) || OURS.contains(&word);
    if known(&lower) || known(unit) || known(core) || known(&joined) || near(&joined) || is_run(unit) {
        return Some(
            "The password is one of those that are guessed first, or nearly. A few words that do not belong together make a \
             good one."
                .to_owned(),
        );
    }
    None
}

/// What the text repeats: `abab` is `ab` twice. The text itself where it repeats nothing.
fn repeated(text: &str) -> &str {
    let fits = |unit: &&str| {
        text.len().is_multiple_of(unit.len()) && text.as_bytes().chunks(unit.len()).all(|c| c == unit.as_bytes())
    };
    let starts = text.char_indices().skip(1).map(|(at, _)| &text[..at]);
    starts.take_while(|unit| unit.len() <= text.len() / 2).find(fits).unwrap_or(text)
}

/// Few characters over and over, or each the neighbour of the one before: `aaaaaaaaaa`, `abcdefghij`, `9876543210`.
fn is_run(unit: &str) -> bool {
    let codes: Vec<i64> = unit.chars().map(|c| i64::from(u32::from(c))).collect();
    codes.len() < 4 || [1, -1].iter().any(|step| codes.windows(2).all(|pair| pair[1] - pair[0] == *step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_long_enough_and_sorted() {
        assert!(COMMON.len() >= 10_000, "{}", COMMON.len());
        assert!(COMMON.is_sorted() && COMMON.iter().all(|word| *word == word.to_lowercase()));
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for (password, word) in [
            ("", "too short"),
            ("ninechars", "too short"),
            (&"é".repeat(200), "too long"),
            ("qwertyuiop", "guessed first"),
            ("Password1234", "guessed first"),
            ("!!Sunshine1987", "guessed first"),
            ("dragondragon", "guessed first"),
            ("i love you 2024", "guessed first"),
            ("aaaaaaaaaaaa", "guessed first"),
            ("abababababab", "guessed first"),
            ("abcdefghijklmn", "guessed first"),
            ("9876543210", "guessed first"),
            ("Agent Manager 1", "guessed first"),
            ("acme!!!!2026", "guessed first"),
            ("xx ann@acme.example", "user name"),
        ] {
            let told = weakness(password, "Ann@Acme.example").unwrap_or_default();
            assert!(told.contains(word), "{password}: {told}");
        }
    }

    /// No rule of composition: words alone, digits alone, marks alone and other scripts are taken when they are long.
    #[test]
    fn anything_else_is_taken() {
        for password in [
            "a long enough one",
            "7301958264",
            "пароль не для всех",
            "correct horse battery",
            "~~^~~^^~~^~",
            "acme on the hill",
        ] {
            assert_eq!(weakness(password, "ann@acme.example"), None, "{password}");
        }
        assert_eq!(weakness("a long enough one", ""), None);
    }
}
