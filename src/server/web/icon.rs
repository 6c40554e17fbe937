//! Icons: strokes on a grid of 20, drawn in the colour of the text around them.

use maud::{Markup, PreEscaped, html};

/// A picture beside words.
#[derive(Clone, Copy, Debug)]
pub enum Icon {
    Extensions,
    Calls,
    Key,
    People,
    Audit,
    Download,
    Account,
    Person,
    SignOut,
    Done,
    Todo,
    Warning,
    Add,
    Right,
    Wand,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Extensions => {
                "M6.5 3.5h-2a1 1 0 0 0-1 1.1c.6 6 5.9 11.3 11.9 11.9a1 1 0 0 0 1.1-1v-2l-3.5-1.5-1.5 1.5c-2-1-3.5-2.5-4.5-4.5l1.5-1.5z"
            }
            Self::Calls => "M3 7h11M10.5 3.5 14 7l-3.5 3.5M17 13H6M9.5 9.5 6 13l3.5 3.5",
            Self::Key => "M12.5 11.5a4 4 0 1 0-3.9-3.1L3 14v3h3v-2h2v-2l1.6-1.600c.8.1 2 .1 2.9.1zM13.5 6.5h.01",
            Self::People => {
                "M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 16.5c.5-3 2.6-4.5 5.5-4.5s5 1.5 5.5 4.5M13 3.800a3 3 0 0 1 0 5.4M15 12.300c1.7.6 2.7 2 3 4.2"
            }
            Self::Audit => "M4 4h1M8 4h8.5M4 10h1M8 10h8.5M4 16h1M8 16h8.5",
            Self::Download => "M10 3v9M6.5 8.5 10 12l3.5-3.5M3.5 13v3.5h13V13",
            Self::Account => {
                "M3.5 17V5l6.5-2v14M10 7.5l6.5 1.5v8M2 17h16M6.5 7v.01M6.5 10v.01M6.5 13v.01M13.5 12v.01M13.5 14.5v.01"
            }
            Self::Person => "M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3.5 17c.6-3 3-4.5 6.5-4.5s5.9 1.5 6.5 4.5",
            Self::SignOut => "M8 3.5H4v13h4M8.5 10h8M13.5 6.5 17 10l-3.5 3.5",
            Self::Done => "M4 10.5 8 14.5 16 6",
            Self::Todo => "M10 16.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13z",
            Self::Warning => "M10 3 2.5 16.5h15zM10 8v4M10 14.300v.01",
            Self::Add => "M10 4v12M4 10h12",
            Self::Right => "M7.5 4.5 13 10l-5.5 5.5",
            Self::Wand => "M3.5 16.5 12 8M14 6h.01M13 2.5v2M17.5 7h-2M16.3 3.7l-1.2 1.2M10.5 3.5v.01M16.5 10.5v.01",
        }
    }

    /// The icon; what it means stands in words beside it.
    pub fn draw(self) -> Markup {
        html! { svg class="icon" viewBox="0 0 20 20" aria-hidden="true" { path d=(self.path()); } }
    }
}

/// The mark of the TMS.
pub fn brand() -> Markup {
    let svg = include_str!("../../../assets/web/icon.svg");
    PreEscaped(svg.replacen("<svg ", "<svg aria-hidden=\"true\" ", 1))
}
