//! The walls that one package does not have: which module may use which, which crate belongs to whom, and that the cores
//! do no input or output. Read from the sources as text; comments do not count.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each part and what of this crate it may use besides its own top module (`src/lib.rs` draws the picture); the first row
/// that fits counts. A module in no row may not use anything, so that a new one is put here on purpose.
const MAY_USE: &[(&str, &[&str])] = &[
    // Offer/answer ends in the plain plan that the media engine takes.
    ("sip/sdp", &["media::plan"]),
    ("stun", &[]),
    ("sip", &[]),
    ("number", &[]),
    ("stream", &["sip"]),
    ("media", &["secret", "stun"]),
    ("ua", &["sip", "media::plan", "media::stats", "number", "secret"]),
    // Secrets and the randomness are shared; the TMS's client knows no calls.
    ("tms", &["sip::entropy", "secret"]),
    ("config", &["sip", "stun", "media", "tms::wire", "ua::api", "ui::snapshot"]),
    ("driver", &["sip", "stream", "stun", "ua", "media", "tms", "config"]),
    ("headless", &["sip", "ua", "media", "tms", "config", "driver"]),
    ("ui", &["number", "secret"]),
    // Knows no calls, only what a headset shows of them.
    ("headset", &[]),
    ("app", &["sip", "ua", "media", "tms", "config", "driver", "headless", "headset", "ui"]),
    ("server", &["sip", "stream", "stun", "secret", "tms::wire"]),
    ("demo", &["sip", "ua", "media", "tms::wire", "driver"]),
];

/// Crates that only one part may name, so that they can be replaced there.
const OWNED: &[(&str, &[&str])] = &[
    ("rsip", &["sip/msg"]),
    ("sdp_types", &["sip/sdp"]),
    ("rtp_rs", &["media"]),
    ("rtcp_types", &["media"]),
    ("opusic_c", &["media"]),
    ("cpal", &["media"]),
    ("sonora", &["media/voice"]),
    ("egui", &["ui", "app"]),
    ("eframe", &["ui", "app", "main.rs"]),
    ("sqlx", &["server"]),
    ("axum", &["server"]),
    ("keyring", &["config"]),
];

/// Sans-IO: no socket, thread, file, lock, task or log here.
const PURE: &[&str] = &[
    "stun",
    "sip",
    "ua",
    "media/ice",
    "media/rtp",
    "media/rtcp",
    "media/jitter",
    "media/srtp",
    "media/dsp",
    "media/voice",
    "media/evidence",
    "headset/descriptor",
    "headset/buttons",
    "app/headset",
    "tms/session",
    "tms/sessions",
    "tms/xml",
    "tms/login",
];
const IMPURE: &[&str] =
    &["tokio", "std::thread", "std::fs", "UdpSocket", "TcpStream", "Mutex", "RwLock", "reqwest", "tracing"];

/// The sound card's callbacks wait for nobody.
const REAL_TIME: &[&str] = &["media/device/callback"];
const WAITING: &[&str] = &["Mutex", "RwLock", "Condvar", "mpsc", "channel(", "tracing", "Instant", "SystemTime"];

/// A source file: its path below `src` with slashes, and its text without comments.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// `a/b` also covers `a/b.rs`, `a/b/…`.
    fn is_in(&self, part: &str) -> bool {
        self.path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
    }
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&src, &mut files);
    let source = |file: PathBuf| Source {
        path: file.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/"),
        text: without_comments(&fs::read_to_string(&file).unwrap()),
    };
    files.into_iter().map(source).collect()
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every path of this crate that a text names: `use crate::{a::{b, c}, d}` gives `a::b`, `a::c`, `d`.
fn crate_paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, found) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
            expand(&text[at + found.len()..], String::new(), &mut paths);
        }
    }
    paths
}

/// Reads one use tree at the start of `text`, gives what follows it.
fn expand<'a>(text: &'a str, prefix: String, paths: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            if rest.is_empty() {
                return rest;
            }
            let tail = expand(rest, prefix.clone(), paths);
            // Past ` as name` and the comma.
            rest = tail.find([',', '}']).map_or("", |end| &tail[end..]);
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let path = if prefix.is_empty() { text[..end].to_owned() } else { format!("{prefix}::{}", &text[..end]) };
    match text[end..].strip_prefix("::") {
        Some(rest) => expand(rest, path, paths),
        None => {
            paths.push(path);
            &text[end..]
        }
    }
}

