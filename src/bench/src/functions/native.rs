//! The suite's functions as programs of this machine: the same sources, the host's calls over files.

use crate::report::failed;
use bytes::Bytes;
use ganglion_types::{Error, Result};
use include_dir::{Dir, include_dir};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// What functions are compiled with, for guests and for this machine.
static HEADERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../funcs/include");
/// Their sources.
static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../funcs/ndp");
/// The host's calls over files.
static HOST: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../funcs/native");
const MAIN: &str = include_str!("main.c");

const COMPILERS: [&str; 2] = ["cc", "c++"];
const FLAGS: [&str; 2] = ["-O3", "-DNDEBUG"];
/// Where Debian has the headers that are not included from `/usr/include`.
const EIGEN_HEADERS: &str = "/usr/include/eigen3";

/// Programs that were compiled.
pub(super) struct Programs {
    /// The compiler, its version and the flags.
    pub(super) compiler: String,
    folder: PathBuf,
    /// The host's object files.
    host: Vec<PathBuf>,
}

/// One run of several.
pub(super) struct Ran {
    pub(super) cpu_ns: Vec<u64>,
    pub(super) output: Bytes,
}

impl Programs {
    /// Unpacks the sources and compiles what all functions share. `None` where the machine has no compilers.
    ///
    /// # Errors
    /// `Internal`, with the compiler's words, when it does not compile.
    pub(super) async fn prepare(folder: &Path) -> Result<Option<Self>> {
        let version = match Command::new(COMPILERS[1]).arg("--version").output().await {
            Ok(version) => String::from_utf8_lossy(&version.stdout).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(COMPILERS[1])(error)),
        };
        for (dir, name) in [(&HEADERS, "include"), (&SOURCES, "ndp"), (&HOST, "native")] {
            let into = folder.join(name);
            std::fs::create_dir_all(&into).map_err(failed(name))?;
            dir.extract(&into).map_err(failed(name))?;
        }
        std::fs::write(folder.join("main.c"), MAIN).map_err(failed("main.c"))?;
        let first_line = version.lines().next().unwrap_or(COMPILERS[1]);
        let mut programs = Self {
            compiler: format!("{first_line}, {}", FLAGS.join(" ")),
            folder: folder.to_path_buf(),
            host: Vec::new(),
        };
        let sources = HOST
            .files()
            .map(|file| Path::new("native").join(file.path()));
        let of_c = |path: &PathBuf| path.extension() == Some(OsStr::new("c"));
        let own_main = Path::new("native").join("main.c");
        let sources = sources.filter(|path| of_c(path) && *path != own_main);
        for source in sources.chain([PathBuf::from("main.c")]).collect::<Vec<_>>() {
            let object = programs.object(&source).await?;
            programs.host.push(object);
        }
        Ok(Some(programs))
    }

    /// The program of a function.
    ///
    /// # Errors
    /// As [`Programs::prepare`].
    pub(super) async fn program(&self, function: &str) -> Result<PathBuf> {
        let source = Path::new("ndp").join(format!("{function}.cpp"));
        let object = self.object(&source).await?;
        let program = self.folder.join(function);
        let mut link = Command::new(COMPILERS[1]);
        link.arg(object).args(&self.host).arg("-o").arg(&program);
        finish(&mut link).await?;
        Ok(program)
    }

    async fn object(&self, source: &Path) -> Result<PathBuf> {
        let object = self.folder.join(source).with_extension("o");
        let (compiler, standard) = match source.extension() == Some(OsStr::new("c")) {
            true => (COMPILERS[0], "-std=gnu11"),
            false => (COMPILERS[1], "-std=c++17"),
        };
        let mut compile = Command::new(compiler);
        compile.args(FLAGS).args([standard, "-D_GNU_SOURCE", "-w"]);
        compile.arg("-I").arg(&self.folder);
        compile.arg("-I").arg(self.folder.join("include"));
        compile.args(["-isystem", EIGEN_HEADERS]);
        compile
            .arg("-c")
            .arg(self.folder.join(source))
            .arg("-o")
            .arg(&object);
        finish(&mut compile).await?;
        Ok(object)
    }
}

async fn finish(compile: &mut Command) -> Result<()> {
    let compiled = compile.output().await.map_err(failed("a compiler"))?;
    if compiled.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&compiled.stderr);
    let said = said
        .lines()
        .find(|line| line.contains("error"))
        .unwrap_or(&said);
    Err(Error::internal(format!(
        "a function does not compile natively (Debian has its headers in libeigen3-dev, libstb-dev and nlohmann-json3-dev): {said}"
    )))
}

/// Runs a program on the objects of a folder.
///
/// # Errors
/// `Internal` when it fails.
pub(super) async fn run(program: &Path, objects: &Path, runs: usize, input: &str) -> Result<Ran> {
    let mut command = Command::new(program);
    command.arg(runs.to_string()).arg(input);
    command.env("GANGLION_OBJECTS", objects);
    let output = command
        .output()
        .await
        .map_err(failed("a native function"))?;
    let wrong = |what: &str| {
        let program = program.display();
        Error::internal(format!("{program} {input}: {what}"))
    };
    if !output.status.success() {
        return Err(wrong(&String::from_utf8_lossy(&output.stdout)));
    }
    let mut rest = Bytes::from(output.stdout);
    let mut cpu_ns = Vec::new();
    for _ in 0..runs {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = rest.split_to(end.ok_or_else(|| wrong("it printed too little"))?);
        let line = std::str::from_utf8(&line)
            .ok()
            .and_then(|line| line.parse().ok());
        cpu_ns.push(line.ok_or_else(|| wrong("it printed no time"))?);
        let _newline = rest.split_to(1);
    }
    Ok(Ran {
        cpu_ns,
        output: rest,
    })
}
