//! Objects: one trait, its conformance suite, and the stores that pass it.

mod catalog;
mod local;
mod memory;
mod object;
mod placed;
mod placement;
mod record;
pub mod suite;

pub use local::{LocalOptions, LocalStore};
pub use memory::MemoryStore;
pub use object::{
    ByteRange, CommitId, Condition, ListPage, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload,
    ObjectView, PutOptions, Version,
};
pub use placed::PlacedStore;
