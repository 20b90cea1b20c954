//! `new`, `build` and `watch`.

use clap::{Args, ValueEnum};
use ganglion_types::Tenant;
use std::path::PathBuf;

/// Make a folder with a function that works
///
/// The folder has the source of a small function that reads an object where it is, `ganglion.toml` with its name, limits and
/// where its input names the object, and the SDK that it is built with: nothing is fetched.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion new count-lines
  ganglion new count-lines --lang rust --user ndp
  ganglion new functions/count --lang c && cd functions/count")]
pub(crate) struct NewArgs {
    /// Folder to make; its last part is the function's name
    #[arg(value_name = "NAME")]
    pub(crate) folder: PathBuf,
    /// What to write it in
    #[arg(long, value_enum, default_value_t = Language::Cpp)]
    pub(crate) lang: Language,
    /// Tenant that owns it
    #[arg(
        short,
        long,
        env = "GANGLION_USER",
        hide_env_values = true,
        default_value = "demo"
    )]
    pub(crate) user: Tenant,
}

/// A language that there is an SDK for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    C,
    Cpp,
    Rust,
}

/// Build the function of a folder
///
/// Compiles with clang for wasm32-wasi, or with cargo where there is a Cargo.toml, and writes what `ganglion.toml` says into
/// the module: `build/NAME.wasm`. What is not installed is told with the command that installs it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion build
  ganglion build functions/count")]
pub(crate) struct BuildArgs {
    /// The function's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
}

/// Build and upload the function of a folder at each change
///
/// What was saved runs at the next call, some seconds later. An error is shown, and the next change is waited for. Ends with
/// Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion watch
  ganglion watch functions/count --url http://gateway:8080")]
pub(crate) struct WatchArgs {
    /// The function's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
}
