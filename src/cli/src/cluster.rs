//! What runs nodes in this process: the only place of the command line that knows `ganglion-node`.
//!
//! Each function runs to the end of its command and handles its own signals. An error that has a
//! [`ganglion_types::Error`] in its chain ends the program with that error's exit code.

use crate::args::{BenchArgs, DemoArgs, ServeArgs, UpArgs};
use crate::output::Ui;
use anyhow::{Result, bail};
use serde::Serialize;
use std::path::Path;

/// A setting in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    /// Its name, as in `limits.call_time`.
    pub(crate) name: String,
    /// Its value, as ganglion.toml would have it.
    pub(crate) value: String,
    /// Where the value came from: `flag`, `GANGLION_...`, a file's path, or `default`.
    pub(crate) source: String,
}

/// A cluster of several nodes in this process, until a signal.
pub(crate) async fn up(_args: &UpArgs, _ui: &Ui) -> Result<()> {
    bail!("`up` is not built into this binary")
}

/// One node with every role, until a signal.
pub(crate) async fn serve(_args: &ServeArgs, _ui: &Ui) -> Result<()> {
    bail!("`serve` is not built into this binary")
}

/// A cluster on free ports, objects in it, and calls of which each is explained.
pub(crate) async fn demo(_args: &DemoArgs, _ui: &Ui) -> Result<()> {
    bail!("`demo` is not built into this binary")
}

/// Measures calls.
pub(crate) async fn bench_call(_args: &BenchArgs, _ui: &Ui) -> Result<()> {
    bail!("`bench call` is not built into this binary")
}

/// Measures scans of objects.
pub(crate) async fn bench_scan(_args: &BenchArgs, _ui: &Ui) -> Result<()> {
    bail!("`bench scan` is not built into this binary")
}

/// The settings that `serve` would use here and now; `file` in place of `./ganglion.toml`.
pub(crate) fn settings_in_effect(_file: Option<&Path>) -> Result<Vec<Setting>> {
    bail!("`config show` is not built into this binary")
}

/// A commented ganglion.toml with every setting and its default.
pub(crate) fn default_settings_file() -> Result<String> {
    bail!("`config default` is not built into this binary")
}
