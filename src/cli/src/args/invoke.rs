//! `invoke`, also called `call`.

use super::TransferFile;
use crate::failure::{Failure, Outcome};
use clap::Args;
use ganglion_types::{FunctionRef, ObjectKey};
use std::time::Duration;

/// Call a function and print its output
///
/// The output goes to stdout as the function set it, byte for byte. A function that fails ends this command with 1, and
/// what it printed is shown on stderr. `--explain` tells where it ran and why, and its predicted time beside the
/// measured one.
#[derive(Debug, Args)]
#[command(
    visible_alias = "call",
    after_help = "Examples:
  ganglion invoke ndp hello -i world
  ganglion invoke ndp/wordcount --object ndp/book.txt -i book.txt --explain
  cat photo.jpg | ganglion invoke ndp thumbnail --input-file - > small.jpg"
)]
pub(crate) struct InvokeArgs {
    /// Tenant that owns the function, or TENANT/FUNCTION
    #[arg(value_name = "TENANT")]
    pub(crate) tenant: String,
    /// Function to call
    #[arg(value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
    /// Input as text
    #[arg(
        short,
        long,
        value_name = "TEXT",
        conflicts_with = "input_file",
        allow_hyphen_values = true
    )]
    pub(crate) input: Option<String>,
    /// Input from a file; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) input_file: Option<TransferFile>,
    /// Argument of the function; may be repeated
    #[arg(long = "arg", value_name = "A", allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
    /// Object that the call is about, in place of the one that its input names
    #[arg(long, value_name = "BUCKET/KEY")]
    pub(crate) object: Option<ObjectKey>,
    /// Never run it on a storage node
    #[arg(long)]
    pub(crate) forbid_ndp: bool,
    /// Time that it may take, such as 500ms, 30s or 2m [default: the gateway's limits.call_time]
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    pub(crate) deadline: Option<Duration>,
    /// Tell on stderr where it ran and why, and the prediction beside the measurement
    #[arg(long)]
    pub(crate) explain: bool,
}

impl InvokeArgs {
    /// The function, from `TENANT FUNCTION` or `TENANT/FUNCTION`.
    pub(crate) fn target(&self) -> Outcome<FunctionRef> {
        match &self.function {
            Some(name) => Ok(FunctionRef::new(&self.tenant, name)?),
            None if self.tenant.contains('/') => Ok(self.tenant.parse::<FunctionRef>()?),
            None => Err(Failure::invalid(format!(
                "which function of tenant {}? give TENANT FUNCTION or TENANT/FUNCTION",
                self.tenant
            ))
            .or_hint(format!(
                "`ganglion func list --user {}` shows them",
                self.tenant
            ))),
        }
    }
}
