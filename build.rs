//! How the binary is linked.

use std::env;
use std::process::Command;

/// The first glibc whose start of a static binary reads packed relocations (RELR).
const READS_PACKED: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Unpacked they are a tenth of an idle data plane's memory: each start reads all of
    // them, and they stay where they were read.
    if env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu") && glibc() >= Some(READS_PACKED) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The glibc of this machine, which is linked statically.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
