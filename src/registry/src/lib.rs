//! Functions: what may be uploaded, under which name it is found, and the machine code that workers run.
//!
//! ```text
//!   upload ──> check ──> rewrite ──> compile ──> artefact (this node, by content hash and engine)
//!     │       (refuse)  (movable)   (ahead of time)
//!     ├──> store: .functions/module/HASH          the file as it was uploaded
//!     └──> store: .functions/name/TENANT/NAME     the record that names it
//! ```
//!
//! A [`Catalog`] holds the names, [`Modules`] the machine code. A call is resolved to a content hash once, where it
//! enters; so a second upload of the name takes effect for the next call and never touches a running one.
//!
//! Absent on purpose: running anything. The host interface is only *listed* here ([`abi`]), so that an upload can be
//! refused by the import's name; `worker` implements the list and a test there holds the two together.

pub mod abi;
mod added;
mod artefact;
mod blueprint;
mod bulk;
mod catalog;
mod code;
mod engine;
mod heap;
mod manifest;
mod modules;
mod poll;
mod rewrite;

pub use catalog::{Catalog, FunctionRecord};
pub use engine::{Engine, Interruption, stack_bytes_of};
pub use manifest::{FunctionLimits, Manifest, ObjectFrom, with_manifest};
pub use modules::{Compiled, Modules, Origin};
pub use poll::POLL_ADDRESS;
pub use rewrite::{MEMORY_EXPORT, START_EXPORT, Shape, TABLE_EXPORT, global_export};
