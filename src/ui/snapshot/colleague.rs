//! People whose lamps are shown.

/// A colleague, as listed by the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colleague {
    pub name: String,
    /// What to dial.
    pub number: String,
    pub presence: Presence,
    /// A sentence, where the phone system has refused to say; shown while nothing is known.
    pub unknown_because: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// The phone system has not said.
    #[default]
    Unknown,
    Free,
    Ringing,
    Busy,
    Away,
    /// No device of theirs can be called.
    NotRegistered,
}
