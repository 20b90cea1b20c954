//! `ganglion build`: source to module, with the author's own compilers.

use super::manifest::Project;
use crate::doctor::{C_PACKAGES, RUST_TARGET};
use crate::failure::{Failure, Outcome};
use crate::output::Ui;
use crate::units;
use ganglion_node::with_manifest;
use ganglion_types::ErrorKind;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the compiler is told, for all sources.
const C_FLAGS: [&str; 6] = [
    "--target=wasm32-wasi",
    "-O3",
    "-msimd128",
    "-mbulk-memory",
    "-Wall",
    "-Wextra",
];
/// Room for the guest's own stack, which lies below its data: running over it traps.
const LINK_FLAGS: &str = "-Wl,-z,stack-size=1048576,--stack-first";
/// Constructors and zygote are the host's to call, once.
const ZYGOTE_FLAGS: &str = "-Wl,--export=__wasm_call_ctors,--export=_faasm_zygote";

/// Builds the project's module and gives its path.
///
/// # Errors
/// `Invalid` when it does not compile (the compiler has said why), `NotFound` without source or compiler, with the command
/// that installs it.
pub(crate) fn build(project: &Project, ui: &Ui) -> Outcome<PathBuf> {
    let module = project.module();
    let folder = module.parent().unwrap_or(&project.folder);
    fs::create_dir_all(folder).map_err(|error| Failure::local(folder.display(), &error))?;
    let built = match project.folder.join("Cargo.toml").is_file() {
        true => with_cargo(project)?,
        false => with_clang(project, folder)?,
    };
    let told = |error| Failure::local(built.display(), &error);
    let wasm = fs::read(&built).map_err(told)?;
    let wasm = with_manifest(&wasm, |own| project.manifest(own))?;
    // In one step: who uploads meanwhile gets the old module or the new one.
    let unfinished = module.with_extension("wasm.new");
    fs::write(&unfinished, &wasm).map_err(told)?;
    fs::rename(&unfinished, &module).map_err(told)?;
    let size = units::bytes(wasm.len() as u64);
    ui.note(format_args!("built {} ({size})", module.display()));
    Ok(module)
}

/// One object file for each source, linked.
fn with_clang(project: &Project, folder: &Path) -> Outcome<PathBuf> {
    let mut sources = sources(&project.folder)?;
    sources.extend(listed(&project.folder.join("sdk/lib"))?);
    let mut include = OsString::from("-I");
    include.push(project.folder.join("sdk/include"));
    let mut objects = Vec::new();
    let mut has_zygote = false;
    for source in &sources {
        let (driver, standard): (_, &[&str]) = match extension(source) {
            Some("c") => ("clang", &["-std=c11"]),
            _ => ("clang++", &["-std=c++17", "-fno-exceptions"]),
        };
        let object = folder.join(format!("{}.o", objects.len()));
        let mut command = Command::new(clang(driver)?);
        command.args(C_FLAGS).args(standard).arg(&include);
        command.arg("-c").arg(source).arg("-o").arg(&object);
        run(&mut command)?;
        objects.push(object);
        let text = fs::read(source).map_err(|error| Failure::local(source.display(), &error))?;
        has_zygote |= String::from_utf8_lossy(&text)
            .lines()
            .any(|line| line.starts_with("FAASM_ZYGOTE"));
    }
    let linked = folder.join("linked.wasm");
    // Without -O: with it the driver would run whichever wasm-opt it finds.
    let mut command = Command::new(clang("clang++")?);
    command.args(["--target=wasm32-wasi", "-s", LINK_FLAGS]);
    command.args(has_zygote.then_some(ZYGOTE_FLAGS));
    run(command.args(&objects).arg("-o").arg(&linked))?;
    for object in objects {
        fs::remove_file(&object).map_err(|error| Failure::local(object.display(), &error))?;
    }
    Ok(linked)
}

fn with_cargo(project: &Project) -> Outcome<PathBuf> {
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--target", RUST_TARGET]);
    command
        .arg("--target-dir")
        .arg(project.folder.join("target"));
    command
        .arg("--manifest-path")
        .arg(project.folder.join("Cargo.toml"));
    if std::env::var_os("RUSTFLAGS").is_none()
        && std::env::var_os("CARGO_ENCODED_RUSTFLAGS").is_none()
    {
        command.env("RUSTFLAGS", "-Ctarget-feature=+simd128,+bulk-memory");
    }
    let hint = format!("if the target is what is missing: rustup target add {RUST_TARGET}");
    run(&mut command).map_err(|failure| failure.or_hint(hint))?;
    let built = project
        .folder
        .join("target")
        .join(RUST_TARGET)
        .join("release");
    let modules = listed(&built)?;
    let mut modules = modules
        .into_iter()
        .filter(|path| extension(path) == Some("wasm"));
    let named = built.join(format!("{}.wasm", project.function().name));
    match (named.is_file(), modules.next(), modules.next()) {
        (true, ..) => Ok(named),
        (false, Some(only), None) => Ok(only),
        _ => Err(Failure::new(
            ErrorKind::NotFound,
            format!("cargo built no {}", named.display()),
        )
        .or_hint("the package in Cargo.toml and the function in ganglion.toml have one name")),
    }
}

/// C and C++ files of the folder and of its `src`.
fn sources(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = listed(folder)?;
    found.extend(listed(&folder.join("src"))?);
    found.retain(|path| matches!(extension(path), Some("c" | "cpp" | "cc" | "cxx")));
    match found.is_empty() {
        false => Ok(found),
        true => Err(Failure::new(
            ErrorKind::NotFound,
            format!(
                "{} has no C or C++ source and no Cargo.toml",
                folder.display()
            ),
        )),
    }
}

/// The files of a folder, in order; none where there is no folder.
fn listed(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let told = |error| Failure::local(folder.display(), &error);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn extension(path: &Path) -> Option<&str> {
    path.extension().and_then(OsStr::to_str)
}

/// The name under which a driver of clang is there.
fn clang(driver: &str) -> Outcome<String> {
    let there = |name: &String| Command::new(name).arg("--version").output().is_ok();
    let mut names = [format!("{driver}-19"), driver.to_owned()].into_iter();
    names.find(there).ok_or_else(|| {
        Failure::new(ErrorKind::NotFound, format!("{driver} is not installed")).or_hint(C_PACKAGES)
    })
}

/// Runs a compiler, which tells what it finds on stderr by itself.
fn run(command: &mut Command) -> Outcome<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|error| {
        Failure::local(&program, &error).or_hint("`ganglion doctor` says how to install compilers")
    })?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::invalid(format!(
            "{program} did not build it ({status})"
        ))),
    }
}
