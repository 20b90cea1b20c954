//! For a program of this machine: the host's calls over files, from `funcs/native`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: [&str; 6] = ["call", "chain", "files", "objects", "program", "state"];

fn main() {
    let native = Path::new("../../native");
    println!("cargo::rerun-if-changed={}", native.display());
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        return;
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut archive = Command::new("ar");
    archive.arg("crs").arg(folder.join("libganglion_native.a"));
    for source in SOURCES {
        let object = folder.join(source).with_extension("o");
        let mut compile = Command::new("cc");
        compile.args(["-std=gnu11", "-O1", "-g", "-fPIC", "-c"]);
        compile
            .arg(native.join(source).with_extension("c"))
            .arg("-o")
            .arg(&object);
        run(&mut compile);
        archive.arg(object);
    }
    run(&mut archive);
    println!("cargo::rustc-link-search=native={}", folder.display());
    println!("cargo::rustc-link-lib=static=ganglion_native");
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) => assert!(status.success(), "{command:?}: {status}"),
        Err(error) => panic!("{command:?}: {error}"),
    }
}
