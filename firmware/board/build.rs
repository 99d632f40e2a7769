//! Hands the chip's memory map to the linker.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let chip = match (env::var_os("CARGO_FEATURE_RP2040"), env::var_os("CARGO_FEATURE_RP2350")) {
        (Some(_), None) => "rp2040",
        (None, Some(_)) => "rp2350",
        _ => return Err(io::Error::other("choose one chip: --features rp2040 or rp2350")),
    };
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or(io::ErrorKind::NotFound)?;
    fs::copy(format!("memory/{chip}.x"), out.join("memory.x"))?;
    println!("cargo:rerun-if-changed=memory");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    // Not flashed: who calls whom, for `panics`.
    println!("cargo:rustc-link-arg-bins=--emit-relocs");
    if chip == "rp2040" {
        // The second stage of its boot loader, from embassy-rp.
        println!("cargo:rustc-link-arg-bins=-Tlink-rp.x");
    }
    Ok(())
}
