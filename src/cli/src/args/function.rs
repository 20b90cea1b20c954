//! `deploy` and `func`.

use clap::{Args, Subcommand, ValueEnum};
use ganglion_types::{FunctionName, FunctionRef, Tenant};
use std::path::PathBuf;

/// Upload a function: a module, or what a folder builds to
///
/// The gateway checks it, makes it movable, and compiles it; it takes effect for the next call of that name, while calls
/// that already run keep what they have. Any toolchain's WASI module will do: clang, Rust, Zig, TinyGo. A folder with a
/// `ganglion.toml` is built first, and says the name and the tenant.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion deploy
  ganglion deploy wordcount.wasm --user ndp
  ganglion deploy build/wc.wasm --user ndp --name wordcount --object first-word")]
pub(crate) struct DeployArgs {
    /// The module (.wasm), or the function's folder
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    pub(crate) file: PathBuf,
    /// Tenant that owns it [default: the folder's]
    #[arg(short, long, env = "GANGLION_USER", hide_env_values = true)]
    pub(crate) user: Option<Tenant>,
    /// Its name [default: the folder's, or the file's name without .wasm]
    #[arg(short, long)]
    pub(crate) name: Option<FunctionName>,
    /// Where its input names the object that it reads, so that a call can be placed beside it; in place of what the
    /// module says of itself
    #[arg(long, value_enum)]
    pub(crate) object: Option<ObjectFrom>,
}

/// Where an input names its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectFrom {
    /// The input's first word is the key, in the tenant's own bucket
    FirstWord,
    /// The whole input is the key, in the tenant's own bucket
    Input,
    /// Nowhere
    None,
}

impl ObjectFrom {
    /// The word of the HTTP API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::FirstWord => "first-word",
            Self::Input => "input",
            Self::None => "none",
        }
    }
}

/// List, show, download and delete functions
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  ganglion func list
  ganglion func show ndp/wordcount
  ganglion func delete ndp/wordcount")]
pub(crate) enum FunctionCommand {
    /// List the deployed functions
    ///
    /// OBJECT is where in its input a function names its object; WRITES is whether it can write objects: one that cannot
    /// is run again when an answer was lost.
    #[command(after_help = "Examples:
  ganglion func list
  ganglion func list --user ndp
  ganglion func list -o json | jq -r '.functions[].name'")]
    List {
        /// Only this tenant's
        #[arg(short, long)]
        user: Option<Tenant>,
    },
    /// Show one function
    ///
    /// MODULE is the BLAKE3 hash of the uploaded file: two names with the same hash are the same function.
    #[command(after_help = "Examples:
  ganglion func show ndp/wordcount
  ganglion func show ndp/wordcount -o json | jq -r .module")]
    Show {
        /// Its name
        #[arg(value_name = "USER/NAME")]
        function: FunctionRef,
    },
    /// Download the module as it was uploaded
    ///
    /// What comes back is the file that was deployed, byte for byte, and not what the gateway made of it.
    #[command(after_help = "Examples:
  ganglion func download ndp/wordcount wordcount.wasm
  ganglion func download ndp/wordcount - | wasm-objdump -x -")]
    Download {
        /// Its name
        #[arg(value_name = "USER/NAME")]
        function: FunctionRef,
        /// File to write; `-` is stdout
        #[arg(value_name = "FILE")]
        file: super::TransferFile,
    },
    /// Forget a function's name
    ///
    /// Calls that run go on to their end; later calls of the name are refused.
    #[command(after_help = "Examples:
  ganglion func delete ndp/wordcount
  ganglion func delete ndp/wordcount && ganglion func list --user ndp")]
    Delete {
        /// Its name
        #[arg(value_name = "USER/NAME")]
        function: FunctionRef,
    },
}
