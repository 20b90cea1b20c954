//! A function's own folder: from nothing to a function that runs.
//!
//! ```text
//!   new ──> folder: ganglion.toml, source, sdk/
//!             │ build    clang or cargo, then the manifest goes into the module      (module `compile`)
//!             v
//!           build/NAME.wasm ── deploy ──> gateway          watch: both, at each change
//! ```

mod compile;
mod manifest;
mod new;
mod watch;

pub(crate) use compile::build;
pub(crate) use manifest::Project;
pub(crate) use new::new;
pub(crate) use watch::watch;