/// Whether `path` is `module` or lies in it.
fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn dependencies_point_one_way() {
    let mut wrong = Vec::new();
    for source in sources() {
        let module = source.path.split(['/', '.']).next().unwrap_or_default();
        if matches!(module, "lib" | "main" | "bin") {
            continue;
        }
        let allowed = MAY_USE.iter().find(|(part, _)| source.is_in(part)).map_or(&[][..], |(_, allowed)| allowed);
        for path in crate_paths(&source.text) {
            // How properties are tried is every part's, and no part of what is built.
            let is_known = within(&path, module) || within(&path, "properties");
            if !is_known && !allowed.iter().any(|allowed| within(&path, allowed)) {
                wrong.push(format!("src/{} uses crate::{path}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_stay_with_their_owners() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, owners) in OWNED {
            let used = source
                .text
                .match_indices(&format!("{name}::"))
                .any(|(at, _)| !source.text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':')));
            if used && !owners.iter().any(|owner| source.is_in(owner) || source.path == *owner) {
                wrong.push(format!("src/{} names {name}, which belongs to {owners:?}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No source in `parts` names one of `words`.
fn never_named(parts: &[&str], words: &[&str]) {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| parts.iter().any(|part| source.is_in(part))) {
        for word in words.iter().filter(|word| source.text.contains(**word)) {
            wrong.push(format!("src/{} names {word}", source.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_cores_do_no_input_or_output() {
    never_named(PURE, IMPURE);
}

#[test]
fn the_callbacks_wait_for_nobody() {
    never_named(REAL_TIME, WAITING);
    assert!(sources().iter().any(|source| source.is_in(REAL_TIME[0])), "they have moved");
}

#[test]
fn use_trees_are_read() {
    let text = "use crate::{a::{b, c as d}, e};\nfn f() -> crate::g::H { $crate::macro_only!() }\npub(crate) mod x;";
    assert_eq!(crate_paths(text), ["a::b", "a::c", "e", "g::H"]);
}

/// The tests that a table's last column names in `code`, a row each, and whether there are such tests.
fn proofs(document: &str) -> Vec<(String, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("docs").join(document)).unwrap();
    let is_test = |name: &&str| {
        name.matches('_').count() > 1 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let names = |proof: &str| proof.split('`').skip(1).step_by(2).filter(is_test).map(str::to_owned).collect();
    let rows = list.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.filter_map(|row| Some((row.split('|').next()?.trim().to_owned(), names(row.rsplit('|').next()?)))).collect()
}

/// Those of `names` that are the name of no function.
fn missing<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut text: String = sources().iter().map(|source| source.text.as_str()).collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                text += &fs::read_to_string(path).unwrap();
            }
        }
    }
    names.filter(|name| !text.contains(&format!("fn {name}("))).collect()
}

/// docs/security.md claims nothing that no test proves.
#[test]
fn the_security_list_names_tests_that_exist() {
    let rows = proofs("security.md");
    let names: Vec<_> = rows.iter().flat_map(|(_, names)| names).collect();
    assert!(names.len() > 60, "{}", names.len());
    assert_eq!(missing(names.into_iter()), Vec::<&String>::new());
}

/// Each complaint that signalling can be the cause of has a test that is named after it.
#[test]
fn the_list_of_complaints_names_tests_that_exist() {
    let rows = proofs("complaints.md");
    assert_eq!(missing(rows.iter().flat_map(|(_, names)| names)), Vec::<&String>::new());
    for number in [2, 3, 4, 7, 8, 9, 10, 12, 14] {
        let names = rows.iter().find(|(row, _)| *row == format!("E{number}")).map(|(_, names)| names);
        let named = |names: &Vec<String>| names.iter().any(|name| name.starts_with(&format!("e{number}_")));
        assert!(names.is_some_and(named), "E{number} has no test named e{number}_…");
    }
}
