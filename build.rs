//! New migrations are embedded at the next build; programs for today's glibc name their relocations briefly.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=build.rs");
    // A megabyte of relocations that would be read at each start becomes a few pages. The loader knows them since glibc 2.36.
    let target = |key: &str| std::env::var(key).unwrap_or_default();
    if target("HOST") == target("TARGET") && target("CARGO_CFG_TARGET_ENV") == "gnu" && glibc() >= Some((2, 36)) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Of this machine, for which is built.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let (major, rest) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = rest.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
