//! The same kernels on the machine itself, in a process of their own.

use crate::report::failed;
use bytes::Bytes;
use ganglion_types::{Error, Result};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The guests' own kernels.
const KERNELS: [(&str, &str); 4] = [
    (
        "scan.hpp",
        include_str!("../../../funcs/ndp/kernels/scan.hpp"),
    ),
    (
        "sum.hpp",
        include_str!("../../../funcs/ndp/kernels/sum.hpp"),
    ),
    (
        "whitespace.hpp",
        include_str!("../../../funcs/ndp/kernels/whitespace.hpp"),
    ),
    (
        "wordcount.hpp",
        include_str!("../../../funcs/ndp/kernels/wordcount.hpp"),
    ),
];
/// What runs them here.
const MAIN: &str = include_str!("native_main.cpp");
const COMPILER: &str = "c++";
const FLAGS: [&str; 2] = ["-O3", "-std=c++17"];

/// A program that was compiled from the kernels.
pub(crate) struct Compiled {
    pub(crate) program: PathBuf,
    /// The compiler, its version and the flags.
    pub(crate) compiler: String,
}

/// Compiles `main` with the kernels in `folder` and links it with `libraries`. `None` where the machine has no C++ compiler.
///
/// # Errors
/// `Internal`, with the compiler's words, when it does not compile.
pub(crate) async fn compile(
    folder: &Path,
    main: &str,
    libraries: &[&str],
) -> Result<Option<Compiled>> {
    let version = match Command::new(COMPILER).arg("--version").output().await {
        Ok(version) => String::from_utf8_lossy(&version.stdout).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(COMPILER)(error)),
    };
    for (name, text) in KERNELS.into_iter().chain([("main.cpp", main)]) {
        std::fs::write(folder.join(name), text).map_err(failed(name))?;
    }
    let program = folder.join("kernels");
    let mut compile = Command::new(COMPILER);
    compile
        .args(FLAGS)
        .arg(folder.join("main.cpp"))
        .arg("-o")
        .arg(&program)
        .args(libraries);
    let compiled = compile.output().await.map_err(failed(COMPILER))?;
    if !compiled.status.success() {
        let said = String::from_utf8_lossy(&compiled.stderr);
        return Err(Error::internal(format!(
            "{COMPILER} does not compile the kernels: {said}"
        )));
    }
    let first_line = version.lines().next().unwrap_or(COMPILER);
    let compiler = format!("{first_line}, {}", FLAGS.join(" "));
    Ok(Some(Compiled { program, compiler }))
}

/// A process that runs kernels on one file when told to.
pub(crate) struct Native {
    /// The compiler, its version and the flags.
    pub(crate) compiler: String,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _child: Child,
}

/// One run of a kernel.
pub(crate) struct NativeRun {
    pub(crate) cpu_ns: u64,
    pub(crate) wall_ns: u64,
    pub(crate) output: Bytes,
}

impl Native {
    /// Compiles the kernels in `folder` and starts them over the first `size_bytes` of `file`. `None` where the machine has
    /// no C++ compiler.
    pub(crate) async fn start(folder: &Path, file: &Path, size_bytes: u64) -> Result<Option<Self>> {
        let Some(Compiled { program, compiler }) = compile(folder, MAIN, &[]).await? else {
            return Ok(None);
        };
        let mut child = Command::new(&program)
            .args([file.as_os_str(), OsStr::new(&size_bytes.to_string())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("the native kernels"))?;
        let input = child.stdin.take().expect("stdin is piped");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Ok(Some(Self {
            compiler,
            input,
            output,
            _child: child,
        }))
    }

    /// Runs the kernel of that command once.
    pub(crate) async fn run(&mut self, command: &str) -> Result<NativeRun> {
        let lost = failed("the native kernels");
        self.input
            .write_all(format!("{command}\n").as_bytes())
            .await
            .map_err(&lost)?;
        let mut line = String::new();
        self.output.read_line(&mut line).await.map_err(&lost)?;
        let numbers: Vec<u64> = line
            .split_whitespace()
            .filter_map(|n| n.parse().ok())
            .collect();
        let &[cpu_ns, wall_ns, length] = numbers.as_slice() else {
            return Err(Error::internal(format!(
                "the native kernels said `{}`",
                line.trim()
            )));
        };
        let mut output = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.output.read_exact(&mut output).await.map_err(&lost)?;
        Ok(NativeRun {
            cpu_ns,
            wall_ns,
            output: output.into(),
        })
    }
}
