//! The numbers that are never refused, of each account: as they are given, as they are stored, and those that a new account
//! begins with.

use crate::server::{
    http::problem::{Answer, ApiError},
    store::{Tx, query},
};

/// Numbers of one account.
const MOST: usize = 20;
/// Digits of a number. Longer ones are no emergency services', but would be a way past what an account is barred from.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=6;
/// Emergency numbers everywhere (3GPP TS 22.101 §10.1.1).
pub const EVERYWHERE: [&str; 2] = ["112", "911"];

/// The list as it is kept: each number once, the shortest first.
///
/// # Errors
/// A sentence, where it is empty, too long, or has something else than short numbers.
pub fn check(given: &[String]) -> Answer<Vec<String>> {
    let refused = |why: &str| Err(ApiError::invalid(format!("emergency_numbers {why}")));
    if !given.iter().all(|text| is_number(text)) {
        return refused("must be numbers of 2 to 6 digits each, such as 112 and 911.");
    }
    let mut list = given.to_vec();
    list.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    list.dedup();
    match list.len() {
        0 => refused("must not be empty: name at least the one that is dialled here."),
        more if more > MOST => refused("may be 20 at most."),
        _ => Ok(list),
    }
}

fn is_number(text: &str) -> bool {
    LENGTHS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// As the database has it: between spaces.
pub fn written(list: &[String]) -> String {
    list.join(" ")
}

/// As [`written`] wrote it.
pub fn read(stored: &str) -> Vec<String> {
    stored.split_ascii_whitespace().map(str::to_owned).collect()
}

/// What a new account begins with: the list of the installation, which whoever runs it keeps in `emergency_number`; of it what
/// [`check`] takes.
pub async fn of_installation(tx: &mut Tx) -> Result<Vec<String>, sqlx::Error> {
    let rows = query("SELECT number FROM emergency_number ORDER BY length(number), number").fetch_all(tx).await?;
    let mut listed = rows.iter().map(|row| row.try_get("number")).collect::<Result<Vec<String>, _>>()?;
    listed.retain(|number| is_number(number));
    listed.truncate(MOST);
    Ok(if listed.is_empty() { EVERYWHERE.map(str::to_owned).to_vec() } else { listed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_short_numbers_each_once() {
        let list = |words: &str| read(words);
        for (given, kept) in [("112", Some("112")), ("10177 112 999 112", Some("112 999 10177"))] {
            assert_eq!(check(&list(given)).ok().map(|l| written(&l)).as_deref(), kept, "{given}");
        }
        let many: String = (100..121).map(|n| format!("{n} ")).collect();
        for given in ["", "1", "1234567", "112 police", "+112", "11\u{661}", "1*2", &many] {
            assert!(check(&list(given)).is_err(), "{given}");
        }
    }
}
