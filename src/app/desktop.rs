//! `agent-manager --register-links`: this user's desktop opens `agent-manager://` links with this program from then on
//! (freedesktop.org Desktop Entry and Shared MIME-info specifications).

use crate::tms::link::SCHEME;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

const ENTRY: &str = include_str!("../../assets/agent-manager.desktop");
const ICON: &[u8] = include_bytes!("../../assets/icon.png");
const NAME: &str = "agent-manager.desktop";

#[derive(Debug, thiserror::Error)]
enum DesktopError {
    #[error("links can be registered on Linux desktops only, in this version")]
    OtherSystem,
    #[error("this system names no folder for programs' data (is HOME set?); set XDG_DATA_HOME")]
    NoFolder,
    #[error("this program does not know where it is ({0}); start it by its whole path")]
    WhereAmI(io::Error),
    #[error("cannot write {}: {source}; check the folder's rights and the space left", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Writes the desktop entry and the icon to this user's data folder and tells the desktop of them.
pub fn register_links() -> ExitCode {
    match register() {
        Ok(entry) => {
            println!("{SCHEME}:// links open Agent Manager now ({}).", entry.display());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("agent-manager: {why}");
            ExitCode::FAILURE
        }
    }
}

fn register() -> Result<PathBuf, DesktopError> {
    if !cfg!(target_os = "linux") {
        return Err(DesktopError::OtherSystem);
    }
    let data = directories::BaseDirs::new().ok_or(DesktopError::NoFolder)?.data_dir().to_owned();
    let program = std::env::current_exe().map_err(DesktopError::WhereAmI)?;
    let applications = data.join("applications");
    write(&data.join("icons/hicolor/128x128/apps/agent-manager.png"), ICON)?;
    write(&applications.join(NAME), entry(&program).as_bytes())?;
    // Desktops without these tools read the folder by themselves.
    tell(Command::new("update-desktop-database").arg(&applications));
    tell(Command::new("xdg-mime").args(["default", NAME, &format!("x-scheme-handler/{SCHEME}")]));
    Ok(applications.join(NAME))
}

fn write(path: &Path, content: &[u8]) -> Result<(), DesktopError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, content))
        .map_err(|source| DesktopError::Write { path: path.to_owned(), source })
}

fn tell(command: &mut Command) {
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// The entry with this very program in its place.
fn entry(program: &Path) -> String {
    ENTRY.replace("Exec=agent-manager ", &format!("Exec={} ", quoted(&program.display().to_string())))
}

/// An argument of Exec: quoted, and the backslashes of that escaped once more as in every string (Desktop Entry, "The Exec
/// key").
fn quoted(argument: &str) -> String {
    let inner = argument.chars().fold(String::new(), |mut text, c| {
        if matches!(c, '"' | '`' | '$' | '\\') {
            text.push('\\');
        }
        text.push(c);
        if c == '%' {
            text.push('%');
        }
        text
    });
    format!("\"{inner}\"").replace('\\', "\\\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_starts_this_program_with_the_link() {
        for (program, exec) in [
            ("/usr/bin/agent-manager", r#"Exec="/usr/bin/agent-manager" %u"#),
            ("/home/m m/a%b", r#"Exec="/home/m m/a%%b" %u"#),
            (r#"/home/$x/a"b\c"#, r#"Exec="/home/\\$x/a\\"b\\\\c" %u"#),
        ] {
            let entry = entry(Path::new(program));
            assert!(entry.lines().any(|line| line == exec), "{entry}");
            assert!(entry.lines().any(|line| line == "MimeType=x-scheme-handler/agent-manager;"), "{entry}");
        }
    }
}
