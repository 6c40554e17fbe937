//! From raw settings to validated ones: the command line, the configuration folder with its lock, the settings file and the
//! secrets. Everything that a user or a file can get wrong is answered by a sentence with the way out.

pub mod cli;
mod error;
pub mod folder;
pub mod media;
pub mod options;
pub mod plain;
pub mod secrets;
pub mod settings;

pub use error::ConfigError;
