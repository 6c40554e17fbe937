//! Where recordings lie that nobody has named.

use crate::media::engine::MediaError;
use jiff::Zoned;
use std::{
    fs::DirBuilder,
    path::{Path, PathBuf},
};

/// Of a name in a file's name.
const NAME: usize = 40;

/// A file that is not there yet: `2026-11-22 10.42.07 Maria Dlamini.opus` in `folder`, which is made if missing, for its user alone.
///
/// # Errors
/// The folder cannot be made.
pub fn new_file(folder: &Path, when: &Zoned, who: &str) -> Result<PathBuf, MediaError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder).map_err(|e| MediaError::File {
        path: folder.to_owned(),
        why: format!("{e}; free some space, or make this folder for recordings yourself"),
    })?;
    let fits = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '+' | '-' | '_' | '@');
    let who: String = who.chars().filter(fits).take(NAME).collect();
    let name = format!("{} {}", when.strftime("%Y-%m-%d %H.%M.%S"), who.trim());
    let mut file = folder.join(format!("{name}.opus"));
    // Two calls of one person may be answered within a second.
    for n in 2..100 {
        if !file.exists() {
            break;
        }
        file = folder.join(format!("{name} {n}.opus"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_named_by_when_and_who() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("a/recordings");
        let when: Zoned = "2026-11-22T10:42:07[Africa/Johannesburg]".parse().expect("a zoned time");
        let named = |who: &str| {
            let file = new_file(&folder, &when, who).expect("the folder can be made");
            std::fs::write(&file, "").expect("it can be written");
            assert_eq!(file.parent(), Some(folder.as_path()));
            file.file_name().and_then(|name| name.to_str()).map(str::to_owned).expect("a name")
        };
        assert_eq!(named("Maria Dlamini"), "2026-11-22 10.42.07 Maria Dlamini.opus");
        assert_eq!(named("Maria Dlamini"), "2026-11-22 10.42.07 Maria Dlamini 2.opus");
        assert_eq!(named("../../etc/passwd\0"), "2026-11-22 10.42.07 etcpasswd.opus");
        assert!(named(&"x".repeat(500)).len() < 80);
        // A file is in the way.
        let below = folder.join("2026-11-22 10.42.07 Maria Dlamini.opus").join("more");
        let why = new_file(&below, &when, "Maria").expect_err("it is no folder").to_string();
        assert!(why.contains(&below.display().to_string()) && why.contains("; "), "{why}");
    }
}
