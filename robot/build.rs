//! Tells the program what it is built of and by, for `sinew --version --verbose`: the same sources, compiler
//! and target always say the same.
#![allow(clippy::print_stdout)] // this is how Cargo is told

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SINEW_REVISION");
    tell("SINEW_TARGET", env::var("TARGET").ok());
    tell("SINEW_PROFILE", profile());
    let rustc = env::var("RUSTC").unwrap_or_else(|_unset| "rustc".to_owned());
    tell("SINEW_RUSTC", said(&rustc, &["--version"]));
    tell("SINEW_BUILT_FROM", env::var("SINEW_REVISION").ok().or_else(revision));
}

fn tell(name: &str, value: Option<String>) {
    println!("cargo::rustc-env={name}={}", value.as_deref().unwrap_or("unknown"));
}

/// The profile by its own name, which only the folder that is built into has: Cargo says of every profile whether
/// it comes of `debug` or of `release`, and no more.
fn profile() -> Option<String> {
    let out = env::var("OUT_DIR").ok()?;
    let mut folders = Path::new(&out).ancestors().skip_while(|folder| !folder.ends_with("build"));
    let named = folders.nth(1).and_then(Path::file_name).and_then(OsStr::to_str).map(str::to_owned);
    named.or_else(|| env::var("PROFILE").ok())
}

/// The commit, where this is a checkout of its own and not a copy inside somebody else's. Only a release asks:
/// while one works on it, every commit would build the program again.
fn revision() -> Option<String> {
    if env::var("PROFILE").ok()? != "release" {
        return None;
    }
    let root = env::var("CARGO_MANIFEST_DIR").ok()?;
    let root = Path::new(&root).parent()?;
    let top = said("git", &["rev-parse", "--show-toplevel"])?;
    if root.canonicalize().ok()? != Path::new(&top).canonicalize().ok()? {
        return None;
    }
    let moved = said("git", &["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&moved).exists() {
        println!("cargo::rerun-if-changed={moved}");
    }
    said("git", &["rev-parse", "--short=12", "HEAD"])
}

fn said(program: &str, words: &[&str]) -> Option<String> {
    let ended = Command::new(program).args(words).output().ok()?;
    let said = String::from_utf8(ended.stdout).ok()?;
    (ended.status.success() && !said.trim().is_empty()).then(|| said.trim().to_owned())
}
