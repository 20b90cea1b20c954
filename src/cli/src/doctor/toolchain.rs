//! Compilers: for functions in C and C++, and for what the bench compares with.

use super::check::{Check, version};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What installs the compilers for C and C++ on Debian.
pub(crate) const C_PACKAGES: &str = "apt-get install -y --no-install-recommends clang-19 lld-19 wasi-libc \
    libclang-rt-19-dev-wasm32 libc++-19-dev-wasm32 libc++abi-19-dev-wasm32";

/// What functions in Rust are built for.
pub(crate) const RUST_TARGET: &str = "wasm32-wasip1";

/// All of them.
pub(super) fn checks() -> Vec<Check> {
    let clang = ["clang-19", "clang"]
        .into_iter()
        .find_map(|name| Some((name, version(name)?)));
    let linker = ["wasm-ld-19", "wasm-ld"].into_iter().find_map(version);
    vec![
        found_or_missing(
            "clang",
            clang.as_ref().map(|(_, version)| version.clone()),
            C_PACKAGES,
        ),
        found_or_missing("wasm-ld", linker, C_PACKAGES),
        wasi_libc(clang.map(|(name, _)| name)),
        native(version("c++")),
    ]
}

fn found_or_missing(name: &'static str, found: Option<String>, remedy: &str) -> Check {
    const PURPOSE: &str = "building functions in C and C++; ready-made ones need no compiler";
    Check::of(name, found, PURPOSE, remedy)
}

/// A library that is there may still not fit its compiler, so a program is built.
fn wasi_libc(clang: Option<&str>) -> Check {
    const NAME: &str = "wasi-libc";
    let built = clang.map(|clang| {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        build(clang, folder.path())
    });
    let found = match built {
        Some(Ok(())) => Some("a C program compiles and links".to_owned()),
        Some(Err(error)) => {
            let mut check = found_or_missing(NAME, None, C_PACKAGES);
            check.found = error;
            return check;
        }
        None => None,
    };
    found_or_missing(NAME, found, C_PACKAGES)
}

fn build(clang: &str, folder: &Path) -> Result<(), String> {
    let source = folder.join("main.c");
    let program = b"#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n";
    fs::write(&source, program).map_err(|error| error.to_string())?;
    let output = Command::new(clang)
        .args(["--target=wasm32-wasi", "-O1", "-o"])
        .args([folder.join("main.wasm"), source])
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let wrong = said.lines().find(|line| line.contains("error:"));
    let wrong = wrong.unwrap_or("a C program does not build");
    Err(wrong
        .split("error:")
        .last()
        .unwrap_or(wrong)
        .trim()
        .to_owned())
}

fn native(found: Option<String>) -> Check {
    const NAME: &str = "c++";
    const PURPOSE: &str = "the native program that `ganglion bench scan` compares with";
    Check::of(NAME, found, PURPOSE, "apt-get install -y g++")
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn a_compiler_that_is_not_there_is_missing_and_not_required() {
        assert_eq!(version("surely-no-such-compiler"), None);
        let check = found_or_missing("clang", None, C_PACKAGES);
        assert_eq!((check.status, check.is_fatal()), (Status::Missing, false));
        assert!(check.remedy.unwrap().starts_with("apt-get install"));
    }

    #[test]
    fn a_compiler_that_builds_nothing_says_why() {
        let folder = tempfile::tempdir().unwrap();
        assert!(build("false", folder.path()).is_err());
        assert!(build("surely-no-such-compiler", folder.path()).is_err());
    }
}
