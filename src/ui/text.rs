//! Every text the window shows, in one table. Another language is another file.

/// Declares the table's fields and its English edition together.
macro_rules! texts {
    ($($name:ident: $english:literal,)*) => {
        /// The window's texts. `{}` marks where [`fill`](super::fill) puts a value, in order.
        pub struct Texts { $(pub $name: &'static str,)* }
        pub static ENGLISH: Texts = Texts { $($name: $english,)* };
    };
}

mod english;

use english::ENGLISH;
pub use english::Texts;

/// The table in use.
pub const fn t() -> &'static Texts {
    &ENGLISH
}

/// `template` with its `{}` replaced by `values`, in order.
pub fn fill(template: &str, values: &[&str]) -> String {
    let mut parts = template.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        filled.push_str(values.get(index).copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn values_take_their_places_in_order() {
        assert_eq!(fill("{} of {}", &["one", "two"]), "one of two");
        assert_eq!(fill("no place", &["x"]), "no place");
        assert_eq!(fill("a value is missing: {}.", &[]), "a value is missing: .");
    }
}
