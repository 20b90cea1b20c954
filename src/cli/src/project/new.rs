//! `ganglion new`: a folder with a function that works.

use super::manifest::MANIFEST;
use crate::args::{Language, NewArgs};
use crate::failure::{Failure, Outcome};
use crate::output::Ui;
use ganglion_types::FunctionName;
use include_dir::{Dir, DirEntry, include_dir};
use serde_json::json;
use std::fs;
use std::path::Path;

/// What functions in C and C++ are compiled with, and the host's calls for programs of this machine.
static HEADERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../funcs/include");
static NATIVE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../funcs/native");
/// What functions in C++ are linked with, to be smaller.
static LIBRARY: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../funcs/lib");
/// The crate that functions in Rust depend on, and its attribute.
static CRATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../funcs/rust/sdk");
static MACROS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../funcs/rust/macros");

const MANIFEST_TEMPLATE: &str = include_str!("templates/ganglion.toml");
const CARGO_TEMPLATE: &str = include_str!("templates/Cargo.toml");
const IGNORED: &str = "/build/\n/target/\n";

/// Makes the folder, which must not be there.
///
/// # Errors
/// `Invalid` for a name that no function can have, `Conflict` when the folder is there already; the system's.
pub(crate) fn new(args: &NewArgs, ui: &Ui) -> Outcome<()> {
    let stem = args
        .folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let name = FunctionName::new(stem)?;
    if args.folder.exists() {
        return Err(Failure::new(
            ganglion_types::ErrorKind::Conflict,
            format!("{} is there already", args.folder.display()),
        ));
    }
    let fill = |template: &str| {
        template
            .replace("NAME", name.as_str())
            .replace("TENANT", args.user.as_str())
    };
    let folder = &args.folder;
    write(folder, MANIFEST, &fill(MANIFEST_TEMPLATE))?;
    write(folder, ".gitignore", IGNORED)?;
    let sdk = folder.join("sdk");
    unpack(&HEADERS, &sdk.join("include"))?;
    unpack(&NATIVE, &sdk.join("native"))?;
    match args.lang {
        Language::C => {
            write(folder, "main.c", include_str!("templates/main.c"))?;
        }
        Language::Cpp => {
            write(folder, "main.cpp", include_str!("templates/main.cpp"))?;
            unpack(&LIBRARY, &sdk.join("lib"))?;
        }
        Language::Rust => {
            write(folder, "Cargo.toml", &fill(CARGO_TEMPLATE))?;
            write(folder, "src/main.rs", include_str!("templates/main.rs"))?;
            unpack(&CRATE, &sdk.join("rust/sdk"))?;
            unpack(&MACROS, &sdk.join("rust/macros"))?;
        }
    }
    let place = folder.display();
    ui.result(
        &json!({ "folder": place.to_string(), "function": format!("{}/{name}", args.user) }),
        format_args!("made {place}"),
    )?;
    ui.note(format_args!(
        "next:\n  cd {place}\n  ganglion watch        builds it, uploads it to `ganglion up`, and again at each change"
    ));
    Ok(())
}

fn write(folder: &Path, name: &str, text: &str) -> Outcome<()> {
    put(&folder.join(name), text.as_bytes())
}

fn put(path: &Path, bytes: &[u8]) -> Outcome<()> {
    let told = |error| Failure::local(path.display(), &error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(told)?;
    }
    fs::write(path, bytes).map_err(told)
}

fn unpack(dir: &Dir<'_>, folder: &Path) -> Outcome<()> {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(inner) => unpack(inner, &folder.join(name_of(inner.path())))?,
            DirEntry::File(file) => put(&folder.join(name_of(file.path())), file.contents())?,
        }
    }
    Ok(())
}

fn name_of(path: &Path) -> &Path {
    Path::new(path.file_name().unwrap_or_default())
}
